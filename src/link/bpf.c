/* bpf(2) itself: see bpf.h. */
#define _GNU_SOURCE
#include "link/bpf.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int bpf_call(enum bpf_cmd command, union bpf_attr *attr) {
    long r = syscall(SYS_bpf, command, attr, sizeof *attr);
    return r < 0 ? -errno : (int)r;
}

int bpf_map_create(enum bpf_map_type type, uint32_t value_size, uint32_t entries) {
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.map_type = type;
    attr.key_size = sizeof(uint32_t);
    attr.value_size = value_size;
    attr.max_entries = entries;
    memcpy(attr.map_name, "beckon", sizeof "beckon");
    return bpf_call(BPF_MAP_CREATE, &attr);
}

int bpf_map_set(int map, uint32_t key, const void *value) {
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.map_fd = (uint32_t)map;
    attr.key = (uintptr_t)&key;
    attr.value = (uintptr_t)value;
    return bpf_call(BPF_MAP_UPDATE_ELEM, &attr);
}

int bpf_program_load(enum bpf_prog_type type, const struct bpf_insn *insns, uint32_t count) {
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.prog_type = type;
    if (type == BPF_PROG_TYPE_XDP) attr.expected_attach_type = BPF_XDP;
    attr.insn_cnt = count;
    attr.insns = (uintptr_t)insns;
    attr.license = (uintptr_t) "MIT";
    memcpy(attr.prog_name, "beckon", sizeof "beckon");
    return bpf_call(BPF_PROG_LOAD, &attr);
}

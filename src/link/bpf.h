/* bpf(2): maps and programs, made without a compiler, a loader or a library for BPF (xdp_program.c says why). All return a descriptor, or 0 where
 * there is none, or a negative errno. */
#ifndef LINK_BPF_H
#define LINK_BPF_H

#include <linux/bpf.h>
#include <stdint.h>

int bpf_call(enum bpf_cmd command, union bpf_attr *attr);
/* A map with keys of 32 bits. */
int bpf_map_create(enum bpf_map_type type, uint32_t value_size, uint32_t entries);
int bpf_map_set(int map, uint32_t key, const void *value);
int bpf_program_load(enum bpf_prog_type type, const struct bpf_insn *insns, uint32_t count);

#endif

/* The XDP program and its attachment, by bpf(2) itself.
 *
 * The program has six instructions: look the frame's queue up in a map of sockets, redirect the frame to what is there, or else
 * let the kernel have it. That needs no compiler for BPF, no object file and no loader. libxdp would bring a loader of several programs for one device: it
 * reads its own object file when it runs, and keeps what it attached in a file system (bpffs) that a network namespace made by ip(8)
 * does not have; and whoever links our library statically would have to link it, libbpf, libelf and zlib as well.
 *
 * The attachment is a link: the kernel takes the program off when its descriptor is closed, whatever ends the process.
 */
#define _GNU_SOURCE
#include "link/xdp_program.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <string.h>
#include <unistd.h>

#include "link/bpf.h"

/* return bpf_redirect_map(&map, ctx->rx_queue_index, XDP_PASS); */
static int xdp_program_load(int map) {
    const struct bpf_insn program[] = {
        {.code = BPF_LDX | BPF_W | BPF_MEM,
         .dst_reg = BPF_REG_2,
         .src_reg = BPF_REG_1,
         .off = offsetof(struct xdp_md, rx_queue_index)},
        {.code = BPF_LD | BPF_DW, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map},
        {0}, /* the upper half of that constant (BPF_IMM, which is 0, is its mode) */
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = XDP_PASS},
        {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map},
        {.code = BPF_JMP | BPF_EXIT},
    };
    return bpf_program_load(BPF_PROG_TYPE_XDP, program, sizeof program / sizeof *program);
}

static int xdp_link_create(int program, uint32_t ifindex, uint32_t flags) {
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.link_create.prog_fd = (uint32_t)program;
    attr.link_create.target_ifindex = ifindex;
    attr.link_create.attach_type = BPF_XDP;
    attr.link_create.flags = flags;
    return bpf_call(BPF_LINK_CREATE, &attr);
}

static int xdp_program_serve(const struct xdp_program *p, uint32_t queue, int socket, const char **why) {
    *why = "BPF_MAP_UPDATE_ELEM: put the socket into the map";
    return bpf_map_set(p->map, queue, &socket);
}

int xdp_program_share(struct xdp_program *p, const struct xdp_program *attached, uint32_t queue, int socket,
                      const char **why) {
    *why = "F_DUPFD: share the program";
    p->map = fcntl(attached->map, F_DUPFD_CLOEXEC, 0);
    p->link = fcntl(attached->link, F_DUPFD_CLOEXEC, 0);
    return p->map < 0 || p->link < 0 ? -errno : xdp_program_serve(p, queue, socket, why);
}

int xdp_program_attach(struct xdp_program *p, const struct bk_xdp_device *device, uint32_t queue, int socket,
                       bool *native, const char **why) {
    p->link = -1;
    *why = "BPF_MAP_CREATE: make the map of sockets";
    p->map = bpf_map_create(BPF_MAP_TYPE_XSKMAP, sizeof(uint32_t), device->queues);
    if (p->map < 0) return p->map;
    int r = xdp_program_serve(p, queue, socket, why);
    if (r < 0) return r;
    *why = "BPF_PROG_LOAD: load the program that redirects frames";
    int program = xdp_program_load(p->map);
    if (program < 0) return program;
    *why = "BPF_LINK_CREATE: attach the program to the device (one program a device)";
    p->link = xdp_link_create(program, device->index, XDP_FLAGS_DRV_MODE);
    *native = p->link >= 0;
    if (p->link < 0 && p->link != -EBUSY && p->link != -EEXIST)
        p->link = xdp_link_create(program, device->index, XDP_FLAGS_SKB_MODE);
    close(program); /* the attachment holds it */
    return p->link < 0 ? p->link : 0;
}

void xdp_program_detach(struct xdp_program *p) {
    if (p->link >= 0) close(p->link);
    if (p->map >= 0) close(p->map);
    p->link = p->map = -1;
}

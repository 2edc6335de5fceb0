/* The kernel's part of steering: a program that gives a frame to the queue that bk_steer_frame names. */
#ifndef LINK_STEER_PROGRAM_H
#define LINK_STEER_PROGRAM_H

#include "beckon/steer.h"
#include "link/bpf.h"

/* Loads it for devices of a layer. It returns the number of the frame's stack, and 0 for what all should have: the link of stack 0 hands that
 * on (group.c). Returns a descriptor, or a negative errno and *why. The type is BPF_PROG_TYPE_SOCKET_FILTER, but in tests. */
int steer_program_load(const struct bk_steer_table *table, enum bk_layer layer, enum bpf_prog_type type,
                       const char **why);

#endif

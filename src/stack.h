/* The stack as the files that implement beckon/stack.h see it. */
#ifndef STACK_H
#define STACK_H

#include "net/net.h"

struct bk_stack {
    struct net net;
};

static inline struct base *base_of(bk_stack *s) {
    return &s->net.tcp.base;
}
static inline const struct base *base_of_const(const bk_stack *s) {
    return &s->net.tcp.base;
}

/* bk_output_pending of an interface that there is. */
static inline bool stack_output_pending(const bk_stack *s, uint32_t iface) {
    return (s->net.iface[iface].ready.count | s->net.tcp.replies.count | s->net.tcp.path[iface].output.count) != 0;
}

/* Whether bk_advance would find nothing due at `now`; it may say no for nothing. */
static inline bool stack_quiet(const bk_stack *s, uint64_t now) {
    const struct net *n = &s->net;
    uint64_t quiet = u64_min(u64_min(n->tcp.wheel.quiet, n->tcp.quiet), u64_min(n->wheel.quiet, n->due));
    return quiet > now && n->reassemblies.in_use == 0;
}

#endif

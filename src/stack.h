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

#endif

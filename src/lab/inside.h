/* A stack from inside: what the lab reads of it (and never writes) beyond the public interface. A build knows its own regions only. */
#ifndef LAB_INSIDE_H
#define LAB_INSIDE_H

#include "net/net.h"

/* The region begins with struct net. */
static inline const struct net *inside_net(const bk_stack *stack) {
    return (const struct net *)(const void *)stack;
}

#endif

/* Steering inside the core: see beckon/steer.h, and steer.c for the hash. */
#ifndef BASE_STEER_H
#define BASE_STEER_H

#include "base/common.h"
#include "beckon/steer.h"

static inline bool steer_group(const struct bk_steering *s) {
    return s->stacks > 1;
}

/* Which local ports towards one destination belong to this stack, for a search that asks about many: the hash is linear, so
 * a port's part of it is that of its four digits of 4 bits. */
struct steer_ports {
    uint32_t stacks, index;
    uint8_t digit[4][16]; /* with the rest of the tuple in the first */
};
/* The local port of the tuple is no matter. */
void steer_ports_make(struct steer_ports *p, const struct bk_steering *s, const bk_addr *remote, uint16_t remote_port,
                      const bk_addr *local);
static inline bool steer_ports_own(const struct steer_ports *p, uint16_t port) {
    uint32_t bucket =
        p->digit[0][port >> 12] ^ p->digit[1][port >> 8 & 15] ^ p->digit[2][port >> 4 & 15] ^ p->digit[3][port & 15];
    return bucket % p->stacks == p->index;
}

#endif

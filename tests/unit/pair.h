/* Two stacks joined by hand, in virtual time: what the tests of the region as a value, of bounds and of readiness run on.
 *
 * Frames are taken with bk_output, written out with bk_tx_write, and arrive PAIR_LATENCY later in the other stack by
 * bk_input_copy; nothing but the public API touches the stacks. Regions are filled with a pattern before use, so that
 * nothing can rely on fresh memory being zero. Every frame that either side sends is noted in a log, by which two
 * runs are compared byte for byte. All checks are cmocka's, so a broken step fails the test that made it.
 */
#ifndef TESTS_PAIR_H
#define TESTS_PAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "beckon/stack.h"
#include "beckon/trace.h"

#define PAIR_MS      UINT64_C(1000000)
#define PAIR_S       UINT64_C(1000000000)
#define PAIR_LATENCY (5 * PAIR_MS)
#define PAIR_PORT    80

struct pair_side {
    uint8_t *region;
    size_t size;
    bk_stack *stack;
    bk_addr addr;
    size_t output_max; /* units that its device takes at a time; pair_open sets 64 */
    bool device_dead;  /* its device takes nothing */
    bool holds;        /* the test holds chunks or units, so the audit cannot count them */
};

struct pair_frame {
    uint64_t arrives;
    int to;
    size_t length;
    uint8_t *bytes;
};

struct pair {
    struct pair_side side[2];
    uint64_t now;
    struct pair_frame *flight; /* in the order of arrival */
    size_t flight_count, flight_room;
    uint8_t *log; /* (side, time, length, bytes) of each frame sent */
    size_t log_length, log_room;
    uint64_t deadlines; /* a digest of every deadline that was asked for */
};

/* A configuration of a few hundred chunks, which is quick to make. */
void pair_config(struct bk_config *config);
/* Both sides up: 192.0.2.1 and .2, or 2001:db8::1 and ::2. `b` NULL: as `a`. */
void pair_open(struct pair *p, int family, enum bk_layer layer, const struct bk_config *a, const struct bk_config *b);
void pair_close(struct pair *p);
/* Copies both used extents to other addresses, with what is in flight; the log begins anew in both. */
void pair_fork(struct pair *p, struct pair *copy);
/* One stack's copy alone, in a region of its own at `to`. */
void pair_copy_side(const struct pair_side *from, struct pair_side *to);

/* Takes what should leave, up to what the devices take. */
void pair_collect(struct pair *p);
/* Lets everything happen up to p->now + ns. */
void pair_run(struct pair *p, uint64_t ns);
/* Lets frames in flight be lost. */
void pair_lose(struct pair *p);

/* ---- short ways for tests -------------------------------------------------------------------------- */

bk_listener pair_listen(struct pair *p, int side, uint32_t backlog);
bk_conn pair_connect(struct pair *p, int side);
bk_conn pair_accept(struct pair *p, int side, bk_listener listener);
/* An established connection: conn[0] is side 0's (the active opener's), conn[1] side 1's. */
void pair_establish(struct pair *p, bk_listener listener, bk_conn conn[2]);
/* Sends bytes [at, at + length) of the pattern that `key` names; returns what bk_tcp_send returns. */
ptrdiff_t pair_send(struct pair *p, int side, bk_conn conn, uint32_t key, uint64_t at, size_t length);
/* Reads all that is there and checks it against the pattern from *at on, which it moves. Returns the last answer of
 * bk_tcp_receive: 0 at the end of data, or a negative errno. */
ptrdiff_t pair_receive(struct pair *p, int side, bk_conn conn, uint32_t key, uint64_t *at);
struct bk_tcp_info pair_status(const struct pair *p, int side, bk_conn conn);
uint32_t pair_in_use(const struct pair *p, int side, enum bk_pool pool);
uint64_t pair_count(const struct pair *p, int side, enum bk_reason reason);
/* How many of a state bk_tcp_list shows. */
uint32_t pair_states(const struct pair *p, int side, enum bk_state state);

/* A SYN from 192.0.2.99 (2001:db8::99), which nobody will complete; over BK_LAYER_IP. Returns its reason. */
uint16_t pair_stranger_syn(struct pair *p, int side, uint16_t port, uint32_t seq);

#endif

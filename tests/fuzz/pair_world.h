/* The world of fuzz_pair.c: two stacks with a user and a device each, and what is in flight between them.
 *
 * A world is a value as a stack is: it holds no pointer into itself, so that copying it, with both used extents, makes a second world
 * that must go on in the same way (pair_twins in fuzz_pair.c). All that can be seen from outside goes into its digest while it
 * has a twin.
 */
#ifndef FUZZ_PAIR_WORLD_H
#define FUZZ_PAIR_WORLD_H

#include "fuzz.h"
#include "lab/watch.h"

#define USERS       4u
#define STREAMS     16u
#define FLOWS       16u
#define FLIGHT      32u
#define FRAME_ROOM  1514u
#define HELD_UNITS  8u
#define HELD_CHUNKS 64u
#define PORT        80u

/* A user and the connection that it holds. */
struct user {
    bk_conn conn;
    uint32_t received; /* bytes */
    bool held;
};

/* What the users of one connection's end have sent: `iss` names it. */
struct stream {
    uint32_t iss, sent;
    bool ended; /* no more will come: shut down or closed */
};

struct side {
    uint8_t *region[2]; /* the stack lives in one; the other is for copies */
    size_t size;
    uint8_t where;
    bool refuses; /* the device takes nothing */
    bool sleeps;  /* nobody looks after timers that are due */
    bool listening;
    bk_stack *stack;
    uint64_t now;
    bk_addr addr;
    bk_listener listener;
    struct user user[USERS];
    struct stream stream[STREAMS]; /* a ring: the latest */
    uint32_t streams;
    uint64_t swallowed;                               /* packets that waited for a neighbour in vain */
    uint32_t held_unit[HELD_UNITS], held_units, keep; /* the next `keep` units are held */
    uint32_t held_chunk[HELD_CHUNKS], held_chunks;
};

/* Which connection a segment belongs to, as the stack that sent it has it: ISS there, and IRS if it was known. */
struct tag {
    uint32_t iss, irs;
    bool known, pair; /* whether iss is known; whether irs is */
};

struct flight {
    struct tag tag;
    uint16_t length;
    uint16_t port[2]; /* of TCP: side 0's and side 1's; 0 otherwise */
    uint8_t to;
    bool clean; /* as it was sent */
    uint8_t bytes[FRAME_ROOM];
};

/* What is known of a pair of ports, through all incarnations. `tainted`: a segment was forged into it, and all that is still checked is that
 * both stacks bear it. The watch is of the latest incarnation in which both SYNs were seen to be sent. */
struct flow {
    uint16_t port[2]; /* side 0's, side 1's */
    bool tainted;
    bool watched;
    bool syn_known[2];
    uint16_t syn_reason[2];
    struct wire_tcp syn[2]; /* the latest that each side sent */
    uint32_t iss[2];        /* of the watch */
    struct watch watch;
};

struct world {
    struct input in;
    struct side side[2];
    struct flow flow[FLOWS];
    uint32_t flows;
    struct flight flight[FLIGHT]; /* the oldest first */
    uint32_t in_flight;
    struct flight latest[2]; /* the last segment that each side sent: what forgers start from when the wire is empty */
    bool ethernet;
    bool
        disturbed; /* something happened after which a connection may well not recover: no transfer has to be finished */
    bool twinned;
    uint8_t jumps; /* of a day, that are still allowed */
    uint64_t digest;
};

extern bool tracing;

/* pair_world.c */
void world_open(struct world *w, struct world *twin);        /* from the input; the twin gets memory of the same size */
void world_copy(struct world *to, const struct world *from); /* `to` has had its memory by world_open */
void world_audit(struct world *w);
void world_note(struct world *w, uint64_t value);
void world_move(struct world *w, int s);
void world_close(struct world *w, bool gently, bool dead);
void world_settle(struct world *w);
void world_run(struct world *w, uint32_t rounds);
void side_attend(struct world *w, int s); /* output until there is none or the device is full; timers that are due */
void side_let_go(struct side *side);
void show(struct world *w, const char *what, uint32_t number);

/* pair_wire.c */
void wire_take(struct world *w, int from, const struct bk_tx *unit);
void wire_drop(struct world *w, uint32_t at);
void wire_deliver(struct world *w, uint32_t at, uint8_t how);
void wire_deliver_batch(struct world *w, int to);
void wire_deliver_in_fragments(struct world *w, uint8_t order); /* the oldest, if it is a segment as it was sent */
void wire_delay(struct world *w, uint32_t at);
void wire_corrupt(struct world *w, uint32_t at);
void wire_forge(struct world *w, uint32_t at);
void wire_complain(struct world *w, uint32_t at);
struct flow *flow_of(struct world *w, uint16_t port0, uint16_t port1); /* NULL: too many are known */
/* Whether what this connection delivers can be checked. */
bool flow_is_clean(struct world *w, int s, const struct bk_tcp_info *info);

/* pair_users.c */
void user_call(struct world *w, int s);
void user_reads_all(struct world *w, int s, struct user *u);
void user_leaves(struct world *w, int s, struct user *u, bool gently);
void users_look(struct world *w, int s);
void listener_opens(struct world *w, int s, uint32_t choice);
/* Asserts, once the network has been kind for long, that what was sent has arrived. */
void users_must_be_done(struct world *w);

#endif

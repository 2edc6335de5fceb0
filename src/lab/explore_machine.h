/* The machine of an exploration: two stacks, the network between them, their users, and one step of all that.
 *
 * Stack 0 is A, the client; stack 1 is B. All of a state is in the two regions and in struct explore_state, which holds no pointer; so a state
 * can be put aside and taken up again. An action is one thing that happens: a segment arrives or is lost, a deadline comes, a user
 * calls. It touches one stack; then what that stack sends enters the network and what it tells its user is heard, until
 * neither has more to say.
 */
#ifndef LAB_EXPLORE_MACHINE_H
#define LAB_EXPLORE_MACHINE_H

#include "beckon/trace.h"
#include "lab/explore_world.h"
#include "lab/fault.h"
#include "lab/watch.h"

#define EXPLORE_FLIGHTS      16u
#define EXPLORE_BYTES        104u /* of the longest packet: 40 of headers, up to 36 of options and 28 bytes of data */
#define EXPLORE_INCARNATIONS 2u
#define EXPLORE_NOBODY       255u /* no incarnation */
#define EXPLORE_ACTIONS      64u
#define EXPLORE_CLIENT_PORT  4000u
#define EXPLORE_SERVER_PORT  80u

/* A segment under way. Those of one direction arrive in order, but for those that are held, which arrive whenever they like. */
struct explore_flight {
    uint64_t sent;
    uint8_t from, held;
    uint8_t incarnation; /* whose numbers it bears, or EXPLORE_NOBODY */
    uint8_t length;
    uint8_t bytes[EXPLORE_BYTES]; /* from the IP header on */
    uint32_t pad;
};

struct explore_user {
    bk_conn conn;
    bk_listener listener;
    uint8_t step;
    uint8_t incarnation; /* of the connection that it holds */
    uint8_t received;    /* bytes of it */
    uint8_t listens;     /* connections that it will yet accept */
    bool holds, up, peer_end, over;
};

/* What the users know of one incarnation, to be compared. [0] is A's, [1] B's. */
struct explore_incarnation {
    uint32_t iss[2]; /* of active opens */
    uint32_t irs;    /* that A's user was connected with */
    uint8_t sent[2]; /* bytes */
    bool closed[2];  /* the user has ended its sending, other than by ABORT */
    bool opened[2];  /* iss is known */
    bool up;         /* A's user was told CONNECTED: irs is known */
    bool accepted;   /* B's user has got it */
};

struct explore_state {
    uint64_t clock[2];
    uint64_t chosen[2];                          /* when either stack last chose an ISS; 0: never */
    uint8_t drops, duplicates, holds, aborts[2]; /* what is left of each */
    uint8_t opens;                               /* incarnations begun */
    uint8_t flights;
    uint8_t faults; /* what is left of drops, duplicates and holds together */
    struct explore_user user[2];
    struct explore_incarnation incarnation[EXPLORE_INCARNATIONS];
    struct watch watch[EXPLORE_INCARNATIONS];
    struct explore_flight
        flight[EXPLORE_FLIGHTS]; /* in the order in which they were sent; only `flights` of them count */
};

enum explore_action_kind {
    EXPLORE_DELIVER,   /* flight `arg` arrives; those before it, if it is not held, are held from now on */
    EXPLORE_DUPLICATE, /* it arrives, and a copy of it is held */
    EXPLORE_DROP,
    EXPLORE_FIRE,   /* the next deadline of stack `arg` has come */
    EXPLORE_WAIT,   /* time goes on to where the oldest segment is as old as it may be */
    EXPLORE_EXPIRE, /* time goes past that: what is so old is gone */
    EXPLORE_USER,   /* user `arg` makes its next call */
    EXPLORE_ABORT,  /* user `arg` calls ABORT */
    EXPLORE_TIRED,  /* nothing at all is happening any more: user `arg` calls CLOSE */
};
struct explore_action {
    uint8_t kind, arg;
};

/* Who listens to a replay. Functions may be NULL. */
struct explore_listener {
    void (*frame)(void *context, unsigned from, const uint8_t *bytes, size_t length, uint16_t reason, bool arrives);
    void *context;
};

struct explore_side {
    uint8_t *region;
    size_t size;
    bk_stack *stack;
};

struct explore_machine {
    const struct explore_world *world;
    struct explore_side side[2];
    struct explore_state state;
    struct fault fault; /* what the last action did wrong */
    const struct explore_listener *listener;
};

struct explore_options {
    uint64_t seed;
    uint64_t start;        /* the time at which the world begins, ns; a whole number of milliseconds */
    uint32_t trace_events; /* for replays */
};

/* A machine in the world's first state. Returns false if there is no memory. */
bool explore_machine_init(struct explore_machine *m, const struct explore_world *w,
                          const struct explore_options *options);
void explore_machine_free(struct explore_machine *m);

/* What may happen now; at most EXPLORE_ACTIONS. */
unsigned explore_actions(const struct explore_machine *m, struct explore_action *out);
/* Lets it happen. False: it cannot (an OPEN was refused), and the state must be restored. Looks for faults of the wire and of the
 * users' agreement: m->fault. */
bool explore_act(struct explore_machine *m, struct explore_action action);
/* What the touched stack of an action is. */
unsigned explore_touched(const struct explore_machine *m, struct explore_action action);
/* Whether both stacks hold nothing but listeners, and nothing is under way. */
bool explore_at_rest(const struct explore_machine *m);
/* Both stacks' audits, and at rest that their pools are empty; m->fault. */
void explore_audit(struct explore_machine *m);

/* ---- the parts of a step (explore_user.c, explore_network.c) -------------------------------------- */

/* Takes what `side`'s stack would send and puts it under way. */
void explore_network_collect(struct explore_machine *m, unsigned side);
/* Flight i reaches its stack. */
void explore_network_arrive(struct explore_machine *m, unsigned i);
void explore_network_remove(struct explore_machine *m, unsigned i);
void explore_network_put(struct explore_machine *m, unsigned from, const uint8_t *bytes, size_t length,
                         uint8_t incarnation, bool held);
/* The incarnation whose numbers a segment of `from`'s bears, or EXPLORE_NOBODY. */
uint8_t explore_incarnation_of(const struct explore_state *s, unsigned from, const struct wire_tcp *h);
/* The TCP header of a flight; returns the length of its data. */
uint32_t explore_flight_parse(const uint8_t *bytes, size_t length, struct wire_tcp *h);

/* User `side` hears its news. Returns whether it made any call. */
bool explore_user_hear(struct explore_machine *m, unsigned side);
/* Whether its next step may be made now. */
bool explore_user_ready(const struct explore_machine *m, unsigned side);
/* Makes it. False: the stack refused an OPEN, which changed nothing. */
bool explore_user_call(struct explore_machine *m, unsigned side);
void explore_user_abort(struct explore_machine *m, unsigned side);
void explore_user_close(struct explore_machine *m, unsigned side);
bk_addr explore_addr(unsigned side);

/* ---- looking inside a stack (explore_hash.c) -------------------------------------------------------- */

struct explore_hash {
    uint64_t word[2];
};
/* The canonical hash of the machine's state: see explore_hash.c. */
struct explore_hash explore_hash(const struct explore_machine *m);
/* The time of the earliest thing that waits, exactly; BK_NEVER. */
uint64_t explore_deadline(const bk_stack *stack);
/* Connections, requests and TIME-WAITs. */
uint32_t explore_records(const bk_stack *stack);
uint32_t explore_requests(const bk_stack *stack);

#endif

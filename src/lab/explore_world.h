/* Worlds: what is explored, as a table. A world says what the two users may do, what the network may do to segments, how the two clocks
 * go, and what is wrong with it on purpose.
 *
 * Users follow scripts. A step is a call and when it may be made; the explorer tries every moment from then on, unless the step is made
 * at once. The server's script belongs to each connection that it accepts, the client's to its whole life: after a connection that
 * has ended early it goes on with the next OPEN. Reading needs no step: users read at once whatever is there. */
#ifndef LAB_EXPLORE_WORLD_H
#define LAB_EXPLORE_WORLD_H

#include "beckon/stack.h"

#define EXPLORE_STEPS 8u

enum explore_call {
    EXPLORE_END,
    EXPLORE_CONNECT,  /* active OPEN, from and to the ports that the world always uses */
    EXPLORE_SEND,     /* `bytes` bytes */
    EXPLORE_SHUTDOWN, /* CLOSE of the sending side; the user reads on */
    EXPLORE_CLOSE,    /* CLOSE, and the user is gone */
};
enum explore_when {
    EXPLORE_HELD,     /* once the user holds a connection, in any state */
    EXPLORE_UP,       /* once it is established */
    EXPLORE_PEER_END, /* once the peer's end of data was read */
};
struct explore_step {
    uint8_t call; /* enum explore_call */
    uint8_t when; /* enum explore_when; CONNECT may always be made when the user holds none */
    uint8_t bytes;
    bool at_once;
};

enum explore_flaw {
    EXPLORE_SOUND,
    EXPLORE_TWO_WAY,      /* B takes its own SYN-ACK for acknowledged: the handshake has two steps */
    EXPLORE_NO_TIME_WAIT, /* users abort a connection that is in TIME-WAIT, which deletes its record */
};

struct explore_world {
    const char *name, *summary;
    struct explore_step script[2][EXPLORE_STEPS];
    uint8_t listens;   /* connections that B listens for; 0: it opens actively, too */
    uint8_t aborts[2]; /* how often either user may ABORT, at any moment */
    uint8_t drops, duplicates, holds;
    uint8_t faults;  /* of these three together, at most; 0: all of them */
    uint8_t retries; /* R2, of everything */
    bool delayed_acks;
    bool sack; /* and with it RACK, tail loss probes, DSACK, undoing */
    bool timestamps;
    bool one_clock;  /* else the two clocks go as they like */
    bool prompt;     /* time passes only while nothing is under way but what is held */
    uint32_t msl_ms; /* one clock: no segment is older than this; 0: however old */
    bool instant;    /* two incarnations may begin at one instant, with one ISS */
    bool old_syn;    /* a SYN of an earlier incarnation is still under way */
    uint8_t flaw;    /* enum explore_flaw: it must be found */
    bool patient;    /* users never get tired: they wait for ever for a peer that is gone */
    bool quick;      /* below a second or so: for tests */
};

/* World number i, or NULL past the last. */
const struct explore_world *explore_world(unsigned i);
const struct explore_world *explore_world_find(const char *name);
/* The stacks' configuration in a world. */
void explore_world_config(const struct explore_world *w, struct bk_config *config);

#endif

/* The world of a simulation: hosts, the paths between them, users, and virtual time.
 *
 * Each host has a path to the rest and one from there. Two hosts may be joined directly, so that one's way out is the other's way in;
 * or all stand around a router, which forwards by destination address and tells with ICMP what is too big (sim_router.c). The next thing
 * to happen is the earliest of: a frame that leaves a path, a user who wakes (app.h), a host with something due, and the scenario's own
 * events (crashes, jumps of a clock, the moment at which all impairments end). Things of one instant happen in that order, so a scenario
 * is one run.
 *
 * After each step what must hold is checked: what users read is what was sent (app_io.c), what the wires show is allowed (watch.h), what the
 * stacks hold is sound (audit.h), and time goes on. When all users are gone, or have waited for too long and give up, the world runs on
 * until nothing is left: within the bound, and with all pools empty.
 *
 * The first thing that does not hold ends the run. Everything here is open to whoever builds a table on it: goodput is in the
 * connections' ends, what the paths did in sim_world_counters.
 */
#ifndef LAB_SIM_WORLD_H
#define LAB_SIM_WORLD_H

#include "lab/app.h"
#include "lab/audit.h"
#include "lab/fault.h"
#include "lab/host.h"
#include "lab/path.h"
#include "lab/scenario.h"

#define SIM_TOUCHED 16u

/* Whoever wants to look, or to meddle. All may be NULL. */
struct sim_hooks {
    /* A frame has left a host, at virtual time `now`. */
    void (*sent)(void *context, uint32_t host, const uint8_t *frame, size_t length, uint16_t reason, uint64_t now);
    /* A frame is about to reach a host, after the checks have seen it: what is changed here is what a broken network, or a broken
     * stack on the other side, would have made of it. For tests of the checks. */
    void (*tamper)(void *context, uint32_t host, uint8_t *frame, size_t length);
    void *context;
};

struct sim_options {
    uint32_t move_ppm;     /* of stacks, per event (host.h) */
    uint32_t trace_events; /* of each stack; 0: no trace */
    struct sim_hooks hooks;
};

struct sim_host {
    struct sim_world *world;
    struct host *host;
    struct path *up, *down; /* joined directly: `down` is not used */
    uint32_t number;
    int64_t ahead; /* of its clock, against the world's */
    uint32_t events;
    bool crashed, returned, jumped;
};

struct sim_statistics {
    uint64_t events, frames, octets; /* octets that users received */
    uint64_t virtual_ns;
    uint64_t unwatched; /* connections whose segments could not be told apart from another incarnation's */
    uint64_t strangers; /* connections that a SYN cookie brought back */
    uint64_t completed, broken, given_up;
    uint64_t forwarded, too_big, astray; /* of the router */
};

struct sim_world {
    struct scenario plan;
    struct sim_options options;
    struct sim_host *host;
    struct app_table app;
    uint64_t now;    /* virtual time, ns */
    uint64_t origin; /* of virtual time: the scenario's times count from here */
    uint64_t digest;
    struct sim_statistics statistics;
    struct path_counters retired; /* of paths that were replaced */
    bool calm, closing, corrupting;
    uint64_t closing_since;
    uint64_t instant;              /* events at `now` */
    uint64_t touched[SIM_TOUCHED]; /* ends whose connection may have changed in this step */
    uint32_t touched_count;
    struct fault fault;
    uint32_t fault_connection; /* or APP_NOTHING */
    uint8_t *frame;            /* scratch */
};

/* NULL if there is no memory or the scenario is wrong (then *why says so). */
struct sim_world *sim_world_new(const struct scenario *s, const struct sim_options *options, const char **why);
void sim_world_free(struct sim_world *w);
/* Runs to the end, or to the first fault. Returns whether there was none. */
bool sim_world_run(struct sim_world *w);
/* One event; false if there is none left, or a fault was found. For those who want to look in between. */
bool sim_world_step(struct sim_world *w);

/* Of all paths together. */
void sim_world_counters(const struct sim_world *w, struct path_counters *out);
/* A host's own time. */
uint64_t sim_host_time(const struct sim_host *h);
bk_addr sim_host_addr(const struct scenario *s, uint32_t number);
/* The host that has this address, or UINT32_MAX. */
uint32_t sim_host_of(const struct sim_world *w, const bk_addr *addr);

/* ---- between the parts of the world ---------------------------------------------------------------- */

void sim_digest(struct sim_world *w, uint64_t value);
void sim_digest_bytes(struct sim_world *w, const uint8_t *data, size_t length);
/* The connection's end has to be looked at after this step. */
void sim_touch(struct sim_world *w, uint32_t connection, unsigned end);
/* A frame leaves host `from`: to the other host, or to the router. */
void sim_forward_up(struct sim_world *w, uint32_t from, const uint8_t *frame, size_t length);
/* A frame has come out of host `from`'s path: on to where it goes. */
void sim_forward(struct sim_world *w, uint32_t from, uint8_t *frame, size_t length);
/* What the wire shows, to the watch of the connection concerned. */
void sim_watch_sent(struct sim_world *w, uint32_t from, const uint8_t *frame, size_t length, uint16_t reason);
/* A segment of the incarnation that is watched, and the connection's end that it arrives at; connection APP_NOTHING: it is none. */
struct sim_arrival {
    uint32_t connection;
    unsigned end;
    struct wire_tcp segment;
};
struct sim_arrival sim_watch_arrives(struct sim_world *w, const uint8_t *frame, size_t length);
/* The host has taken it, and says what became of it. */
void sim_watch_taken(struct sim_world *w, const struct sim_arrival *a, uint16_t reason);

#endif

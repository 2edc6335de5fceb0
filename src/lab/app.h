/* The users of a simulation: what they do with their connections, and what they may find in them.
 *
 * A connection has two ends, client 0 and server 1. Each end sends so many octets of a pattern that its connection, direction and the
 * octet's place decide, and reads what comes; it acts when its stack says that it is ready, or when it wakes. What a kind of flow (scenario.h)
 * adds is when an end may send, when it reads, and how it leaves: app.c tells that, app_io.c does the sending and reading.
 *
 * What users check: the octets that they read are the pattern, and no more than was sent; the end of data comes after all of it and
 * not before the other end has closed; a server accepts only what a client has opened, and once.
 */
#ifndef LAB_APP_H
#define LAB_APP_H

#include "beckon/stack.h"
#include "lab/pace.h"
#include "lab/scenario.h"
#include "lab/watch.h"

#define APP_NOTHING UINT32_MAX

enum app_state { APP_NONE, APP_OPEN, APP_GONE };

struct app_end {
    bk_conn conn;
    uint64_t sent, received;
    uint64_t opened_at, last_at; /* virtual time: when its user got it, and last received something */
    uint64_t read_at, ask_at;    /* slow readers, thinking clients: not before */
    uint64_t wait_until;         /* its stack remembers the connection in TIME-WAIT until then; 0: it is not there */
    int32_t error;               /* what its user was told, or 0 */
    uint8_t state;               /* enum app_state */
    bool connected, shut, ended; /* shut: has closed its side; ended: has seen the end of data */
    bool aborted, died;          /* by its user; with its host */
    bool resized;
    bool urgent_sent, urgent_told; /* it wrote urgent data; its user was told of the other's */
    uint32_t writes;
    uint64_t sent_at; /* virtual time: when it wrote last */
    bool fin_first, fin_acked,
        fin_taken; /* on the wire: it sent FIN before it took the other's; what its stack has taken */
    uint8_t pad[5];
};

struct app_connection {
    struct app_end end[2];
    struct watch watch;
    struct pace pace;
    uint64_t key;     /* of its pattern */
    uint64_t wake_at; /* BK_NEVER: nobody waits */
    uint64_t act_at;  /* when both close at once, or one resets */
    uint32_t flow, number;
    uint32_t iss;      /* the client's: tells incarnations of one 4-tuple apart */
    uint32_t previous; /* connection that had this 4-tuple before, or APP_NOTHING */
    uint16_t port[2];
    uint8_t host[2];
    uint8_t tries;     /* of the client to open it */
    uint8_t act;       /* enum app_act */
    bool begun, blind; /* blind: the watch cannot follow it */
    bool cookie;       /* its server remembered nothing of the SYN, and may come back from an old segment's ACK */
};

/* How a connection of a reset storm ends. */
enum app_act { APP_COMPLETES, APP_CLIENT_ABORTS, APP_SERVER_ABORTS, APP_CLIENT_LEAVES, APP_SERVER_LEAVES, APP_ACTS };

struct app_wake {
    uint64_t at;
    uint32_t connection;
};

struct app_table {
    struct app_connection *connection;
    uint32_t count, first[SCENARIO_FLOWS]; /* first: of each flow */
    uint32_t busy;                         /* ends that are open, and connections that have not begun */
    bk_listener listener[SCENARIO_FLOWS];
    bool listening[SCENARIO_FLOWS];
    uint64_t accept_at
        [SCENARIO_FLOWS]; /* servers that take their time: when each accepts the next; BK_NEVER: when it is told */
    uint64_t accept_after[SCENARIO_FLOWS]; /* ... and not before */
    uint32_t accepted[SCENARIO_FLOWS];
    struct app_wake *heap; /* the earliest first; entries that wake_at does not confirm are stale */
    uint32_t wakes, wake_room;
    uint32_t *tuple; /* by 4-tuple: the newest connection */
    uint32_t tuple_mask;
};

struct sim_world;

/* ---- the users ------------------------------------------------------------------------------------- */

bool app_open(struct sim_world *w);
void app_free(struct sim_world *w);
/* A host is up, for the first time or again: its servers listen. */
void app_host_up(struct sim_world *w, uint32_t host);
/* A host has crashed: its users are gone with it. */
void app_host_died(struct sim_world *w, uint32_t host);
/* A host's stack has something to say. */
void app_ready(struct sim_world *w, uint32_t host, const struct bk_ready *ready);
/* When the next user wakes; BK_NEVER. */
uint64_t app_next(struct sim_world *w);
/* Lets the one who is next act; the bits of *hosts (by connection's end) say which hosts have to be run then. */
struct app_connection *app_wake(struct sim_world *w);
/* Everybody closes, nobody listens any more. */
void app_everybody_leaves(struct sim_world *w);
/* A connection of this host: one that is open there, otherwise the first that was begun, otherwise APP_NOTHING. */
uint32_t app_of_host(const struct sim_world *w, uint32_t host);
/* Octets that an end sends in all. */
uint64_t app_total(const struct sim_world *w, const struct app_connection *c, unsigned end);

/* ---- what else must hold (app_check.c) -------------------------------------------------------------- */

/* Whoever has read all, and has just been told all the news, was told of urgent data if there was any, and only then. */
void app_check_urgent(struct sim_world *w, const struct app_connection *c, unsigned end);
/* CLOSE, and whether it resets the connection: with unread data it does, if the configuration says so, and without it does not. Returns as
 * bk_tcp_close. */
int app_check_close(struct sim_world *w, const struct app_connection *c, unsigned end);
/* Counts how connections ended; and what had to complete has. */
void app_verdict(struct sim_world *w);

/* ---- sending and reading (app_io.c) ---------------------------------------------------------------- */

/* `n` octets of the pattern from `offset` on. */
void app_pattern(uint64_t key, unsigned end, uint64_t offset, uint8_t *to, size_t n);
/* Sends up to `limit` octets in all. Returns octets moved, or a negative errno (not -EAGAIN). */
ptrdiff_t app_send(struct sim_world *w, struct app_connection *c, unsigned end, uint64_t limit);
/* Reads and checks up to `most` octets, and notes the end of data. Returns octets moved, or a negative errno (not -EAGAIN). */
ptrdiff_t app_receive(struct sim_world *w, struct app_connection *c, unsigned end, uint64_t most);

/* ---- finding (app_table.c) ------------------------------------------------------------------------- */

bool app_table_open(struct app_table *t, uint32_t connections);
void app_table_close(struct app_table *t);
/* The connection is the newest of its 4-tuple. */
void app_table_place(struct app_table *t, uint32_t connection);
/* The newest connection between these, or APP_NOTHING. *end says which end (host_a, port_a) is. */
uint32_t app_table_find(const struct app_table *t, uint32_t host_a, uint16_t port_a, uint32_t host_b, uint16_t port_b,
                        unsigned *end);
/* The connection's users act at `at` at the latest. */
bool app_table_wake(struct app_table *t, uint32_t connection, uint64_t at);
/* The earliest wake; false if there is none. Drops stale ones. */
bool app_table_next(struct app_table *t, struct app_wake *out);
void app_table_pop(struct app_table *t);

#endif

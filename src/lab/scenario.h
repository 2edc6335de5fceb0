/* A scenario: everything that a simulation does, as one plain value without pointers.
 *
 * It names hosts and what their stacks may hold, the paths between them, what goes wrong and when, and what the users do. A seed draws one
 * (scenario_draw); a preset has a name (scenario_preset); a person writes one as text. The same scenario is the same run, to the last
 * frame. The text has a line for each figure that is not the usual one, can be read back, and is what shrinking a failure ends with:
 *
 *     routed 1
 *     host 1 down.loss_ppm 10000
 *     flow 0 kind half-close
 */
#ifndef LAB_SCENARIO_H
#define LAB_SCENARIO_H

#include <stdio.h>

#include "beckon/stack.h"
#include "lab/host.h"
#include "lab/path.h"

#define SCENARIO_HOSTS 64u
#define SCENARIO_FLOWS 8u

/* What the users of a flow's connections do. The client is the one that opens. */
enum scenario_kind {
    SCENARIO_BULK,               /* both send all they have, and close their sides */
    SCENARIO_REQUESTS,           /* `rounds` requests of `up` octets, each answered by `down`; `closer` then closes */
    SCENARIO_HALF_CLOSE,         /* `closer` sends and closes its side; only then the other one answers */
    SCENARIO_SLOW_READER,        /* as bulk, but the readers take read_bytes at a time, pause_us apart */
    SCENARIO_SIMULTANEOUS_OPEN,  /* as bulk, but both open at the same moment */
    SCENARIO_SIMULTANEOUS_CLOSE, /* as bulk, but both close at the same moment, act_us after the start */
    SCENARIO_RESETS,             /* as bulk, but within act_us one side aborts, or leaves without reading */
    SCENARIO_KEEP_ALIVE,         /* as requests, but keep-alive is on, and pause_us between the rounds are long */
    SCENARIO_KINDS
};

struct scenario_flow {
    uint8_t kind;
    uint8_t client, server; /* hosts */
    uint8_t closer;         /* 0 client, 1 server */
    uint32_t connections;
    uint32_t start_us, spacing_us; /* of the first one; between one and the next */
    uint32_t up, down;             /* octets from the client; from the server */
    uint32_t rounds;
    uint32_t pause_us, read_bytes, act_us;
    uint32_t backlog;
    uint32_t accept_us;   /* the server accepts one connection at a time, and the next so much later; 0: all at once */
    uint32_t accept_most; /* it accepts so many, and then no more; 0: all */
    uint32_t resize;      /* receive buffer that is set once half is received; 0: it stays */
    uint32_t user_timeout_ms; /* 0: none */
    bool early;               /* the client sends before it is told that it is connected */
    bool nodelay, quickack;
    bool by_reference;    /* data goes in and out by chunks */
    bool more;            /* all writes but the last say that more follows */
    bool same_port;       /* the client has one local port for all its connections: one after the other */
    uint32_t write_bytes; /* users write so much at a time; 0: as much as they can */
    uint32_t urgent;      /* of so many writes one is urgent, beginning with the first; 0: none */
};

struct scenario_host {
    struct bk_config config;
    struct host_faults faults;
    struct path_options up, down; /* from the host, and to it; joined directly: `up` of one is the way to the other */
    uint32_t mtu;                 /* of its interface */
    uint32_t offload, unit_max;   /* likewise: struct bk_iface_config */
    uint64_t crash_us, return_us; /* 0: never */
    uint64_t jump_us;             /* when its clock jumps; 0: never */
    uint32_t jump_ms;             /* by so much ... */
    bool jump_back;               /* ... ahead or back */
};

struct scenario {
    uint64_t seed;     /* of all chances in the run */
    uint64_t epoch_ms; /* virtual time at the start */
    uint32_t hosts, flows;
    uint8_t family;       /* 4 or 6 */
    bool routed;          /* all hosts around one router, over IP; otherwise two hosts are joined */
    bool ethernet;        /* two hosts, over Ethernet */
    bool black_hole;      /* the router tells nobody what is too big */
    uint64_t calm_us;     /* then all impairments end */
    uint64_t patience_us; /* so long after that users who still wait give up and close */
    uint32_t audit_every; /* a full audit after so many events of a host */
    struct scenario_host host[SCENARIO_HOSTS];
    struct scenario_flow flow[SCENARIO_FLOWS];
};

/* Two hosts without a flow, on perfect paths, with small stacks. */
void scenario_usual(struct scenario *s);
void scenario_usual_host(struct scenario_host *h);
void scenario_usual_flow(struct scenario_flow *f);
/* A small world that the seed decides. */
void scenario_draw(struct scenario *s, uint64_t seed);

struct scenario_preset {
    const char *name, *about;
    void (*make)(struct scenario *s);
};
extern const struct scenario_preset scenario_presets[];
extern const uint32_t scenario_preset_count;
/* Returns whether there is one of that name. */
bool scenario_preset(struct scenario *s, const char *name, uint64_t seed);

/* What is wrong with it, or NULL. */
const char *scenario_wrong(const struct scenario *s);
/* Whether nothing in it can end a connection before its time: then all that is sent must arrive. */
bool scenario_must_complete(const struct scenario *s);
/* How long after all users are gone something may still be left, at most. */
uint64_t scenario_closing_us(const struct scenario *s);
uint32_t scenario_connections(const struct scenario *s);
/* A seed of its own for each part of the run. */
uint64_t scenario_seed(const struct scenario *s, uint32_t part);

/* ---- as text --------------------------------------------------------------------------------------- */

const char *scenario_kind_name(uint8_t kind);
/* One sentence: "2 hosts over Ethernet, IPv4; 3 bulk, 1 reset". */
void scenario_summary(const struct scenario *s, char *out, size_t size);
void scenario_write(const struct scenario *s, FILE *to);
/* Reads what scenario_write wrote, or a person. Returns 0, or the number of the first line that is wrong and *why. */
int scenario_read(struct scenario *s, FILE *from, const char **why);

/* ---- smaller --------------------------------------------------------------------------------------- */

/* The n-th way to make a scenario simpler: changes *s and returns 1, returns 0 if it leaves *s as it is, -1 if there is no n-th. */
int scenario_reduce(struct scenario *s, uint32_t n);

#endif

/* The worlds: see explore_world.h and docs/explore.md. */
#include "lab/explore_world.h"

#include <string.h>

#include "base/common.h"

#define CONNECT                                                                                                        \
    { EXPLORE_CONNECT, EXPLORE_HELD, 0, false }
#define SEND(n)                                                                                                        \
    { EXPLORE_SEND, EXPLORE_UP, n, false }
#define SEND_NOW(n)                                                                                                    \
    { EXPLORE_SEND, EXPLORE_UP, n, true }
#define SHUTDOWN                                                                                                       \
    { EXPLORE_SHUTDOWN, EXPLORE_UP, 0, false }
#define SHUTDOWN_NOW                                                                                                   \
    { EXPLORE_SHUTDOWN, EXPLORE_UP, 0, true }
#define CLOSE                                                                                                          \
    { EXPLORE_CLOSE, EXPLORE_UP, 0, false }
#define CLOSE_EARLY                                                                                                    \
    { EXPLORE_CLOSE, EXPLORE_HELD, 0, false }
#define CLOSE_NOW                                                                                                      \
    { EXPLORE_CLOSE, EXPLORE_UP, 0, true }
#define CLOSE_LAST                                                                                                     \
    { EXPLORE_CLOSE, EXPLORE_PEER_END, 0, true } /* once the other has */
#define END                                                                                                            \
    { EXPLORE_END, EXPLORE_HELD, 0, false }

#define ONE_OF_EACH .drops = 1, .duplicates = 1, .holds = 1

/* What a world and the same one with a flaw have in common: all that can happen in it. */
#define OPEN_OLD_SYN                                                                                                   \
    .script = {{CONNECT, CLOSE, END}, {CLOSE_LAST, END}}, .listens = 2, ONE_OF_EACH, .faults = 1, .retries = 1,        \
    .one_clock = true, .msl_ms = 3000, .old_syn = true
#define REUSE_DATA                                                                                                     \
    .script = {{CONNECT, SEND_NOW(2), SHUTDOWN_NOW, CONNECT, SEND_NOW(2), CLOSE_NOW, END}, {CLOSE_LAST, END}},         \
    .listens = 2, ONE_OF_EACH, .faults = 1, .retries = 1, .instant = true, .one_clock = true, .msl_ms = 3000
#define REUSE_FIN                                                                                                      \
    .script = {{CONNECT, SHUTDOWN_NOW, CONNECT, CLOSE, END}, {CLOSE_LAST, END}}, .listens = 2, ONE_OF_EACH,            \
    .faults = 1, .retries = 1, .instant = true, .one_clock = true, .msl_ms = 3000
#define REUSE_SYN                                                                                                      \
    .script = {{CONNECT, CLOSE_LAST, END}, {SHUTDOWN_NOW, CLOSE_LAST, END}}, .listens = 2, .drops = 1,                 \
    .duplicates = 2, .holds = 1, .faults = 2, .retries = 1, .instant = true, .one_clock = true, .msl_ms = 3000

#define SACK                                                                                                           \
    .script = {{CONNECT, SEND_NOW(2), SEND_NOW(3), SEND_NOW(4), SEND_NOW(5), CLOSE, END}, {CLOSE_LAST, END}},          \
    .listens = 1, .sack = true, .drops = 2, .duplicates = 2, .holds = 2, .retries = 1, .instant = true,                \
    .one_clock = true, .prompt = true

static const struct explore_world worlds[] = {
    {
        .name = "open",
        .summary = "A opens, B listens; A closes, B follows",
        .script = {{CONNECT, CLOSE, END}, {CLOSE_LAST, END}},
        .listens = 1,
        ONE_OF_EACH,
        .retries = 1,
        .instant = true,
    },
    {
        .name = "open-old-syn",
        .summary = "the same with a SYN of an earlier incarnation around",
        OPEN_OLD_SYN,
        .quick = true,
    },
    {
        .name = "flaw-two-way",
        .summary = "the same with a handshake in two steps: the old SYN makes a connection",
        OPEN_OLD_SYN,
        .flaw = EXPLORE_TWO_WAY,
        .quick = true,
    },
    {
        .name = "open-both",
        .summary = "both open at once (RFC 9293 3.5, figure 7), and close",
        .script = {{CONNECT, CLOSE, END}, {CONNECT, CLOSE_LAST, END}},
        ONE_OF_EACH,
        .retries = 1,
        .instant = true,
    },
    {
        .name = "transfer",
        .summary = "A sends three segments, B reads them; both close",
        .script = {{CONNECT, SEND_NOW(2), SEND_NOW(3), SEND_NOW(4), SHUTDOWN_NOW, CLOSE_LAST, END}, {CLOSE_LAST, END}},
        .listens = 1,
        ONE_OF_EACH,
        .faults = 2,
        .retries = 1,
        .instant = true,
    },
    {
        .name = "transfer-lazy",
        .summary = "the same with delayed ACKs",
        .script = {{CONNECT, SEND_NOW(2), SEND_NOW(3), SEND_NOW(4), SHUTDOWN_NOW, CLOSE_LAST, END}, {CLOSE_LAST, END}},
        .listens = 1,
        ONE_OF_EACH,
        .faults = 1,
        .retries = 1,
        .instant = true,
        .delayed_acks = true,
        .quick = true,
    },
    {
        .name = "sack",
        .summary = "A sends four segments, with SACK and all that is built on it; two faults",
        SACK,
        .faults = 2,
        .quick = true,
    },
    {
        .name = "sack-three",
        .summary = "the same with three faults",
        SACK,
        .faults = 3,
    },
    {
        .name = "sack-stamped",
        .summary = "the same as sack, with timestamps",
        SACK,
        .faults = 2,
        .timestamps = true,
        .quick = true,
    },
    {
        .name = "close-a",
        .summary = "A half-closes, B sends and closes",
        .script = {{CONNECT, SHUTDOWN, CLOSE_LAST, END}, {SEND(2), CLOSE_LAST, END}},
        .listens = 1,
        ONE_OF_EACH,
        .faults = 2,
        .retries = 1,
        .instant = true,
    },
    {
        .name = "close-b",
        .summary = "B half-closes, A sends and closes",
        .script = {{CONNECT, SEND(2), CLOSE_LAST, END}, {SHUTDOWN, CLOSE_LAST, END}},
        .listens = 1,
        ONE_OF_EACH,
        .faults = 2,
        .retries = 1,
        .instant = true,
    },
    {
        .name = "close-both",
        .summary = "both close whenever they like, simultaneously too",
        .script = {{CONNECT, SHUTDOWN, CLOSE_EARLY, END}, {SHUTDOWN, CLOSE_EARLY, END}},
        .listens = 1,
        ONE_OF_EACH,
        .faults = 2,
        .retries = 1,
        .instant = true,
    },
    {
        .name = "reset",
        .summary = "both may abort at any time, with data under way",
        .script = {{CONNECT, SEND_NOW(2), CLOSE, END}, {CLOSE_LAST, END}},
        .listens = 1,
        .aborts = {1, 1},
        ONE_OF_EACH,
        .faults = 2,
        .retries = 1,
        .instant = true,
    },
    {
        .name = "reuse-a",
        .summary = "A closes first and opens again from the same port, with segments that live for one MSL",
        .script = {{CONNECT, SEND_NOW(2), SHUTDOWN_NOW, CONNECT, SEND_NOW(2), CLOSE_NOW, END}, {CLOSE_LAST, END}},
        .listens = 2,
        ONE_OF_EACH,
        .faults = 1,
        .retries = 1,
        .one_clock = true,
        .msl_ms = 3000,
    },
    {
        .name = "reuse-b",
        .summary = "B closes first and waits, A opens again from the same port",
        .script = {{CONNECT, CLOSE_LAST, CONNECT, CLOSE_LAST, END}, {SHUTDOWN_NOW, CLOSE_LAST, END}},
        .listens = 2,
        ONE_OF_EACH,
        .faults = 1,
        .retries = 1,
        .one_clock = true,
        .msl_ms = 3000,
    },
    /* Everything of the first incarnation may happen at one instant, in which the second begins too: its ISS is then the same. */
    {
        .name = "reuse-data",
        .summary = "as flaw-old-data, with TIME-WAIT",
        REUSE_DATA,
    },
    {
        .name = "flaw-old-data",
        .summary = "A closes first and opens again, without TIME-WAIT: old data is taken for new",
        REUSE_DATA,
        .flaw = EXPLORE_NO_TIME_WAIT,
        .quick = true,
    },
    {
        .name = "reuse-fin",
        .summary = "as flaw-old-fin, with TIME-WAIT",
        REUSE_FIN,
    },
    {
        .name = "flaw-old-fin",
        .summary = "the same without data: an old FIN is taken for new",
        REUSE_FIN,
        .flaw = EXPLORE_NO_TIME_WAIT,
        .quick = true,
    },
    {
        .name = "reuse-syn",
        .summary = "as flaw-old-syn, with TIME-WAIT",
        REUSE_SYN,
        .quick = true,
    },
    {
        .name = "flaw-old-syn",
        .summary = "B closes first, without TIME-WAIT: an old SYN and the ACK behind it make a connection",
        REUSE_SYN,
        .flaw = EXPLORE_NO_TIME_WAIT,
        .quick = true,
    },
};

const struct explore_world *explore_world(unsigned i) {
    return i < BK_COUNT(worlds) ? &worlds[i] : NULL;
}

const struct explore_world *explore_world_find(const char *name) {
    for (unsigned i = 0; i < BK_COUNT(worlds); i++)
        if (strcmp(worlds[i].name, name) == 0) return &worlds[i];
    return NULL;
}

void explore_world_config(const struct explore_world *w, struct bk_config *config) {
    bk_config_tiny(config);
    config->frames = 12;
    config->chunk_size = 256;
    config->chunks = 24;
    config->buffer_chunks = 16;
    config->requests_ipv6 = config->time_waits_ipv6 = 0;
    config->send_buffer = config->receive_buffer = 1024;
    /* One RTO, whatever is measured, and whether the SYN was lost (RFC 6298 5.7) or not. */
    config->rto_initial_ms = config->rto_min_ms = config->rto_max_ms = 3000;
    config->syn_linear_timeouts = 0;
    config->syn_retries = config->syn_ack_retries = config->retries2 = config->orphan_retries = w->retries;
    config->orphan_ms = 15000;
    config->fin_wait_2_ms = 6000;
    config->msl_ms = w->msl_ms != 0 ? w->msl_ms : 3000;
    config->challenge_ack_ms = 1;
    config->mtu_probing = BK_MTU_PROBING_OFF;
    config->window_scaling = false;
    config->timestamps = w->timestamps;
    config->sack = w->sack;
    config->ack_compress_us = 0;
    config->delayed_ack_max_ms = config->quick_acks = 0;
    config->syn_cookies = BK_SYN_COOKIES_NEVER;
    /* Of the controllers the one whose state holds no time, and no RTT. */
    config->congestion = BK_CONGESTION_NEWRENO;
    config->hystart = false;
}

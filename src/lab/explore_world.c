/* The worlds: see explore_world.h and docs/explore.md. */
#include "lab/explore_world.h"

#include <string.h>

#include "base/common.h"

#define CONNECT       {EXPLORE_CONNECT, EXPLORE_HELD, 0, false}
#define CONNECT_NOW   {EXPLORE_CONNECT, EXPLORE_HELD, 0, true}
#define SEND(n)       {EXPLORE_SEND, EXPLORE_UP, n, false}
#define SEND_NOW(n)   {EXPLORE_SEND, EXPLORE_UP, n, true}
#define SHUTDOWN      {EXPLORE_SHUTDOWN, EXPLORE_UP, 0, false}
#define SHUTDOWN_NOW  {EXPLORE_SHUTDOWN, EXPLORE_UP, 0, true}
#define CLOSE         {EXPLORE_CLOSE, EXPLORE_UP, 0, false}
#define CLOSE_EARLY   {EXPLORE_CLOSE, EXPLORE_HELD, 0, false}
#define CLOSE_AFTER   {EXPLORE_CLOSE, EXPLORE_PEER_END, 0, true}
#define END           {EXPLORE_END, EXPLORE_HELD, 0, false}

static const struct explore_world worlds[] = {
    {
        .name = "open",
        .summary = "A opens, B listens; both close once the other has",
        .script = {{CONNECT, CLOSE, END}, {CLOSE_AFTER, END}},
        .listens = 1,
        .drops = 1,
        .duplicates = 1,
        .holds = 1,
        .retries = 1,
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
    config->syn_retries = config->syn_ack_retries = config->retries2 = config->orphan_retries = w->retries;
    config->orphan_ms = 60000;
    config->fin_wait_2_ms = 20000;
    config->msl_ms = w->msl_ms != 0 ? w->msl_ms : 5000;
    config->challenge_ack_ms = 1;
    config->timestamps = config->window_scaling = config->syn_cookies = false;
}

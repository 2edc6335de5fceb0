/* `beckon demo`, between its files: demo.c tells the story, a world is what it happens in.
 *
 * A world brings up a stack with the HTTP server on it and something that fetches the two pages over one connection:
 * demo_tap.c a TAP device in a private network namespace and the kernel's curl, demo_memory.c a second stack in the same process.
 */
#ifndef CMD_DEMO_H
#define CMD_DEMO_H

#include "beckon/trace.h"
#include "cmd/cmd.h"
#include "cmd/http_client.h"
#include "cmd/http_server.h"
#include "cmd/netns.h"
#include "cmd/run_loop.h"
#include "cmd/site.h"

#define DEMO_PORT         80u
#define DEMO_WHY          256u           /* bytes of a sentence that says why something is not so */
#define DEMO_FINDING_CURL "finding curl" /* the step that fails without it */

/* The events of one stack, as they were read from its trace ring. */
struct demo_events {
    struct bk_event *event;
    size_t count, room;
    uint64_t lost;
};

/* What became of one page. */
struct demo_page {
    int status; /* HTTP; 0: no answer */
    size_t length;
    bool intact;         /* every byte as it was served */
    bool new_connection; /* a connection was opened for it */
};

struct demo {
    /* asked for */
    const char *pcap; /* file for the capture, or NULL */
    bool no_tap, ipv6, ascii, json;
    bool root; /* whether it was root who asked (in a user namespace everybody is) */
    uint32_t msl_s;
    /* the world */
    struct run_loop loop;
    struct site_pages pages;
    bk_stack *server_stack;
    struct http_server server;
    bk_stack *client_stack;    /* memory only */
    struct http_client client; /* memory only */
    struct netns netns;        /* TAP only */
    bk_addr server_addr, client_addr;
    /* what came of it */
    struct demo_page page[SITE_PAGES];
    struct demo_events server_events, client_events;
    char client_name[64];   /* "curl 7.88.1" */
    char failure[DEMO_WHY]; /* why the fetch failed, or "" */
};

/* Set a world up. Return 0, or a negative errno and in *why what did not work; then nothing is left of it. */
int demo_tap_open(struct demo *d, const char **why);
int demo_memory_open(struct demo *d, const char **why);
/* Fetch the pages and fill in page[] and failure[]. Return 0, or the negative errno of something that broke meanwhile. */
int demo_tap_fetch(struct demo *d);
int demo_memory_fetch(struct demo *d);

/* A stack for a world, with a trace: an Ethernet interface with `addr`. Returns 0, or a negative errno with the complaint
 * printed. */
int demo_stack(struct demo *d, bk_stack **out, const bk_addr *addr);
/* Compares what arrived with page i. */
void demo_check(struct demo *d, size_t i, int status, const void *body, size_t length, bool new_connection);
/* Appends what the trace rings hold. */
void demo_drain(struct demo *d);

/* What is said before, and after; the latter two return 0 or a negative errno. why_not: why there is no TAP, or "". */
void demo_tell_begin(const struct demo *d, const char *why_not);
int demo_tell(struct demo *d);
int demo_tell_json(struct demo *d, const char *why_not);
/* Whether both pages arrived intact over one connection. */
bool demo_worked(const struct demo *d);

#endif

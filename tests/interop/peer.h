/* The Beckon side of the interop tests: an embedder on libbeckon and a TAP or TUN device, in real time.
 *
 *     peer.c           options, the stack and its link, the loop
 *     peer_session.c   what a connection does in the modes listen, connect, echo and http
 *     peer_http.c      requests and responses of the mode http
 *     peer_commands.c  the mode commands: user calls one at a time, as a test script asks for them on stdin
 *     peer_report.c    the counters at the end, as one flat JSON object
 */
#ifndef INTEROP_PEER_H
#define INTEROP_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "beckon/link.h"
#include "beckon/stack.h"
#include "beckon/trace.h"

enum peer_mode { PEER_LISTEN, PEER_CONNECT, PEER_ECHO, PEER_HTTP, PEER_COMMANDS };

/* How a session of the modes listen and connect ends. */
enum peer_close {
    PEER_CLOSE_SHUT,  /* shutdown once all is sent, read on to the peer's end of data, close */
    PEER_CLOSE_FIRST, /* close once all is queued, without reading */
    PEER_CLOSE_LAST,  /* send nothing before the peer's end of data */
    PEER_CLOSE_ABORT, /* abort once all is queued */
};

struct peer_options {
    enum peer_mode mode;
    enum peer_close close;
    const char *device;
    bool tun, plain, multi_queue;
    bool xdp, verify, zero_copy; /* an AF_XDP socket instead; every checksum verified; without copies */
    bk_addr local[2];            /* IPv4, IPv6; unspecified: none */
    bk_addr gateway[2];
    uint32_t mtu;
    bk_addr remote;
    uint16_t port, local_port;
    uint32_t backlog;
    const char *send_path, *receive_path, *capture;
    uint64_t connections; /* sessions until the program ends; 0: until SIGTERM */
    uint64_t warm_after;  /* sessions after which the used extent is noted */
    uint64_t linger_ns;   /* how long to stay once all sessions are done */
    uint64_t timeout_ns;  /* the whole program */
    bool impaired;
    struct bk_impair_options impair;
    struct bk_config config;
};

/* One connection and what is to be done with it. What it sends is `text`, then the file from file_at to file_end. */
struct session {
    bk_conn conn;
    uint32_t number;
    bool eof;  /* the peer's end of data has been read */
    bool shut; /* our end of data has been queued */
    uint64_t file_at, file_end;
    const uint8_t *text;
    size_t text_left;
    /* echo: what came and goes back; http: what came and is not yet understood */
    uint8_t *in;
    size_t in_length;
    /* http */
    uint64_t body_left; /* of the request that is being read */
    bool responding, last;
    char head[256];
};
#define SESSION_IN 65536u

struct peer {
    struct peer_options o;
    bk_stack *stack;
    bk_link *link;
    uint32_t iface;
    size_t region_size;
    uint64_t started;

    bk_listener listener;
    bool listening;
    const uint8_t *send_data; /* the file to send, mapped */
    uint64_t send_length;
    int receive_fd; /* -1: what arrives is counted and dropped */

    struct session **session; /* by number: readiness events carry number + 1 */
    uint32_t *free_session;   /* numbers not in use, last in first out */
    uint32_t session_count, free_count;

    uint64_t opened, finished, failed;
    uint64_t bytes_sent, bytes_received;
    size_t used_extent_warm;
    int last_error;
    const char *outcome; /* NULL while it runs */
};

/* peer.c */
const char *peer_error_name(int error); /* "ECONNRESET" of -ECONNRESET */

/* peer_session.c: each returns whether it did something that may have produced output. */
bool session_start(struct peer *p, uint64_t now); /* listens, or opens the first connection */
bool session_poll(struct peer *p, uint64_t now);

/* peer_http.c: understands what is in s->in, as far as it goes. */
void http_step(struct peer *p, struct session *s);
/* Writes what arrived to the file, or drops it. */
void session_keep(struct peer *p, const uint8_t *data, size_t length);

/* peer_commands.c */
bool commands_step(struct peer *p, uint64_t now);
/* Whether stdin should wake the loop: no command waits for the stack. */
bool commands_reading(void);

/* peer_report.c */
void peer_report(const struct peer *p, uint64_t now);

#endif

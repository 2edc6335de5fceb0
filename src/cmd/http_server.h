/* An HTTP server: http.h's connections joined to a transport's, driven by readiness events. The transport is a Beckon stack, or
 * whatever else answers as one does (struct http_transport): the benchmarks put the kernel's sockets there, to run the same server on both.
 *
 * At most HTTP_SERVER_CONNECTIONS are open at once; further ones wait in the listener's backlog. A connection that neither sends
 * nor takes anything for HTTP_SERVER_IDLE_S is aborted. The server closes first whenever it answers with
 * `Connection: close`: it sends its FIN behind the answer, reads until the client's FIN (at most
 * HTTP_SERVER_LINGER_S), so that no unread byte turns the close into a reset, and lets go; TIME-WAIT is then the stack's.
 */
#ifndef CMD_HTTP_SERVER_H
#define CMD_HTTP_SERVER_H

#include "beckon/stack.h"
#include "cmd/http.h"

#define HTTP_SERVER_CONNECTIONS 1024u
#define HTTP_SERVER_BACKLOG     256u
#define HTTP_SERVER_IDLE_S      60u
#define HTTP_SERVER_LINGER_S    5u

struct http_server_conn;

/* What carries the connections. The functions answer as the calls of stack.h do from which they have their names: negative errno values, -EAGAIN where there is
 * nothing now; events come when that has changed, and are shaped as the stack's. */
struct http_transport {
    int (*accept)(void *context, uint64_t user, uint64_t now, bk_conn *out);
    ptrdiff_t (*receive)(void *context, bk_conn conn, void *data, size_t size, uint64_t now);
    ptrdiff_t (*send)(void *context, bk_conn conn, const void *data, size_t length, bool more, uint64_t now);
    void (*shutdown)(void *context, bk_conn conn, uint64_t now);
    void (*close)(void *context, bk_conn conn, uint64_t now);
    void (*abort)(void *context, bk_conn conn, uint64_t now);
    void (*unlisten)(void *context, uint64_t now);
};

struct http_server {
    const struct http_transport *transport;
    void *context; /* the transport's: of a Beckon stack, this server */
    bk_stack *stack;
    bk_listener listener;
    struct http_site site;
    struct http_server_conn *conn[HTTP_SERVER_CONNECTIONS]; /* the slot's number + 1 is the connection's `user` */
    uint32_t open;
    bool waiting; /* connections may wait to be accepted until a slot is free */
    uint64_t next_check;
    uint64_t accepted, requests, failed;
};

/* Listens on local:port (unspecified: both families). Returns 0 or bk_tcp_listen's error. */
int http_server_start(struct http_server *s, bk_stack *stack, const struct http_site *site, const bk_addr *local,
                      uint16_t port, uint64_t now);
/* The same on another transport, which listens already and stops at unlisten. */
void http_server_start_on(struct http_server *s, const struct http_transport *transport, void *context,
                          const struct http_site *site);
/* Handles a readiness event of this server's listener or connections. */
void http_server_ready(struct http_server *s, const struct bk_ready *event, uint64_t now);
/* When http_server_advance is due; BK_NEVER while no connection is open. */
uint64_t http_server_deadline(const struct http_server *s);
/* Ends connections that idle or linger too long. */
void http_server_advance(struct http_server *s, uint64_t now);
/* Resets what is open and stops listening. */
void http_server_stop(struct http_server *s, uint64_t now);

#endif

/* An HTTP server on a Beckon stack: http.h's connections joined to the stack's, driven by readiness events.
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

struct http_server {
    bk_stack *stack;
    struct http_site site;
    bk_listener listener;
    struct http_server_conn *conn[HTTP_SERVER_CONNECTIONS]; /* the slot's number + 1 is the connection's `user` */
    uint32_t open;
    bool waiting; /* connections may wait to be accepted until a slot is free */
    uint64_t next_check;
    uint64_t accepted, requests, failed;
};

/* Listens on local:port (unspecified: both families). Returns 0 or bk_tcp_listen's error. */
int http_server_start(struct http_server *s, bk_stack *stack, const struct http_site *site, const bk_addr *local,
                      uint16_t port, uint64_t now);
/* Handles a readiness event of this server's listener or connections. */
void http_server_ready(struct http_server *s, const struct bk_ready *event, uint64_t now);
/* When http_server_advance is due; BK_NEVER while no connection is open. */
uint64_t http_server_deadline(const struct http_server *s);
/* Ends connections that idle or linger too long. */
void http_server_advance(struct http_server *s, uint64_t now);
/* Resets what is open and stops listening. */
void http_server_stop(struct http_server *s, uint64_t now);

#endif

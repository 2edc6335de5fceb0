/* A tiny HTTP/1.1 client on a Beckon stack: fetches addresses one after the other over one kept-alive connection and
 * collects the bodies. It is the other end of `beckon demo` where the kernel's client is out of reach. */
#ifndef CMD_HTTP_CLIENT_H
#define CMD_HTTP_CLIENT_H

#include <http_parser.h>

#include "beckon/stack.h"

#define HTTP_CLIENT_PAGES    4u
#define HTTP_CLIENT_BODY_MAX (1u << 20)

struct http_client_answer {
    int status; /* 0: none came */
    uint8_t *body;
    size_t length;
};

struct http_client {
    bk_stack *stack;
    bk_conn tcp;
    bk_addr remote;
    uint16_t port;
    const char *const *paths;
    uint32_t count, asked, answered;
    char request[512];
    size_t request_length, request_sent;
    http_parser parser;
    struct http_client_answer answer[HTTP_CLIENT_PAGES];
    bool over; /* nothing more will happen */
    int error; /* errno of what ended it early, or 0 */
};

/* Connects and asks for paths[0..count), at most HTTP_CLIENT_PAGES, which outlive the client. Returns 0 or bk_tcp_connect's
 * error. */
int http_client_start(struct http_client *c, bk_stack *stack, const bk_addr *remote, uint16_t port,
                      const char *const *paths, uint32_t count, uint64_t now);
/* Handles a readiness event of the stack. */
void http_client_ready(struct http_client *c, const struct bk_ready *event, uint64_t now);
/* Frees the bodies; aborts what is still open. */
void http_client_destroy(struct http_client *c, uint64_t now);

#endif

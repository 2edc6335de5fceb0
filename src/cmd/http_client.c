/* A tiny HTTP/1.1 client; see http_client.h. One request is out at a time. When the last answer is complete it reads on to
 * the server's FIN, as it asked with nothing more to say, and closes second. */
#define _GNU_SOURCE 1
#include "cmd/http_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int http_client_on_headers(http_parser *p) {
    struct http_client *c = p->data;
    c->answer[c->answered].status = p->status_code;
    return 0;
}

static int http_client_on_body(http_parser *p, const char *at, size_t n) {
    struct http_client *c = p->data;
    struct http_client_answer *a = &c->answer[c->answered];
    if (n > HTTP_CLIENT_BODY_MAX - a->length) return -1;
    uint8_t *grown = realloc(a->body, a->length + n);
    if (!grown) return -1;
    memcpy(grown + a->length, at, n);
    a->body = grown;
    a->length += n;
    return 0;
}

static int http_client_on_complete(http_parser *p) {
    struct http_client *c = p->data;
    c->answered++;
    http_parser_pause(p, 1);
    return 0;
}

static const http_parser_settings http_client_settings = {
    .on_headers_complete = http_client_on_headers,
    .on_body = http_client_on_body,
    .on_message_complete = http_client_on_complete,
};

static void http_client_ask(struct http_client *c) {
    char host[BK_ADDR_TEXT];
    bk_addr_format(&c->remote, host);
    bool v4 = bk_addr_is_ipv4(&c->remote);
    int n = snprintf(c->request, sizeof c->request,
                     "GET %s HTTP/1.1\r\nHost: %s%s%s:%u\r\nUser-Agent: beckon/%s\r\nAccept: */*\r\n\r\n",
                     c->paths[c->asked], v4 ? "" : "[", host, v4 ? "" : "]", (unsigned)c->port, bk_version());
    c->request_length = n < (int)sizeof c->request ? (size_t)n : 0;
    c->request_sent = 0;
    c->asked++;
}

int http_client_start(struct http_client *c, bk_stack *stack, const bk_addr *remote, uint16_t port,
                      const char *const *paths, uint32_t count, uint64_t now) {
    *c = (struct http_client){.stack = stack, .remote = *remote, .port = port, .paths = paths, .count = count};
    if (count == 0 || count > HTTP_CLIENT_PAGES) return -EINVAL;
    http_parser_init(&c->parser, HTTP_RESPONSE);
    c->parser.data = c;
    http_client_ask(c);
    struct bk_tcp_open open = {.remote = *remote, .remote_port = port};
    if (!bk_addr_is_ipv4(remote))
        open.local = (bk_addr){{0}};
    else
        open.local = bk_addr_ipv4(0, 0, 0, 0);
    return bk_tcp_connect(stack, &open, now, &c->tcp);
}

static void http_client_end(struct http_client *c, int error, uint64_t now) {
    c->over = true;
    c->error = error;
    if (error != 0)
        bk_tcp_abort(c->stack, c->tcp, now);
    else
        bk_tcp_close(c->stack, c->tcp, now);
}

/* Sends what is left of the request. False when the connection ended or must wait. */
static bool http_client_flush(struct http_client *c, uint64_t now) {
    while (c->request_sent < c->request_length) {
        ptrdiff_t n =
            bk_tcp_send(c->stack, c->tcp, c->request + c->request_sent, c->request_length - c->request_sent, 0, now);
        if (n == -EAGAIN) return false;
        if (n < 0) {
            http_client_end(c, (int)-n, now);
            return false;
        }
        c->request_sent += (size_t)n;
    }
    return true;
}

/* Gives received bytes to the parser; a finished answer brings the next request. */
static bool http_client_parse(struct http_client *c, const char *data, size_t n, uint64_t now) {
    if (c->answered == c->count) return true; /* after the last answer only the FIN is of interest */
    size_t taken = http_parser_execute(&c->parser, &http_client_settings, data, n);
    enum http_errno error = HTTP_PARSER_ERRNO(&c->parser);
    if (error == HPE_OK) return true;
    /* Bytes behind the answer to the only request that is out mean that the two sides do not agree. */
    if (error != HPE_PAUSED || taken != n) {
        http_client_end(c, EPROTO, now);
        return false;
    }
    http_parser_pause(&c->parser, 0);
    if (c->asked < c->count) http_client_ask(c);
    return true;
}

void http_client_ready(struct http_client *c, const struct bk_ready *event, uint64_t now) {
    if (c->over || event->listener || event->index != c->tcp.index || event->generation != c->tcp.generation) return;
    if ((event->what & (BK_READY_CONNECTED | BK_READY_READABLE | BK_READY_WRITABLE)) && !http_client_flush(c, now))
        return;
    for (;;) {
        char buffer[4096];
        ptrdiff_t n = bk_tcp_receive(c->stack, c->tcp, buffer, sizeof buffer, now);
        if (n == -EAGAIN) return;
        if (n <= 0) {
            http_client_end(c, n < 0 ? (int)-n : c->answered < c->count ? ECONNRESET : 0, now);
            return;
        }
        if (!http_client_parse(c, buffer, (size_t)n, now) || !http_client_flush(c, now)) return;
    }
}

void http_client_destroy(struct http_client *c, uint64_t now) {
    if (!c->over) bk_tcp_abort(c->stack, c->tcp, now);
    for (uint32_t i = 0; i < HTTP_CLIENT_PAGES; i++) free(c->answer[i].body);
}

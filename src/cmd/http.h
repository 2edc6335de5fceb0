/* One side of an HTTP/1.1 connection (RFC 9110, RFC 9112), as a server: bytes in, bytes out, no I/O.
 *
 * Whoever owns the transport offers what arrived to http_conn_input, which takes bytes up to the end of one request and no
 * further until the answer to it has left through http_conn_output and http_conn_sent: so pipelined requests are answered in order,
 * one at a time, and a client that does not read is not read from. When http_conn_finished says so, everything is said: close.
 *
 * Requests are parsed by http_parser. What is served: GET and HEAD; bodies of requests are skipped. The limits, and the answer
 * beyond them, are here; every answer that follows an error ends the connection.
 */
#ifndef CMD_HTTP_H
#define CMD_HTTP_H

#include <http_parser.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_TARGET_MAX 2000u  /* bytes of the request target; beyond: 414 */
#define HTTP_HEADER_MAX 8192u  /* bytes of request line and header together, about; beyond: 431 */
#define HTTP_BODY_MAX   65536u /* bytes of a request's body; beyond: 413 */

/* What an address of the site holds. */
struct http_resource {
    const char *type;   /* Content-Type; a string that outlives the connection */
    const void *memory; /* the body, which outlives the connection; or NULL: it is in fd */
    int fd;             /* a regular file, which the connection reads and closes; -1: none */
    uint64_t length;
    bool last; /* close after this one */
};

struct http_site {
    /* Looks up an absolute path (percent-decoded, without query). Returns 200 and *out, or the status to answer with. */
    int (*find)(void *context, const char *path, struct http_resource *out);
    void *context;
    int64_t date; /* now, in seconds since 1970, for the Date field; 0: none */
};

struct http_conn {
    const struct http_site *site;
    http_parser parser;
    char target[HTTP_TARGET_MAX + 1];
    uint32_t target_length;
    char field[8]; /* the beginning of the header field's name: enough to tell "Host" */
    uint8_t field_length;
    bool in_value;
    uint8_t hosts;      /* Host fields seen, at most 2 */
    uint32_t body_seen; /* bytes of the request's body */
    int error;          /* the status that a callback stopped the parser with, or 0 */
    bool answering;     /* an answer is being sent: input waits */
    bool closing;       /* ... and it is the last one: what comes in is dropped */
    bool failed;        /* the body's file could not be read: the answer is cut short */
    char head[512];
    uint32_t head_length, head_sent;
    char words[48]; /* the body that says what is wrong */
    struct http_resource body;
    uint64_t body_sent;
    uint8_t *file_buffer; /* a piece of body.fd */
    uint32_t file_length, file_sent;
    uint32_t requests; /* answered */
};

void http_conn_init(struct http_conn *c, const struct http_site *site);
/* Frees what an unfinished answer holds. */
void http_conn_destroy(struct http_conn *c);
/* Takes up to n bytes that arrived and returns how many. Fewer than n means that an answer must leave first. */
size_t http_conn_input(struct http_conn *c, const void *data, size_t n);
/* The client will send no more: what is being answered is finished, and then the connection is. */
void http_conn_input_end(struct http_conn *c);
/* The bytes that should leave next, and how many; 0: none now. *more tells that others follow at once. */
size_t http_conn_output(struct http_conn *c, const void **data, bool *more);
/* The first n of them have left. */
void http_conn_sent(struct http_conn *c, size_t n);
/* Whether everything that will ever be said has left. */
bool http_conn_finished(const struct http_conn *c);
/* "Not Found". */
const char *http_status_words(int status);

#endif

/* Just enough HTTP/1.1 for curl to fetch and to upload a file: GET and HEAD answer with the file of --send whatever
 * the path, PUT and POST with a Content-Length store their body as --receive says. Requests follow one another on a
 * kept-alive connection. Bodies in chunked coding are refused (411), other methods too (405). */
#define _GNU_SOURCE
#include "peer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void http_respond(struct session *s, const char *status, uint64_t length, bool interim) {
    int n = interim ? snprintf(s->head, sizeof s->head, "HTTP/1.1 %s\r\n\r\n", status)
                    : snprintf(s->head, sizeof s->head, "HTTP/1.1 %s\r\nContent-Length: %" PRIu64 "\r\n%s\r\n", status,
                               length, s->last ? "Connection: close\r\n" : "");
    s->text = (const uint8_t *)s->head;
    s->text_left = (size_t)n;
    s->responding = true;
}

static void http_refuse(struct session *s, const char *status) {
    s->last = true;
    s->in_length = 0;
    http_respond(s, status, 0, false);
}

/* The value of a header field in head[0..], which ends with an empty line; NULL if it is not there. */
static const char *http_field(const char *head, const char *name) {
    size_t length = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line != NULL && line[2] != '\r'; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':')
            return line + 2 + length + 1 + strspn(line + 2 + length + 1, " \t");
    return NULL;
}

static void http_drop(struct session *s, size_t n) {
    memmove(s->in, s->in + n, s->in_length - n);
    s->in_length -= n;
}

/* Takes one request's head off s->in; false if it is not there yet. */
static bool http_request(struct peer *p, struct session *s) {
    const uint8_t *end = memmem(s->in, s->in_length, "\r\n\r\n", 4);
    if (end == NULL) {
        if (s->in_length == SESSION_IN) http_refuse(s, "431 Request Header Fields Too Large");
        return false;
    }
    size_t length = (size_t)(end - s->in) + 4;
    char *head = strndup((const char *)s->in, length);
    if (head == NULL) abort();
    http_drop(s, length);

    const char *connection = http_field(head, "Connection"), *body = http_field(head, "Content-Length");
    const char *expect = http_field(head, "Expect");
    s->last = connection != NULL && strncasecmp(connection, "close", 5) == 0;
    if (strncmp(head, "GET ", 4) == 0 || strncmp(head, "HEAD ", 5) == 0) {
        s->file_at = 0;
        s->file_end = head[0] == 'G' ? p->send_length : 0;
        http_respond(s, "200 OK", p->send_length, false);
    } else if (strncmp(head, "PUT ", 4) != 0 && strncmp(head, "POST ", 5) != 0) {
        http_refuse(s, "405 Method Not Allowed");
    } else if (body == NULL) {
        http_refuse(s, "411 Length Required");
    } else {
        s->body_left = strtoull(body, NULL, 10);
        if (s->body_left == 0)
            http_respond(s, "201 Created", 0, false);
        else if (expect != NULL && strncasecmp(expect, "100-continue", 12) == 0)
            http_respond(s, "100 Continue", 0, true);
    }
    free(head);
    return true;
}

void http_step(struct peer *p, struct session *s) {
    for (;;) {
        if (s->body_left > 0) {
            if (s->in_length == 0) return;
            size_t n = s->body_left < s->in_length ? (size_t)s->body_left : s->in_length;
            session_keep(p, s->in, n);
            http_drop(s, n);
            s->body_left -= n;
            if (s->body_left > 0) continue;
            http_respond(s, "201 Created", 0, false);
        }
        if (s->responding || s->last || !http_request(p, s)) return;
    }
}

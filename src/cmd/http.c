/* The server side of HTTP/1.1 without I/O; see http.h.
 *
 * The parser is paused at the end of each request, so it never looks at bytes of the next one before the answer has
 * left; its callbacks collect the target and count the Host fields. A callback that finds a limit passed
 * leaves the status in `error` and stops the parser.
 */
#define _GNU_SOURCE 1
#include "cmd/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "beckon/stack.h"

#define HTTP_FILE_PIECE 65536u

const char *http_status_words(int status) {
    switch (status) {
#define HTTP_STATUS_CASE(number, name, words)                                                                          \
    case number:                                                                                                       \
        return #words;
        HTTP_STATUS_MAP(HTTP_STATUS_CASE)
#undef HTTP_STATUS_CASE
    default:
        return "Unknown";
    }
}

static int http_on_begin(http_parser *p) {
    struct http_conn *c = p->data;
    c->target_length = 0;
    c->field_length = 0;
    c->in_value = false;
    c->hosts = 0;
    c->body_seen = 0;
    return 0;
}

static int http_stop(struct http_conn *c, int status) {
    c->error = status;
    return -1;
}

static int http_on_url(http_parser *p, const char *at, size_t n) {
    struct http_conn *c = p->data;
    if (n > HTTP_TARGET_MAX - c->target_length) return http_stop(c, 414);
    memcpy(c->target + c->target_length, at, n);
    c->target_length += (uint32_t)n;
    return 0;
}

static int http_on_field(http_parser *p, const char *at, size_t n) {
    struct http_conn *c = p->data;
    if (c->in_value) {
        c->in_value = false;
        c->field_length = 0;
    }
    for (size_t i = 0; i < n && c->field_length < sizeof c->field; i++) c->field[c->field_length++] = at[i];
    return 0;
}

static int http_on_value(http_parser *p, const char *at, size_t n) {
    struct http_conn *c = p->data;
    (void)at;
    (void)n;
    if (!c->in_value && c->field_length == 4 && strncasecmp(c->field, "Host", 4) == 0 && c->hosts < 2) c->hosts++;
    c->in_value = true;
    return 0;
}

static int http_on_headers(http_parser *p) {
    struct http_conn *c = p->data;
    p->upgrade = 0; /* no other protocol is spoken here: RFC 9110 7.8 lets a server ignore the wish */
    bool http_1_1 = p->http_major == 1 && p->http_minor >= 1;
    if (p->http_major != 1) return http_stop(c, 505);
    if (c->hosts > 1 || (http_1_1 && c->hosts == 0)) return http_stop(c, 400); /* RFC 9112 3.2 */
    if ((p->flags & F_CONTENTLENGTH) && p->content_length > HTTP_BODY_MAX) return http_stop(c, 413);
    return 0;
}

static int http_on_body(http_parser *p, const char *at, size_t n) {
    struct http_conn *c = p->data;
    (void)at;
    if (n > HTTP_BODY_MAX - c->body_seen) return http_stop(c, 413);
    c->body_seen += (uint32_t)n;
    return 0;
}

static int http_on_complete(http_parser *p) {
    http_parser_pause(p, 1);
    return 0;
}

static const http_parser_settings http_settings = {
    .on_message_begin = http_on_begin,
    .on_url = http_on_url,
    .on_header_field = http_on_field,
    .on_header_value = http_on_value,
    .on_headers_complete = http_on_headers,
    .on_body = http_on_body,
    .on_message_complete = http_on_complete,
};

void http_conn_init(struct http_conn *c, const struct http_site *site) {
    memset(c, 0, sizeof *c);
    c->site = site;
    c->body.fd = -1;
    http_parser_set_max_header_size(HTTP_HEADER_MAX);
    http_parser_init(&c->parser, HTTP_REQUEST);
    c->parser.data = c;
}

static void http_body_release(struct http_conn *c) {
    if (c->body.fd >= 0) close(c->body.fd);
    c->body = (struct http_resource){.fd = -1};
    free(c->file_buffer);
    c->file_buffer = NULL;
    c->file_length = c->file_sent = 0;
}

void http_conn_destroy(struct http_conn *c) {
    http_body_release(c);
}

static int http_hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes %XX in place. False for a broken escape or a NUL byte, which no path may hold. */
static bool http_decode(char *path) {
    char *to = path;
    for (const char *from = path; *from; from++) {
        char byte = *from;
        if (byte == '%') {
            int high = http_hex(from[1]), low = high < 0 ? -1 : http_hex(from[2]);
            if (low < 0 || (high | low) == 0) return false;
            byte = (char)(high << 4 | low);
            from += 2;
        }
        *to++ = byte;
    }
    *to = '\0';
    return true;
}

/* Finds the path in the request target, in origin form ("/x?q") or absolute form ("http://host/x"), leaving it in
 * target[]. Returns 0 or the status to answer with. */
static int http_path(struct http_conn *c, const char **path) {
    c->target[c->target_length] = '\0';
    struct http_parser_url url;
    http_parser_url_init(&url);
    if (http_parser_parse_url(c->target, c->target_length, 0, &url) != 0) return 400;
    if (!(url.field_set & (1u << UF_PATH))) {
        *path = "/";
        return 0;
    }
    char *at = c->target + url.field_data[UF_PATH].off;
    at[url.field_data[UF_PATH].len] = '\0';
    if (at[0] != '/' || !http_decode(at)) return 400;
    *path = at;
    return 0;
}

static int http_find(struct http_conn *c) {
    if (c->parser.method != HTTP_GET && c->parser.method != HTTP_HEAD) return 405;
    const char *path;
    int status = http_path(c, &path);
    if (status != 0) return status;
    struct http_resource found = {.fd = -1};
    status = c->site->find(c->site->context, path, &found);
    if (status == 200) c->body = found;
    return status;
}

/* Writes the header of the answer. c->body is set; `keep` tells whether the connection lives on. */
static void http_head(struct http_conn *c, int status, bool keep) {
    char date[64] = "";
    if (c->site->date != 0) {
        time_t t = (time_t)c->site->date;
        struct tm tm;
        if (gmtime_r(&t, &tm)) strftime(date, sizeof date, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
    }
    int n = snprintf(c->head, sizeof c->head,
                     "HTTP/1.1 %d %s\r\n%sServer: Beckon/%s\r\n%sContent-Type: %s\r\nContent-Length: %llu\r\n"
                     "Connection: %s\r\n\r\n",
                     status, http_status_words(status), date, bk_version(), status == 405 ? "Allow: GET, HEAD\r\n" : "",
                     c->body.type, (unsigned long long)c->body.length, keep ? "keep-alive" : "close");
    c->head_length = (uint32_t)n;
    c->head_sent = 0;
}

/* Begins the answer to the request that the parser has just finished, or that broke it (status != 0). */
static void http_answer(struct http_conn *c, int status) {
    bool broken = status != 0;
    bool head_only = c->parser.method == HTTP_HEAD && !broken;
    if (!broken) status = http_find(c);
    bool keep = !broken && http_should_keep_alive(&c->parser) && !c->body.last;
    if (status != 200) {
        /* The words are the body: enough for a person with curl, and nothing of the request is echoed. */
        int n = snprintf(c->words, sizeof c->words, "%s\n", http_status_words(status));
        c->body = (struct http_resource){.type = "text/plain", .memory = c->words, .length = (uint64_t)n, .fd = -1};
    }
    http_head(c, status, keep);
    if (head_only) http_body_release(c);
    c->body_sent = 0;
    c->answering = true;
    c->closing = !keep;
    c->requests++;
}

/* What a client hears about bytes that are no request. */
static int http_error_status(const struct http_conn *c) {
    if (c->error != 0) return c->error;
    switch (HTTP_PARSER_ERRNO(&c->parser)) {
    case HPE_HEADER_OVERFLOW:
        return 431;
    case HPE_INVALID_METHOD:
        return 501;
    case HPE_INVALID_VERSION:
        return 505;
    default:
        return 400;
    }
}

size_t http_conn_input(struct http_conn *c, const void *data, size_t n) {
    if (c->closing) return n;
    if (c->answering || n == 0) return 0;
    size_t taken = http_parser_execute(&c->parser, &http_settings, data, n);
    switch (HTTP_PARSER_ERRNO(&c->parser)) {
    case HPE_OK:
        return n;
    case HPE_PAUSED:
        http_answer(c, 0);
        http_parser_pause(&c->parser, 0);
        return taken;
    default:
        http_answer(c, http_error_status(c));
        return n;
    }
}

void http_conn_input_end(struct http_conn *c) {
    c->closing = true;
}

/* Reads the next piece of the file. A file that has become shorter, or cannot be read, ends the answer: the client sees it
 * by the Content-Length. */
static void http_fill(struct http_conn *c) {
    if (!c->file_buffer) c->file_buffer = malloc(HTTP_FILE_PIECE);
    uint64_t left = c->body.length - c->body_sent;
    ssize_t n = -1;
    if (c->file_buffer)
        n = pread(c->body.fd, c->file_buffer, left < HTTP_FILE_PIECE ? left : HTTP_FILE_PIECE, (off_t)c->body_sent);
    if (n <= 0) {
        c->failed = c->closing = true;
        return;
    }
    c->file_length = (uint32_t)n;
    c->file_sent = 0;
}

size_t http_conn_output(struct http_conn *c, const void **data, bool *more) {
    *more = false;
    if (!c->answering || c->failed) return 0;
    uint64_t left = c->body.length - c->body_sent;
    if (c->head_sent < c->head_length) {
        *data = c->head + c->head_sent;
        *more = left != 0;
        return c->head_length - c->head_sent;
    }
    if (c->body.memory) {
        *data = (const uint8_t *)c->body.memory + c->body_sent;
        return (size_t)left;
    }
    if (c->file_sent == c->file_length) http_fill(c);
    if (c->failed) return 0;
    *data = c->file_buffer + c->file_sent;
    size_t n = c->file_length - c->file_sent;
    *more = n < left;
    return n;
}

void http_conn_sent(struct http_conn *c, size_t n) {
    if (c->head_sent < c->head_length) {
        c->head_sent += (uint32_t)n;
    } else {
        c->body_sent += n;
        if (!c->body.memory) c->file_sent += (uint32_t)n;
    }
    if (c->head_sent == c->head_length && c->body_sent == c->body.length) {
        http_body_release(c);
        c->body_sent = 0;
        c->answering = false;
    }
}

bool http_conn_finished(const struct http_conn *c) {
    return c->failed || (c->closing && !c->answering);
}

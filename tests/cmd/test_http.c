/* Shows that the HTTP server answers what RFC 9112 asks for, however the bytes are cut, and holds to its limits. */
#define _GNU_SOURCE 1
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "cmd/http.h"

#define OUTPUT_MAX 300000u
#define FILE_BYTES 200000u

struct talk {
    struct http_site site;
    struct http_conn http;
    uint8_t output[OUTPUT_MAX];
    size_t length;
    size_t piece; /* how many bytes at most leave at once */
    char path[64];
};

static int find(void *context, const char *path, struct http_resource *out) {
    struct talk *t = context;
    *out = (struct http_resource){.type = "text/plain", .fd = -1};
    if (strcmp(path, "/one") == 0) {
        out->memory = "first";
    } else if (strcmp(path, "/two words") == 0) {
        out->memory = "the second one";
    } else if (strcmp(path, "/") == 0) {
        out->memory = "";
    } else if (strcmp(path, "/last") == 0) {
        out->memory = "goodbye";
        out->last = true;
    } else if (strcmp(path, "/file") == 0 || strcmp(path, "/cut") == 0) {
        out->fd = open(t->path, O_RDONLY);
        out->length = path[1] == 'f' ? FILE_BYTES : FILE_BYTES + 1;
        return 200;
    } else {
        return 404;
    }
    out->length = strlen(out->memory);
    return 200;
}

static void drain(struct talk *t) {
    const void *data;
    bool more;
    for (size_t n; (n = http_conn_output(&t->http, &data, &more)) != 0;) {
        if (n > t->piece) n = t->piece;
        assert_true(t->length + n <= OUTPUT_MAX);
        memcpy(t->output + t->length, data, n);
        t->length += n;
        http_conn_sent(&t->http, n);
    }
}

/* Gives the bytes in pieces of `piece`, sending answers in between, until all are taken. */
static void give(struct talk *t, const char *data, size_t n, size_t piece) {
    for (size_t at = 0; at < n;) {
        size_t k = n - at < piece ? n - at : piece;
        size_t taken = http_conn_input(&t->http, data + at, k);
        assert_true(taken <= k);
        size_t before = t->length;
        drain(t);
        assert_true(taken > 0 || t->length > before); /* never stuck */
        at += taken;
    }
    drain(t);
}

static void say(struct talk *t, const char *text) {
    give(t, text, strlen(text), SIZE_MAX);
}

static struct talk *begin(void **state) {
    struct talk *t = *state;
    http_conn_init(&t->http, &t->site);
    t->length = 0;
    t->piece = SIZE_MAX;
    return t;
}

static void end(struct talk *t) {
    http_conn_destroy(&t->http);
}

/* The status of answer number i, and where its body begins; cuts the output at the answers' borders by Content-Length. */
static int answer(const struct talk *t, unsigned i, bool body, const char **text, size_t *length, bool *keep) {
    size_t at = 0;
    for (unsigned k = 0;; k++) {
        if (at >= t->length) return 0;
        char head[1024] = "";
        const uint8_t *end_of_head = memmem(t->output + at, t->length - at, "\r\n\r\n", 4);
        assert_non_null(end_of_head);
        size_t n = (size_t)(end_of_head + 4 - (t->output + at));
        assert_true(n < sizeof head);
        memcpy(head, t->output + at, n);
        int status, minor;
        unsigned long long content;
        assert_int_equal(sscanf(head, "HTTP/1.%d %d ", &minor, &status), 2);
        assert_int_equal(minor, 1);
        const char *field = strstr(head, "\r\nContent-Length: ");
        assert_non_null(field);
        assert_int_equal(sscanf(field, "\r\nContent-Length: %llu\r\n", &content), 1);
        if (k == i) {
            if (keep) *keep = strstr(head, "\r\nConnection: keep-alive\r\n") != NULL;
            if (text) *text = (const char *)t->output + at + n;
            if (length) *length = (size_t)content;
            return status;
        }
        at += n + (body ? (size_t)content : 0);
    }
}

static int first_status(const struct talk *t) {
    return answer(t, 0, true, NULL, NULL, NULL);
}

#define HOST      "Host: beckon\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"

/* ---- answers --------------------------------------------------------------------------------------- */

static void test_page(void **state) {
    struct talk *t = begin(state);
    const char *text;
    size_t n;
    bool keep;
    say(t, GET("/one"));
    assert_int_equal(answer(t, 0, true, &text, &n, &keep), 200);
    assert_int_equal(n, 5);
    assert_memory_equal(text, "first", 5);
    assert_ptr_equal(text + n, t->output + t->length);
    assert_true(keep);
    assert_false(http_conn_finished(&t->http));
    end(t);
}

static void test_head_has_the_length_and_no_body(void **state) {
    struct talk *t = begin(state);
    const char *text;
    size_t n;
    say(t, "HEAD /one HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(answer(t, 0, false, &text, &n, NULL), 200);
    assert_int_equal(n, 5);
    assert_ptr_equal(text, t->output + t->length);
    say(t, GET("/two%20words?query=1")); /* and the connection lives on, in step */
    assert_int_equal(answer(t, 1, false, &text, &n, NULL), 200);
    assert_int_equal(n, 14);
    end(t);
}

static void test_statuses(void **state) {
    static const struct {
        const char *request;
        int status;
        bool keep;
    } rows[] = {
        {GET("/"), 200, true},
        {GET("/nowhere"), 404, true},
        {GET("/one#part"), 200, true},
        {GET("http://beckon:80/one"), 200, true},
        {GET("http://beckon"), 200, true},
        {GET("/bad%zzescape"), 400, true},
        {GET("/nul%00byte"), 400, true},
        {"GET /one HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, false},
        {"GET /one HTTP/1.1\r\nhOsT:\r\n\r\n", 200, true},
        {"GET /one HTTP/1.1\r\nHostess: x\r\n\r\n", 400, false},
        {"GET /one HTTP/1.1\r\n\r\n", 400, false},
        {"GET /one HTTP/1.0\r\n\r\n", 200, false},
        {"GET /one HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, true},
        {"GET /one HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", 200, false},
        {"GET /one HTTP/2.0\r\n" HOST "\r\n", 505, false},
        {"GET /last HTTP/1.1\r\n" HOST "\r\n", 200, false},
        {"POST /one HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", 405, true},
        {"DELETE /one HTTP/1.1\r\n" HOST "\r\n", 405, true},
        {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 405, true},
        {"CONNECT beckon:80 HTTP/1.1\r\n" HOST "\r\n", 405, true},
        {"GET /one HTTP/1.1\r\n" HOST "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n", 200, true},
        {"BREW /pot HTTP/1.1\r\n" HOST "\r\n", 501, false},
        {"\r\n\r\n" GET("/one"), 200, true},
        {"GET /one HTTP/1.1\r\n" HOST "Content-Length: 1x\r\n\r\n", 400, false},
        {"GET /one HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, false},
        {"POST /one HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, false},
        {"POST /one HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 405, true},
        {"\x16\x03\x01\x02\x01", 501, false},
        {"GET one HTTP/1.1\r\n" HOST "\r\n", 400, false},
        {"GET /one\r\n\r\n", 505, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct talk *t = begin(state);
        bool keep = false;
        say(t, rows[i].request);
        int status = answer(t, 0, true, NULL, NULL, &keep);
        if (status != rows[i].status || keep != rows[i].keep)
            fail_msg("row %zu: expected %d %s, got %d %s, for\n%s", i, rows[i].status, rows[i].keep ? "keep" : "close",
                     status, keep ? "keep" : "close", rows[i].request);
        assert_int_equal(http_conn_finished(&t->http), !rows[i].keep);
        assert_int_equal(answer(t, 1, true, NULL, NULL, NULL), 0);
        end(t);
    }
}

static void test_nothing_after_the_last_answer(void **state) {
    struct talk *t = begin(state);
    say(t, GET("/last") GET("/one"));
    assert_int_equal(first_status(t), 200);
    assert_int_equal(answer(t, 1, true, NULL, NULL, NULL), 0);
    assert_true(http_conn_finished(&t->http));
    assert_int_equal(http_conn_input(&t->http, "more", 4), 4); /* dropped, so that it can be read to the end */
    end(t);
}

static void test_end_of_input(void **state) {
    struct talk *t = begin(state);
    say(t, "GET /one HTT");
    http_conn_input_end(&t->http);
    assert_true(http_conn_finished(&t->http)); /* half a request has no answer */
    assert_int_equal(t->length, 0);
    end(t);

    begin(state);
    static const char request[] = GET("/one");
    assert_int_equal(http_conn_input(&t->http, request, sizeof request - 1), sizeof request - 1);
    http_conn_input_end(&t->http);
    assert_false(http_conn_finished(&t->http)); /* a whole one is still answered */
    drain(t);
    assert_int_equal(first_status(t), 200);
    assert_true(http_conn_finished(&t->http));
    end(t);
}

static void test_date(void **state) {
    struct talk *t = begin(state);
    t->site.date = 784111777; /* RFC 9110's own example */
    say(t, GET("/one"));
    t->site.date = 0;
    assert_non_null(memmem(t->output, t->length, "\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 39));
    end(t);
}

/* ---- pipelining and cuts --------------------------------------------------------------------------- */

static const char pipeline[] = GET("/one") "HEAD /one HTTP/1.1\r\nhost: x\r\n\r\n" GET(
    "/nowhere") "POST /one HTTP/1.1\r\n" HOST "Content-Length: 11\r\n\r\nGET /one HT" GET("/two%20words") GET("/")
    GET("/last");

/* An answer must have left before the next request is looked at. */
static void test_input_waits_for_the_answer(void **state) {
    struct talk *t = begin(state);
    static const char two[] = GET("/one") GET("/two%20words");
    size_t first = sizeof GET("/one") - 1;
    assert_int_equal(http_conn_input(&t->http, two, sizeof two - 1), first);
    assert_int_equal(http_conn_input(&t->http, two + first, sizeof two - 1 - first), 0);
    drain(t);
    assert_int_equal(http_conn_input(&t->http, two + first, sizeof two - 1 - first), sizeof two - 1 - first);
    drain(t);
    assert_int_equal(answer(t, 1, true, NULL, NULL, NULL), 200);
    end(t);
}

/* The same bytes, cut at every place once, and into pieces of every size, bring the same answers. */
static void test_any_cut_gives_the_same_answers(void **state) {
    struct talk *t = begin(state);
    size_t n = sizeof pipeline - 1;
    give(t, pipeline, n, SIZE_MAX);
    assert_true(http_conn_finished(&t->http));
    assert_int_equal(t->http.requests, 7);
    size_t length = t->length;
    uint8_t *whole = malloc(length);
    assert_non_null(whole);
    memcpy(whole, t->output, length);
    end(t);
    for (size_t cut = 1; cut < n; cut++) {
        begin(state);
        give(t, pipeline, cut, SIZE_MAX);
        give(t, pipeline + cut, n - cut, SIZE_MAX);
        assert_int_equal(t->length, length);
        assert_memory_equal(t->output, whole, length);
        end(t);
        begin(state);
        t->piece = cut;
        give(t, pipeline, n, cut);
        assert_int_equal(t->length, length);
        assert_memory_equal(t->output, whole, length);
        end(t);
    }
    free(whole);
}

/* ---- limits ---------------------------------------------------------------------------------------- */

/* A request whose target is n bytes long. */
static char *long_target(size_t n) {
    char *text = malloc(n + 64);
    assert_non_null(text);
    strcpy(text, "GET /");
    memset(text + 5, 'a', n - 1);
    strcpy(text + 4 + n, " HTTP/1.1\r\n" HOST "\r\n");
    return text;
}

static void test_target_limit(void **state) {
    for (size_t piece = 1; piece <= 8192; piece *= 8192) {
        for (size_t n = HTTP_TARGET_MAX - 1; n <= HTTP_TARGET_MAX + 1; n++) {
            struct talk *t = begin(state);
            char *text = long_target(n);
            give(t, text, strlen(text), piece);
            assert_int_equal(first_status(t), n <= HTTP_TARGET_MAX ? 404 : 414);
            assert_int_equal(http_conn_finished(&t->http), n > HTTP_TARGET_MAX);
            free(text);
            end(t);
        }
    }
}

static void test_header_limit(void **state) {
    static const char field[] = "X-Filler: 0123456789012345678901234567890123456789\r\n";
    for (size_t fields = 100; fields <= 1000; fields += 900) {
        struct talk *t = begin(state);
        say(t, "GET /one HTTP/1.1\r\n" HOST);
        for (size_t i = 0; i < fields; i++) say(t, field);
        say(t, "\r\n");
        assert_int_equal(first_status(t), fields == 100 ? 200 : 431);
        assert_int_equal(answer(t, 1, true, NULL, NULL, NULL), 0);
        end(t);
    }
}

static void test_body_limit(void **state) {
    for (size_t n = HTTP_BODY_MAX; n <= HTTP_BODY_MAX + 1; n++) {
        struct talk *t = begin(state);
        char head[128];
        snprintf(head, sizeof head, "GET /one HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n", n);
        say(t, head);
        for (size_t i = 0; i < n; i++) say(t, "b");
        assert_int_equal(first_status(t), n == HTTP_BODY_MAX ? 200 : 413);
        end(t);
        t = begin(state); /* the same without saying so in advance */
        say(t, "GET /one HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
        for (size_t left = n; left > 0;) {
            size_t k = left < 4096 ? left : 4096;
            char chunk[16];
            snprintf(chunk, sizeof chunk, "%zx\r\n", k);
            say(t, chunk);
            for (size_t i = 0; i < k; i++) say(t, "b");
            say(t, "\r\n");
            left -= k;
        }
        say(t, "0\r\n\r\n");
        assert_int_equal(first_status(t), n == HTTP_BODY_MAX ? 200 : 413);
        end(t);
    }
}

/* ---- bodies from files ----------------------------------------------------------------------------- */

static uint8_t file_byte(size_t i) {
    return (uint8_t)(i * 31 ^ i >> 8);
}

static void test_file(void **state) {
    static const size_t pieces[] = {SIZE_MAX, 65536, 65535, 1448, 7};
    for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
        struct talk *t = begin(state);
        t->piece = pieces[p];
        say(t, GET("/file") GET("/one"));
        const char *text;
        size_t n;
        assert_int_equal(answer(t, 0, true, &text, &n, NULL), 200);
        assert_int_equal(n, FILE_BYTES);
        for (size_t i = 0; i < n; i++) assert_int_equal((uint8_t)text[i], file_byte(i));
        assert_int_equal(answer(t, 1, true, NULL, NULL, NULL), 200);
        end(t);
    }
}

/* A file that has become shorter than was promised: the answer stops, and the owner hears of it. */
static void test_file_cut_short(void **state) {
    struct talk *t = begin(state);
    say(t, GET("/cut"));
    assert_true(t->http.failed);
    assert_true(http_conn_finished(&t->http));
    end(t);
}

/* An unfinished answer gives its descriptor and memory back (the sanitizers watch the latter). */
static void test_destroyed_in_the_middle(void **state) {
    struct talk *t = begin(state);
    static const char request[] = GET("/file");
    http_conn_input(&t->http, request, sizeof request - 1);
    const void *data;
    bool more;
    http_conn_sent(&t->http, http_conn_output(&t->http, &data, &more));
    assert_true(http_conn_output(&t->http, &data, &more) > 0);
    int fd = t->http.body.fd;
    assert_true(fcntl(fd, F_GETFD) >= 0);
    end(t);
    assert_true(fcntl(fd, F_GETFD) < 0);
}

static int setup(void **state) {
    struct talk *t = calloc(1, sizeof *t);
    if (!t) return -1;
    t->site = (struct http_site){.find = find, .context = t};
    strcpy(t->path, "/tmp/beckon-http-XXXXXX");
    int fd = mkstemp(t->path);
    if (fd < 0) return -1;
    uint8_t *bytes = malloc(FILE_BYTES);
    for (size_t i = 0; i < FILE_BYTES; i++) bytes[i] = file_byte(i);
    bool written = write(fd, bytes, FILE_BYTES) == (ssize_t)FILE_BYTES;
    free(bytes);
    close(fd);
    *state = t;
    return written ? 0 : -1;
}

static int teardown(void **state) {
    struct talk *t = *state;
    unlink(t->path);
    free(t);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page),
        cmocka_unit_test(test_head_has_the_length_and_no_body),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_nothing_after_the_last_answer),
        cmocka_unit_test(test_end_of_input),
        cmocka_unit_test(test_date),
        cmocka_unit_test(test_input_waits_for_the_answer),
        cmocka_unit_test(test_any_cut_gives_the_same_answers),
        cmocka_unit_test(test_target_limit),
        cmocka_unit_test(test_header_limit),
        cmocka_unit_test(test_body_limit),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_file_cut_short),
        cmocka_unit_test(test_destroyed_in_the_middle),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

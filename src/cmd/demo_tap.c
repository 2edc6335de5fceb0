/* The demo against the kernel: a TAP device in a private network namespace, the kernel's TCP and its curl on one side
 * of it and Beckon on the other. */
#define _GNU_SOURCE 1
#include "cmd/demo.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/common.h"

#define DEMO_TAP_DEVICE     "beckon0"
#define DEMO_TAP_PATIENCE_S 15u
#define DEMO_TAP_CLOSING_S  3u
#define DEMO_TAP_OUTPUT_MAX (1u << 20)

/* One stream of curl's output. */
struct demo_tap_stream {
    struct demo_tap_client *client;
    int read_end, write_end;
    char *text;
    size_t length;
    bool overflow;
};

struct demo_tap_client {
    struct demo *demo;
    struct demo_tap_stream out, err;
    pid_t pid;
    int exit_status; /* of waitpid */
};

static void demo_tap_ready(void *context, const struct bk_ready *event, uint64_t now) {
    http_server_ready(context, event, now);
}
static uint64_t demo_tap_deadline(void *context) {
    return http_server_deadline(context);
}
static void demo_tap_advance(void *context, uint64_t now) {
    http_server_advance(context, now);
}

/* Whether there is a curl to run, and which: the first two words of `curl --version`. */
static int demo_tap_find_curl(struct demo *d) {
    char curl[] = "curl", version[] = "--version", *argv[] = {curl, version, NULL};
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
    pid_t pid = netns_spawn(&d->netns, argv, ends[1], ends[1]);
    close(ends[1]);
    char text[512] = "";
    if (pid > 0) {
        FILE *f = fdopen(ends[0], "r");
        char name[16], number[24];
        if (f && fgets(text, sizeof text, f) && sscanf(text, "%15s %23s", name, number) == 2)
            snprintf(d->client_name, sizeof d->client_name, "%s %s", name, number);
        while (f && fgets(text, sizeof text, f)) {
        }
        if (f) fclose(f);
        waitpid(pid, NULL, 0);
    } else {
        close(ends[0]);
    }
    return pid < 0 ? (int)pid : d->client_name[0] ? 0 : -ENOENT;
}

static int demo_tap_device(struct demo *d, const char **why) {
    *why = "entering the network namespace";
    int r = netns_enter(&d->netns);
    if (r < 0) return r;
    *why = "opening a TAP device";
    /* Each segment is to be seen, and not what a device makes of several. */
    const struct bk_tap_options options = {.name = DEMO_TAP_DEVICE, .plain = true, .fd = -1};
    r = bk_tap_open(d->server_stack, 0, &options, &d->loop.link, why);
    int back = netns_leave(&d->netns);
    if (r < 0 || back < 0) return r < 0 ? r : back;
    const struct netns_address address = {.addr = d->client_addr, .prefix_length = d->ipv6 ? 64 : 24};
    return netns_configure(&d->netns, bk_tap_name(d->loop.link), &address, 1, why);
}

int demo_tap_open(struct demo *d, const char **why) {
    int r = netns_create(&d->netns, why);
    if (r < 0) return r;
    *why = DEMO_FINDING_CURL;
    r = demo_tap_find_curl(d);
    if (r < 0) return r;
    *why = "making a stack";
    r = demo_stack(d, &d->server_stack, &d->server_addr);
    if (r == 0) r = demo_tap_device(d, why);
    if (r < 0) return r;
    d->loop.stack[0] = (struct run_loop_stack){.stack = d->server_stack,
                                               .ready = demo_tap_ready,
                                               .deadline = demo_tap_deadline,
                                               .advance = demo_tap_advance,
                                               .context = &d->server};
    d->loop.stack_count = 1;
    return 0;
}

/* ---- curl ------------------------------------------------------------------------------------------ */

static void demo_tap_read(void *context, short revents, uint64_t now) {
    struct demo_tap_stream *s = context;
    char buffer[4096];
    (void)revents;
    (void)now;
    ssize_t n = read(s->read_end, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) return;
    if (n <= 0) {
        run_loop_watch_remove(&s->client->demo->loop, s->read_end);
        close(s->read_end);
        s->read_end = -1;
        return;
    }
    char *grown = s->length + (size_t)n < DEMO_TAP_OUTPUT_MAX ? realloc(s->text, s->length + (size_t)n + 1) : NULL;
    if (!grown) {
        s->overflow = true;
        return;
    }
    memcpy(grown + s->length, buffer, (size_t)n);
    s->text = grown;
    s->length += (size_t)n;
    s->text[s->length] = '\0';
}

static int demo_tap_stream_open(struct demo_tap_stream *s, struct demo_tap_client *c) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
    s->read_end = ends[0];
    s->write_end = ends[1];
    return run_loop_watch_add(&c->demo->loop, s->read_end, POLLIN, demo_tap_read, s) ? 0 : -ENOSPC;
}

static void demo_tap_stream_close(struct demo_tap_stream *s) {
    if (s->read_end >= 0) {
        run_loop_watch_remove(&s->client->demo->loop, s->read_end);
        close(s->read_end);
    }
    if (s->write_end >= 0) close(s->write_end);
    s->read_end = s->write_end = -1;
}

/* Starts curl on both pages. It writes the bodies to stdout, one behind the other, and a line about each to stderr. */
static int demo_tap_start(struct demo_tap_client *c) {
    struct demo *d = c->demo;
    char host[BK_ADDR_TEXT], url[SITE_PAGES][128];
    bk_addr_format(&d->server_addr, host);
    for (size_t i = 0; i < SITE_PAGES; i++)
        snprintf(url[i], sizeof url[i], "http://%s%s%s%s", d->ipv6 ? "[" : "", host, d->ipv6 ? "]" : "",
                 d->pages.page[i].path);
    char curl[] = "curl", no_config[] = "-q", silent[] = "-sS", http[] = "--http1.1", globoff[] = "-g",
         no_proxy[] = "--noproxy", all[] = "*", time_option[] = "--max-time", seconds[] = "10", write_out[] = "-w",
         format[] = "%{stderr}{\"status\":%{http_code},\"connects\":%{num_connects},\"bytes\":%{size_download}}\\n";
    char *argv[] = {curl,        no_config, silent,    http,   globoff, no_proxy, all,
                    time_option, seconds,   write_out, format, url[0],  url[1],   NULL};
    c->pid = netns_spawn(&d->netns, argv, c->out.write_end, c->err.write_end);
    close(c->out.write_end);
    close(c->err.write_end);
    c->out.write_end = c->err.write_end = -1;
    return c->pid < 0 ? (int)c->pid : 0;
}

/* Reads one of curl's lines about a page. False: it is a complaint. */
static bool demo_tap_line(const char *line, int *status, int *connects, size_t *length) {
    json_error_t error;
    json_int_t bytes = 0;
    json_t *object = json_loads(line, 0, &error);
    bool ok = json_unpack(object, "{s:i,s:i,s:I}", "status", status, "connects", connects, "bytes", &bytes) == 0;
    json_decref(object);
    *length = (size_t)bytes;
    return ok && bytes >= 0;
}

static void demo_tap_verdict(struct demo_tap_client *c) {
    struct demo *d = c->demo;
    size_t i = 0, at = 0, length;
    int status, connects;
    char *next = NULL, *line = c->err.text ? strtok_r(c->err.text, "\n", &next) : NULL;
    for (; line; line = strtok_r(NULL, "\n", &next)) {
        if (!demo_tap_line(line, &status, &connects, &length) || i == SITE_PAGES) {
            snprintf(d->failure, sizeof d->failure, "%s", line);
            continue;
        }
        size_t n = length <= c->out.length - at ? length : c->out.length - at;
        demo_check(d, i++, status, c->out.text ? c->out.text + at : "", n, connects > 0);
        at += n;
    }
    if (d->failure[0]) return;
    if (c->out.overflow || c->err.overflow)
        snprintf(d->failure, sizeof d->failure, "curl said more than fits in %u bytes", DEMO_TAP_OUTPUT_MAX);
    else if (at != c->out.length)
        snprintf(d->failure, sizeof d->failure, "curl received %zu bytes beyond the pages", c->out.length - at);
    else if (!WIFEXITED(c->exit_status) || WEXITSTATUS(c->exit_status) != 0)
        snprintf(d->failure, sizeof d->failure, "curl ended with %s %d",
                 WIFEXITED(c->exit_status) ? "status" : "signal",
                 WIFEXITED(c->exit_status) ? WEXITSTATUS(c->exit_status) : WTERMSIG(c->exit_status));
}

/* Ends the loop's first part when curl has closed its output, and so is through. */
static void demo_tap_after_fetch(void *context, uint64_t now) {
    struct demo_tap_client *c = context;
    (void)now;
    demo_drain(c->demo);
    if (c->out.read_end < 0 && c->err.read_end < 0) c->demo->loop.done = true;
}

/* Whether every connection of the server is over or in TIME-WAIT. */
static bool demo_tap_at_rest(const struct demo *d) {
    struct bk_tcp_info info;
    for (uint64_t cursor = 0; bk_tcp_list(d->server_stack, &cursor, &info);)
        if (info.state != BK_LISTEN && info.state != BK_TIME_WAIT) return false;
    return !bk_output_pending(d->server_stack, 0);
}

static void demo_tap_after_close(void *context, uint64_t now) {
    struct demo_tap_client *c = context;
    (void)now;
    demo_drain(c->demo);
    if (demo_tap_at_rest(c->demo)) c->demo->loop.done = true;
}

int demo_tap_fetch(struct demo *d) {
    struct demo_tap_client c = {.demo = d, .out = {.client = &c, .read_end = -1, .write_end = -1}};
    c.err = c.out;
    int r = demo_tap_stream_open(&c.out, &c);
    if (r == 0) r = demo_tap_stream_open(&c.err, &c);
    if (r == 0) r = demo_tap_start(&c);
    if (r == 0) {
        d->loop.after = demo_tap_after_fetch;
        d->loop.after_context = &c;
        r = run_loop_until(&d->loop, bk_link_clock() + DEMO_TAP_PATIENCE_S * NS_PER_S);
        if (c.out.read_end >= 0 || c.err.read_end >= 0) kill(c.pid, SIGKILL);
        waitpid(c.pid, &c.exit_status, 0);
        demo_tap_verdict(&c);
    }
    if (r == 0) {
        /* The process is gone, but its end of the connection may still be closing. */
        d->loop.after = demo_tap_after_close;
        r = run_loop_until(&d->loop, bk_link_clock() + DEMO_TAP_CLOSING_S * NS_PER_S);
    }
    d->loop.after = NULL;
    demo_tap_stream_close(&c.out);
    demo_tap_stream_close(&c.err);
    free(c.out.text);
    free(c.err.text);
    return r;
}

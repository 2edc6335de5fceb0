/* What `beckon demo` says: for people the pages, the ladder diagram of the connection, and the table of connections while
 * TIME-WAIT counts down; for machines the same as JSON lines. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/common.h"
#include "beckon/ladder.h"
#include "beckon/render.h"
#include "cmd/demo.h"

#define DEMO_SNAPSHOTS   3u
#define DEMO_SHORT_MSL_S 5u /* up to this, the end of TIME-WAIT is waited for */

/* What would bring the kernel in. */
static const char *demo_advice(const struct demo *d, const char *why_not) {
    if (strncmp(why_not, DEMO_FINDING_CURL, strlen(DEMO_FINDING_CURL)) == 0) return "To have it: apt-get install curl";
    if (!d->root) return "To have it: sudo beckon demo";
    return "It takes /dev/net/tun\n(modprobe tun) and CAP_SYS_ADMIN and CAP_NET_ADMIN.";
}

void demo_tell_begin(const struct demo *d, const char *why_not) {
    char server[BK_ADDR_TEXT], client[BK_ADDR_TEXT];
    bk_addr_format(&d->server_addr, server);
    bk_addr_format(&d->client_addr, client);
    if (why_not[0])
        printf("The kernel cannot be at the other end here (%s),\nso two Beckon stacks in this process talk to each "
               "other. %s\n\n",
               why_not, demo_advice(d, why_not));
    if (d->client_stack)
        printf("Beckon %s, an HTTP server at %s; at the other end of a link in memory a second stack, at %s.\n\n",
               bk_version(), server, client);
    else
        printf("Beckon %s, an HTTP server at %s; at the other end of a TAP device the kernel's TCP, at %s, and its "
               "%s.\n\n",
               bk_version(), server, client, d->client_name);
    fflush(stdout);
}

static uint32_t demo_columns(void) {
    struct winsize size;
    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    return 0;
}

static bool demo_colour(void) {
    const char *no = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && !(no && no[0]);
}

static void demo_tell_pages(const struct demo *d) {
    for (size_t i = 0; i < SITE_PAGES; i++) {
        const struct demo_page *p = &d->page[i];
        if (p->status == 0) {
            printf("  GET %-9s no answer\n", d->pages.page[i].path);
            continue;
        }
        printf("  GET %-9s %d  %6zu bytes  %-8s  %s\n", d->pages.page[i].path, p->status, p->length,
               p->intact ? "intact" : "DAMAGED", p->new_connection ? "new connection" : "same connection");
    }
    if (d->failure[0]) printf("  %s\n", d->failure);
    putchar('\n');
}

static int demo_tell_ladder(const struct demo *d) {
    char name[2][96], server[BK_ADDR_TEXT], client[BK_ADDR_TEXT];
    bk_addr_format(&d->server_addr, server);
    bk_addr_format(&d->client_addr, client);
    snprintf(name[0], sizeof name[0], "Beckon, server %s", server);
    snprintf(name[1], sizeof name[1], "%s, client %s", d->client_stack ? "Beckon" : "kernel", client);
    struct bk_ladder_side sides[2] = {{name[0], d->server_events.event, d->server_events.count},
                                      {name[1], d->client_events.event, d->client_events.count}};
    const struct bk_ladder_options options = {.width = demo_columns(), .colour = demo_colour(), .ascii = d->ascii};
    /* The client, which opens, stands on the left where its events are known. */
    bool both = d->client_events.count != 0;
    int r = bk_ladder(&sides[both ? 1 : 0], &sides[both ? 0 : 1], NULL, &options, bk_text_to_file, stdout);
    if (r == -ENOENT) printf("(no segment of a connection was seen)\n");
    uint64_t lost = d->server_events.lost + d->client_events.lost;
    if (lost != 0) printf("(%llu events were lost)\n", (unsigned long long)lost);
    return r == -ENOENT ? 0 : r;
}

static size_t demo_list(const struct demo *d, struct bk_tcp_info *infos, size_t room) {
    size_t n = 0;
    for (uint64_t cursor = 0; n < room && bk_tcp_list(d->server_stack, &cursor, &infos[n]);) n++;
    return n;
}

/* The server's TIME-WAIT of the connection, or NULL. */
static const struct bk_tcp_info *demo_time_wait(const struct bk_tcp_info *infos, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (infos[i].state == BK_TIME_WAIT) return &infos[i];
    return NULL;
}

static double demo_seconds_left(const struct bk_tcp_info *info, uint64_t now) {
    return info->timer_due > now ? (double)(info->timer_due - now) / (double)NS_PER_S : 0;
}

/* The table as it is now, as text. */
static int demo_table(const struct demo *d, struct bk_text *text, double *left) {
    struct bk_tcp_info infos[32];
    uint64_t now = bk_link_clock();
    size_t n = demo_list(d, infos, BK_COUNT(infos));
    const struct bk_tcp_info *waiting = demo_time_wait(infos, n);
    *left = waiting ? demo_seconds_left(waiting, now) : 0;
    const struct bk_table_options options = {
        .style = d->json ? BK_TABLE_JSON : BK_TABLE_SS, .timers = true, .now = now, .stack = d->json ? "server" : NULL};
    return bk_table(infos, n, &options, bk_text_to_memory, text);
}

/* Lines of the text, or 0 if one of them is wider than the terminal, so that going back up would miscount. */
static unsigned demo_lines(const char *text, uint32_t columns) {
    unsigned lines = 0;
    for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1) {
        if ((size_t)(end - text) > columns) return 0;
        lines++;
    }
    return lines;
}

/* Snapshots of the table, a second apart: one above the other, or in place on a terminal. With a short MSL, until TIME-WAIT is
 * over. Returns what is left of it, in seconds, or a negative errno. */
static double demo_tell_table(struct demo *d) {
    uint64_t start = bk_link_clock();
    uint32_t snapshots = u32_max(DEMO_SNAPSHOTS, d->msl_s <= DEMO_SHORT_MSL_S ? 2 * d->msl_s + 2 : 0);
    unsigned drawn = 0;
    double left = 0;
    printf("The server's connections, as `beckon ss -ao' lists them, a second apart:\n\n");
    for (uint32_t i = 0; i < snapshots && d->loop.signal == 0; i++) {
        struct bk_text text = {0};
        int r = demo_table(d, &text, &left);
        if (r < 0) return r;
        if (drawn) printf("\033[%uA\033[J", drawn);
        fputs(text.data ? text.data : "", stdout);
        drawn = isatty(STDOUT_FILENO) && text.data ? demo_lines(text.data, demo_columns()) : 0;
        if (!drawn) putchar('\n');
        bk_text_free(&text);
        fflush(stdout);
        if (left == 0 || i + 1 == snapshots) break;
        r = run_loop_until(&d->loop, start + (i + 1) * NS_PER_S);
        if (r < 0) return r;
    }
    if (drawn) putchar('\n');
    return left;
}

static uint64_t demo_segments(const struct demo *d) {
    struct bk_tcp_mib mib;
    bk_tcp_mib(d->server_stack, &mib);
    return mib.in_segs + mib.out_segs;
}

bool demo_worked(const struct demo *d) {
    bool worked = d->failure[0] == '\0';
    for (size_t i = 0; i < SITE_PAGES; i++)
        worked = worked && d->page[i].intact && d->page[i].new_connection == (i == 0);
    return worked;
}

/* The sentence at the end. */
static void demo_tell_end(const struct demo *d, double left) {
    size_t intact = 0, bytes = 0;
    for (size_t i = 0; i < SITE_PAGES; i++) {
        intact += d->page[i].intact;
        bytes += d->page[i].length;
    }
    if (d->loop.signal != 0) {
        printf("Stopped by signal %d (%s).\n", d->loop.signal, strsignal(d->loop.signal));
        return;
    }
    if (!demo_worked(d)) {
        printf("FAILED: %zu of %u pages arrived intact%s%s.\n", intact, SITE_PAGES, d->failure[0] ? ": " : "",
               d->failure);
        return;
    }
    printf("%s fetched both pages, %zu bytes, intact over one connection of %llu segments; ", d->client_name, bytes,
           (unsigned long long)demo_segments(d));
    if (left > 0)
        printf("Beckon closed first, so TIME-WAIT is on its side: %.0f s of 2 x %u s are left.\n", left, d->msl_s);
    else
        printf("Beckon closed first, and its TIME-WAIT of 2 x %u s is over.\n", d->msl_s);
}

int demo_tell(struct demo *d) {
    demo_tell_pages(d);
    int r = demo_tell_ladder(d);
    putchar('\n');
    double left = r < 0 ? 0 : demo_tell_table(d);
    if (left < 0) r = (int)left;
    if (d->pcap) printf("The capture, with a reason for each segment: wireshark %s\n\n", d->pcap);
    demo_tell_end(d, left);
    return r;
}

static json_t *demo_json_page(const struct demo *d, size_t i) {
    const struct demo_page *p = &d->page[i];
    return json_pack("{s:s,s:i,s:I,s:b,s:b}", "path", d->pages.page[i].path, "status", p->status, "bytes",
                     (json_int_t)p->length, "intact", p->intact, "new_connection", p->new_connection);
}

int demo_tell_json(struct demo *d, const char *why_not) {
    for (size_t i = 0; i < d->server_events.count; i++)
        bk_event_json(&d->server_events.event[i], "server", bk_text_to_file, stdout);
    for (size_t i = 0; i < d->client_events.count; i++)
        bk_event_json(&d->client_events.event[i], "client", bk_text_to_file, stdout);
    struct bk_text text = {0};
    double left = 0;
    int r = demo_table(d, &text, &left);
    if (r == 0 && text.data) fputs(text.data, stdout);
    bk_text_free(&text);
    json_t *pages = json_array();
    for (size_t i = 0; i < SITE_PAGES; i++) json_array_append_new(pages, demo_json_page(d, i));
    json_t *result = json_pack("{s:s,s:s,s:s,s:o,s:I,s:f}", "result", demo_worked(d) ? "worked" : "failed", "link",
                               d->client_stack ? "memory" : "tap", "why", d->failure[0] ? d->failure : why_not, "pages",
                               pages, "segments", (json_int_t)demo_segments(d), "time_wait_left_s", left);
    if (!result) return r < 0 ? r : -ENOMEM;
    json_dumpf(result, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(result);
    return r;
}

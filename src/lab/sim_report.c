/* A run as files: the scenario as text, the ladder of one connection, and a capture of all frames with why they were sent. The run is made
 * again with the trace on, which must change nothing. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/common.h"
#include "beckon/ladder.h"
#include "lab/sim.h"
#include "link/pcapng.h"

#define REPORT_EVENTS      4096u
#define REPORT_CONNECTIONS 65536u
#define REPORT_RAW         101u /* link types of pcapng: IP packets, Ethernet */
#define REPORT_ETHERNET    1u

/* ---- the capture ----------------------------------------------------------------------------------- */

static void report_sent(void *context, uint32_t host, const uint8_t *frame, size_t length, uint16_t reason,
                        uint64_t now) {
    struct iovec iov = {.iov_base = (uint8_t *)(uintptr_t)frame, .iov_len = length};
    char comment[BK_REASON_COMMENT + 32];
    int n = snprintf(comment, sizeof comment, "host %u ", (unsigned)host);
    bk_reason_comment(reason, comment + n, sizeof comment - (size_t)n);
    pcapng_write(context, now, &iov, 1, PCAPNG_OUT, comment);
}

static struct pcapng *report_capture(const struct scenario *s, const char *path, int *error) {
    struct bk_capture_name names[SCENARIO_HOSTS + 1];
    char text[SCENARIO_HOSTS][16];
    for (uint32_t i = 0; i < s->hosts; i++) {
        snprintf(text[i], sizeof text[i], "host%u", (unsigned)i);
        names[i] = (struct bk_capture_name){sim_host_addr(s, i), text[i]};
    }
    names[s->hosts] = (struct bk_capture_name){.name = NULL};
    return pcapng_create(path, s->ethernet ? REPORT_ETHERNET : REPORT_RAW, "sim", names, error);
}

/* ---- the ladder ------------------------------------------------------------------------------------ */

/* A host's events with the world's time in place of the host's own. */
static struct bk_event *report_events(const struct sim_world *w, uint32_t host, size_t *count) {
    const struct sim_host *h = &w->host[host];
    const struct scenario_host *plan = &w->plan.host[host];
    const struct bk_event *from = host_events(h->host, count);
    struct bk_event *events = malloc((*count + 1) * sizeof *events);
    if (events == NULL) return NULL;
    if (*count > 0) memcpy(events, from, *count * sizeof *events);
    uint64_t jump = w->origin + plan->jump_us * NS_PER_US;
    for (size_t i = 0; i < *count && h->ahead != 0; i++)
        if (events[i].time > jump) events[i].time = u64_max(events[i].time - (uint64_t)h->ahead, jump);
    return events;
}

static bool report_connection(const struct bk_event *events, size_t count, const struct app_connection *c,
                              struct bk_ladder_connection *out) {
    struct bk_ladder_connection *all = malloc(REPORT_CONNECTIONS * sizeof *all);
    if (all == NULL) return false;
    size_t n = bk_ladder_connections(events, count, all, REPORT_CONNECTIONS);
    bool found = false;
    for (size_t i = 0; i < n && i < REPORT_CONNECTIONS && !found; i++) {
        *out = all[i];
        found = all[i].local_port == c->port[0] && all[i].remote_port == c->port[1];
    }
    free(all);
    return found;
}

int sim_ladder(const struct sim_world *w, const struct bk_ladder_options *options, FILE *to) {
    if (w->app.count == 0) return -ENOENT;
    const struct app_connection *c = &w->app.connection[w->fault_connection == APP_NOTHING ? 0 : w->fault_connection];
    struct bk_ladder_connection connection;
    char name[2][32];
    size_t count[2];
    struct bk_event *events[2];
    struct bk_ladder_side side[2];
    for (unsigned i = 0; i < 2; i++) {
        events[i] = report_events(w, c->host[i], &count[i]);
        snprintf(name[i], sizeof name[i], "host %u", c->host[i]);
        side[i] = (struct bk_ladder_side){name[i], events[i], count[i]};
    }
    int r = -ENOENT;
    if (events[0] == NULL || events[1] == NULL)
        r = -ENOMEM;
    else if (report_connection(events[0], count[0], c, &connection))
        r = bk_ladder(&side[0], &side[1], &connection, options, bk_text_to_file, to);
    free(events[0]);
    free(events[1]);
    return r;
}

/* ---- files ----------------------------------------------------------------------------------------- */

static int report_write(const struct sim_files *files, const char *suffix,
                        int (*write)(const struct sim_world *w, FILE *to), const struct sim_world *w) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s.%s", files->directory, files->name, suffix);
    FILE *f = fopen(path, "w");
    if (f == NULL) return -errno;
    int r = write(w, f);
    if (fclose(f) != 0 && r == 0) r = -errno;
    return r;
}

static int report_scenario(const struct sim_world *w, FILE *to) {
    if (w->fault.found) fprintf(to, "# %s\n", w->fault.text);
    scenario_write(&w->plan, to);
    return ferror(to) ? -EIO : 0;
}

static int report_ladder(const struct sim_world *w, FILE *to) {
    const struct bk_ladder_options options = {.width = 120, .all_reasons = true};
    if (w->fault.found) fprintf(to, "%s\n\n", w->fault.text);
    int r = sim_ladder(w, &options, to);
    if (r == -ENOENT) fputs("No connection was opened.\n", to);
    return r == -ENOENT ? 0 : r;
}

int sim_write_files(const struct scenario *s, const struct sim_files *files, const struct sim_result *expected) {
    struct sim_options options = {.trace_events = REPORT_EVENTS};
    char path[PATH_MAX];
    const char *why = NULL;
    int error = 0;
    struct pcapng *capture = NULL;
    if (files->capture) {
        snprintf(path, sizeof path, "%s/%s.pcapng", files->directory, files->name);
        capture = report_capture(s, path, &error);
        if (capture == NULL) return error;
        options.hooks = (struct sim_hooks){.sent = report_sent, .context = capture};
    }
    struct sim_world *w = sim_world_new(s, &options, &why);
    if (w != NULL) {
        struct fault fault = {0};
        sim_run_world(w, &fault);
        if (fault.found) w->fault = fault;
        if (files->scenario) error = report_write(files, "scenario", report_scenario, w);
        if (error == 0 && files->ladder) error = report_write(files, "ladder", report_ladder, w);
        if (error == 0 && w->digest != expected->digest) error = -EPROTO;
    }
    int r = pcapng_close(capture);
    if (w == NULL) return -ENOMEM;
    sim_world_free(w);
    return error != 0 ? error : r;
}

/* What `beckon sim` says: see sim.h. Results go to standard output, as text or as JSON, one object a line; progress to standard error. */
#define _GNU_SOURCE 1
#include "cmd/sim.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/common.h"

#define TELL_BAR 30u

static double tell_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- progress -------------------------------------------------------------------------------------- */

void sim_tell_progress(void *context, const struct sim_range *range) {
    static double began;
    const struct sim_command *c = context;
    if (began == 0) began = tell_seconds();
    double total = (double)(range->last - range->first) + 1, done = (double)range->done;
    double rate = done / (tell_seconds() - began + 1e-9);
    char bar[TELL_BAR + 1];
    for (uint32_t i = 0; i < TELL_BAR; i++) bar[i] = i < (uint32_t)(done / total * TELL_BAR) ? '#' : '.';
    bar[TELL_BAR] = '\0';
    fprintf(stderr, "\r%s %3.0f %%  %.0f of %.0f seeds, %.0f/s", bar, 100 * done / total, done, total, rate);
    if (rate > 0 && done > 0) fprintf(stderr, ", %.0f s left", (total - done) / rate);
    if (range->failed_count > 0) fprintf(stderr, ", %u failed", (unsigned)range->failed_count);
    fputs("\033[K", stderr);
    (void)c;
}

void sim_tell_progress_end(const struct sim_command *c) {
    if (c->progress) fputs("\r\033[K", stderr);
}

void sim_tell_shrinking(void *context, uint32_t runs) {
    const struct sim_command *c = context;
    if (c->progress && runs % 64 == 0) fprintf(stderr, "\rmaking it smaller: %u runs\033[K", (unsigned)runs);
}

/* ---- a range --------------------------------------------------------------------------------------- */

static void tell_json(json_t *object) {
    if (object == NULL) return;
    json_dumpf(object, stdout, JSON_COMPACT);
    json_decref(object);
    putchar('\n');
}

void sim_tell_range(const struct sim_command *c, const struct sim_range *r, double seconds) {
    const struct sim_statistics *s = &r->sum;
    if (c->json) {
        tell_json(json_pack("{s:I,s:I,s:I,s:i,s:I,s:I,s:I,s:I,s:I,s:f}", "first", (json_int_t)r->first, "last",
                            (json_int_t)r->last, "done", (json_int_t)r->done, "failed", (int)r->failed_count,
                            "completed", (json_int_t)s->completed, "not_completed", (json_int_t)s->broken, "frames",
                            (json_int_t)s->frames, "events", (json_int_t)s->events, "octets", (json_int_t)s->octets,
                            "seconds", seconds));
        return;
    }
    printf("%" PRIu64 " seeds in %.1f s (%.0f/s): %" PRIu64 " frames, %" PRIu64 " connections (%" PRIu64
           " of them reset, given up or cut off), %" PRIu64 " octets delivered\n",
           r->done, seconds, (double)r->done / (seconds + 1e-9), s->frames, s->completed + s->broken, s->broken,
           s->octets);
    if (r->failed_count == 0)
        printf("clean\n");
    else
        printf("%u failing seed%s\n", (unsigned)r->failed_count, r->failed_count == 1 ? "" : "s");
}

static json_t *tell_scenario(const struct scenario *s) {
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (f == NULL) return json_null();
    scenario_write(s, f);
    fclose(f);
    json_t *string = json_string(text);
    free(text);
    return string;
}

void sim_tell_failure(const struct sim_command *c, uint64_t seed, const struct fault *fault,
                      const struct scenario *small, const struct sim_result *result, const char *files) {
    if (c->json) {
        tell_json(json_pack("{s:I,s:s,s:s,s:o,s:s}", "seed", (json_int_t)seed, "fault", fault->text, "small_fault",
                            result->fault.text, "scenario", tell_scenario(small), "files", files));
        return;
    }
    printf("\nseed %" PRIu64 ": %s\n", seed, fault->text);
    printf("%s, in %" PRIu64 " frames: %s\n\n", c->no_shrink ? "as it is" : "made small", result->statistics.frames,
           result->fault.text);
    scenario_write(small, stdout);
    if (files[0] != '\0')
        printf("\n%s.{scenario,ladder,pcapng} tell more; `beckon sim --scenario %s.scenario' runs it again\n", files,
               files);
}

/* ---- one run --------------------------------------------------------------------------------------- */

static void tell_run_json(const struct sim_result *r, const struct scenario *s, double seconds) {
    const struct sim_statistics *t = &r->statistics;
    char digest[24];
    snprintf(digest, sizeof digest, "%016" PRIx64, r->digest);
    tell_json(json_pack("{s:I,s:s,s:s,s:I,s:I,s:I,s:f,s:I,s:I,s:I,s:f,s:o}", "seed", (json_int_t)s->seed, "fault",
                        r->fault.text, "digest", digest, "events", (json_int_t)t->events, "frames",
                        (json_int_t)t->frames, "octets", (json_int_t)t->octets, "virtual_seconds",
                        (double)t->virtual_ns / 1e9, "completed", (json_int_t)t->completed, "not_completed",
                        (json_int_t)t->broken, "given_up", (json_int_t)t->given_up, "seconds", seconds, "scenario",
                        tell_scenario(s)));
}

void sim_tell_run(const struct sim_command *c, const struct scenario *s, const struct sim_result *r, double seconds) {
    const struct sim_statistics *t = &r->statistics;
    const struct path_counters *p = &r->paths;
    if (c->json) {
        tell_run_json(r, s, seconds);
        return;
    }
    printf("%" PRIu64 " frames and %" PRIu64 " events in %.3f s of virtual time, run in %.3f s; digest %016" PRIx64
           "\n",
           t->frames, t->events, (double)t->virtual_ns / 1e9, seconds, r->digest);
    printf("connections: %" PRIu64 " completed, %" PRIu64 " not (%" PRIu64 " ends were given up by their users)",
           t->completed, t->broken, t->given_up);
    printf("; %" PRIu64 " octets delivered\n", t->octets);
    printf("paths: %" PRIu64 " frames entered, %" PRIu64 " left, %" PRIu64 " lost, %" PRIu64
           " met a full queue, %" PRIu64 " dropped and %" PRIu64 " marked by CoDel,\n       %" PRIu64
           " doubled, %" PRIu64 " reordered, %" PRIu64 " damaged, %" PRIu64 " too big, %" PRIu64 " while down\n",
           p->entered, p->left, p->lost, p->overflowed, p->dropped_aqm, p->marked, p->duplicated, p->reordered,
           p->corrupted, p->too_big, p->down);
    printf("%s%s\n", r->fault.found ? "fault: " : "clean", r->fault.text);
}

void sim_tell_list(void) {
    for (uint32_t i = 0; i < scenario_preset_count; i++)
        printf("%-14s %s\n", scenario_presets[i].name, scenario_presets[i].about);
}

/* The golden table as text and as JSON: see goodput.h. What stands in a row is what changes fastest among the cells; a blank line stands where the
 * slowest axis changes. A figure that does not keep its limit is marked with `!`. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/common.h"
#include "cmd/goodput.h"

static void tell_mark(const struct goodput_cell *c, FILE *to) {
    fputc(goodput_keeps(c) ? ' ' : '!', to);
}

static void tell_loss_name(const struct goodput_cell *c, char *out, size_t size) {
    snprintf(out, size, c->loss_ppm == 0 ? "none" : "%g %% %s", c->loss_ppm / 1e4, c->bursty ? "bursty" : "random");
}

/* A row for each controller: got and theory's for each buffer. Cells come buffer by buffer. */
static void tell_loss(const struct goodput_cell *cells, uint32_t count, FILE *to) {
    fputs("Goodput of one flow, as a part of a link of 100 Mbit/s, and what theory says (after `/')\n\n"
          "RTT     loss           controller      buffers 64K              1M            auto\n",
          to);
    for (uint32_t i = 0; i < count; i++) {
        const struct goodput_cell *c = &cells[i];
        char loss[32];
        tell_loss_name(c, loss, sizeof loss);
        if (c->buffer == GOODPUT_64K) {
            if (i > 0 && c->rtt_ms != cells[i - 1].rtt_ms) fputc('\n', to);
            fprintf(to, "%3u ms  %-13s  %-10s ", (unsigned)c->rtt_ms, loss, goodput_controller_names[c->controller[0]]);
        }
        fprintf(to, "   %.3f / %.3f", c->goodput, c->theory);
        tell_mark(c, to);
        if (c->buffer == GOODPUT_AUTO) fputc('\n', to);
    }
    fputs("\n\n", to);
    goodput_tell_limits(to);
}

static void tell_fairness(const struct goodput_cell *cells, uint32_t count, FILE *to) {
    fputs("Two flows on a link of 20 Mbit/s, RTT 40 ms, the second one 2 s later; measured from 10 s to 40 s\n\n"
          "first    second   queue   first's share   Jain's index   of the link\n",
          to);
    for (uint32_t i = 0; i < count; i++) {
        const struct goodput_cell *c = &cells[i];
        fprintf(to, "%-7s  %-7s  %-5s  %14.3f  %12.3f", goodput_controller_names[c->controller[0]],
                goodput_controller_names[c->controller[1]], goodput_queue_names[c->queue], c->share, c->jain);
        tell_mark(c, to);
        fprintf(to, " %12.3f\n", c->goodput);
    }
}

static void tell_queue(const struct goodput_cell *cells, uint32_t count, FILE *to) {
    fputs("How long frames of one flow wait before a link of 20 Mbit/s, RTT 40 ms, ms\n\n"
          "controller   queue     mean      p95   of the link\n",
          to);
    for (uint32_t i = 0; i < count; i++) {
        const struct goodput_cell *c = &cells[i];
        fprintf(to, "%-10s   %-5s  %7.2f  %7.1f", goodput_controller_names[c->controller[0]],
                goodput_queue_names[c->queue], c->queue_mean_ms, c->queue_p95_ms);
        tell_mark(c, to);
        fprintf(to, " %12.3f\n", c->goodput);
    }
}

static void tell_recovery(const struct goodput_cell *cells, uint32_t count, FILE *to) {
    fputs("From the first loss to the ACK of all that was outstanding at the last one, one flow with buffers of 64K\n\n"
          "controller   RTT     lost             ms     RTTs   least RTTs\n",
          to);
    for (uint32_t i = 0; i < count; i++) {
        const struct goodput_cell *c = &cells[i];
        char lost[24] = "1 at the tail";
        if (c->losses > 0) snprintf(lost, sizeof lost, "%u in a window", (unsigned)c->losses);
        fprintf(to, "%-10s  %3u ms  %-13s  %9.1f  %6.2f", goodput_controller_names[c->controller[0]],
                (unsigned)c->rtt_ms, lost, c->recovery_ms, c->recovery_ms / c->rtt_ms);
        tell_mark(c, to);
        fprintf(to, "  %7.2f\n", c->theory / c->rtt_ms);
    }
}

void goodput_tell(const struct goodput_cell *cells, uint32_t count, FILE *to) {
    static void (*const tell[])(const struct goodput_cell *cells, uint32_t count,
                                FILE *to) = {tell_loss, tell_fairness, tell_queue, tell_recovery};
    for (uint32_t i = 0, n; i < count; i += n) {
        for (n = 1; i + n < count && cells[i + n].group == cells[i].group;) n++;
        if (i > 0) fputs("\n\n", to);
        tell[cells[i].group](cells + i, n, to);
    }
}

void goodput_name(const struct goodput_cell *c, char *out, size_t size) {
    const char *group = goodput_group_names[c->group], *controller = goodput_controller_names[c->controller[0]];
    char loss[32];
    tell_loss_name(c, loss, sizeof loss);
    if (c->group == GOODPUT_LOSS)
        snprintf(out, size, "%s, %s, buffers %s, RTT %u ms, loss %s", group, controller,
                 goodput_buffer_names[c->buffer], (unsigned)c->rtt_ms, loss);
    else if (c->group == GOODPUT_FAIRNESS)
        snprintf(out, size, "%s, %s and %s, queue %s", group, controller, goodput_controller_names[c->controller[1]],
                 goodput_queue_names[c->queue]);
    else if (c->group == GOODPUT_QUEUE)
        snprintf(out, size, "%s, %s, %s, p95 in ms", group, controller, goodput_queue_names[c->queue]);
    else
        snprintf(out, size, "%s, %s, RTT %u ms, lost %u%s, ms", group, controller, (unsigned)c->rtt_ms,
                 (unsigned)u32_max(c->losses, 1), c->losses == 0 ? " at the tail" : "");
}

/* JSON knows no infinity. */
static json_t *tell_real(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *tell_object(const struct goodput_cell *c) {
    json_t *o = json_pack("{s:s, s:s, s:i, s:f, s:o, s:b}", "group", goodput_group_names[c->group], "controller",
                          goodput_controller_names[c->controller[0]], "rtt_ms", (int)c->rtt_ms, "goodput", c->goodput,
                          "limit", tell_real(c->limit), "keeps", (int)goodput_keeps(c));
    if (o == NULL) return NULL;
    if (c->group == GOODPUT_LOSS)
        json_object_update_new(o, json_pack("{s:s, s:f, s:b, s:f}", "buffer", goodput_buffer_names[c->buffer],
                                            "loss_percent", c->loss_ppm / 1e4, "bursty", (int)c->bursty, "theory",
                                            c->theory));
    if (c->group == GOODPUT_FAIRNESS)
        json_object_update_new(o,
                               json_pack("{s:s, s:s, s:f, s:f}", "second", goodput_controller_names[c->controller[1]],
                                         "queue", goodput_queue_names[c->queue], "share", c->share, "jain", c->jain));
    if (c->group == GOODPUT_QUEUE)
        json_object_update_new(o, json_pack("{s:s, s:f, s:f}", "queue", goodput_queue_names[c->queue], "queue_mean_ms",
                                            c->queue_mean_ms, "queue_p95_ms", c->queue_p95_ms));
    if (c->group == GOODPUT_RECOVERY)
        json_object_update_new(o, json_pack("{s:i, s:o, s:f}", "losses", (int)c->losses, "recovery_ms",
                                            tell_real(c->recovery_ms), "least_ms", c->theory));
    return o;
}

void goodput_tell_json(const struct goodput_cell *cells, uint32_t count, FILE *to) {
    for (uint32_t i = 0; i < count; i++) {
        json_t *o = tell_object(&cells[i]);
        if (o == NULL) return;
        json_dumpf(o, to, JSON_COMPACT | JSON_REAL_PRECISION(6));
        json_decref(o);
        fputc('\n', to);
    }
}

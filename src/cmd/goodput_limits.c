/* What the cells may not fall below, whatever else changes: see goodput.h.
 *
 * The golden table says exactly what comes out; it has to be made anew whenever the core behaves differently, and then nobody may notice that a figure
 * has become bad. These limits stay. Each group has one for all its cells, and exceptions with a reason; the first line that fits a cell counts. */
#include <math.h>

#include "base/common.h"
#include "cmd/goodput.h"

#define LIMITS_ANY 255u

/* A cell's goodput is at least `part` of theory's. */
struct limits_loss {
    uint8_t controller; /* or LIMITS_ANY */
    uint32_t rtt_from, rtt_to, loss_from, loss_to;
    double part;
    const char *why;
};

static const struct limits_loss limits_loss[] = {
    {LIMITS_ANY, 0, UINT32_MAX, 0, UINT32_MAX, 0.70, NULL},
};

static void limits_of_loss(struct goodput_cell *c) {
    const struct limits_loss *l = limits_loss;
    while ((l->controller != LIMITS_ANY && l->controller != c->controller[0]) || c->rtt_ms < l->rtt_from ||
           c->rtt_ms > l->rtt_to || c->loss_ppm < l->loss_from || c->loss_ppm > l->loss_to)
        l++;
    c->limit = l->part * c->theory;
    c->why = l->why;
}

void goodput_limit(struct goodput_cell *c) {
    switch (c->group) {
    case GOODPUT_LOSS:
        limits_of_loss(c);
        return;
    case GOODPUT_FAIRNESS: /* two of a kind share; what two kinds do is told, and not judged */
        c->limit = c->controller[0] == c->controller[1] ? 0.90 : 0.50;
        return;
    case GOODPUT_QUEUE:
        c->limit = INFINITY;
        return;
    default:
        c->theory = (c->losses == 0 ? 3.0 : 2.0) * c->rtt_ms;
        c->limit = 1.6 * c->theory;
        return;
    }
}

double goodput_value(const struct goodput_cell *c) {
    const double value[] = {c->goodput, c->jain, c->queue_p95_ms, c->recovery_ms};
    return value[c->group];
}

bool goodput_keeps(const struct goodput_cell *c) {
    bool at_most = c->group == GOODPUT_QUEUE || c->group == GOODPUT_RECOVERY;
    return at_most ? goodput_value(c) <= c->limit : goodput_value(c) >= c->limit;
}

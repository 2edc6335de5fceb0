/* What the cells may not fall below, whatever else changes: see goodput.h.
 *
 * The golden table says exactly what comes out; it has to be made anew whenever the core behaves differently, and then nobody may notice that a figure
 * has become bad. These limits stay. Each group has one for all its cells; goodput has exceptions with a reason, and the first line that fits a
 * cell counts. */
#include <math.h>

#include "base/common.h"
#include "cmd/goodput.h"

#define LIMITS_ANY 255u

/* A cell's goodput is at least `part` of theory's. */
struct limits_loss {
    uint8_t controller; /* or LIMITS_ANY */
    uint8_t bursty;     /* 0, 1, or LIMITS_ANY */
    uint32_t rtt_ms[2], loss_ppm[2];
    double part;
    const char *why;
};

static const struct limits_loss limits_loss[] = {
    {THEORY_BBR, LIMITS_ANY, {1, 10}, {50000, 50000}, 0.25, "BBR gives way where more than 2 % is lost"},
    {THEORY_BBR,
     LIMITS_ANY,
     {100, 1000},
     {50000, 50000},
     0.01,
     "and finds a long path's rate again only after many rounds"},
    {THEORY_BBR,
     LIMITS_ANY,
     {100, 1000},
     {1, 10000},
     0.35,
     "a hole holds what was sent for another round trip, and 4 MiB are less than two of them at 300 ms"},
    {THEORY_BBR,
     LIMITS_ANY,
     {10, 10},
     {10000, 10000},
     0.50,
     "a loss holds a small window for a round trip, which theory leaves out"},
    {LIMITS_ANY, 1, {1, 1}, {50000, 50000}, 0.03, "bursts take whole windows, and a timeout is 200 round trips"},
    {LIMITS_ANY, LIMITS_ANY, {1, 1}, {10000, 50000}, 0.40, "theory knows no timeouts, and one is 200 round trips"},
    {LIMITS_ANY,
     LIMITS_ANY,
     {10, 1000},
     {50000, 50000},
     0.35,
     "theory knows no timeouts, and windows of a few segments end in them"},
    {LIMITS_ANY, LIMITS_ANY, {0, 1000}, {0, 1000000}, 0.70, NULL},
};

static bool limits_fit(const struct limits_loss *l, const struct goodput_cell *c) {
    return (l->controller == LIMITS_ANY || l->controller == c->controller[0]) &&
           (l->bursty == LIMITS_ANY || l->bursty == c->bursty) && c->rtt_ms >= l->rtt_ms[0] &&
           c->rtt_ms <= l->rtt_ms[1] && c->loss_ppm >= l->loss_ppm[0] && c->loss_ppm <= l->loss_ppm[1];
}

/* Two of a kind share, or are on the way there: in a deep queue CUBIC needs longer than a run. Of two kinds none starves. */
static double limits_jain(const struct goodput_cell *c) {
    return c->controller[0] == c->controller[1] ? 0.80 : 0.60;
}

/* What fills the queue fills it; CoDel keeps short what heeds it, and BBR does by itself: to a bandwidth-delay product and a half. */
static double limits_queue(const struct goodput_cell *c) {
    if (c->controller[0] == THEORY_BBR) return 1.5 * c->rtt_ms;
    return c->queue == GOODPUT_CODEL ? 20 : INFINITY;
}

void goodput_limit(struct goodput_cell *c) {
    const struct limits_loss *l = limits_loss;
    switch (c->group) {
    case GOODPUT_LOSS:
        while (!limits_fit(l, c)) l++;
        c->limit = l->part * c->theory;
        c->why = l->why;
        return;
    case GOODPUT_FAIRNESS:
        c->limit = limits_jain(c);
        return;
    case GOODPUT_QUEUE:
        c->limit = limits_queue(c);
        return;
    default: /* a probe for the last segment alone waits for the ACK that may be delayed (RFC 8985 7.2) */
        c->theory = (c->losses == 0 ? 3.0 : 2.0) * c->rtt_ms;
        c->limit = c->losses == 0 ? c->theory + 300 : 1.6 * c->theory;
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

void goodput_tell_limits(FILE *to) {
    fputs("Limits of goodput, as parts of what theory says\n\n", to);
    for (size_t i = 0; i < BK_COUNT(limits_loss); i++) {
        const struct limits_loss *l = &limits_loss[i];
        if (l->why == NULL) {
            fprintf(to, "%.2f  all others\n", l->part);
            continue;
        }
        fprintf(to, "%.2f  %s, RTT %u to %u ms, loss %g to %g %%%s: %s\n", l->part,
                l->controller == LIMITS_ANY ? "any" : goodput_controller_names[l->controller], (unsigned)l->rtt_ms[0],
                (unsigned)l->rtt_ms[1], l->loss_ppm[0] / 1e4, l->loss_ppm[1] / 1e4,
                l->bursty == LIMITS_ANY ? ""
                : l->bursty             ? " bursty"
                                        : " random",
                l->why);
    }
}

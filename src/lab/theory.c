/* What theory says: see theory.h.
 *
 * Response functions tell the average window, in segments, at a rate p of signals of congestion. A burst falls into one round trip and is one
 * signal, so p is the loss divided by the length of a burst.
 *
 *     NewReno    sqrt(3/2) / sqrt(p)                      Mathis et al. 1997, each ACK counted by its octets; that of
 *                                                         an increase by one segment a round trip and a decrease by 1/2
 *     CUBIC      (C (3 + beta) / (4 (1 - beta)))^(1/4) (RTT / p)^(3/4), C = 0.4, beta = 0.7: RFC 9438 5;
 *                where NewReno's is larger, that one (its Reno-friendly region, 4.3)
 *     BBR        loss is no signal below 2 %: what is lost has to be sent again, and nothing else is
 */
#include "lab/theory.h"

#include <math.h>

#define THEORY_CUBIC_C    0.4
#define THEORY_CUBIC_BETA 0.7

static double theory_newreno_window(double p) {
    return sqrt(1.5 / p);
}

static double theory_cubic_window(double p, double rtt) {
    double factor = THEORY_CUBIC_C * (3 + THEORY_CUBIC_BETA) / (4 * (1 - THEORY_CUBIC_BETA));
    return fmax(pow(factor, 0.25) * pow(rtt / p, 0.75), theory_newreno_window(p));
}

double theory_goodput(enum theory_controller controller, const struct theory_path *path) {
    double part = 1;
    if (path->buffer > 0) part = fmin(part, path->buffer / path->rtt / path->rate);
    if (path->loss <= 0) return part;
    if (controller == THEORY_BBR) return fmin(part, 1 - path->loss);
    double p = path->loss / path->burst;
    double window = controller == THEORY_CUBIC ? theory_cubic_window(p, path->rtt) : theory_newreno_window(p);
    return fmin(part, window * path->mss / path->rtt / path->rate);
}

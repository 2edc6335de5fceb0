/* Making a failing scenario small: each way of making it simpler (scenario_reduce) is tried, and kept if the same kind of fault is still found; again
 * and again, until none is. A fault that was only found with stacks that move is looked for with moves. */
#include <stdlib.h>

#include "base/common.h"
#include "lab/sim.h"

struct shrink {
    struct scenario best;
    struct sim_result result; /* of the best */
    const struct sim_options *options;
    uint32_t runs, most;
    void (*progress)(void *context, uint32_t runs);
    void *context;
};

static void shrink_run(const struct shrink *k, const struct scenario *s, struct sim_result *result) {
    if (k->options != NULL)
        sim_run(s, k->options, result);
    else
        sim_check(s, result);
}

/* Whether this one fails in the same way; then it is the best. */
static bool shrink_try(struct shrink *k, const struct scenario *s) {
    struct sim_result result;
    if (scenario_wrong(s) != NULL) return false;
    k->runs++;
    shrink_run(k, s, &result);
    if (k->progress != NULL) k->progress(k->context, k->runs);
    if (!sim_same_kind(&result.fault, &k->result.fault)) return false;
    k->best = *s;
    k->result = result;
    return true;
}

/* Each way once; those that helped once more at once. Returns whether any helped. */
static bool shrink_round(struct shrink *k) {
    bool helped = false;
    struct scenario *s = malloc(sizeof *s);
    if (s != NULL) *s = k->best;
    for (uint32_t n = 0; s != NULL && k->runs < k->most;) {
        int r = scenario_reduce(s, n);
        if (r < 0) break;
        if (r > 0 && shrink_try(k, s)) {
            helped = true;
            continue;
        }
        if (r > 0) *s = k->best;
        n++;
    }
    free(s);
    return helped;
}

void sim_shrink(struct scenario *s, const struct sim_options *options, uint32_t runs, struct sim_result *result,
                void (*progress)(void *context, uint32_t runs), void *context) {
    struct shrink *k = malloc(sizeof *k);
    if (k == NULL) return;
    *k = (struct shrink){.best = *s, .options = options, .most = runs, .progress = progress, .context = context};
    shrink_run(k, s, &k->result);
    while (k->result.fault.found && k->runs < k->most && shrink_round(k)) {
    }
    *s = k->best;
    *result = k->result;
    free(k);
}

/* Runs a program against two sides and compares; makes programs with a finding shorter. See differ.h. */
#include <stdio.h>

#include "base/common.h"
#include "lab/differ.h"

static uint32_t segments_of(const struct differ_step *s) {
    return s->kind == DIFFER_SEGMENT ? 1 : s->kind == DIFFER_FILL ? DIFFER_SMALL / 1000 : 0;
}

/* Whether the connection has no user any more: closed, and none accepted or opened since. */
static bool is_orphan_after(bool orphan, const struct differ_step *s, const char *outcome) {
    if (s->kind != DIFFER_CALL || strncmp(outcome, "[0]", 3) != 0) return orphan;
    return s->call == DIFFER_CLOSE || (orphan && s->call != DIFFER_ACCEPT && s->call != DIFFER_CONNECT);
}

void differ_run(const struct differ_program *p, struct differ_side *const sides[2], uint16_t port,
                struct differ_result *r) {
    struct differ_peer peer[2];
    const char *state = "CLOSED";
    r->segments = r->lines = 0;
    r->different = false;
    r->class_of = NULL;
    for (uint32_t i = 0; i < 2; i++) {
        sides[i]->begin(sides[i], p, port);
        differ_peer_begin(&peer[i], p, port);
    }
    bool orphan = false;
    for (uint32_t i = 0; i < p->count && !r->different; i++) {
        struct differ_line *line = &r->line[r->lines++];
        snprintf(line->state, sizeof line->state, "%s%s", state,
                 orphan && strcmp(state, "FIN-WAIT-2") == 0 ? " orphan" : "");
        differ_step_text(&p->step[i], line->step);
        for (uint32_t j = 0; j < 2; j++) differ_peer_step(&peer[j], sides[j], &p->step[i], line->outcome[j]);
        r->segments += segments_of(&p->step[i]);
        r->different = strcmp(line->outcome[0], line->outcome[1]) != 0;
        orphan = is_orphan_after(orphan, &p->step[i], line->outcome[0]);
        state = bk_state_name(peer[0].state);
        if (r->different) r->class_of = differ_classify(line->state, line->step, line->outcome[0], line->outcome[1]);
    }
    for (uint32_t i = 0; i < 2; i++) sides[i]->end(sides[i]);
}

/* ---- shrinking ------------------------------------------------------------------------------------- */

static bool same_difference(const struct differ_result *a, const struct differ_result *b) {
    const struct differ_line *x = &a->line[a->lines - 1], *y = &b->line[b->lines - 1];
    return b->different && strcmp(x->state, y->state) == 0 && strcmp(x->step, y->step) == 0 &&
           strcmp(x->outcome[0], y->outcome[0]) == 0 && strcmp(x->outcome[1], y->outcome[1]) == 0;
}

void differ_shrink(struct differ_program *p, struct differ_result *r, differ_run_fn *run, void *context) {
    if (!r->different) return;
    p->count = r->lines;
    for (uint32_t n = 2; n > 0; n--)
        for (uint32_t at = 0; at + n < p->count;) { /* the last step is the one that shows it */
            struct differ_program shorter = *p;
            static struct differ_result result;
            differ_program_cut(&shorter, at, n);
            run(context, &shorter, &result);
            if (same_difference(r, &result)) {
                *p = shorter;
                *r = result;
            } else
                at++;
        }
}

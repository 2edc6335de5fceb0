/* Time and frames: what happens between two events of a script.
 *
 * Time goes from one due time to the next: the stack's deadlines, that of the call that waits, that of the event that comes next. At each, the stack is
 * advanced, its news go to the sockets, the call that waits is tried if it was woken, and frames are taken until there are no more. */
#include "lab/script_runner.h"

#include <stdlib.h>
#include <string.h>

#include "base/common.h"
#include "lab/script_call.h"
#include "link/pcapng.h"

#define SCRIPT_UNITS 32u
#define SCRIPT_TURNS 100000u /* at one time, after which something goes in circles */

static struct script_seen *script_seen_room(struct script_run *r) {
    if (r->seen_first == r->seen_count) r->seen_first = r->seen_count = 0;
    if (r->seen_count == r->seen_room) {
        size_t room = 2 * r->seen_room + 64;
        struct script_seen *more = realloc(r->seen, room * sizeof *more);
        if (more == NULL) abort();
        r->seen = more;
        r->seen_room = room;
    }
    return &r->seen[r->seen_count];
}

static void script_take_frame(struct script_run *r, const struct bk_tx *unit, uint32_t i) {
    size_t n = bk_tx_write(r->stack, unit, i, r->frame, sizeof r->frame);
    struct script_seen *s = script_seen_room(r);
    if (r->pcap != NULL) {
        char comment[BK_REASON_COMMENT];
        bk_reason_comment(unit->reason, comment, sizeof comment);
        const struct iovec iov = {.iov_base = r->frame, .iov_len = n};
        pcapng_write(r->pcap, r->now, &iov, 1, PCAPNG_OUT, comment);
    }
    if (!script_wire_read(r->frame, n, s)) return;
    s->time = r->now;
    s->reason = unit->reason;
    r->seen_count++;
}

static size_t script_take_units(struct script_run *r) {
    struct bk_tx units[SCRIPT_UNITS];
    uint32_t ids[SCRIPT_UNITS];
    size_t n = bk_output(r->stack, r->iface, units, SCRIPT_UNITS, r->now);
    for (size_t k = 0; k < n; k++) {
        ids[k] = units[k].id;
        for (uint32_t i = 0; i < bk_tx_count(&units[k]); i++) script_take_frame(r, &units[k], i);
    }
    bk_output_done(r->stack, ids, n);
    return n;
}

static void script_trace(struct script_run *r) {
    if (r->settings.stack.trace_events == 0) return;
    for (size_t n = 1; n != 0; r->trace_count += n) {
        if (r->trace_room - r->trace_count < 64) {
            size_t room = 2 * r->trace_room + 256;
            struct bk_event *more = realloc(r->trace, room * sizeof *more);
            if (more == NULL) return;
            r->trace = more;
            r->trace_room = room;
        }
        n = bk_trace_read(r->stack, r->trace + r->trace_count, 64, NULL);
    }
}

bool script_settle(struct script_run *r) {
    for (uint32_t turn = 0; turn < SCRIPT_TURNS; turn++) {
        bk_sockets_pump(r->sockets, r->now);
        bool woken = false;
        while (bk_sockets_woken(r->sockets) != NULL) woken = true;
        if (r->pending != NULL && (woken || script_pending_due(r->pending) <= r->now) && !script_pending_try(r))
            return false;
        size_t n = script_take_units(r);
        script_trace(r);
        if (n == 0 && !woken) return true;
    }
    return script_fail(r, "the stack goes in circles at %.6f s", script_clock(r, r->now));
}

uint64_t script_due(const struct script_run *r) {
    uint64_t due = bk_next_deadline(r->stack);
    uint64_t call = r->pending != NULL ? script_pending_due(r->pending) : BK_NEVER;
    return call < due ? call : due;
}

/* Goes to the next time at which something is due, if that is before `until`. */
static bool script_step_to(struct script_run *r, uint64_t until, bool *stepped) {
    uint64_t due = script_due(r);
    *stepped = due <= until && due != BK_NEVER;
    if (!*stepped) return true;
    if (due > r->now) r->now = due;
    bk_advance(r->stack, r->now);
    return script_settle(r);
}

bool script_pass(struct script_run *r, uint64_t until) {
    bool more = script_settle(r);
    for (uint32_t turn = 0; more && !r->failed; turn++) {
        uint64_t before = r->now;
        if (!script_step_to(r, until, &more)) return false;
        if (r->now != before) turn = 0;
        if (turn > SCRIPT_TURNS) return script_fail(r, "a deadline at %.6f s does not pass", script_clock(r, r->now));
    }
    if (r->failed) return false;
    if (until > r->now) {
        r->now = until;
        bk_advance(r->stack, r->now);
    }
    return script_settle(r);
}

bool script_await(struct script_run *r, uint64_t until) {
    bool more = script_settle(r);
    while (more && r->pending != NULL && !r->failed)
        if (!script_step_to(r, until, &more)) return false;
    return !r->failed;
}

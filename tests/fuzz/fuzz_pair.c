/* Two stacks, fuzzed: the input chooses what they may hold, and then is a program of user calls on both sides, of what happens
 * to the frames in flight between them, of time, of how their devices behave, and of copies.
 *
 * After each operation what should leave is taken from both stacks (unless a device refuses, or the wire is full), so a
 * short program goes far. What must hold, besides that nothing crashes and no sanitizer complains:
 *   - after each operation the audit of src/lab/audit.h finds nothing on either side;
 *   - every frame that leaves is well-formed, and the watch of src/lab/watch.h finds nothing in either direction;
 *   - what is delivered is a prefix of what was sent, and the end of data comes at its end;
 *   - output ends, and nobody spins;
 *   - a copy of both used extents, run beside the original for some operations, sends the same frames, returns the same results,
 *     has the same deadlines, and is the same bytes in the end;
 *   - when the network has been kind for two hours and the users have read all that came, all has arrived that was sent;
 *   - when all have closed or aborted and a day has passed, on a working network or a dead one, every pool is empty.
 *
 * Into a connection with a forged segment anything may have been put: of that, only the first, the fourth, the fifth and the last are asked.
 */
#include "pair_world.h"

/* ---- operations ------------------------------------------------------------------------------------ */

static void side_waits(struct world *w, int s, uint32_t choice) {
    static const uint64_t steps[] = {NS_PER_US, NS_PER_MS,     40 * NS_PER_MS, 200 * NS_PER_MS,
                                     NS_PER_S,  10 * NS_PER_S, 60 * NS_PER_S,  600 * NS_PER_S};
    struct side *side = &w->side[s];
    uint64_t next = bk_next_deadline(side->stack);
    if (choice < 8) {
        side->now += steps[choice];
    } else if (choice < 12) {
        if (next != BK_NEVER && next > side->now) side->now = next;
    } else if (choice == 12 && w->jumps > 0) {
        w->jumps--; /* few, so that clocks stay within what timestamps can tell apart */
        side->now += 86400 * NS_PER_S;
    } else if (choice == 13) {
        w->disturbed = true; /* timestamps that come so late are old ones */
        side->now += 50 * 86400 * NS_PER_S;
    } else if (choice == 14) {
        bk_advance(side->stack, side->now - NS_PER_S); /* counts as now */
    }
    if (choice != 15 && !side->sleeps) bk_advance(side->stack, side->now);
}

static void time_passes(struct world *w, int s) {
    uint32_t choice = take(&w->in, 1);
    side_waits(w, s, choice & 15);
    if (choice & 128) side_waits(w, !s, choice & 15);
}

static void device_changes(struct world *w, int s) {
    struct side *side = &w->side[s];
    struct bk_tx unit;
    uint32_t choice = take(&w->in, 1);
    switch (choice % 8) {
    case 0:
        side->refuses = !side->refuses;
        break;
    case 1: /* it takes one unit and no more */
        side->refuses = true;
        if (w->in_flight < FLIGHT / 2 && bk_output(side->stack, 0, &unit, 1, side->now) == 1) {
            wire_take(w, s, &unit);
            bk_output_done(side->stack, &unit.id, 1);
        }
        break;
    case 2:
        side->keep = choice >> 3;
        break;
    case 3:
        side_let_go(side);
        break;
    case 4: /* one of those that it holds, the latest first */
        if (side->held_units > 0) bk_output_done(side->stack, &side->held_unit[--side->held_units], 1);
        break;
    case 5:
        side->sleeps = !side->sleeps;
        break;
    default: { /* it holds chunks: many, or all but a few */
        uint32_t n = HELD_CHUNKS - side->held_chunks, spare = choice >> 5;
        n = (uint32_t)bk_chunk_alloc(side->stack, side->held_chunk + side->held_chunks, n);
        side->held_chunks += n;
        if (spare > n) spare = n;
        side->held_chunks -= spare;
        bk_chunk_release(side->stack, side->held_chunk + side->held_chunks, spare);
        break;
    }
    }
}

static void network_acts(struct world *w, uint32_t what, uint32_t at) {
    switch (what) {
    case 0:
        wire_deliver(w, at, (uint8_t)take(&w->in, 1));
        break;
    case 1:
        wire_drop(w, at);
        break;
    case 2: /* a duplicate stays behind */
        if (at < w->in_flight && w->in_flight < FLIGHT) {
            w->flight[w->in_flight++] = w->flight[at];
            wire_deliver(w, at, 0);
        }
        break;
    case 3:
        wire_delay(w, at);
        break;
    case 4:
        wire_corrupt(w, at);
        break;
    case 5:
        wire_forge(w, at);
        break;
    case 6:
        wire_complain(w, at);
        break;
    default:
        if (at & 2)
            wire_deliver_in_fragments(w, (uint8_t)take(&w->in, 1));
        else
            wire_deliver_batch(w, at & 1);
        break;
    }
}

/* Whether a twin is asked for is for the caller to see to; there is none of a twin. */
static bool operation(struct world *w) {
    uint32_t op = take(&w->in, 1), what = op & 31, more = op >> 5;
    int s = more & 1;
    show(w, "operation", what);
    for (int i = 0; i < 2; i++) w->side[i].now += 5 * NS_PER_US; /* so that no two SYNs have the same number */
    if (what < 8)
        network_acts(w, what, more);
    else if (what < 12)
        world_run(w, more + 1);
    else if (what < 22)
        user_call(w, s);
    else if (what < 26)
        time_passes(w, s);
    else if (what < 28)
        device_changes(w, s);
    else if (what == 28)
        world_move(w, s);
    else if (what == 29)
        network_acts(w, take(&w->in, 1) % 8, take(&w->in, 1) % FLIGHT); /* anything in flight */
    else if (what == 30)
        users_look(w, s);
    else
        return true;
    side_attend(w, 0);
    side_attend(w, 1);
    world_audit(w);
    return false;
}

/* ---- twins ----------------------------------------------------------------------------------------- */

static void twins_must_agree(const struct world *a, const struct world *b, const size_t begun_with[2]) {
    MUST(a->digest == b->digest);
    for (int s = 0; s < 2; s++) {
        const struct side *x = &a->side[s], *y = &b->side[s];
        MUST(bk_used_extent(x->stack) == bk_used_extent(y->stack));
        /* Beyond, memory was taken into use that may hold different rubbish where nothing was written. */
        MUST(memcmp(x->stack, y->stack, begun_with[s]) == 0);
    }
}

/* Original and copy do the same for a while; one of them goes on alone, which is returned. */
static struct world *pair_twins(struct world *w, struct world *twin) {
    uint32_t choice = take(&w->in, 1);
    size_t begun_with[2] = {bk_used_extent(w->side[0].stack), bk_used_extent(w->side[1].stack)};
    w->twinned = true;
    w->digest = 0;
    world_copy(twin, w);
    for (uint32_t n = choice % 32; n > 0 && w->in.left > 0; n--) {
        operation(w);
        operation(twin);
        MUST(w->digest == twin->digest);
    }
    twins_must_agree(w, twin, begun_with);
    w->twinned = twin->twinned = false;
    return choice & 128 ? twin : w;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct world worlds[2];
    struct world *w = &worlds[0];
    memset(worlds, 0, sizeof worlds);
    w->in = (struct input){data, size};
    tracing = fuzz_tracing();
    uint32_t end = take(&w->in, 1);
    world_open(w, &worlds[1]);
    for (int steps = 0; w->in.left > 0 && steps < 300; steps++)
        if (operation(w)) w = pair_twins(w, &worlds[w == &worlds[0]]);
    if (end & 1) world_settle(w);
    world_close(w, end & 2, end & 4);
    return 0;
}

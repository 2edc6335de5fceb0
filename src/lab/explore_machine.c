/* One step of an exploration: see explore_machine.h. */
#include "lab/explore_machine.h"

#include <stdlib.h>

#include "base/common.h"
#include "lab/audit.h"
#include "wire/ip.h"

/* ---- the first state ------------------------------------------------------------------------------- */

static bool side_init(struct explore_machine *m, unsigned i, const struct explore_options *options) {
    struct explore_side *side = &m->side[i];
    struct bk_config config;
    explore_world_config(m->world, &config);
    config.trace_events = options->trace_events;
    side->size = bk_region_size(&config);
    side->region = aligned_alloc(4096, side->size);
    if (side->region == NULL) return false;
    memset(side->region, 0, side->size);
    uint8_t seed[32] = {(uint8_t)(1 + i)};
    memcpy(seed + 8, &options->seed, sizeof options->seed);
    const struct bk_iface_config iface = {.layer = BK_LAYER_IP, .mtu = 576};
    bk_addr addr = explore_addr(i);
    uint64_t now = options->start;
    int r = bk_create(side->region, side->size, &config, seed, now, &side->stack, NULL);
    BK_ASSERT(r == 0, "a world's configuration is valid");
    bk_iface_add(side->stack, &iface, now);
    bk_iface_address_add(side->stack, 0, &addr, 24, true, now);
    bk_advance(side->stack, now); /* steps of the address, none of which remain */
    return true;
}

/* A SYN of an incarnation that A's user has given up at once; the next one's numbers lie beyond it. */
static void put_old_syn(struct explore_machine *m) {
    struct bk_tcp_open open = {
        .remote = explore_addr(1), .local_port = EXPLORE_CLIENT_PORT, .remote_port = EXPLORE_SERVER_PORT};
    bk_conn conn;
    bk_tcp_connect(m->side[0].stack, &open, m->state.clock[0], &conn);
    explore_network_collect(m, 0);
    bk_tcp_abort(m->side[0].stack, conn, m->state.clock[0]);
    m->state.flight[0].held = true;
    for (unsigned i = 0; i < 2; i++) m->state.clock[i] += NS_PER_S;
    m->state.flight[0].sent = m->state.clock[0]; /* it may live as long as any */
}

bool explore_machine_init(struct explore_machine *m, const struct explore_world *w,
                          const struct explore_options *options) {
    memset(m, 0, sizeof *m);
    m->world = w;
    if (!side_init(m, 0, options) || !side_init(m, 1, options)) {
        explore_machine_free(m);
        return false;
    }
    struct explore_state *s = &m->state;
    s->clock[0] = s->clock[1] = options->start;
    s->drops = w->drops;
    s->duplicates = w->duplicates;
    s->holds = w->holds;
    s->faults = w->faults != 0 ? w->faults : (uint8_t)(w->drops + w->duplicates + w->holds);
    memcpy(s->aborts, w->aborts, sizeof s->aborts);
    if (w->old_syn) put_old_syn(m);
    if (w->listens != 0) {
        bk_addr any = bk_addr_ipv4(0, 0, 0, 0);
        int r = bk_tcp_listen(m->side[1].stack, &any, EXPLORE_SERVER_PORT, 2, 0, s->clock[1], &s->user[1].listener);
        BK_ASSERT(r == 0, "B can listen");
        s->user[1].listens = w->listens;
        while (w->script[1][s->user[1].step].call != EXPLORE_END) s->user[1].step++; /* until it accepts one */
    }
    return true;
}

void explore_machine_free(struct explore_machine *m) {
    for (unsigned i = 0; i < 2; i++) {
        free(m->side[i].region);
        m->side[i].region = NULL;
    }
}

/* ---- what may happen ------------------------------------------------------------------------------- */

/* When the oldest segment is as old as it may be. */
static uint64_t expiry(const struct explore_machine *m) {
    uint64_t first = BK_NEVER;
    for (unsigned i = 0; m->world->msl_ms != 0 && i < m->state.flights; i++)
        first = u64_min(first, m->state.flight[i].sent + m->world->msl_ms * NS_PER_MS);
    return first;
}

static uint64_t deadline(const struct explore_machine *m, unsigned side) {
    return explore_deadline(m->side[side].stack);
}

/* Segments of the same direction that stand before flight i in line. */
static unsigned before(const struct explore_state *s, unsigned i) {
    unsigned n = 0;
    for (unsigned k = 0; k < i; k++) n += !s->flight[k].held && s->flight[k].from == s->flight[i].from;
    return n;
}

/* Whether an earlier flight that is held is the same in all that matters: to deliver either is one thing. */
static bool is_twin(const struct explore_machine *m, unsigned i) {
    const struct explore_flight *f = m->state.flight;
    for (unsigned k = 0; k < i; k++)
        if (f[k].held && f[k].from == f[i].from && f[k].length == f[i].length && f[k].incarnation == f[i].incarnation &&
            (f[k].sent == f[i].sent || m->world->msl_ms == 0) && memcmp(f[k].bytes, f[i].bytes, f[i].length) == 0)
            return true;
    return false;
}

static unsigned network_actions(const struct explore_machine *m, struct explore_action *out) {
    const struct explore_state *s = &m->state;
    unsigned n = 0;
    for (unsigned i = 0; i < s->flights; i++) {
        uint8_t at = (uint8_t)i;
        if (s->flight[i].held) {
            if (!is_twin(m, i)) out[n++] = (struct explore_action){EXPLORE_DELIVER, at};
            continue;
        }
        unsigned line = before(s, i);
        if (line <= s->holds && line <= s->faults) out[n++] = (struct explore_action){EXPLORE_DELIVER, at};
        /* To lose or double a segment that is not the first in line is the same as to do it once it is. */
        if (line != 0 || s->faults == 0) continue;
        if (s->duplicates != 0) out[n++] = (struct explore_action){EXPLORE_DUPLICATE, at};
        if (s->drops != 0) out[n++] = (struct explore_action){EXPLORE_DROP, at};
    }
    return n;
}

static unsigned time_actions(const struct explore_machine *m, struct explore_action *out) {
    uint64_t due[2] = {deadline(m, 0), deadline(m, 1)}, oldest = expiry(m), now = m->state.clock[0];
    unsigned n = 0;
    for (unsigned i = 0; m->world->prompt && i < m->state.flights; i++)
        if (!m->state.flight[i].held) return 0;
    for (unsigned side = 0; side < 2; side++) {
        if (due[side] == BK_NEVER || due[side] > oldest) continue;
        if (m->world->one_clock && due[side] > due[!side]) continue;
        out[n++] = (struct explore_action){EXPLORE_FIRE, (uint8_t)side};
    }
    if (oldest == BK_NEVER) return n;
    if (oldest <= now)
        out[n++] = (struct explore_action){EXPLORE_EXPIRE, 0};
    else if (oldest < u64_min(due[0], due[1]))
        out[n++] = (struct explore_action){EXPLORE_WAIT, 0};
    return n;
}

unsigned explore_actions(const struct explore_machine *m, struct explore_action *out) {
    const struct explore_state *s = &m->state;
    unsigned n = network_actions(m, out);
    n += time_actions(m, out + n);
    for (unsigned side = 0; side < 2; side++) {
        if (explore_user_ready(m, side)) out[n++] = (struct explore_action){EXPLORE_USER, (uint8_t)side};
        if (s->user[side].holds && s->aborts[side] != 0)
            out[n++] = (struct explore_action){EXPLORE_ABORT, (uint8_t)side};
    }
    for (unsigned side = 0; n == 0 && !m->world->patient && side < 2; side++)
        if (s->user[side].holds) out[n++] = (struct explore_action){EXPLORE_TIRED, (uint8_t)side};
    BK_ASSERT(n <= EXPLORE_ACTIONS, "so many things cannot happen");
    return n;
}

/* ---- what happens ---------------------------------------------------------------------------------- */

/* Moves the clock of `side` to `to`, and the other one along if they are one. */
static void clock_to(struct explore_machine *m, unsigned side, uint64_t to) {
    m->state.clock[side] = u64_max(m->state.clock[side], to);
    if (m->world->one_clock) m->state.clock[!side] = m->state.clock[side];
}

/* An ISS is being chosen. False: the last one was chosen at this very instant, and would be the same; the world rules that out. */
static bool choose_iss(struct explore_machine *m, unsigned side) {
    struct explore_state *s = &m->state;
    if (m->world->instant) return true;
    if (s->chosen[side] == s->clock[side]) return false;
    s->chosen[side] = s->clock[side];
    return true;
}

static bool arrive(struct explore_machine *m, unsigned i, bool twice) {
    struct explore_state *s = &m->state;
    struct explore_flight *f = &s->flight[i];
    unsigned to = !f->from;
    for (unsigned k = 0; k < i && !f->held; k++)
        if (!s->flight[k].held && s->flight[k].from == f->from) {
            s->flight[k].held = true;
            s->holds--;
            s->faults--;
        }
    uint32_t requests = explore_requests(m->side[to].stack);
    if (twice) {
        struct explore_flight copy = *f;
        explore_network_arrive(m, i);
        copy.held = true;
        if (s->flights == EXPLORE_FLIGHTS)
            fault_note(&m->fault, "the world is too small: more than %u segments under way", EXPLORE_FLIGHTS);
        else
            s->flight[s->flights++] = copy;
        s->duplicates--;
        s->faults--;
    } else {
        explore_network_arrive(m, i);
    }
    /* A request that came into being has an ISS. */
    return explore_requests(m->side[to].stack) <= requests || choose_iss(m, to);
}

static void expire(struct explore_machine *m) {
    for (unsigned i = m->state.flights; i-- > 0;)
        if (m->state.flight[i].sent + m->world->msl_ms * NS_PER_MS <= m->state.clock[0]) explore_network_remove(m, i);
}

/* A stack without records has forgotten the connection: what it sends from then on belongs to another, though the numbers may be the same. So the
 * watch ends. */
static void end_watch(struct explore_machine *m, unsigned side) {
    if (explore_records(m->side[side].stack) != 0) return;
    for (unsigned k = 0; k < m->state.opens; k++) {
        struct watch *w = &m->state.watch[k];
        if (!w->end[side].began || w->ended) continue;
        watch_init(w);
        w->ended = true;
    }
}

/* When nothing of a past incarnation is left anywhere, what was known of it is forgotten: it cannot matter any more. */
static void forget(struct explore_machine *m) {
    struct explore_state *s = &m->state;
    if (s->opens == 0 || s->user[0].holds || s->user[1].holds) return;
    if (explore_records(m->side[0].stack) != 0 || explore_records(m->side[1].stack) != 0) return;
    bool alive[EXPLORE_INCARNATIONS] = {false};
    for (unsigned i = 0; i < s->flights; i++)
        if (s->flight[i].incarnation != EXPLORE_NOBODY) alive[s->flight[i].incarnation] = true;
    for (unsigned k = 0; k < s->opens; k++)
        if (!alive[k]) {
            memset(&s->incarnation[k], 0, sizeof s->incarnation[k]);
            watch_init(&s->watch[k]);
        }
}

unsigned explore_touched(const struct explore_machine *m, struct explore_action action) {
    if (action.kind <= EXPLORE_DROP) return !m->state.flight[action.arg].from;
    return action.arg;
}

bool explore_act(struct explore_machine *m, struct explore_action action) {
    unsigned side = explore_touched(m, action);
    m->fault.found = false;
    switch ((enum explore_action_kind)action.kind) {
    case EXPLORE_DELIVER:
    case EXPLORE_DUPLICATE:
        if (!arrive(m, action.arg, action.kind == EXPLORE_DUPLICATE)) return false;
        break;
    case EXPLORE_DROP:
        explore_network_remove(m, action.arg);
        m->state.drops--;
        m->state.faults--;
        break;
    case EXPLORE_FIRE:
        clock_to(m, side, deadline(m, side));
        bk_advance(m->side[side].stack, m->state.clock[side]);
        break;
    case EXPLORE_WAIT:
        clock_to(m, side, expiry(m));
        break;
    case EXPLORE_EXPIRE:
        expire(m);
        break;
    case EXPLORE_USER:
        if (m->world->script[side][m->state.user[side].step].call == EXPLORE_CONNECT && !choose_iss(m, side))
            return false;
        if (!explore_user_call(m, side)) return false;
        break;
    case EXPLORE_ABORT:
        m->state.aborts[side]--;
        explore_user_abort(m, side);
        break;
    case EXPLORE_TIRED:
        explore_user_close(m, side);
        break;
    }
    bk_stack *stack = m->side[side].stack;
    do {
        explore_network_collect(m, side);
    } while (!m->fault.found && (explore_user_hear(m, side) || bk_output_pending(stack, 0)));
    end_watch(m, side);
    forget(m);
    return true;
}

/* ---- what must hold -------------------------------------------------------------------------------- */

bool explore_at_rest(const struct explore_machine *m) {
    return m->state.flights == 0 && explore_records(m->side[0].stack) == 0 && explore_records(m->side[1].stack) == 0 &&
           !m->state.user[0].holds && !m->state.user[1].holds;
}

void explore_audit(struct explore_machine *m) {
    for (unsigned i = 0; i < 2; i++) {
        const bk_stack *stack = m->side[i].stack;
        struct fault fault = {.found = false};
        bool good = audit_stack(stack, NULL, &fault);
        if (good && bk_next_deadline(stack) > explore_deadline(stack))
            good = fault_note(&fault, "the stack's next deadline is later than one of its timers");
        if (good && explore_at_rest(m)) good = audit_empty(stack, m->state.user[i].listens != 0, &fault);
        if (!good) fault_note(&m->fault, "%c: %.200s", "AB"[i], fault.text);
    }
}

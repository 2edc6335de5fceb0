/* Hosts: see host.h.
 *
 * A call of host_run is an event. At its beginning the device lets go of the units that it held, gives back chunks, and draws its faults for
 * this event; then timers, users and output take turns until none has anything to do. Each kind of fault has a source of chance of its
 * own, made from the seed, and draws as often in each event, so that taking one kind away leaves the others as they were.
 *
 * The stack is moved between two regions, only at places where it is between calls; what was left behind is overwritten, so that whoever
 * still looks there finds rubbish. What the device holds are ids, which mean the same at any address.
 */
#include "lab/host.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/draw.h"
#include "lab/arrival.h"
#include "lab/audit.h"
#include "lab/tally.h"

#define HOST_UNITS   32u   /* that the device asks for at once */
#define HOST_FEW     4u    /* chunks that a starving device leaves, at most one less */
#define HOST_READY   16u   /* news asked for at once */
#define HOST_EVENTS  256u  /* of the trace, read at once */
#define HOST_TURNS   10000 /* of timers, users and output at one time, after which something goes in circles */
#define HOST_FRAME   (65535u + 14u)
#define HOST_RUBBISH 0xa5

enum host_chance {
    HOST_REFUSE,
    HOST_PARTIAL,
    HOST_HOLD,
    HOST_STARVE,
    HOST_LATE,
    HOST_MOVE,
    HOST_SEEDS,
    HOST_KEEP,
    HOST_RESET,
    HOST_DEAF,
    HOST_SINGLE,
    HOST_JUMP,
    HOST_BACK,
    HOST_ARRIVAL,
    HOST_CHANCES
};

struct host {
    struct host_options options;
    host_emit_fn *emit;
    host_ready_fn *ready;
    void *context;
    uint64_t random[HOST_CHANCES];
    uint64_t now;

    uint8_t *region[2]; /* the second only if the stack moves */
    size_t size;
    unsigned at;     /* which of them the stack is in */
    bk_stack *stack; /* NULL: down */

    uint32_t *held; /* units, frames of them, that the device has not let go of */
    uint64_t *kept; /* when each of them is let go of; 0: at the next event ... */
    uint32_t held_count;
    uint64_t held_until;     /* ... or then, at the latest */
    bool stuck;              /* what there is to send waits for units that the device holds */
    struct arrival *arrival; /* NULL: frames are handed in as they come */
    uint32_t *starved;       /* chunks that the device holds */
    uint32_t starved_count;
    uint64_t starves_until;
    uint64_t blocked_until; /* the device takes nothing before */
    bool partial;           /* in this event the device takes one unit */
    uint64_t late;          /* ns, by which the host will miss the next deadline */
    uint64_t deaf_until;    /* news are not polled before */
    bool single, told;      /* in this event one piece of news is polled; it has been */
    uint64_t ahead, back;   /* ns; see host_clock */
    struct tally tally;     /* of this life */

    struct bk_event *events;
    size_t event_count, event_room;
    struct fault fault; /* what the device itself saw go wrong */
    uint8_t frame[HOST_FRAME];
};

/* The stack's time. */
static uint64_t host_clock(const struct host *h) {
    return h->now + h->ahead;
}

/* What a call names as its time when the clock has been read already in this event. */
static uint64_t host_clock_again(const struct host *h) {
    return host_clock(h) - u64_min(host_clock(h), h->back);
}

/* ---- the trace ---- */

static void host_trace(struct host *h) {
    if (h->options.config.trace_events == 0 || h->stack == NULL) return;
    for (size_t n = HOST_EVENTS; n == HOST_EVENTS; h->event_count += n) {
        if (h->event_room - h->event_count < HOST_EVENTS) {
            size_t room = 2 * h->event_room + HOST_EVENTS;
            struct bk_event *events = realloc(h->events, room * sizeof *events);
            if (events == NULL) return;
            h->events = events;
            h->event_room = room;
        }
        n = bk_trace_read(h->stack, h->events + h->event_count, HOST_EVENTS, NULL);
    }
}

const struct bk_event *host_events(const struct host *h, size_t *count) {
    *count = h->event_count;
    return h->events;
}

/* ---- the stack's places ---- */

static void host_move(struct host *h) {
    uint8_t *from = h->region[h->at], *to = h->region[!h->at];
    size_t used = bk_used_extent(h->stack);
    memcpy(to, from, used);
    memset(from, HOST_RUBBISH, used);
    h->at = !h->at;
    int r = bk_adopt(to, h->size, &h->stack);
    BK_ASSERT(r == 0, "a copy of a stack can be adopted");
}

/* Between two calls: the stack may wake up elsewhere. */
static void host_maybe_move(struct host *h) {
    if (h->region[1] != NULL && draw_chance(&h->random[HOST_MOVE], h->options.move_ppm)) host_move(h);
}

/* ---- the device's faults ---- */

/* How long the device sulks. */
static uint64_t host_pause(const struct host *h) {
    return u64_max(h->options.faults.refuse_us * NS_PER_US, 1);
}

/* Lets go of the units whose time has come, or of all. */
static void host_let_go(struct host *h, bool all) {
    uint32_t left = 0;
    for (uint32_t i = 0; i < h->held_count; i++) {
        if (all || h->kept[i] <= h->now) {
            bk_output_done(h->stack, &h->held[i], 1);
            continue;
        }
        h->held[left] = h->held[i];
        h->kept[left++] = h->kept[i];
    }
    h->held_count = left;
}

/* When it will let go of some next. */
static uint64_t host_lets_go(const struct host *h) {
    uint64_t next = BK_NEVER;
    for (uint32_t i = 0; i < h->held_count; i++) next = u64_min(next, h->kept[i] == 0 ? h->held_until : h->kept[i]);
    return next;
}

static void host_feed(struct host *h) {
    bk_chunk_release(h->stack, h->starved, h->starved_count);
    h->starved_count = 0;
}

/* Takes all free chunks but a few. Not more are asked for than there are: a vain request would be counted by the stack. */
static void host_starve(struct host *h, uint32_t leave) {
    struct bk_pool_info chunks;
    bk_pool_info(h->stack, BK_POOL_CHUNKS, &chunks);
    uint32_t free_chunks = chunks.capacity - chunks.in_use;
    if (free_chunks <= leave) return;
    h->starved_count = (uint32_t)bk_chunk_alloc(h->stack, h->starved, free_chunks - leave);
}

static void host_draw_clock(struct host *h) {
    const struct host_faults *f = &h->options.faults;
    bool jump = draw_chance(&h->random[HOST_JUMP], f->jump_ppm), back = draw_chance(&h->random[HOST_BACK], f->back_ppm);
    uint32_t jump_ms = draw_range(&h->random[HOST_JUMP], 0, f->jump_ms);
    uint32_t back_us = draw_range(&h->random[HOST_BACK], 0, f->back_us);
    if (jump) h->ahead += jump_ms * NS_PER_MS;
    h->back = back ? back_us * NS_PER_US : 0;
}

static void host_draw_news(struct host *h, uint64_t pause) {
    const struct host_faults *f = &h->options.faults;
    bool deaf = draw_chance(&h->random[HOST_DEAF], f->deaf_ppm);
    h->single = draw_chance(&h->random[HOST_SINGLE], f->single_ppm);
    h->told = false;
    if (deaf && h->deaf_until <= h->now) h->deaf_until = h->now + pause;
}

/* What goes wrong in this event. */
static void host_draw_faults(struct host *h) {
    const struct host_faults *f = &h->options.faults;
    uint64_t pause = host_pause(h);
    bool refuse = draw_chance(&h->random[HOST_REFUSE], f->refuse_ppm);
    h->partial = draw_chance(&h->random[HOST_PARTIAL], f->partial_ppm);
    bool starve = draw_chance(&h->random[HOST_STARVE], f->starve_ppm);
    uint32_t leave = draw_below(&h->random[HOST_STARVE], HOST_FEW);
    bool late = draw_chance(&h->random[HOST_LATE], f->late_ppm);
    uint64_t late_us = draw_range(&h->random[HOST_LATE], 0, f->late_us);
    host_draw_clock(h);
    host_draw_news(h, pause);
    if (refuse && h->blocked_until <= h->now) h->blocked_until = h->now + pause;
    h->late = late ? late_us * NS_PER_US : 0;
    if (h->starved_count > 0 && h->starves_until <= h->now) host_feed(h);
    if (starve && h->starved_count == 0) {
        host_starve(h, leave);
        h->starves_until = h->now + pause;
    }
}

void host_calm(struct host *h) {
    h->options.faults = (struct host_faults){0};
    h->blocked_until = h->late = h->deaf_until = h->back = 0;
    h->partial = h->single = h->stuck = false;
    if (h->arrival != NULL) arrival_calm(h->arrival);
    if (h->stack == NULL) return;
    host_let_go(h, true);
    host_feed(h);
}

/* ---- output ---- */

static void host_send_unit(struct host *h, const struct bk_tx *unit) {
    enum bk_layer layer = h->options.iface.layer;
    size_t most = h->options.iface.mtu + (layer == BK_LAYER_ETHERNET ? 14u : 0u);
    uint32_t count = bk_tx_count(unit), leave = count;
    bool reset = draw_chance(&h->random[HOST_RESET], h->options.faults.reset_ppm);
    uint32_t cut = draw_range(&h->random[HOST_RESET], 1, count);
    if (reset) leave = cut;
    for (uint32_t i = 0; i < count; i++) {
        size_t length = bk_tx_write(h->stack, unit, i, h->frame, sizeof h->frame);
        if (length == 0 || length > most) {
            fault_note(&h->fault, "a frame of %zu bytes (%s) left an interface that takes %zu", length,
                       bk_reason_name(unit->reason), most);
            continue;
        }
        tally_out(&h->tally, layer, h->frame, length, unit->reason, i == 0);
        if (i < leave) h->emit(h->context, h->frame, length, unit->reason);
    }
}

/* Whether the device does not let go of a unit at once, and when it will: kept_until 0: at the next event. */
static bool host_holds(struct host *h, uint64_t *kept_until) {
    const struct host_faults *f = &h->options.faults;
    bool hold = draw_chance(&h->random[HOST_HOLD], f->hold_ppm), keep = draw_chance(&h->random[HOST_KEEP], f->keep_ppm);
    uint64_t keep_us = draw_range(&h->random[HOST_KEEP], 0, f->keep_us);
    *kept_until = keep ? h->now + u64_max(keep_us * NS_PER_US, 1) : 0;
    return hold || keep;
}

/* Lets units leave, once. Returns whether any did. */
static bool host_output(struct host *h) {
    struct bk_tx unit[HOST_UNITS];
    if (h->blocked_until > h->now) return false;
    size_t n = bk_output(h->stack, 0, unit, h->partial ? 1 : HOST_UNITS, host_clock_again(h));
    for (size_t i = 0; i < n; i++) {
        host_send_unit(h, &unit[i]);
        uint64_t kept_until;
        if (host_holds(h, &kept_until)) {
            h->held[h->held_count] = unit[i].id;
            h->kept[h->held_count++] = kept_until;
        } else {
            bk_output_done(h->stack, &unit[i].id, 1);
        }
    }
    h->held_until = h->now + host_pause(h);
    if (n > 0 && h->partial) h->blocked_until = h->now + host_pause(h);
    return n > 0;
}

/* Tells the users, once. Returns whether there was anything to say. */
static bool host_tell(struct host *h) {
    struct bk_ready news[HOST_READY];
    if (h->deaf_until > h->now || (h->single && h->told)) return false;
    size_t n = bk_ready_poll(h->stack, news, h->single ? 1 : HOST_READY);
    h->told |= n > 0;
    for (size_t i = 0; i < n; i++) h->ready(h->context, &news[i]);
    return n > 0;
}

/* ---- running ---- */

bk_stack *host_stack(const struct host *h) {
    return h->stack;
}

bool host_up(const struct host *h) {
    return h->stack != NULL;
}

/* Frames that waited in the device go in. */
static uint16_t host_deliver(struct host *h) {
    return arrival_deliver(h->arrival, h->stack, &h->tally, h->now, host_clock(h));
}

uint16_t host_arrive(struct host *h, const uint8_t *frame, size_t length, uint64_t now) {
    h->now = now;
    if (h->stack == NULL) return BK_REASON_NO_CHUNK;
    host_maybe_move(h);
    host_let_go(h, false);
    uint16_t reason;
    if (h->arrival == NULL) {
        reason = bk_input_copy(h->stack, 0, frame, length, host_clock(h));
        tally_in(&h->tally, h->options.iface.layer, frame, length, reason);
    } else if (arrival_push(h->arrival, frame, length, now)) {
        reason = h->options.faults.batch > 1 ? BK_REASON_NONE : host_deliver(h);
    } else {
        reason = BK_REASON_NO_CHUNK;
    }
    host_trace(h);
    return reason;
}

void host_run(struct host *h, uint64_t now) {
    h->now = now;
    if (h->stack == NULL) return;
    host_let_go(h, false);
    host_draw_faults(h);
    if (h->arrival != NULL) (void)host_deliver(h);
    int turns = 0;
    uint64_t clock = host_clock(h);
    for (bool more = true; more;) {
        host_maybe_move(h);
        bk_advance(h->stack, clock);
        clock = host_clock_again(h);
        bool told = host_tell(h);
        more = host_output(h) || told || bk_next_deadline(h->stack) <= host_clock(h);
        host_trace(h);
        if (++turns == HOST_TURNS) {
            fault_note(&h->fault, "timers, users and output take turns without end at %" PRIu64 " ns", now);
            return;
        }
    }
    h->stuck = h->blocked_until <= now && h->held_count > 0 && bk_output_pending(h->stack, 0);
}

uint64_t host_next(const struct host *h) {
    if (h->stack == NULL) return BK_NEVER;
    uint64_t next = bk_next_deadline(h->stack);
    if (next != BK_NEVER) next = next - u64_min(next, h->ahead) + h->late;
    next = u64_min(next, host_lets_go(h));
    if (h->arrival != NULL) next = u64_min(next, arrival_next(h->arrival));
    if (h->starved_count > 0) next = u64_min(next, h->starves_until);
    if (bk_output_pending(h->stack, 0) && !h->stuck) next = u64_min(next, h->blocked_until);
    if (bk_ready_pending(h->stack)) next = u64_min(next, u64_max(h->deaf_until, h->now));
    return u64_max(next, h->now);
}

/* ---- lives ---- */

/* A new stack, with a new seed. Returns NULL, or what is wrong. */
static const char *host_begin(struct host *h, uint64_t now) {
    const struct host_options *o = &h->options;
    uint8_t seed[32];
    const char *why = "";
    for (size_t i = 0; i < sizeof seed; i += 8) {
        uint64_t word = draw(&h->random[HOST_SEEDS]);
        for (size_t k = 0; k < 8; k++) seed[i + k] = (uint8_t)(word >> 8 * k);
    }
    if (bk_create(h->region[h->at], h->size, &o->config, seed, now, &h->stack, &why) != 0) return why;
    memset(&h->tally, 0, sizeof h->tally);
    if (bk_iface_add(h->stack, &o->iface, now) != 0) return "the interface cannot be like that";
    if (bk_iface_address_add(h->stack, 0, &o->addr, o->prefix_length, true, now) != 0)
        return "the address cannot be the interface's";
    if (bk_addr_is_any(&o->gateway)) return NULL;
    bk_addr everywhere = bk_addr_is_ipv4(&o->gateway) ? bk_addr_ipv4(0, 0, 0, 0) : (bk_addr){{0}};
    return bk_route_add(h->stack, &everywhere, 0, &o->gateway, 0) == 0 ? NULL : "the gateway cannot be one";
}

void host_crash(struct host *h) {
    if (h->stack == NULL) return;
    host_trace(h);
    h->stack = NULL;
    h->held_count = h->starved_count = 0;
    h->blocked_until = h->late = h->deaf_until = 0;
    h->stuck = false;
    if (h->arrival != NULL) arrival_clear(h->arrival);
}

void host_return(struct host *h, uint64_t now) {
    if (h->stack != NULL) return;
    h->now = now;
    const char *why = host_begin(h, host_clock(h));
    BK_ASSERT(why == NULL, "a stack that could be made can be made again");
}

/* Whether frames pass the device's ring. */
static bool host_collects(const struct host_faults *f) {
    return f->batch != 0 || f->queue != 0 || f->parts_ppm != 0 || f->pad_ppm != 0 || f->merge_ppm != 0;
}

static bool host_allocate(struct host *h) {
    const struct host_options *o = &h->options;
    h->size = (bk_region_size(&o->config) + 4095) & ~(size_t)4095;
    h->region[0] = aligned_alloc(4096, h->size);
    h->region[1] = o->move_ppm != 0 ? aligned_alloc(4096, h->size) : NULL;
    h->held = malloc(o->config.frames * sizeof *h->held);
    h->kept = malloc(o->config.frames * sizeof *h->kept);
    h->starved = malloc(o->config.chunks * sizeof *h->starved);
    if (host_collects(&o->faults)) {
        const struct host_faults *f = &o->faults;
        struct arrival_options a = {f->batch, f->batch_us, f->queue, f->parts_ppm, f->pad_ppm, f->merge_ppm};
        h->arrival = arrival_new(&a, o->iface.layer, h->random[HOST_ARRIVAL]);
        if (h->arrival == NULL) return false;
    }
    return h->region[0] != NULL && (o->move_ppm == 0 || h->region[1] != NULL) && h->held != NULL && h->kept != NULL &&
           h->starved != NULL;
}

struct host *host_new(const struct host_options *options, uint64_t now, host_emit_fn *emit, host_ready_fn *ready,
                      void *context, const char **why) {
    struct host *h = calloc(1, sizeof *h);
    uint64_t seed = options->seed;
    const char *fault = "there is no memory";
    if (h == NULL) {
        *why = fault;
        return NULL;
    }
    h->options = *options;
    h->emit = emit;
    h->ready = ready;
    h->context = context;
    h->now = now;
    for (unsigned i = 0; i < HOST_CHANCES; i++) h->random[i] = draw(&seed);
    if (bk_region_size(&options->config) == 0)
        (void)bk_create(NULL, 0, &options->config, NULL, now, &h->stack, &fault);
    else if (host_allocate(h))
        fault = host_begin(h, now);
    if (fault == NULL) return h;
    *why = fault;
    host_free(h);
    return NULL;
}

void host_free(struct host *h) {
    if (h == NULL) return;
    for (unsigned i = 0; i < 2; i++) free(h->region[i]);
    free(h->held);
    free(h->kept);
    arrival_free(h->arrival);
    free(h->starved);
    free(h->events);
    free(h);
}

bool host_audit(const struct host *h, struct fault *fault) {
    if (h->fault.found) return fault_note(fault, "%s", h->fault.text);
    if (h->stack == NULL) return true;
    struct audit_held held = {h->starved, h->starved_count, h->held, h->held_count};
    return tally_agrees(&h->tally, h->stack, h->held_count, fault) && audit_stack(h->stack, &held, fault);
}

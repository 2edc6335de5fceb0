/* Turnover: see turnover.h. Time goes in steps of 10 us, a new connection in each; a connection takes the same number of steps from SYN to ACK and
 * from there to FIN, so those under way stand in a ring. What ends in a step is only counted: a wait ends so many steps after it
 * began, and how many end in which step is all that need be known. */
#define _GNU_SOURCE 1
#include "lab/turnover.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/draw.h"
#include "base/seq.h"
#include "lab/crowd.h"

#define STEP_NS    (10 * NS_PER_US)
#define STEP_START (NS_PER_S / STEP_NS) /* no time is 0 */
#define HALF_LIFE  50u                  /* steps from SYN to ACK, and from there to FIN */
#define LIFE       (2 * HALF_LIFE + 1)
#define BURST      17u /* connections in each step at first: so these are made in a tenth of 2 MSL */
#define PORT       80u
#define BUSY       UINT32_MAX

/* A client, and what it knows of its connection; when that is over, of the last one. */
struct party {
    uint32_t iss, snd_nxt, rcv_nxt;
    uint32_t tsval, syn_tsval; /* the latest that it sent; its SYN's */
    uint32_t until;            /* step in which its TIME-WAIT ends; BUSY: it has a connection; 0: has had none */
};

/* One under way; of the one that it followed, what an old FIN would say. */
struct opening {
    uint32_t client;
    bool reused;
    struct party old;
};

struct turnover {
    const struct turnover_options *options;
    struct turnover_result *result;
    struct crowd crowd;
    bk_listener listener;
    void *region;
    size_t size;
    struct party *party;
    uint32_t parties, met; /* those below `met` have had a connection */
    struct opening opening[LIFE][BURST];
    uint32_t openings[LIFE];
    uint32_t *ending; /* TIME-WAITs that end in a step, by its remainder */
    uint32_t wait;    /* 2 MSL, in steps */
    uint32_t step, waiting;
    uint64_t now, random;
    struct crowd_segment sent[4]; /* by the stack, in answer to the last segment */
    size_t sent_count;
};

const char *turnover_stray_name(enum turnover_stray stray) {
    static const char *const names[TURNOVER_STRAYS] = {"old SYNs", "RSTs",      "FINs again",
                                                       "old text", "late ACKs", "FINs of the connection before"};
    return names[stray];
}

/* ---- segments -------------------------------------------------------------------------------------- */

static bool stamped(uint32_t client) {
    return client % 4 != 0;
}

static struct crowd_segment segment_of(const struct party *p, uint32_t client, uint8_t flags) {
    return (struct crowd_segment){.client = client,
                                  .seq = p->snd_nxt,
                                  .ack = flags & WIRE_ACK ? p->rcv_nxt : 0,
                                  .flags = flags,
                                  .timestamps = stamped(client),
                                  .tsval = p->tsval};
}

/* Hands a segment to the stack, and sees what it sends: to this client only, and nothing that acknowledges what was not sent. */
static bool give(struct turnover *w, const struct crowd_segment *s, uint16_t *reason) {
    struct fault *fault = &w->result->fault;
    *reason = crowd_give(&w->crowd, s, w->now);
    w->sent_count = crowd_take(&w->crowd, w->sent, BK_COUNT(w->sent), w->now);
    for (size_t i = 0; i < w->sent_count; i++)
        FAULT_UNLESS(w->sent[i].client == s->client, "step %u: what client %u sent was answered to client %u", w->step,
                     s->client, w->sent[i].client);
    return true;
}

/* One segment was sent, of this kind, with these numbers. */
static bool answered(struct turnover *w, const struct party *p, uint8_t flags, const char *what) {
    struct fault *fault = &w->result->fault;
    FAULT_UNLESS(w->sent_count == 1, "step %u: %zu segments answer %s, not one", w->step, w->sent_count, what);
    const struct crowd_segment *s = &w->sent[0];
    FAULT_UNLESS(s->flags == flags && s->ack == p->snd_nxt && s->timestamps == stamped(s->client),
                 "step %u: %s is answered with flags %#x and ACK %u, not %#x and %u", w->step, what, s->flags, s->ack,
                 flags, p->snd_nxt);
    FAULT_UNLESS(flags & WIRE_SYN || s->seq == p->rcv_nxt, "step %u: %s is answered with SEQ %u, not %u", w->step, what,
                 s->seq, p->rcv_nxt);
    return true;
}

/* ---- TIME-WAITs ------------------------------------------------------------------------------------ */

static bool waits(const struct turnover *w, const struct party *p) {
    return p->until != BUSY && p->until > w->step;
}

static uint32_t *ending_at(struct turnover *w, uint32_t step) {
    return &w->ending[step % (w->wait + 1)];
}

static void wait_begin(struct turnover *w, struct party *p) {
    p->until = w->step + w->wait;
    ++*ending_at(w, p->until);
    if (++w->waiting > w->result->most) w->result->most = w->waiting;
}

static void wait_end(struct turnover *w, struct party *p) {
    --*ending_at(w, p->until);
    w->waiting--;
}

/* A client in TIME-WAIT, or one that is not any more, or BUSY if none was found. */
static uint32_t any_client(struct turnover *w, bool waiting) {
    for (uint32_t tries = 0; tries < 64; tries++) {
        uint32_t client = draw_below(&w->random, w->met);
        const struct party *p = &w->party[client];
        if (p->until != BUSY && waits(w, p) == waiting) return client;
        if (!waiting && tries == 8) break; /* there may be none */
    }
    return BUSY;
}

/* ---- a connection ---------------------------------------------------------------------------------- */

static bool connection_syn(struct turnover *w, uint32_t client) {
    struct fault *fault = &w->result->fault;
    struct party *p = &w->party[client], old = *p;
    bool reuse = waits(w, p);
    uint16_t reason;
    /* With a later timestamp any number will do (RFC 6191); otherwise it goes on from the last one, as by the clock of RFC 9293 3.4.1. */
    bool later = stamped(client) && old.tsval != w->step;
    p->iss = later ? (uint32_t)draw(&w->random) : old.snd_nxt + 1 + draw_below(&w->random, 1u << 20);
    p->tsval = p->syn_tsval = w->step;
    p->snd_nxt = p->iss;
    struct crowd_segment syn = segment_of(p, client, WIRE_SYN);
    if (!give(w, &syn, &reason)) return false;
    p->snd_nxt++;
    FAULT_UNLESS(reason == (reuse ? BK_REASON_ACCEPT_SYN_TIME_WAIT : BK_REASON_ACCEPT_SYN),
                 "step %u: a new SYN for a 4-tuple that %s has the fate %s", w->step, reuse ? "waits" : "is free",
                 bk_reason_name(reason));
    if (!answered(w, p, WIRE_SYN | WIRE_ACK, "a new SYN")) return false;
    FAULT_UNLESS(!reuse || seq_gt(w->sent[0].seq, old.rcv_nxt),
                 "step %u: a connection begins with %u, not beyond %u of the one before", w->step, w->sent[0].seq,
                 old.rcv_nxt);
    if (reuse) wait_end(w, &old);
    p->rcv_nxt = w->sent[0].seq + 1;
    p->until = BUSY;
    w->result->opened++;
    w->result->reused += reuse;
    uint32_t slot = w->step % LIFE;
    w->opening[slot][w->openings[slot]++] = (struct opening){client, reuse, old};
    return true;
}

/* Of the connection before, for one in four that took a 4-tuple: nothing comes of it but an ACK. */
static bool connection_old_fin(struct turnover *w, const struct opening *o) {
    struct fault *fault = &w->result->fault;
    uint16_t reason;
    if (!o->reused || draw_below(&w->random, 4) != 0) return true;
    struct crowd_segment fin = segment_of(&o->old, o->client, WIRE_FIN | WIRE_ACK);
    fin.seq--;
    w->result->strays[TURNOVER_OLD_FIN]++;
    if (!give(w, &fin, &reason)) return false;
    FAULT_UNLESS(w->sent_count <= 1, "step %u: an old FIN is answered twice", w->step);
    return w->sent_count == 0 || answered(w, &w->party[o->client], WIRE_ACK, "an old FIN");
}

/* The handshake's ACK; the server takes the connection, and closes it. */
static bool connection_ack(struct turnover *w, const struct opening *o) {
    struct fault *fault = &w->result->fault;
    struct party *p = &w->party[o->client];
    bk_conn conn, none;
    uint16_t reason;
    if (!connection_old_fin(w, o)) return false;
    p->tsval = w->step;
    struct crowd_segment ack = segment_of(p, o->client, WIRE_ACK);
    if (!give(w, &ack, &reason)) return false;
    FAULT_UNLESS(w->sent_count == 0, "step %u: the handshake's ACK is answered", w->step);
    FAULT_UNLESS(bk_tcp_accept(w->crowd.stack, w->listener, 0, w->now, &conn) == 0,
                 "step %u: a connection does not come about: its ACK has the fate %s", w->step, bk_reason_name(reason));
    FAULT_UNLESS(bk_tcp_accept(w->crowd.stack, w->listener, 0, w->now, &none) < 0,
                 "step %u: a connection came about that nobody opened", w->step);
    bk_tcp_close(w->crowd.stack, conn, w->now);
    w->sent_count = crowd_take(&w->crowd, w->sent, BK_COUNT(w->sent), w->now);
    if (!answered(w, p, WIRE_FIN | WIRE_ACK, "CLOSE")) return false;
    FAULT_UNLESS(w->sent[0].client == o->client, "step %u: another connection than the new one was accepted", w->step);
    p->rcv_nxt++;
    return true;
}

static bool connection_fin(struct turnover *w, const struct opening *o) {
    struct party *p = &w->party[o->client];
    uint16_t reason;
    if (!connection_old_fin(w, o)) return false;
    p->tsval = w->step;
    struct crowd_segment fin = segment_of(p, o->client, WIRE_FIN | WIRE_ACK);
    if (!give(w, &fin, &reason)) return false;
    p->snd_nxt++;
    wait_begin(w, p);
    return answered(w, p, WIRE_ACK, "FIN");
}

/* ---- strays ---------------------------------------------------------------------------------------- */

/* What a TIME-WAIT answers once in a while, and nothing else comes of. */
static bool stray_refused(struct turnover *w, const struct crowd_segment *s, const char *what) {
    struct fault *fault = &w->result->fault;
    uint16_t reason;
    if (!give(w, s, &reason)) return false;
    FAULT_UNLESS(reason == (w->sent_count != 0 ? BK_REASON_ANSWER_TIME_WAIT : BK_REASON_DROP_CHALLENGE_LIMIT),
                 "step %u: %s for a TIME-WAIT has the fate %s", w->step, what, bk_reason_name(reason));
    return w->sent_count == 0 || answered(w, &w->party[s->client], WIRE_ACK, what);
}

static bool stray_rst(struct turnover *w, const struct crowd_segment *s) {
    struct fault *fault = &w->result->fault;
    uint16_t reason;
    if (!give(w, s, &reason)) return false;
    FAULT_UNLESS(reason == BK_REASON_DROP_RST_TIME_WAIT && w->sent_count == 0,
                 "step %u: a RST for a TIME-WAIT has the fate %s", w->step, bk_reason_name(reason));
    return true;
}

static bool stray_fin(struct turnover *w, struct crowd_segment *s) {
    struct fault *fault = &w->result->fault;
    struct party *p = &w->party[s->client];
    uint16_t reason;
    s->tsval = p->tsval = w->step;
    s->seq--;
    if (!give(w, s, &reason)) return false;
    FAULT_UNLESS(reason == BK_REASON_ANSWER_TIME_WAIT_FIN, "step %u: a FIN that comes again has the fate %s", w->step,
                 bk_reason_name(reason));
    wait_end(w, p);
    wait_begin(w, p);
    return answered(w, p, WIRE_ACK, "a FIN that comes again");
}

static bool stray_late(struct turnover *w, const struct crowd_segment *s) {
    struct fault *fault = &w->result->fault;
    uint16_t reason;
    if (!give(w, s, &reason)) return false;
    FAULT_UNLESS(w->sent_count == 1 && w->sent[0].flags & WIRE_RST,
                 "step %u: an ACK for a 4-tuple whose TIME-WAIT is over is not answered by RST, and has the fate %s",
                 w->step, bk_reason_name(reason));
    return true;
}

static bool stray(struct turnover *w) {
    enum turnover_stray kind = (enum turnover_stray)draw_below(&w->random, TURNOVER_OLD_FIN);
    uint32_t client = any_client(w, kind != TURNOVER_LATE_ACK);
    if (client == BUSY) return true;
    const struct party *p = &w->party[client];
    static const uint8_t flags[] = {WIRE_SYN, WIRE_RST, WIRE_FIN | WIRE_ACK, WIRE_ACK, WIRE_ACK};
    struct crowd_segment s = segment_of(p, client, flags[kind]);
    w->result->strays[kind]++;
    switch (kind) {
    case TURNOVER_OLD_SYN:
        s.seq = p->iss;
        s.tsval = p->syn_tsval;
        return stray_refused(w, &s, "an old SYN");
    case TURNOVER_RST:
        return stray_rst(w, &s);
    case TURNOVER_FIN:
        return stray_fin(w, &s);
    case TURNOVER_TEXT:
        s.length = 50;
        s.seq -= 100;
        return stray_refused(w, &s, "old text");
    case TURNOVER_LATE_ACK:
        return stray_late(w, &s);
    case TURNOVER_OLD_FIN:
    case TURNOVER_STRAYS:
        break;
    }
    return true;
}

/* ---- time ------------------------------------------------------------------------------------------ */

static uint32_t in_use(const struct turnover *w, enum bk_pool pool) {
    struct bk_pool_info info;
    bk_pool_info(w->crowd.stack, pool, &info);
    return info.in_use;
}

static bool step_begin(struct turnover *w) {
    w->step++;
    w->now += STEP_NS;
    bk_advance(w->crowd.stack, w->now);
    uint32_t *ending = ending_at(w, w->step);
    w->waiting -= *ending;
    w->result->over += *ending;
    *ending = 0;
    /* Those whose turn it is: the slot of this step is the oldest, and is empty when they are done. */
    uint32_t half = (w->step + LIFE - HALF_LIFE) % LIFE, whole = (w->step + LIFE - 2 * HALF_LIFE) % LIFE;
    for (uint32_t i = 0; i < w->openings[half]; i++)
        if (!connection_ack(w, &w->opening[half][i])) return false;
    for (uint32_t i = 0; i < w->openings[whole]; i++)
        if (!connection_fin(w, &w->opening[whole][i])) return false;
    w->openings[whole] = 0;
    return true;
}

/* As many as there should be, at this instant. */
static bool step_end(struct turnover *w) {
    struct fault *fault = &w->result->fault;
    uint32_t there = in_use(w, w->options->ipv6 ? BK_POOL_TIME_WAITS_IPV6 : BK_POOL_TIME_WAITS_IPV4);
    FAULT_UNLESS(there == w->waiting, "step %u: there are %u TIME-WAITs, and should be %u", w->step, there, w->waiting);
    if (w->options->progress != NULL && w->step % 65536 == 0)
        w->options->progress(w->options->context,
                             (double)w->result->opened / (w->options->time_waits + 1.25 * w->wait));
    return true;
}

/* `burst` connections begin in each step: the first ones of their clients, or half of them with a 4-tuple that waits, the rest with one whose
 * wait is over, or new. */
static bool steps(struct turnover *w, uint32_t n, uint32_t burst, bool with_reuse) {
    for (uint32_t i = 0; i < n; i++) {
        if (!step_begin(w)) return false;
        for (uint32_t k = 0; k < burst; k++) {
            uint32_t client = BUSY;
            if (with_reuse) client = any_client(w, draw_below(&w->random, 2) != 0);
            if (client == BUSY && w->met < w->parties) client = w->met++;
            if (client != BUSY && !connection_syn(w, client)) return false;
        }
        if (with_reuse && draw_below(&w->random, 2) != 0 && !stray(w)) return false;
        if (!step_end(w)) return false;
    }
    return true;
}

static bool turnover_all(struct turnover *w) {
    struct fault *fault = &w->result->fault;
    uint32_t n = w->options->time_waits;
    if (!steps(w, n / BURST, BURST, false) || !steps(w, n % BURST, 1, false)) return false;
    if (!steps(w, w->wait + w->wait / 4, 1, true) || !steps(w, LIFE + w->wait, 0, false)) return false;
    const bk_stack *stack = w->crowd.stack;
    FAULT_UNLESS(w->waiting == 0 && in_use(w, BK_POOL_CONNECTIONS) == 0, "something is left at the end");
    FAULT_UNLESS(bk_reason_count(stack, BK_REASON_NOTE_TIME_WAIT_OVER) == w->result->over &&
                     bk_reason_count(stack, BK_REASON_NOTE_TIME_WAIT_REUSED) == w->result->reused &&
                     bk_reason_count(stack, BK_REASON_NOTE_TIME_WAIT_EVICTED) == 0,
                 "the stack counts another number of TIME-WAITs that ended, or were taken over, than there were");
    return true;
}

/* ---- making ---------------------------------------------------------------------------------------- */

static bool turnover_stack(struct turnover *w) {
    struct bk_config config;
    uint8_t seed[32] = {0};
    bk_stack *stack;
    memcpy(seed, &w->options->seed, sizeof w->options->seed);
    bk_config_default(&config);
    uint32_t records = w->options->time_waits + w->wait + w->wait / 4 + BURST * LIFE;
    config.connections = config.requests_ipv4 = config.requests_ipv6 = config.orphans_max = BURST * LIFE;
    config.time_waits_ipv4 = w->options->ipv6 ? 0 : records;
    config.time_waits_ipv6 = w->options->ipv6 ? records : 0;
    config.msl_ms = (uint32_t)(w->wait * STEP_NS / NS_PER_MS / 2);
    w->size = bk_region_size(&config);
    w->region = mmap(NULL, w->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (w->region == MAP_FAILED) return false;
    bk_addr any = {{0}};
    if (!w->options->ipv6) any = bk_addr_ipv4(0, 0, 0, 0);
    return bk_create(w->region, w->size, &config, seed, w->now, &stack, NULL) == 0 &&
           crowd_open(&w->crowd, stack, w->options->ipv6, PORT, w->now) == 0 &&
           bk_tcp_listen(stack, &any, PORT, BURST * LIFE, 0, w->now, &w->listener) == 0;
}

int turnover_run(const struct turnover_options *options, struct turnover_result *result) {
    struct turnover *w = calloc(1, sizeof *w);
    if (w == NULL) return -ENOMEM;
    *result = (struct turnover_result){0};
    w->options = options;
    w->result = result;
    w->region = MAP_FAILED;
    w->random = options->seed;
    w->wait = options->time_waits / 1000 * 600;
    w->parties = options->time_waits / 2 * 3;
    w->step = STEP_START;
    w->now = w->step * STEP_NS;
    w->party = calloc(w->parties, sizeof *w->party);
    w->ending = calloc(w->wait + 1, sizeof *w->ending);
    bool made = w->party != NULL && w->ending != NULL && turnover_stack(w);
    if (made) {
        turnover_all(w);
        result->virtual_ns = w->now - STEP_START * STEP_NS;
        result->bytes = bk_used_extent(w->crowd.stack);
    }
    if (w->region != MAP_FAILED) munmap(w->region, w->size);
    free(w->party);
    free(w->ending);
    free(w);
    return made ? 0 : -ENOMEM;
}

/* Who may take chunks, and in which turn: see budget.h. */
#include "tcp/budget.h"

#define TURN_UNIT_NS (64 * NS_PER_MS) /* of turn_at */
#define TURN_UNITS   ((BUDGET_TURN_MS * NS_PER_MS + TURN_UNIT_NS - 1) / TURN_UNIT_NS)
#define TURN_MASK    0x1fffu
#define SHARE_LEAST  2u /* two segments are acknowledged at once (RFC 9293 3.8.6.3), one may wait */
#define SHARE_MOVING 4u /* shares that whose data moves may hold */
#define CREDIT_MOST  7u /* turns beyond a share that one ACK earns: it may be for many segments */

/* ---- how much -------------------------------------------------------------------------------------- */

/* Connections that have data queued or outstanding, or wait for chunks. */
static uint32_t busy(const struct tcp *t) {
    return u32_max(t->active.in_use - t->resting.count, 1);
}

/* The least that is set aside for each queue; 0: there is too little for that. */
static uint32_t least_kept(const struct tcp *t) {
    return t->base.config.buffer_chunks / 8 / t->active.capacity;
}
static uint32_t least(const struct tcp *t) {
    return u32_max(least_kept(t), 1);
}

/* How many more a queue that holds `held` may take if that is to be `weight` equal parts of what is left then. */
static uint32_t equal_part(const struct tcp *t, uint32_t held, uint32_t left, uint32_t weight) {
    uint64_t among = busy(t), all = (uint64_t)weight * left, has = held * among;
    return all > has ? (uint32_t)((all - has + among + weight - 1) / (among + weight)) : 0;
}

/* What a queue that holds little may have of the last quarter, when `used` chunks are in use. */
static uint32_t of_the_last(const struct tcp *t, uint32_t held, uint32_t used) {
    uint32_t total = t->base.config.buffer_chunks, last = total - 2 * least_kept(t) * t->active.capacity;
    return u32_max(equal_part(t, held, u32_less(last, used), 1),
                   u32_min(u32_less(least(t), held), u32_less(total, used)));
}

uint32_t budget_more(const struct tcp *t, uint32_t held, uint32_t aside) {
    uint32_t used = t->base.buffer_chunks_used + aside;
    return u32_max(u32_less(budget_mark(t), used), of_the_last(t, held, used));
}

uint32_t budget_promise(const struct tcp *t, uint32_t held) {
    uint32_t used = t->base.buffer_chunks_used;
    return u32_max(equal_part(t, held, u32_less(budget_mark(t), used), 2), of_the_last(t, held, used));
}

static uint32_t share(const struct tcp *t) {
    return u32_max(budget_mark(t) / busy(t), SHARE_LEAST);
}

/* What one turn gives. */
static uint32_t quantum(const struct tcp *t) {
    return u32_max(share(t) / 8, 1);
}

/* ---- who waits ------------------------------------------------------------------------------------- */

static uint32_t held_by(const struct tcp *t, const struct connection *c) {
    const struct active *a = active_of(t, c);
    return a == NULL ? 0 : a->send.count;
}

/* Where it should stand that wants so many chunks. */
static enum connection_waits place(const struct tcp *t, const struct connection *c, uint32_t chunks) {
    if (c->active == BK_NONE) return WAITS_RECORD;
    uint64_t then = (uint64_t)held_by(t, c) + chunks;
    if (then <= least(t)) return WAITS_LEAST;
    return then <= (uint64_t)share(t) * (c->wait_credit != 0 ? SHARE_MOVING : 1) ? WAITS_SHARE : WAITS_MORE;
}

static void stand(struct tcp *t, struct connection *c, enum connection_waits where) {
    c->waits = where & 7;
    t->waiting += where > WAITS_RECORD;
    list_push_tail(&t->base, &t->connections, CONNECTION_WAIT_LINK, &t->waits[where], c->self);
}

static void unstand(struct tcp *t, struct connection *c) {
    list_remove(&t->base, &t->connections, CONNECTION_WAIT_LINK, &t->waits[c->waits], c->self);
    t->waiting -= c->waits > WAITS_RECORD;
    if (c->waits == WAITS_TURN) t->aside -= c->turn_chunks;
    c->waits = WAITS_NOT;
}

/* Goes to the end of another list if that is its own now. */
static void move(struct tcp *t, struct connection *c) {
    enum connection_waits now = place(t, c, c->wait_chunks);
    if (c->waits == WAITS_TURN || c->waits == now) return;
    unstand(t, c);
    stand(t, c, now);
}

void budget_wait(struct tcp *t, struct connection *c, uint32_t chunks) {
    c->want_write = true;
    c->wait_chunks = u32_min(chunks, WAIT_CHUNKS_MAX) & WAIT_CHUNKS_MAX;
    /* Who asks for more than its turn keeps it, lest two who do so be told again and again. */
    if (c->waits == WAITS_TURN && c->wait_chunks > c->turn_chunks) return;
    if (c->waits == WAITS_TURN) unstand(t, c);
    if (c->waits == WAITS_NOT)
        stand(t, c, place(t, c, c->wait_chunks));
    else
        move(t, c);
}

void budget_eased(struct tcp *t, struct connection *c) {
    c->wait_credit = CREDIT_MOST;
    move(t, c);
}

void budget_recorded(struct tcp *t, struct connection *c) {
    move(t, c);
}

void budget_leave(struct tcp *t, struct connection *c) {
    if (c->waits == WAITS_NOT) return;
    unstand(t, c);
    connection_settle(t, c);
}

/* ---- turns ----------------------------------------------------------------------------------------- */

/* Active records that may still be had. */
static uint32_t records_free(const struct tcp *t) {
    return t->active.capacity - t->active.in_use + t->resting.count;
}

/* What a turn is for who wants so many chunks, when there are `more`; 0: too few. */
static uint32_t turn_of(const struct tcp *t, uint32_t chunks, uint32_t more) {
    return more < chunks ? 0 : u32_max(chunks, u32_min(more, u32_min(quantum(t), WAIT_CHUNKS_MAX)));
}

/* The turn that this connection would be given now. */
static uint32_t next_turn(const struct tcp *t, const struct connection *c) {
    uint32_t more = u32_min(budget_more(t, held_by(t, c), t->aside), u32_less(chunk_free_count(&t->base), t->aside));
    return turn_of(t, c->wait_chunks, more);
}

uint32_t budget_send(const struct tcp *t, const struct connection *c, uint32_t chunks) {
    uint32_t own = c->waits == WAITS_TURN ? c->turn_chunks : 0;
    uint32_t more = budget_more(t, held_by(t, c), t->aside - own);
    if (t->waiting == (c->waits > WAITS_RECORD)) return more;
    if (own != 0) return u32_min(more, own);
    /* It would be told at once, if it waited and nobody came before it. */
    uint32_t before = 0;
    for (enum connection_waits i = WAITS_LEAST, last = place(t, c, chunks); i <= last; i++)
        before += t->waits[i].count - (c->waits == i);
    return before != 0 ? 0 : turn_of(t, chunks, more);
}

/* Whose turn it is, or BK_NONE: the head of the first list in which somebody waits, if there is enough for it. */
static uint32_t next_to_feed(const struct tcp *t) {
    enum connection_waits first =
        t->waits[WAITS_RECORD].count != 0 && records_free(t) != 0 ? WAITS_RECORD : WAITS_LEAST;
    while (first < WAITS_TURN && t->waits[first].count == 0) first++;
    if (first == WAITS_TURN) return BK_NONE;
    uint32_t id = t->waits[first].head;
    return next_turn(t, connection_at(t, id)) != 0 ? id : BK_NONE;
}

void budget_feed_some(struct tcp *t) {
    for (uint32_t id; (id = next_to_feed(t)) != BK_NONE;) {
        struct connection *c = connection_at(t, id);
        uint32_t chunks = next_turn(t, c);
        unstand(t, c);
        bool has = connection_activate(t, c) != NULL;
        BK_ASSERT(has, "a turn is given to who has an active record, or can have one");
        c->turn_at = t->base.now / TURN_UNIT_NS & TURN_MASK;
        c->turn_chunks = chunks & WAIT_CHUNKS_MAX;
        if (c->wait_credit != 0 && held_by(t, c) + chunks > share(t)) c->wait_credit--;
        t->aside += chunks;
        stand(t, c, WAITS_TURN);
        tcp_due(t, budget_next_deadline(t));
        c->want_write = false;
        connection_hear(t, c, BK_READY_WRITABLE);
    }
}

bool budget_could_feed_some(const struct tcp *t) {
    return next_to_feed(t) != BK_NONE;
}

uint64_t budget_turn_ends(const struct tcp *t) {
    uint32_t id = t->waits[WAITS_TURN].head;
    uint64_t now = t->base.now / TURN_UNIT_NS;
    uint32_t age = (uint32_t)(now - connection_at(t, id)->turn_at) & TURN_MASK;
    return age > TURN_UNITS ? t->base.now : (now + TURN_UNITS + 1 - age) * TURN_UNIT_NS;
}

void budget_advance(struct tcp *t) {
    while (budget_next_deadline(t) <= t->base.now) {
        struct connection *c = connection_at(t, t->waits[WAITS_TURN].head);
        unstand(t, c);
        if (c->want_write)
            stand(t, c, place(t, c, c->wait_chunks));
        else
            connection_settle(t, c);
    }
}

/* The hierarchical timing wheel: see wheel.h.
 *
 * A timer whose deadline lies in tick T (T = deadline >> 16) is listed at the lowest level whose slot it shares with
 * no earlier time: level 0 if T is within the 64 ticks that the current level-0 turn covers, and so on. As `tick` passes
 * the start of a higher slot, that slot's timers are sorted again, into lower levels. Deadlines at or before
 * the current tick are listed in the current level-0 slot.
 *
 * Most looks at the wheel find nothing due. `quiet` spares them the search: it is lowered by what is armed, and found anew when it has come.
 */
#include "base/wheel.h"

static struct timer *timer_at(const struct wheel_of *of, uint32_t id) {
    return (struct timer *)(void *)((uint8_t *)pool_at(of->base, of->pool, id) + of->offset);
}

void wheel_init(struct wheel *w, uint64_t now) {
    memset(w->bitmap, 0, sizeof w->bitmap);
    memset(w->head, 0xff, sizeof w->head);
    w->tick = now >> WHEEL_TICK_SHIFT;
    w->quiet = BK_NEVER;
    w->armed = 0;
    w->pad = 0;
}

/* The highest of the digits to base 64 that are not zero. */
static uint32_t highest_digit(uint64_t n) {
    if (BK_FAST) return n == 0 ? 0 : (63u - (uint32_t)__builtin_clzll(n)) / 6u;
    uint32_t digit = 0;
    while ((n >>= 6) != 0) digit++;
    return digit;
}

/* Where a deadline belongs, as level * 64 + slot. */
static uint32_t wheel_slot(const struct wheel *w, uint64_t deadline) {
    uint64_t tick = u64_max(deadline >> WHEEL_TICK_SHIFT, w->tick);
    uint32_t level = highest_digit(tick ^ w->tick);
    return level * WHEEL_SLOTS + ((tick >> (6 * level)) & 63);
}

static void wheel_list(const struct wheel_of *of, uint32_t id, struct timer *t) {
    struct wheel *w = of->wheel;
    t->slot = wheel_slot(w, t->deadline);
    t->listed = (uint32_t)u64_max(t->deadline >> WHEEL_TICK_SHIFT, w->tick);
    uint32_t *head = &w->head[t->slot / WHEEL_SLOTS][t->slot % WHEEL_SLOTS];
    t->prev = BK_NONE;
    t->next = *head;
    if (*head != BK_NONE) timer_at(of, *head)->prev = id;
    *head = id;
    w->bitmap[t->slot / WHEEL_SLOTS] |= UINT64_C(1) << (t->slot % WHEEL_SLOTS);
}

static void wheel_unlist(const struct wheel_of *of, struct timer *t) {
    struct wheel *w = of->wheel;
    uint32_t *head = &w->head[t->slot / WHEEL_SLOTS][t->slot % WHEEL_SLOTS];
    if (t->prev != BK_NONE)
        timer_at(of, t->prev)->next = t->next;
    else
        *head = t->next;
    if (t->next != BK_NONE) timer_at(of, t->next)->prev = t->prev;
    if (*head == BK_NONE) w->bitmap[t->slot / WHEEL_SLOTS] &= ~(UINT64_C(1) << (t->slot % WHEEL_SLOTS));
    t->slot = WHEEL_UNLISTED;
}

/* When the wheel must be looked at for this timer, at the latest: its deadline, or the beginning of the coarse slot where it is listed. */
static uint64_t wheel_look(const struct timer *t) {
    uint32_t level = t->slot / WHEEL_SLOTS, shift = WHEEL_TICK_SHIFT + 6 * level;
    return level == 0 ? t->deadline : t->deadline >> shift << shift;
}

#define WHEEL_NEAR_LEVELS 5u /* within them ticks lie so close that their low 32 bits tell them apart */

/* Whether the timer stands where it is found in time for `deadline`. */
static bool stands_well(const struct wheel *w, const struct timer *t, uint64_t deadline) {
    if (t->slot >= WHEEL_NEAR_LEVELS * WHEEL_SLOTS) return false;
    uint64_t listed = w->tick + (uint64_t)(int64_t)(int32_t)(t->listed - (uint32_t)w->tick);
    return listed <= deadline >> WHEEL_TICK_SHIFT;
}

void wheel_arm(const struct wheel_of *of, uint32_t id, uint64_t deadline) {
    struct timer *t = timer_at(of, id);
    struct wheel *w = of->wheel;
    w->armed += (t->deadline == BK_NEVER) - (deadline == BK_NEVER);
    t->deadline = deadline;
    if (deadline == BK_NEVER) return;
    if (stands_well(w, t, deadline)) {
        /* Of a slot of level 0 the deadlines themselves are looked at: this one may have become an earlier one of the same tick. */
        w->quiet = u64_min(w->quiet, deadline);
        return;
    }
    if (t->slot != WHEEL_UNLISTED) wheel_unlist(of, t);
    /* As long as it is quiet, time passes by no slot: what is listed from here on is sorted as finely as can be. */
    if (w->quiet > of->base->now) w->tick = u64_max(w->tick, of->base->now >> WHEEL_TICK_SHIFT);
    wheel_list(of, id, t);
    w->quiet = u64_min(w->quiet, wheel_look(t));
}

void wheel_remove(const struct wheel_of *of, uint32_t id) {
    struct timer *t = timer_at(of, id);
    of->wheel->armed -= t->deadline != BK_NEVER;
    t->deadline = BK_NEVER;
    if (t->slot != WHEEL_UNLISTED) wheel_unlist(of, t);
}

/* wheel_first by looking into each slot: the bitmaps say no more than that. */
static uint64_t wheel_first_plain(const struct wheel *w, uint32_t *level, uint32_t *slot) {
    for (uint32_t l = 0; l < WHEEL_LEVELS; l++) {
        uint32_t current = (uint32_t)(w->tick >> (6 * l)) & 63;
        for (uint32_t s = 0; s < WHEEL_SLOTS; s++) {
            bool listed = w->head[l][s] != BK_NONE;
            BK_ASSERT(listed == (w->bitmap[l] >> s & 1), "a bitmap names the slots that are not empty");
            if (!listed) continue;
            BK_ASSERT(s >= current, "no timer is listed behind the wheel's time");
            *level = l;
            *slot = s;
            return s == current ? w->tick : (w->tick >> (6 * l) << (6 * l)) + ((uint64_t)(s - current) << (6 * l));
        }
    }
    return UINT64_MAX;
}

/* The first slot that is not empty: sets *level and *slot, and returns the tick at which it begins (or the current
 * tick, if it has begun). */
static uint64_t wheel_first(const struct wheel *w, uint32_t *level, uint32_t *slot) {
    if (!BK_FAST) return wheel_first_plain(w, level, slot);
    for (uint32_t l = 0; l < WHEEL_LEVELS; l++) {
        if (w->bitmap[l] == 0) continue;
        uint32_t current = (uint32_t)(w->tick >> (6 * l)) & 63;
        /* All slots of a level lie at or after the current one, within the turn: what lies in a later turn
         * differs in a higher digit and is listed at a higher level. */
        uint64_t ahead = w->bitmap[l] >> current;
        BK_ASSERT(ahead != 0, "no timer is listed behind the wheel's time");
        uint32_t distance = (uint32_t)__builtin_ctzll(ahead);
        *level = l;
        *slot = current + distance;
        if (distance == 0) return w->tick;
        return ((w->tick >> (6 * l)) + distance) << (6 * l);
    }
    return UINT64_MAX;
}

/* The earliest time at which a slot, or a timer in the first one, wants to be looked at; BK_NEVER if none is listed. */
static uint64_t wheel_first_look(const struct wheel_of *of) {
    uint32_t level, slot;
    uint64_t begins = wheel_first(of->wheel, &level, &slot);
    if (begins == UINT64_MAX) return BK_NEVER;
    if (level != 0) return begins << WHEEL_TICK_SHIFT;
    uint64_t earliest = ((begins + 1) << WHEEL_TICK_SHIFT) - 1; /* those that were put off are sorted by then */
    for (uint32_t id = of->wheel->head[0][slot]; id != BK_NONE; id = timer_at(of, id)->next)
        earliest = u64_min(earliest, timer_at(of, id)->deadline);
    return earliest;
}

uint64_t wheel_next(const struct wheel_of *of) {
    return of->wheel->armed == 0 ? BK_NEVER : wheel_first_look(of);
}

/* Moves the wheel's time on to `tick` and sorts the timers of the slot (level, slot), which begins there, again. */
static void wheel_cascade(const struct wheel_of *of, uint32_t level, uint32_t slot, uint64_t tick) {
    struct wheel *w = of->wheel;
    uint32_t id = w->head[level][slot];
    w->head[level][slot] = BK_NONE;
    w->bitmap[level] &= ~(UINT64_C(1) << slot);
    w->tick = tick;
    while (id != BK_NONE) {
        struct timer *t = timer_at(of, id);
        uint32_t next = t->next;
        if (t->deadline != BK_NEVER)
            wheel_list(of, id, t);
        else
            t->slot = WHEEL_UNLISTED;
        id = next;
    }
}

/* Of the timers in the slot of the current tick: takes out one that is due, and returns it, or BK_NONE. Those that were put off beyond the
 * tick go to where they belong. */
static uint32_t wheel_take(const struct wheel_of *of, uint32_t slot, uint64_t now) {
    struct wheel *w = of->wheel;
    for (uint32_t id = w->head[0][slot], next; id != BK_NONE; id = next) {
        struct timer *t = timer_at(of, id);
        next = t->next;
        if (t->deadline <= now) {
            wheel_remove(of, id);
            return id;
        }
        if (t->deadline >> WHEEL_TICK_SHIFT <= w->tick) continue;
        wheel_unlist(of, t);
        if (t->deadline != BK_NEVER) wheel_list(of, id, t);
    }
    return BK_NONE;
}

uint32_t wheel_expire_due(const struct wheel_of *of, uint64_t now) {
    struct wheel *w = of->wheel;
    uint64_t now_tick = now >> WHEEL_TICK_SHIFT;
    for (;;) {
        uint32_t level, slot;
        uint64_t begins = wheel_first(w, &level, &slot);
        if (begins > now_tick) {
            /* No slot begins at or before now, so none is passed by, and every digit that the listed ticks share with
             * the old time they share with the new one, which lies between. */
            w->tick = u64_max(w->tick, now_tick);
            w->quiet = wheel_first_look(of);
            return BK_NONE;
        }
        if (level != 0) {
            wheel_cascade(of, level, slot, begins);
            continue;
        }
        w->tick = begins;
        uint32_t id = wheel_take(of, slot, now);
        if (id != BK_NONE) return id;
        if (w->head[0][slot] == BK_NONE) continue;
        BK_ASSERT(begins == now_tick, "a slot in the past holds nothing that is not due");
        w->quiet = wheel_first_look(of);
        return BK_NONE;
    }
}

/* A hierarchical timing wheel for one timer a pool object.
 *
 * Level 0 has 64 slots of 2^16 ns (about 66 microseconds), each higher level 64 slots 64 times as long; eight levels hold
 * every time that 64 bits can name. A slot is a list; arming and cancelling are O(1). Deadlines
 * are exact: a timer fires at the first advance whose time is at or past its deadline, never before, and slots
 * only say where to look. wheel_next may return an earlier time than the earliest deadline (when a slot must be sorted
 * again), never a later one.
 *
 * Moving a timer is what a busy connection does with every segment, and nearly always to a later time. So a timer that is put off, or
 * cancelled, stays listed where it was; when that slot's time comes it is sorted again. Only one that is wanted earlier than where it stands
 * moves at once.
 *
 * The wheel's timers live in objects of one pool, at one offset: struct wheel_of says where.
 */
#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

#include "base/region.h"

#define WHEEL_LEVELS     8u
#define WHEEL_SLOTS      64u
#define WHEEL_TICK_SHIFT 16u
#define WHEEL_UNLISTED   UINT32_MAX

struct timer {
    uint64_t deadline; /* BK_NEVER: not armed */
    uint32_t next, prev;
    uint32_t slot;   /* level * 64 + slot, where it is listed, or WHEEL_UNLISTED */
    uint32_t listed; /* low bits of the tick for which it was listed there: not later than the deadline's */
};

struct wheel {
    uint64_t bitmap[WHEEL_LEVELS]; /* slots that are not empty */
    uint64_t tick;                 /* ticks already passed: slots behind it are empty */
    uint64_t quiet; /* before this time no timer is due and no slot has to be sorted; may be earlier than that */
    uint32_t head[WHEEL_LEVELS][WHEEL_SLOTS];
    uint32_t armed; /* timers with a deadline */
    uint32_t pad;
};

struct wheel_of {
    struct base *base;
    struct wheel *wheel;
    const struct pool *pool;
    size_t offset; /* of struct timer in the object */
};

void wheel_init(struct wheel *w, uint64_t now);
static inline void timer_init(struct timer *t) {
    t->deadline = BK_NEVER;
    t->slot = WHEEL_UNLISTED;
}
/* Arms, moves or (with BK_NEVER) cancels the timer of object `id`. */
void wheel_arm(const struct wheel_of *of, uint32_t id, uint64_t deadline);
/* The object goes: its timer is cancelled, and stands in no list. */
void wheel_remove(const struct wheel_of *of, uint32_t id);
/* The earliest time at which wheel_expire may have something to do; BK_NEVER if no timer is armed. */
uint64_t wheel_next(const struct wheel_of *of);
/* wheel_expire, when something may be due. */
uint32_t wheel_expire_due(const struct wheel_of *of, uint64_t now);
/* The id of a timer that is due at `now`, disarmed; BK_NONE when none is left. */
static inline uint32_t wheel_expire(const struct wheel_of *of, uint64_t now) {
    if (of->wheel->quiet <= now) return wheel_expire_due(of, now);
    BK_ASSERT(BK_FAST || wheel_next(of) >= of->wheel->quiet, "nothing is due while the wheel is quiet");
    return BK_NONE;
}

#endif

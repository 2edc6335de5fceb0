/* How two traces become one timeline.
 *
 * 1. Select: from each stack's events those of the connection, and of the listener that it came by.
 * 2. Match (timeline_match.c): find the departure of each arrival.
 * 3. Merge: by time; at equal times an arrival comes after its departure, directly if possible, and what is
 *    going on at either end comes before the next departure.
 * 4. Classify: say of each item what a picture of it must show.
 *
 * A stack traces a segment or call before the state changes and the news for the user that it causes, so each side's own
 * order is that of causes already; only among these effects the state comes first here.
 */
#include "trace/timeline.h"

#include <errno.h>
#include <stdlib.h>

#include "base/common.h"
#include "trace/timeline_match.h"

enum { TIMELINE_LISTENER = 4 }; /* bk_event.object_kind */

static bool timeline_of(const struct bk_event *e, const struct bk_ladder_connection *c) {
    return e->local_port == c->local_port && e->remote_port == c->remote_port && e->remote_tag == c->remote_tag;
}

size_t bk_ladder_connections(const struct bk_event *events, size_t count, struct bk_ladder_connection *out,
                             size_t max) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        const struct bk_event *e = &events[i];
        if (!timeline_segment(e) || !e->local_port || !e->remote_port) continue;
        struct bk_ladder_connection c = {e->local_port, e->remote_port, e->remote_tag};
        bool known = false;
        /* Beyond `max` the earlier ones are found among the events themselves. */
        for (size_t k = 0; k < found && k < max && !known; k++) known = timeline_of(e, &out[k]);
        for (size_t k = 0; found > max && k < i && !known; k++)
            known = timeline_segment(&events[k]) && timeline_of(&events[k], &c);
        if (known) continue;
        if (found < max) out[found] = c;
        found++;
    }
    return found;
}

/* Finds the connection at side B that side A calls *c. */
static bool timeline_mirror(const struct bk_ladder_side *b, const struct bk_ladder_connection *c,
                            struct bk_ladder_connection *out) {
    for (size_t i = 0; i < b->count; i++) {
        const struct bk_event *e = &b->events[i];
        if (e->local_port != c->remote_port || e->remote_port != c->local_port) continue;
        *out = (struct bk_ladder_connection){e->local_port, e->remote_port, e->remote_tag};
        return true;
    }
    return false;
}

/* Copies references to the side's events of connection `c`. Of a listener's events those count that the
 * connection lives through, and the call that began it. */
static int timeline_select(struct timeline *t, uint8_t side, const struct bk_ladder_side *from,
                           const struct bk_ladder_connection *c) {
    size_t first = SIZE_MAX, last = 0, listen = SIZE_MAX;
    for (size_t i = 0; i < from->count; i++) {
        const struct bk_event *e = &from->events[i];
        if (timeline_of(e, c)) {
            if (first == SIZE_MAX) first = i;
            last = i;
        } else if (first == SIZE_MAX && e->kind == BK_EVENT_CALL && e->call == BK_CALL_OPEN_PASSIVE &&
                   e->local_port == c->local_port) {
            listen = i;
        }
    }
    if (first == SIZE_MAX) return -ENOENT;
    t->items[side] = calloc(from->count, sizeof *t->items[side]);
    if (!t->items[side]) return ERROR_NOMEM;
    for (size_t i = 0; i < from->count; i++) {
        const struct bk_event *e = &from->events[i];
        bool listeners = i > first && i < last && e->object_kind == TIMELINE_LISTENER && e->local_port == c->local_port;
        if (!timeline_of(e, c) && !listeners && i != listen) continue;
        t->items[side][t->count[side]++] = (struct timeline_item){.event = e, .side = side};
    }
    t->start = u64_min(t->start, from->events[first].time);
    return 0;
}

/* The user may hear of a change before its state is set; a picture shows the state first, at the segment that changed it. */
static void timeline_settle(struct timeline_item *items, size_t n) {
    for (size_t i = 1; i < n; i++) {
        if (items[i].event->kind != BK_EVENT_STATE) continue;
        for (size_t k = i; k > 0; k--) {
            const struct bk_event *heard = items[k - 1].event;
            if (heard->kind != BK_EVENT_HEARD || heard->time != items[k].event->time) break;
            struct timeline_item change = items[k];
            items[k] = items[k - 1];
            items[k - 1] = change;
        }
    }
}

static struct timeline_item *timeline_head(const struct timeline *t, const size_t next[2], int side) {
    return next[side] < t->count[side] ? &t->items[side][next[side]] : NULL;
}

/* Which side's next item comes next. */
static int timeline_pick(const struct timeline *t, const size_t next[2], const struct timeline_item *last) {
    struct timeline_item *head[2] = {timeline_head(t, next, 0), timeline_head(t, next, 1)};
    if (!head[0] || !head[1]) return head[1] != NULL;
    for (int s = 0; s < 2; s++)
        if (last && last->mate && last->mate == head[s] && head[s]->event->time <= head[!s]->event->time) return s;
    bool blocked[2];
    for (int s = 0; s < 2; s++)
        blocked[s] = timeline_arrives(head[s]->event) && head[s]->mate && !head[s]->mate->placed;
    if (blocked[0] != blocked[1] && (blocked[0] ? head[1] : head[0])->event->time <= head[blocked[1]]->event->time)
        return blocked[0];
    if (head[0]->event->time != head[1]->event->time) return head[1]->event->time < head[0]->event->time;
    if (blocked[0] != blocked[1]) return blocked[0];
    bool departs[2] = {timeline_departs(head[0]->event), timeline_departs(head[1]->event)};
    if (departs[0] != departs[1]) return departs[0];
    return last ? last->side : 0;
}

static void timeline_merge(struct timeline *t) {
    size_t next[2] = {0, 0};
    const struct timeline_item *last = NULL;
    while (t->length < t->count[0] + t->count[1]) {
        int side = timeline_pick(t, next, last);
        struct timeline_item *item = &t->items[side][next[side]++];
        item->placed = true;
        last = t->order[t->length++] = item;
    }
}

/* Whether `next` may stand between a departure and its direct arrival: a part of the same unit, or what goes on at the sender in
 * the same instant. */
static bool timeline_passes(const struct timeline_item *item, const struct timeline_item *next) {
    const struct bk_event *e = next->event;
    if (timeline_arrives(e)) return next->mate == item && item->mate != next;
    bool segment = timeline_departs(e), timer = e->kind == BK_EVENT_TIMER;
    return !segment && !timer && next->side == item->side && e->time == item->event->time;
}

/* What a departure at order[i] looks like; *arrival is where it arrives if directly. */
static uint8_t timeline_departure_kind(const struct timeline *t, size_t i, struct timeline_item **arrival) {
    struct timeline_item *item = t->order[i];
    *arrival = NULL;
    if (!t->both) return TIMELINE_DIRECT;
    if (!item->mate) {
        bool later = t->order[t->length - 1]->event->time > item->event->time;
        return later ? TIMELINE_LOST : TIMELINE_UNDER_WAY;
    }
    size_t j = i + 1;
    while (j < t->length && timeline_passes(item, t->order[j])) j++;
    if (j == t->length || t->order[j] != item->mate || item->mate->mates != 1) return TIMELINE_DEPART;
    *arrival = item->mate;
    return TIMELINE_DIRECT;
}

static void timeline_classify(struct timeline *t) {
    for (size_t i = 0; i < t->length; i++) {
        struct timeline_item *item = t->order[i], *arrival;
        BK_ASSERT(item != NULL, "every place in the order is filled");
        if (item->event->kind == BK_EVENT_TIMER) {
            item->kind = TIMELINE_TIMER;
        } else if (timeline_departs(item->event)) {
            item->kind = timeline_departure_kind(t, i, &arrival);
            if (arrival) arrival->kind = TIMELINE_JOINED;
        } else if (!timeline_arrives(item->event)) {
            item->kind = TIMELINE_NEWS;
        } else if (!t->both) {
            item->kind = TIMELINE_DIRECT;
        } else if (!item->mate) {
            item->kind = item->mates ? TIMELINE_COPY : TIMELINE_STRANGER;
        } else if (item->kind != TIMELINE_JOINED) {
            bool direct = item->mate->placed && item->mate->kind == TIMELINE_DIRECT;
            item->kind = direct && item->mate->mate != item ? TIMELINE_PIECE : TIMELINE_ARRIVE;
        }
    }
}

int timeline_make(struct timeline *t, const struct bk_ladder_side *a, const struct bk_ladder_side *b,
                  const struct bk_ladder_connection *connection) {
    struct bk_ladder_connection mirror;
    *t = (struct timeline){.start = UINT64_MAX};
    if (connection)
        t->connection = *connection;
    else if (!bk_ladder_connections(a->events, a->count, &t->connection, 1))
        return -ENOENT;
    int result = timeline_select(t, 0, a, &t->connection);
    t->both = b && b->events;
    if (!result && t->both && timeline_mirror(b, &t->connection, &mirror)) result = timeline_select(t, 1, b, &mirror);
    if (!result) {
        t->order = calloc(t->count[0] + t->count[1], sizeof *t->order);
        if (!t->order) result = ERROR_NOMEM;
    }
    if (result) {
        timeline_free(t);
        return result;
    }
    for (int side = 0; side < 2; side++) timeline_settle(t->items[side], t->count[side]);
    if (t->both) timeline_match(t);
    timeline_merge(t);
    timeline_classify(t);
    return 0;
}

void timeline_free(struct timeline *t) {
    free(t->items[0]);
    free(t->items[1]);
    free(t->order);
    *t = (struct timeline){.start = 0};
}

/* The timeline: the events of one connection, of one stack or of both, in one order that respects causes. */
#ifndef TRACE_TIMELINE_H
#define TRACE_TIMELINE_H

#include "beckon/ladder.h"

enum timeline_kind {
    TIMELINE_NEWS, /* a state change, a user call, or what the user heard */
    TIMELINE_TIMER,
    TIMELINE_DIRECT, /* a segment with nothing between its departure and its arrival, or of which only one is known */
    TIMELINE_JOINED, /* the arrival that belongs to the TIMELINE_DIRECT before it */
    TIMELINE_DEPART, /* other things happen before it arrives */
    TIMELINE_ARRIVE,
    TIMELINE_PIECE,     /* the arrival of a part of a unit that arrives directly: the last part stands for all */
    TIMELINE_LOST,      /* never arrives */
    TIMELINE_UNDER_WAY, /* has not arrived when the trace ends */
    TIMELINE_COPY,      /* arrives once more than it was sent */
    TIMELINE_STRANGER,  /* arrives, and the other stack has not sent it */
};

struct timeline_item {
    const struct bk_event *event;
    struct timeline_item *mate; /* departure: the arrival that completes it; arrival: its (last) departure; or NULL */
    uint32_t mates;             /* how many arrivals a departure has, and the reverse */
    uint32_t bytes;             /* of a departure: payload that arrived */
    uint8_t side;               /* 0 A, 1 B */
    uint8_t kind;               /* enum timeline_kind */
    bool placed;
};

struct timeline {
    struct timeline_item *items[2]; /* each side's, in its own order */
    size_t count[2];
    struct timeline_item **order;
    size_t length;
    bool both;      /* both sides' events are known */
    uint64_t start; /* time of the connection's first event */
    struct bk_ladder_connection connection;
};

/* Returns 0, -ENOENT (no such connection in A's events) or -ENOMEM; *t is then empty. */
int timeline_make(struct timeline *t, const struct bk_ladder_side *a, const struct bk_ladder_side *b,
                  const struct bk_ladder_connection *connection);
void timeline_free(struct timeline *t);

static inline bool timeline_departs(const struct bk_event *e) {
    return e->kind == BK_EVENT_SEGMENT_OUT;
}
static inline bool timeline_arrives(const struct bk_event *e) {
    return e->kind == BK_EVENT_SEGMENT_IN;
}
static inline bool timeline_segment(const struct bk_event *e) {
    return timeline_departs(e) || timeline_arrives(e);
}

#endif

/* Ladder diagrams: what the timeline says, drawn on a page. See page.h for what a page is made of.
 *
 * An item of the timeline becomes an arrow with its words, a cell at a side, or both. A call that makes a segment leave at once
 * stands beside the segment's arrow, and so does the state that a segment leads to.
 */
#include "beckon/ladder.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/common.h"
#include "trace/infer.h"
#include "trace/page.h"

enum { LADDER_CONNECTION = 1 }; /* bk_event.object_kind */

struct ladder {
    struct page page;
    struct timeline timeline;
    const char *name[2];
    struct label_base base;
    struct infer infer;
    const struct timeline_item *segment; /* the last one drawn */
};

/* ---- segments -------------------------------------------------------------------------------------- */

static bool ladder_is_again(const struct bk_event *e) {
    switch (e->reason) {
    case BK_REASON_SEND_SYN_AGAIN:
    case BK_REASON_SEND_SYN_ACK_AGAIN:
    case BK_REASON_SEND_SYN_ACK_DUPLICATE:
    case BK_REASON_SEND_RTO:
    case BK_REASON_SEND_FAST_RETRANSMIT:
    case BK_REASON_SEND_PARTIAL_ACK:
    case BK_REASON_SEND_FIN_AGAIN:
    case BK_REASON_ACCEPT_SYN_DUPLICATE:
    case BK_REASON_ANSWER_DUPLICATE:
    case BK_REASON_ANSWER_TIME_WAIT_FIN:
        return true;
    default:
        return false;
    }
}

/* Whether what the receiver made of a segment is worth saying when the sender's reason is said already. */
static bool ladder_is_remarkable(uint16_t reason) {
    switch (reason) {
    case BK_REASON_ACCEPT_SYN_TIME_WAIT:
    case BK_REASON_ACCEPT_SYN_SIMULTANEOUS:
    case BK_REASON_ACCEPT_COOKIE_ACK:
    case BK_REASON_ACCEPT_DATA_OUT_OF_ORDER:
    case BK_REASON_ACCEPT_DATA_OVERLAP:
    case BK_REASON_ACCEPT_FIN_ACK:
    case BK_REASON_ACCEPT_RST:
    case BK_REASON_ACCEPT_RST_REFUSED:
    case BK_REASON_ACCEPT_RST_REQUEST:
        return true;
    default:
        return bk_reason_verdict(reason) != BK_ACCEPTED && reason != BK_REASON_NONE;
    }
}

static bool ladder_is_dropped(const struct bk_event *e) {
    return timeline_arrives(e) && bk_reason_verdict(e->reason) == BK_DROPPED;
}

/* The verdict of the receiver, e.g. "dropped: TCP checksum". */
static void ladder_verdict(struct ladder *l, const struct bk_event *arrival, bool right, bool prefix) {
    enum bk_verdict verdict = bk_reason_verdict(arrival->reason);
    char words[LABEL_LINE], start[32];
    snprintf(start, sizeof start, "%s: ", bk_verdict_name(verdict));
    label_reason(prefix || verdict != BK_ACCEPTED ? start : "", arrival->reason, words);
    page_words(&l->page, words, right, verdict == BK_DROPPED ? CANVAS_BROKEN : CANVAS_DIM);
}

/* What the sender says of a segment: the rest of the label, the reason. */
static void ladder_explain(struct ladder *l, const struct label *label, uint32_t next, const struct bk_event *e,
                           bool right) {
    char words[LABEL_LINE];
    while (next < label->count) {
        label_join(label, &next, l->page.lane.end - l->page.lane.text, words);
        page_words(&l->page, words, right, CANVAS_PLAIN);
    }
    if (!timeline_departs(e)) return;
    label_reason("", e->reason, words);
    page_words(&l->page, words, right, CANVAS_DIM);
}

/* Whether a state change of this item's stack follows at once; it then says more than the state after all of them. */
static bool ladder_state_follows(const struct ladder *l, size_t i) {
    const struct timeline_item *item = l->timeline.order[i];
    for (size_t k = i + 1; k < l->timeline.length; k++) {
        const struct timeline_item *next = l->timeline.order[k];
        if (next->side != item->side) continue;
        if (next->event->time != item->event->time) return false;
        if (next->event->kind == BK_EVENT_STATE) return true;
        if (next->event->kind != BK_EVENT_HEARD) return false;
    }
    return false;
}

static void ladder_state_after(struct ladder *l, size_t i) {
    const struct timeline_item *item = l->timeline.order[i];
    uint8_t state = item->event->state;
    bool listeners =
        item->event->object_kind != LADDER_CONNECTION && state == BK_LISTEN && l->page.state[item->side] > BK_LISTEN;
    if (!listeners && !ladder_state_follows(l, i)) page_state(&l->page, item->side, state);
}

/* A call that makes a segment leave at once stands beside the arrow: the block that holds nothing else is joined. */
static void ladder_segment_begin(struct ladder *l, const struct timeline_item *item) {
    const struct page_block *b = &l->page.block;
    uint64_t tick = page_ticks(&l->page, item->event->time);
    /* Arrivals of one burst stand together. */
    bool burst = l->segment && l->segment->kind == TIMELINE_ARRIVE && item->kind == TIMELINE_ARRIVE;
    if (burst && l->segment->side == item->side && b->tick == tick && b->lines == 1) l->page.block.segment = false;
    l->segment = item;
    bool joins = b->open && b->segment && !b->lines && b->tick == tick && !b->cells[!item->side];
    if (!joins) page_block_begin(&l->page, tick, true);
}

static void ladder_flight(const struct ladder *l, const struct timeline_item *departure, char out[LABEL_LINE]) {
    out[0] = 0;
    if (!departure->mate || departure->mate->event->time < departure->event->time + l->page.resolution) return;
    label_duration(departure->mate->event->time - departure->event->time, out);
}

static void ladder_inferred(struct ladder *l, const struct bk_event *e) {
    char words[LABEL_LINE];
    uint8_t state = infer_event(&l->infer, e);
    if (state == INFER_UNKNOWN || state == l->page.state[1]) return;
    l->page.state[1] = state;
    snprintf(words, sizeof words, "(%s)", bk_state_name(state));
    page_cell(&l->page, 1, words, CANVAS_PLAIN);
}

/* Notes that the drawing cannot show. */
static void ladder_notes(struct ladder *l, const struct timeline_item *item, bool right) {
    char words[LABEL_LINE];
    const struct bk_event *e = item->event;
    if (item->kind == TIMELINE_UNDER_WAY)
        page_words(&l->page, "still on its way when the trace ends", right, CANVAS_DIM);
    if (item->kind == TIMELINE_COPY) page_words(&l->page, "a second copy, made on the way", right, CANVAS_DIM);
    if (item->kind == TIMELINE_STRANGER) {
        snprintf(words, sizeof words, "not sent by %.80s", l->name[!item->side]);
        page_words(&l->page, words, right, CANVAS_DIM);
    }
    if (!timeline_departs(e) || !item->mate || item->mates < 2) return;
    if (item->bytes < e->len)
        snprintf(words, sizeof words, "%" PRIu32 " of %" PRIu32 " bytes arrive, in %" PRIu32 " segments", item->bytes,
                 e->len, item->mates);
    else
        snprintf(words, sizeof words, "cut into %" PRIu32 " segments on the way", item->mates);
    page_words(&l->page, words, right, CANVAS_DIM);
}

/* The first line of a label that fits beside the arrow's other parts. */
static uint32_t ladder_label(const struct ladder *l, const struct timeline_item *item, int from, bool again,
                             struct label *label, char line[LABEL_LINE]) {
    uint32_t next = 0, columns = lane_label_columns(&l->page.lane) - (again ? 2 : 0);
    label_segment(label, item->event, &l->base, from, l->page.options.absolute_isn);
    if (item->kind == TIMELINE_LOST || item->kind == TIMELINE_UNDER_WAY) columns -= 6;
    if (item->kind == TIMELINE_ARRIVE) { /* told at its departure: enough to recognise it by */
        columns -= 2;
        bool acks = item->event->tcp_flags & 16, piece = item->event->len != item->mate->event->len;
        if (piece && acks) memmove(label->item[2], label->item[3], LABEL_ITEM); /* its length rather than its ACK */
        label->count = u32_min(label->count, item->event->len ? 2u + piece : 2u + acks);
    }
    label_join(label, &next, columns, line);
    return next;
}

/* Returns whether all of it found room. */
static bool ladder_draw(struct ladder *l, const struct timeline_item *item, const struct lane_arrow *a) {
    struct canvas *row = page_row(&l->page, 0);
    switch (item->kind) {
    case TIMELINE_DEPART:
        lane_depart(&l->page.lane, row, a);
        break;
    case TIMELINE_ARRIVE:
        return lane_arrive(&l->page.lane, row, a, item->mate->mate == item ? item->mates : 0);
    case TIMELINE_LOST:
    case TIMELINE_UNDER_WAY:
        lane_lost(&l->page.lane, row, a, item->kind == TIMELINE_LOST);
        break;
    case TIMELINE_COPY:
    case TIMELINE_STRANGER:
        lane_stray(&l->page.lane, row, a);
        break;
    default:
        return lane_direct(&l->page.lane, row, a);
    }
    return true;
}

/* A track that opens or closes at the arrow runs on, or no longer, in the rows that cells have made beneath it. */
static void ladder_redo_tracks(struct ladder *l) {
    for (uint32_t i = 1; i < l->page.block.rows; i++) {
        for (int side = 0; side < 2; side++)
            canvas_set(&l->page.block.row[i], l->page.lane.track[side], ' ', CANVAS_PLAIN);
        lane_background(&l->page.lane, &l->page.block.row[i]);
    }
}

static void ladder_learn(struct ladder *l, const struct timeline_item *item, int from) {
    bool trusted = timeline_departs(item->event) || bk_reason_verdict(item->event->reason) == BK_ACCEPTED;
    bool known = l->timeline.both && timeline_arrives(item->event) && item->mate; /* its departure was asked */
    if (!known) label_base_learn(&l->base, item->event, from, trusted && item->kind != TIMELINE_STRANGER);
}

/* Draws the segment at order[i]. A direct one takes its arrival with it. */
static void ladder_segment(struct ladder *l, size_t i) {
    const struct timeline_item *item = l->timeline.order[i];
    const struct bk_event *e = item->event;
    const struct timeline_item *arrival = timeline_arrives(e) ? item : NULL;
    if (timeline_departs(e) && item->kind == TIMELINE_DIRECT) arrival = item->mate;
    int from = timeline_departs(e) ? item->side : !item->side;
    bool lost = item->kind == TIMELINE_LOST || item->kind == TIMELINE_UNDER_WAY;
    bool right = from == 1 && (lost || item->kind == TIMELINE_DEPART);
    bool again = ladder_is_again(e);
    struct label label;
    char line[LABEL_LINE], flight[LABEL_LINE] = "";

    ladder_learn(l, item, from);
    ladder_segment_begin(l, item);
    uint32_t next = ladder_label(l, item, from, again, &label, line);
    if (arrival && l->timeline.both && arrival->mate) ladder_flight(l, arrival->mate, flight);
    struct lane_arrow arrow = {
        .from = from,
        .style = item->kind == TIMELINE_LOST ? CANVAS_BROKEN
                 : again                     ? CANVAS_AGAIN
                                             : CANVAS_PLAIN,
        .again = again,
        .refused = arrival && ladder_is_dropped(arrival->event),
        .label = line,
        .flight = flight,
    };
    bool told = ladder_draw(l, item, &arrow);
    ladder_redo_tracks(l);
    l->page.block.lines = 1;
    ladder_explain(l, &label, next, e, right);
    if (!told) {
        snprintf(line, sizeof line, "arrives %.40s later", flight);
        page_words(&l->page, line, right, CANVAS_DIM);
    }
    ladder_notes(l, item, right);
    if (arrival && (!l->timeline.both || l->page.options.all_reasons || ladder_is_remarkable(arrival->event->reason)))
        ladder_verdict(l, arrival->event, right, l->timeline.both);

    ladder_state_after(l, i);
    if (!l->timeline.both) ladder_inferred(l, e);
    if (arrival && arrival != item) l->page.now = l->page.block.until = page_ticks(&l->page, arrival->event->time);
}

/* ---- everything else ------------------------------------------------------------------------------- */

/* Whether the call at order[i] is what makes the next segment leave: then it begins that segment's block. */
static bool ladder_call_sends(const struct ladder *l, size_t i) {
    const struct timeline_item *item = l->timeline.order[i];
    uint64_t tick = page_ticks(&l->page, item->event->time);
    for (size_t k = i + 1; k < l->timeline.length; k++) {
        const struct timeline_item *next = l->timeline.order[k];
        if (next->side != item->side || page_ticks(&l->page, next->event->time) != tick) return false;
        if (timeline_departs(next->event)) return true;
        if (next->event->kind != BK_EVENT_STATE) return false;
    }
    return false;
}

static void ladder_news(struct ladder *l, size_t i) {
    const struct timeline_item *item = l->timeline.order[i];
    const struct bk_event *e = item->event;
    char words[LABEL_LINE];
    uint64_t tick = page_ticks(&l->page, e->time);
    if (e->kind == BK_EVENT_STATE && e->state == l->page.state[item->side]) return;
    if (e->kind == BK_EVENT_CALL && ladder_call_sends(l, i))
        page_block_begin(&l->page, tick, true);
    else
        page_block_continue(&l->page, tick);
    uint8_t style = e->kind == BK_EVENT_CALL ? CANVAS_CALL : CANVAS_HEARD;
    for (uint32_t line = 0; label_news(e, line, words); line++) page_cell(&l->page, item->side, words, style);
    /* Calls and news carry the state at their time, which may be about to change: only changes are shown. */
    if (e->kind == BK_EVENT_STATE) page_state(&l->page, item->side, e->state);
}

static void ladder_timer(struct ladder *l, size_t i) {
    const struct timeline_item *item = l->timeline.order[i];
    char words[LABEL_LINE];
    page_block_begin(&l->page, page_ticks(&l->page, item->event->time), true);
    if (item->event->reason == BK_REASON_NONE)
        snprintf(words, sizeof words, "a timer fired");
    else
        label_reason("", item->event->reason, words);
    page_words(&l->page, words, item->side == 1, CANVAS_AGAIN);
    ladder_state_after(l, i);
    l->page.block.segment = false; /* what it causes follows without a blank row */
}

static void ladder_item(struct ladder *l, size_t i) {
    switch (l->timeline.order[i]->kind) {
    case TIMELINE_NEWS:
        ladder_news(l, i);
        break;
    case TIMELINE_TIMER:
        ladder_timer(l, i);
        break;
    case TIMELINE_JOINED:
        ladder_state_after(l, i);
        break;
    case TIMELINE_PIECE:
        page_block_continue(&l->page, page_ticks(&l->page, l->timeline.order[i]->event->time));
        ladder_state_after(l, i);
        break;
    default:
        ladder_segment(l, i);
        break;
    }
}

/* The names at the head of the columns; long ones reach into the lane. */
static void ladder_names(const struct ladder *l) {
    struct canvas row;
    uint32_t half = l->page.width / 2 - 2, width[2], room = l->page.side_x[0] + l->page.side_width[0];
    canvas_clear(&row);
    for (int side = 0; side < 2; side++) width[side] = u32_min(text_width(l->name[side]), half);
    uint32_t left = width[0] <= room ? room - width[0] : 0;
    uint32_t right = u32_min(l->page.side_x[1], l->page.width - width[1]);
    canvas_text(&row, left, half, l->name[0], CANVAS_BOLD);
    canvas_text(&row, right, l->page.width, l->name[1], CANVAS_BOLD);
    page_print_row(&l->page, &row);
}

/* The state before anything happened. Of a segment that opens a connection, its first state change knows better: the segment
 * belonged to nobody yet. */
static uint8_t ladder_first_state(const struct timeline *t, int side) {
    const struct bk_event *first = t->items[side][0].event;
    for (size_t i = 0; i < t->count[side] && t->items[side][i].event->time == first->time; i++)
        if (t->items[side][i].event->kind == BK_EVENT_STATE) return t->items[side][i].event->state_before;
    return first->state_before;
}

static void ladder_beginnings(struct ladder *l) {
    const struct timeline *t = &l->timeline;
    struct canvas *row = page_row(&l->page, 0);
    const char *unit = l->page.time_width >= 7 ? "seconds" : "s";
    canvas_text(row, l->page.time_width - text_width(unit), l->page.time_width, unit, CANVAS_DIM);
    for (int side = 0; side < 2; side++)
        if (t->count[side]) page_state(&l->page, side, ladder_first_state(t, side));
    page_print_row(&l->page, row);
    l->page.block.rows = l->page.block.cells[0] = l->page.block.cells[1] = 0;
}

static void ladder_run(struct ladder *l) {
    l->page.timeline = &l->timeline;
    page_layout(&l->page);
    infer_init(&l->infer);
    l->page.state[0] = l->page.state[1] = INFER_UNKNOWN;
    l->page.printed = UINT64_MAX;
    ladder_names(l);
    ladder_beginnings(l);
    for (size_t i = 0; i < l->timeline.length; i++) ladder_item(l, i);
    page_block_end(&l->page);
}

int bk_ladder(const struct bk_ladder_side *a, const struct bk_ladder_side *b,
              const struct bk_ladder_connection *connection, const struct bk_ladder_options *options, bk_text_fn write,
              void *context) {
    struct ladder *l = calloc(1, sizeof *l);
    if (!l) return ERROR_NOMEM;
    l->page.out = (struct text_out){write, context};
    if (options) l->page.options = *options;
    l->name[0] = a->name ? a->name : "A";
    l->name[1] = b && b->name ? b->name : "B";
    int result = timeline_make(&l->timeline, a, b, connection);
    if (!result) {
        ladder_run(l);
        timeline_free(&l->timeline);
    }
    free(l);
    return result;
}

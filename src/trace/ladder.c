/* Ladder diagrams.
 *
 * The timeline says in which order things are drawn and what each of them is. A drawing grows block by block: a block is an
 * arrow with the lines of text beneath it, and the cells at its sides (states, calls, what was heard), which fill
 * the rows that the text leaves free. So a segment and all that it causes at once stand together. A block is
 * printed when the next segment begins or time passes.
 *
 *     seconds          client                                    server
 *       0.000   send 80 ├── PSH,ACK  seq 1  ack 1  len 80 ─────────►│ readable      row 0
 *                       │   data that the user sent · RFC ...       │ receive 80    row 1
 *     time      cells 0   lane                                        cells 1
 */
#include "beckon/ladder.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/common.h"
#include "trace/infer.h"
#include "trace/lane.h"
#include "trace/timeline.h"

enum {
    LADDER_ROWS = 64,
    LADDER_ROOM = 24, /* rows that one item may need: a block with fewer left is printed first */
    LADDER_SIDE_MIN = 8,
    LADDER_SIDE_MAX = 16,
    LADDER_CONNECTION = 1, /* bk_event.object_kind */
};
#define LADDER_GAP (100 * NS_PER_MS) /* silence worth a row of its own */

struct ladder_block {
    struct canvas row[LADDER_ROWS];
    uint32_t rows;        /* with a background */
    uint32_t lines;       /* of the lane in use */
    uint32_t cells[2];    /* of each side in use */
    uint64_t tick, until; /* when its segment departed and arrived */
    bool segment, open;
};

struct ladder {
    struct text_out out;
    struct bk_ladder_options options;
    struct timeline timeline;
    const char *name[2];
    uint64_t resolution; /* ns of one tick: what the printed times can tell apart */
    uint32_t width, time_width, side_width[2], side_x[2];
    struct lane lane;
    struct label_base base;
    struct infer infer;
    uint8_t state[2]; /* as shown last */
    uint64_t now;     /* time of the last item, in ticks from the start */
    uint64_t printed; /* tick printed last, or UINT64_MAX */
    bool segment_printed;
    struct ladder_block block;
};

/* ---- layout ---------------------------------------------------------------------------------------- */

static void ladder_widen(struct ladder *l, int side, uint32_t width) {
    l->side_width[side] = u32_max(l->side_width[side], u32_min(width, LADDER_SIDE_MAX));
}

static uint64_t ladder_ticks(const struct ladder *l, uint64_t time) {
    return time > l->timeline.start ? (time - l->timeline.start) / l->resolution : 0;
}

static void ladder_time(const struct ladder *l, uint64_t tick, char out[LABEL_LINE]) {
    uint64_t second = NS_PER_S / l->resolution;
    snprintf(out, LABEL_LINE, "%" PRIu64 ".%0*" PRIu64, tick / second, second == 1000 ? 3 : 6, tick % second);
}

/* Side columns are as wide as what will stand there; times are given to the millisecond if all are whole milliseconds. */
static void ladder_measure(struct ladder *l) {
    const struct timeline *t = &l->timeline;
    char words[LABEL_LINE];
    l->resolution = NS_PER_MS;
    l->side_width[0] = l->side_width[1] = LADDER_SIDE_MIN;
    if (!t->both) ladder_widen(l, 1, text_width("(SYN-RECEIVED)"));
    for (size_t i = 0; i < t->length; i++) {
        const struct bk_event *e = t->order[i]->event;
        if (e->time > t->start && (e->time - t->start) % NS_PER_MS) l->resolution = NS_PER_US;
        ladder_widen(l, t->order[i]->side, text_width(bk_state_name(e->state)));
        if (i == 0) ladder_widen(l, t->order[i]->side, text_width(bk_state_name(e->state_before)));
        for (uint32_t line = 0; label_news(e, line, words); line++)
            ladder_widen(l, t->order[i]->side, text_width(words));
    }
    ladder_time(l, ladder_ticks(l, t->order[t->length - 1]->event->time), words);
    l->time_width = text_width(words);
}

static void ladder_layout(struct ladder *l) {
    uint32_t width = l->options.width ? l->options.width : 100;
    l->width = u32_min(u32_max(width, 80), CANVAS_WIDTH);
    ladder_measure(l);
    l->side_x[0] = l->time_width + 2;
    l->side_x[1] = l->width - l->side_width[1];
    lane_init(&l->lane, l->side_x[0] + l->side_width[0] + 1, l->side_x[1] - 2);
}

/* ---- blocks ---------------------------------------------------------------------------------------- */

static void ladder_print_row(const struct ladder *l, const struct canvas *row) {
    canvas_print(row, &l->out, l->options.ascii, l->options.colour);
}

/* Row n of the block, with its background. Rows are made when they are needed, for the tracks change under an arrow. */
static struct canvas *ladder_row(struct ladder *l, uint32_t n) {
    struct ladder_block *b = &l->block;
    for (; b->rows <= n; b->rows++) {
        canvas_clear(&b->row[b->rows]);
        lane_background(&l->lane, &b->row[b->rows]);
    }
    return &b->row[n];
}

static void ladder_block_end(struct ladder *l) {
    struct ladder_block *b = &l->block;
    char time[LABEL_LINE];
    if (!b->open) return;
    ladder_row(l, 0);
    if (b->tick != l->printed) {
        ladder_time(l, b->tick, time);
        canvas_text(&b->row[0], l->time_width - text_width(time), l->time_width, time, CANVAS_DIM);
        l->printed = b->tick;
    }
    for (uint32_t i = 0; i < b->rows; i++) ladder_print_row(l, &b->row[i]);
    l->segment_printed = b->segment;
    b->rows = b->lines = b->cells[0] = b->cells[1] = 0;
    b->segment = b->open = false;
}

/* A row that only separates: blank between two segments, or the name of the time that passes. */
static void ladder_separate(struct ladder *l, uint64_t tick, bool segment) {
    struct canvas row;
    char duration[LABEL_LINE], words[LABEL_LINE];
    uint64_t silence = (tick - l->now) * l->resolution;
    canvas_clear(&row);
    if (silence >= LADDER_GAP) {
        label_duration(silence, duration);
        snprintf(words, sizeof words, "%.40s later", duration);
        lane_gap(&l->lane, &row, words);
    } else if (l->segment_printed && (segment || tick != l->now)) {
        lane_background(&l->lane, &row);
    } else {
        return;
    }
    ladder_print_row(l, &row);
}

static void ladder_block_begin(struct ladder *l, uint64_t tick, bool segment) {
    ladder_block_end(l);
    ladder_separate(l, tick, segment);
    l->block.tick = l->block.until = tick;
    l->block.segment = segment;
    l->block.open = true;
    l->now = tick;
}

/* A block that text may be added to at this time: the open one, or a new one. */
static void ladder_block_continue(struct ladder *l, uint64_t tick) {
    const struct ladder_block *b = &l->block;
    uint32_t used = u32_max(b->lines, u32_max(b->cells[0], b->cells[1]));
    if (!b->open || b->until != tick || used + LADDER_ROOM > LADDER_ROWS) ladder_block_begin(l, tick, false);
}

/* Writes words into the side's next free cells, at the line. */
static void ladder_cell(struct ladder *l, int side, const char *words, uint8_t style) {
    uint32_t width = l->side_width[side];
    char line[LABEL_LINE];
    while (label_wrap(&words, width, line)) {
        struct canvas *row = ladder_row(l, l->block.cells[side]++);
        uint32_t x = l->side_x[side] + (side == 0 ? width - text_width(line) : 0);
        canvas_text(row, x, l->side_x[side] + width, line, style);
    }
}

static void ladder_state(struct ladder *l, int side, uint8_t state) {
    if (state == l->state[side]) return;
    l->state[side] = state;
    ladder_cell(l, side, bk_state_name(state), CANVAS_BOLD);
}

/* Lines of text in the lane, under what is there. */
static void ladder_words(struct ladder *l, const char *words, bool right, uint8_t style) {
    char line[LABEL_LINE];
    while (label_wrap(&words, l->lane.end - l->lane.text, line) && l->block.lines < LADDER_ROWS)
        lane_text(&l->lane, ladder_row(l, l->block.lines++), line, right, style);
}

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
    ladder_words(l, words, right, verdict == BK_DROPPED ? CANVAS_BROKEN : CANVAS_DIM);
}

/* What the sender says of a segment: the rest of the label, the reason. */
static void ladder_explain(struct ladder *l, const struct label *label, uint32_t next, const struct bk_event *e,
                           bool right) {
    char words[LABEL_LINE];
    while (next < label->count) {
        label_join(label, &next, l->lane.end - l->lane.text, words);
        ladder_words(l, words, right, CANVAS_PLAIN);
    }
    if (!timeline_departs(e)) return;
    label_reason("", e->reason, words);
    ladder_words(l, words, right, CANVAS_DIM);
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
        item->event->object_kind != LADDER_CONNECTION && state == BK_LISTEN && l->state[item->side] > BK_LISTEN;
    if (!listeners && !ladder_state_follows(l, i)) ladder_state(l, item->side, state);
}

/* A call that makes a segment leave at once stands beside the arrow: the block that holds nothing else is joined. */
static void ladder_segment_begin(struct ladder *l, const struct timeline_item *item) {
    const struct ladder_block *b = &l->block;
    uint64_t tick = ladder_ticks(l, item->event->time);
    bool joins = b->open && b->segment && !b->lines && b->tick == tick && !b->cells[!item->side];
    if (!joins) ladder_block_begin(l, tick, true);
}

static void ladder_flight(const struct ladder *l, const struct timeline_item *departure, char out[LABEL_LINE]) {
    out[0] = 0;
    if (!departure->mate || departure->mate->event->time < departure->event->time + l->resolution) return;
    label_duration(departure->mate->event->time - departure->event->time, out);
}

static void ladder_inferred(struct ladder *l, const struct bk_event *e) {
    char words[LABEL_LINE];
    uint8_t state = infer_event(&l->infer, e);
    if (state == INFER_UNKNOWN || state == l->state[1]) return;
    l->state[1] = state;
    snprintf(words, sizeof words, "(%s)", bk_state_name(state));
    ladder_cell(l, 1, words, CANVAS_PLAIN);
}

/* Notes that the drawing cannot show. */
static void ladder_notes(struct ladder *l, const struct timeline_item *item, bool right) {
    char words[LABEL_LINE];
    const struct bk_event *e = item->event;
    if (item->kind == TIMELINE_UNDER_WAY) ladder_words(l, "still on its way when the trace ends", right, CANVAS_DIM);
    if (item->kind == TIMELINE_COPY) ladder_words(l, "a second copy, made on the way", right, CANVAS_DIM);
    if (item->kind == TIMELINE_STRANGER) {
        snprintf(words, sizeof words, "not sent by %.80s", l->name[!item->side]);
        ladder_words(l, words, right, CANVAS_DIM);
    }
    if (!timeline_departs(e) || !item->mate || item->mates < 2) return;
    if (item->bytes < e->len)
        snprintf(words, sizeof words, "%" PRIu32 " of %" PRIu32 " bytes arrive, in %" PRIu32 " segments", item->bytes,
                 e->len, item->mates);
    else
        snprintf(words, sizeof words, "cut into %" PRIu32 " segments on the way", item->mates);
    ladder_words(l, words, right, CANVAS_DIM);
}

/* The first line of a label that fits beside the arrow's other parts. */
static uint32_t ladder_label(const struct ladder *l, const struct timeline_item *item, int from, bool again,
                             struct label *label, char line[LABEL_LINE]) {
    uint32_t next = 0, columns = lane_label_columns(&l->lane) - (again ? 2 : 0);
    label_segment(label, item->event, &l->base, from, l->options.absolute_isn);
    if (item->kind == TIMELINE_LOST || item->kind == TIMELINE_UNDER_WAY) columns -= 6;
    if (item->kind == TIMELINE_ARRIVE) { /* told at its departure: enough to recognise it by */
        columns -= 2;
        label->count = u32_min(label->count, item->event->len || !(item->event->tcp_flags & 16) ? 2 : 3);
    }
    label_join(label, &next, columns, line);
    return next;
}

/* Returns whether all of it found room. */
static bool ladder_draw(struct ladder *l, const struct timeline_item *item, const struct lane_arrow *a) {
    struct canvas *row = ladder_row(l, 0);
    switch (item->kind) {
    case TIMELINE_DEPART:
        lane_depart(&l->lane, row, a);
        break;
    case TIMELINE_ARRIVE:
        return lane_arrive(&l->lane, row, a, item->mates);
    case TIMELINE_LOST:
    case TIMELINE_UNDER_WAY:
        lane_lost(&l->lane, row, a, item->kind == TIMELINE_LOST);
        break;
    case TIMELINE_COPY:
    case TIMELINE_STRANGER:
        lane_stray(&l->lane, row, a);
        break;
    default:
        return lane_direct(&l->lane, row, a);
    }
    return true;
}

/* A track that opens or closes at the arrow runs on, or no longer, in the rows that cells have made beneath it. */
static void ladder_redo_tracks(struct ladder *l) {
    for (uint32_t i = 1; i < l->block.rows; i++) {
        for (int side = 0; side < 2; side++) canvas_set(&l->block.row[i], l->lane.track[side], ' ', CANVAS_PLAIN);
        lane_background(&l->lane, &l->block.row[i]);
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
    l->block.lines = 1;
    ladder_explain(l, &label, next, e, right);
    if (!told) {
        snprintf(line, sizeof line, "arrives %.40s later", flight);
        ladder_words(l, line, right, CANVAS_DIM);
    }
    ladder_notes(l, item, right);
    if (arrival && (!l->timeline.both || l->options.all_reasons || ladder_is_remarkable(arrival->event->reason)))
        ladder_verdict(l, arrival->event, right, l->timeline.both);

    ladder_state_after(l, i);
    if (!l->timeline.both) ladder_inferred(l, e);
    if (arrival && arrival != item) l->now = l->block.until = ladder_ticks(l, arrival->event->time);
}

/* ---- everything else ------------------------------------------------------------------------------- */

/* Whether the call at order[i] is what makes the next segment leave: then it begins that segment's block. */
static bool ladder_call_sends(const struct ladder *l, size_t i) {
    const struct timeline_item *item = l->timeline.order[i];
    uint64_t tick = ladder_ticks(l, item->event->time);
    for (size_t k = i + 1; k < l->timeline.length; k++) {
        const struct timeline_item *next = l->timeline.order[k];
        if (next->side != item->side || ladder_ticks(l, next->event->time) != tick) return false;
        if (timeline_departs(next->event)) return true;
        if (next->event->kind != BK_EVENT_STATE) return false;
    }
    return false;
}

static void ladder_news(struct ladder *l, size_t i) {
    const struct timeline_item *item = l->timeline.order[i];
    const struct bk_event *e = item->event;
    char words[LABEL_LINE];
    uint64_t tick = ladder_ticks(l, e->time);
    if (e->kind == BK_EVENT_STATE && e->state == l->state[item->side]) return;
    if (e->kind == BK_EVENT_CALL && ladder_call_sends(l, i))
        ladder_block_begin(l, tick, true);
    else
        ladder_block_continue(l, tick);
    uint8_t style = e->kind == BK_EVENT_CALL ? CANVAS_CALL : CANVAS_HEARD;
    for (uint32_t line = 0; label_news(e, line, words); line++) ladder_cell(l, item->side, words, style);
    if (e->kind == BK_EVENT_STATE)
        ladder_state(l, item->side, e->state);
    else
        ladder_state_after(l, i);
}

static void ladder_timer(struct ladder *l, size_t i) {
    const struct timeline_item *item = l->timeline.order[i];
    char words[LABEL_LINE];
    ladder_block_begin(l, ladder_ticks(l, item->event->time), true);
    if (item->event->reason == BK_REASON_NONE)
        snprintf(words, sizeof words, "a timer fired");
    else
        label_reason("", item->event->reason, words);
    ladder_words(l, words, item->side == 1, CANVAS_AGAIN);
    ladder_state_after(l, i);
    l->block.segment = false; /* what it causes follows without a blank row */
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
        ladder_block_continue(l, ladder_ticks(l, l->timeline.order[i]->event->time));
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
    uint32_t half = l->width / 2 - 2, width[2], free = l->side_x[0] + l->side_width[0];
    canvas_clear(&row);
    for (int side = 0; side < 2; side++) width[side] = u32_min(text_width(l->name[side]), half);
    uint32_t left = width[0] <= free ? free - width[0] : 0;
    uint32_t right = u32_min(l->side_x[1], l->width - width[1]);
    canvas_text(&row, left, half, l->name[0], CANVAS_BOLD);
    canvas_text(&row, right, l->width, l->name[1], CANVAS_BOLD);
    ladder_print_row(l, &row);
}

/* The states before anything happened. */
static void ladder_beginnings(struct ladder *l) {
    const struct timeline *t = &l->timeline;
    struct canvas *row = ladder_row(l, 0);
    const char *unit = l->time_width >= 7 ? "seconds" : "s";
    canvas_text(row, l->time_width - text_width(unit), l->time_width, unit, CANVAS_DIM);
    for (int side = 0; side < 2; side++)
        if (t->count[side]) ladder_state(l, side, t->items[side][0].event->state_before);
    ladder_print_row(l, row);
    l->block.rows = l->block.cells[0] = l->block.cells[1] = 0;
}

static void ladder_run(struct ladder *l) {
    ladder_layout(l);
    infer_init(&l->infer);
    l->state[0] = l->state[1] = INFER_UNKNOWN;
    l->printed = UINT64_MAX;
    ladder_names(l);
    ladder_beginnings(l);
    for (size_t i = 0; i < l->timeline.length; i++) ladder_item(l, i);
    ladder_block_end(l);
}

int bk_ladder(const struct bk_ladder_side *a, const struct bk_ladder_side *b,
              const struct bk_ladder_connection *connection, const struct bk_ladder_options *options, bk_text_fn write,
              void *context) {
    struct ladder *l = calloc(1, sizeof *l);
    if (!l) return ERROR_NOMEM;
    l->out = (struct text_out){write, context};
    if (options) l->options = *options;
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

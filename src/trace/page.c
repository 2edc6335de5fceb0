/* The page: columns as wide as what stands in them, and rows that are printed block by block. */
#include "trace/page.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/common.h"

enum {
    PAGE_ROOM = 24, /* rows that one item may need: a block with fewer left is printed first */
    PAGE_SIDE_MIN = 8,
    PAGE_SIDE_MAX = 16,
};
#define PAGE_GAP (100 * NS_PER_MS) /* silence worth a row of its own */

/* ---- layout ---------------------------------------------------------------------------------------- */

static void page_widen(struct page *g, int side, uint32_t width) {
    g->side_width[side] = u32_max(g->side_width[side], u32_min(width, PAGE_SIDE_MAX));
}

uint64_t page_ticks(const struct page *g, uint64_t time) {
    return time > g->timeline->start ? (time - g->timeline->start) / g->resolution : 0;
}

static void page_time(const struct page *g, uint64_t tick, char out[LABEL_LINE]) {
    uint64_t second = NS_PER_S / g->resolution;
    snprintf(out, LABEL_LINE, "%" PRIu64 ".%0*" PRIu64, tick / second, second == 1000 ? 3 : 6, tick % second);
}

/* Side columns are as wide as what will stand there; times are given to the millisecond if all are whole milliseconds. */
static void page_measure(struct page *g) {
    const struct timeline *t = g->timeline;
    char words[LABEL_LINE];
    g->resolution = NS_PER_MS;
    g->side_width[0] = g->side_width[1] = PAGE_SIDE_MIN;
    if (!t->both) page_widen(g, 1, text_width("(SYN-RECEIVED)"));
    for (size_t i = 0; i < t->length; i++) {
        const struct bk_event *e = t->order[i]->event;
        if (e->time > t->start && (e->time - t->start) % NS_PER_MS) g->resolution = NS_PER_US;
        page_widen(g, t->order[i]->side, text_width(bk_state_name(e->state)));
        if (i == 0) page_widen(g, t->order[i]->side, text_width(bk_state_name(e->state_before)));
        for (uint32_t line = 0; label_news(e, line, words); line++) page_widen(g, t->order[i]->side, text_width(words));
    }
    page_time(g, page_ticks(g, t->order[t->length - 1]->event->time), words);
    g->time_width = text_width(words);
}

void page_layout(struct page *g) {
    uint32_t width = g->options.width ? g->options.width : 100;
    g->width = u32_min(u32_max(width, 80), CANVAS_WIDTH);
    page_measure(g);
    g->side_x[0] = g->time_width + 2;
    g->side_x[1] = g->width - g->side_width[1];
    lane_init(&g->lane, g->side_x[0] + g->side_width[0] + 1, g->side_x[1] - 2);
}

/* ---- blocks ---------------------------------------------------------------------------------------- */

void page_print_row(const struct page *g, const struct canvas *row) {
    canvas_print(row, &g->out, g->options.ascii, g->options.colour);
}

struct canvas *page_row(struct page *g, uint32_t n) {
    struct page_block *b = &g->block;
    for (; b->rows <= n; b->rows++) {
        canvas_clear(&b->row[b->rows]);
        lane_background(&g->lane, &b->row[b->rows]);
    }
    return &b->row[n];
}

void page_block_end(struct page *g) {
    struct page_block *b = &g->block;
    char time[LABEL_LINE];
    if (!b->open) return;
    page_row(g, 0);
    if (b->tick != g->printed) {
        page_time(g, b->tick, time);
        canvas_text(&b->row[0], g->time_width - text_width(time), g->time_width, time, CANVAS_DIM);
        g->printed = b->tick;
    }
    for (uint32_t i = 0; i < b->rows; i++) page_print_row(g, &b->row[i]);
    g->segment_printed = b->segment;
    b->rows = b->lines = b->cells[0] = b->cells[1] = 0;
    b->segment = b->open = false;
}

/* A row that only separates: blank between two segments, or the name of the time that passes. */
static void page_separate(struct page *g, uint64_t tick, bool segment) {
    struct canvas row;
    char duration[LABEL_LINE], words[LABEL_LINE];
    uint64_t silence = (tick - g->now) * g->resolution;
    canvas_clear(&row);
    if (silence >= PAGE_GAP) {
        label_duration(silence, duration);
        snprintf(words, sizeof words, "%.40s later", duration);
        lane_gap(&g->lane, &row, words);
    } else if (g->segment_printed && (segment || tick != g->now)) {
        lane_background(&g->lane, &row);
    } else {
        return;
    }
    page_print_row(g, &row);
}

void page_block_begin(struct page *g, uint64_t tick, bool segment) {
    page_block_end(g);
    page_separate(g, tick, segment);
    g->block.tick = g->block.until = tick;
    g->block.segment = segment;
    g->block.open = true;
    g->now = tick;
}

void page_block_continue(struct page *g, uint64_t tick) {
    const struct page_block *b = &g->block;
    uint32_t used = u32_max(b->lines, u32_max(b->cells[0], b->cells[1]));
    if (!b->open || (b->until != tick && b->tick != tick) || used + PAGE_ROOM > PAGE_ROWS)
        page_block_begin(g, tick, false);
}

void page_cell(struct page *g, int side, const char *words, uint8_t style) {
    uint32_t width = g->side_width[side];
    char line[LABEL_LINE];
    while (label_wrap(&words, width, line)) {
        struct canvas *row = page_row(g, g->block.cells[side]++);
        uint32_t x = g->side_x[side] + (side == 0 ? width - text_width(line) : 0);
        canvas_text(row, x, g->side_x[side] + width, line, style);
    }
}

void page_state(struct page *g, int side, uint8_t state) {
    if (state == g->state[side]) return;
    g->state[side] = state;
    page_cell(g, side, bk_state_name(state), CANVAS_BOLD);
}

void page_words(struct page *g, const char *words, bool right, uint8_t style) {
    char line[LABEL_LINE];
    while (label_wrap(&words, g->lane.end - g->lane.text, line) && g->block.lines < PAGE_ROWS)
        lane_text(&g->lane, page_row(g, g->block.lines++), line, right, style);
}

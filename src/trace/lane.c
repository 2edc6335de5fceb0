/* Drawing arrows.
 *
 * Lines are drawn over a background that has the tracks already: a horizontal line that meets a vertical one crosses
 * it. A label is then written over its arrow, with a blank on either side.
 */
#include "trace/lane.h"

#include "base/common.h"

enum {
    LANE_INSET = 3,  /* from a line to text */
    LANE_STUB = 3,   /* the shortest piece of arrow beside a label */
    LANE_BROKEN = 3, /* the shortest broken piece */
};

void lane_init(struct lane *l, uint32_t left_line, uint32_t right_line) {
    *l = (struct lane){
        .line = {left_line, right_line},
        .first = left_line + 1,
        .last = right_line - 1,
        .text = left_line + 1 + LANE_INSET,
        .end = right_line - LANE_INSET,
        .track = {left_line + 2, right_line - 2},
    };
}

static void lane_verticals(const struct lane *l, struct canvas *row, uint32_t glyph) {
    for (int side = 0; side < 2; side++) {
        canvas_set(row, l->line[side], glyph, CANVAS_PLAIN);
        if (l->open[side]) canvas_set(row, l->track[side], glyph, CANVAS_PLAIN);
    }
}

void lane_background(const struct lane *l, struct canvas *row) {
    lane_verticals(l, row, GLYPH_VERTICAL);
}

void lane_gap(const struct lane *l, struct canvas *row, const char *words) {
    uint32_t width = text_width(words);
    lane_verticals(l, row, GLYPH_VERTICAL_GAP);
    canvas_text(row, (l->first + l->last + 1 - width) / 2, l->end, words, CANVAS_DIM);
}

uint32_t lane_label_columns(const struct lane *l) {
    return l->end - l->text - 1;
}

/* A horizontal stroke over columns [from, to]. */
static void lane_stroke(struct canvas *row, uint32_t from, uint32_t to, uint32_t glyph, uint8_t style) {
    for (uint32_t x = from; x <= to; x++) {
        bool crosses = row->cell[x] == GLYPH_VERTICAL;
        canvas_set(row, x, crosses ? GLYPH_CROSS : glyph, style);
    }
}

/* How wide the label is, with its mark. */
static uint32_t lane_label_width(const struct lane_arrow *a) {
    return text_width(a->label) + (a->again ? 2 : 0);
}

/* The label at column x with a blank on either side; returns the column after the second. Its first word, the flags, is bold. */
static uint32_t lane_label(struct canvas *row, uint32_t x, const struct lane_arrow *a) {
    uint32_t begin = x;
    canvas_set(row, x - 1, ' ', CANVAS_PLAIN);
    if (a->again) {
        canvas_set(row, x, GLYPH_AGAIN, a->style);
        canvas_set(row, x + 1, ' ', CANVAS_PLAIN);
        x += 2;
    }
    x += canvas_text(row, x, CANVAS_WIDTH, a->label, a->style);
    for (uint32_t f = begin; a->style == CANVAS_PLAIN && f < x && row->cell[f] != ' '; f++) row->style[f] = CANVAS_BOLD;
    canvas_set(row, x, ' ', CANVAS_PLAIN);
    return x + 1;
}

static void lane_tail(const struct lane *l, struct canvas *row, const struct lane_arrow *a) {
    canvas_set(row, l->line[a->from], a->from == 0 ? GLYPH_TEE_RIGHT : GLYPH_TEE_LEFT, CANVAS_PLAIN);
}

/* The head at the receiver's line, and the flight time at the arrow's right end if there is room after column `after`;
 * returns whether there was. */
static bool lane_head(const struct lane *l, struct canvas *row, const struct lane_arrow *a, uint32_t after) {
    uint32_t head = a->from == 0 ? GLYPH_HEAD_RIGHT : GLYPH_HEAD_LEFT;
    uint32_t width = text_width(a->flight), x = l->end - 1 - width;
    canvas_set(row, a->from == 0 ? l->last : l->first, a->refused ? GLYPH_CUT : head,
               a->refused ? CANVAS_BROKEN : a->style);
    if (!width) return true;
    if (x < after + LANE_STUB) return false;
    canvas_set(row, x - 1, ' ', CANVAS_PLAIN);
    x += canvas_text(row, x, l->end, a->flight, CANVAS_DIM);
    canvas_set(row, x, ' ', CANVAS_PLAIN);
    return true;
}

bool lane_direct(const struct lane *l, struct canvas *row, const struct lane_arrow *a) {
    lane_tail(l, row, a);
    lane_stroke(row, l->first, l->last, GLYPH_HORIZONTAL, a->style);
    return lane_head(l, row, a, lane_label(row, l->text, a));
}

void lane_depart(struct lane *l, struct canvas *row, const struct lane_arrow *a) {
    uint32_t corner = a->from == 0 ? GLYPH_DOWN_LEFT : GLYPH_DOWN_RIGHT;
    uint32_t joins = a->from == 0 ? GLYPH_TEE_LEFT : GLYPH_TEE_RIGHT;
    lane_tail(l, row, a);
    canvas_set(row, a->from == 0 ? l->first : l->last, GLYPH_HORIZONTAL, a->style);
    canvas_set(row, l->track[a->from], l->open[a->from] ? joins : corner, a->style);
    lane_label(row, a->from == 0 ? l->text : l->end - lane_label_width(a), a);
    l->open[a->from]++;
}

bool lane_arrive(struct lane *l, struct canvas *row, const struct lane_arrow *a, uint32_t count) {
    uint32_t corner = a->from == 0 ? GLYPH_UP_RIGHT : GLYPH_UP_LEFT;
    uint32_t leaves = a->from == 0 ? GLYPH_TEE_RIGHT : GLYPH_TEE_LEFT;
    uint32_t track = l->track[a->from];
    l->open[a->from] -= u32_min(count, l->open[a->from]);
    if (a->from == 0)
        lane_stroke(row, track + 1, l->last, GLYPH_HORIZONTAL, a->style);
    else
        lane_stroke(row, l->first, track - 1, GLYPH_HORIZONTAL, a->style);
    canvas_set(row, track, l->open[a->from] ? leaves : corner, a->style);
    return lane_head(l, row, a, lane_label(row, l->text + (a->from == 0 ? 2 : 0), a));
}

/* The broken piece is as long as leaves the cross at four fifths of the way, or as short as need be. */
void lane_lost(const struct lane *l, struct canvas *row, const struct lane_arrow *a, bool cut) {
    uint32_t fifth = (l->last - l->first) / 5, width = lane_label_width(a);
    lane_tail(l, row, a);
    if (a->from == 0) {
        lane_stroke(row, l->first, l->text - 1, GLYPH_HORIZONTAL, a->style);
        uint32_t after = lane_label(row, l->text, a);
        uint32_t x = u32_min(u32_max(l->last - fifth, after + LANE_BROKEN + 1), l->last);
        lane_stroke(row, after, x - 2, GLYPH_HORIZONTAL_BROKEN, a->style);
        if (cut) canvas_set(row, x, GLYPH_CUT, CANVAS_BROKEN);
    } else {
        uint32_t label = l->end - width;
        lane_stroke(row, l->end, l->last, GLYPH_HORIZONTAL, a->style);
        lane_label(row, label, a);
        uint32_t x = u32_max(u32_min(l->first + fifth, label - LANE_BROKEN - 3), l->first);
        lane_stroke(row, x + 2, label - 2, GLYPH_HORIZONTAL_BROKEN, a->style);
        if (cut) canvas_set(row, x, GLYPH_CUT, CANVAS_BROKEN);
    }
}

void lane_stray(const struct lane *l, struct canvas *row, const struct lane_arrow *a) {
    uint32_t before = a->from == 0 ? row->cell[l->first + 1] : row->cell[l->last - 1];
    lane_stroke(row, l->first, l->last, GLYPH_HORIZONTAL, a->style);
    (void)lane_head(l, row, a, lane_label(row, l->text, a));
    canvas_set(row, a->from == 0 ? l->first : l->last, ' ', CANVAS_PLAIN);
    canvas_set(row, a->from == 0 ? l->first + 1 : l->last - 1,
               before == GLYPH_VERTICAL ? before : GLYPH_HORIZONTAL_BROKEN, a->style);
}

void lane_text(const struct lane *l, struct canvas *row, const char *words, bool right, uint8_t style) {
    uint32_t width = u32_min(text_width(words), l->end - l->text);
    canvas_text(row, right ? l->end - width : l->text, l->end, words, style);
}

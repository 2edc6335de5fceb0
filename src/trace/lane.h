/* The lane: what stands between the two vertical lines of a ladder diagram. */
#ifndef TRACE_LANE_H
#define TRACE_LANE_H

#include "trace/canvas.h"
#include "trace/label.h"

/* Geometry, in columns of the canvas. A delayed segment runs down in a track, one for each direction, close to its sender's
 * line. Text keeps clear of both.
 *
 *     line[0]                                      line[1]
 *        ├─╮ FIN,ACK  seq 81  ack 1                   │
 *        │ │               FIN,ACK  seq 1  ack 81 ╭───┤
 *        first  text                         end  last
 */
struct lane {
    uint32_t line[2];
    uint32_t first, last; /* columns of the lane itself, both inclusive */
    uint32_t text, end;   /* text lies in [text, end) */
    uint32_t track[2];
    uint32_t open[2]; /* segments in the track of each direction */
};

void lane_init(struct lane *l, uint32_t left_line, uint32_t right_line);
/* The two lines and what is in the tracks. */
void lane_background(const struct lane *l, struct canvas *row);
/* The same for a row that stands for a stretch of time. */
void lane_gap(const struct lane *l, struct canvas *row, const char *words);

/* How many columns a segment's label may take. */
uint32_t lane_label_columns(const struct lane *l);

/* How a segment's arrow is drawn. `from` is the sender's side. */
struct lane_arrow {
    int from;
    uint8_t style; /* enum canvas_style */
    bool again;    /* marked as a retransmission */
    bool refused;  /* the head is a cross */
    const char *label;
    const char *flight; /* time from departure to arrival, or "" */
};
/* From line to line. Returns whether there was room for the flight time. */
bool lane_direct(const struct lane *l, struct canvas *row, const struct lane_arrow *a);
/* Into the track. */
void lane_depart(struct lane *l, struct canvas *row, const struct lane_arrow *a);
/* Out of the track, which `count` segments leave. Returns as lane_direct. */
bool lane_arrive(struct lane *l, struct canvas *row, const struct lane_arrow *a, uint32_t count);
/* Never arrives; `cut`: marked with a cross. */
void lane_lost(const struct lane *l, struct canvas *row, const struct lane_arrow *a, bool cut);
/* Comes from nowhere in particular. */
void lane_stray(const struct lane *l, struct canvas *row, const struct lane_arrow *a);
/* A line of text, beside the left line or the right one. */
void lane_text(const struct lane *l, struct canvas *row, const char *words, bool right, uint8_t style);

#endif

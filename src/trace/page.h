/* The page that a ladder diagram is drawn on: its columns, and the block of rows that is being filled.
 *
 * A drawing grows block by block: a block is an arrow with the lines of text beneath it, and the cells at its sides
 * (states, calls, what was heard), which fill the rows that the text leaves free. So a segment and all that it
 * causes at once stand together. A block is printed when the next one begins.
 *
 *     seconds          client                                    server
 *       0.000   send 80 ├── PSH,ACK  seq 1  ack 1  len 80 ─────────►│ readable      row 0
 *                       │   data that the user sent · RFC ...       │ receive 80    row 1
 *     time      cells 0   lane                                        cells 1
 */
#ifndef TRACE_PAGE_H
#define TRACE_PAGE_H

#include "trace/lane.h"
#include "trace/timeline.h"

#define PAGE_ROWS 64u

struct page_block {
    struct canvas row[PAGE_ROWS];
    uint32_t rows;        /* with a background */
    uint32_t lines;       /* of the lane in use */
    uint32_t cells[2];    /* of each side in use */
    uint64_t tick, until; /* when its segment departed and arrived */
    bool segment, open;   /* segment: it is set off from another segment's block by a blank row */
};

struct page {
    struct text_out out;
    struct bk_ladder_options options;
    const struct timeline *timeline;
    uint64_t resolution; /* ns of one tick: what the printed times can tell apart */
    uint32_t width, time_width, side_width[2], side_x[2];
    struct lane lane;
    struct page_block block;
    uint8_t state[2]; /* as shown last */
    uint64_t now;     /* time of the last item, in ticks from the start */
    uint64_t printed; /* tick printed last, or UINT64_MAX */
    bool segment_printed;
};

/* Finds the columns for what the timeline holds; out, options and timeline are set. */
void page_layout(struct page *g);
/* Ticks from the connection's first event to `time`. */
uint64_t page_ticks(const struct page *g, uint64_t time);
void page_print_row(const struct page *g, const struct canvas *row);

/* Begins a block, having printed the one before. */
void page_block_begin(struct page *g, uint64_t tick, bool segment);
/* Makes sure of a block that cells and text of this time may be added to: the open one, or a new one. */
void page_block_continue(struct page *g, uint64_t tick);
void page_block_end(struct page *g);

/* Row n of the block, with its background. Rows are made when they are needed, for the tracks change under an arrow. */
struct canvas *page_row(struct page *g, uint32_t n);
/* Writes words into the side's next free cells, at the line. */
void page_cell(struct page *g, int side, const char *words, uint8_t style);
/* The same for a state, if it is not the one shown last. */
void page_state(struct page *g, int side, uint8_t state);
/* Lines of text in the lane, under what is there. */
void page_words(struct page *g, const char *words, bool right, uint8_t style);

#endif

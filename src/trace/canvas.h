/* A canvas: one line of a drawing, as cells of one column each. */
#ifndef TRACE_CANVAS_H
#define TRACE_CANVAS_H

#include "trace/text.h"

#define CANVAS_WIDTH 160u

enum canvas_style {
    CANVAS_PLAIN,
    CANVAS_DIM,
    CANVAS_BOLD,
    CANVAS_CALL,   /* what the user does */
    CANVAS_HEARD,  /* what the user is told */
    CANVAS_AGAIN,  /* a retransmission */
    CANVAS_BROKEN, /* lost, dropped */
};

struct canvas {
    uint32_t cell[CANVAS_WIDTH]; /* a character; 0: the right half of a wide one */
    uint8_t style[CANVAS_WIDTH]; /* enum canvas_style */
};

/* The characters that drawings are made of, and what stands for them in ASCII. */
#define CANVAS_GLYPHS(G)                                                                                               \
    G(VERTICAL, 0x2502, '|')                                                                                           \
    G(VERTICAL_GAP, 0x250a, ':')                                                                                       \
    G(HORIZONTAL, 0x2500, '-')                                                                                         \
    G(HORIZONTAL_BROKEN, 0x254c, '~')                                                                                  \
    G(TEE_RIGHT, 0x251c, '+')                                                                                          \
    G(TEE_LEFT, 0x2524, '+')                                                                                           \
    G(CROSS, 0x253c, '+')                                                                                              \
    G(DOWN_LEFT, 0x256e, '.')                                                                                          \
    G(DOWN_RIGHT, 0x256d, '.')                                                                                         \
    G(UP_RIGHT, 0x2570, '\'')                                                                                          \
    G(UP_LEFT, 0x256f, '\'')                                                                                           \
    G(HEAD_RIGHT, 0x25ba, '>')                                                                                         \
    G(HEAD_LEFT, 0x25c4, '<')                                                                                          \
    G(CUT, 0x2717, 'X')                                                                                                \
    G(AGAIN, 0x21bb, '*')                                                                                              \
    G(DOT, 0x00b7, '-')                                                                                                \
    G(MICRO, 0x00b5, 'u')                                                                                              \
    G(MINUS, 0x2212, '-')                                                                                              \
    G(ELLIPSIS, 0x2026, '~')                                                                                           \
    G(NO_BREAK, 0x00a0, ' ')

#define CANVAS_GLYPH_ENUM(name, character, ascii) GLYPH_##name = character,
enum canvas_glyph { CANVAS_GLYPHS(CANVAS_GLYPH_ENUM) };
#undef CANVAS_GLYPH_ENUM

/* All blank. */
void canvas_clear(struct canvas *c);
/* One character; beyond the edge, nothing. */
void canvas_set(struct canvas *c, uint32_t x, uint32_t character, uint8_t style);
/* A string from column x, cut at column `end`. Returns the columns taken. */
uint32_t canvas_text(struct canvas *c, uint32_t x, uint32_t end, const char *string, uint8_t style);
/* The line, without blanks at its end, and a newline. */
void canvas_print(const struct canvas *c, const struct text_out *out, bool ascii, bool colour);

#endif

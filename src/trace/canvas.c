/* A canvas is filled in any order and printed once, so that crossing lines and text from both edges need no
 * thought about what was printed before. ASCII is a matter of printing: the drawing is the same. */
#include "trace/canvas.h"

#include "base/common.h"

void canvas_clear(struct canvas *c) {
    for (uint32_t x = 0; x < CANVAS_WIDTH; x++) {
        c->cell[x] = ' ';
        c->style[x] = CANVAS_PLAIN;
    }
}

void canvas_set(struct canvas *c, uint32_t x, uint32_t character, uint8_t style) {
    if (x >= CANVAS_WIDTH) return;
    c->cell[x] = character;
    c->style[x] = style;
}

uint32_t canvas_text(struct canvas *c, uint32_t x, uint32_t end, const char *string, uint8_t style) {
    uint32_t begin = x;
    for (uint32_t character; (character = text_decode(&string)) != 0;) {
        uint32_t width = text_character_width(character);
        if (width == 0) continue; /* a cell holds one character: accents composed of two are given up */
        if (character < ' ' || (character >= 0x7f && character < 0xa0)) character = '?';
        if (x + width > end) break;
        canvas_set(c, x, character, style);
        if (width == 2) canvas_set(c, x + 1, 0, style);
        x += width;
    }
    return x - begin;
}

static uint32_t canvas_ascii(uint32_t character) {
    switch (character) {
#define CANVAS_GLYPH_ASCII(name, code, ascii)                                                                          \
    case code:                                                                                                         \
        return (uint32_t)ascii;
        CANVAS_GLYPHS(CANVAS_GLYPH_ASCII)
#undef CANVAS_GLYPH_ASCII
    default:
        return character;
    }
}

void canvas_print(const struct canvas *c, const struct text_out *out, bool ascii, bool colour) {
    static const char *const escapes[] = {"\33[0m",    "\33[0;2m",  "\33[0;1m", "\33[0;36m",
                                          "\33[0;32m", "\33[0;33m", "\33[0;31m"};
    uint32_t end = 0;
    uint8_t style = CANVAS_PLAIN;
    for (uint32_t x = 0; x < CANVAS_WIDTH; x++)
        if (c->cell[x] != ' ') end = x + 1;
    for (uint32_t x = 0; x < end; x++) {
        char utf8[4];
        if (c->cell[x] == 0) continue;
        if (colour && c->style[x] != style && c->cell[x] != ' ') {
            style = c->style[x];
            text_put(out, escapes[style]);
        }
        uint32_t character = ascii ? canvas_ascii(c->cell[x]) : c->cell[x];
        if (character == GLYPH_NO_BREAK) character = ' ';
        size_t n = text_encode(character, utf8);
        out->write(out->context, utf8, n);
    }
    if (style != CANVAS_PLAIN) text_put(out, escapes[CANVAS_PLAIN]);
    text_put(out, "\n");
}

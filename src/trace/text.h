/* Text on its way out: formatting into a bk_text_fn, and UTF-8 as columns on a terminal. */
#ifndef TRACE_TEXT_H
#define TRACE_TEXT_H

#include "beckon/render.h"

#if defined(__GNUC__)
#define TEXT_PRINTF(which, first) __attribute__((format(printf, which, first)))
#else
#define TEXT_PRINTF(which, first)
#endif

/* Where a piece of rendering writes to. */
struct text_out {
    bk_text_fn write;
    void *context;
};

void text_put(const struct text_out *out, const char *string);
/* Formats at most 1,023 bytes; more are cut. */
void text_printf(const struct text_out *out, const char *format, ...) TEXT_PRINTF(2, 3);
/* A string as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD. */
void text_json_string(const struct text_out *out, const char *string);

/* Decodes one character and moves *string past it; 0 at the end. A byte that is not UTF-8 is U+FFFD. */
uint32_t text_decode(const char **string);
/* Encodes a character as UTF-8; returns how many bytes, 1 to 4. */
size_t text_encode(uint32_t character, char out[4]);
/* Columns that a character takes on a terminal: 0 (combining), 1 or 2 (wide). */
uint32_t text_character_width(uint32_t character);
/* Columns that a string takes. */
uint32_t text_width(const char *string);

/* "ECONNRESET" for 104 and -104; NULL if the number is none of those that the stack returns. */
const char *text_error_name(int32_t error);

#endif

/* Text on its way out.
 *
 * Widths follow Unicode's East Asian Width with ambiguous characters counted as one column, and are looked up in
 * a short table of ranges rather than with wcwidth(3), whose answer depends on the process's locale.
 */
#include "trace/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/common.h"

void bk_text_to_file(void *file, const char *text, size_t length) {
    (void)fwrite(text, 1, length, file);
}

void bk_text_to_memory(void *text, const char *piece, size_t length) {
    struct bk_text *t = text;
    if (t->failed) return;
    if (length >= t->capacity - t->length) { /* one byte stays for the NUL */
        size_t capacity = t->capacity ? t->capacity : 1024;
        while (capacity - t->length <= length) {
            if (capacity > SIZE_MAX / 2) {
                t->failed = true;
                return;
            }
            capacity *= 2;
        }
        char *data = realloc(t->data, capacity);
        if (!data) {
            t->failed = true;
            return;
        }
        t->data = data;
        t->capacity = capacity;
    }
    if (length) memcpy(t->data + t->length, piece, length);
    t->length += length;
    t->data[t->length] = 0;
}

void bk_text_free(struct bk_text *text) {
    if (!text) return;
    free(text->data);
    memset(text, 0, sizeof *text);
}

void text_put(const struct text_out *out, const char *string) {
    out->write(out->context, string, strlen(string));
}

void text_printf(const struct text_out *out, const char *format, ...) {
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (n > 0) out->write(out->context, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}

void text_json_string(const struct text_out *out, const char *string) {
    text_put(out, "\"");
    for (uint32_t c; (c = text_decode(&string)) != 0;) {
        char utf8[4];
        if (c == '"' || c == '\\') {
            text_printf(out, "\\%c", (char)c);
        } else if (c < 0x20 || c == 0x7f) {
            text_printf(out, "\\u%04x", (unsigned)c);
        } else {
            size_t n = text_encode(c, utf8);
            out->write(out->context, utf8, n);
        }
    }
    text_put(out, "\"");
}

#define TEXT_REPLACEMENT 0xfffdu

uint32_t text_decode(const char **string) {
    const unsigned char *p = (const unsigned char *)*string;
    if (!*p) return 0;
    uint32_t c = *p, smallest = 0, more = 0;
    if (c >= 0xf0 && c < 0xf5) {
        c &= 7, more = 3, smallest = 0x10000;
    } else if (c >= 0xe0 && c < 0xf0) {
        c &= 15, more = 2, smallest = 0x800;
    } else if (c >= 0xc2 && c < 0xe0) {
        c &= 31, more = 1, smallest = 0x80;
    } else if (c >= 0x80) {
        c = TEXT_REPLACEMENT;
    }
    for (uint32_t i = 1; i <= more; i++) {
        if ((p[i] & 0xc0) != 0x80) { /* also the NUL: nothing beyond it is looked at */
            *string = (const char *)p + i;
            return TEXT_REPLACEMENT;
        }
        c = c << 6 | (p[i] & 0x3fu);
    }
    *string = (const char *)p + 1 + more;
    bool bad = c < smallest || c > 0x10ffff || (c >= 0xd800 && c < 0xe000);
    return bad ? TEXT_REPLACEMENT : c;
}

size_t text_encode(uint32_t c, char out[4]) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; --i > 0; c >>= 6) out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((n == 2 ? 0xc0u : n == 3 ? 0xe0u : 0xf0u) | c);
    return n;
}

struct text_range {
    uint32_t first, last;
};

static const struct text_range combining[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd},   {0x0610, 0x061a}, {0x064b, 0x065f}, {0x0900, 0x0902},
    {0x093c, 0x093c}, {0x0e31, 0x0e31}, {0x0e34, 0x0e3a},   {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},
    {0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x2064},   {0x20d0, 0x20f0}, {0x3099, 0x309a}, {0xfe00, 0xfe0f},
    {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0xe0100, 0xe01ef},
};

static const struct text_range wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},
    {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
    {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff},
    {0x1f900, 0x1f9ff}, {0x20000, 0x2fffd}, {0x30000, 0x3fffd},
};

static bool text_in(uint32_t c, const struct text_range *ranges, size_t n) {
    for (size_t i = 0; i < n && ranges[i].first <= c; i++)
        if (c <= ranges[i].last) return true;
    return false;
}

uint32_t text_character_width(uint32_t c) {
    if (c < 0x300) return 1;
    if (text_in(c, combining, BK_COUNT(combining))) return 0;
    return text_in(c, wide, BK_COUNT(wide)) ? 2 : 1;
}

uint32_t text_width(const char *string) {
    uint32_t width = 0;
    for (uint32_t c; (c = text_decode(&string)) != 0;) width += text_character_width(c);
    return width;
}

const char *text_error_name(int32_t error) {
    static const struct {
        int32_t number;
        const char *name;
    } names[] = {
        {ERROR_BADF, "EBADF"},
        {ERROR_AGAIN, "EAGAIN"},
        {ERROR_NOMEM, "ENOMEM"},
        {ERROR_INVAL, "EINVAL"},
        {ERROR_PIPE, "EPIPE"},
        {ERROR_PROTO, "EPROTO"},
        {ERROR_MSGSIZE, "EMSGSIZE"},
        {ERROR_NOPROTOOPT, "ENOPROTOOPT"},
        {ERROR_ADDRINUSE, "EADDRINUSE"},
        {ERROR_ADDRNOTAVAIL, "EADDRNOTAVAIL"},
        {ERROR_NETUNREACH, "ENETUNREACH"},
        {ERROR_CONNABORTED, "ECONNABORTED"},
        {ERROR_CONNRESET, "ECONNRESET"},
        {ERROR_NOBUFS, "ENOBUFS"},
        {ERROR_NOTCONN, "ENOTCONN"},
        {ERROR_TIMEDOUT, "ETIMEDOUT"},
        {ERROR_CONNREFUSED, "ECONNREFUSED"},
        {ERROR_HOSTUNREACH, "EHOSTUNREACH"},
    };
    for (size_t i = 0; i < BK_COUNT(names); i++)
        if (names[i].number == error || -names[i].number == error) return names[i].name;
    return NULL;
}

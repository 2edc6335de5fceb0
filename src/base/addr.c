/* Addresses: the one type for both families, and its text forms.
 *
 * Parsing is strict: it takes what RFC 4291 2.2 describes and nothing else. A part of a dotted quad has no leading zero (some
 * read it as octal), "::" stands for at least one group, and nothing may follow: no zone, no prefix length, no space.
 * Formatting is canonical (RFC 5952): lower case, no leading zeros, "::" for the longest run of two or more zero groups, the first
 * of equals. Since the type holds IPv4 as ::ffff:a.b.c.d, that text and "a.b.c.d" name the same value, whose own
 * text is "a.b.c.d".
 */
#include "base/common.h"
#include "beckon/stack.h"

bk_addr bk_addr_ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
    return (bk_addr){{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}};
}

bool bk_addr_is_ipv4(const bk_addr *a) {
    return addr_is_ipv4(a);
}

bool bk_addr_is_any(const bk_addr *a) {
    return addr_is_any(a);
}

bool bk_addr_equal(const bk_addr *a, const bk_addr *b) {
    return addr_equal(a, b);
}

/* ---- parsing --------------------------------------------------------------------------------------- */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* The value of a hexadecimal digit, or -1. */
static int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Whether the whole of `text` is a dotted quad. out[] may be written even if not. */
static bool parse_quad(const char *text, uint8_t out[4]) {
    for (unsigned i = 0; i < 4; i++) {
        if (i > 0 && *text++ != '.') return false;
        if (!is_digit(text[0]) || (text[0] == '0' && is_digit(text[1]))) return false;
        unsigned value = 0;
        for (; is_digit(*text); text++) {
            value = value * 10 + (unsigned)(*text - '0');
            if (value > 255) return false;
        }
        out[i] = (uint8_t)value;
    }
    return *text == '\0';
}

/* Reads one to four hexadecimal digits as two bytes; returns what follows them, or NULL. */
static const char *parse_group(const char *text, uint8_t out[2]) {
    unsigned value = 0, digits = 0;
    for (; hex_value(*text) >= 0; text++) {
        if (++digits > 4) return NULL;
        value = value << 4 | (unsigned)hex_value(*text);
    }
    put_be16(out, (uint16_t)value);
    return digits > 0 ? text : NULL;
}

static bool parse_ipv6(const char *text, uint8_t out[16]) {
    uint8_t byte[16];
    unsigned filled = 0, gap = sizeof byte + 1; /* where "::" stands among the bytes before and after it; 17: nowhere */
    if (text[0] == ':') {
        if (text[1] != ':') return false;
        gap = 0;
        text += 2;
    }
    while (*text != '\0') {
        if (filled <= 12 && parse_quad(text, &byte[filled])) {
            filled += 4;
            break;
        }
        if (filled == sizeof byte) return false;
        text = parse_group(text, &byte[filled]);
        if (text == NULL) return false;
        filled += 2;
        if (*text == '\0') break;
        if (*text++ != ':' || *text == '\0') return false;
        if (*text == ':') {
            if (gap <= sizeof byte) return false;
            gap = filled;
            text++;
        }
    }
    if (gap > sizeof byte) {
        if (filled != sizeof byte) return false;
        gap = filled;
    } else if (filled == sizeof byte) {
        return false;
    }
    memset(out, 0, sizeof byte);
    memcpy(out, byte, gap);
    memcpy(out + sizeof byte - (filled - gap), byte + gap, filled - gap);
    return true;
}

int bk_addr_parse(const char *text, bk_addr *out) {
    uint8_t byte[16];
    if (parse_quad(text, byte))
        *out = bk_addr_ipv4(byte[0], byte[1], byte[2], byte[3]);
    else if (parse_ipv6(text, byte))
        memcpy(out->byte, byte, sizeof byte);
    else
        return ERROR_INVAL;
    return 0;
}

/* ---- formatting ------------------------------------------------------------------------------------ */

static char *format_decimal(char *to, unsigned value) {
    if (value >= 100) *to++ = (char)('0' + value / 100);
    if (value >= 10) *to++ = (char)('0' + value / 10 % 10);
    *to++ = (char)('0' + value % 10);
    return to;
}

static char *format_hex(char *to, unsigned value) {
    bool begun = false;
    for (int shift = 12; shift >= 0; shift -= 4) {
        unsigned digit = value >> shift & 15;
        begun = begun || digit != 0 || shift == 0;
        if (begun) *to++ = "0123456789abcdef"[digit];
    }
    return to;
}

/* The first of the longest runs of zero groups: [*start, *start + length), length returned. */
static unsigned longest_zero_run(const uint8_t byte[16], unsigned *start) {
    unsigned best = 0, run = 0;
    *start = 0;
    for (unsigned i = 0; i < 8; i++) {
        run = get_be16(byte + 2 * i) == 0 ? run + 1 : 0;
        if (run > best) {
            best = run;
            *start = i + 1 - run;
        }
    }
    return best;
}

static char *format_ipv6(char *to, const uint8_t byte[16]) {
    unsigned start, run = longest_zero_run(byte, &start);
    for (unsigned i = 0; i < 8;) {
        if (run >= 2 && i == start) {
            *to++ = ':';
            *to++ = ':';
            i += run;
        } else {
            if (i > 0 && to[-1] != ':') *to++ = ':';
            to = format_hex(to, get_be16(byte + 2 * i));
            i++;
        }
    }
    return to;
}

char *bk_addr_format(const bk_addr *a, char text[BK_ADDR_TEXT]) {
    char *end = text;
    if (bk_addr_is_ipv4(a)) {
        for (unsigned i = 12; i < 16; i++) {
            if (i > 12) *end++ = '.';
            end = format_decimal(end, a->byte[i]);
        }
    } else {
        end = format_ipv6(end, a->byte);
    }
    *end = '\0';
    return text;
}

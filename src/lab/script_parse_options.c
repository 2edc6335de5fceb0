/* TCP options as a script names them, in the order of the wire. The names of kinds that Beckon does not speak are read as well: scripts send
 * them to see that nothing comes of it. */
#include "lab/script_parse.h"

#include <string.h>

#include "base/common.h"

enum script_option_kind {
    SCRIPT_EOL = 0,
    SCRIPT_NOP = 1,
    SCRIPT_MSS = 2,
    SCRIPT_WSCALE = 3,
    SCRIPT_SACK_OK = 4,
    SCRIPT_SACK = 5,
    SCRIPT_TS = 8,
    SCRIPT_MD5 = 19,
    SCRIPT_FO = 34,
    SCRIPT_ACCECN_0 = 172, /* counters in the order ECT(0), CE, ECT(1) */
    SCRIPT_ACCECN_1 = 174, /* ECT(1), CE, ECT(0) */
    SCRIPT_EXPERIMENT = 254,
};

/* Room for n bytes more, or NULL: 40 are all there is. */
static uint8_t *script_room(struct script_lexer *l, struct script_packet *p, size_t n) {
    if (p->option_length + n > SCRIPT_OPTIONS_MAX) {
        script_fail_at(l, script_look(l), "expected 40 bytes of TCP options at most");
        return NULL;
    }
    uint8_t *at = p->option + p->option_length;
    p->option_length = (uint8_t)(p->option_length + n);
    return at;
}

/* An option of n bytes, its kind and length filled in; n bytes of the arena's if there is no room. */
static uint8_t *script_option(struct script_lexer *l, struct script_packet *p, uint8_t kind, size_t n) {
    uint8_t *at = script_room(l, p, n);
    if (at == NULL) return script_arena_take(l->arena, n);
    at[0] = kind;
    if (n > 1) at[1] = (uint8_t)n;
    return at;
}

static void script_sack(struct script_lexer *l, struct script_packet *p) {
    uint8_t *at = script_option(l, p, SCRIPT_SACK, 2);
    do {
        uint8_t *block = script_room(l, p, 8);
        uint32_t left = script_parse_number(l, "the start of a SACK block", UINT32_MAX);
        if (!script_take_sign(l, ':')) script_expected(l, "':' and the end of the SACK block");
        uint32_t right = script_parse_number(l, "the end of a SACK block", UINT32_MAX);
        if (block == NULL) return;
        put_be32(block, left);
        put_be32(block + 4, right);
        at[1] = (uint8_t)(at[1] + 8);
    } while (script_look(l)->kind == SCRIPT_TOKEN_INTEGER);
}

static void script_timestamps(struct script_lexer *l, struct script_packet *p) {
    uint8_t *at = script_option(l, p, SCRIPT_TS, 10);
    if (!script_take_word(l, "val")) script_expected(l, "val and the timestamp's value");
    put_be32(at + 2, script_parse_number(l, "a timestamp", UINT32_MAX));
    if (!script_take_word(l, "ecr")) script_expected(l, "ecr and the timestamp that is echoed");
    put_be32(at + 6, script_parse_number(l, "a timestamp", UINT32_MAX));
}

static int script_nibble(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Hexadecimal digits as the rest of an option; there may be none. */
static void script_blob(struct script_lexer *l, struct script_packet *p, uint8_t *length) {
    const struct script_token *look = script_look(l);
    if (look->kind != SCRIPT_TOKEN_WORD && look->kind != SCRIPT_TOKEN_INTEGER) return;
    struct script_token t = script_take(l);
    for (size_t i = 0; i < t.length; i += 2) {
        int high = script_nibble(t.text[i]), low = i + 1 < t.length ? script_nibble(t.text[i + 1]) : -1;
        if (high < 0 || low < 0) {
            script_fail_at(l, &t, "expected pairs of hexadecimal digits, not '%.*s'", (int)t.length, t.text);
            return;
        }
        uint8_t *at = script_room(l, p, 1);
        if (at == NULL) return;
        *at = (uint8_t)(high * 16 + low);
        ++*length;
    }
}

static void script_fast_open(struct script_lexer *l, struct script_packet *p, bool experiment) {
    uint8_t *at = script_option(l, p, experiment ? SCRIPT_EXPERIMENT : SCRIPT_FO, experiment ? 4 : 2);
    if (experiment) put_be16(at + 2, 0xf989); /* RFC 7413 appendix, RFC 6994 */
    script_blob(l, p, &at[1]);
}

/* "e0b N ceb N e1b N" or "e1b N ceb N e0b N", of which the last one or two may be missing. */
static void script_accecn(struct script_lexer *l, struct script_packet *p) {
    static const char *const order[2][3] = {{"e0b", "ceb", "e1b"}, {"e1b", "ceb", "e0b"}};
    bool one = script_look(l)->length == 3 && memcmp(script_look(l)->text, "e1b", 3) == 0;
    uint8_t *at = script_option(l, p, one ? SCRIPT_ACCECN_1 : SCRIPT_ACCECN_0, 2);
    for (int i = 0; i < 3 && script_take_word(l, order[one][i]); i++) {
        uint32_t bytes = script_parse_number(l, "a counter of 24 bits", 0xffffff);
        uint8_t *counter = script_room(l, p, 3);
        if (counter == NULL) return;
        counter[0] = (uint8_t)(bytes >> 16);
        counter[1] = (uint8_t)(bytes >> 8);
        counter[2] = (uint8_t)bytes;
        at[1] = (uint8_t)(at[1] + 3);
    }
    if (at[1] == 2) script_expected(l, "e0b, or e1b, and a counter");
}

static void script_one_option(struct script_lexer *l, struct script_packet *p) {
    if (script_take_word(l, "nop"))
        script_option(l, p, SCRIPT_NOP, 1);
    else if (script_take_word(l, "eol"))
        script_option(l, p, SCRIPT_EOL, 1);
    else if (script_take_word(l, "mss"))
        put_be16(script_option(l, p, SCRIPT_MSS, 4) + 2, (uint16_t)script_parse_number(l, "an MSS", UINT16_MAX));
    else if (script_take_word(l, "wscale"))
        script_option(l, p, SCRIPT_WSCALE, 3)[2] = (uint8_t)script_parse_number(l, "a shift", UINT8_MAX);
    else if (script_take_word(l, "sackOK"))
        script_option(l, p, SCRIPT_SACK_OK, 2);
    else if (script_take_word(l, "sack"))
        script_sack(l, p);
    else if (script_take_word(l, "TS"))
        script_timestamps(l, p);
    else if (script_take_word(l, "md5"))
        script_blob(l, p, &script_option(l, p, SCRIPT_MD5, 2)[1]);
    else if (script_take_word(l, "FO"))
        script_fast_open(l, p, false);
    else if (script_take_word(l, "FOEXP"))
        script_fast_open(l, p, true);
    else if (script_take_word(l, "ECN"))
        script_accecn(l, p);
    else
        script_expected(l, "a TCP option (nop eol mss wscale sackOK sack TS md5 FO FOEXP ECN)");
}

void script_parse_options(struct script_lexer *l, struct script_packet *p) {
    if (script_look(l)->kind == SCRIPT_TOKEN_ELLIPSIS) {
        script_take(l);
        p->any_options = true;
    } else
        do script_one_option(l, p);
        while (script_take_sign(l, ','));
    if (!script_take_sign(l, '>')) script_expected(l, "',' or '>'");
}

/* Tokens of a script. A run of letters, digits and underscores is a number if it has digits only (or 0x before hexadecimal
 * ones), otherwise a word: a Fast Open cookie such as 1234abcd is one. A dot makes a number a fraction only if a digit follows: "0...0.1"
 * is a number, an ellipsis and a fraction. */
#include "lab/script_lexer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool script_is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool script_is_word(char c) {
    return script_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static char script_at(const struct script_lexer *l, size_t ahead) {
    return (size_t)(l->end - l->at) > ahead ? l->at[ahead] : '\0';
}

static void script_step(struct script_lexer *l) {
    if (*l->at++ != '\n') return;
    l->line++;
    l->line_start = l->at;
}

static struct script_token script_begin(const struct script_lexer *l, enum script_token_kind kind) {
    return (struct script_token){
        .kind = kind, .line = l->line, .column = (uint32_t)(l->at - l->line_start) + 1, .text = l->at};
}

void script_fail_at(struct script_lexer *l, const struct script_token *at, const char *format, ...) {
    if (l->failed) return;
    l->failed = true;
    l->error.line = at->line;
    l->error.column = at->column;
    va_list args;
    va_start(args, format);
    vsnprintf(l->error.what, sizeof l->error.what, format, args);
    va_end(args);
}

void script_expected(struct script_lexer *l, const char *what) {
    const struct script_token t = *script_look(l);
    if (t.kind == SCRIPT_TOKEN_END)
        script_fail_at(l, &t, "expected %s, but the script ends here", what);
    else
        script_fail_at(l, &t, "expected %s, not '%.*s'", what, (int)(t.length < 40 ? t.length : 40), t.text);
}

/* ---- white space ----------------------------------------------------------------------------------- */

static void script_skip_comment(struct script_lexer *l) {
    const struct script_token begin = script_begin(l, SCRIPT_TOKEN_END);
    script_step(l);
    script_step(l);
    while (l->at < l->end && !(script_at(l, 0) == '*' && script_at(l, 1) == '/')) script_step(l);
    if (l->at == l->end) {
        script_fail_at(l, &begin, "this comment has no end: expected */");
        return;
    }
    script_step(l);
    script_step(l);
}

static void script_skip(struct script_lexer *l) {
    while (l->at < l->end && !l->failed) {
        char c = *l->at;
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
            script_step(l);
        else if (c == '/' && script_at(l, 1) == '/')
            while (l->at < l->end && *l->at != '\n') l->at++;
        else if (c == '/' && script_at(l, 1) == '*')
            script_skip_comment(l);
        else
            return;
    }
}

/* ---- what is enclosed ------------------------------------------------------------------------------ */

/* Takes what stands up to `close`, which a backslash hides; the characters stay as they are. */
static struct script_token script_enclosed(struct script_lexer *l, enum script_token_kind kind, char close,
                                           const char *what) {
    struct script_token t = script_begin(l, kind);
    script_step(l);
    t.text = l->at;
    while (l->at < l->end && *l->at != close) {
        if (*l->at == '\\' && l->end - l->at > 1) script_step(l);
        script_step(l);
    }
    t.length = (size_t)(l->at - t.text);
    if (l->at == l->end)
        script_fail_at(l, &t, "this %s has no end: expected %c", what, close);
    else
        script_step(l);
    return t;
}

static int script_hex_digit(char c) {
    if (script_is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Resolves the escapes of a string: \xHH, \n, \t, \0, and any other character as itself. */
static void script_unescape(struct script_lexer *l, struct script_token *t) {
    char *out = script_arena_take(l->arena, t->length + 1);
    size_t n = 0;
    for (size_t i = 0; i < t->length; i++) {
        char c = t->text[i];
        if (c == '\\' && i + 1 < t->length) {
            c = t->text[++i];
            int high = i + 2 < t->length ? script_hex_digit(t->text[i + 1]) : -1;
            int low = high >= 0 ? script_hex_digit(t->text[i + 2]) : -1;
            if (c == 'x' && low >= 0) {
                c = (char)(high * 16 + low);
                i += 2;
            } else if (c == 'n')
                c = '\n';
            else if (c == 't')
                c = '\t';
            else if (c == '0')
                c = '\0';
        }
        out[n++] = c;
    }
    t->text = out;
    t->length = n;
}

static struct script_token script_code(struct script_lexer *l) {
    struct script_token t = script_begin(l, SCRIPT_TOKEN_CODE);
    l->at += 2;
    t.text = l->at;
    while (l->at < l->end && !(script_at(l, 0) == '}' && script_at(l, 1) == '%')) script_step(l);
    t.length = (size_t)(l->at - t.text);
    if (l->at == l->end)
        script_fail_at(l, &t, "this code has no end: expected }%%");
    else
        l->at += 2;
    return t;
}

/* ---- numbers and words ----------------------------------------------------------------------------- */

/* Decides what a run of word characters is. */
static void script_classify(struct script_token *t) {
    bool hex = t->length > 2 && t->text[0] == '0' && (t->text[1] == 'x' || t->text[1] == 'X');
    bool digits = t->length > 0;
    for (size_t i = 0; i < t->length; i++) {
        digits = digits && (script_is_digit(t->text[i]) || (i == 0 && t->length > 1 && t->text[0] == '-'));
        hex = hex && (i < 2 || script_hex_digit(t->text[i]) >= 0);
    }
    t->kind = hex ? SCRIPT_TOKEN_HEX : digits ? SCRIPT_TOKEN_INTEGER : SCRIPT_TOKEN_WORD;
    if (t->kind == SCRIPT_TOKEN_WORD) return;
    char number[24] = "";
    if (t->length >= sizeof number) {
        t->kind = SCRIPT_TOKEN_WORD; /* a long cookie */
        return;
    }
    memcpy(number, t->text, t->length);
    t->integer = (int64_t)strtoll(number, NULL, hex ? 16 : 10);
}

static void script_substitute(const struct script_lexer *l, struct script_token *t) {
    for (size_t i = 0; i < l->define_count; i++) {
        const struct script_define *d = &l->defines[i];
        if (strlen(d->name) != t->length || memcmp(d->name, t->text, t->length) != 0) continue;
        t->text = d->value;
        t->length = strlen(d->value);
        if (t->length >= 2 && t->text[0] == '"' && t->text[t->length - 1] == '"') {
            t->kind = SCRIPT_TOKEN_STRING;
            t->text++;
            t->length -= 2;
        } else
            script_classify(t);
        return;
    }
}

static struct script_token script_number_or_word(struct script_lexer *l) {
    struct script_token t = script_begin(l, SCRIPT_TOKEN_WORD);
    if (*l->at == '-') l->at++;
    while (script_is_word(script_at(l, 0))) l->at++;
    t.length = (size_t)(l->at - t.text);
    script_classify(&t);
    bool whole = t.length == 0 || t.kind == SCRIPT_TOKEN_INTEGER || (t.length == 1 && t.text[0] == '-');
    if (whole && script_at(l, 0) == '.' && script_is_digit(script_at(l, 1))) {
        l->at++;
        while (script_is_digit(script_at(l, 0))) l->at++;
        t.length = (size_t)(l->at - t.text);
        t.kind = SCRIPT_TOKEN_FLOAT;
    }
    if (t.kind == SCRIPT_TOKEN_WORD) script_substitute(l, &t);
    return t;
}

static struct script_token script_lex(struct script_lexer *l) {
    script_skip(l);
    struct script_token t = script_begin(l, SCRIPT_TOKEN_END);
    if (l->failed || l->at == l->end) return t;
    char c = *l->at, next = script_at(l, 1);
    if (c == '"') {
        t = script_enclosed(l, SCRIPT_TOKEN_STRING, '"', "string");
        script_unescape(l, &t);
    } else if (c == '`')
        t = script_enclosed(l, SCRIPT_TOKEN_COMMAND, '`', "command");
    else if (c == '%' && next == '{')
        t = script_code(l);
    else if (c == '.' && next == '.' && script_at(l, 2) == '.') {
        t.kind = SCRIPT_TOKEN_ELLIPSIS;
        t.length = 3;
        l->at += 3;
    } else if (c == '-' && next == '-' && script_is_word(script_at(l, 2))) {
        t.kind = SCRIPT_TOKEN_OPTION;
        l->at += 2;
        t.text = l->at;
        while (script_is_word(script_at(l, 0))) l->at++;
        t.length = (size_t)(l->at - t.text);
    } else if (script_is_word(c) || ((c == '.' || c == '-') && script_is_digit(next)) ||
               (c == '-' && next == '.' && script_is_digit(script_at(l, 2))))
        t = script_number_or_word(l);
    else {
        t.kind = SCRIPT_TOKEN_SIGN;
        t.sign = c;
        t.length = 1;
        l->at++;
    }
    return t;
}

/* ---- for the reader -------------------------------------------------------------------------------- */

const struct script_token *script_look(struct script_lexer *l) {
    if (l->failed) l->token.kind = SCRIPT_TOKEN_END;
    if (!l->looked && !l->failed) l->token = script_lex(l);
    l->looked = true;
    return &l->token;
}

struct script_token script_take(struct script_lexer *l) {
    struct script_token t = *script_look(l);
    l->looked = false;
    return t;
}

bool script_take_sign(struct script_lexer *l, char sign) {
    const struct script_token *t = script_look(l);
    if (t->kind != SCRIPT_TOKEN_SIGN || t->sign != sign) return false;
    l->looked = false;
    return true;
}

bool script_take_word(struct script_lexer *l, const char *word) {
    const struct script_token *t = script_look(l);
    if (t->kind != SCRIPT_TOKEN_WORD || t->length != strlen(word) || memcmp(t->text, word, t->length) != 0)
        return false;
    l->looked = false;
    return true;
}

char script_look_sign(struct script_lexer *l) {
    script_skip(l);
    return script_at(l, 0);
}

struct script_token script_take_raw(struct script_lexer *l) {
    struct script_token t = script_begin(l, SCRIPT_TOKEN_WORD);
    char quote = '\0';
    while (l->at < l->end && *l->at != '\n') {
        char c = *l->at;
        if (quote == '\0' && (c == ' ' || c == '\t' || c == '\r')) break;
        if (c == '"' || c == '`') quote = quote == c ? '\0' : quote == '\0' ? c : quote;
        l->at++;
    }
    t.length = (size_t)(l->at - t.text);
    return t;
}

struct script_token script_take_flags(struct script_lexer *l) {
    script_skip(l);
    struct script_token t = script_begin(l, SCRIPT_TOKEN_WORD);
    while (script_is_word(script_at(l, 0)) || script_at(l, 0) == '.' || script_at(l, 0) == '-') l->at++;
    t.length = (size_t)(l->at - t.text);
    return t;
}

struct script_token script_take_note(struct script_lexer *l) {
    struct script_token t = script_begin(l, SCRIPT_TOKEN_STRING);
    while (l->at < l->end && *l->at != ')') script_step(l);
    t.length = (size_t)(l->at - t.text);
    if (l->at == l->end)
        script_fail_at(l, &t, "this note has no end: expected )");
    else
        script_step(l);
    return t;
}

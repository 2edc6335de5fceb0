/* Expressions, and the system calls that they are the arguments of:
 *
 *     recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 2000}], msg_flags=0}, 0) = 2000
 *
 * What a call's arguments must be is the runner's business: here an expression is what it looks like. */
#include "lab/script_parse.h"

#include <string.h>

static struct script_expr *script_expr_new(struct script_lexer *l, enum script_expr_kind kind) {
    struct script_expr *e = script_arena_take(l->arena, sizeof *e);
    e->kind = kind;
    e->line = script_look(l)->line;
    return e;
}

static struct script_expr *script_named(struct script_lexer *l, enum script_expr_kind kind) {
    struct script_expr *e = script_expr_new(l, kind);
    struct script_token t = script_take(l);
    e->integer = t.integer;
    e->hex = t.kind == SCRIPT_TOKEN_HEX;
    e->text = script_arena_text(l->arena, t.text, t.length);
    e->length = t.length;
    return e;
}

/* Strings that follow each other are one. "..." may follow a string, which then is the beginning of something longer. */
static struct script_expr *script_string(struct script_lexer *l) {
    struct script_expr *e = script_named(l, SCRIPT_STRING);
    while (script_look(l)->kind == SCRIPT_TOKEN_STRING) {
        struct script_token t = script_take(l);
        char *both = script_arena_take(l->arena, e->length + t.length + 1);
        memcpy(both, e->text, e->length);
        memcpy(both + e->length, t.text, t.length);
        e->text = both;
        e->length += t.length;
    }
    if (script_look(l)->kind == SCRIPT_TOKEN_ELLIPSIS) script_take(l);
    return e;
}

struct script_expr *script_parse_list(struct script_lexer *l, char close) {
    struct script_expr *first = NULL, **tail = &first;
    if (script_take_sign(l, close)) return NULL;
    for (;;) {
        *tail = script_parse_expr(l);
        tail = &(*tail)->next;
        if (script_take_sign(l, close) || l->failed) return first;
        if (!script_take_sign(l, ',')) {
            script_expected(l, close == ')' ? "',' or ')'" : close == ']' ? "',' or ']'" : "',' or '}'");
            return first;
        }
    }
}

static struct script_expr *script_word(struct script_lexer *l) {
    struct script_expr *e = script_named(l, SCRIPT_WORD);
    if (!script_take_sign(l, '(')) return e;
    e->kind = SCRIPT_CALL;
    e->children = script_parse_list(l, ')');
    return e;
}

static struct script_expr *script_enclosed_list(struct script_lexer *l, enum script_expr_kind kind, char close) {
    struct script_expr *e = script_expr_new(l, kind);
    script_take(l);
    e->children = script_parse_list(l, close);
    return e;
}

static struct script_expr *script_primary(struct script_lexer *l) {
    const struct script_token *t = script_look(l);
    switch (t->kind) {
    case SCRIPT_TOKEN_ELLIPSIS:
        return script_named(l, SCRIPT_ELLIPSIS);
    case SCRIPT_TOKEN_INTEGER:
    case SCRIPT_TOKEN_HEX:
        return script_named(l, SCRIPT_INTEGER);
    case SCRIPT_TOKEN_STRING:
        return script_string(l);
    case SCRIPT_TOKEN_WORD:
        return script_word(l);
    default:
        if (t->kind == SCRIPT_TOKEN_SIGN && t->sign == '[') return script_enclosed_list(l, SCRIPT_LIST, ']');
        if (t->kind == SCRIPT_TOKEN_SIGN && t->sign == '{') return script_enclosed_list(l, SCRIPT_STRUCT, '}');
        script_expected(l, "a number, a name, a string, '...', '[' or '{'");
        return script_expr_new(l, SCRIPT_ELLIPSIS);
    }
}

/* name=value and name(index)=value stand only in structures, but '=' after a word or call can mean nothing else. */
static struct script_expr *script_field(struct script_lexer *l, struct script_expr *name) {
    if ((name->kind != SCRIPT_WORD && name->kind != SCRIPT_CALL) || !script_take_sign(l, '=')) return name;
    if (name->kind == SCRIPT_CALL) name->index = name->children;
    name->kind = SCRIPT_FIELD;
    name->children = NULL;
    name->value = script_parse_expr(l);
    return name;
}

struct script_expr *script_parse_expr(struct script_lexer *l) {
    struct script_expr *e = script_field(l, script_primary(l));
    if (e->kind == SCRIPT_FIELD || !script_take_sign(l, '|')) return e;
    struct script_expr *either = script_expr_new(l, SCRIPT_OR), **tail = &e->next;
    either->children = e;
    do {
        *tail = script_primary(l);
        tail = &(*tail)->next;
    } while (script_take_sign(l, '|'));
    return either;
}

struct script_call *script_parse_call(struct script_lexer *l) {
    struct script_call *c = script_arena_take(l->arena, sizeof *c);
    struct script_token name = script_take(l);
    c->name = script_arena_text(l->arena, name.text, name.length);
    if (!script_take_sign(l, '(')) script_expected(l, "'(' and the call's arguments");
    c->arguments = script_parse_list(l, ')');
    if (!script_take_sign(l, '=')) script_expected(l, "'=' and what the call returns");
    c->result = script_primary(l);
    if (script_look(l)->kind == SCRIPT_TOKEN_WORD) {
        struct script_token error = script_take(l);
        c->error = script_arena_text(l->arena, error.text, error.length);
    }
    if (script_take_sign(l, '(')) {
        struct script_token note = script_take_note(l);
        c->note = script_arena_text(l->arena, note.text, note.length);
    }
    return c;
}

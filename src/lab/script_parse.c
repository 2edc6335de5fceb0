/* Reading a script, from the top: options, a command that prepares, events, a command that cleans up.
 *
 * Recursive descent over the tokens of script_lexer.c, one token ahead. A mistake is noted where it was found, and from then on there
 * are only ends of the script, so that everything returns at once. */
#include "lab/script_parse.h"

#include <string.h>

/* ---- times ----------------------------------------------------------------------------------------- */

#define SCRIPT_NS 1000000000u

/* Seconds as nanoseconds, without a detour over binary fractions. Digits past the ninth after the point do not count. */
static uint64_t script_seconds(struct script_lexer *l) {
    const struct script_token *look = script_look(l);
    if (look->kind != SCRIPT_TOKEN_INTEGER && look->kind != SCRIPT_TOKEN_FLOAT) {
        script_expected(l, "a time in seconds");
        return 0;
    }
    struct script_token t = script_take(l);
    if (t.text[0] == '-' || t.length > 16) {
        script_fail_at(l, &t, "expected a time that is not negative nor of more than 15 digits");
        return 0;
    }
    uint64_t ns = 0, unit = SCRIPT_NS;
    bool fraction = false;
    for (size_t i = 0; i < t.length; i++) {
        if (t.text[i] == '.') {
            fraction = true;
        } else if (!fraction) {
            ns = ns * 10 + (uint64_t)(t.text[i] - '0') * SCRIPT_NS;
        } else {
            unit /= 10;
            ns += (uint64_t)(t.text[i] - '0') * unit;
        }
    }
    if (ns > UINT64_C(1000000) * SCRIPT_NS) {
        script_fail_at(l, &t, "expected a time of at most 1000000 s");
        return 0;
    }
    return ns;
}

static void script_time(struct script_lexer *l, struct script_time *t) {
    if (script_take_sign(l, '*')) {
        t->kind = SCRIPT_ANY;
        return;
    }
    t->kind = script_take_sign(l, '+') ? SCRIPT_RELATIVE : SCRIPT_ABSOLUTE;
    t->from = t->to = script_seconds(l);
    if (!script_take_sign(l, '~')) return;
    if (t->kind == SCRIPT_RELATIVE && !script_take_sign(l, '+')) script_expected(l, "'+' and the end of the range");
    const struct script_token at = *script_look(l);
    t->range = true;
    t->to = script_seconds(l);
    if (t->to < t->from) script_fail_at(l, &at, "expected the end of a range, which is not before its start");
}

/* ---- events ---------------------------------------------------------------------------------------- */

static const char *script_source(struct script_lexer *l) {
    const char *from = l->line_start, *to = from;
    while (to < l->end && *to != '\n') to++;
    while (from < to && (*from == ' ' || *from == '\t')) from++;
    return script_arena_text(l->arena, from, (size_t)(to - from));
}

static void script_blocking(struct script_lexer *l, struct script_event *e) {
    script_take(l);
    uint64_t end = script_seconds(l);
    if (script_look(l)->kind != SCRIPT_TOKEN_WORD) script_expected(l, "a system call");
    e->kind = SCRIPT_EVENT_CALL;
    struct script_call *c = script_parse_call(l);
    c->blocking = true;
    c->end = end;
    e->call = c;
    if (e->time.kind == SCRIPT_ANY || e->time.range || end < e->time.from)
        script_fail_at(l, &(struct script_token){.line = e->line, .column = e->column},
                       "expected a call that starts at a time and does not return before it");
}

static void script_packet_event(struct script_lexer *l, struct script_event *e, bool inbound) {
    script_take(l);
    e->kind = SCRIPT_EVENT_PACKET;
    e->packet = script_parse_packet(l, inbound);
}

static void script_action(struct script_lexer *l, struct script_event *e) {
    const struct script_token *t = script_look(l);
    switch (t->kind) {
    case SCRIPT_TOKEN_ELLIPSIS:
        script_blocking(l, e);
        break;
    case SCRIPT_TOKEN_WORD:
        e->kind = SCRIPT_EVENT_CALL;
        e->call = script_parse_call(l);
        break;
    case SCRIPT_TOKEN_COMMAND:
    case SCRIPT_TOKEN_CODE:
        e->kind = t->kind == SCRIPT_TOKEN_CODE ? SCRIPT_EVENT_CODE : SCRIPT_EVENT_COMMAND;
        e->text = script_arena_text(l->arena, t->text, t->length);
        script_take(l);
        break;
    default:
        if (t->kind == SCRIPT_TOKEN_SIGN && (t->sign == '<' || t->sign == '>'))
            script_packet_event(l, e, t->sign == '<');
        else
            script_expected(l, "'<', '>', a system call, `command` or %{code}%");
    }
}

static struct script_event *script_event(struct script_lexer *l) {
    struct script_event *e = script_arena_take(l->arena, sizeof *e);
    e->line = script_look(l)->line;
    e->column = script_look(l)->column;
    e->source = script_source(l);
    script_time(l, &e->time);
    script_action(l, e);
    bool waits = e->kind == SCRIPT_EVENT_PACKET && e->packet != NULL && !e->packet->inbound;
    if ((e->time.kind == SCRIPT_ANY || e->time.range) && !waits && !l->failed)
        script_fail_at(l, &(struct script_token){.line = e->line, .column = e->column},
                       "expected an outbound packet after '*' or a range of times");
    return e;
}

/* ---- options --------------------------------------------------------------------------------------- */

static struct script_option *script_one(struct script_lexer *l) {
    struct script_option *o = script_arena_take(l->arena, sizeof *o);
    struct script_token name = script_take(l);
    o->name = script_arena_text(l->arena, name.text, name.length);
    o->line = name.line;
    o->column = name.column;
    if (l->at < l->end && *l->at == '=') {
        l->at++;
        struct script_token value = script_take_raw(l);
        o->value = script_arena_text(l->arena, value.text, value.length);
    }
    return o;
}

static void script_body(struct script_lexer *l, struct script *s) {
    struct script_option **option = &s->options;
    for (; script_look(l)->kind == SCRIPT_TOKEN_OPTION; option = &(*option)->next) *option = script_one(l);
    struct script_token t = *script_look(l);
    if (t.kind == SCRIPT_TOKEN_COMMAND) {
        s->initial = script_arena_text(l->arena, t.text, t.length);
        s->initial_line = t.line;
        script_take(l);
    }
    struct script_event **event = &s->events;
    do {
        *event = script_event(l);
        event = &(*event)->next;
        s->event_count++;
        t = *script_look(l);
    } while (t.kind != SCRIPT_TOKEN_END && t.kind != SCRIPT_TOKEN_COMMAND);
    if (t.kind != SCRIPT_TOKEN_COMMAND) return;
    s->cleanup = script_arena_text(l->arena, t.text, t.length);
    s->cleanup_line = t.line;
    script_take(l);
    if (script_look(l)->kind != SCRIPT_TOKEN_END) script_expected(l, "the end of the script after the last command");
}

bool script_parse(struct script *script, const char *path, const char *text, size_t length,
                  const struct script_define *defines, size_t define_count, struct script_error *error) {
    memset(script, 0, sizeof *script);
    struct script_lexer l = {.arena = &script->arena,
                             .start = text,
                             .at = text,
                             .end = text + length,
                             .line_start = text,
                             .line = 1,
                             .defines = defines,
                             .define_count = define_count};
    script->path = script_arena_text(&script->arena, path, strlen(path));
    script_body(&l, script);
    if (l.failed) *error = l.error;
    return !l.failed;
}

void script_free(struct script *script) {
    script_arena_free(&script->arena);
    memset(script, 0, sizeof *script);
}

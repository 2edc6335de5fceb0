/* What a script is once it has been read: options, commands, and events in order of the text.
 *
 * All of it lies in one arena that belongs to the script, and ends with it. Nothing is ever changed after reading, so that one script
 * may be run again. Times are nanoseconds; those of relative events count from the event before.
 */
#ifndef LAB_SCRIPT_AST_H
#define LAB_SCRIPT_AST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- memory ---------------------------------------------------------------------------------------- */

/* Memory that grows and goes as a whole. */
struct script_arena {
    struct script_arena_block *blocks;
};
/* Zeroed bytes, aligned for anything. Never NULL: a machine without memory ends the program. */
void *script_arena_take(struct script_arena *arena, size_t n);
/* A copy of n bytes, and a NUL behind them. */
char *script_arena_text(struct script_arena *arena, const char *bytes, size_t n);
void script_arena_free(struct script_arena *arena);

/* ---- expressions ----------------------------------------------------------------------------------- */

enum script_expr_kind {
    SCRIPT_ELLIPSIS, /* ... */
    SCRIPT_INTEGER,
    SCRIPT_WORD,
    SCRIPT_STRING, /* text[0..length), escapes resolved */
    SCRIPT_OR,     /* children, joined by | */
    SCRIPT_LIST,   /* [children] */
    SCRIPT_STRUCT, /* {children}: fields, or plain expressions */
    SCRIPT_FIELD,  /* text = name; value in `value`, and `index` if it was name(index)=value */
    SCRIPT_CALL,   /* text(children), as htons(8080) */
};

struct script_expr {
    enum script_expr_kind kind;
    uint32_t line;
    int64_t integer;
    bool hex; /* how it was written */
    const char *text;
    size_t length;
    struct script_expr *children, *next;
    struct script_expr *value, *index;
};

/* ---- events ---------------------------------------------------------------------------------------- */

enum script_time_kind { SCRIPT_ABSOLUTE, SCRIPT_RELATIVE, SCRIPT_ANY };

struct script_time {
    enum script_time_kind kind;
    bool range;
    uint64_t from, to; /* `to` counts if it is a range */
};

enum script_tos_check { SCRIPT_TOS_ANY, SCRIPT_TOS_ECN, SCRIPT_TOS_ECT01, SCRIPT_TOS_BYTE };

#define SCRIPT_AE          256u /* the AccECN bit beside the eight flags of the header's thirteenth byte */
#define SCRIPT_OPTIONS_MAX 40u

struct script_icmp {
    const char *type, *code; /* names; code may be NULL */
    int64_t mtu;             /* -1: none given */
    bool echoed;             /* a range was given */
    uint32_t seq, length;
};

struct script_packet {
    bool inbound, is_icmp;
    enum script_tos_check tos_check;
    uint8_t tos;
    uint16_t flags; /* of wire/tcp.h, and SCRIPT_AE */
    bool ace;       /* a digit gave the three ECN bits as a number */
    uint32_t seq, length;
    uint32_t ack;
    int32_t window; /* -1: none given */
    uint16_t urgent;
    bool any_options; /* <...> */
    uint8_t option[SCRIPT_OPTIONS_MAX];
    uint8_t option_length;
    struct script_icmp icmp;
};

struct script_call {
    const char *name;
    const struct script_expr *arguments; /* the first of a list */
    const struct script_expr *result;
    const char *error; /* errno's name, or NULL */
    const char *note;  /* what stood in parentheses, or NULL */
    bool blocking;
    uint64_t end; /* when it returns, if blocking; counts as the event's time does */
};

enum script_event_kind { SCRIPT_EVENT_PACKET, SCRIPT_EVENT_CALL, SCRIPT_EVENT_COMMAND, SCRIPT_EVENT_CODE };

struct script_event {
    enum script_event_kind kind;
    uint32_t line, column;
    struct script_time time;
    const char *source; /* the event as it is written, its first line */
    const struct script_packet *packet;
    const struct script_call *call;
    const char *text; /* of a command or of code */
    struct script_event *next;
};

/* ---- the whole ------------------------------------------------------------------------------------- */

struct script_option {
    const char *name, *value; /* value NULL: a switch */
    uint32_t line, column;
    struct script_option *next;
};

struct script {
    struct script_arena arena;
    const char *path;
    struct script_option *options;
    const char *initial, *cleanup; /* commands, or NULL */
    uint32_t initial_line, cleanup_line;
    struct script_event *events;
    uint32_t event_count;
};

struct script_define {
    const char *name, *value;
};

struct script_error {
    uint32_t line, column;
    char what[200];
};

/* Reads a script. Words that are defined stand for their values. Returns false and *error for one that is not of the language: where, and
 * what was expected there. The script is to be freed either way. */
bool script_parse(struct script *script, const char *path, const char *text, size_t length,
                  const struct script_define *defines, size_t define_count, struct script_error *error);
void script_free(struct script *script);

#endif

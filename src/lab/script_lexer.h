/* A script's text as tokens. White space and comments (// to the end of the line, and C's) stand for nothing.
 *
 * The reader asks for one token at a time and may look at it before it takes it. TCP flags and option values are no tokens of the
 * rest's kind ("P.5", "./x"), so they are asked for by functions of their own, before the next token has been looked at.
 */
#ifndef LAB_SCRIPT_LEXER_H
#define LAB_SCRIPT_LEXER_H

#include "lab/script_ast.h"

enum script_token_kind {
    SCRIPT_TOKEN_END,
    SCRIPT_TOKEN_INTEGER,
    SCRIPT_TOKEN_HEX,
    SCRIPT_TOKEN_FLOAT,
    SCRIPT_TOKEN_WORD,
    SCRIPT_TOKEN_STRING,
    SCRIPT_TOKEN_COMMAND, /* `...` */
    SCRIPT_TOKEN_CODE,    /* %{...}% */
    SCRIPT_TOKEN_ELLIPSIS,
    SCRIPT_TOKEN_OPTION, /* --name */
    SCRIPT_TOKEN_SIGN,   /* any other character */
};

struct script_token {
    enum script_token_kind kind;
    uint32_t line, column;
    const char *text; /* as written, or the definition's value; of strings, commands and code: what stands inside */
    size_t length;
    int64_t integer;
    char sign;
};

struct script_lexer {
    struct script_arena *arena;
    const char *start, *at, *end, *line_start;
    uint32_t line;
    const struct script_define *defines;
    size_t define_count;
    bool looked; /* `token` has been read and not taken */
    struct script_token token;
    bool failed; /* from then on there are only ends */
    struct script_error error;
};

/* Looks at the next token. */
const struct script_token *script_look(struct script_lexer *l);
/* Takes it. */
struct script_token script_take(struct script_lexer *l);
/* Whether the next token is this sign, and takes it if so. */
bool script_take_sign(struct script_lexer *l, char sign);
/* Whether the next token is this word, and takes it if so. */
bool script_take_word(struct script_lexer *l, const char *word);
/* The character that comes next, white space skipped; '\0' at the end. No token may have been looked at. */
char script_look_sign(struct script_lexer *l);
/* The run of characters up to white space (comments are white space only after some); quotes and backquotes hold together. */
struct script_token script_take_raw(struct script_lexer *l);
/* The run of letters, digits, '.' and '-': TCP flags. */
struct script_token script_take_flags(struct script_lexer *l);
/* The text up to the parenthesis that closes the one just taken. */
struct script_token script_take_note(struct script_lexer *l);

/* Notes what is wrong, at this token; the first complaint is kept. */
__attribute__((format(printf, 3, 4))) void script_fail_at(struct script_lexer *l, const struct script_token *at,
                                                          const char *format, ...);
/* "expected ..., not ...", at the next token. */
void script_expected(struct script_lexer *l, const char *what);

#endif

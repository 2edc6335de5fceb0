/* The parts of the reader: one for each kind of thing that stands in a script. They take tokens and leave the lexer behind what they
 * read, or have it fail; what they return then is of no meaning, but can be walked over. */
#ifndef LAB_SCRIPT_PARSE_H
#define LAB_SCRIPT_PARSE_H

#include "lab/script_lexer.h"

/* name(arguments) = result ERROR (note), after the name has been looked at and nothing taken. */
struct script_call *script_parse_call(struct script_lexer *l);
/* An expression, with everything below it. */
struct script_expr *script_parse_expr(struct script_lexer *l);
/* A list of them up to `close`, which is taken, too. NULL for an empty one. */
struct script_expr *script_parse_list(struct script_lexer *l, char close);
/* A packet; its direction sign has been taken. */
struct script_packet *script_parse_packet(struct script_lexer *l, bool inbound);
/* The options of a segment, after '<'. */
void script_parse_options(struct script_lexer *l, struct script_packet *p);
/* A number from 0 to `high`; `what` names it in complaints. */
uint32_t script_parse_number(struct script_lexer *l, const char *what, uint32_t high);
/* start:end(length). */
void script_parse_range(struct script_lexer *l, uint32_t *seq, uint32_t *length);

#endif

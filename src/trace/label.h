/* What a ladder diagram says in words: about a segment, a call, a stretch of time. */
#ifndef TRACE_LABEL_H
#define TRACE_LABEL_H

#include "trace/text.h"

/* The numbers that each side's sequence numbers are given relative to. */
struct label_base {
    uint32_t isn[2];
    bool known[2];
};

/* Takes note of the next segment of the timeline; `sender` 0 or 1 is who sent it. `trusted` is false for one that the receiver
 * refused: then it only counts if nothing is known yet. */
void label_base_learn(struct label_base *base, const struct bk_event *event, int sender, bool trusted);

enum { LABEL_ITEMS = 8, LABEL_ITEM = 40, LABEL_LINE = 512 };
/* A segment in words, most telling first: "SYN,ACK", "seq 0", "ack 1", "len 80", "win 65535", "mss 1460". */
struct label {
    char item[LABEL_ITEMS][LABEL_ITEM];
    uint32_t count;
};
void label_segment(struct label *label, const struct bk_event *event, const struct label_base *base, int sender,
                   bool absolute_isn);
/* Joins items, from *next on, as far as they fit in `columns`; at least one. Advances *next. */
void label_join(const struct label *label, uint32_t *next, uint32_t columns, char out[LABEL_LINE]);

/* "connect()", "send 80", "readable". A heard event may have several lines: asks for line 0, 1, ... until it returns false. */
bool label_news(const struct bk_event *event, uint32_t line, char out[LABEL_LINE]);

/* "SYN of an active open · RFC 9293 3.10.1", blanks inside the RFC's part being no-break spaces. `prefix` is put before it. */
void label_reason(const char *prefix, uint16_t reason, char out[LABEL_LINE]);

/* "31 µs", "1.5 ms", "60 s": three figures. */
void label_duration(uint64_t ns, char out[LABEL_LINE]);

/* Takes one line of at most `columns` from *text, broken at a blank where there is one, and moves *text on. False at the end. */
bool label_wrap(const char **text, uint32_t columns, char out[LABEL_LINE]);

#endif

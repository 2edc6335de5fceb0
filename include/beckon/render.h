/* Rendering: events, reasons and connections as text for people and as JSON lines for machines.
 *
 * Everything here turns values that the stack handed out (struct bk_event, struct bk_tcp_info) into text, and
 * hands the text piece by piece to a function of the caller's. Nothing is kept between calls. The formats are described in
 * docs/trace.md.
 */
#ifndef BECKON_RENDER_H
#define BECKON_RENDER_H

#include "beckon/stack.h"
#include "beckon/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- where text goes ------------------------------------------------------------------------------- */

/* Takes the next `length` bytes of the text (UTF-8, not NUL-terminated). */
typedef void (*bk_text_fn)(void *context, const char *text, size_t length);

/* A bk_text_fn whose context is a FILE *. Errors are the stream's own (ferror). */
BK_API void bk_text_to_file(void *file, const char *text, size_t length);

/* A bk_text_fn whose context is a struct bk_text, set to zero before first use: collects the text in memory. */
struct bk_text {
    char *data; /* NUL-terminated, or NULL while empty */
    size_t length, capacity;
    bool failed; /* memory ran out: the text is cut */
};
BK_API void bk_text_to_memory(void *text, const char *piece, size_t length);
/* Frees what was collected; *text is empty again. NULL is fine. */
BK_API void bk_text_free(struct bk_text *text);

/* ---- reasons --------------------------------------------------------------------------------------- */

#define BK_REASON_COMMENT 192 /* bytes that hold any comment, with its NUL */
/* A reason as one line, as it stands in captures beside the frame: "sent: SYN of an active open (RFC 9293 3.10.1)
 * [SEND_SYN]". Writes at most `size` bytes with the NUL (size 0: nothing) and returns the full length without it. */
BK_API size_t bk_reason_comment(uint16_t reason, char *out, size_t size);

/* "sent", "accepted", "answered", "dropped", "noted". */
BK_API const char *bk_verdict_name(enum bk_verdict verdict);

/* ---- JSON lines ------------------------------------------------------------------------------------ */

/* One event as a JSON object and a newline. `stack` names the stack in it; NULL: no such member. */
BK_API void bk_event_json(const struct bk_event *event, const char *stack, bk_text_fn write, void *context);

/* One connection as a JSON object and a newline. `stack` as above; `now` turns deadlines into time left. */
BK_API void bk_tcp_info_json(const struct bk_tcp_info *info, const char *stack, uint64_t now, bk_text_fn write,
                             void *context);

/* ---- tables ---------------------------------------------------------------------------------------- */

enum bk_table_style {
    BK_TABLE_SS,      /* the columns and state names of ss(8) */
    BK_TABLE_NETSTAT, /* of netstat(8) */
    BK_TABLE_JSON,    /* bk_tcp_info_json for each row, no heading */
};

struct bk_table_options {
    enum bk_table_style style;
    bool timers;       /* ss -o, netstat -o: the running timer of each connection */
    bool internals;    /* ss -i: a second line with rto, rtt, cwnd, ... */
    bool no_header;    /* ss -H */
    const char *stack; /* for JSON: names the stack, or NULL */
    uint64_t now;      /* the stack's time, for what is left of timers */
};

/* The connections as a table, in the order given; columns are as wide as their contents. NULL options: ss style, nothing more.
 * Returns 0, or -ENOMEM. */
BK_API int bk_table(const struct bk_tcp_info *infos, size_t n, const struct bk_table_options *options, bk_text_fn write,
                    void *context);

#ifdef __cplusplus
}
#endif
#endif

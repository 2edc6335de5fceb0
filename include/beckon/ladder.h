/* Ladder diagrams: one connection as a picture in text, both ends' states at its sides.
 *
 *     CLOSED │                                                 │ LISTEN
 *  connect() ├── SYN  seq 0  win 65535  mss 1460 ─────────────►│ SYN-RECEIVED
 *   SYN-SENT │   SYN of an active open · RFC 9293 3.10.1       │
 *
 * Side A stands on the left, side B on the right. When the events of both stacks are known, lost, delayed and crossing
 * segments are drawn as what they are. When only A's are known (the other end is a kernel), B's state is given
 * where a segment that came from it leaves no doubt, in parentheses.
 */
#ifndef BECKON_LADDER_H
#define BECKON_LADDER_H

#include "beckon/render.h"

#ifdef __cplusplus
extern "C" {
#endif

struct bk_ladder_side {
    const char *name;              /* stands at the head of its column, e.g. "client 192.0.2.1"; NULL: "A", "B" */
    const struct bk_event *events; /* as bk_trace_read gave them, of any connections; NULL: not known */
    size_t count;
};

/* Names a connection, as side A's events name it. */
struct bk_ladder_connection {
    uint16_t local_port, remote_port;
    uint32_t remote_tag;
};

struct bk_ladder_options {
    uint32_t width;    /* columns, 80 to 160 (values beyond are brought into range); 0: 100 */
    bool colour;       /* ANSI escape sequences */
    bool ascii;        /* no character beyond ASCII (names excepted, which are the caller's) */
    bool absolute_isn; /* beside the relative sequence number of a SYN, the number on the wire */
    bool all_reasons;  /* also say what the receiver made of each segment, not only where that is remarkable */
};

/* Lists the connections that the events speak of, in the order of their first segment: writes up to `max` of them
 * and returns how many there are. */
BK_API size_t bk_ladder_connections(const struct bk_event *events, size_t count, struct bk_ladder_connection *out,
                                    size_t max);

/* Draws one connection. `b` may be NULL, or have NULL events: then only A's side is known, though b->name is still used.
 * connection NULL: the first one that A's events speak of. Both stacks' times must come from one clock. NULL options: all 0.
 * Returns 0, -ENOENT (no event of that connection; nothing is written) or -ENOMEM. */
BK_API int bk_ladder(const struct bk_ladder_side *a, const struct bk_ladder_side *b,
                     const struct bk_ladder_connection *connection, const struct bk_ladder_options *options,
                     bk_text_fn write, void *context);

#ifdef __cplusplus
}
#endif
#endif

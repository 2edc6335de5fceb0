/* Two TCPs, one peer: the same program of segments and user calls is run against Beckon and against another implementation (the Linux
 * kernel, tests/interop/differ.c), and what they answer is compared.
 *
 * A program (differ_program.c) is drawn from a seed: a world, steps that lead into a state of the connection, and then whatever chance brings,
 * much of it just beside what is allowed. A step names sequence numbers relative to what the side at hand has said: its latest ACK, the right
 * edge of its window, all that it has sent. So one program fits both sides, though their ISNs and windows differ.
 *
 * Each side has a peer (differ_peer.c) that makes segments of steps and tells in words what comes back:
 *
 *     segment FA seq=at ack=all len=10 wnd=60000 ts=ok       a step
 *     A seq+0 ack+11 ts+0 -> CLOSE-WAIT                       its outcome: answers and state, for calls the result before them
 *
 * with seq and ack of answers relative to what the peer knew before the step, and ts the echoed timestamp relative to the peer's latest.
 *
 * After each step the two outcomes are the same text, or their difference belongs to a class (differ_classes.c): a decision that stands with
 * its reason in docs/differences-from-linux.md, under the class's name. A difference without a class is a finding. Past a difference the
 * two sides are in different states, so the program ends there.
 */
#ifndef LAB_DIFFER_H
#define LAB_DIFFER_H

#include "beckon/stack.h"
#include "wire/tcp.h"

/* ---- programs (differ_program.c) ------------------------------------------------------------------- */

enum differ_kind {
    DIFFER_SEGMENT,
    DIFFER_FILL, /* segments of 1,000 bytes up to the edge of the window */
    DIFFER_CALL,
};
enum differ_call {
    DIFFER_LISTEN,
    DIFFER_CONNECT,
    DIFFER_ACCEPT,
    DIFFER_SEND,
    DIFFER_RECEIVE,
    DIFFER_SHUTDOWN,
    DIFFER_CLOSE,
    DIFFER_ABORT,
    DIFFER_UNLISTEN,
};
/* What SEG.SEQ and SEG.ACK count from. */
enum differ_seq { DIFFER_AT /* the side's latest ACK */, DIFFER_EDGE /* of its window */, DIFFER_ISN /* the peer's */ };
enum differ_ack { DIFFER_ALL /* that the side sent */, DIFFER_UNA /* what was acknowledged last */ };
enum differ_timestamp { DIFFER_TS_OK, DIFFER_TS_NONE, DIFFER_TS_OLD, DIFFER_TS_AHEAD };
enum differ_echo { DIFFER_ECHO_OK, DIFFER_ECHO_ZERO, DIFFER_ECHO_WRONG };
enum differ_options {
    DIFFER_OPTIONS_OK,
    DIFFER_OPTIONS_ZERO,  /* an option of length 0 */
    DIFFER_OPTIONS_PAST,  /* an option that runs past the header */
    DIFFER_OPTIONS_WRONG, /* MSS and timestamps of wrong lengths */
    DIFFER_OPTIONS_OTHER, /* an unknown option, well-formed */
    DIFFER_OPTIONS_KINDS,
};

struct differ_step {
    uint8_t kind, call;
    uint8_t flags; /* enum wire_tcp_flag */
    uint8_t seq_from, ack_from;
    uint8_t ts, echo, options;
    int32_t seq, ack; /* added to what they count from */
    uint32_t length;  /* of text, or of a call */
    uint16_t window, urgent, mss;
    int16_t wscale; /* of a SYN; -1: none */
    bool new_isn;   /* of a SYN: the next incarnation, beyond all of the last one */
};

#define DIFFER_STEPS 32
struct differ_program {
    uint64_t seed;
    bool ipv6, small_buffer;
    bool timestamps; /* the peer has them, as a rule */
    bool sack;       /* it permits SACK */
    uint32_t count;
    struct differ_step step[DIFFER_STEPS];
};

void differ_program_draw(struct differ_program *p, uint64_t seed);
/* Leaves out `n` steps from `at` on. */
void differ_program_cut(struct differ_program *p, uint32_t at, uint32_t n);
#define DIFFER_TEXT 240
char *differ_step_text(const struct differ_step *s, char text[DIFFER_TEXT]);
const char *differ_call_name(uint8_t call);

/* ---- a side ---------------------------------------------------------------------------------------- */

#define DIFFER_REMOTE_PORT 5000u
#define DIFFER_FRAME       2048u
#define DIFFER_SMALL       4096u /* receive buffer of a world with small_buffer */

/* The addresses: 10.77.0.1 or fd77::1 is the side's, .2 the peer's. */
bk_addr differ_addr(bool ipv6, uint8_t host);

struct differ_side {
    const char *name;
    /* Begins anew, for this program, at this port. */
    void (*begin)(struct differ_side *side, const struct differ_program *p, uint16_t port);
    void (*end)(struct differ_side *side);
    /* An IP packet arrives. */
    void (*arrives)(struct differ_side *side, const uint8_t *packet, size_t n);
    /* The next IP packet that the side has sent; 0 if it has fallen silent. */
    size_t (*leaves)(struct differ_side *side, uint8_t packet[DIFFER_FRAME]);
    /* A user call on the one connection that the user holds. Returns what it returned, 0 or more, or a negative errno. */
    int (*call)(struct differ_side *side, const struct differ_step *s);
    /* enum bk_state of the connection; if there is none, BK_LISTEN with a listener, and BK_CLOSED without. */
    uint8_t (*state)(struct differ_side *side);
};

/* ---- its peer (differ_peer.c) ---------------------------------------------------------------------- */

struct differ_peer {
    bool ipv6, filled;
    uint16_t port;
    /* ours: first, the next that the side expects, the first beyond its window, the end of the latest segment */
    uint32_t isn, at, edge, end;
    uint32_t iss, all, una; /* theirs: first, the next that it will send, what we acknowledged last */
    uint32_t tsval, tsecr;
    uint8_t state; /* of the side, after the latest step */
    uint8_t scale;
    bool scaling; /* our SYN offered it */
    bool sack;
    bool edge_known;
};

void differ_peer_begin(struct differ_peer *peer, const struct differ_program *p, uint16_t port);
/* Runs a step and writes the outcome. */
void differ_peer_step(struct differ_peer *peer, struct differ_side *side, const struct differ_step *s,
                      char outcome[DIFFER_TEXT]);

/* ---- Beckon's side (differ_beckon.c) --------------------------------------------------------------- */

struct differ_side *differ_beckon_new(void);
void differ_beckon_free(struct differ_side *side);

/* ---- classes (differ_classes.c) -------------------------------------------------------------------- */

struct differ_class {
    const char *name; /* the heading in docs/differences-from-linux.md */
    /* Patterns (fnmatch, extended) of the state before, the step and the two outcomes. */
    const char *state, *step, *beckon, *other;
    const char *rfc; /* what decides it */
};
extern const struct differ_class differ_classes[];
extern const size_t differ_classes_count;
/* NULL if there is none. */
const struct differ_class *differ_classify(const char *state, const char *step, const char *beckon, const char *other);

/* ---- running and comparing (differ_run.c) ---------------------------------------------------------- */

struct differ_line {
    char state[24]; /* before the step; "FIN-WAIT-2 orphan" once the user has closed */
    char step[DIFFER_TEXT];
    char outcome[2][DIFFER_TEXT];
};
struct differ_result {
    uint32_t segments; /* that were sent to each side */
    uint32_t lines;
    bool different; /* the last line is where they differ */
    const struct differ_class *class_of;
    struct differ_line line[DIFFER_STEPS];
};

/* Runs a program against sides[0], Beckon, and sides[1]. */
void differ_run(const struct differ_program *p, struct differ_side *const sides[2], uint16_t port,
                struct differ_result *r);
/* Runs programs anew, for differ_shrink. */
typedef void differ_run_fn(void *context, const struct differ_program *p, struct differ_result *r);
/* Leaves out steps while the program still ends in the same difference: the same state before, step and outcomes. */
void differ_shrink(struct differ_program *p, struct differ_result *r, differ_run_fn *run, void *context);

#endif

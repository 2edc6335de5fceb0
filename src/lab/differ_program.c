/* Programs: drawn from a seed, and as text. See differ.h.
 *
 * Half of the art is to get somewhere: the first steps lead into one of the states, by the ordinary way. The other half is to be wrong by
 * little: sequence numbers at the edges of the window, acknowledgments one beyond what was sent.
 */
#include <stdio.h>

#include "base/draw.h"
#include "lab/differ.h"

static const struct differ_step plain = {.kind = DIFFER_SEGMENT, .flags = WIRE_ACK, .window = 60000, .wscale = -1};

static struct differ_step *add(struct differ_program *p, struct differ_step s) {
    if (p->count == DIFFER_STEPS) p->count--;
    p->step[p->count] = s;
    return &p->step[p->count++];
}

static struct differ_step *add_segment(struct differ_program *p, uint8_t flags) {
    struct differ_step *s = add(p, plain);
    s->flags = flags;
    s->ts = p->timestamps ? DIFFER_TS_OK : DIFFER_TS_NONE;
    return s;
}

static void add_call(struct differ_program *p, uint8_t call, uint32_t length) {
    add(p, (struct differ_step){.kind = DIFFER_CALL, .call = call, .length = length});
}

/* ---- the way into a state -------------------------------------------------------------------------- */

static void draw_syn_options(uint64_t *seed, struct differ_step *s) {
    static const uint16_t mss[] = {0, 1, 50, 536, 1000, 1460, 9000, 65535};
    s->seq_from = DIFFER_ISN;
    s->mss = draw_below(seed, 4) != 0 ? 1000 : mss[draw_below(seed, BK_COUNT(mss))];
    s->wscale = draw_below(seed, 2) != 0 ? (int16_t)draw_below(seed, 16) : -1;
}

static void lead_to_established(struct differ_program *p, uint64_t *seed) {
    bool active = draw_below(seed, 3) == 0;
    if (active) {
        add_call(p, DIFFER_CONNECT, 0);
        if (draw_below(seed, 4) == 0) draw_syn_options(seed, add_segment(p, WIRE_SYN));
        draw_syn_options(seed, add_segment(p, WIRE_SYN | WIRE_ACK));
        return;
    }
    add_call(p, DIFFER_LISTEN, 0);
    draw_syn_options(seed, add_segment(p, WIRE_SYN));
    add_segment(p, WIRE_ACK);
    if (draw_below(seed, 8) != 0) add_call(p, DIFFER_ACCEPT, 0);
}

/* Ways on from ESTABLISHED. */
enum way {
    WAY_NONE,
    WAY_DATA,
    WAY_FIN_WAIT_1,
    WAY_FIN_WAIT_2,
    WAY_CLOSING,
    WAY_CLOSE_WAIT,
    WAY_LAST_ACK,
    WAY_TIME_WAIT,
    WAYS
};

static void lead_on(struct differ_program *p, uint64_t *seed, enum way way) {
    uint8_t close = draw_below(seed, 2) != 0 ? DIFFER_SHUTDOWN : DIFFER_CLOSE;
    if (way != WAY_NONE && draw_below(seed, 2) != 0) add_call(p, DIFFER_SEND, 1 + draw_below(seed, 3) * 400);
    if (way == WAY_FIN_WAIT_1 || way == WAY_FIN_WAIT_2 || way == WAY_CLOSING || way == WAY_TIME_WAIT)
        add_call(p, close, 0);
    if (way == WAY_FIN_WAIT_2) add_segment(p, WIRE_ACK);
    if (way == WAY_CLOSING) add_segment(p, WIRE_FIN | WIRE_ACK)->ack_from = DIFFER_UNA;
    if (way == WAY_CLOSE_WAIT || way == WAY_LAST_ACK || way == WAY_TIME_WAIT) add_segment(p, WIRE_FIN | WIRE_ACK);
    if (way == WAY_LAST_ACK) add_call(p, close, 0);
}

static void lead_in(struct differ_program *p, uint64_t *seed) {
    switch (draw_below(seed, 12)) {
    case 0: /* CLOSED */
        return;
    case 1: /* LISTEN */
        add_call(p, DIFFER_LISTEN, 0);
        return;
    case 2: /* SYN-RECEIVED */
        add_call(p, DIFFER_LISTEN, 0);
        draw_syn_options(seed, add_segment(p, WIRE_SYN));
        return;
    case 3: /* SYN-SENT */
        add_call(p, DIFFER_CONNECT, 0);
        return;
    case 4: /* SYN-RECEIVED of a simultaneous open */
        add_call(p, DIFFER_CONNECT, 0);
        draw_syn_options(seed, add_segment(p, WIRE_SYN));
        return;
    default:
        lead_to_established(p, seed);
        lead_on(p, seed, (enum way)draw_below(seed, WAYS));
    }
}

/* Where a segment lies that just touches or crosses an edge of the window: " left" ends at RCV.NXT, " right" begins at the right edge, " over"
 * crosses that. What it does elsewhere its numbers tell well enough. */
static const char *place_text(const struct differ_step *s) {
    int64_t length = (int64_t)s->length + ((s->flags & WIRE_SYN) != 0) + ((s->flags & WIRE_FIN) != 0);
    if (s->seq_from == DIFFER_EDGE && s->seq == 0) return " right";
    if (s->seq_from == DIFFER_EDGE && s->seq < 0 && s->seq + length > 0) return " over";
    return s->seq_from == DIFFER_AT && s->seq < 0 && s->seq + length == 0 ? " left" : "";
}

/* ---- chance ---------------------------------------------------------------------------------------- */

static void draw_numbers(uint64_t *seed, struct differ_step *s) {
    static const int32_t near_at[] = {-1, 1, -2, -5, 5, 100, -100, 1000, -1000, -70000, 2000000, INT32_MAX, INT32_MIN};
    static const int32_t near_edge[] = {-1, 0, 1, -5, -10, 5, 100};
    static const int32_t near_ack[] = {1,     -1,     2,      -2,       5,         -5,        1000,
                                       -1000, -59000, -61000, -2000000, INT32_MAX, -INT32_MAX};
    if (draw_below(seed, 5) < 2) {
        bool edge = draw_below(seed, 3) == 0;
        s->seq_from = edge ? DIFFER_EDGE : DIFFER_AT;
        s->seq = edge ? near_edge[draw_below(seed, BK_COUNT(near_edge))] : near_at[draw_below(seed, BK_COUNT(near_at))];
    }
    if (draw_below(seed, 3) == 0) s->ack_from = DIFFER_UNA;
    if (draw_below(seed, 4) == 0) s->ack = near_ack[draw_below(seed, BK_COUNT(near_ack))];
}

static void draw_segment(struct differ_program *p, uint64_t *seed) {
    static const uint8_t flags[] = {WIRE_ACK,
                                    WIRE_ACK,
                                    WIRE_ACK,
                                    WIRE_ACK,
                                    WIRE_ACK | WIRE_PSH,
                                    WIRE_ACK | WIRE_URG,
                                    WIRE_FIN | WIRE_ACK,
                                    WIRE_FIN | WIRE_ACK,
                                    WIRE_FIN | WIRE_ACK,
                                    WIRE_RST,
                                    WIRE_RST,
                                    WIRE_RST | WIRE_ACK,
                                    WIRE_SYN,
                                    WIRE_SYN,
                                    WIRE_SYN | WIRE_ACK,
                                    WIRE_SYN | WIRE_FIN,
                                    WIRE_SYN | WIRE_RST,
                                    WIRE_FIN,
                                    WIRE_PSH,
                                    0};
    static const uint16_t lengths[] = {0, 0, 0, 0, 1, 5, 10, 100, 500, 1000, 1400};
    static const uint16_t windows[] = {0, 1, 100, 1000, 65535};
    struct differ_step *s = add_segment(p, flags[draw_below(seed, BK_COUNT(flags))]);
    if (draw_below(seed, 30) == 0) s->flags = (uint8_t)draw_below(seed, 64);
    s->length = lengths[draw_below(seed, BK_COUNT(lengths))];
    if (s->flags & WIRE_SYN) {
        bool at = draw_below(seed, 2) != 0;
        draw_syn_options(seed, s);
        if (at) s->seq_from = DIFFER_AT;
        s->new_isn = draw_below(seed, 3) == 0;
        if (draw_below(seed, 3) != 0) s->length = 0;
    }
    if (!s->new_isn) draw_numbers(seed, s);
    if (draw_below(seed, 5) == 0) s->window = windows[draw_below(seed, BK_COUNT(windows))];
    if (s->flags & WIRE_URG) s->urgent = (uint16_t)draw_below(seed, 20);
    if (draw_below(seed, 8) == 0) s->ts = (uint8_t)draw_below(seed, 4);
    if (draw_below(seed, 12) == 0) s->echo = (uint8_t)draw_below(seed, 3);
    if (draw_below(seed, 20) == 0) s->options = (uint8_t)draw_below(seed, DIFFER_OPTIONS_KINDS);
}

static void draw_call(struct differ_program *p, uint64_t *seed) {
    static const uint8_t calls[] = {DIFFER_ACCEPT,   DIFFER_SEND,     DIFFER_SEND,  DIFFER_RECEIVE, DIFFER_RECEIVE,
                                    DIFFER_SHUTDOWN, DIFFER_SHUTDOWN, DIFFER_CLOSE, DIFFER_ABORT};
    static const uint16_t lengths[] = {1, 10, 500, 900, 2500, 10000};
    uint8_t call = calls[draw_below(seed, BK_COUNT(calls))];
    if (draw_below(seed, 40) == 0) call = DIFFER_UNLISTEN;
    if (draw_below(seed, 60) == 0) call = DIFFER_LISTEN;
    bool has_length = call == DIFFER_SEND || call == DIFFER_RECEIVE;
    add_call(p, call, has_length ? lengths[draw_below(seed, BK_COUNT(lengths))] : 0);
}

/* Some segments the two sides are known to judge differently, though their answers may be alike; what comes after them would be judged by
 * what they left behind. */
static bool leaves_traces(const struct differ_step *s) {
    if (s->kind != DIFFER_SEGMENT) return false;
    return place_text(s)[0] != 0 || (s->flags & WIRE_ACK && s->ack < 0) || s->options == DIFFER_OPTIONS_ZERO ||
           s->options == DIFFER_OPTIONS_PAST;
}

void differ_program_draw(struct differ_program *p, uint64_t number) {
    uint64_t seed = number;
    memset(p, 0, sizeof *p);
    p->seed = number;
    p->ipv6 = draw_below(&seed, 4) == 0;
    p->small_buffer = draw_below(&seed, 6) == 0;
    p->timestamps = draw_below(&seed, 3) != 0;
    lead_in(p, &seed);
    for (uint32_t i = 0, n = draw_range(&seed, 1, 8); i < n; i++) {
        if (p->small_buffer && draw_below(&seed, 4) == 0)
            add_segment(p, WIRE_ACK)->kind = DIFFER_FILL;
        else if (draw_below(&seed, 4) == 0)
            draw_call(p, &seed);
        else
            draw_segment(p, &seed);
        if (leaves_traces(&p->step[p->count - 1])) break;
    }
    p->sack = draw_below(&seed, 2) != 0;
}

void differ_program_cut(struct differ_program *p, uint32_t at, uint32_t n) {
    memmove(&p->step[at], &p->step[at + n], (p->count - at - n) * sizeof p->step[0]);
    p->count -= n;
}

/* ---- text ------------------------------------------------------------------------------------------ */

static const char *const call_names[] = {"listen",   "connect", "accept", "send",    "receive",
                                         "shutdown", "close",   "abort",  "unlisten"};

const char *differ_call_name(uint8_t call) {
    return call_names[call];
}

static const char *number_text(char text[24], const char *from, int32_t delta) {
    if (delta == 0)
        snprintf(text, 24, "%s", from);
    else
        snprintf(text, 24, "%s%+d", from, (int)delta);
    return text;
}

char *differ_step_text(const struct differ_step *s, char text[DIFFER_TEXT]) {
    static const char *const seqs[] = {"at", "edge", "isn"}, *const acks[] = {"all", "una"};
    static const char *const ts[] = {"ok", "none", "old", "ahead"}, *const echoes[] = {"", " echo=zero", " echo=wrong"};
    static const char *const options[] = {"", " options=zero", " options=past", " options=wrong", " options=other"};
    char flags[8], *f = flags, seq[24], ack[24], tail[64] = "";
    if (s->kind == DIFFER_FILL) {
        snprintf(text, DIFFER_TEXT, "fill");
        return text;
    }
    if (s->kind == DIFFER_CALL) {
        if (s->length != 0)
            snprintf(text, DIFFER_TEXT, "%s %u", call_names[s->call], (unsigned)s->length);
        else
            snprintf(text, DIFFER_TEXT, "%s", call_names[s->call]);
        return text;
    }
    for (uint32_t i = 0; i < 6; i++)
        if (s->flags & 1u << i) *f++ = "FSRPAU"[i];
    if (f == flags) *f++ = '0';
    *f = 0;
    if (s->flags & WIRE_SYN)
        snprintf(tail, sizeof tail, " mss=%u wscale=%d%s", (unsigned)s->mss, (int)s->wscale, s->new_isn ? " new" : "");
    if (s->flags & WIRE_URG) snprintf(tail + strlen(tail), sizeof tail - strlen(tail), " urg=%u", (unsigned)s->urgent);
    number_text(seq, seqs[s->seq_from], s->seq);
    number_text(ack, s->flags & WIRE_ACK ? acks[s->ack_from] : "none", s->flags & WIRE_ACK ? s->ack : 0);
    snprintf(text, DIFFER_TEXT, "segment %s seq=%s ack=%s len=%u wnd=%u ts=%s%s%s%s%s", flags, seq, ack,
             (unsigned)s->length, (unsigned)s->window, ts[s->ts], echoes[s->echo], options[s->options], tail,
             place_text(s));
    return text;
}

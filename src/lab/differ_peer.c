/* The peer of one side: makes segments of steps, learns from what the side sends, and tells it in words. See differ.h. */
#define _GNU_SOURCE /* strerrorname_np */
#include <stdarg.h>
#include <stdio.h>

#include "base/checksum.h"
#include "base/seq.h"
#include "lab/differ.h"
#include "lab/ip_packet.h"

#define FILL_SEGMENTS 24u
#define FILL_LENGTH   1000u
#define NEXT_ISN      2000000u /* from one incarnation to the next: beyond any window */

bk_addr differ_addr(bool ipv6, uint8_t host) {
    bk_addr six = {{0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host}};
    return ipv6 ? six : bk_addr_ipv4(10, 77, 0, host);
}

void differ_peer_begin(struct differ_peer *peer, const struct differ_program *p, uint16_t port) {
    *peer = (struct differ_peer){
        .ipv6 = p->ipv6,
        .sack = p->sack,
        .port = port,
        .isn = 0xfffff000, /* so that long programs wrap */
        .at = 0xfffff000,
        .all = 0x20000000,
        .una = 0x20000000,
        .tsval = 5000000,
        .state = BK_CLOSED,
    };
}

/* ---- segments to the side -------------------------------------------------------------------------- */

static uint8_t pattern(uint32_t position) {
    return (uint8_t)(position * 167u ^ position >> 8);
}

/* Overwrites the options with something odd; the header's length stays. */
static void spoil_options(uint8_t *tcp, struct wire_tcp *t, uint8_t how) {
    static const uint8_t odd[DIFFER_OPTIONS_KINDS][8] = {
        [DIFFER_OPTIONS_ZERO] = {1, 1, 99, 0, 1, 1, 1, 0},
        [DIFFER_OPTIONS_PAST] = {1, 1, 1, 1, 1, 1, 99, 8},
        [DIFFER_OPTIONS_WRONG] = {2, 3, 5, 8, 4, 1, 1, 0},
        [DIFFER_OPTIONS_OTHER] = {1, 1, 99, 4, 7, 7, 1, 0},
    };
    memcpy(tcp + t->header_length, odd[how], sizeof odd[how]);
    t->header_length = (uint16_t)(t->header_length + sizeof odd[how]);
    tcp[12] = (uint8_t)(t->header_length / 4 << 4);
}

/* Whether a SYN of ours would be one of an opening, and not a stray one. */
static bool peer_opens(const struct differ_peer *peer) {
    return peer->state == BK_CLOSED || peer->state == BK_LISTEN || peer->state == BK_SYN_SENT ||
           peer->state == BK_TIME_WAIT;
}

static void set_options(struct differ_peer *peer, const struct differ_step *s, struct wire_tcp *t) {
    if (s->ts != DIFFER_TS_NONE) {
        static const uint32_t echo[] = {[DIFFER_ECHO_WRONG] = 100000};
        if (s->ts == DIFFER_TS_OK) peer->tsval++;
        if (s->ts == DIFFER_TS_AHEAD) peer->tsval += 100000;
        t->option.has_timestamps = true;
        t->option.tsval = s->ts == DIFFER_TS_OLD ? peer->tsval - 1000 : peer->tsval;
        t->option.tsecr = s->echo == DIFFER_ECHO_OK     ? peer->tsecr
                          : s->echo == DIFFER_ECHO_ZERO ? 0
                                                        : peer->tsecr + echo[s->echo];
    }
    if ((t->flags & WIRE_SYN) == 0) return;
    if (peer_opens(peer)) peer->scaling = s->wscale >= 0;
    t->option.mss = s->mss;
    t->option.has_wscale = s->wscale >= 0;
    t->option.wscale = (uint8_t)s->wscale;
    t->option.sack_permitted = peer->sack;
}

static size_t put_ip(const struct differ_peer *peer, uint8_t *packet, size_t n) {
    bk_addr src = differ_addr(peer->ipv6, 2), dst = differ_addr(peer->ipv6, 1);
    if (peer->ipv6) {
        struct wire_ipv6 ip = {
            .payload_length = (uint16_t)n, .next_header = WIRE_TCP, .hop_limit = 64, .src = src, .dst = dst};
        return wire_ipv6_emit(packet, &ip) + n;
    }
    struct wire_ipv4 ip = {.total_length = (uint16_t)(WIRE_IPV4_LENGTH + n),
                           .dont_fragment = true,
                           .ttl = 64,
                           .protocol = WIRE_TCP,
                           .src = src,
                           .dst = dst};
    return wire_ipv4_emit(packet, &ip) + n;
}

/* Makes the packet of a step; `length` bytes of text. */
static size_t make(struct differ_peer *peer, const struct differ_step *s, uint32_t length,
                   uint8_t packet[DIFFER_FRAME]) {
    uint8_t *tcp = packet + (peer->ipv6 ? WIRE_IPV6_LENGTH : WIRE_IPV4_LENGTH);
    bk_addr src = differ_addr(peer->ipv6, 2), dst = differ_addr(peer->ipv6, 1);
    if (s->new_isn) peer->isn = peer->at + NEXT_ISN;
    const uint32_t seq[] = {peer->at, peer->edge_known ? peer->edge : peer->at, peer->isn};
    struct wire_tcp t = {
        .src_port = DIFFER_REMOTE_PORT,
        .dst_port = peer->port,
        .seq = seq[s->new_isn ? DIFFER_ISN : s->seq_from] + (uint32_t)s->seq,
        .flags = s->flags,
        .window = s->window,
        .urgent = s->urgent,
    };
    if (s->flags & WIRE_ACK) t.ack = (s->ack_from == DIFFER_ALL ? peer->all : peer->una) + (uint32_t)s->ack;
    set_options(peer, s, &t);
    size_t header = wire_tcp_emit(tcp, &t);
    if (s->options != DIFFER_OPTIONS_OK && header + 8 <= WIRE_TCP_LENGTH_MAX) {
        spoil_options(tcp, &t, s->options);
        header = t.header_length;
    }
    if (s->flags & WIRE_SYN && peer_opens(peer)) peer->isn = t.seq;
    uint32_t first = t.seq + ((s->flags & WIRE_SYN) != 0);
    for (uint32_t i = 0; i < length; i++) tcp[header + i] = pattern(first + i);
    peer->end = first + length + ((s->flags & WIRE_FIN) != 0);
    uint64_t sum = checksum_pseudo(&src, &dst, WIRE_TCP, (uint32_t)(header + length));
    put_be16(tcp + 16, 0);
    put_be16(tcp + 16, checksum_finish(checksum_add(sum, tcp, header + length)));
    if (s->flags & WIRE_ACK && seq_gt(t.ack, peer->una) && seq_le(t.ack, peer->all)) peer->una = t.ack;
    return put_ip(peer, packet, header + length);
}

/* ---- segments from the side ------------------------------------------------------------------------ */

/* The bytes of the TCP segment in a packet, and in *n how many; NULL if it is none of this program's. */
static const uint8_t *tcp_of(const struct differ_peer *peer, const uint8_t *packet, size_t *n) {
    struct ip_packet ip;
    if (!ip_packet_read(packet, *n, &ip) || ip.protocol != WIRE_TCP || bk_addr_is_ipv4(&ip.src) == peer->ipv6)
        return NULL;
    *n = ip.length;
    return packet + ip.header_length;
}

/* What was known before the step, from which the numbers of answers count; and the latest answer, not yet told: segments of text that
 * follow each other are told as one, for how a side cuts its stream is its own affair. */
struct listening {
    uint32_t at, all;
    bool have;
    struct wire_tcp t;
    uint32_t length;
    uint32_t told;
    char *text;
};

__attribute__((format(printf, 2, 3))) static void tell(struct listening *l, const char *format, ...) {
    va_list arguments;
    size_t used = strlen(l->text);
    va_start(arguments, format);
    vsnprintf(l->text + used, DIFFER_TEXT - used, format, arguments);
    va_end(arguments);
}

static void tell_number(struct listening *l, const struct differ_peer *peer, const char *name, uint32_t delta) {
    if (peer->filled && (int32_t)delta > 0)
        tell(l, " %s+some", name);
    else
        tell(l, " %s%+d", name, (int)(int32_t)delta);
}

static void tell_answer(struct differ_peer *peer, struct listening *l) {
    const struct wire_tcp *t = &l->t;
    if (!l->have) return;
    l->have = false;
    if (l->told++ != 0) tell(l, "; ");
    for (uint32_t i = 0; i < 6; i++)
        if (t->flags & ~(uint32_t)WIRE_PSH & 1u << i) tell(l, "%c", "FSRPAU"[i]);
    if (t->flags & WIRE_SYN)
        tell(l, " seq=iss");
    else if (t->flags & WIRE_RST && t->seq == 0)
        tell(l, " seq=0");
    else
        tell_number(l, peer, "seq", t->seq - l->all);
    if (t->flags & WIRE_RST && t->flags & WIRE_ACK && t->seq == 0) /* in answer to a segment: acknowledges that */
        tell(l, " ack=end%+d", (int)(int32_t)(t->ack - peer->end));
    else if (t->flags & WIRE_SYN && t->flags & WIRE_ACK)
        tell(l, " ack=isn%+d", (int)(int32_t)(t->ack - peer->isn));
    else if (t->flags & WIRE_ACK)
        tell_number(l, peer, "ack", t->ack - l->at);
    if (l->length != 0) tell(l, " len=%u", (unsigned)l->length);
    if (t->option.has_timestamps) {
        if (t->option.tsecr == 0)
            tell(l, " ts=0");
        else
            tell(l, " ts%+d", (int)(int32_t)(t->option.tsecr - peer->tsval));
    }
    for (uint32_t i = 0; i < t->option.sack_count; i++)
        tell(l, " sack=%+d..%+d", (int)(int32_t)(t->option.sack[i].left - t->ack),
             (int)(int32_t)(t->option.sack[i].right - t->ack));
    if (t->window == 0 && !(t->flags & WIRE_RST)) tell(l, " w0");
    if (t->flags & WIRE_SYN)
        tell(l, " mss=%u%s%s", (unsigned)t->option.mss, t->option.has_wscale ? " wscale" : "",
             t->option.sack_permitted ? " sack" : "");
}

static void learn(struct differ_peer *peer, struct listening *l, const struct wire_tcp *t, uint32_t length) {
    if (t->flags & WIRE_RST) return;
    uint32_t end = t->seq + length + ((t->flags & WIRE_SYN) != 0) + ((t->flags & WIRE_FIN) != 0);
    if (t->flags & WIRE_SYN && t->seq != peer->iss) {
        peer->iss = t->seq;
        peer->all = l->all = end;
        peer->una = t->seq;
        peer->edge_known = false;
        peer->scale = t->option.has_wscale ? t->option.wscale : 0;
    } else if (seq_gt(end, peer->all))
        peer->all = end;
    if (t->flags & WIRE_ACK) peer->at = t->ack;
    uint32_t edge = peer->at + ((uint32_t)t->window << (t->flags & WIRE_SYN || !peer->scaling ? 0 : peer->scale));
    if (!peer->edge_known || seq_gt(edge, peer->edge)) peer->edge = edge;
    peer->edge_known = true;
    /* Linux wants to see the timestamp of a SYN-ACK echoed, not that of another answer in SYN-RECEIVED. */
    if (t->option.has_timestamps && (t->flags & WIRE_SYN || peer->state != BK_SYN_RECEIVED))
        peer->tsecr = t->option.tsval;
}

/* Takes in all that the side says. */
static void listen_to(struct differ_peer *peer, struct differ_side *side, struct listening *l) {
    uint8_t packet[DIFFER_FRAME];
    size_t n;
    while ((n = side->leaves(side, packet)) != 0) {
        struct wire_tcp t;
        const uint8_t *tcp = tcp_of(peer, packet, &n);
        if (tcp == NULL || wire_tcp_parse(tcp, n, &t) != BK_REASON_NONE || t.src_port != peer->port) continue;
        uint32_t length = (uint32_t)(n - t.header_length);
        bool follows = l->have && l->length != 0 && length != 0 && l->t.seq + l->length == t.seq &&
                       (l->t.flags & (WIRE_FIN | WIRE_SYN)) == 0;
        /* An ACK that comes just before other segments with the same acknowledgment says nothing of its own. */
        bool repeated = l->have && l->length == 0 && (l->t.flags & ~WIRE_PSH) == WIRE_ACK && l->t.ack == t.ack &&
                        (length != 0 || t.flags & WIRE_FIN) && !(t.flags & (WIRE_SYN | WIRE_RST));
        if (!follows && !repeated) tell_answer(peer, l);
        learn(peer, l, &t, length);
        if (follows) {
            t.seq = l->t.seq;
            length += l->length;
        }
        l->have = true;
        l->t = t;
        l->length = length;
    }
}

/* ---- steps ----------------------------------------------------------------------------------------- */

static void send_segment(struct differ_peer *peer, struct differ_side *side, const struct differ_step *s,
                         uint32_t length) {
    uint8_t packet[DIFFER_FRAME];
    size_t n = make(peer, s, length, packet);
    side->arrives(side, packet, n);
}

/* Text in order until the window is shut. What is answered on the way is not told, only the last. */
static void fill(struct differ_peer *peer, struct differ_side *side, const struct differ_step *step,
                 struct listening *l) {
    struct differ_step s = *step;
    peer->filled = true;
    for (uint32_t i = 0; i < FILL_SEGMENTS && peer->edge_known && seq_gt(peer->edge, peer->at); i++) {
        send_segment(peer, side, &s, u32_min(peer->edge - peer->at, FILL_LENGTH));
        listen_to(peer, side, l);
        l->text[0] = 0;
        l->told = 0;
    }
}

static void tell_result(const struct differ_peer *peer, struct listening *l, const struct differ_step *s, int result) {
    if (result < 0)
        tell(l, "[%s] ", strerrorname_np(-result));
    else if (s->call == DIFFER_RECEIVE && peer->filled && result > 0)
        tell(l, "[some] ");
    else
        tell(l, "[%d] ", result);
}

void differ_peer_step(struct differ_peer *peer, struct differ_side *side, const struct differ_step *s,
                      char outcome[DIFFER_TEXT]) {
    struct listening l = {.at = peer->at, .all = peer->all, .text = outcome};
    outcome[0] = 0;
    switch (s->kind) {
    case DIFFER_SEGMENT:
        send_segment(peer, side, s, s->length);
        break;
    case DIFFER_FILL:
        fill(peer, side, s, &l);
        break;
    default:
        tell_result(peer, &l, s, side->call(side, s));
        break;
    }
    listen_to(peer, side, &l);
    tell_answer(peer, &l);
    if (l.told == 0) tell(&l, "nothing");
    peer->state = side->state(side);
    tell(&l, " -> %s", bk_state_name(peer->state));
}

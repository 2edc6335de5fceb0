/* Tallies: see tally.h.
 *
 * Of the frames that arrive, those count as segments that are TCP over IP and were not refused before TCP looked at them; the stack tells which
 * by the frame's reason. (RFC 4022's tcpInSegs counts those received in error, too.) What leaves is counted as it is: what we send is
 * well-formed.
 */
#include "lab/tally.h"

#include <inttypes.h>

#include "base/common.h"
#include "lab/ip_packet.h"
#include "wire/ethernet.h"
#include "wire/tcp.h"

/* ---- frames ---- */

/* The TCP segment in a frame, or in a fragment that completes a datagram; NULL: there is none. *held says how much of it there is. */
static const uint8_t *tally_segment(enum bk_layer layer, const uint8_t *p, size_t length, size_t *held) {
    size_t link = layer == BK_LAYER_ETHERNET ? WIRE_ETHERNET_LENGTH : 0;
    if (length <= link) return NULL;
    struct ip_packet ip;
    if (!ip_packet_read(p + link, length - link, &ip) || ip.protocol != WIRE_TCP) return NULL;
    *held = ip.length;
    return p + link + ip.header_length;
}

/* Whether a TCP segment that met this end never reached TCP. */
static bool tally_below_tcp(uint16_t reason) {
    switch (reason) {
    case BK_REASON_DROP_ETHERNET_SHORT:
    case BK_REASON_DROP_ETHERNET_ADDRESS:
    case BK_REASON_DROP_ETHERTYPE:
    case BK_REASON_DROP_IP_SHORT:
    case BK_REASON_DROP_IP_VERSION:
    case BK_REASON_DROP_IP_LENGTH:
    case BK_REASON_DROP_IP_CHECKSUM:
    case BK_REASON_DROP_IP_SOURCE:
    case BK_REASON_DROP_IP_DESTINATION:
    case BK_REASON_DROP_IP_OPTION:
    case BK_REASON_DROP_IP_EXTENSION:
    case BK_REASON_DROP_BROADCAST:
    case BK_REASON_DROP_BAD_SOURCE:
    case BK_REASON_DROP_FRAGMENT_BAD:
    case BK_REASON_DROP_FRAGMENT_OVERLAP:
    case BK_REASON_DROP_FRAGMENT_LIMIT:
    case BK_REASON_DROP_OTHER_STACK:
    case BK_REASON_ACCEPT_FRAGMENT:
    case BK_REASON_DROP_IFACE:
    case BK_REASON_NO_CHUNK:
        return true;
    default:
        return false;
    }
}

/* Whether what leaves for this reason is certain to have been sent before. */
static bool tally_again(uint16_t reason) {
    switch (reason) {
    case BK_REASON_SEND_SYN_AGAIN:
    case BK_REASON_SEND_SYN_ACK_AGAIN:
    case BK_REASON_SEND_RTO:
    case BK_REASON_SEND_FAST_RETRANSMIT:
    case BK_REASON_SEND_PARTIAL_ACK:
    case BK_REASON_SEND_FIN_AGAIN:
    case BK_REASON_SEND_SMALLER:
        return true;
    default:
        return false;
    }
}

void tally_in(struct tally *t, enum bk_layer layer, const uint8_t *frame, size_t length, uint16_t reason) {
    size_t held;
    t->in[reason]++;
    if (!tally_below_tcp(reason) && tally_segment(layer, frame, length, &held) != NULL) t->segments_in++;
}

void tally_merged(struct tally *t, uint16_t reason, uint32_t segments) {
    if (!tally_below_tcp(reason) && strcmp(bk_reason_mib(reason), "tcpInErrs") != 0) t->segments_in += segments - 1;
}

void tally_out(struct tally *t, enum bk_layer layer, const uint8_t *frame, size_t length, uint16_t reason, bool first) {
    size_t held = 0;
    const uint8_t *tcp = tally_segment(layer, frame, length, &held);
    if (first) t->out[reason]++;
    if (tcp == NULL || held < WIRE_TCP_LENGTH) return;
    t->segments_out++;
    t->segments_again += tally_again(reason);
    if (tcp[13] & WIRE_RST) t->resets_out++;
}

/* ---- the stack's counters ---- */

/* Reasons that the stack also gives to what never was an arriving frame of its own: packets that it could not send, datagrams that it
 * gave up, chunks that somebody else asked for. */
static bool tally_shared(uint16_t reason) {
    return reason == BK_REASON_DROP_IFACE || reason == BK_REASON_DROP_NO_ROUTE ||
           reason == BK_REASON_DROP_NO_NEIGHBOUR || reason == BK_REASON_DROP_UNRESOLVED ||
           reason == BK_REASON_DROP_FRAGMENT_LIMIT || reason == BK_REASON_DROP_ICMP_LIMIT ||
           reason == BK_REASON_NO_CHUNK;
}

static bool tally_reasons(const struct tally *t, const bk_stack *stack, struct fault *fault) {
    for (uint32_t i = 0; i < BK_REASON_COUNT; i++) {
        uint16_t r = (uint16_t)i;
        uint64_t count = bk_reason_count(stack, r);
        bool sent = bk_reason_verdict(r) == BK_SENT;
        uint64_t seen = sent ? t->out[r] : t->in[r], other = sent ? t->in[r] : t->out[r];
        if (other != 0)
            return fault_note(fault, "%s is the reason of a frame of the other direction", bk_reason_name(r));
        if (bk_reason_verdict(r) == BK_NOTED) {
            if (seen != 0) return fault_note(fault, "%s is the reason of a frame", bk_reason_name(r));
        } else if (count < seen || (count > seen && !tally_shared(r))) {
            return fault_note(fault, "%s was counted %" PRIu64 " times, and seen %" PRIu64 " times", bk_reason_name(r),
                              count, seen);
        }
    }
    return true;
}

/* Segments that the stack gave up below TCP. */
static bool tally_gave_up(const bk_stack *stack) {
    return bk_reason_count(stack, BK_REASON_DROP_IFACE) != 0 || bk_reason_count(stack, BK_REASON_DROP_NO_ROUTE) != 0 ||
           bk_reason_count(stack, BK_REASON_DROP_NO_NEIGHBOUR) != 0 ||
           bk_reason_count(stack, BK_REASON_DROP_UNRESOLVED) != 0;
}

/* A counter of RFC 4022, and what was seen of it. */
static bool tally_equal(const char *name, uint64_t count, uint64_t seen, struct fault *fault) {
    return count == seen || fault_note(fault, "%s is %" PRIu64 ", and %" PRIu64 " were seen", name, count, seen);
}

/* Frames that arrived whose reason adds to tcpInErrs. */
static uint64_t tally_errors(const struct tally *t) {
    uint64_t errors = 0;
    for (uint32_t i = 0; i < BK_REASON_COUNT; i++)
        if (t->in[i] != 0 && strcmp(bk_reason_mib((uint16_t)i), "tcpInErrs") == 0) errors += t->in[i];
    return errors;
}

/* What is answered at once, and with what. */
static bool tally_answers(const struct tally *t, const bk_stack *stack, struct fault *fault) {
    static const struct {
        uint16_t in[2], out[2];
        const char *what;
        bool text; /* may bring text, and several that continue each other have one answer */
    } answers[] = {
        {{BK_REASON_ANSWER_TIME_WAIT_FIN}, {BK_REASON_SEND_TIME_WAIT_ACK}, "FINs in TIME-WAIT", false},
        {{BK_REASON_ACCEPT_SYN, BK_REASON_ACCEPT_SYN_TIME_WAIT}, {BK_REASON_SEND_SYN_ACK}, "SYNs of requests", false},
        {{BK_REASON_ACCEPT_SYN_DUPLICATE}, {BK_REASON_SEND_SYN_ACK_DUPLICATE}, "SYNs that came again", false},
        {{BK_REASON_ANSWER_RST_CLOSED}, {BK_REASON_SEND_RST_CLOSED, BK_REASON_SEND_RST_LISTEN_ACK}, "strangers", true},
    };
    for (size_t i = 0; i < BK_COUNT(answers); i++) {
        uint64_t in = t->in[answers[i].in[0]] + t->in[answers[i].in[1]]; /* an unused place is BK_REASON_NONE: 0 */
        uint64_t out = t->out[answers[i].out[0]] + t->out[answers[i].out[1]];
        uint64_t joined = answers[i].text ? bk_reason_count(stack, BK_REASON_NOTE_COALESCED) : 0;
        if (in < out || in - out > joined)
            return fault_note(fault, "%" PRIu64 " %s came, and %" PRIu64 " were answered", in, answers[i].what, out);
    }
    return true;
}

bool tally_agrees(const struct tally *t, const bk_stack *stack, uint32_t units, struct fault *fault) {
    struct bk_tcp_mib mib;
    struct bk_pool_info frames;
    bk_tcp_mib(stack, &mib);
    bk_pool_info(stack, BK_POOL_FRAMES, &frames);
    if (!tally_reasons(t, stack, fault) || !tally_equal("tcpInSegs", mib.in_segs, t->segments_in, fault) ||
        !tally_equal("tcpInErrs", mib.in_errs, tally_errors(t), fault))
        return false;
    if (frames.in_use < units) return fault_note(fault, "%u units are out, and %u frames in use", units, frames.in_use);
    /* Segments are counted when they are built; those that wait or were given up have not been seen. */
    bool waiting = frames.in_use > units || tally_gave_up(stack);
    if (!waiting && bk_reason_count(stack, BK_REASON_NOTE_REPLY_LOST) == 0 && !tally_answers(t, stack, fault))
        return false;
    uint64_t out = waiting ? u64_max(mib.out_segs, t->segments_out) : t->segments_out;
    uint64_t resets = waiting ? u64_max(mib.out_rsts, t->resets_out) : t->resets_out;
    /* An ACK with a cookie may bring data, and then has the data's reason. */
    uint64_t passive = t->in[BK_REASON_ACCEPT_SYN] + t->in[BK_REASON_ACCEPT_SYN_TIME_WAIT];
    if (t->out[BK_REASON_SEND_SYN_COOKIE] != 0) passive = u64_max(mib.passive_opens, passive);
    /* New data may have its front sent again along with it. */
    uint64_t again = u64_max(mib.retrans_segs, t->segments_again);
    /* An OPEN whose SYN has not left is counted, too. */
    uint64_t active = u64_max(mib.active_opens, t->out[BK_REASON_SEND_SYN]);
    return tally_equal("tcpActiveOpens", mib.active_opens, active, fault) &&
           tally_equal("tcpPassiveOpens", mib.passive_opens, passive, fault) &&
           tally_equal("tcpRetransSegs", mib.retrans_segs, again, fault) &&
           tally_equal("tcpOutSegs", mib.out_segs, out, fault) &&
           tally_equal("tcpOutRsts", mib.out_rsts, resets, fault);
}

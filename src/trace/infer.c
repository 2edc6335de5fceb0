/* The other end's state, as far as its segments give it away.
 *
 * Nothing that we send says anything, for it may be lost. A segment that arrives was sent in some state, and often
 * only one is possible: a bare SYN comes from SYN-SENT; an ACK beyond our SYN from a peer that has accepted us, so
 * ESTABLISHED; an acknowledged FIN of ours without one of its own is CLOSE-WAIT. The one thing taken on trust: when the peer's first FIN
 * that we see acknowledges ours, it is held to be its first, sent in answer (LAST-ACK), not the repetition of one that
 * crossed ours and was lost (CLOSING).
 *
 * Only segments that were accepted count: old duplicates tell of states long past.
 */
#include "trace/infer.h"

#include "base/seq.h"

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

void infer_init(struct infer *i) {
    *i = (struct infer){.state = INFER_UNKNOWN};
}

static uint32_t infer_end(const struct bk_event *e) {
    return e->seq + e->len + ((e->tcp_flags & SYN) != 0) + ((e->tcp_flags & FIN) != 0);
}

static void infer_sent(struct infer *i, const struct bk_event *e) {
    uint32_t end = infer_end(e);
    if (e->tcp_flags & RST) return;
    if (e->tcp_flags & SYN) {
        i->our_syn = true;
        i->our_syn_end = e->seq + 1;
    }
    if (e->tcp_flags & FIN) {
        i->our_fin = true;
        i->our_fin_end = end;
    }
    if (e->tcp_flags & ACK && i->peer_fin && !i->fin_ack_sent && seq_ge(e->ack, i->peer_fin_end)) {
        i->fin_ack_sent = true;
        i->fin_ack_edge = i->sent ? i->snd_max : e->seq;
    }
    i->snd_max = i->sent ? seq_max(i->snd_max, end) : end;
    i->sent = true;
}

/* The peer has not sent a FIN, as far as it says. */
static uint8_t infer_open(const struct infer *i, const struct bk_event *e) {
    bool nothing_skipped = !i->received || seq_le(e->seq, i->rcv_max);
    if (i->our_fin && seq_ge(e->ack, i->our_fin_end)) return nothing_skipped ? BK_CLOSE_WAIT : INFER_UNKNOWN;
    if (i->our_syn && i->peer_opened && seq_ge(e->ack, i->our_syn_end)) return BK_ESTABLISHED;
    if (i->our_syn && seq_gt(e->ack, i->our_syn_end)) return BK_ESTABLISHED;
    return e->len ? BK_ESTABLISHED : INFER_UNKNOWN;
}

/* The peer has sent its FIN before this segment. */
static uint8_t infer_closing(const struct infer *i, const struct bk_event *e) {
    if (i->state == BK_LAST_ACK) return BK_LAST_ACK;
    bool ours_acked = i->our_fin && seq_ge(e->ack, i->our_fin_end);
    bool knows = i->fin_ack_sent && seq_gt(e->ack, i->fin_ack_edge);
    if (ours_acked && knows) return BK_TIME_WAIT;
    if (ours_acked) return i->fin_ack_sent ? INFER_UNKNOWN : BK_CLOSING;
    return knows ? BK_FIN_WAIT_2 : INFER_UNKNOWN;
}

static uint8_t infer_received(struct infer *i, const struct bk_event *e) {
    if (e->tcp_flags & RST) return BK_CLOSED;
    if (e->tcp_flags & SYN) {
        i->peer_opened = !(e->tcp_flags & ACK);
        return i->peer_opened ? BK_SYN_SENT : BK_SYN_RECEIVED;
    }
    if (!(e->tcp_flags & ACK)) return INFER_UNKNOWN;
    if (i->peer_fin) return infer_closing(i, e);
    if (!(e->tcp_flags & FIN)) return infer_open(i, e);
    i->peer_fin = true;
    i->peer_fin_end = infer_end(e);
    return i->our_fin && seq_ge(e->ack, i->our_fin_end) ? BK_LAST_ACK : BK_FIN_WAIT_1;
}

uint8_t infer_event(struct infer *i, const struct bk_event *e) {
    if (e->kind == BK_EVENT_SEGMENT_OUT) infer_sent(i, e);
    if (e->kind != BK_EVENT_SEGMENT_IN) return INFER_UNKNOWN;
    bool syn_again = e->reason == BK_REASON_ACCEPT_SYN_DUPLICATE || e->reason == BK_REASON_ACCEPT_SYN_COOKIE;
    if (bk_reason_verdict(e->reason) != BK_ACCEPTED && !syn_again) return INFER_UNKNOWN;
    if (e->reason == BK_REASON_ACCEPT_SYN_TIME_WAIT) infer_init(i);
    uint8_t state = infer_received(i, e);
    i->rcv_max = i->received ? seq_max(i->rcv_max, infer_end(e)) : infer_end(e);
    i->received = true;
    if (state != INFER_UNKNOWN) i->state = state;
    return state;
}

/* ECN: see ecn.h. */
#include "tcp/ecn.h"

#define ECN_SETUP (WIRE_ECE | WIRE_CWR)

bool ecn_grants(const struct tcp *t, const struct segment *s) {
    return t->base.config.ecn != BK_ECN_OFF && (s->header.flags & ECN_SETUP) == ECN_SETUP &&
           (s->packet->traffic_class & ECN_MASK) == ECN_NOT_ECT;
}

void ecn_take_syn(struct connection *c, const struct segment *s) {
    /* An ECN-setup SYN-ACK has ECE alone: both are a host that echoes what it does not know (6.1.1). */
    uint8_t wanted = segment_has(s, WIRE_ACK) ? WIRE_ECE : ECN_SETUP;
    c->ecn = c->ecn_asked && (s->header.flags & ECN_SETUP) == wanted;
}

void ecn_sent(const struct tcp *t, struct connection *c, bool new_data, struct wire_tcp *h, struct frame *f) {
    f->traffic_class = c->traffic_class;
    if (h->flags & WIRE_SYN) {
        if (h->flags & WIRE_ACK) {
            if (c->ecn) h->flags |= WIRE_ECE;
            return;
        }
        if (c->snd_nxt != c->iss && t->base.config.ecn_fallback) c->ecn_asked = false;
        if (c->ecn_asked) h->flags |= ECN_SETUP;
        return;
    }
    if (!c->ecn) return;
    if (c->ecn_echo) h->flags |= WIRE_ECE;
    if (!new_data) return;
    f->traffic_class |= ECN_ECT_0;
    if (c->ecn_cwr) h->flags |= WIRE_CWR;
    c->ecn_cwr = false;
}

void ecn_text(struct tcp *t, struct connection *c, const struct segment *s) {
    if (!c->ecn) return;
    uint8_t codepoint = s->packet->traffic_class & ECN_MASK;
    c->ecn_seen |= codepoint != ECN_NOT_ECT;
    if (segment_has(s, WIRE_CWR)) {
        c->ecn_echo = false; /* before CE is looked at: this one may have met congestion anew (6.1.3) */
        /* Its window may be so small now that it waits for this very ACK. */
        connection_owe_ack(t, c, ACK_NOW, BK_REASON_SEND_ACK_CWR);
    }
    if (codepoint != ECN_CE) return;
    if (!c->ecn_echo) connection_owe_ack(t, c, ACK_NOW, BK_REASON_SEND_ACK_CE);
    c->ecn_echo = true;
}

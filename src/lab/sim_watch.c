/* What the wires of a simulation show, told to the watch of the connection concerned.
 *
 * A 4-tuple may have several incarnations, one after the other. The newest connection of the tuple is watched; of the end that opened it all
 * segments count from its SYN on, of the other end from the SYN that answers this one. What comes before is left over from an earlier
 * incarnation. A listener may forget a request, or answer the same SYN with a cookie, with another ISS: which of them the client believes cannot
 * be known here, so such a connection goes unwatched. It also goes unwatched when a host that has a part in it crashes.
 * A frame that was damaged on its way is recognised by its checksum, and has told its receiver nothing. */
#include "base/checksum.h"
#include "base/common.h"
#include "base/seq.h"
#include "lab/sim_world.h"
#include "wire/ethernet.h"
#include "wire/ip.h"

struct seen {
    bk_addr src, dst;
    struct wire_tcp tcp;
    uint32_t length; /* of the text */
};

/* Whether the frame is TCP, from host to host, and (if asked) undamaged. */
static bool seen_parse(const struct sim_world *w, const uint8_t *frame, size_t n, bool check, struct seen *out) {
    size_t at = w->plan.ethernet ? WIRE_ETHERNET_LENGTH : 0, length;
    if (n < at) return false;
    if (w->plan.family == 4) {
        struct wire_ipv4 h;
        if (wire_ipv4_parse(frame + at, n - at, n - at, &h) != BK_REASON_NONE || h.protocol != WIRE_TCP) return false;
        out->src = h.src;
        out->dst = h.dst;
        at += h.header_length;
        length = h.total_length - h.header_length;
    } else {
        struct wire_ipv6 h;
        if (wire_ipv6_parse(frame + at, n - at, &h) != BK_REASON_NONE || h.next_header != WIRE_TCP) return false;
        out->src = h.src;
        out->dst = h.dst;
        at += WIRE_IPV6_LENGTH;
        length = h.payload_length;
    }
    if (wire_tcp_parse(frame + at, length, &out->tcp) != BK_REASON_NONE) return false;
    out->length = (uint32_t)(length - out->tcp.header_length);
    if (!check) return true;
    uint64_t sum = checksum_pseudo(&out->src, &out->dst, WIRE_TCP, (uint32_t)length);
    return checksum_fold(checksum_add(sum, frame + at, length)) == 0xffff;
}

static struct app_connection *seen_connection(const struct sim_world *w, const struct seen *s, unsigned *from) {
    uint32_t src = sim_host_of(w, &s->src), dst = sim_host_of(w, &s->dst);
    uint32_t i = app_table_find(&w->app, src, s->tcp.src_port, dst, s->tcp.dst_port, from);
    return i == APP_NOTHING ? NULL : &w->app.connection[i];
}

static void seen_lost_sight(struct sim_world *w, struct app_connection *c) {
    c->blind = true;
    w->statistics.unwatched++;
}

/* Whether the segment belongs to the incarnation that is watched. */
static bool seen_belongs(struct sim_world *w, struct app_connection *c, unsigned from, const struct wire_tcp *t) {
    struct watch_end *e = &c->watch.end[from];
    const struct watch_end *other = &c->watch.end[!from];
    bool syn = t->flags & WIRE_SYN, ack = t->flags & WIRE_ACK;
    if (e->began && syn && t->seq != e->iss) seen_lost_sight(w, c);
    if (c->blind || e->began) return !c->blind;
    if (!syn || (t->flags & WIRE_RST)) return false;
    if (from == 0) return t->seq == c->iss;
    return !ack || (other->began && t->ack == other->iss + 1);
}

void sim_watch_sent(struct sim_world *w, uint32_t from, const uint8_t *frame, size_t length, uint16_t reason) {
    struct seen s;
    unsigned end = 0;
    if (w->fault.found || !seen_parse(w, frame, length, false, &s)) return;
    struct app_connection *c = seen_connection(w, &s, &end);
    if (c == NULL) return;
    sim_touch(w, (uint32_t)(c - w->app.connection), end);
    if (c->blind || !seen_belongs(w, c, end, &s.tcp)) return;
    struct fault fault = {0};
    if (watch_sent(&c->watch, end, &s.tcp, s.length, reason, &fault)) return;
    fault_note(&w->fault, "host %u: %.200s", (unsigned)from, fault.text);
    w->fault_connection = (uint32_t)(c - w->app.connection);
}

void sim_watch_arrives(struct sim_world *w, uint32_t to, const uint8_t *frame, size_t length) {
    struct seen s;
    unsigned from = 0;
    (void)to;
    if (w->fault.found || !seen_parse(w, frame, length, w->corrupting, &s)) return;
    struct app_connection *c = seen_connection(w, &s, &from);
    if (c == NULL) return;
    sim_touch(w, (uint32_t)(c - w->app.connection), !from);
    const struct watch_end *e = &c->watch.end[from];
    /* An old duplicate is not of this incarnation, if it does not lie in what this one has sent. */
    if (c->blind || !e->began || !seq_in(s.tcp.seq, e->iss, e->snd_max - e->iss + 1)) return;
    watch_arrived(&c->watch, !from, &s.tcp);
}

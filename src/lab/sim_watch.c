/* What the wires of a simulation show, told to the watch of the connection concerned.
 *
 * A 4-tuple may have several incarnations, one after the other. The newest connection of the tuple is watched; of the end that opened it all
 * segments count from its SYN on, of the other end from the SYN that answers this one. What comes before is left over from an earlier
 * incarnation. A listener may forget a request, or answer the same SYN with a cookie, with another ISS: which of them the client believes cannot
 * be known here, so such a connection goes unwatched. It also goes unwatched when a host that has a part in it crashes.
 * A frame that was damaged on its way is recognised by its checksum, and has told its receiver nothing.
 *
 * TIME-WAIT cannot be seen on the wire but by what it does: for 2 MSL a stack that closed first answers what comes again, and neither says with RST
 * that it knows of nothing, nor takes the SYN of this very incarnation for a new one (RFC 9293 3.6.1, RFC 1337). When it begins is known from
 * what the stack says became of the segments that arrived. */
#include "base/common.h"
#include "base/seq.h"
#include "lab/ip_packet.h"
#include "lab/sim_world.h"
#include "wire/ethernet.h"

struct seen {
    struct ip_packet ip;
    struct wire_tcp tcp;
    uint32_t length; /* of the text */
};

/* Whether the frame is TCP, from host to host, and (if asked) undamaged. */
static bool seen_parse(const struct sim_world *w, const uint8_t *frame, size_t n, bool check, struct seen *out) {
    size_t at = w->plan.ethernet ? WIRE_ETHERNET_LENGTH : 0;
    struct ip_packet *ip = &out->ip;
    if (n < at || !ip_packet_read(frame + at, n - at, ip) || ip->protocol != WIRE_TCP || ip->fragment) return false;
    if (wire_tcp_parse(frame + at + ip->header_length, ip->length, &out->tcp) != BK_REASON_NONE) return false;
    out->length = (uint32_t)(ip->length - out->tcp.header_length);
    return !check || ip_packet_sum_agrees(frame + at, ip);
}

static struct app_connection *seen_connection(const struct sim_world *w, const struct seen *s, unsigned *from) {
    uint32_t src = sim_host_of(w, &s->ip.src), dst = sim_host_of(w, &s->ip.dst);
    uint32_t i = app_table_find(&w->app, src, s->tcp.src_port, dst, s->tcp.dst_port, from);
    return i == APP_NOTHING ? NULL : &w->app.connection[i];
}

static void seen_lost_sight(struct sim_world *w, struct app_connection *c) {
    c->blind = true;
    w->statistics.unwatched++;
}

/* A cookie remembers no incarnation: an ACK of an earlier one, as late as that, may bring its connection back, whose segments these are then. */
static bool seen_revived(const struct app_connection *c, unsigned from, const struct wire_tcp *t) {
    const struct watch_end *other = &c->watch.end[!from];
    return c->cookie && from == 1 && (t->flags & WIRE_ACK) && other->began &&
           !seq_in(t->ack, other->iss, other->snd_max - other->iss + 1);
}

/* Whether the segment belongs to the incarnation that is watched. */
static bool seen_belongs(struct sim_world *w, struct app_connection *c, unsigned from, const struct wire_tcp *t,
                         uint16_t reason) {
    struct watch_end *e = &c->watch.end[from];
    const struct watch_end *other = &c->watch.end[!from];
    bool syn = t->flags & WIRE_SYN, ack = t->flags & WIRE_ACK;
    /* A cookie has forgotten what went before, and may have the same ISS again; so may a request while the clock stands still. */
    bool forgetful = reason == BK_REASON_SEND_SYN_COOKIE || w->host[c->host[from]].jumped;
    if (e->began && syn && (t->seq != e->iss || (forgetful && e->acked))) seen_lost_sight(w, c);
    if (c->blind || e->began) return !c->blind;
    if (!syn || (t->flags & WIRE_RST)) return false;
    if (from == 0) return t->seq == c->iss;
    return !ack || (other->began && t->ack == other->iss + 1);
}

/* ---- TIME-WAIT ------------------------------------------------------------------------------------- */

/* TIME-WAITs that nothing may end early: no user, no jump of the clock, no bound. */
static bool seen_waits(const struct sim_world *w, const struct app_connection *c, unsigned end) {
    const struct sim_host *h = &w->host[c->host[end]];
    const struct bk_config *config = &w->plan.host[c->host[end]].config;
    uint32_t bound = w->plan.family == 4 ? config->time_waits_ipv4 : config->time_waits_ipv6;
    return !c->blind && w->now < c->end[end].wait_until && !c->end[end].aborted && !h->jumped && bound >= w->app.count;
}

/* A segment leaves that may not be sent from TIME-WAIT. */
static void seen_forgotten(struct sim_world *w, struct app_connection *c, unsigned end, const struct seen *s,
                           uint16_t reason) {
    const struct wire_tcp *t = &s->tcp;
    const char *what = NULL;
    if (reason == BK_REASON_SEND_RST_CLOSED || reason == BK_REASON_SEND_RST_LISTEN_ACK)
        what = "has forgotten a connection in TIME-WAIT";
    else if (end == 1 && (t->flags & WIRE_SYN) && t->ack == c->iss + 1)
        what = "answers an old SYN from TIME-WAIT";
    if (what == NULL || !seen_waits(w, c, end)) return;
    fault_note(&w->fault, "host %u %s, %llu us before 2 MSL are over", c->host[end], what,
               (unsigned long long)((c->end[end].wait_until - w->now) / NS_PER_US));
    w->fault_connection = (uint32_t)(c - w->app.connection);
}

/* Nothing is left of the server's end: neither the connection nor its TIME-WAIT. */
static bool seen_gone(const struct sim_world *w, const struct app_connection *c) {
    const struct app_end *e = &c->end[1];
    return e->fin_acked && (!e->fin_first || (e->wait_until != 0 && !seen_waits(w, c, 1)));
}

void sim_watch_taken(struct sim_world *w, const struct sim_arrival *a, uint16_t reason) {
    if (a->connection == APP_NOTHING) return;
    struct app_connection *c = &w->app.connection[a->connection];
    struct app_end *e = &c->end[a->end];
    struct fault fault = {0};
    bool accepted = bk_reason_verdict(reason) == BK_ACCEPTED;
    /* The server was done with it: what is accepted now, an old duplicate has brought back by its cookie. */
    if (!c->blind && accepted && c->cookie && a->end == 1 && seen_gone(w, c)) seen_lost_sight(w, c);
    if (!c->blind && accepted && !pace_accepted(&c->pace, &c->watch, a->end, &a->segment, &fault)) {
        fault_note(&w->fault, "host %u: %.200s", c->host[a->end], fault.text);
        w->fault_connection = a->connection;
    }
    bool again = reason == BK_REASON_ANSWER_TIME_WAIT_FIN;
    e->fin_taken |= reason == BK_REASON_ACCEPT_FIN || reason == BK_REASON_ACCEPT_FIN_ACK;
    e->fin_acked |= reason == BK_REASON_ACCEPT_ACK_OF_FIN || reason == BK_REASON_ACCEPT_FIN_ACK;
    if (!c->blind && e->fin_first && e->fin_taken && e->fin_acked && (e->wait_until == 0 || again))
        e->wait_until = w->now + 2 * w->plan.host[c->host[a->end]].config.msl_ms * NS_PER_MS;
}

/* ---- what passes ----------------------------------------------------------------------------------- */

/* Whether segments may have been lost between the connection and the wire, for want of the next hop's address (RFC 1122 2.3.2.2). */
static bool seen_unresolved(const struct sim_world *w, uint32_t from) {
    const bk_stack *stack = host_stack(w->host[from].host);
    return bk_reason_count(stack, BK_REASON_DROP_UNRESOLVED) + bk_reason_count(stack, BK_REASON_DROP_NO_NEIGHBOUR) > 0;
}

/* Whether a host's burst is one instant: its device takes at once what it is given, and nothing is paced. */
static bool seen_punctual(const struct sim_world *w, uint32_t from) {
    const struct bk_config *config = &w->plan.host[from].config;
    if (config->pacing || config->congestion == BK_CONGESTION_BBR) return false;
    const struct host_faults *f = &w->plan.host[from].faults;
    const uint32_t delays[] = {f->refuse_ppm, f->partial_ppm, f->hold_ppm, f->starve_ppm, f->late_ppm, f->keep_ppm,
                               f->reset_ppm,  f->jump_ppm,    f->back_ppm, f->batch,      f->queue};
    for (size_t i = 0; i < BK_COUNT(delays); i++)
        if (delays[i] != 0) return false;
    return true;
}

void sim_watch_sent(struct sim_world *w, uint32_t from, const uint8_t *frame, size_t length, uint16_t reason) {
    struct seen s;
    unsigned end = 0;
    if (w->fault.found || !seen_parse(w, frame, length, false, &s)) return;
    struct app_connection *c = seen_connection(w, &s, &end);
    if (c == NULL) return;
    sim_touch(w, (uint32_t)(c - w->app.connection), end);
    seen_forgotten(w, c, end, &s, reason);
    c->cookie |= reason == BK_REASON_SEND_SYN_COOKIE;
    if (c->cookie && !c->blind && ((s.tcp.flags & WIRE_RST) || seen_revived(c, end, &s.tcp))) seen_lost_sight(w, c);
    if (c->blind || !seen_belongs(w, c, end, &s.tcp, reason)) return;
    if ((s.tcp.flags & WIRE_FIN) && !c->watch.end[end].finished) c->end[end].fin_first = !c->end[end].fin_taken;
    struct fault fault = {0};
    if (watch_sent(&c->watch, end, &s.tcp, s.length, reason, &fault) &&
        pace_sent(&c->pace, &c->watch, end, &s.tcp, s.length, reason, w->now, seen_punctual(w, from), &fault))
        return;
    if (seen_unresolved(w, from)) { /* what seems not to have been sent has been, and was lost before the wire */
        seen_lost_sight(w, c);
        return;
    }
    fault_note(&w->fault, "host %u: %.200s", (unsigned)from, fault.text);
    w->fault_connection = (uint32_t)(c - w->app.connection);
}

struct sim_arrival sim_watch_arrives(struct sim_world *w, const uint8_t *frame, size_t length) {
    const struct sim_arrival nobody = {.connection = APP_NOTHING};
    struct seen s;
    unsigned from = 0;
    if (w->fault.found || !seen_parse(w, frame, length, w->corrupting, &s)) return nobody;
    struct app_connection *c = seen_connection(w, &s, &from);
    if (c == NULL) return nobody;
    sim_touch(w, (uint32_t)(c - w->app.connection), !from);
    const struct watch_end *e = &c->watch.end[from];
    /* An old duplicate is not of this incarnation, if it does not lie in what this one has sent. */
    if (c->blind || !e->began || !seq_in(s.tcp.seq, e->iss, e->snd_max - e->iss + 1)) return nobody;
    watch_arrived(&c->watch, !from, &s.tcp, s.length);
    pace_arrived(&c->pace, &c->watch, !from, &s.tcp);
    return (struct sim_arrival){.connection = (uint32_t)(c - w->app.connection), .end = !from, .segment = s.tcp};
}

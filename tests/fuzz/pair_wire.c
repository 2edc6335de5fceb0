/* What is between two stacks: segments in flight, what is done to them, and what they show of each connection.
 *
 * Every segment that leaves is tagged with the connection that it belongs to, as its sender has it: ISS and IRS. That tells the
 * incarnations of a pair of ports apart. The watch over a connection begins when an end that has seen the other's SYN answers
 * with its own, and looks at segments of just this pair of numbers.
 *
 * Two things make a flow's data unpredictable, and end its checks: a segment that was forged, or damaged in a way that the checksum does
 * not show; and a segment of an old incarnation whose numbers lie so near the new one's that it may pass for one of its own. Clocks stand still
 * here while data is sent, so that ISNs do not keep ahead of it as RFC 9293 3.4.1 wants.
 */
#include "base/seq.h"
#include "pair_world.h"

#define NEAR (1u << 20)

/* ---- flows ----------------------------------------------------------------------------------------- */

struct flow *flow_of(struct world *w, uint16_t port0, uint16_t port1) {
    for (struct flow *f = w->flow; f < w->flow + w->flows; f++)
        if (f->port[0] == port0 && f->port[1] == port1) return f;
    if (w->flows == FLOWS) return NULL;
    struct flow *f = &w->flow[w->flows++];
    *f = (struct flow){.port = {port0, port1}};
    return f;
}

bool flow_is_clean(struct world *w, int s, const struct bk_tcp_info *info) {
    struct flow *f =
        s == 0 ? flow_of(w, info->local_port, info->remote_port) : flow_of(w, info->remote_port, info->local_port);
    return f != NULL && !f->tainted;
}

static void flow_taint(struct world *w, const uint16_t port[2]) {
    struct flow *f = flow_of(w, port[0], port[1]);
    if (f != NULL) f->tainted = true;
    w->disturbed = true; /* a forger may hold up other connections, too: pools are shared */
}

/* The record that side s has for a flow now, if it is one whose numbers are known. */
static bool flow_record(const struct world *w, int s, const uint16_t port[2], struct bk_tcp_info *info) {
    uint64_t cursor = 0;
    while (bk_tcp_list(w->side[s].stack, &cursor, info))
        if (info->local_port == port[s] && info->remote_port == port[!s] && info->state != BK_LISTEN)
            return info->state != BK_TIME_WAIT;
    return false;
}

/* ---- segments that leave --------------------------------------------------------------------------- */

static void watch_must_allow(struct world *w, struct flow *f, int from, const struct wire_tcp *t, uint32_t length,
                             uint16_t reason) {
    struct fault fault = {0};
    show(w, "segment of side", (uint32_t)from);
    MUST_CHECK(watch_sent(&f->watch, (unsigned)from, t, length, reason, &fault), fault);
}

/* Side `from` answers the other's SYN with its own: both numbers are known, and the watch begins. */
static void watch_begins(struct world *w, struct flow *f, int from, const struct wire_tcp *t) {
    struct bk_tcp_info info;
    bool again = f->syn_known[from] && f->syn[from].seq == t->seq;
    bool simultaneous = again && (f->syn[from].flags & WIRE_ACK) == 0;
    if (again && !simultaneous) return; /* a watch over this one has begun, and ended */
    /* The other's SYN must be the one that is answered, and not itself an answer, to an earlier SYN of this side. */
    f->watched = f->syn_known[!from] && f->syn[!from].seq == t->ack - 1 && (f->syn[!from].flags & WIRE_ACK) == 0;
    /* What has followed the SYN already, and was swallowed before it reached the wire, no watch has seen. */
    if (flow_record(w, from, f->port, &info) && info.iss == t->seq && info.snd_nxt != t->seq + 1) f->watched = false;
    if (!f->watched) return;
    f->iss[from] = t->seq;
    f->iss[!from] = t->ack - 1;
    watch_init(&f->watch);
    watch_must_allow(w, f, !from, &f->syn[!from], 0, f->syn_reason[!from]);
    if (simultaneous) watch_must_allow(w, f, from, &f->syn[from], 0, f->syn_reason[from]);
    watch_arrived(&f->watch, (unsigned)from, &f->syn[!from], 0);
    if (simultaneous && flow_record(w, !from, f->port, &info) && info.state != BK_SYN_SENT && info.irs == t->seq)
        watch_arrived(&f->watch, (unsigned)!from, &f->syn[from], 0);
}

static bool watch_is_of(const struct flow *f, int from, const struct tag *tag) {
    return f->watched && !f->tainted && tag->known && f->iss[from] == tag->iss &&
           (!tag->pair || f->iss[!from] == tag->irs);
}

/* A packet that waits for a neighbour's address is lost if another one comes, or nobody answers: its sender counts it as sent, and the wire
 * never sees it. That leaves a gap in what is seen, so no watch goes on beyond it. */
static void watches_survive(struct world *w, int from) {
    struct side *side = &w->side[from];
    uint64_t swallowed = bk_reason_count(side->stack, BK_REASON_DROP_UNRESOLVED) +
                         bk_reason_count(side->stack, BK_REASON_DROP_NO_NEIGHBOUR);
    for (struct flow *f = w->flow; swallowed != side->swallowed && f < w->flow + w->flows; f++) f->watched = false;
    side->swallowed = swallowed;
}

static void segment_leaves(struct world *w, int from, const struct fuzz_packet *p, uint16_t reason, uint32_t object,
                           struct flight *flight) {
    const struct wire_tcp *t = &p->tcp;
    struct bk_tcp_info info;
    struct tag *tag = &flight->tag;
    bool syn = (t->flags & WIRE_SYN) != 0, answers = (t->flags & WIRE_ACK) != 0;
    if (!bk_addr_equal(&p->src, &w->side[from].addr) || !bk_addr_equal(&p->dst, &w->side[!from].addr)) return;
    watches_survive(w, from);
    flight->port[from] = t->src_port;
    flight->port[!from] = t->dst_port;
    struct flow *f = flow_of(w, flight->port[0], flight->port[1]);
    if (f == NULL || f->tainted || (t->flags & WIRE_RST)) return;
    if (syn)
        *tag = (struct tag){.iss = t->seq, .irs = t->ack - 1, .known = true, .pair = answers};
    else if (object != BK_NONE && flow_record(w, from, flight->port, &info))
        *tag = (struct tag){.iss = info.iss, .irs = info.irs, .known = true, .pair = true};
    if (syn && answers && !watch_is_of(f, from, tag)) watch_begins(w, f, from, t);
    if (watch_is_of(f, from, tag)) watch_must_allow(w, f, from, t, (uint32_t)(p->l4_length - t->header_length), reason);
    if (!syn) return;
    f->syn_known[from] = true;
    f->syn[from] = *t;
    f->syn_reason[from] = reason;
}

void wire_take(struct world *w, int from, const struct bk_tx *unit) {
    struct fuzz_packet p;
    MUST(unit->reason != BK_REASON_NONE && bk_reason_verdict(unit->reason) == BK_SENT);
    world_note(w, unit->reason);
    for (uint32_t i = 0; i < bk_tx_count(unit); i++) {
        struct flight spare, *flight = w->in_flight < FLIGHT ? &w->flight[w->in_flight] : &spare;
        *flight = (struct flight){.to = (uint8_t)!from, .clean = true};
        flight->length = (uint16_t)bk_tx_write(w->side[from].stack, unit, i, flight->bytes, FRAME_ROOM);
        MUST(flight->length > 0);
        for (uint16_t at = 0; w->twinned && at < flight->length; at++) world_note(w, flight->bytes[at]);
        fuzz_check_frame(flight->bytes, flight->length, w->ethernet, &p);
        if (p.protocol == WIRE_TCP) {
            segment_leaves(w, from, &p, unit->reason, unit->object, flight);
            w->latest[from] = *flight;
        }
        if (flight != &spare) w->in_flight++; /* else the wire is full, and it is lost */
    }
}

/* ---- what the network does ------------------------------------------------------------------------- */

void wire_drop(struct world *w, uint32_t at) {
    if (at >= w->in_flight) return;
    memmove(w->flight + at, w->flight + at + 1, (--w->in_flight - at) * sizeof *w->flight);
}

/* Puts one behind all others. */
void wire_delay(struct world *w, uint32_t at) {
    if (at >= w->in_flight) return;
    struct flight flight = w->flight[at];
    wire_drop(w, at);
    w->flight[w->in_flight++] = flight;
}

/* Whether a segment that is no longer of the connection that its receiver has could pass for one of it. */
static bool segment_misleads(const struct world *w, const struct flight *flight, const struct wire_tcp *t) {
    struct bk_tcp_info info;
    const struct tag *tag = &flight->tag;
    if ((t->flags & WIRE_RST) || !flow_record(w, flight->to, flight->port, &info)) return false;
    bool irs_known = info.state != BK_SYN_SENT;
    if (tag->known && (!irs_known || tag->iss == info.irs) && (!tag->pair || tag->irs == info.iss)) return false;
    return (irs_known && t->seq - info.irs + NEAR < 2 * NEAR) ||
           ((t->flags & WIRE_ACK) && t->ack - info.iss + NEAR < 2 * NEAR);
}

static void segment_arrives(struct world *w, const struct flight *flight) {
    struct fuzz_packet p;
    if (flight->port[0] == 0 || !flight->clean) return;
    fuzz_check_frame(flight->bytes, flight->length, w->ethernet, &p);
    struct flow *f = flow_of(w, flight->port[0], flight->port[1]);
    if (f == NULL || f->tainted) return;
    if (segment_misleads(w, flight, &p.tcp))
        flow_taint(w, flight->port);
    else if (watch_is_of(f, !flight->to, &flight->tag))
        watch_arrived(&f->watch, flight->to, &p.tcp, (uint32_t)(p.l4_length - p.tcp.header_length));
}

static struct fuzz_way way_to(const struct world *w, int to) {
    return (struct fuzz_way){.src = w->side[!to].addr,
                             .dst = w->side[to].addr,
                             .src_mac = (uint8_t)(2 - to),
                             .dst_mac = (uint8_t)(1 + to),
                             .ethernet = w->ethernet};
}

void wire_deliver_in_fragments(struct world *w, uint8_t order) {
    struct fuzz_packet p;
    if (w->in_flight == 0 || w->flight[0].port[0] == 0 || !w->flight[0].clean) return;
    struct flight flight = w->flight[0];
    struct side *side = &w->side[flight.to];
    struct fuzz_way way = way_to(w, flight.to);
    fuzz_check_frame(flight.bytes, flight.length, w->ethernet, &p);
    segment_arrives(w, &flight);
    wire_drop(w, 0);
    fuzz_arrive_in_fragments(side->stack, &way, p.l4, p.l4_length, p.protocol, order, side->now);
}

void wire_deliver(struct world *w, uint32_t at, uint8_t how) {
    if (at >= w->in_flight) return;
    struct flight flight = w->flight[at];
    struct side *side = &w->side[flight.to];
    segment_arrives(w, &flight);
    wire_drop(w, at);
    how &= 0x80 | (flight.clean && (how & 4) ? 64 : 0) | 31; /* what a device did not check it must not call good */
    world_note(w, fuzz_arrive(side->stack, flight.bytes, flight.length, how, side->now));
}

/* All that is under way to one side, up to so many frames, in one batch by reference. What finds no chunks is lost. */
void wire_deliver_batch(struct world *w, int to) {
    struct bk_rx batch[8];
    struct bk_part parts[8][2];
    struct side *side = &w->side[to];
    size_t n = 0;
    for (uint32_t at = 0; at < w->in_flight && n < BK_COUNT(batch);) {
        const struct flight *flight = &w->flight[at];
        if (flight->to != to) {
            at++;
            continue;
        }
        size_t count = fuzz_fill(side->stack, flight->bytes, flight->length, (uint8_t)(at * 29), parts[n]);
        batch[n] = (struct bk_rx){.parts = parts[n], .part_count = (uint16_t)count};
        if (count > 0) {
            n++;
            segment_arrives(w, flight);
        }
        wire_drop(w, at);
    }
    bk_input(side->stack, 0, batch, n, side->now);
    for (size_t i = 0; i < n; i++) MUST(batch[i].reason < BK_REASON_COUNT);
}

/* ---- what the network should not do ---------------------------------------------------------------- */

/* One byte changes. The checksum is mended, or not: then it shows, unless it is a field that says what it covers. */
void wire_corrupt(struct world *w, uint32_t at) {
    uint32_t where = take(&w->in, 2), change = take(&w->in, 1), mend = take(&w->in, 1) & 1;
    if (at >= w->in_flight || change == 0) return;
    struct flight *flight = &w->flight[at];
    size_t l3 = w->ethernet ? WIRE_ETHERNET_LENGTH : 0;
    bool ipv4 = bk_addr_is_ipv4(&w->side[0].addr);
    size_t l4 = l3 + (ipv4 ? WIRE_IPV4_LENGTH : WIRE_IPV6_LENGTH);
    where %= flight->length;
    flight->bytes[where] ^= (uint8_t)change;
    bool first = flight->clean; /* two changes may make up for each other */
    flight->clean = false;
    struct flow *f = flight->port[0] == 0 ? NULL : flow_of(w, flight->port[0], flight->port[1]);
    if (f != NULL) f->watched = false;             /* whether it is taken depends on what no checksum covers */
    if (flight->port[0] == 0) w->disturbed = true; /* what a neighbour says is believed */
    if (first && !mend && (ipv4 || where < l3 + 4 || where > l3 + 6)) return;
    struct fuzz_way way = way_to(w, flight->to);
    if (mend && where >= l4 && flight->port[0] != 0) fuzz_tcp_sum(&way, flight->bytes + l4, flight->length - l4);
    if (mend && where >= l4 && flight->port[0] == 0 && flight->length > l4 + 4)
        fuzz_icmp_sum(&way, flight->bytes + l4, flight->length - l4);
    if (flight->port[0] == 0) return;
    flow_taint(w, flight->port);
    uint16_t port[2]; /* which it may now be for */
    port[!flight->to] = get_be16(flight->bytes + l4);
    port[flight->to] = get_be16(flight->bytes + l4 + 2);
    flow_taint(w, port);
}

/* A segment derived from one in flight, or from the last one that was sent: to the same side, or back as its answer. */
void wire_forge(struct world *w, uint32_t at) {
    static const uint8_t flags[] = {WIRE_ACK, WIRE_RST,           WIRE_SYN, WIRE_FIN | WIRE_ACK, WIRE_RST | WIRE_ACK,
                                    WIRE_URG, WIRE_SYN | WIRE_ACK};
    uint32_t choice = take(&w->in, 1), kind = take(&w->in, 1), options = take(&w->in, 1);
    const struct flight *from = at < w->in_flight ? &w->flight[at] : &w->latest[choice & 1];
    struct fuzz_packet p;
    if (from->port[0] == 0 || !from->clean || w->in_flight == FLIGHT) return;
    fuzz_check_frame(from->bytes, from->length, w->ethernet, &p);
    struct wire_tcp t = p.tcp;
    uint32_t n = (uint32_t)(p.l4_length - t.header_length);
    int to = choice & 2 ? !from->to : from->to;
    if (to != from->to) {
        t.src_port = p.tcp.dst_port;
        t.dst_port = p.tcp.src_port;
        t.seq = p.tcp.ack;
        t.ack = p.tcp.seq + n + ((t.flags & (WIRE_SYN | WIRE_FIN)) != 0);
        t.option.tsval = p.tcp.option.tsecr;
        t.option.tsecr = p.tcp.option.tsval;
    }
    t.seq += take_step(&w->in);
    t.ack += take_step(&w->in);
    if (choice & 4) t.window = (uint16_t)take(&w->in, 2);
    if (choice & 8) n = 0;
    if (choice & 16) t.urgent = (uint16_t)take(&w->in, 2);
    if (kind % 8 < BK_COUNT(flags)) t.flags = flags[kind % 8];
    if (kind & 64) t.flags |= (uint8_t)(kind & WIRE_PSH) | WIRE_ACK;
    if (options & 1) t.option.has_timestamps = !t.option.has_timestamps;
    if (options & 2) t.option.tsval += take_step(&w->in);
    if (options & 4) t.option.mss = (uint16_t)take(&w->in, 2);
    if (options & 8) t.option.has_wscale = !t.option.has_wscale;
    if (options & 16) t.option.wscale = (uint8_t)(options >> 4);

    uint8_t buffer[FUZZ_L4 + WIRE_TCP_LENGTH_MAX + FRAME_ROOM], *l4 = buffer + FUZZ_L4;
    struct fuzz_way way = way_to(w, to);
    size_t header = wire_tcp_emit(l4, &t), length;
    memcpy(l4 + header, p.l4 + p.tcp.header_length, n);
    fuzz_tcp_sum(&way, l4, header + n);
    const uint8_t *frame = fuzz_wrap(&way, l4, header + n, WIRE_TCP, &length);
    if (length > FRAME_ROOM) return;
    struct flight *flight = &w->flight[w->in_flight];
    *flight = (struct flight){.to = (uint8_t)to, .length = (uint16_t)length};
    memcpy(flight->port, from->port, sizeof flight->port);
    memcpy(flight->bytes, frame, length);
    w->in_flight++;
    flow_taint(w, flight->port);
}

/* A router on the way says, of a segment in flight, that it could not go on; it may have lied. */
void wire_complain(struct world *w, uint32_t at) {
    uint8_t buffer[256];
    size_t length, l3 = w->ethernet ? WIRE_ETHERNET_LENGTH : 0;
    if (at >= w->in_flight) return;
    const struct flight *flight = &w->flight[at];
    int to = !flight->to;
    struct fuzz_way way = way_to(w, to);
    const uint8_t *frame = fuzz_icmp_error(&way, &w->in, flight->bytes + l3, flight->length - l3, buffer, &length);
    world_note(w, bk_input_copy(w->side[to].stack, 0, frame, length, w->side[to].now));
}

/* The world of fuzz_stack.c, and the frames that arrive in it and leave it: building mostly valid segments, and checking
 * everything that the stack sends. */
#ifndef FUZZ_STACK_WORLD_H
#define FUZZ_STACK_WORLD_H

#include "fuzz.h"

#define FLOWS      6u /* 0 to 3: strangers to the listener; 4 and 5: active opens */
#define CLIENTS_AT 4u
#define USERS      8u
#define HELD       8u
#define FRAME_MAX  4096u
#define PORT       80u

struct flow {
    uint32_t isn, seq; /* ours: the next to send */
    uint32_t ack;      /* theirs: the next expected */
    uint32_t tsval, tsecr;
    uint16_t remote_port, local_port;
};

struct user {
    bk_conn conn;
    uint32_t received; /* bytes */
    bool held;
};

struct world {
    struct input in;
    uint8_t *region[2]; /* the stack lives in one; the other is for copies */
    size_t size;
    int where;
    bk_stack *stack;
    uint64_t now;
    bool ethernet, answer_neighbours;
    bool in_fragments; /* what arrives in this operation */
    bk_addr local, remote, next_hop;
    struct flow flow[FLOWS];
    struct user user[USERS];
    bk_listener listener;
    uint32_t held_unit[HELD], held_units;
    uint32_t held_chunk[HELD], held_chunks;
    uint8_t last_sent[128]; /* the latest TCP packet that left, from its IP header on: ICMP errors quote it */
    size_t last_sent_length;
};

static bool tracing;

static void show(struct world *w, const char *what, uint32_t number) {
    if (!tracing) return;
    fuzz_print_events(w->stack, NULL);
    fprintf(stderr, "---- %s %u\n", what, (unsigned)number);
}

static uint8_t pattern(uint32_t seq) {
    return (uint8_t)(seq * 167u ^ seq >> 8);
}

/* ---- frames in ------------------------------------------------------------------------------------- */

/* From the peer to the stack. */
static struct fuzz_way way_in(const struct world *w) {
    return (struct fuzz_way){.src = w->remote, .dst = w->local, .src_mac = 2, .dst_mac = 1, .ethernet = w->ethernet};
}

static void packet_finish(struct world *w, const struct fuzz_way *way, uint8_t *l4, size_t n, uint8_t protocol,
                          uint8_t how) {
    size_t length;
    if (w->in_fragments) {
        fuzz_arrive_in_fragments(w->stack, way, l4, n, protocol, how, w->now);
        return;
    }
    uint8_t *frame = fuzz_wrap(way, l4, n, protocol, &length);
    fuzz_arrive(w->stack, frame, length, how, w->now);
}

static void segment_options(struct world *w, struct flow *f, struct wire_tcp *t, uint8_t which) {
    t->option.has_timestamps = which & 1;
    if (which & 2) f->tsval += which >> 4;
    t->option.tsval = which & 4 ? f->tsval - 100 : f->tsval;
    t->option.tsecr = f->tsecr;
    if ((t->flags & WIRE_SYN) == 0) return;
    t->option.mss = which & 8 ? (uint16_t)take(&w->in, 2) : 1000;
    t->option.has_wscale = which & 16;
    t->option.wscale = (uint8_t)(which >> 5);
    t->option.sack_permitted = which & 64;
}

static void segment_arrives_from_flow(struct world *w) {
    static const uint8_t flags[] = {WIRE_ACK,
                                    WIRE_ACK,
                                    WIRE_ACK,
                                    WIRE_ACK,
                                    WIRE_ACK,
                                    WIRE_SYN,
                                    WIRE_SYN,
                                    WIRE_FIN | WIRE_ACK,
                                    WIRE_FIN | WIRE_ACK,
                                    WIRE_RST,
                                    WIRE_RST | WIRE_ACK,
                                    WIRE_SYN | WIRE_ACK,
                                    WIRE_ACK | WIRE_URG};
    static const uint16_t lengths[] = {0, 0, 0, 1, 10, 100, 500, 900, 1400};
    uint8_t buffer[FRAME_MAX];
    struct flow *f = &w->flow[take(&w->in, 1) % FLOWS];
    uint32_t choice = take(&w->in, 1), options, how;
    struct wire_tcp t = {.src_port = f->remote_port, .dst_port = f->local_port};
    t.flags = choice < 240 ? flags[choice % BK_COUNT(flags)] : (uint8_t)take(&w->in, 1);
    size_t n = lengths[take(&w->in, 1) % BK_COUNT(lengths)];
    uint32_t seq_step = take_step(&w->in), ack_step = take_step(&w->in);
    options = take(&w->in, 1);
    how = take(&w->in, 1);
    if (t.flags & WIRE_SYN) {
        if (how & 1) f->isn = f->seq + 1000 * (how & 15); /* the next incarnation */
        f->seq = f->isn;
        n = how & 16 ? n : 0;
    }
    t.seq = f->seq + seq_step;
    t.ack = f->ack + ack_step;
    t.window = how & 2 ? (uint16_t)take(&w->in, 2) : how & 4 ? 0 : 60000;
    t.urgent = t.flags & WIRE_URG ? (uint16_t)take(&w->in, 2) : 0;
    segment_options(w, f, &t, (uint8_t)options);

    uint8_t *l4 = buffer + FUZZ_L4;
    size_t header = wire_tcp_emit(l4, &t);
    uint32_t data_seq = t.seq + ((t.flags & WIRE_SYN) != 0);
    for (size_t i = 0; i < n; i++) l4[header + i] = pattern(data_seq + (uint32_t)i);
    struct fuzz_way way = way_in(w);
    fuzz_tcp_sum(&way, l4, header + n);
    packet_finish(w, &way, l4, header + n, WIRE_TCP, (uint8_t)how);
    if (seq_step == 0) f->seq += (uint32_t)n + ((t.flags & WIRE_SYN) != 0) + ((t.flags & WIRE_FIN) != 0);
}

static void raw_frame_arrives(struct world *w) {
    uint8_t buffer[FRAME_MAX];
    size_t n = take_bytes(&w->in, buffer, take(&w->in, 1) * 2);
    fuzz_arrive(w->stack, buffer, n, (uint8_t)take(&w->in, 1), w->now);
}

/* Any protocol's message with valid IP around it; over IPv6 it may come from a neighbour's link-local address, or go to all nodes. */
static void packet_arrives(struct world *w) {
    static const uint8_t protocols[] = {WIRE_ICMP,     WIRE_ICMPV6,      WIRE_UDP,
                                        WIRE_FRAGMENT, WIRE_DESTINATION, WIRE_HOP_BY_HOP};
    uint8_t buffer[FRAME_MAX], *l4 = buffer + FUZZ_L4;
    uint32_t choice = take(&w->in, 1);
    uint8_t protocol = protocols[choice % 32 % BK_COUNT(protocols)];
    struct fuzz_way way = way_in(w);
    if (choice & 64 && !bk_addr_is_ipv4(&w->local)) bk_addr_parse("fe80::2", &way.src);
    if (choice & 128 && !bk_addr_is_ipv4(&w->local)) bk_addr_parse("ff02::1", &way.dst);
    size_t n = take_bytes(&w->in, l4, take(&w->in, 1));
    if (n >= 8 && (protocol == WIRE_ICMP || protocol == WIRE_ICMPV6)) fuzz_icmp_sum(&way, l4, n);
    packet_finish(w, &way, l4, n, protocol, (uint8_t)take(&w->in, 1));
}

/* An ICMP error about the latest segment that left. */
static void error_arrives(struct world *w) {
    uint8_t buffer[256];
    size_t length;
    struct fuzz_way way = way_in(w);
    uint8_t *frame = fuzz_icmp_error(&way, &w->in, w->last_sent, w->last_sent_length, buffer, &length);
    bk_input_copy(w->stack, 0, frame, length, w->now);
}

/* ---- frames out ------------------------------------------------------------------------------------ */

static void arp_leaves(struct world *w, const uint8_t *arp, size_t n) {
    struct wire_arp a;
    uint8_t frame[WIRE_ETHERNET_LENGTH + WIRE_ARP_LENGTH];
    MUST(wire_arp_parse(arp, n, &a) == BK_REASON_NONE);
    if (!w->answer_neighbours || a.op != WIRE_ARP_REQUEST) return;
    struct wire_arp reply = {.op = WIRE_ARP_REPLY,
                             .sender_mac = {2, 0, 0, 0, 0, 2},
                             .target_mac = {2, 0, 0, 0, 0, 1},
                             .sender = a.target,
                             .target = a.sender};
    struct fuzz_way way = way_in(w);
    fuzz_ethernet(&way, frame + WIRE_ETHERNET_LENGTH, WIRE_ETHERTYPE_ARP);
    wire_arp_emit(frame + WIRE_ETHERNET_LENGTH, &reply);
    bk_input_copy(w->stack, 0, frame, sizeof frame, w->now);
}

static void solicitation_leaves(struct world *w, const uint8_t *message, size_t n) {
    struct wire_neighbor solicitation, advertisement = {.solicited = true, .override = true, .has_mac = true};
    uint8_t buffer[256], *l4 = buffer + FUZZ_L4;
    MUST(wire_neighbor_parse(message, n, &solicitation) == BK_REASON_NONE);
    if (!w->answer_neighbours || !bk_addr_equal(&solicitation.target, &w->next_hop)) return;
    advertisement.target = solicitation.target;
    advertisement.mac[0] = advertisement.mac[5] = 2;
    n = wire_neighbor_emit(l4, WIRE_ICMPV6_NEIGHBOR_ADVERTISEMENT, &advertisement);
    struct fuzz_way way = way_in(w);
    fuzz_icmp_sum(&way, l4, n);
    packet_finish(w, &way, l4, n, WIRE_ICMPV6, 0);
}

static void segment_leaves(struct world *w, const struct fuzz_packet *p) {
    const struct wire_tcp *t = &p->tcp;
    for (struct flow *f = w->flow; f < w->flow + FLOWS; f++) {
        if (f->remote_port != t->dst_port || f->local_port != t->src_port || (t->flags & WIRE_RST)) continue;
        f->ack = t->seq + (uint32_t)(p->l4_length - t->header_length) + ((t->flags & WIRE_SYN) != 0) +
                 ((t->flags & WIRE_FIN) != 0);
        f->tsecr = t->option.tsval;
    }
    w->last_sent_length = p->l3_length < sizeof w->last_sent ? p->l3_length : sizeof w->last_sent;
    memcpy(w->last_sent, p->l3, w->last_sent_length);
}

static void frame_leaves(struct world *w, const uint8_t *frame, size_t n) {
    struct fuzz_packet p;
    fuzz_check_frame(frame, n, w->ethernet, &p);
    if (p.ethertype == WIRE_ETHERTYPE_ARP)
        arp_leaves(w, p.l3, p.l3_length);
    else if (p.protocol == WIRE_TCP)
        segment_leaves(w, &p);
    else if (p.protocol == WIRE_ICMPV6 && p.l4[0] == WIRE_ICMPV6_NEIGHBOR_SOLICITATION)
        solicitation_leaves(w, p.l4, p.l4_length);
}

#endif

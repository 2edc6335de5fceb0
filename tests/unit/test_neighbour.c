/* Shows that the neighbour cache resolves, confirms, probes and forgets next hops, by ARP and by neighbour discovery. */
#include "net_fixture.h"

/* Both families go through one cache: most tests run once with each. */
struct family {
    const char *us, *peer, *other, *router, *far;
    uint16_t ask, probe;
};
static const struct family families[] = {
    {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.9", "198.51.100.1", BK_REASON_SEND_ARP_REQUEST,
     BK_REASON_SEND_ARP_PROBE},
    {"2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::9", "2001:db8:9::1", BK_REASON_SEND_NEIGHBOR_SOLICITATION,
     BK_REASON_SEND_NEIGHBOR_PROBE},
};
#define EACH_FAMILY(f) for (const struct family *f = families; f < families + 2; f++)

static bool is_ipv4(const char *text) {
    return strchr(text, ':') == NULL;
}

/* `who` asks for our address. */
static uint16_t asks(struct world *w, const char *who, const uint8_t mac[6], const char *us) {
    if (is_ipv4(who)) return arrives_arp(w, WIRE_ARP_REQUEST, who, mac, us);
    bk_addr target = ip(us);
    struct line l = {.src = ip(who), .dst = wire_addr_solicited_node(&target), .src_mac = mac, .dst_mac = our_mac};
    struct wire_neighbor m = {.target = target, .has_mac = true};
    memcpy(m.mac, mac, 6);
    return arrives_neighbor(w, l, WIRE_ICMPV6_NEIGHBOR_SOLICITATION, &m);
}
/* `who` answers our question. */
static uint16_t answers(struct world *w, const char *who, const uint8_t mac[6], const char *us) {
    if (is_ipv4(who)) return arrives_arp(w, WIRE_ARP_REPLY, who, mac, us);
    struct line l = {.src = ip(who), .dst = ip(us), .src_mac = mac, .dst_mac = our_mac};
    struct wire_neighbor m = {.target = ip(who), .solicited = true, .override = true, .has_mac = true};
    memcpy(m.mac, mac, 6);
    return arrives_neighbor(w, l, WIRE_ICMPV6_NEIGHBOR_ADVERTISEMENT, &m);
}
static void resolve(struct world *w, const struct family *f, const char *who, const uint8_t mac[6]) {
    assert_int_equal(connect_to(w, who, 1), 0);
    expect_sent(w, f->ask);
    answers(w, who, mac, f->us);
    expect_sent(w, BK_REASON_SEND_SYN);
    expect_silence(w);
}
static void assert_syn_to(struct world *w, const uint8_t mac[6]) {
    struct seen s = look(w, expect_sent(w, BK_REASON_SEND_SYN));
    assert_memory_equal(s.link.dst, mac, 6);
    assert_memory_equal(s.link.src, our_mac, 6);
}

/* RFC 826: "?Is the opcode ares_op$REQUEST? ... Swap hardware and protocol fields, putting the local hardware and protocol
 * addresses in the sender fields. Set the ar$op field to ares_op$REPLY. Send the packet to the (new) target hardware
 * address on the same hardware on which the request was received." And before that: "add the triplet to the
 * translation table". */
static void arp_request_is_answered_and_learnt(void **state) {
    (void)state;
    struct world *w = world_open(NULL);
    settle(w);
    assert_reason(arrives_arp(w, WIRE_ARP_REQUEST, "192.0.2.2", peer_mac, "192.0.2.1"), ACCEPT_ARP);
    const struct out *o = expect_sent(w, BK_REASON_SEND_ARP_REPLY);
    struct wire_ethernet e;
    struct wire_arp a;
    assert_int_equal(wire_ethernet_parse(o->bytes, o->length, &e), BK_REASON_NONE);
    assert_int_equal(e.type, WIRE_ETHERTYPE_ARP);
    assert_memory_equal(e.dst, peer_mac, 6);
    assert_int_equal(wire_arp_parse(o->bytes + 14, o->length - 14, &a), BK_REASON_NONE);
    assert_int_equal(a.op, WIRE_ARP_REPLY);
    assert_memory_equal(a.sender_mac, our_mac, 6);
    assert_memory_equal(a.target_mac, peer_mac, 6);
    assert_addr(&a.sender, "192.0.2.1");
    assert_addr(&a.target, "192.0.2.2");
    connect_to(w, "192.0.2.2", 1);
    assert_syn_to(w, peer_mac);
    expect_silence(w);
    world_close(w);
}

/* RFC 4861 7.2.3: "the recipient SHOULD create or update the Neighbor Cache entry for the IP Source Address of the
 * solicitation", and 7.2.4: "the node MUST set the Solicited flag to one and
 * unicast the advertisement to the Source Address of the solicitation". */
static void solicitation_is_answered_and_learnt(void **state) {
    (void)state;
    struct world *w = world_open(NULL);
    settle(w);
    assert_reason(asks(w, "2001:db8::2", peer_mac, "2001:db8::1"), ACCEPT_NEIGHBOR_SOLICITATION);
    struct seen s = look(w, expect_sent(w, BK_REASON_SEND_NEIGHBOR_ADVERTISEMENT));
    struct wire_neighbor m;
    assert_int_equal(wire_neighbor_parse(s.payload, s.length, &m), BK_REASON_NONE);
    assert_int_equal(s.hop_limit, 255);
    assert_true(checksum_right(&s));
    assert_memory_equal(s.link.dst, peer_mac, 6);
    assert_addr(&s.dst, "2001:db8::2");
    assert_addr(&s.src, "2001:db8::1");
    assert_addr(&m.target, "2001:db8::1");
    assert_true(m.solicited && m.override && !m.router && m.has_mac);
    assert_memory_equal(m.mac, our_mac, 6);
    connect_to(w, "2001:db8::2", 1);
    assert_syn_to(w, peer_mac);
    expect_silence(w);
    world_close(w);
}

/* RFC 826: "?Am I the target protocol address?" comes before a new entry is made; what others say to each other only updates an entry. */
static void arp_between_others_is_not_learnt(void **state) {
    (void)state;
    struct world *w = world_open(NULL);
    settle(w);
    assert_reason(arrives_arp(w, WIRE_ARP_REQUEST, "192.0.2.2", peer_mac, "192.0.2.3"), DROP_ARP_STRANGER);
    assert_reason(arrives_arp(w, WIRE_ARP_REQUEST, "192.0.2.2", peer_mac, "192.0.2.2"), DROP_ARP_STRANGER);
    expect_silence(w);
    connect_to(w, "192.0.2.2", 1);
    expect_sent(w, BK_REASON_SEND_ARP_REQUEST);
    expect_silence(w);
    world_close(w);
}

/* RFC 5227 2.1.1: a probe's sender address is all zero "to avoid polluting ARP caches"; it is answered, and not learnt. */
static void arp_probe_is_answered(void **state) {
    (void)state;
    struct world *w = world_open(NULL);
    settle(w);
    assert_reason(arrives_arp(w, WIRE_ARP_REQUEST, "0.0.0.0", peer_mac, "192.0.2.1"), ACCEPT_ARP);
    expect_sent(w, BK_REASON_SEND_ARP_REPLY);
    expect_silence(w);
    assert_reason(arrives_arp(w, WIRE_ARP_REQUEST, "0.0.0.0", peer_mac, "192.0.2.7"), DROP_ARP_STRANGER);
    expect_silence(w);
    world_close(w);
}

/* An ARP packet whose sender is us, or can be no single host, changes nothing. */
static void arp_of_impossible_sender_is_dropped(void **state) {
    (void)state;
    struct world *w = world_open(NULL);
    settle(w);
    assert_reason(arrives_arp(w, WIRE_ARP_REQUEST, "192.0.2.1", peer_mac, "192.0.2.1"), DROP_ARP_BAD);
    assert_reason(arrives_arp(w, WIRE_ARP_REQUEST, "192.0.2.2", our_mac, "192.0.2.1"), DROP_ARP_BAD);
    assert_reason(arrives_arp(w, WIRE_ARP_REQUEST, "192.0.2.255", peer_mac, "192.0.2.1"), DROP_ARP_BAD);
    assert_reason(arrives_arp(w, WIRE_ARP_REQUEST, "224.0.0.1", peer_mac, "192.0.2.1"), DROP_ARP_BAD);
    assert_reason(arrives_arp(w, WIRE_ARP_REQUEST, "127.0.0.1", peer_mac, "192.0.2.1"), DROP_ARP_BAD);
    expect_silence(w);
    world_close(w);
}

/* The SYN that leaves is the connection's to this port. */
static void assert_syn_for(struct world *w, uint16_t port) {
    struct seen s = look(w, expect_sent(w, BK_REASON_SEND_SYN));
    assert_int_equal(get_be16(s.payload + 2), port);
    assert_memory_equal(s.link.dst, peer_mac, 6);
}

/* RFC 1122 2.3.2.2: "The link layer SHOULD save (rather than discard) at least one (the latest) packet of each set of
 * packets destined to the same unresolved IP address, and transmit the saved packet when the address has been
 * resolved." RFC 4861 7.2.2: "The queue MUST hold at least one packet, and MAY contain more." */
static void packets_wait_for_resolution(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct world *w = world_open(NULL);
        settle(w);
        connect_to(w, f->peer, 1);
        const struct out *o = expect_sent(w, f->ask);
        expect_silence(w);
        if (is_ipv4(f->peer)) {
            struct wire_arp a;
            assert_int_equal(wire_arp_parse(o->bytes + 14, o->length - 14, &a), BK_REASON_NONE);
            assert_memory_equal(o->bytes, all_mac, 6);
            assert_addr(&a.sender, f->us);
            assert_addr(&a.target, f->peer);
        } else {
            struct seen s = look(w, o);
            struct wire_neighbor m;
            assert_int_equal(wire_neighbor_parse(s.payload, s.length, &m), BK_REASON_NONE);
            assert_addr(&s.dst, "ff02::1:ff00:2");
            assert_addr(&s.src, f->us);
            assert_addr(&m.target, f->peer);
            assert_true(m.has_mac && checksum_right(&s));
            assert_int_equal(s.hop_limit, 255);
            assert_memory_equal(s.link.dst, "\x33\x33\xff\x00\x00\x02", 6);
        }
        connect_to(w, f->peer, 2);
        connect_to(w, f->peer, 3);
        expect_silence(w); /* the question is out already */
        answers(w, f->peer, peer_mac, f->us);
        for (uint16_t port = 1; port <= 3; port++) assert_syn_for(w, port);
        expect_silence(w);
        assert_int_equal(count(w, BK_REASON_DROP_UNRESOLVED), 0);
        world_close(w);
    }
}

/* RFC 4861 7.2.2: "When a queue overflows, the new arrival SHOULD replace the oldest entry." Four may wait, a quarter of the frames. */
static void newest_packets_wait_for_resolution(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct world *w = world_open(&(struct world_options){.frames = 16});
        settle(w);
        for (uint16_t port = 1; port <= 6; port++) connect_to(w, f->peer, port);
        expect_sent(w, f->ask);
        assert_int_equal(count(w, BK_REASON_DROP_UNRESOLVED), 2);
        answers(w, f->peer, peer_mac, f->us);
        for (uint16_t port = 3; port <= 6; port++) assert_syn_for(w, port);
        expect_silence(w);
        world_close(w);
    }
}

/* However many frames there are, no more than 64 wait for one neighbour. */
static void one_neighbour_holds_so_many_frames(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct world *w = world_open(&(struct world_options){.frames = 1024, .connections = 70});
        settle(w);
        for (uint16_t port = 1; port <= 70; port++) connect_to(w, f->peer, port);
        expect_sent(w, f->ask);
        assert_int_equal(count(w, BK_REASON_DROP_UNRESOLVED), 6);
        assert_int_equal(in_use(w, BK_POOL_FRAMES), 64);
        answers(w, f->peer, peer_mac, f->us);
        for (uint16_t port = 7; port <= 70; port++) assert_syn_for(w, port);
        expect_silence(w);
        world_close(w);
    }
}

/* RFC 4861 7.2.2: "retransmit Neighbor Solicitation messages approximately every RetransTimer milliseconds ... If no Neighbor
 * Advertisement is received after MAX_MULTICAST_SOLICIT solicitations, address resolution has failed." RFC 1122 2.3.2.1: "The
 * recommended maximum rate is 1 per second per destination." */
static void resolution_gives_up_after_three(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct world *w = world_open(NULL);
        settle(w);
        connect_to(w, f->peer, 1);
        connect_to(w, f->peer, 3);
        for (int i = 0; i < 3; i++) {
            expect_sent(w, f->ask);
            expect_silence(w);
            pass(w, SECOND - 1);
            expect_silence(w);
            pass(w, 1);
        }
        expect_silence(w);
        assert_int_equal(count(w, BK_REASON_DROP_NO_NEIGHBOUR), 2);
        pass(w, 10 * SECOND);
        expect_silence(w);
        assert_int_equal(in_use(w, BK_POOL_FRAMES), 0);
        connect_to(w, f->peer, 2); /* and begins anew */
        expect_sent(w, f->ask);
        world_close(w);
    }
}

/* RFC 4861 7.3.3: "The first time a node sends a packet to a neighbor whose entry is STALE, the sender changes the state to
 * DELAY and sets a timer to expire in DELAY_FIRST_PROBE_TIME seconds. ... If the entry is still in the DELAY state when the timer expires, the entry's
 * state changes to PROBE. ... a node retransmits Neighbor Solicitation messages every
 * RetransTimer milliseconds until reachability confirmation is obtained." After MAX_UNICAST_SOLICIT of them "retransmissions cease and
 * the entry SHOULD be deleted." */
static void silent_neighbour_is_probed_and_dropped(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct world *w = world_open(NULL);
        settle(w);
        resolve(w, f, f->peer, peer_mac);
        pass(w, 46 * SECOND); /* longer than any ReachableTime of a 30 s base */
        expect_silence(w);
        connect_to(w, f->peer, 2);
        assert_syn_to(w, peer_mac); /* used all the same */
        pass(w, 5 * SECOND - 1);
        expect_silence(w);
        pass(w, 1);
        for (int i = 0; i < 3; i++) {
            const struct out *o = expect_sent(w, f->probe);
            assert_memory_equal(o->bytes, peer_mac, 6);
            connect_to(w, f->peer, (uint16_t)(10 + i));
            assert_syn_to(w, peer_mac); /* PROBE sends on, too */
            expect_silence(w);
            pass(w, SECOND);
        }
        expect_silence(w);
        connect_to(w, f->peer, 20);
        expect_sent(w, f->ask);
        expect_silence(w);
        world_close(w);
    }
}

/* RFC 4861 7.3.3, the other end: an answer to the probe makes the entry REACHABLE again. */
static void probe_that_is_answered_keeps_the_neighbour(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct world *w = world_open(NULL);
        settle(w);
        resolve(w, f, f->peer, peer_mac);
        pass(w, 46 * SECOND);
        connect_to(w, f->peer, 2);
        assert_syn_to(w, peer_mac);
        pass(w, 5 * SECOND);
        expect_sent(w, f->probe);
        answers(w, f->peer, peer_mac, f->us);
        pass(w, 4 * SECOND);
        expect_silence(w);
        world_close(w);
    }
}

/* RFC 4861 7.3.1: "receipt of a (new) acknowledgment indicates that previously sent data reached the peer"; then DELAY
 * ends without a probe. */
static void progress_of_tcp_confirms_the_neighbour(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct world *w = world_open(NULL);
        settle(w);
        resolve(w, f, f->peer, peer_mac);
        pass(w, 46 * SECOND);
        connect_to(w, f->peer, 2);
        struct seen s = look(w, expect_sent(w, BK_REASON_SEND_SYN));
        struct line l = line(f->peer, f->us);
        struct wire_tcp answer = {.src_port = 2,
                                  .dst_port = get_be16(s.payload),
                                  .seq = 7,
                                  .ack = get_be32(s.payload + 4) + 1,
                                  .flags = WIRE_SYN | WIRE_ACK,
                                  .window = 1000};
        assert_reason(arrives_tcp(w, &l, &answer), ACCEPT_SYN_ACK);
        forget(w);
        pass(w, 10 * SECOND);
        assert_null(sent(w, f->probe));
        world_close(w);
    }
}

/* RFC 4861 7.2.5, appendix C: what an advertisement does to an entry, by its flags. */
static void advertisement_changes_the_entry(void **state) {
    (void)state;
    static const struct {
        bool solicited, override, has_mac, other;
        const uint8_t *then; /* where packets go afterwards */
        bool probed;         /* whether the neighbour is no longer taken as reachable */
    } rows[] = {
        {true, true, true, true, other_mac, false},  /* II: updated, and reachable since solicited */
        {false, true, true, true, other_mac, true},  /* II: updated, unsolicited */
        {true, false, true, true, peer_mac, true},   /* I a: not updated, but in doubt */
        {false, false, true, true, peer_mac, true},  /* likewise */
        {false, true, true, false, peer_mac, false}, /* the same address, unsolicited: no change */
        {true, true, false, false, peer_mac, false}, /* no option: REACHABLE */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world *w = world_open(NULL);
        settle(w);
        resolve(w, &families[1], "2001:db8::2", peer_mac);
        struct wire_neighbor m = {.target = ip("2001:db8::2"),
                                  .solicited = rows[i].solicited,
                                  .override = rows[i].override,
                                  .has_mac = rows[i].has_mac};
        memcpy(m.mac, rows[i].other ? other_mac : peer_mac, 6);
        assert_reason(arrives_neighbor(w, line("2001:db8::2", "2001:db8::1"), WIRE_ICMPV6_NEIGHBOR_ADVERTISEMENT, &m),
                      ACCEPT_NEIGHBOR_ADVERTISEMENT);
        connect_to(w, "2001:db8::2", 2);
        assert_syn_to(w, rows[i].then);
        pass(w, 5 * SECOND);
        assert_int_equal(sent(w, BK_REASON_SEND_NEIGHBOR_PROBE) != NULL, rows[i].probed);
        world_close(w);
    }
}

/* RFC 4861 7.2.5: "If no entry exists, the advertisement SHOULD be silently discarded. There is no need to create an entry if none exists". And "If the
 * target's Neighbor Cache entry is in the INCOMPLETE state ... If the link layer has addresses and no Target
 * Link-Layer Address option is included, the receiving node SHOULD silently discard the received advertisement." */
static void advertisement_without_use_is_dropped(void **state) {
    (void)state;
    struct world *w = world_open(NULL);
    settle(w);
    struct line l = line("2001:db8::2", "2001:db8::1");
    struct wire_neighbor m = {.target = ip("2001:db8::2"), .solicited = true, .override = true};
    memcpy(m.mac, peer_mac, 6);
    m.has_mac = true;
    assert_reason(arrives_neighbor(w, l, WIRE_ICMPV6_NEIGHBOR_ADVERTISEMENT, &m), DROP_ND_STRANGER);
    connect_to(w, "2001:db8::2", 1);
    expect_sent(w, BK_REASON_SEND_NEIGHBOR_SOLICITATION);
    m.has_mac = false;
    assert_reason(arrives_neighbor(w, l, WIRE_ICMPV6_NEIGHBOR_ADVERTISEMENT, &m), DROP_ND_STRANGER);
    expect_silence(w);
    world_close(w);
}

/* RFC 826: "If the pair <protocol type, sender protocol address> is already in my translation table, update the sender
 * hardware address field of the entry with the new information in the packet and set Merge_flag to true." */
static void arp_updates_a_known_entry(void **state) {
    (void)state;
    struct world *w = world_open(NULL);
    settle(w);
    resolve(w, &families[0], "192.0.2.2", peer_mac);
    assert_reason(arrives_arp(w, WIRE_ARP_REQUEST, "192.0.2.2", other_mac, "192.0.2.2"), ACCEPT_ARP);
    connect_to(w, "192.0.2.2", 2);
    assert_syn_to(w, other_mac);
    pass(w, 5 * SECOND); /* not asked for: to be confirmed */
    expect_sent(w, BK_REASON_SEND_ARP_PROBE);
    world_close(w);
}

/* Strangers that ask for us fill the cache no further than its bound, and push out what is idle, not what is in use. */
static void strangers_do_not_push_out_neighbours_in_use(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct world *w = world_open(&(struct world_options){.neighbours = 4});
        settle(w);
        resolve(w, f, f->peer, peer_mac);
        for (int i = 0; i < 40; i++) {
            char who[BK_ADDR_TEXT];
            bk_addr a = ip(f->other);
            a.byte[15] = (uint8_t)(100 + i);
            asks(w, bk_addr_format(&a, who), other_mac, f->us);
        }
        forget(w);
        connect_to(w, f->peer, 2);
        assert_syn_to(w, peer_mac);
        expect_silence(w);
        world_close(w);
    }
}

/* A flood towards absent neighbours holds a quarter of the frames at most; the oldest question gives way. */
static void frames_that_wait_are_bounded(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct world *w = world_open(&(struct world_options){.neighbours = 16, .frames = 16});
        settle(w);
        for (int i = 0; i < 12; i++) {
            char who[BK_ADDR_TEXT];
            bk_addr a = ip(f->other);
            a.byte[15] = (uint8_t)(100 + i);
            connect_to(w, bk_addr_format(&a, who), 1);
            assert_true(in_use(w, BK_POOL_FRAMES) <= 4);
        }
        assert_int_equal(count(w, BK_REASON_DROP_UNRESOLVED), 8);
        assert_int_equal(in_use(w, BK_POOL_FRAMES), 4);
        pass(w, 4 * SECOND);
        assert_int_equal(in_use(w, BK_POOL_FRAMES), 0);
        world_close(w);
    }
}

/* RFC 4861 7.2.2: the gateway is resolved, not the destination. */
static void gateway_is_what_is_resolved(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct world *w = world_open(NULL);
        settle(w);
        bk_addr any = ip(is_ipv4(f->us) ? "0.0.0.0" : "::"), router = ip(f->router);
        assert_int_equal(bk_route_add(w->stack, &any, 0, &router, 0), 0);
        connect_to(w, f->far, 1);
        expect_sent(w, f->ask);
        answers(w, f->router, other_mac, f->us);
        assert_syn_to(w, other_mac);
        connect_to(w, f->far, 2);
        assert_syn_to(w, other_mac);
        expect_silence(w);
        world_close(w);
    }
}

/* At the capacity: the oldest question gives way to a new one; where all neighbours are in use, none does. */
static void full_cache_has_a_defined_answer(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct world *w = world_open(&(struct world_options){.neighbours = 2});
        settle(w);
        connect_to(w, f->peer, 1);
        connect_to(w, f->other, 1);
        connect_to(w, f->router, 1);
        for (int i = 0; i < 3; i++) expect_sent(w, f->ask);
        assert_int_equal(count(w, BK_REASON_DROP_UNRESOLVED), 1);
        answers(w, f->peer, peer_mac, f->us); /* too late */
        expect_silence(w);
        answers(w, f->other, other_mac, f->us);
        assert_syn_to(w, other_mac);
        answers(w, f->router, peer_mac, f->us);
        assert_syn_to(w, peer_mac);
        connect_to(w, f->peer, 2);
        expect_silence(w);
        assert_int_equal(count(w, BK_REASON_DROP_NO_NEIGHBOUR), 1);
        pass(w, 46 * SECOND); /* and when they are so no longer: */
        connect_to(w, f->peer, 3);
        expect_sent(w, f->ask);
        world_close(w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arp_request_is_answered_and_learnt),
        cmocka_unit_test(solicitation_is_answered_and_learnt),
        cmocka_unit_test(arp_between_others_is_not_learnt),
        cmocka_unit_test(arp_probe_is_answered),
        cmocka_unit_test(arp_of_impossible_sender_is_dropped),
        cmocka_unit_test(packets_wait_for_resolution),
        cmocka_unit_test(newest_packets_wait_for_resolution),
        cmocka_unit_test(one_neighbour_holds_so_many_frames),
        cmocka_unit_test(resolution_gives_up_after_three),
        cmocka_unit_test(silent_neighbour_is_probed_and_dropped),
        cmocka_unit_test(probe_that_is_answered_keeps_the_neighbour),
        cmocka_unit_test(progress_of_tcp_confirms_the_neighbour),
        cmocka_unit_test(advertisement_changes_the_entry),
        cmocka_unit_test(advertisement_without_use_is_dropped),
        cmocka_unit_test(arp_updates_a_known_entry),
        cmocka_unit_test(strangers_do_not_push_out_neighbours_in_use),
        cmocka_unit_test(frames_that_wait_are_bounded),
        cmocka_unit_test(gateway_is_what_is_resolved),
        cmocka_unit_test(full_cache_has_a_defined_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Shows duplicate address detection, router discovery and autoconfiguration, and what discovery messages are refused. */
#include "net_fixture.h"

#define OUR_LINK_LOCAL "fe80::ff:fe00:1"

static const struct world_options autoconfigured = {.autoconfigure = true, .no_ipv4 = true, .no_ipv6 = true};
static const struct world_options bare = {.no_ipv4 = true, .no_ipv6 = true};

static void add(struct world *w, const char *addr, bool skip_dad) {
    bk_addr a = ip(addr);
    assert_int_equal(bk_iface_address_add(w->stack, 0, &a, 64, skip_dad, w->now), 0);
}
/* A solicitation in which another node looks whether `target` is free. */
static uint16_t probes(struct world *w, const char *target, const uint8_t *nonce) {
    bk_addr a = ip(target);
    struct line l = {.src = ip("::"), .dst = wire_addr_solicited_node(&a), .src_mac = peer_mac, .dst_mac = our_mac};
    struct wire_neighbor m = {.target = a, .has_nonce = nonce != NULL};
    if (nonce != NULL) memcpy(m.nonce, nonce, 6);
    return arrives_neighbor(w, l, WIRE_ICMPV6_NEIGHBOR_SOLICITATION, &m);
}
/* An advertisement to all nodes that `target` is the peer's. */
static uint16_t claims(struct world *w, const char *target) {
    struct line l = {.src = ip(target), .dst = ip("ff02::1"), .src_mac = peer_mac, .dst_mac = our_mac};
    struct wire_neighbor m = {.target = ip(target), .override = true, .has_mac = true};
    memcpy(m.mac, peer_mac, 6);
    return arrives_neighbor(w, l, WIRE_ICMPV6_NEIGHBOR_ADVERTISEMENT, &m);
}
/* Lets the random delay of at most a second before DAD pass, step by step, until the solicitation is out. */
static struct wire_neighbor await_dad(struct world *w) {
    const struct out *o;
    for (int i = 0; (o = sent(w, BK_REASON_SEND_DAD)) == NULL; i++) {
        assert_true(i <= 1000);
        pass(w, MILLISECOND);
    }
    struct seen s = look(w, o);
    struct wire_neighbor m;
    assert_int_equal(wire_neighbor_parse(s.payload, s.length, &m), BK_REASON_NONE);
    assert_true(checksum_right(&s));
    assert_int_equal(s.hop_limit, 255);
    assert_addr(&s.src, "::");
    bk_addr group = wire_addr_solicited_node(&m.target);
    assert_true(bk_addr_equal(&s.dst, &group));
    assert_false(m.has_mac);
    return m;
}
/* The usual router: for half an hour, with one prefix to form addresses under. */
static struct wire_ra router(void) {
    struct wire_ra ra = {.router_lifetime_s = 1800, .has_mac = true, .prefix_count = 1};
    memcpy(ra.mac, peer_mac, 6);
    ra.prefix[0] = (struct wire_ra_prefix){.prefix = ip("2001:db8:1::"),
                                           .length = 64,
                                           .on_link = true,
                                           .autonomous = true,
                                           .valid_s = 86400,
                                           .preferred_s = 14400};
    return ra;
}
#define FORMED "2001:db8:1:0:0:ff:fe00:1"
/* An interface that has configured itself and has no router yet. */
static struct world *configured(void) {
    struct world *w = world_open(&autoconfigured);
    pass(w, 20 * SECOND);
    assert_int_equal(address_state(w, OUR_LINK_LOCAL), 1);
    forget(w);
    return w;
}

/* ---- duplicate address detection ---- */

/* RFC 4862 5.4.2: "an interface MUST join the all-nodes multicast address and the solicited-node multicast address of the
 * tentative address", after a random delay; 5.4: "An address is considered unique if none of the tests indicate the presence of a
 * duplicate address within RetransTimer milliseconds after having sent DupAddrDetectTransmits Neighbor Solicitations." */
static void address_is_tentative_until_nobody_objects(void **state) {
    (void)state;
    struct world *w = world_open(&bare);
    add(w, "2001:db8::7", false);
    assert_int_equal(address_state(w, "2001:db8::7"), 0);
    struct wire_neighbor m = await_dad(w);
    assert_addr(&m.target, "2001:db8::7");
    assert_true(m.has_nonce);
    assert_int_equal(w->out[0].reason, BK_REASON_SEND_MLD_REPORT); /* joined first */
    pass(w, SECOND - MILLISECOND);
    assert_int_equal(address_state(w, "2001:db8::7"), 0);
    pass(w, MILLISECOND);
    assert_int_equal(address_state(w, "2001:db8::7"), 1);
    world_close(w);
}

/* RFC 4862 2: "An interface discards received packets addressed to a tentative address"; 5.4.3: from a unicast address "the
 * solicitation's sender is performing address resolution on the target; the solicitation should be silently ignored." */
static void tentative_address_is_neither_answered_for_nor_used(void **state) {
    (void)state;
    struct world *w = world_open(&bare);
    add(w, "2001:db8::7", false);
    await_dad(w);
    forget(w);
    uint8_t echo[8] = {WIRE_ICMPV6_ECHO};
    struct line l = line("2001:db8::2", "2001:db8::7");
    assert_reason(arrives_icmp(w, &l, echo, sizeof echo), DROP_IP_DESTINATION);
    l = line("2001:db8::2", "ff02::1:ff00:7");
    struct wire_neighbor m = {.target = ip("2001:db8::7"), .has_mac = true};
    memcpy(m.mac, peer_mac, 6);
    assert_reason(arrives_neighbor(w, l, WIRE_ICMPV6_NEIGHBOR_SOLICITATION, &m), DROP_ND_STRANGER);
    assert_int_equal(connect_to(w, "2001:db8::2", 1), -99); /* no address to speak from */
    expect_silence(w);
    world_close(w);
}

/* RFC 4862 5.4.4: "If the target address is tentative, the tentative address is not unique." */
static void advertisement_ends_a_tentative_address(void **state) {
    (void)state;
    struct world *w = world_open(&bare);
    add(w, "2001:db8::7", false);
    await_dad(w);
    assert_reason(claims(w, "2001:db8::7"), ACCEPT_DAD_CONFLICT);
    assert_int_equal(address_state(w, "2001:db8::7"), 2);
    pass(w, 10 * SECOND);
    assert_int_equal(address_state(w, "2001:db8::7"), 2);
    world_close(w);
}

/* RFC 4862 5.4.3: if another node solicits from the unspecified address, "the tentative address is a duplicate and should
 * not be used". RFC 7527 4.2: one that carries our own nonce is our own, looped back. */
static void solicitation_ends_a_tentative_address_unless_it_is_ours(void **state) {
    (void)state;
    struct world *w = world_open(&bare);
    add(w, "2001:db8::7", false);
    struct wire_neighbor own = await_dad(w);
    assert_reason(probes(w, "2001:db8::7", own.nonce), DROP_ND_STRANGER);
    assert_int_equal(address_state(w, "2001:db8::7"), 0);
    assert_reason(probes(w, "2001:db8::7", NULL), ACCEPT_DAD_CONFLICT);
    assert_int_equal(address_state(w, "2001:db8::7"), 2);
    world_close(w);
}

/* RFC 4861 7.2.4: "If the source of the solicitation is the unspecified address, the node MUST set the Solicited flag to zero and
 * multicast the advertisement to the all-nodes address." */
static void address_in_use_is_defended(void **state) {
    (void)state;
    struct world *w = world_open(NULL);
    settle(w);
    assert_reason(probes(w, "2001:db8::1", NULL), ACCEPT_NEIGHBOR_SOLICITATION);
    struct seen s = look(w, expect_sent(w, BK_REASON_SEND_NEIGHBOR_ADVERTISEMENT));
    struct wire_neighbor m;
    assert_int_equal(wire_neighbor_parse(s.payload, s.length, &m), BK_REASON_NONE);
    assert_addr(&s.dst, "ff02::1");
    assert_memory_equal(s.link.dst, "\x33\x33\0\0\0\x01", 6);
    assert_false(m.solicited);
    assert_true(m.override && m.has_mac);
    expect_silence(w);
    assert_int_equal(address_state(w, "2001:db8::1"), 1);
    assert_reason(claims(w, "2001:db8::1"), DROP_IP_SOURCE); /* no claim takes it away */
    assert_int_equal(address_state(w, "2001:db8::1"), 1);
    world_close(w);
}

/* RFC 4862 5.4.5: "If the address is a link-local address formed from an interface identifier based on the hardware address
 * ... IP operation on the interface SHOULD be disabled." */
static void duplicate_link_local_address_stops_autoconfiguration(void **state) {
    (void)state;
    struct world *w = world_open(&autoconfigured);
    struct wire_neighbor m = await_dad(w);
    assert_addr(&m.target, OUR_LINK_LOCAL);
    assert_reason(claims(w, OUR_LINK_LOCAL), ACCEPT_DAD_CONFLICT);
    pass(w, 20 * SECOND);
    assert_null(sent(w, BK_REASON_SEND_ROUTER_SOLICITATION));
    struct wire_ra ra = router();
    assert_reason(arrives_ra(w, &ra), DROP_ND_STRANGER);
    assert_int_equal(address_state(w, FORMED), -1);
    world_close(w);
}

/* ---- routers ---- */

/* RFC 4861 6.3.7: "a host SHOULD transmit up to MAX_RTR_SOLICITATIONS Router Solicitation messages, each separated by at
 * least RTR_SOLICITATION_INTERVAL seconds." */
static void routers_are_solicited_three_times(void **state) {
    (void)state;
    struct world *w = world_open(&autoconfigured);
    await_dad(w);
    pass(w, SECOND);
    for (int i = 0; i < 3; i++) {
        struct seen s = look(w, expect_sent(w, BK_REASON_SEND_ROUTER_SOLICITATION));
        assert_addr(&s.src, OUR_LINK_LOCAL);
        assert_addr(&s.dst, "ff02::2");
        assert_int_equal(s.hop_limit, 255);
        assert_int_equal(s.payload[0], WIRE_ICMPV6_ROUTER_SOLICITATION);
        assert_int_equal(s.payload[8], 1); /* source link-layer address */
        assert_memory_equal(s.payload + 10, our_mac, 6);
        assert_true(checksum_right(&s));
        pass(w, 4 * SECOND - 1);
        assert_null(sent(w, BK_REASON_SEND_ROUTER_SOLICITATION));
        pass(w, 1);
    }
    pass(w, 60 * SECOND);
    assert_null(sent(w, BK_REASON_SEND_ROUTER_SOLICITATION));
    world_close(w);
}

/* RFC 4861 6.3.7: "Once the host sends a Router Solicitation, and receives a valid Router Advertisement with a non-zero Router
 * Lifetime, the host MUST desist from sending additional solicitations". */
static void advertisement_ends_solicitation(void **state) {
    (void)state;
    struct world *w = world_open(&autoconfigured);
    await_dad(w);
    pass(w, SECOND);
    expect_sent(w, BK_REASON_SEND_ROUTER_SOLICITATION);
    struct wire_ra ra = router();
    assert_reason(arrives_ra(w, &ra), ACCEPT_ROUTER_ADVERTISEMENT);
    pass(w, 20 * SECOND);
    assert_null(sent(w, BK_REASON_SEND_ROUTER_SOLICITATION));
    world_close(w);
}

/* RFC 4862 5.5.3 d: an address is formed "by combining the advertised prefix with an interface identifier of the link"; RFC 4861 6.3.4: the
 * router is a default router, its link-layer address is taken from the advertisement. */
static void advertisement_gives_address_and_router(void **state) {
    (void)state;
    struct world *w = configured();
    struct wire_ra ra = router();
    assert_int_equal(connect_to(w, "2001:db8:9::1", 1), -101);
    assert_reason(arrives_ra(w, &ra), ACCEPT_ROUTER_ADVERTISEMENT);
    assert_int_equal(address_state(w, FORMED), 0);
    pass(w, 3 * SECOND);
    assert_int_equal(address_state(w, FORMED), 1);
    forget(w);
    assert_int_equal(connect_to(w, "2001:db8:9::1", 1), 0);
    struct seen s = look(w, expect_sent(w, BK_REASON_SEND_SYN));
    assert_memory_equal(s.link.dst, peer_mac, 6);
    assert_addr(&s.src, FORMED);
    expect_silence(w);
    assert_int_equal(connect_to(w, "2001:db8:1::5", 1), 0); /* the prefix is on-link */
    s = look(w, expect_sent(w, BK_REASON_SEND_NEIGHBOR_SOLICITATION));
    assert_addr(&s.dst, "ff02::1:ff00:5");
    expect_silence(w);
    world_close(w);
}

/* RFC 4861 6.3.4: "If ... the received Router Lifetime value is zero, immediately time-out the entry"; 6.3.5: "Whenever the Lifetime
 * of an entry in the Default Router List expires, that entry is discarded." */
static void router_expires(void **state) {
    (void)state;
    struct world *w = configured();
    struct wire_ra ra = router();
    arrives_ra(w, &ra);
    pass(w, 3 * SECOND);
    assert_int_equal(connect_to(w, "2001:db8:9::1", 1), 0);
    ra.router_lifetime_s = 0;
    assert_reason(arrives_ra(w, &ra), ACCEPT_ROUTER_ADVERTISEMENT);
    assert_int_equal(connect_to(w, "2001:db8:9::1", 2), -101);
    ra.router_lifetime_s = 30;
    arrives_ra(w, &ra);
    assert_int_equal(connect_to(w, "2001:db8:9::1", 3), 0);
    pass(w, 30 * SECOND);
    assert_int_equal(connect_to(w, "2001:db8:9::1", 4), -101);
    world_close(w);
}

/* RFC 4861 7.2.5: "In those cases where the IsRouter flag changes from TRUE to FALSE as a result of this update, the node
 * MUST remove that router from the Default Router List". */
static void router_that_becomes_a_host_is_no_gateway(void **state) {
    (void)state;
    struct world *w = configured();
    struct wire_ra ra = router();
    arrives_ra(w, &ra);
    pass(w, 3 * SECOND);
    struct wire_neighbor m = {.target = ip("fe80::2"), .router = true, .override = true, .has_mac = true};
    memcpy(m.mac, peer_mac, 6);
    struct line l = line("fe80::2", OUR_LINK_LOCAL);
    assert_reason(arrives_neighbor(w, l, WIRE_ICMPV6_NEIGHBOR_ADVERTISEMENT, &m), ACCEPT_NEIGHBOR_ADVERTISEMENT);
    assert_int_equal(connect_to(w, "2001:db8:9::1", 1), 0);
    m.router = false;
    arrives_neighbor(w, l, WIRE_ICMPV6_NEIGHBOR_ADVERTISEMENT, &m);
    assert_int_equal(connect_to(w, "2001:db8:9::1", 2), -101);
    world_close(w);
}

/* RFC 4861 6.3.4: MTU, Cur Hop Limit and Retrans Timer are taken over where they are given and possible. */
static void advertisement_sets_the_links_parameters(void **state) {
    (void)state;
    struct world *w = configured();
    struct wire_ra ra = router();
    ra.hop_limit = 31;
    ra.retrans_ms = 250;
    ra.mtu = 1400;
    arrives_ra(w, &ra);
    pass(w, 3 * SECOND);
    forget(w);
    connect_to(w, "2001:db8:9::1", 1);
    struct seen s = look(w, expect_sent(w, BK_REASON_SEND_SYN));
    assert_int_equal(s.hop_limit, 31);
    struct wire_tcp t;
    assert_int_equal(wire_tcp_parse(s.payload, s.length, &t), BK_REASON_NONE);
    assert_int_equal(t.option.mss, 1400 - 60);
    ra.mtu = 1000; /* less than IPv6 allows */
    arrives_ra(w, &ra);
    connect_to(w, "2001:db8:9::1", 2);
    s = look(w, expect_sent(w, BK_REASON_SEND_SYN));
    assert_int_equal(wire_tcp_parse(s.payload, s.length, &t), BK_REASON_NONE);
    assert_int_equal(t.option.mss, 1400 - 60);
    connect_to(w, "2001:db8:1::5", 1);
    expect_sent(w, BK_REASON_SEND_NEIGHBOR_SOLICITATION);
    pass(w, 250 * MILLISECOND);
    expect_sent(w, BK_REASON_SEND_NEIGHBOR_SOLICITATION);
    world_close(w);
}

/* A hop limit that was configured is not for routers to change. */
static void configured_hop_limit_stays(void **state) {
    (void)state;
    struct world *w = world_open(&(struct world_options){.autoconfigure = true, .hop_limit = 99});
    settle(w);
    struct wire_ra ra = router();
    ra.hop_limit = 31;
    arrives_ra(w, &ra);
    pass(w, 3 * SECOND);
    forget(w);
    connect_to(w, "2001:db8:9::1", 1);
    assert_int_equal(look(w, expect_sent(w, BK_REASON_SEND_SYN)).hop_limit, 99);
    world_close(w);
}

/* RFC 4862 5.5.3 c, d and RFC 4861 6.3.4: prefixes that no address is formed under. */
static void impossible_prefixes_are_ignored(void **state) {
    (void)state;
    static const struct {
        const char *prefix, *formed;
        uint8_t length;
        bool autonomous;
        uint32_t valid_s, preferred_s;
    } rows[] = {
        {"2001:db8:1::", FORMED, 64, true, 100, 200},  /* "preferred lifetime is greater than the valid lifetime" */
        {"2001:db8:1::", FORMED, 48, true, 200, 100},  /* "the sum ... does not equal 128 bits" */
        {"2001:db8:1::", FORMED, 64, false, 200, 100}, /* "If the Autonomous flag is not set" */
        {"2001:db8:1::", FORMED, 64, true, 0, 0},      /* "if the Valid Lifetime is not 0" */
        {"ff02::", "ff02::ff:fe00:1", 64, true, 200, 100},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world *w = configured();
        struct wire_ra ra = router();
        ra.prefix[0] = (struct wire_ra_prefix){.prefix = ip(rows[i].prefix),
                                               .length = rows[i].length,
                                               .autonomous = rows[i].autonomous,
                                               .valid_s = rows[i].valid_s,
                                               .preferred_s = rows[i].preferred_s};
        assert_reason(arrives_ra(w, &ra), ACCEPT_ROUTER_ADVERTISEMENT);
        assert_int_equal(address_state(w, rows[i].formed), -1);
        world_close(w);
    }
}

/* How long the formed address lives on after an advertisement with `valid_s`, when it had `before_s`; seconds. */
static uint64_t lifetime_after(uint32_t before_s, uint32_t valid_s) {
    struct world *w = configured();
    struct wire_ra ra = router();
    ra.prefix[0].valid_s = before_s;
    ra.prefix[0].preferred_s = 0;
    arrives_ra(w, &ra);
    ra.prefix[0].valid_s = valid_s;
    arrives_ra(w, &ra);
    uint64_t start = w->now;
    while (address_state(w, FORMED) >= 0) {
        assert_true(w->now - start < 100000 * SECOND);
        forget(w);
        pass(w, SECOND);
    }
    uint64_t lived = (w->now - start) / SECOND;
    world_close(w);
    return lived;
}
/* RFC 4862 5.5.3 e: "1. If the received Valid Lifetime is greater than 2 hours or greater than RemainingLifetime, set the valid
 * lifetime ... 2. If RemainingLifetime is less than or equal to 2 hours, ignore ... 3. Otherwise, set the valid
 * lifetime of the corresponding address to 2 hours." And past it the address is gone (5.5.4). */
static void lifetimes_are_not_cut_below_two_hours(void **state) {
    (void)state;
    assert_int_equal(lifetime_after(20000, 8000), 8000);
    assert_int_equal(lifetime_after(100, 200), 200);
    assert_int_equal(lifetime_after(5000, 10), 5000);
    assert_int_equal(lifetime_after(20000, 10), 7200);
    assert_int_equal(lifetime_after(7200, 0), 7200);
}

/* RFC 4861 6.1.2: what makes a router advertisement invalid. */
static void invalid_advertisements_of_routers_are_dropped(void **state) {
    (void)state;
    struct world *w = configured();
    struct wire_ra ra = router();
    uint8_t m[160];
    size_t n = wire_ra_emit(m, &ra);
    struct line good = line("fe80::2", "ff02::1"), l = good;
    good.hop_limit = l.hop_limit = 255;
    l.hop_limit = 254; /* "The IP Hop Limit field has a value of 255" */
    assert_reason(arrives_icmp(w, &l, m, n), DROP_ND_BAD);
    l = good;
    l.src = ip("2001:db8::2"); /* "IP Source Address is a link-local address" */
    assert_reason(arrives_icmp(w, &l, m, n), DROP_ND_BAD);
    m[1] = 1; /* "ICMP Code is 0" */
    assert_reason(arrives_icmp(w, &good, m, n), DROP_ND_BAD);
    m[1] = 0;
    assert_reason(arrives_icmp(w, &good, m, 12),
                  DROP_ND_BAD); /* "ICMP length (derived from the IP length) is 16 or more octets" */
    m[17] = 0;                  /* "All included options have a length that is greater than zero" */
    assert_reason(arrives_icmp(w, &good, m, n), DROP_ND_BAD);
    m[17] = 1;
    struct pen f;
    icmp(w, &f, &good, m, n);
    f.bytes[f.length - 1] ^= 1; /* "ICMP Checksum is valid" */
    assert_reason(arrives(w, &f), DROP_ICMP_BAD);
    assert_int_equal(address_state(w, FORMED), -1);
    assert_reason(arrives_icmp(w, &good, m, n), ACCEPT_ROUTER_ADVERTISEMENT);
    uint8_t solicitation[8] = {WIRE_ICMPV6_ROUTER_SOLICITATION};
    assert_reason(arrives_icmp(w, &good, solicitation, 8), DROP_ND_STRANGER); /* 6.2.6 is for routers */
    world_close(w);
}

/* RFC 4861 7.1.1 and 7.1.2: what makes a neighbour solicitation or advertisement invalid. */
static void invalid_neighbour_messages_are_dropped(void **state) {
    (void)state;
    struct world *w = world_open(NULL);
    settle(w);
    const struct line to_us = {ip("2001:db8::2"), ip("2001:db8::1"), peer_mac, our_mac, 255};
    struct wire_neighbor m = {.target = ip("2001:db8::1")};
    uint8_t b[64];
    size_t n = wire_neighbor_emit(b, WIRE_ICMPV6_NEIGHBOR_SOLICITATION, &m);
    struct line l = to_us;
    l.hop_limit = 64;
    assert_reason(arrives_icmp(w, &l, b, n), DROP_ND_BAD);
    b[1] = 3;
    assert_reason(arrives_icmp(w, &to_us, b, n), DROP_ND_BAD);
    b[1] = 0;
    assert_reason(arrives_icmp(w, &to_us, b, 20), DROP_ND_BAD);
    m.target = ip("ff02::1"); /* "Target Address is not a multicast address" */
    assert_reason(arrives_neighbor(w, to_us, WIRE_ICMPV6_NEIGHBOR_SOLICITATION, &m), DROP_ND_BAD);
    assert_reason(arrives_neighbor(w, to_us, WIRE_ICMPV6_NEIGHBOR_ADVERTISEMENT, &m), DROP_ND_BAD);
    m.target = ip("2001:db8::1");
    /* "If the IP source address is the unspecified address, the IP destination address is a solicited-node multicast
     * address [and] there is no source link-layer address option in the message." */
    l = to_us;
    l.src = ip("::");
    assert_reason(arrives_neighbor(w, l, WIRE_ICMPV6_NEIGHBOR_SOLICITATION, &m), DROP_ND_BAD);
    l.dst = ip("ff02::1:ff00:1");
    m.has_mac = true;
    memcpy(m.mac, peer_mac, 6);
    assert_reason(arrives_neighbor(w, l, WIRE_ICMPV6_NEIGHBOR_SOLICITATION, &m), DROP_ND_BAD);
    /* "If the IP Destination Address is a multicast address the Solicited flag is zero." */
    m.target = ip("2001:db8::2");
    m.solicited = true;
    l = to_us;
    l.dst = ip("ff02::1");
    assert_reason(arrives_neighbor(w, l, WIRE_ICMPV6_NEIGHBOR_ADVERTISEMENT, &m), DROP_ND_BAD);
    /* For somebody else's address (7.2.3). */
    m = (struct wire_neighbor){.target = ip("2001:db8::9")};
    assert_reason(arrives_neighbor(w, to_us, WIRE_ICMPV6_NEIGHBOR_SOLICITATION, &m), DROP_ND_STRANGER);
    expect_silence(w);
    world_close(w);
}

/* ---- multicast listener reports ---- */

/* Asks which groups we are in, within a second. */
static uint16_t queries(struct world *w, const char *group, uint8_t hop_limit, const char *src) {
    uint8_t m[28] = {WIRE_ICMPV6_MLD_QUERY, [4] = 0x03, [5] = 0xe8};
    bk_addr a = ip(group);
    memcpy(m + 8, a.byte, 16);
    struct line l = line(src, "ff02::1");
    l.hop_limit = hop_limit;
    return arrives_icmp(w, &l, m, sizeof m);
}

/* RFC 3810 6.1: a join is reported, and again [Robustness Variable] - 1 times; 5.2: to ff02::16 with hop limit 1 and a Router
 * Alert option. 6.2: a query is answered after a random delay within the Maximum Response Delay. */
static void groups_are_reported(void **state) {
    (void)state;
    struct world *w = world_open(&(struct world_options){.no_ipv4 = true});
    pass(w, 3 * SECOND);
    for (int i = 0; i < 2; i++) {
        struct seen s = look(w, expect_sent(w, BK_REASON_SEND_MLD_REPORT));
        assert_addr(&s.dst, "ff02::16");
        assert_int_equal(s.hop_limit, 1);
        assert_int_equal(s.protocol, WIRE_HOP_BY_HOP);
        assert_memory_equal(s.payload, "\x3a\0\x05\x02\0\0\x01\0", 8);
        s.payload += 8;
        s.length -= 8;
        s.protocol = WIRE_ICMPV6;
        assert_true(checksum_right(&s));
        assert_int_equal(s.payload[0], WIRE_ICMPV6_MLD2_REPORT);
        assert_int_equal(get_be16(s.payload + 6), 1);
        assert_int_equal(s.payload[8], 4); /* CHANGE_TO_EXCLUDE_MODE */
        bk_addr group = ip("ff02::1:ff00:1");
        assert_memory_equal(s.payload + 12, group.byte, 16);
    }
    expect_silence(w);
    assert_reason(queries(w, "::", 1, "fe80::2"), ACCEPT_MLD_QUERY);
    pass(w, SECOND);
    struct seen s = look(w, expect_sent(w, BK_REASON_SEND_MLD_REPORT));
    assert_int_equal(s.payload[16], 2); /* MODE_IS_EXCLUDE */
    assert_reason(queries(w, "ff02::1:ff00:1", 1, "fe80::2"), ACCEPT_MLD_QUERY);
    pass(w, SECOND);
    expect_sent(w, BK_REASON_SEND_MLD_REPORT);
    assert_reason(queries(w, "ff02::1:ff00:9", 1, "fe80::2"), DROP_ICMP_TYPE); /* not our group */
    assert_reason(queries(w, "::", 64, "fe80::2"), DROP_ICMP_BAD);
    assert_reason(queries(w, "::", 1, "2001:db8::2"), DROP_ICMP_BAD);
    pass(w, 3 * SECOND);
    expect_silence(w);
    world_close(w);
}

/* RFC 4861 6.3.2: "ReachableTime ... should be a uniformly distributed random value between MIN_RANDOM_FACTOR and MAX_RANDOM_FACTOR times
 * BaseReachableTime"; 6.3.4: which a router may set. */
static void advertisement_sets_the_reachable_time(void **state) {
    (void)state;
    struct world *w = configured();
    struct wire_ra ra = router();
    ra.reachable_ms = 2000;
    arrives_ra(w, &ra);
    pass(w, 3 * SECOND);
    connect_to(w, "2001:db8:1::5", 1);
    struct wire_neighbor m = {.target = ip("2001:db8:1::5"), .solicited = true, .override = true, .has_mac = true};
    memcpy(m.mac, peer_mac, 6);
    struct line l = line("2001:db8:1::5", FORMED);
    assert_reason(arrives_neighbor(w, l, WIRE_ICMPV6_NEIGHBOR_ADVERTISEMENT, &m), ACCEPT_NEIGHBOR_ADVERTISEMENT);
    forget(w);
    pass(w, 900 * MILLISECOND); /* half of it has not passed yet */
    connect_to(w, "2001:db8:1::5", 2);
    pass(w, 6 * SECOND);
    assert_null(sent(w, BK_REASON_SEND_NEIGHBOR_PROBE));
    connect_to(w, "2001:db8:1::5", 3); /* one and a half of it have */
    pass(w, 5 * SECOND);
    expect_sent(w, BK_REASON_SEND_NEIGHBOR_PROBE);
    world_close(w);
}

/* A layer-3 link has no MAC to make an identifier of, and nobody who could have the same; it finds its router all the same. */
static void layer_3_link_configures_itself(void **state) {
    (void)state;
    struct world *w =
        world_open(&(struct world_options){.layer3 = true, .autoconfigure = true, .no_ipv4 = true, .no_ipv6 = true});
    struct bk_iface_address a;
    assert_true(bk_iface_address_get(w->stack, 0, &a));
    assert_int_equal(a.state, 1);
    assert_true(wire_addr_is_link_local(&a.addr));
    pass(w, SECOND);
    struct seen s = look(w, expect_sent(w, BK_REASON_SEND_ROUTER_SOLICITATION));
    assert_true(bk_addr_equal(&s.src, &a.addr));
    assert_int_equal(s.length, 8); /* no link-layer address */
    expect_silence(w);
    struct wire_ra ra = router();
    ra.has_mac = false;
    assert_reason(arrives_ra(w, &ra), ACCEPT_ROUTER_ADVERTISEMENT);
    assert_true(bk_iface_address_get(w->stack, 1, &a));
    assert_int_equal(a.state, 1);
    assert_int_equal(connect_to(w, "2001:db8:9::1", 1), 0);
    s = look(w, expect_sent(w, BK_REASON_SEND_SYN));
    assert_true(bk_addr_equal(&s.src, &a.addr));
    struct wire_neighbor m = {.target = a.addr, .has_mac = true};
    struct line l = {.src = ip("fe80::2"), .dst = a.addr};
    assert_reason(arrives_neighbor(w, l, WIRE_ICMPV6_NEIGHBOR_SOLICITATION, &m), DROP_ND_STRANGER);
    expect_silence(w);
    world_close(w);
}

/* RFC 4861 7.2.4: "it is possible that a node sending a solicited Neighbor Advertisement does not have a corresponding link-layer address for its
 * neighbor in its Neighbor Cache. In such situations, a node will first have to use Neighbor Discovery". */
static void solicitation_without_link_address_is_answered(void **state) {
    (void)state;
    struct world *w = world_open(NULL);
    settle(w);
    struct wire_neighbor m = {.target = ip("2001:db8::1")};
    struct line l = line("2001:db8::2", "2001:db8::1");
    assert_reason(arrives_neighbor(w, l, WIRE_ICMPV6_NEIGHBOR_SOLICITATION, &m), ACCEPT_NEIGHBOR_SOLICITATION);
    expect_sent(w, BK_REASON_SEND_NEIGHBOR_SOLICITATION);
    expect_silence(w);
    m = (struct wire_neighbor){.target = ip("2001:db8::2"), .solicited = true, .override = true, .has_mac = true};
    memcpy(m.mac, peer_mac, 6);
    arrives_neighbor(w, l, WIRE_ICMPV6_NEIGHBOR_ADVERTISEMENT, &m);
    struct seen s = look(w, expect_sent(w, BK_REASON_SEND_NEIGHBOR_ADVERTISEMENT));
    assert_memory_equal(s.link.dst, peer_mac, 6);
    assert_int_equal(s.hop_limit, 255);
    assert_true(checksum_right(&s));
    world_close(w);
}

/* Many groups take several reports; addresses that share a group share its record. RFC 3810 5.1.3: a response code of 0x8000 and more is
 * (mant | 0x1000) << (exp + 3). */
static void every_group_is_reported_once(void **state) {
    (void)state;
    struct world *w = world_open(&(struct world_options){.no_ipv4 = true, .no_ipv6 = true});
    static const char *const addresses[] = {"2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4",
                                            "2001:db8:1::4"};
    for (size_t i = 0; i < 5; i++) add(w, addresses[i], true);
    settle(w);
    uint8_t q[28] = {WIRE_ICMPV6_MLD_QUERY, [4] = 0x80, [5] = 0x01}; /* 0x1001 << 3: 32.8 s */
    struct line l = line("fe80::2", "ff02::1");
    l.hop_limit = 1;
    assert_reason(arrives_icmp(w, &l, q, sizeof q), ACCEPT_MLD_QUERY);
    pass(w, 33 * SECOND);
    uint32_t seen_groups = 0;
    const struct out *o;
    while ((o = sent(w, BK_REASON_SEND_MLD_REPORT)) != NULL) {
        struct seen s = look(w, o);
        uint16_t records = get_be16(s.payload + 14);
        assert_int_equal(s.length, 16 + 20 * records);
        for (uint32_t i = 0; i < records; i++) {
            uint32_t bit = 1u << s.payload[16 + 20 * i + 19];
            assert_int_equal(seen_groups & bit, 0);
            seen_groups |= bit;
        }
    }
    assert_int_equal(seen_groups, 2 + 4 + 8 + 16);
    expect_silence(w);
    world_close(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_is_tentative_until_nobody_objects),
        cmocka_unit_test(tentative_address_is_neither_answered_for_nor_used),
        cmocka_unit_test(advertisement_ends_a_tentative_address),
        cmocka_unit_test(solicitation_ends_a_tentative_address_unless_it_is_ours),
        cmocka_unit_test(address_in_use_is_defended),
        cmocka_unit_test(duplicate_link_local_address_stops_autoconfiguration),
        cmocka_unit_test(routers_are_solicited_three_times),
        cmocka_unit_test(advertisement_ends_solicitation),
        cmocka_unit_test(advertisement_gives_address_and_router),
        cmocka_unit_test(router_expires),
        cmocka_unit_test(router_that_becomes_a_host_is_no_gateway),
        cmocka_unit_test(advertisement_sets_the_links_parameters),
        cmocka_unit_test(configured_hop_limit_stays),
        cmocka_unit_test(impossible_prefixes_are_ignored),
        cmocka_unit_test(lifetimes_are_not_cut_below_two_hours),
        cmocka_unit_test(invalid_advertisements_of_routers_are_dropped),
        cmocka_unit_test(invalid_neighbour_messages_are_dropped),
        cmocka_unit_test(groups_are_reported),
        cmocka_unit_test(advertisement_sets_the_reachable_time),
        cmocka_unit_test(layer_3_link_configures_itself),
        cmocka_unit_test(solicitation_without_link_address_is_answered),
        cmocka_unit_test(every_group_is_reported_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

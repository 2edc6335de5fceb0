/* Shows which way packets take: the longest prefix, a router that answers, and a source that fits. */
#include "net_fixture.h"

#include "net/neighbour.h"

#define NETUNREACH   (-101)
#define ADDRNOTAVAIL (-99)
#define INVAL        (-22)
#define EXIST        (-17)
#define NOSPC        (-28)

static int route(struct world *w, const char *to, uint8_t length, const char *gateway, uint32_t iface) {
    bk_addr addr = ip(to), hop = ip(gateway);
    return bk_route_add(w->stack, &addr, length, &hop, iface);
}
static int address(struct world *w, uint32_t iface, const char *addr, uint8_t length) {
    bk_addr a = ip(addr);
    return bk_iface_address_add(w->stack, iface, &a, length, true, w->now);
}
/* Which address a SYN to `remote` asks the link for, as its text; "" if none does. */
static const char *asked_for(struct world *w, const char *remote, char text[BK_ADDR_TEXT]) {
    static uint16_t port = 1;
    forget(w);
    text[0] = 0;
    if (connect_to(w, remote, port++) != 0) return text;
    const struct out *o = sent(w, BK_REASON_SEND_ARP_REQUEST);
    if (o != NULL) {
        struct wire_arp a;
        assert_int_equal(wire_arp_parse(o->bytes + 14, o->length - 14, &a), BK_REASON_NONE);
        return bk_addr_format(&a.target, text);
    }
    o = sent(w, BK_REASON_SEND_NEIGHBOR_SOLICITATION);
    if (o == NULL) return text;
    struct seen s = look(w, o);
    struct wire_neighbor m;
    assert_int_equal(wire_neighbor_parse(s.payload, s.length, &m), BK_REASON_NONE);
    return bk_addr_format(&m.target, text);
}
/* The source and interface of a SYN to `remote` on links that need no resolution. */
static bk_addr source_for(struct world *w, const char *remote, uint32_t *iface) {
    static uint16_t port = 1;
    forget(w);
    assert_int_equal(connect_to(w, remote, port++), 0);
    const struct out *o = expect_sent(w, BK_REASON_SEND_SYN);
    if (iface != NULL) *iface = o->iface;
    return look(w, o).src;
}
#define assert_source(w, remote, text)                                                                                 \
    do {                                                                                                               \
        bk_addr source = source_for(w, remote, NULL);                                                                  \
        assert_addr(&source, text);                                                                                    \
    } while (0)

/* RFC 1122 3.3.1.1: on the connected network "the datagram is sent directly", otherwise to a gateway; 3.3.1.2 and CIDR (RFC 4632 5.1): the
 * longest matching prefix. */
static void longest_prefix_wins(void **state) {
    (void)state;
    struct world *w = world_open(NULL);
    char t[BK_ADDR_TEXT];
    settle(w);
    assert_string_equal(asked_for(w, "198.51.100.7", t), "");
    assert_int_equal(connect_to(w, "198.51.100.7", 9), NETUNREACH);
    assert_int_equal(route(w, "0.0.0.0", 0, "192.0.2.10", 0), 0);
    assert_int_equal(route(w, "198.51.0.0", 16, "192.0.2.11", 0), 0);
    assert_int_equal(route(w, "198.51.100.0", 24, "192.0.2.12", 0), 0);
    assert_int_equal(route(w, "203.0.113.0", 24, "0.0.0.0", 0), 0); /* on this link, without an address of ours */
    assert_string_equal(asked_for(w, "198.51.100.7", t), "192.0.2.12");
    assert_string_equal(asked_for(w, "198.51.101.7", t), "192.0.2.11");
    assert_string_equal(asked_for(w, "198.52.1.1", t), "192.0.2.10");
    assert_string_equal(asked_for(w, "203.0.113.9", t), "203.0.113.9");
    assert_string_equal(asked_for(w, "192.0.2.77", t), "192.0.2.77");
    assert_int_equal(route(w, "::", 0, "fe80::10", 0), 0);
    assert_int_equal(route(w, "2001:db8:1::", 48, "fe80::11", 0), 0);
    assert_string_equal(asked_for(w, "2001:db8:1:2::3", t), "fe80::11");
    assert_string_equal(asked_for(w, "2001:db8:2::3", t), "fe80::10");
    assert_string_equal(asked_for(w, "2001:db8::77", t), "2001:db8::77");
    world_close(w);
}

/* What routes and addresses are refused, and how many there may be. */
static void impossible_routes_and_addresses_are_refused(void **state) {
    (void)state;
    struct world *w = world_open(NULL);
    assert_int_equal(route(w, "10.0.0.0", 33, "192.0.2.2", 0), INVAL);
    assert_int_equal(route(w, "2001:db8::", 129, "fe80::2", 0), INVAL);
    assert_int_equal(route(w, "10.0.0.0", 8, "192.0.2.2", 1), INVAL); /* no such interface */
    assert_int_equal(route(w, "10.0.0.0", 8, "fe80::2", 0), INVAL);   /* another family */
    assert_int_equal(route(w, "10.0.0.0", 8, "224.0.0.1", 0), INVAL);
    assert_int_equal(route(w, "10.0.0.0", 8, "192.0.2.1", 0), INVAL); /* ourselves */
    assert_int_equal(route(w, "224.0.0.0", 4, "192.0.2.2", 0), INVAL);
    for (int i = 0; i < 8; i++) {
        char text[BK_ADDR_TEXT];
        bk_addr a = bk_addr_ipv4(10, (uint8_t)i, 0, 0);
        assert_int_equal(route(w, bk_addr_format(&a, text), 16, "192.0.2.2", 0), 0);
        assert_int_equal(route(w, text, 16, "192.0.2.2", 0), 0); /* the same again takes no room */
    }
    assert_int_equal(route(w, "10.99.0.0", 16, "192.0.2.2", 0), NOSPC);

    static const char *const impossible[] = {"0.0.0.0",   "::",      "127.0.0.1",      "::1",
                                             "224.0.0.5", "ff02::5", "255.255.255.255"};
    for (size_t i = 0; i < sizeof impossible / sizeof impossible[0]; i++)
        assert_int_equal(address(w, 0, impossible[i], 24), INVAL);
    assert_int_equal(address(w, 1, "192.0.2.5", 24), INVAL);
    assert_int_equal(address(w, 0, "192.0.2.5", 33), INVAL);
    assert_int_equal(address(w, 0, "192.0.2.1", 24), EXIST);
    for (int i = 0; i < 6; i++) {
        char text[BK_ADDR_TEXT];
        bk_addr a = bk_addr_ipv4(192, 0, 2, (uint8_t)(100 + i));
        assert_int_equal(address(w, 0, bk_addr_format(&a, text), 24), 0);
    }
    assert_int_equal(address(w, 0, "192.0.2.200", 24), NOSPC);
    world_close(w);
}

/* What interfaces are refused. */
static void impossible_interfaces_are_refused(void **state) {
    (void)state;
    struct world *w = world_open(NULL);
    const struct bk_iface_config good = {.layer = BK_LAYER_ETHERNET, .mac = {2, 0, 0, 0, 0, 9}, .mtu = 1500};
    struct bk_iface_config c = good;
    c.layer = (enum bk_layer)4;
    assert_int_equal(bk_iface_add(w->stack, &c, w->now), INVAL);
    c = good;
    c.mtu = 575;
    assert_int_equal(bk_iface_add(w->stack, &c, w->now), INVAL);
    c.mtu = 65536;
    assert_int_equal(bk_iface_add(w->stack, &c, w->now), INVAL);
    c = good;
    c.mac[0] = 3; /* a group's */
    assert_int_equal(bk_iface_add(w->stack, &c, w->now), INVAL);
    memset(c.mac, 0, 6);
    assert_int_equal(bk_iface_add(w->stack, &c, w->now), INVAL);
    c = good;
    c.offload = 64;
    assert_int_equal(bk_iface_add(w->stack, &c, w->now), INVAL);
    c = good;
    c.mtu = 1000;
    c.autoconfigure = true; /* RFC 8200 5: IPv6 needs 1,280 */
    assert_int_equal(bk_iface_add(w->stack, &c, w->now), INVAL);
    c.autoconfigure = false;
    assert_int_equal(bk_iface_add(w->stack, &c, w->now), 1);
    assert_int_equal(address(w, 1, "2001:db8:5::1", 64), INVAL);
    assert_int_equal(bk_iface_add(w->stack, &good, w->now), 2);
    assert_int_equal(bk_iface_add(w->stack, &good, w->now), 3);
    assert_int_equal(bk_iface_add(w->stack, &good, w->now), NOSPC);
    world_close(w);
}

/* RFC 6724 5: "Rule 2: Prefer appropriate scope", "Rule 8: Use longest matching prefix"; and the address must be of the outgoing interface
 * (RFC 6724 4 for link-local, here for all). */
static void source_fits_the_destination(void **state) {
    (void)state;
    struct world *w = world_open(&(struct world_options){.layer3 = true});
    assert_int_equal(address(w, 0, "2001:db8:5::1", 64), 0);
    assert_int_equal(address(w, 0, "fe80::5", 64), 0);
    assert_int_equal(address(w, 0, "10.1.0.1", 16), 0);
    assert_int_equal(route(w, "::", 0, "::", 0), 0);
    assert_int_equal(route(w, "0.0.0.0", 0, "0.0.0.0", 0), 0);
    assert_source(w, "2001:db8:5::9", "2001:db8:5::1");
    assert_source(w, "2001:db8::9", "2001:db8::1");
    assert_source(w, "2001:db8:5:ffff::9", "2001:db8:5::1");
    assert_source(w, "fe80::9", "fe80::5");
    assert_source(w, "10.1.77.1", "10.1.0.1");
    assert_source(w, "192.0.2.77", "192.0.2.1");
    world_close(w);
}

/* RFC 6724 5, rule 3: "Avoid deprecated addresses." */
static void deprecated_source_is_avoided(void **state) {
    (void)state;
    struct world *w = world_open(&(struct world_options){.autoconfigure = true, .no_ipv4 = true, .no_ipv6 = true});
    pass(w, 3 * SECOND);
    struct wire_ra ra = {.router_lifetime_s = 9000, .has_mac = true, .prefix_count = 2};
    memcpy(ra.mac, peer_mac, 6);
    for (uint32_t i = 0; i < 2; i++)
        ra.prefix[i] = (struct wire_ra_prefix){.length = 64, .autonomous = true, .valid_s = 9000, .preferred_s = 8000};
    ra.prefix[0].prefix = ip("2001:db8:1::");
    ra.prefix[1].prefix = ip("2001:db8:ffff::");
    arrives_ra(w, &ra);
    pass(w, 3 * SECOND);
    assert_source(w, "2001:db8:1:2::3", "2001:db8:1:0:0:ff:fe00:1");
    ra.prefix[0].preferred_s = 0;
    arrives_ra(w, &ra);
    assert_source(w, "2001:db8:1:2::3", "2001:db8:ffff:0:0:ff:fe00:1");
    world_close(w);
}

/* RFC 1122 3.3.4.2, strong end system model: a source address decides the interface; two interfaces on one wire reach each other. */
static void source_decides_the_interface(void **state) {
    (void)state;
    struct world *w = world_open(&(struct world_options){.layer3 = true});
    uint32_t iface, second = iface_add(w, &(struct world_options){.layer3 = true}, other_mac);
    assert_int_equal(address(w, second, "192.0.2.9", 24), 0);
    bk_addr source = source_for(w, "192.0.2.9", &iface);
    assert_int_equal(iface, 0);
    assert_addr(&source, "192.0.2.1");
    source = source_for(w, "192.0.2.1", &iface);
    assert_int_equal(iface, second);
    assert_addr(&source, "192.0.2.9");

    struct bk_tcp_open open = {.local = ip("192.0.2.9"), .remote = ip("192.0.2.50"), .remote_port = 1};
    bk_conn conn;
    forget(w);
    assert_int_equal(bk_tcp_connect(w->stack, &open, w->now, &conn), 0);
    collect(w);
    assert_int_equal(expect_sent(w, BK_REASON_SEND_SYN)->iface, second);
    open.local = ip("192.0.2.33"); /* nobody's */
    assert_int_equal(bk_tcp_connect(w->stack, &open, w->now, &conn), ADDRNOTAVAIL);
    open.local = ip("192.0.2.9");
    open.remote = ip("198.51.100.1"); /* no way from there */
    assert_int_equal(bk_tcp_connect(w->stack, &open, w->now, &conn), NETUNREACH);
    open.remote = ip("192.0.2.255"); /* a broadcast address */
    assert_int_equal(bk_tcp_connect(w->stack, &open, w->now, &conn), NETUNREACH);
    world_close(w);
}

/* Where every destination is accepted, every source may be used. */
static void accept_any_lends_every_source(void **state) {
    (void)state;
    struct world *w = world_open(&(struct world_options){.layer3 = true, .accept_any = true});
    assert_int_equal(route(w, "0.0.0.0", 0, "0.0.0.0", 0), 0);
    struct bk_tcp_open open = {.local = ip("203.0.113.5"), .remote = ip("10.0.0.9"), .remote_port = 1};
    bk_conn conn;
    assert_int_equal(bk_tcp_connect(w->stack, &open, w->now, &conn), 0);
    collect(w);
    struct seen s = look(w, expect_sent(w, BK_REASON_SEND_SYN));
    assert_addr(&s.src, "203.0.113.5");
    world_close(w);
}

/* RFC 4861 6.3.6: "Routers that are reachable or probably reachable (i.e., in any state other than INCOMPLETE) SHOULD be preferred over routers whose
 * reachability is unknown or suspect"; "When no routers on the list are known to be reachable or probably reachable, routers
 * SHOULD be selected in a round-robin fashion". */
static void silent_gateway_gives_way(void **state) {
    (void)state;
    static const struct {
        const char *any, *far, *routers[2];
    } families[] = {{"0.0.0.0", "198.51.100.1", {"192.0.2.10", "192.0.2.11"}},
                    {"::", "2001:db8:9::1", {"fe80::10", "fe80::11"}}};
    for (int k = 0; k < 2; k++) {
        struct world *w = world_open(NULL);
        char t[BK_ADDR_TEXT];
        settle(w);
        for (int i = 0; i < 2; i++) assert_int_equal(route(w, families[k].any, 0, families[k].routers[i], 0), 0);
        for (int i = 0; i < 5; i++) { /* one after the other, as nobody answers */
            assert_string_equal(asked_for(w, families[k].far, t), families[k].routers[i % 2]);
            pass(w, 4 * SECOND);
        }
        if (k == 0) { /* the first one answers now, and stays in use */
            assert_string_equal(asked_for(w, families[k].far, t), families[k].routers[1]);
            pass(w, 4 * SECOND);
            assert_string_equal(asked_for(w, families[k].far, t), families[k].routers[0]);
            arrives_arp(w, WIRE_ARP_REPLY, families[k].routers[0], peer_mac, "192.0.2.1");
            expect_sent(w, BK_REASON_SEND_SYN);
            assert_string_equal(asked_for(w, families[k].far, t), "");
            struct seen s = look(w, expect_sent(w, BK_REASON_SEND_SYN));
            assert_memory_equal(s.link.dst, peer_mac, 6);
        }
        world_close(w);
    }
}

/* The same sentence: a router whose link-layer address is known is preferred to one of which nothing is. */
static void known_gateway_is_preferred(void **state) {
    (void)state;
    struct world *w = world_open(NULL);
    char t[BK_ADDR_TEXT];
    settle(w);
    assert_int_equal(route(w, "0.0.0.0", 0, "192.0.2.10", 0), 0);
    assert_int_equal(route(w, "0.0.0.0", 0, "192.0.2.11", 0), 0);
    arrives_arp(w, WIRE_ARP_REQUEST, "192.0.2.11", peer_mac, "192.0.2.1");
    assert_string_equal(asked_for(w, "198.51.100.1", t), "");
    struct seen s = look(w, expect_sent(w, BK_REASON_SEND_SYN));
    assert_memory_equal(s.link.dst, peer_mac, 6);
    world_close(w);
}

/* And one that becomes known while another is still being asked for is taken from then on. */
static void gateway_that_becomes_known_is_taken(void **state) {
    (void)state;
    struct world *w = world_open(NULL);
    char t[BK_ADDR_TEXT];
    settle(w);
    assert_int_equal(route(w, "0.0.0.0", 0, "192.0.2.10", 0), 0);
    assert_int_equal(route(w, "0.0.0.0", 0, "192.0.2.11", 0), 0);
    assert_string_equal(asked_for(w, "198.51.100.1", t), "192.0.2.10");
    arrives_arp(w, WIRE_ARP_REQUEST, "192.0.2.11", peer_mac, "192.0.2.1");
    assert_string_equal(asked_for(w, "198.51.100.1", t), "");
    struct seen s = look(w, expect_sent(w, BK_REASON_SEND_SYN));
    assert_memory_equal(s.link.dst, peer_mac, 6);
    world_close(w);
}

/* RFC 4861 6.3.4: an on-link prefix ends with its lifetime, also for a destination that packets went to just before, and also if the end has
 * not been noticed by bk_advance yet. */
static void way_ends_with_its_lifetime(void **state) {
    (void)state;
    struct world_options o = {.autoconfigure = true};
    struct world *w = world_open(&o);
    settle(w);
    struct wire_ra ra = {.prefix_count = 1, .prefix[0] = {ip("2001:db8:7::"), 64, true, false, 2, 2}};
    assert_reason(arrives_ra(w, &ra), ACCEPT_ROUTER_ADVERTISEMENT);
    struct line l = line("2001:db8:7::2", "2001:db8::1");
    struct wire_tcp syn = {.src_port = 9, .dst_port = 9, .seq = 1, .flags = WIRE_SYN, .window = 9};
    assert_reason(arrives_tcp(w, &l, &syn), ANSWER_RST_CLOSED);
    struct wire_neighbor na = {.target = ip("2001:db8:7::2"), .solicited = true, .override = true, .has_mac = true};
    memcpy(na.mac, peer_mac, 6);
    assert_reason(arrives_neighbor(w, l, WIRE_ICMPV6_NEIGHBOR_ADVERTISEMENT, &na), ACCEPT_NEIGHBOR_ADVERTISEMENT);
    expect_sent(w, BK_REASON_SEND_RST_CLOSED);
    assert_reason(arrives_tcp(w, &l, &syn), ANSWER_RST_CLOSED);
    expect_sent(w, BK_REASON_SEND_RST_CLOSED);
    w->now += 3 * SECOND;
    assert_reason(arrives_tcp(w, &l, &syn), ANSWER_RST_CLOSED);
    assert_null(sent(w, BK_REASON_SEND_RST_CLOSED));
    assert_int_equal(count(w, BK_REASON_DROP_NO_ROUTE), 1);
    world_close(w);
}

/* RFC 4861 7.3.1: progress confirms a neighbour to which no route leads, too: a link-local one, known by its interface. */
static void link_local_neighbour_is_confirmed(void **state) {
    (void)state;
    struct world *w = world_open(NULL);
    struct net *n = (struct net *)(void *)w->stack;
    settle(w);
    struct wire_neighbor ns = {.target = ip("2001:db8::1"), .has_mac = true};
    memcpy(ns.mac, peer_mac, 6);
    bk_addr peer = ip("fe80::2");
    assert_reason(arrives_neighbor(w, line("fe80::2", "2001:db8::1"), WIRE_ICMPV6_NEIGHBOR_SOLICITATION, &ns),
                  ACCEPT_NEIGHBOR_SOLICITATION);
    uint32_t id = neighbour_find(n, 0, &peer);
    assert_int_not_equal(id, BK_NONE);
    assert_int_equal(neighbour_at(n, id)->state, NEIGHBOUR_STALE);
    net_confirm(n, 0, &peer);
    assert_int_equal(neighbour_at(n, id)->state, NEIGHBOUR_REACHABLE);
    world_close(w);
}

/* An answer to where no way leads is dropped, and counted. */
static void answer_without_a_way_is_counted(void **state) {
    (void)state;
    struct world *w = world_open(NULL);
    settle(w);
    static const char *const far[2] = {"198.51.100.1", "2001:db8:9::1"}, *const us[2] = {"192.0.2.1", "2001:db8::1"};
    for (int k = 0; k < 2; k++) {
        struct line l = line(far[k], us[k]);
        struct wire_tcp syn = {.src_port = 9, .dst_port = 9, .seq = 1, .flags = WIRE_SYN, .window = 9};
        assert_reason(arrives_tcp(w, &l, &syn), ANSWER_RST_CLOSED);
        assert_int_equal(count(w, BK_REASON_DROP_NO_ROUTE), k + 1);
    }
    expect_silence(w);
    assert_int_equal(in_use(w, BK_POOL_FRAMES), 0);
    world_close(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(longest_prefix_wins),
        cmocka_unit_test(impossible_routes_and_addresses_are_refused),
        cmocka_unit_test(impossible_interfaces_are_refused),
        cmocka_unit_test(source_fits_the_destination),
        cmocka_unit_test(deprecated_source_is_avoided),
        cmocka_unit_test(source_decides_the_interface),
        cmocka_unit_test(accept_any_lends_every_source),
        cmocka_unit_test(silent_gateway_gives_way),
        cmocka_unit_test(known_gateway_is_preferred),
        cmocka_unit_test(gateway_that_becomes_known_is_taken),
        cmocka_unit_test(way_ends_with_its_lifetime),
        cmocka_unit_test(link_local_neighbour_is_confirmed),
        cmocka_unit_test(answer_without_a_way_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Shows that a script's packets become frames that a stack takes for whole, that frames become packets again, and what is told of a
 * difference between two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "base/common.h"
#include "lab/script_match.h"
#include "lab/script_peer.h"
#include "wire/icmp.h"
#include "wire/ip.h"
#include "wire/tcp.h"

static uint8_t frame[SCRIPT_FRAME_MAX];
static char text[256];
static struct script script;

static struct script_tuple tuple_of(const char *local, const char *remote) {
    struct script_tuple t = {.local_port = 8080, .remote_port = 40001};
    assert_int_equal(bk_addr_parse(local, &t.local), 0);
    assert_int_equal(bk_addr_parse(remote, &t.remote), 0);
    return t;
}

/* A packet as a script has it. */
static struct script_packet packet(const char *source) {
    struct script_error error;
    char event[200];
    snprintf(event, sizeof event, "0 %s", source);
    script_free(&script);
    if (!script_parse(&script, "x", event, strlen(event), NULL, 0, &error)) fail_msg("%s: %s", source, error.what);
    return *script.events->packet;
}

static int teardown(void **state) {
    (void)state;
    script_free(&script);
    return 0;
}

/* ---- frames ---------------------------------------------------------------------------------------- */

static void test_segment_ipv4(void **state) {
    (void)state;
    const struct script_tuple t = tuple_of("192.0.2.1", "198.51.100.7");
    const struct script_packet p = packet("< [ect1] SEWA 7:17(10) win 513 urg 3 <mss 1460,nop,nop,sackOK>");
    size_t n = script_wire_segment(frame, &t, &p);
    assert_int_equal(n, 20 + 28 + 10);
    struct wire_ipv4 ip;
    assert_int_equal(wire_ipv4_parse(frame, n, n, &ip), BK_REASON_NONE);
    assert_int_equal(ip.total_length, n);
    assert_int_equal(ip.traffic_class, 1);
    assert_true(bk_addr_equal(&ip.src, &t.remote));
    assert_true(bk_addr_equal(&ip.dst, &t.local));
    struct wire_tcp tcp;
    assert_int_equal(wire_tcp_parse(frame + 20, n - 20, &tcp), BK_REASON_NONE);
    assert_int_equal(tcp.src_port, 40001);
    assert_int_equal(tcp.dst_port, 8080);
    assert_int_equal(tcp.seq, 7);
    assert_int_equal(tcp.flags, WIRE_SYN | WIRE_ECE | WIRE_CWR);
    assert_int_equal(frame[20 + 12] & 0x0f, 1); /* AE, RFC 9768 3.1 */
    assert_int_equal(tcp.window, 513);
    assert_int_equal(tcp.urgent, 3);
    assert_int_equal(tcp.option.mss, 1460);
    assert_true(tcp.option.sack_permitted);
    uint64_t sum = checksum_pseudo(&t.remote, &t.local, WIRE_TCP, (uint32_t)(n - 20));
    assert_int_equal(checksum_finish(checksum_add(sum, frame + 20, n - 20)), 0);
}

static void test_segment_ipv6(void **state) {
    (void)state;
    const struct script_tuple t = tuple_of("2001:db8::1", "2001:db8::2");
    const struct script_packet p = packet("< P. 1:1001(1000) ack 5 win 1");
    size_t n = script_wire_segment(frame, &t, &p);
    assert_int_equal(n, 40 + 20 + 1000);
    struct wire_ipv6 ip;
    assert_int_equal(wire_ipv6_parse(frame, n, &ip), BK_REASON_NONE);
    assert_int_equal(ip.payload_length, 1020);
    uint64_t sum = checksum_pseudo(&t.remote, &t.local, WIRE_TCP, 1020);
    assert_int_equal(checksum_finish(checksum_add(sum, frame + 40, 1020)), 0);
}

static void test_too_long(void **state) {
    (void)state;
    const struct script_tuple t = tuple_of("192.0.2.1", "198.51.100.7");
    struct script_packet p = packet("< . 1:65496(65495) ack 1 win 1");
    assert_int_equal(script_wire_segment(frame, &t, &p), 65535);
    p.length++;
    assert_int_equal(script_wire_segment(frame, &t, &p), 0);
}

/* What one end writes the other reads: with the addresses the other way round. */
static void test_read(void **state) {
    (void)state;
    const struct script_tuple t = tuple_of("192.0.2.1", "198.51.100.7"), back = tuple_of("198.51.100.7", "192.0.2.1");
    const struct script_packet p =
        packet("< [ce] P.5 1:11(10) ack 99 win 77 <nop,nop,TS val 5 ecr 6,nop,nop,sack 3:4 5:6>");
    struct script_seen s;
    size_t n = script_wire_segment(frame, &t, &p);
    assert_true(script_wire_read(frame, n, &s));
    assert_true(s.tcp);
    assert_true(s.zeroes);
    assert_true(bk_addr_equal(&s.tuple.local, &back.local));
    assert_int_equal(s.tuple.local_port, 40001);
    assert_int_equal(s.packet.seq, 1);
    assert_int_equal(s.packet.length, 10);
    assert_int_equal(s.packet.ack, 99);
    assert_int_equal(s.packet.window, 77);
    assert_int_equal(s.packet.tos, 3);
    assert_int_equal(s.packet.flags, p.flags);
    assert_int_equal(s.packet.option_length, p.option_length);
    assert_memory_equal(s.packet.option, p.option, p.option_length);
    frame[n - 1] = 1;
    assert_true(script_wire_read(frame, n, &s));
    assert_false(s.zeroes);
    assert_false(script_wire_read(frame, 15, &s));
}

static void test_icmp(void **state) {
    (void)state;
    const char *why = NULL;
    const struct script_tuple t4 = tuple_of("192.0.2.1", "198.51.100.7"), t6 = tuple_of("2001:db8::1", "2001:db8::2");
    struct script_packet p = packet("< icmp unreachable frag_needed mtu 800 [5:105(100)]");
    size_t n = script_wire_icmp(frame, &t4, &p, 1234, &why);
    assert_int_equal(n, 20 + 8 + 20 + 8);
    assert_int_equal(frame[20], 3);
    assert_int_equal(frame[21], 4);
    assert_int_equal(get_be32(frame + 24), 800);
    assert_int_equal(checksum_finish(checksum_add(0, frame + 20, n - 20)), 0);
    assert_int_equal(get_be16(frame + 28 + 2), 20 + 20 + 100); /* the quoted packet's length */
    assert_int_equal(get_be16(frame + 48), 8080);              /* it came from the stack */
    assert_int_equal(get_be16(frame + 50), 40001);
    assert_int_equal(get_be32(frame + 52), 1234);

    assert_int_equal(script_wire_icmp(frame, &t6, &p, 1, &why), 0);
    assert_non_null(why);
    p = packet("< icmp packet_too_big mtu 1400");
    n = script_wire_icmp(frame, &t6, &p, 1, &why);
    assert_int_equal(n, 40 + 8 + 40 + 8);
    assert_int_equal(frame[40], 2);
    uint64_t sum = checksum_pseudo(&t6.remote, &t6.local, WIRE_ICMPV6, (uint32_t)(n - 40));
    assert_int_equal(checksum_finish(checksum_add(sum, frame + 40, n - 40)), 0);
}

/* ---- text ------------------------------------------------------------------------------------------ */

/* What is written down reads as it was. */
static void test_text(void **state) {
    (void)state;
    static const char *const packets[] = {"S 0:0(0) win 100 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 8>",
                                          "[ect0] P.5 1:1001(1000) ack 1 <nop,nop,sack 1:2 3:4>",
                                          "[ect01] . 1:1(0) ack 1 <...>",
                                          "[noecn] F. 1:1(0) ack 1 win 0",
                                          "- 1:1(0)",
                                          "U. 1:2(1) ack 1 urg 1",
                                          "R 1:1(0)",
                                          "SEWA 0:0(0) <ECN e1b 1 ceb 0 e0b 1,nop>",
                                          "S 0:0(0) <FO 1234abcd,nop,nop,FOEXP,FOEXP 01020304>",
                                          ". 1:1(0) ack 1 <md5 000102030405060708090a0b0c0d0e0f,nop,nop>"};
    for (size_t i = 0; i < BK_COUNT(packets); i++) {
        char event[200];
        snprintf(event, sizeof event, "> %s", packets[i]);
        const struct script_packet p = packet(event);
        assert_string_equal(script_packet_text(&p, text, sizeof text), packets[i]);
    }
    const struct script_packet icmp = packet("< icmp unreachable frag_needed mtu 800 [5:105(100)]");
    assert_string_equal(script_packet_text(&icmp, text, sizeof text),
                        "icmp unreachable frag_needed mtu 800 [5:105(100)]");
    assert_string_equal(script_packet_text(&icmp, text, 6), "icmp ");
}

/* ---- differences ----------------------------------------------------------------------------------- */

static const char *difference(const char *expected, const char *sent) {
    const struct script_match m = {.timestamp_tick = NS_PER_MS, .tolerance = 4 * NS_PER_MS};
    const struct script_packet e = packet(expected), s = packet(sent);
    text[0] = '\0';
    bool same = script_match(&m, &e, &s, text, sizeof text);
    assert_int_equal(same, text[0] == '\0');
    return text;
}

static void test_match(void **state) {
    (void)state;
    static const struct {
        const char *expected, *sent, *why;
    } rows[] = {
        {"> . 1:1(0) ack 1", "> . 1:1(0) ack 1 win 7", ""},
        {"> . 1:1(0) ack 1 win 8", "> . 1:1(0) ack 1 win 7", "window: expected 8, sent 7"},
        {"> . 1:1(0) ack 1", "> . 2:2(0) ack 1 win 7", "sequence number: expected 1, sent 2"},
        {"> . 1:1(0) ack 1", "> . 1:1(0) ack 2 win 7", "acknowledgment number: expected 1, sent 2"},
        {"> P. 1:11(10) ack 1", "> . 1:11(10) ack 1", "PSH flag: expected it, sent none"},
        {"> . 1:11(10) ack 1", "> F. 1:11(10) ack 1", "FIN flag: expected none, sent it"},
        {"> . 1:11(10) ack 1", "> . 1:12(11) ack 1", "payload length: expected 10, sent 11"},
        {"> .5 1:1(0) ack 1", "> EA. 1:1(0) ack 1", ""},
        {"> .5 1:1(0) ack 1", "> E. 1:1(0) ack 1", "ACE field: expected 5, sent 1"},
        {"> . 1:1(0) ack 1 <nop,nop,nop,nop>", "> . 1:1(0) ack 1", "options: expected a further one, nop"},
        {"> . 1:1(0) ack 1", "> . 1:1(0) ack 1 <nop,nop,sackOK>", "options: sent a further one, nop"},
        {"> S 1:1(0) <mss 1460>", "> S 1:1(0) <nop,wscale 3>", "options: expected mss, sent nop"},
        {"> S 1:1(0) <mss 1460>", "> S 1:1(0) <mss 1461>", "option mss: another value"},
        {"> S 1:1(0) <...>", "> S 1:1(0) <mss 1461>", ""},
        {"> . 1:1(0) ack 1 <nop,nop,sack 1:2>", "> . 1:1(0) ack 1 <nop,nop,sack 1:2 3:4>",
         "option sack: expected 10 bytes, sent 18"},
        {"> . 1:1(0) ack 1 <nop,nop,TS val 100 ecr 7>", "> . 1:1(0) ack 1 <nop,nop,TS val 96 ecr 7>", ""},
        {"> . 1:1(0) ack 1 <nop,nop,TS val 100 ecr 7>", "> . 1:1(0) ack 1 <nop,nop,TS val 105 ecr 7>",
         "timestamp value: expected 100, sent 105"},
        {"> . 1:1(0) ack 1 <nop,nop,TS val 100 ecr 7>", "> . 1:1(0) ack 1 <nop,nop,TS val 100 ecr 8>",
         "timestamp echo: expected 7, sent 8"},
        {"> [ect0] . 1:1(0) ack 1", "> [ect1] . 1:1(0) ack 1", "ECN bits: expected ect0, sent ect1"},
        {"> [ect01] . 1:1(0) ack 1", "> [ect1] . 1:1(0) ack 1", ""},
        {"> . 1:1(0) ack 1", "> [ect1] . 1:1(0) ack 1", ""},
    };
    for (size_t i = 0; i < BK_COUNT(rows); i++)
        assert_string_equal(difference(rows[i].expected, rows[i].sent), rows[i].why);
}

static bool continues(const char *so_far, const char *next) {
    const struct script_packet a = packet(so_far), b = packet(next);
    return script_match_continues(&a, &b, text, sizeof text);
}

static void test_continues(void **state) {
    (void)state;
    assert_true(continues("> . 1:11(10) ack 1 win 5", "> P. 11:21(10) ack 1 win 5"));
    assert_true(continues("> W. 1:11(10) ack 1 win 5", "> F. 11:21(10) ack 1 win 5"));
    assert_false(continues("> . 1:11(10) ack 1 win 5", "> . 12:21(9) ack 1 win 5"));
    assert_false(continues("> . 1:11(10) ack 1 win 5", "> . 11:21(10) ack 2 win 5"));
    assert_false(continues("> . 1:11(10) ack 1 win 5", "> . 11:21(10) ack 1 win 6"));
    assert_false(continues("> . 1:11(10) ack 1 win 5", "> E. 11:21(10) ack 1 win 5"));
}

/* ---- numbers --------------------------------------------------------------------------------------- */

static struct script_seen seen_of(const struct script_tuple *t, const char *source) {
    return (struct script_seen){.tcp = true, .tuple = *t, .packet = packet(source)};
}

/* A passive open: the stack's ISN is 5000 on the wire and 0 in the script; the script's own is 100 in both. */
static void test_numbers(void **state) {
    (void)state;
    const struct script_tuple t = tuple_of("192.0.2.1", "198.51.100.7");
    struct script_peer p = {.state = SCRIPT_PEER_CALLED, .tuple = t, .known = true, .remote_isn = 100};
    const struct script_packet syn_ack = packet("> S. 0:0(0) ack 101");
    struct script_seen s = seen_of(&t, "> S. 5000:5000(0) ack 101");
    script_peer_expect(&p, &syn_ack);
    assert_true(script_peer_takes(&p, &s, &syn_ack));
    script_peer_to_script(&p, &s.packet);
    assert_int_equal(s.packet.seq, 0);
    assert_int_equal(s.packet.ack, 101);

    struct script_packet data = packet("< . 1:11(10) ack 1 win 5 <nop,nop,sack 11:21>");
    script_peer_sends(&p, &data);
    assert_int_equal(p.state, SCRIPT_PEER_ACCEPTABLE);
    assert_true(script_peer_to_wire(&p, &data, false));
    assert_int_equal(data.seq, 101);
    assert_int_equal(data.ack, 5001);
    const uint8_t *sack = script_option_find(&data, SCRIPT_KIND_SACK);
    assert_int_equal(get_be32(sack + 2), 5011);
    assert_int_equal(get_be32(sack + 6), 5021);

    s = seen_of(&t, "> . 5001:5001(0) ack 111 <nop,nop,sack 121:131>");
    script_peer_to_script(&p, &s.packet);
    assert_int_equal(s.packet.seq, 1);
    assert_int_equal(s.packet.ack, 11);
    sack = script_option_find(&s.packet, SCRIPT_KIND_SACK);
    assert_int_equal(get_be32(sack + 2), 21);
    struct script_tuple other = t;
    other.remote_port++;
    s.tuple = other;
    assert_false(script_peer_takes(&p, &s, &data));
}

/* The first timestamp is moved to the script's, later ones by as much; echoes go back to what was sent where the script has the value. */
static void test_timestamps(void **state) {
    (void)state;
    struct script_peer p = {.state = SCRIPT_PEER_ACCEPTABLE, .known = true};
    const struct script_packet e1 = packet("> . 1:1(0) ack 1 <nop,nop,TS val 100 ecr 1>");
    struct script_packet s1 = packet("> . 1:1(0) ack 1 <nop,nop,TS val 7000 ecr 1>");
    script_peer_timestamp(&p, &e1, &s1);
    assert_int_equal(get_be32(script_option_find(&s1, SCRIPT_KIND_TS) + 2), 100);
    const struct script_packet e2 = packet("> . 1:1(0) ack 1 <nop,nop,TS val 200 ecr 1>");
    struct script_packet s2 = packet("> . 1:1(0) ack 1 <nop,nop,TS val 7005 ecr 1>");
    script_peer_timestamp(&p, &e2, &s2);
    assert_int_equal(get_be32(script_option_find(&s2, SCRIPT_KIND_TS) + 2), 105);

    struct script_packet in = packet("< . 1:1(0) ack 1 win 1 <nop,nop,TS val 9 ecr 200>");
    assert_true(script_peer_to_wire(&p, &in, false));
    assert_int_equal(get_be32(script_option_find(&in, SCRIPT_KIND_TS) + 2), 9);
    assert_int_equal(get_be32(script_option_find(&in, SCRIPT_KIND_TS) + 6), 7005);
    in = packet("< . 1:1(0) ack 1 win 1 <nop,nop,TS val 9 ecr 150>");
    assert_false(script_peer_to_wire(&p, &in, false));
    in = packet("< . 1:1(0) ack 1 win 1 <nop,nop,TS val 9 ecr 150>");
    assert_true(script_peer_to_wire(&p, &in, true));
    assert_int_equal(get_be32(script_option_find(&in, SCRIPT_KIND_TS) + 6), 7050);
    free(p.timestamp);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segment_ipv4), cmocka_unit_test(test_segment_ipv6), cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_read),         cmocka_unit_test(test_icmp),         cmocka_unit_test(test_text),
        cmocka_unit_test(test_match),        cmocka_unit_test(test_continues),    cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_timestamps),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}

/* Shows that only segments that continue each other and differ in nothing else are merged, and that all of their text is there afterwards. */
#include "two_hosts.h"

#include "base/checksum.h"
#include "lab/merge.h"
#include "wire/ip.h"

#define ROOM 65600u

/* A segment of a connection from 192.0.2.1 port 1000 to 192.0.2.2 port 80, or between IPv6 hosts. */
struct made {
    uint32_t seq, ack, tsval, text;
    uint8_t flags, ttl;
    bool ipv6, damaged;
    uint16_t window;
};

static size_t make(uint8_t *frame, const struct made *m) {
    bk_addr from = world_addr(0), to = world_addr(1);
    size_t ip = m->ipv6 ? WIRE_IPV6_LENGTH : WIRE_IPV4_LENGTH;
    if (m->ipv6) assert_int_equal(bk_addr_parse("2001:db8::1", &from) | bk_addr_parse("2001:db8::2", &to), 0);
    struct wire_tcp t = {.src_port = 1000, .dst_port = 80, .seq = m->seq, .ack = m->ack, .flags = m->flags};
    t.window = m->window;
    t.option.has_timestamps = true;
    t.option.tsval = m->tsval;
    size_t tcp = wire_tcp_emit(frame + ip, &t), length = tcp + m->text;
    for (size_t i = 0; i < m->text; i++) frame[ip + tcp + i] = (uint8_t)(m->seq + i);
    uint64_t sum = checksum_pseudo(&from, &to, WIRE_TCP, (uint32_t)length);
    uint16_t field = checksum_finish(checksum_add(sum, frame + ip, length));
    put_be16(frame + ip + 16, (uint16_t)(field ^ m->damaged));
    if (m->ipv6) {
        struct wire_ipv6 h = {.payload_length = (uint16_t)length, .next_header = WIRE_TCP, .hop_limit = m->ttl};
        h.src = from;
        h.dst = to;
        wire_ipv6_emit(frame, &h);
    } else {
        struct wire_ipv4 h = {.header_length = 20, .total_length = (uint16_t)(ip + length), .dont_fragment = true};
        h.ttl = m->ttl;
        h.protocol = WIRE_TCP;
        h.src = from;
        h.dst = to;
        wire_ipv4_emit(frame, &h);
    }
    return ip + length;
}

static const struct made plain = {
    .seq = 5, .ack = 7, .tsval = 9, .text = 100, .flags = WIRE_ACK, .ttl = 64, .window = 999};

/* Whether `b` is appended to `a`; if so, all is as it should be. */
static bool merges(const struct made *a, const struct made *b) {
    uint8_t one[ROOM], two[ROOM];
    struct merge m;
    size_t n = make(one, a), other = make(two, b), before = n;
    if (!merge_begin(&m, BK_LAYER_IP, one, n)) return false;
    assert_int_equal(m.gso_size, a->text);
    two[other] = two[other + 1] = 0xee; /* padding */
    if (!merge_append(&m, one, &n, ROOM, two, other + 2)) {
        assert_int_equal(n, before);
        return false;
    }
    assert_int_equal(n, before + b->text);
    size_t ip = a->ipv6 ? WIRE_IPV6_LENGTH : WIRE_IPV4_LENGTH, text = n - a->text - b->text;
    for (size_t i = 0; i < a->text + b->text; i++) assert_int_equal(one[text + i], (uint8_t)(a->seq + i));
    assert_int_equal(one[ip + 13], a->flags | b->flags);
    if (a->ipv6) {
        assert_int_equal(get_be16(one + 4), n - ip);
    } else {
        struct wire_ipv4 h;
        assert_int_equal(wire_ipv4_parse(one, n, n, &h), BK_REASON_NONE); /* with its checksum */
        assert_int_equal(h.total_length, n);
    }
    assert_int_equal(m.closed, b->text < a->text || (b->flags & (WIRE_PSH | WIRE_FIN)) != 0);
    return true;
}

static struct made after(uint32_t seq) {
    struct made m = plain;
    m.seq = seq;
    return m;
}

static void test_continues(void **state) {
    (void)state;
    for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
        struct made a = plain, b = after(105);
        a.ipv6 = b.ipv6 = ipv6;
        assert_true(merges(&a, &b));
        b.text = 1;
        assert_true(merges(&a, &b));
        b.flags = WIRE_ACK | WIRE_PSH;
        assert_true(merges(&a, &b));
        b.flags = WIRE_ACK | WIRE_FIN;
        assert_true(merges(&a, &b));
        b.ipv6 = !ipv6;
        assert_false(merges(&a, &b));
    }
}

static void test_differs(void **state) {
    (void)state;
    struct made b = after(104);
    assert_false(merges(&plain, &b));
    b = after(106);
    assert_false(merges(&plain, &b));
    b = after(105);
    b.ack++;
    assert_false(merges(&plain, &b));
    b = after(105);
    b.window++;
    assert_false(merges(&plain, &b));
    b = after(105);
    b.tsval++;
    assert_false(merges(&plain, &b));
    b = after(105);
    b.ttl--;
    assert_false(merges(&plain, &b));
    b = after(105);
    b.text = 101;
    assert_false(merges(&plain, &b));
    b = after(105);
    b.text = 0;
    assert_false(merges(&plain, &b));
    b = after(105);
    b.damaged = true;
    assert_false(merges(&plain, &b));
    b = after(105);
    b.flags |= WIRE_ECE;
    assert_false(merges(&plain, &b));
}

/* Flags that no merged segment has; and what ends a merged frame. */
static void test_alone(void **state) {
    (void)state;
    static const uint8_t alone[] = {WIRE_SYN, WIRE_RST, WIRE_URG, WIRE_CWR, WIRE_PSH, WIRE_FIN};
    for (size_t i = 0; i < BK_COUNT(alone); i++) {
        struct made a = plain, b = after(105);
        a.flags = b.flags = WIRE_ACK | alone[i];
        assert_false(merges(&a, &b));
    }
    struct made a = plain, b = after(105);
    a.damaged = true;
    assert_false(merges(&a, &b));
}

/* Up to what an IP length can say. */
static void test_most(void **state) {
    (void)state;
    static uint8_t frame[70000], next[ROOM];
    struct made a = plain, b = plain;
    struct merge m;
    uint32_t n = 1;
    a.text = b.text = 1000;
    size_t length = make(frame, &a), one = length;
    assert_true(merge_begin(&m, BK_LAYER_IP, frame, length));
    for (;; n++) {
        b.seq = a.seq + n * 1000;
        if (!merge_append(&m, frame, &length, sizeof frame, next, make(next, &b))) break;
    }
    assert_int_equal(n, 65); /* 20 + 32 + 65 * 1,000 = 65,052 */
    assert_int_equal(length, one + 64 * 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_continues),
        cmocka_unit_test(test_differs),
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

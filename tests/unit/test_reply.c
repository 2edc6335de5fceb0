/* Shows that segments which belong to no connection go out as RFC 9293 3.10.7.1 says, and are counted, traced, or lost with a count. */
#include "core.h"

#include "base/checksum.h"
#include "tcp/event.h"
#include "tcp/segment.h"
#include "wire/ip.h"

struct bench {
    struct core k;
    struct packet packet;
    struct tuple tuple;
};

static void bench_up(struct bench *b, bool ipv6) {
    struct bk_config config;
    bk_config_tiny(&config);
    config.trace_events = 64;
    b->k = core_up(&config, 0);
    b->packet = (struct packet){.iface = 3, .mtu = 1500};
    bk_addr local, remote;
    assert_int_equal(bk_addr_parse(ipv6 ? "2001:db8::1" : "192.0.2.1", &local), 0);
    assert_int_equal(bk_addr_parse(ipv6 ? "2001:db8::2" : "192.0.2.2", &remote), 0);
    b->tuple = (struct tuple){local, remote, 80, 40000};
}

/* The frame that waits, and its header. */
static struct frame take(struct bench *b, struct wire_tcp *h) {
    uint32_t id = frame_queue_pop(b->k.base, &b->k.tcp->replies);
    assert_int_not_equal(id, BK_NONE);
    struct frame f = *frame_at(b->k.base, id);
    assert_int_equal(wire_tcp_parse(f.header + FRAME_L4, f.l4_header_length, h), BK_REASON_NONE);
    assert_int_equal(f.start, FRAME_L4);
    assert_int_equal(f.end, FRAME_L4 + f.l4_header_length);
    assert_int_equal(f.protocol, WIRE_TCP);
    assert_int_equal(f.iface, 3);
    assert_true(bk_addr_equal(&f.src, &b->tuple.local) && bk_addr_equal(&f.dst, &b->tuple.remote));
    assert_int_equal(h->src_port, 80);
    assert_int_equal(h->dst_port, 40000);
    /* Unfinished: the pseudo header's sum stands in the field, so that a device may complete it. */
    assert_int_equal(f.checksum, FRAME_CHECKSUM_PARTIAL);
    assert_int_equal(h->checksum, checksum_fold(checksum_pseudo(&f.src, &f.dst, WIRE_TCP, f.l4_header_length)));
    frame_free(b->k.base, id);
    return f;
}

/* <SEQ=SEG.ACK><CTL=RST> if the ACK bit is on, else <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>. */
static void resets(void **state) {
    (void)state;
    static const struct {
        uint8_t flags;
        uint32_t seq, ack, length;
        uint8_t expected_flags;
        uint32_t expected_seq, expected_ack;
    } rows[] = {
        {WIRE_ACK, 100, 7000, 0, WIRE_RST, 7000, 0},
        {WIRE_ACK | WIRE_SYN, 100, 7000, 1, WIRE_RST, 7000, 0},
        {WIRE_ACK | WIRE_FIN, 100, 7000, 501, WIRE_RST, 7000, 0},
        {WIRE_SYN, 100, 7000, 1, WIRE_RST | WIRE_ACK, 0, 101},
        {WIRE_SYN | WIRE_FIN, 100, 0, 12, WIRE_RST | WIRE_ACK, 0, 112},
        {0, UINT32_MAX - 9, 0, 20, WIRE_RST | WIRE_ACK, 0, 10},
    };
    for (int ipv6 = 0; ipv6 < 2; ipv6++)
        for (size_t i = 0; i < BK_COUNT(rows); i++) {
            struct bench b;
            bench_up(&b, ipv6);
            struct segment s;
            memset(&s, 0, sizeof s);
            s.tuple = b.tuple;
            s.packet = &b.packet;
            s.header.flags = rows[i].flags;
            s.header.seq = rows[i].seq;
            s.header.ack = rows[i].ack;
            s.length = rows[i].length;
            reply_reset(b.k.tcp, &s, BK_REASON_SEND_RST_CLOSED);
            struct wire_tcp h;
            struct frame f = take(&b, &h);
            assert_int_equal(h.flags, rows[i].expected_flags);
            assert_int_equal(h.seq, rows[i].expected_seq);
            assert_int_equal(h.ack, rows[i].expected_ack);
            assert_int_equal(h.window, 0);
            assert_int_equal(f.l4_header_length, WIRE_TCP_LENGTH);
            assert_int_equal(f.reason, BK_REASON_SEND_RST_CLOSED);
            assert_int_equal(b.k.tcp->mib.out_rsts, 1);
            assert_int_equal(b.k.tcp->mib.out_segs, 1);
            core_down(&b.k);
        }
}

/* Options and window go out as given; the event tells the same. */
static void an_answer_with_options(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, false);
    base_now(b.k.base, 12345);
    struct reply r = {.tuple = &b.tuple,
                      .hash = 0xabcd,
                      .iface = 3,
                      .flags = WIRE_SYN | WIRE_ACK,
                      .window = 4096,
                      .reason = BK_REASON_SEND_SYN_ACK,
                      .state = BK_SYN_RECEIVED,
                      .object_kind = EVENT_REQUEST,
                      .object = 17,
                      .seq = 1,
                      .ack = 2};
    r.option.mss = 1460;
    r.option.has_wscale = r.option.has_timestamps = true;
    r.option.wscale = 7;
    r.option.tsval = 100;
    r.option.tsecr = 200;
    reply_send(b.k.tcp, &r);
    struct wire_tcp h;
    take(&b, &h);
    assert_int_equal(h.window, 4096);
    assert_int_equal(h.option.mss, 1460);
    assert_int_equal(h.option.wscale, 7);
    assert_int_equal(h.option.tsval, 100);
    assert_int_equal(h.option.tsecr, 200);
    assert_int_equal(b.k.tcp->mib.out_rsts, 0);
    struct bk_event e;
    assert_int_equal(bk_trace_read(b.k.stack, &e, 1, NULL), 1);
    assert_int_equal(e.kind, BK_EVENT_SEGMENT_OUT);
    assert_true(e.time == 12345);
    assert_int_equal(e.reason, BK_REASON_SEND_SYN_ACK);
    assert_int_equal(e.object_kind, EVENT_REQUEST);
    assert_int_equal(e.object, 17);
    assert_int_equal(e.remote_tag, 0xabcd);
    assert_int_equal(e.state, BK_SYN_RECEIVED);
    assert_int_equal(e.state_before, BK_SYN_RECEIVED);
    assert_int_equal(e.wnd, 4096);
    assert_int_equal(e.mss, 1460);
    assert_int_equal(e.wscale, 7);
    assert_int_equal(e.tsval, 100);
    assert_int_equal(e.tsecr, 200);
    assert_int_equal(e.local_port, 80);
    assert_int_equal(e.remote_port, 40000);
    assert_int_equal(e.family, 4);
    core_down(&b.k);
}

/* When no frame is free the answer is lost, which is counted, and nothing else happens: the peer asks again. */
static void lost_when_no_frame_is_free(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, false);
    struct segment s;
    memset(&s, 0, sizeof s);
    s.tuple = b.tuple;
    s.packet = &b.packet;
    uint32_t frames = b.k.base->config.frames;
    for (uint32_t i = 0; i < frames + 3; i++) reply_reset(b.k.tcp, &s, BK_REASON_SEND_RST_CLOSED);
    assert_int_equal(b.k.tcp->replies.count, frames);
    assert_int_equal(bk_reason_count(b.k.stack, BK_REASON_NOTE_REPLY_LOST), 3);
    assert_int_equal(bk_reason_count(b.k.stack, BK_REASON_SEND_RST_CLOSED), 0); /* counted when it leaves */
    assert_int_equal(b.k.tcp->mib.out_rsts, frames);
    core_down(&b.k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resets),
        cmocka_unit_test(an_answer_with_options),
        cmocka_unit_test(lost_when_no_frame_is_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

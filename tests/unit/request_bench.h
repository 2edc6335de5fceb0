/* A bench for passive opens: one listener, peers by number, segments that come and replies that leave, without links or IP. */
#ifndef TESTS_REQUEST_BENCH_H
#define TESTS_REQUEST_BENCH_H

#include "core.h"

#include "base/seq.h"
#include "tcp/connection.h"
#include "tcp/request.h"

struct bench {
    struct core k;
    struct tcp *t;
    struct listener *l;
    struct packet packet;
    bool ipv6;
};

#define PEERS 400u

static inline void bench_up(struct bench *b, bool ipv6, uint32_t requests, uint32_t retries) {
    struct bk_config config;
    bk_config_tiny(&config);
    config.connections = 64;
    config.listeners = 2;
    config.requests_ipv4 = ipv6 ? 0 : requests;
    config.requests_ipv6 = ipv6 ? requests : 0;
    config.frames = 1024;
    config.syn_ack_retries = retries;
    config.rto_initial_ms = 1000;
    config.rto_max_ms = 60000;
    b->k = core_up(&config, 0);
    b->t = b->k.tcp;
    b->ipv6 = ipv6;
    bk_addr any = {{0}};
    bk_listener handle;
    assert_int_equal(listener_open(b->t, &(struct bk_tcp_passive){.local = any, .port = 80, .backlog = 64}, &handle),
                     0);
    b->l = listener_of(b->t, handle);
    b->packet = (struct packet){.mtu = 1500};
}

/* A segment of peer number n. */
static inline struct segment segment_of(struct bench *b, uint32_t n, uint8_t flags, uint32_t seq, uint32_t ack) {
    struct segment s;
    memset(&s, 0, sizeof s);
    bk_addr local, remote;
    assert_int_equal(bk_addr_parse(b->ipv6 ? "2001:db8::1" : "192.0.2.1", &local), 0);
    assert_int_equal(bk_addr_parse(b->ipv6 ? "2001:db8::2" : "192.0.2.2", &remote), 0);
    s.tuple = (struct tuple){local, remote, 80, (uint16_t)(40000 + n)};
    s.hash = demux_hash(b->k.base, &s.tuple);
    s.packet = &b->packet;
    s.header = (struct wire_tcp){.src_port = s.tuple.remote_port,
                                 .dst_port = 80,
                                 .seq = seq,
                                 .ack = ack,
                                 .flags = flags,
                                 .window = 65535,
                                 .header_length = WIRE_TCP_LENGTH};
    s.length = (flags & WIRE_SYN) ? 1 : 0;
    return s;
}

/* The next segment that waits to leave; false if none does. */
static inline bool next_reply(struct bench *b, struct wire_tcp *h, uint16_t *reason) {
    uint32_t id = frame_queue_pop(b->k.base, &b->t->replies);
    if (id == BK_NONE) return false;
    const struct frame *f = frame_at(b->k.base, id);
    assert_int_equal(wire_tcp_parse(f->header + FRAME_L4, f->l4_header_length, h), BK_REASON_NONE);
    *reason = f->reason;
    frame_free(b->k.base, id);
    return true;
}

static inline struct wire_tcp expect_reply(struct bench *b, uint16_t reason) {
    struct wire_tcp h;
    uint16_t got;
    assert_true(next_reply(b, &h, &got));
    assert_string_equal(bk_reason_name(got), bk_reason_name(reason));
    return h;
}

static inline void expect_no_reply(struct bench *b) {
    assert_int_equal(b->t->replies.count, 0);
}

#endif

/* Shows that requests are timed by lists in the order of their deadlines, that each SYN-ACK goes when RFC 6298 says and the request ends in
 * time, and that a SYN cookie is good for its own segment, MSS and time only (RFC 4987 3.6). */
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

static void bench_up(struct bench *b, bool ipv6, uint32_t requests, uint32_t retries) {
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
static struct segment segment_of(const struct bench *b, uint32_t n, uint8_t flags, uint32_t seq, uint32_t ack) {
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
static bool next_reply(struct bench *b, struct wire_tcp *h, uint16_t *reason) {
    uint32_t id = frame_queue_pop(b->k.base, &b->t->replies);
    if (id == BK_NONE) return false;
    const struct frame *f = frame_at(b->k.base, id);
    assert_int_equal(wire_tcp_parse(f->header + FRAME_L4, f->l4_header_length, h), BK_REASON_NONE);
    *reason = f->reason;
    frame_free(b->k.base, id);
    return true;
}

static struct wire_tcp expect_reply(struct bench *b, uint16_t reason) {
    struct wire_tcp h;
    uint16_t got;
    assert_true(next_reply(b, &h, &got));
    assert_string_equal(bk_reason_name(got), bk_reason_name(reason));
    return h;
}

static void expect_no_reply(struct bench *b) {
    assert_int_equal(b->t->replies.count, 0);
}

static uint16_t open_request(struct bench *b, uint32_t peer) {
    struct segment s = segment_of(b, peer, WIRE_SYN, 1000 * peer, 0);
    return request_open(b->t, b->l, &s, NULL);
}

/* ---- time ------------------------------------------------------------------------------------------ */

/* One request, never answered: SYN-ACKs after 1, 2, 4 ... s, at most rto_max_ms apart (RFC 6298 5.5), and the end when the last was waited for. */
static void syn_acks_back_off(void **state) {
    (void)state;
    static const uint32_t retries[] = {0, 1, 5, 11};
    for (size_t i = 0; i < BK_COUNT(retries); i++) {
        struct bench b;
        bench_up(&b, false, 4, retries[i]);
        base_now(b.k.base, 77 * NS_PER_MS);
        assert_int_equal(open_request(&b, 1), BK_REASON_ACCEPT_SYN);
        uint32_t iss = expect_reply(&b, BK_REASON_SEND_SYN_ACK).seq;
        uint64_t due = 77 * NS_PER_MS, wait = 1000;
        for (uint32_t n = 0; n <= retries[i]; n++) {
            due += u64_min(wait, 60000) * NS_PER_MS;
            wait *= 2;
            assert_true(request_next_deadline(b.t) == due);
            base_now(b.k.base, due - 1);
            request_advance(b.t);
            expect_no_reply(&b);
            base_now(b.k.base, due);
            request_advance(b.t);
            if (n < retries[i]) {
                struct wire_tcp h = expect_reply(&b, BK_REASON_SEND_SYN_ACK_AGAIN);
                assert_int_equal(h.seq, iss);
                assert_int_equal(h.ack, 1001);
                assert_int_equal(h.flags, WIRE_SYN | WIRE_ACK);
            }
            expect_no_reply(&b);
        }
        assert_true(request_next_deadline(b.t) == BK_NEVER);
        assert_int_equal(b.t->requests[0].in_use, 0);
        assert_int_equal(b.t->demux.entries, 0);
        assert_int_equal(bk_reason_count(b.k.stack, BK_REASON_NOTE_REQUEST_EVICTED), 1);
        assert_int_equal(b.t->mib.attempt_fails, 1);
        core_down(&b.k);
    }
}

struct peer {
    bool open;
    uint64_t due;
    uint32_t sent, iss;
};

static uint64_t wait_ms(uint32_t sent) {
    return u64_min(UINT64_C(1000) << (sent - 1), 60000);
}

/* What the model says should leave at `now`, each request at most one step an advance; compared as a set. */
static void advance_model(struct bench *b, struct peer *peers, uint64_t now, uint32_t *dropped) {
    bool expected[PEERS] = {false};
    base_now(b->k.base, now);
    for (uint32_t i = 0; i < PEERS; i++) {
        struct peer *p = &peers[i];
        if (!p->open || p->due > now) continue;
        if (p->sent == 4) { /* three retries */
            p->open = false;
            ++*dropped;
            continue;
        }
        p->sent++;
        p->due = now + wait_ms(p->sent) * NS_PER_MS;
        expected[i] = true;
    }
    request_advance(b->t);
    struct wire_tcp h;
    uint16_t reason;
    while (next_reply(b, &h, &reason)) {
        assert_int_equal(reason, BK_REASON_SEND_SYN_ACK_AGAIN);
        uint32_t i = h.dst_port - 40000u;
        assert_true(i < PEERS && expected[i]);
        assert_int_equal(h.seq, peers[i].iss);
        expected[i] = false;
    }
    for (uint32_t i = 0; i < PEERS; i++) assert_false(expected[i]);
}

/* Many requests, opened, completed, reset and left alone at random times: the deadline is always that of the earliest. */
static void lists_are_in_order(void **state) {
    (void)state;
    for (int ipv6 = 0; ipv6 < 2; ipv6++) {
        struct bench b;
        bench_up(&b, ipv6, PEERS, 3);
        static struct peer peers[PEERS];
        memset(peers, 0, sizeof peers);
        uint64_t random = 71, now = 0;
        uint32_t dropped = 0, resets = 0;
        for (uint32_t step = 0; step < 5000; step++) {
            uint32_t i = core_below(&random, PEERS);
            struct peer *p = &peers[i];
            if (!p->open) {
                base_now(b.k.base, now);
                assert_int_equal(open_request(&b, i), BK_REASON_ACCEPT_SYN);
                *p = (struct peer){true, now + NS_PER_S, 1, expect_reply(&b, BK_REASON_SEND_SYN_ACK).seq};
            } else if (core_below(&random, 4) == 0) {
                struct segment s = segment_of(&b, i, WIRE_RST, 1000 * i + 1, 0);
                uint64_t position = 0;
                demux_ref ref = demux_next(b.k.base, &b.t->demux, s.hash, &position);
                assert_int_equal(demux_ref_kind(ref), DEMUX_REQUEST);
                assert_int_equal(request_input(b.t, ipv6, demux_ref_id(ref), &s), BK_REASON_ACCEPT_RST_REQUEST);
                p->open = false;
                resets++;
            }
            now += draw(&random) % (40 * NS_PER_MS);
            advance_model(&b, peers, now, &dropped);
            uint64_t earliest = BK_NEVER;
            uint32_t open = 0;
            for (uint32_t j = 0; j < PEERS; j++)
                if (peers[j].open) {
                    earliest = u64_min(earliest, peers[j].due);
                    open++;
                }
            assert_true(request_next_deadline(b.t) == earliest);
            assert_int_equal(b.t->requests[ipv6].in_use, open);
            assert_int_equal(b.t->demux.entries, open);
        }
        assert_true(dropped > 100 && resets > 100);
        assert_int_equal(bk_reason_count(b.k.stack, BK_REASON_NOTE_REQUEST_EVICTED), dropped);
        /* Nobody comes back for an hour: each request takes one step a look, and the last are gone soon. */
        for (uint32_t i = 0; i < 8; i++) advance_model(&b, peers, now += 3600 * NS_PER_S, &dropped);
        assert_int_equal(b.t->requests[ipv6].in_use, 0);
        core_down(&b.k);
    }
}

/* A listener that ends forgets its own requests, at every level, and no other's. */
static void a_listener_ends(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, false, 40, 3);
    bk_addr any = {{0}};
    bk_listener handle;
    assert_int_equal(listener_open(b.t, &(struct bk_tcp_passive){.local = any, .port = 81, .backlog = 64}, &handle), 0);
    struct listener *other = listener_of(b.t, handle);
    for (uint32_t i = 0; i < 40; i++) {
        struct segment s = segment_of(&b, i, WIRE_SYN, i, 0);
        assert_int_equal(request_open(b.t, i % 2 ? b.l : other, &s, NULL), BK_REASON_ACCEPT_SYN);
        base_now(b.k.base, b.k.base->now + 100 * NS_PER_MS);
        request_advance(b.t);
    }
    request_drop_all(b.t, b.l);
    assert_int_equal(b.t->requests[0].in_use, 20);
    assert_int_equal(b.t->demux.entries, 20);
    request_drop_all(b.t, other);
    assert_int_equal(b.t->requests[0].in_use, 0);
    assert_true(request_next_deadline(b.t) == BK_NEVER);
    core_down(&b.k);
}

/* A SYN that ends TIME-WAIT opens an incarnation whose numbers lie beyond the old one's (RFC 9293 3.6.1, RFC 1122 4.2.2.13). */
static void iss_beyond_the_old_incarnation(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, false, 4, 3);
    assert_int_equal(open_request(&b, 1), BK_REASON_ACCEPT_SYN);
    uint32_t iss = expect_reply(&b, BK_REASON_SEND_SYN_ACK).seq;
    static const int32_t beyond[] = {-1000, -1, 0, 1, 1000000};
    for (size_t i = 0; i < BK_COUNT(beyond); i++) {
        request_drop_all(b.t, b.l);
        uint32_t above = iss + (uint32_t)beyond[i];
        struct segment s = segment_of(&b, 1, WIRE_SYN, 1000, 0);
        assert_int_equal(request_open(b.t, b.l, &s, &above), BK_REASON_ACCEPT_SYN_TIME_WAIT);
        uint32_t got = expect_reply(&b, BK_REASON_SEND_SYN_ACK).seq;
        assert_int_equal(got, beyond[i] < 0 ? iss : above + 1);
        assert_true(seq_gt(got, above));
    }
    core_down(&b.k);
}

/* ---- cookies --------------------------------------------------------------------------------------- */

/* The cookie that answers this peer's SYN, with the MSS that it offers. */
static uint32_t cookie_for(struct bench *b, uint32_t peer, uint16_t mss) {
    struct segment s = segment_of(b, peer, WIRE_SYN, 5000, 0);
    s.header.option.mss = mss;
    s.header.option.has_wscale = s.header.option.has_timestamps = true;
    assert_int_equal(request_open(b->t, b->l, &s, NULL), BK_REASON_ACCEPT_SYN_COOKIE);
    struct wire_tcp h = expect_reply(b, BK_REASON_SEND_SYN_COOKIE);
    assert_int_equal(h.flags, WIRE_SYN | WIRE_ACK);
    assert_int_equal(h.ack, 5001);
    assert_int_equal(h.option.mss, b->ipv6 ? 1440 : 1460);
    assert_false(h.option.has_wscale || h.option.has_timestamps); /* there is no room to remember them */
    return h.seq;
}

/* Whether this ACK is taken for a good cookie; what it makes is given up again. Its effective MSS goes to *mss. */
static bool cookie_taken(struct bench *b, struct segment s, uint16_t *mss) {
    uint16_t reason;
    if (!request_cookie_input(b->t, b->l, &s, &reason)) return false;
    assert_string_equal(bk_reason_name(reason), bk_reason_name(BK_REASON_ACCEPT_COOKIE_ACK));
    bk_conn conn;
    assert_int_equal(bk_tcp_accept(b->k.stack, (bk_listener){b->l->self, b->l->generation}, 0, b->k.base->now, &conn),
                     0);
    struct bk_tcp_info info;
    assert_int_equal(bk_tcp_status(b->k.stack, conn, &info), 0);
    assert_int_equal(info.state, BK_ESTABLISHED);
    assert_int_equal(info.rcv_nxt, s.header.seq);
    assert_int_equal(info.snd_una, s.header.ack);
    assert_int_equal(info.send_scale, 0);
    if (mss != NULL) *mss = (uint16_t)info.send_mss;
    assert_int_equal(bk_tcp_abort(b->k.stack, conn, b->k.base->now), 0);
    expect_reply(b, BK_REASON_SEND_RST_ABORT);
    return true;
}

/* A cookie remembers the largest of eight sizes that does not exceed the peer's MSS; without the option 536 or 1,220 (RFC 9293 3.7.1). */
static void a_cookie_remembers_the_mss(void **state) {
    (void)state;
    static const uint16_t offered[][2] = {{1, 48},      {48, 48},     {215, 48},    {216, 216},   {535, 216},
                                          {536, 536},   {1219, 536},  {1220, 1220}, {1300, 1300}, {1399, 1300},
                                          {1400, 1400}, {1440, 1440}, {1459, 1440}, {1460, 1460}, {65535, 1460}};
    for (int ipv6 = 0; ipv6 < 2; ipv6++) {
        struct bench b;
        bench_up(&b, ipv6, 0, 3);
        uint16_t mss;
        for (uint32_t i = 0; i < BK_COUNT(offered); i++) {
            uint32_t cookie = cookie_for(&b, i, offered[i][0]);
            assert_true(cookie_taken(&b, segment_of(&b, i, WIRE_ACK, 5001, cookie + 1), &mss));
            assert_int_equal(mss, ipv6 && offered[i][1] > 1440 ? 1440 : offered[i][1]); /* MTU 1,500 */
        }
        uint32_t cookie = cookie_for(&b, 99, 0);
        assert_true(cookie_taken(&b, segment_of(&b, 99, WIRE_ACK, 5001, cookie + 1), &mss));
        assert_int_equal(mss, ipv6 ? 1220 : 536);
        core_down(&b.k);
    }
}

/* Each bit of the cookie, of the sequence number and of the tuple counts; a MAC of 24 bits lets chance in once in 2^24. */
static void a_tampered_cookie_is_refused(void **state) {
    (void)state;
    for (int ipv6 = 0; ipv6 < 2; ipv6++) {
        struct bench b;
        bench_up(&b, ipv6, 0, 3);
        base_now(b.k.base, 64 * 100 * NS_PER_S);
        uint32_t cookie = cookie_for(&b, 7, 1400);
        struct segment good = segment_of(&b, 7, WIRE_ACK, 5001, cookie + 1);
        uint64_t bad = 0;
        for (uint32_t bit = 0; bit < 32; bit++) {
            struct segment s = good;
            s.header.ack = (cookie ^ UINT32_C(1) << bit) + 1;
            assert_false(cookie_taken(&b, s, NULL));
            s = good;
            s.header.seq ^= UINT32_C(1) << bit;
            assert_false(cookie_taken(&b, s, NULL));
            bad += 2;
        }
        for (size_t i = ipv6 ? 0 : 12; i < sizeof good.tuple; i++) {
            struct segment s = good;
            ((uint8_t *)&s.tuple)[i] ^= 4;
            if (!ipv6 && i >= 16 && i < 28) continue; /* would be no IPv4 address */
            assert_false(cookie_taken(&b, s, NULL));
            bad++;
        }
        assert_int_equal(bk_reason_count(b.k.stack, BK_REASON_NOTE_COOKIE_BAD), bad);
        assert_true(cookie_taken(&b, good, NULL));
        /* Another secret, another cookie. */
        uint8_t seed[32] = {3};
        bk_reseed(b.k.stack, seed);
        assert_false(cookie_taken(&b, good, NULL));
        core_down(&b.k);
    }
}

/* A cookie is good in its own period of 64 s and the two after it; then it is not, also when the counter of 5 bits comes round to it again. */
static void a_cookie_grows_old(void **state) {
    (void)state;
    const uint64_t period = 64 * NS_PER_S;
    for (uint32_t age = 0; age < 70; age++) {
        struct bench b;
        bench_up(&b, false, 0, 3);
        base_now(b.k.base, 1000 * period + 10);
        uint32_t cookie = cookie_for(&b, 1, 1460);
        base_now(b.k.base, (1000 + age) * period + 10);
        cookie_for(&b, 2, 1460); /* the flood goes on: cookies are looked at */
        bool taken = cookie_taken(&b, segment_of(&b, 1, WIRE_ACK, 5001, cookie + 1), NULL);
        assert_int_equal(taken, age <= 2);
        core_down(&b.k);
    }
}

/* No cookie was given for long: an ACK to a listener is not even looked at. */
static void cookies_only_when_given(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, false, 0, 3);
    struct segment s = segment_of(&b, 1, WIRE_ACK, 5001, 12345);
    assert_false(cookie_taken(&b, s, NULL));
    assert_int_equal(bk_reason_count(b.k.stack, BK_REASON_NOTE_COOKIE_BAD), 0);
    uint32_t cookie = cookie_for(&b, 1, 1460);
    assert_false(cookie_taken(&b, s, NULL));
    assert_int_equal(bk_reason_count(b.k.stack, BK_REASON_NOTE_COOKIE_BAD), 1);
    s = segment_of(&b, 1, WIRE_SYN | WIRE_ACK, 5001, cookie + 1);
    assert_false(cookie_taken(&b, s, NULL));
    base_now(b.k.base, 3 * 64 * NS_PER_S);
    assert_false(cookie_taken(&b, segment_of(&b, 1, WIRE_ACK, 5001, cookie + 1), NULL));
    assert_int_equal(bk_reason_count(b.k.stack, BK_REASON_NOTE_COOKIE_BAD), 1);
    core_down(&b.k);
}

/* A good cookie that finds the accept queue or the connections full is dropped, and comes again with the peer's next segment. */
static void a_cookie_at_a_bound(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, false, 0, 3);
    uint32_t cookie = cookie_for(&b, 1, 1460);
    struct segment s = segment_of(&b, 1, WIRE_ACK, 5001, cookie + 1);
    uint16_t reason;
    b.l->backlog = 0;
    assert_true(request_cookie_input(b.t, b.l, &s, &reason));
    assert_int_equal(reason, BK_REASON_DROP_ACCEPT_QUEUE);
    b.l->backlog = 64;
    uint32_t taken[64];
    for (uint32_t i = 0; i < 64; i++) {
        struct tuple tuple = segment_of(&b, 200 + i, 0, 0, 0).tuple;
        taken[i] = connection_new(b.t, &tuple, 0, DEMUX_NONE);
    }
    assert_true(request_cookie_input(b.t, b.l, &s, &reason));
    assert_int_equal(reason, BK_REASON_DROP_NO_CONNECTION);
    connection_free(b.t, connection_at(b.t, taken[5]));
    assert_true(cookie_taken(&b, s, NULL));
    core_down(&b.k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(syn_acks_back_off),
        cmocka_unit_test(lists_are_in_order),
        cmocka_unit_test(a_listener_ends),
        cmocka_unit_test(iss_beyond_the_old_incarnation),
        cmocka_unit_test(a_cookie_remembers_the_mss),
        cmocka_unit_test(a_tampered_cookie_is_refused),
        cmocka_unit_test(a_cookie_grows_old),
        cmocka_unit_test(cookies_only_when_given),
        cmocka_unit_test(a_cookie_at_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

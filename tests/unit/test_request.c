/* Shows that requests are timed by lists in the order of their deadlines, that each SYN-ACK goes when RFC 6298 says and the request ends in
 * time. */
#include "request_bench.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(syn_acks_back_off),
        cmocka_unit_test(lists_are_in_order),
        cmocka_unit_test(a_listener_ends),
        cmocka_unit_test(iss_beyond_the_old_incarnation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

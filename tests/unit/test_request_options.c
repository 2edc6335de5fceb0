/* Shows what a listener's options do to its requests: a bound for the time between SYN-ACKs, and ACKs that are not enough. */
#include "request_bench.h"

#include "tcp/user_calls.h"

#define START NS_PER_S /* what was sent at time 0 cannot be timed */

static void set(struct bench *b, struct listener *l, enum bk_tcp_option option, uint32_t value) {
    assert_int_equal(user_listener_set(b->t, l, option, value), 0);
}

static struct listener *second_listener(struct bench *b) {
    bk_addr any = {{0}};
    bk_listener handle;
    assert_int_equal(listener_open(b->t, &(struct bk_tcp_passive){.local = any, .port = 81, .backlog = 64}, &handle),
                     0);
    return listener_of(b->t, handle);
}

static void open_request(struct bench *b, const struct listener *l, uint32_t peer) {
    struct segment s = segment_of(b, peer, WIRE_SYN, 1000, 0);
    s.tuple.local_port = l->port;
    s.hash = demux_hash(b->k.base, &s.tuple);
    assert_int_equal(request_open(b->t, l, &s, NULL), BK_REASON_ACCEPT_SYN);
}

/* Two listeners with bounds of their own: each request keeps to its own, whatever stands beside it. RFC 6298 5.5: 1, 2, 4, 8 s; bounded by
 * 2.5 s: 1, 2, 2, 2, since a wait is one of these steps. */
static void bounds(void **state) {
    (void)state;
    static const uint64_t wait[2][4] = {{1, 2, 4, 8}, {1, 2, 2, 2}};
    uint64_t due[40];
    uint32_t sent[40];
    struct bench b;
    bench_up(&b, false, 40, 3);
    struct listener *l[2] = {b.l, second_listener(&b)};
    set(&b, l[1], BK_TCP_RTO_MAX_MS, 2500);
    for (uint32_t i = 0; i < 40; i++) {
        base_now(b.k.base, i * 170 * NS_PER_MS);
        open_request(&b, l[i % 2], i);
        expect_reply(&b, BK_REASON_SEND_SYN_ACK);
        due[i] = b.t->base.now + NS_PER_S;
        sent[i] = 1;
        uint64_t next;
        while ((next = request_next_deadline(b.t)) <= (i == 39 ? BK_NEVER - 1 : (i + 1) * 170 * NS_PER_MS)) {
            uint32_t expected = 0, got = 0;
            base_now(b.k.base, next);
            for (uint32_t k = 0; k <= i; k++) {
                assert_true(due[k] >= next); /* none was passed over */
                if (due[k] != next) continue;
                due[k] = sent[k] == 4 ? BK_NEVER : next + wait[k % 2][sent[k]] * NS_PER_S;
                expected += sent[k]++ != 4;
            }
            request_advance(b.t);
            struct wire_tcp h;
            uint16_t reason;
            while (next_reply(&b, &h, &reason)) got++;
            assert_int_equal(got, expected);
        }
    }
    for (uint32_t i = 0; i < 40; i++) assert_true(due[i] == BK_NEVER);
    assert_int_equal(bk_reason_count(b.k.stack, BK_REASON_NOTE_REQUEST_EVICTED), 40);
    core_down(&b.k);
}

/* The bound may change while requests wait: each finds out of the list that it stands in. */
static void bound_changes(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, true, 4, 3);
    open_request(&b, b.l, 1);
    base_now(b.k.base, NS_PER_S);
    request_advance(b.t); /* waits 2 s */
    set(&b, b.l, BK_TCP_RTO_MAX_MS, 1000);
    base_now(b.k.base, 3 * NS_PER_S);
    request_advance(b.t);
    assert_true(request_next_deadline(b.t) == 4 * NS_PER_S);
    set(&b, b.l, BK_TCP_RTO_MAX_MS, 0);
    base_now(b.k.base, 4 * NS_PER_S);
    request_advance(b.t);
    assert_true(request_next_deadline(b.t) == 12 * NS_PER_S);
    base_now(b.k.base, 12 * NS_PER_S);
    request_advance(b.t);
    assert_int_equal(b.t->requests[1].in_use, 0);
    core_down(&b.k);
}

static uint32_t the_request(struct bench *b) {
    for (uint32_t level = 0; level < REQUEST_LEVELS; level++)
        if (b->t->request_fifo[0][level].head != BK_NONE) return b->t->request_fifo[0][level].head;
    return BK_NONE;
}

/* The peer's segment of so many octets, with or without FIN, for the only request. */
static uint16_t arrives(struct bench *b, uint32_t octets, uint8_t flags) {
    struct segment s = segment_of(b, 1, WIRE_ACK | flags, 1001, request_at(b->t, false, the_request(b))->iss + 1);
    s.length = octets + (flags & WIRE_FIN ? 1 : 0);
    return request_input(b->t, false, the_request(b), &s);
}

/* Retries that the stack allows, times that the listener defers, and after how many seconds the ACK comes; when SYN-ACKs go again, and when the
 * request is given up. */
static void silent_peers(void **state) {
    (void)state;
    static const struct {
        uint32_t retries, defer, acked_s;
        uint32_t again[4], end;
    } rows[] = {
        {2, 0, 99, {1, 3}, 7},  /* no deferral, no ACK */
        {2, 1, 0, {1, 3}, 7},   /* 1 s, then as ever */
        {2, 2, 0, {3}, 7},      /* 1 + 2 s */
        {2, 3, 0, {7}, 15},     /* 1 + 2 + 4 s: longer than the retries would last */
        {1, 4, 2, {1, 15}, 31}, /* a SYN-ACK went again before the ACK came */
        {2, 2, 99, {1, 3}, 7},  /* deferral, but no ACK */
        {0, 1, 0, {1}, 3},      /* no retries: the last chance comes all the same */
    };
    for (size_t i = 0; i < BK_COUNT(rows); i++) {
        struct bench b;
        uint32_t n = 0;
        bench_up(&b, false, 4, rows[i].retries);
        set(&b, b.l, BK_TCP_DEFER_ACCEPT, rows[i].defer);
        open_request(&b, b.l, 1);
        expect_reply(&b, BK_REASON_SEND_SYN_ACK);
        for (uint32_t second = 0; second <= rows[i].end; second++) {
            assert_int_equal(b.t->requests[0].in_use, 1);
            base_now(b.k.base, second * NS_PER_S);
            request_advance(b.t);
            if (n < 4 && rows[i].again[n] == second && second != 0) {
                expect_reply(&b, BK_REASON_SEND_SYN_ACK_AGAIN);
                n++;
            }
            expect_no_reply(&b);
            if (second == rows[i].acked_s) assert_int_equal(arrives(&b, 0, 0), BK_REASON_ACCEPT_ACK_DEFERRED);
        }
        assert_int_equal(b.t->requests[0].in_use, 0);
        assert_int_equal(b.l->accept_queue.count, 0);
        assert_int_equal(bk_reason_count(b.k.stack, BK_REASON_NOTE_REQUEST_EVICTED), 1);
        core_down(&b.k);
    }
}

/* What ends a deferral with a connection, and what that knows of the SYN-ACKs before: timeouts count until the ACK that was not enough. */
static void connections(void **state) {
    (void)state;
    static const struct {
        uint32_t acked_s, at_s, octets; /* 99: no ACK before */
        uint8_t flags;
        uint32_t timeouts, timeout_ms;
    } rows[] = {
        {99, 0, 10, 0, 0, 0}, {0, 0, 10, 0, 0, 0},    {0, 2, 10, 0, 0, 0},     {0, 2, 0, WIRE_FIN, 0, 0},
        {2, 5, 10, 0, 1, 0},  {4, 6, 10, 0, 2, 2000}, {99, 4, 10, 0, 2, 3000}, {0, 7, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < BK_COUNT(rows); i++) {
        struct bench b;
        struct wire_tcp h;
        uint16_t reason;
        bench_up(&b, false, 4, 5);
        set(&b, b.l, BK_TCP_DEFER_ACCEPT, 3); /* 7 s */
        base_now(b.k.base, START);
        open_request(&b, b.l, 1);
        for (uint32_t second = 0; second <= rows[i].at_s; second++) {
            base_now(b.k.base, START + second * NS_PER_S);
            request_advance(b.t);
            if (second == rows[i].acked_s) assert_int_equal(arrives(&b, 0, 0), BK_REASON_ACCEPT_ACK_DEFERRED);
        }
        while (next_reply(&b, &h, &reason)) continue;
        assert_int_equal(b.l->accept_queue.count, 0);
        (void)arrives(&b, rows[i].octets, rows[i].flags);
        assert_int_equal(b.l->accept_queue.count, 1);
        assert_int_equal(b.t->requests[0].in_use, 0);
        const struct connection *c = connection_at(b.t, b.l->accept_queue.head);
        assert_int_equal(c->timeouts, rows[i].timeouts);
        assert_int_equal(c->timeout_episodes, rows[i].timeouts != 0);
        assert_int_equal(c->timeout_ms, rows[i].timeout_ms);
        /* The time that the peer took to speak is no sample. */
        assert_int_equal(c->srtt_us, rows[i].acked_s == 99 && rows[i].timeouts == 0 ? 1 : 0);
        core_down(&b.k);
    }
}

static void ranges(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, false, 4, 5);
    assert_int_equal(user_listener_set(b.t, b.l, BK_TCP_DEFER_ACCEPT, BK_DEFER_MAX), 0);
    assert_int_equal(user_listener_set(b.t, b.l, BK_TCP_DEFER_ACCEPT, BK_DEFER_MAX + 1), ERROR_INVAL);
    assert_int_equal(user_listener_set(b.t, b.l, BK_TCP_RTO_MAX_MS, 999), ERROR_INVAL);
    assert_int_equal(user_listener_set(b.t, b.l, BK_TCP_RTO_MAX_MS, 120001), ERROR_INVAL);
    struct connection c = {.state = BK_CLOSED, .detached = true, .active = BK_NONE};
    uint64_t value;
    assert_int_equal(user_set(b.t, &c, BK_TCP_DEFER_ACCEPT, 1), ERROR_NOPROTOOPT);
    assert_int_equal(user_get(&c, BK_TCP_DEFER_ACCEPT, &value), ERROR_NOPROTOOPT);
    assert_int_equal(user_set(b.t, &c, BK_TCP_RTO_MAX_MS, 1001), 0);
    assert_int_equal(user_get(&c, BK_TCP_RTO_MAX_MS, &value), 0);
    assert_int_equal(value, 1002); /* kept to 2 ms */
    core_down(&b.k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds),      cmocka_unit_test(bound_changes), cmocka_unit_test(silent_peers),
        cmocka_unit_test(connections), cmocka_unit_test(ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

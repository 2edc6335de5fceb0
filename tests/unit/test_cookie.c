/* Shows that a SYN cookie is good for its own segment, MSS, options and time only (RFC 4987 3.6), and that the timestamp option carries what
 * has no room in it. */
#include "request_bench.h"

#include "tcp/isn.h"
#include "tcp/options.h"

/* ---- cookies --------------------------------------------------------------------------------------- */

/* The cookie that answers this peer's SYN, which has no timestamps, with the MSS that it offers. */
static uint32_t cookie_for(struct bench *b, uint32_t peer, uint16_t mss) {
    struct segment s = segment_of(b, peer, WIRE_SYN, 5000, 0);
    s.header.option.mss = mss;
    s.header.option.has_wscale = s.header.option.sack_permitted = true;
    assert_int_equal(request_open(b->t, b->l, &s, NULL), BK_REASON_ACCEPT_SYN_COOKIE);
    struct wire_tcp h = expect_reply(b, BK_REASON_SEND_SYN_COOKIE);
    assert_int_equal(h.flags, WIRE_SYN | WIRE_ACK);
    assert_int_equal(h.ack, 5001);
    assert_int_equal(h.option.mss, mss_offer(b->t->path[0].mtu, b->ipv6, 0));
    /* There is no room to remember them. */
    assert_false(h.option.has_wscale || h.option.has_timestamps || h.option.sack_permitted);
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

/* A cookie remembers the largest of eight sizes, for each family, that does not exceed the peer's MSS; without the option 536 or 1,220
 * (RFC 9293 3.7.1). The MTU of 9,000 leaves room for all of them. */
static void a_cookie_remembers_the_mss(void **state) {
    (void)state;
    static const uint16_t ipv4[][2] = {{1, 48},      {48, 48},     {215, 48},    {216, 216},
                                       {535, 216},   {536, 536},   {1219, 536},  {1220, 1220},
                                       {1300, 1300}, {1399, 1300}, {1400, 1400}, {1440, 1440},
                                       {1459, 1440}, {1460, 1460}, {8960, 1460}, {65535, 1460}};
    static const uint16_t ipv6[][2] = {{1, 48},      {48, 48},     {535, 48},    {536, 536},   {1219, 536},
                                       {1220, 1220}, {1299, 1220}, {1300, 1300}, {1359, 1300}, {1360, 1360},
                                       {1419, 1360}, {1420, 1420}, {1439, 1420}, {1440, 1440}, {8939, 1440},
                                       {8940, 8940}, {65535, 8940}};
    for (int family = 0; family < 2; family++) {
        struct bench b;
        bench_up(&b, family, 0, 3);
        b.t->path[0].mtu = 9000;
        uint16_t mss;
        uint32_t n = family ? BK_COUNT(ipv6) : BK_COUNT(ipv4);
        for (uint32_t i = 0; i < n; i++) {
            const uint16_t *row = family ? ipv6[i] : ipv4[i];
            uint32_t cookie = cookie_for(&b, i, row[0]);
            assert_true(cookie_taken(&b, segment_of(&b, i, WIRE_ACK, 5001, cookie + 1), &mss));
            assert_int_equal(mss, row[1]);
        }
        uint32_t cookie = cookie_for(&b, 99, 0);
        assert_true(cookie_taken(&b, segment_of(&b, 99, WIRE_ACK, 5001, cookie + 1), &mss));
        assert_int_equal(mss, family ? 1220 : 536);
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
        taken[i] = connection_new(b.t, &tuple, demux_hash(&b.t->base, &tuple), 0, DEMUX_NONE);
    }
    assert_true(request_cookie_input(b.t, b.l, &s, &reason));
    assert_int_equal(reason, BK_REASON_DROP_NO_CONNECTION);
    connection_free(b.t, connection_at(b.t, taken[5]));
    assert_true(cookie_taken(&b, s, NULL));
    core_down(&b.k);
}

/* ---- options in the timestamp ---------------------------------------------------------------------- */

#define PEER_CLOCK 70000u

/* A SYN with all options, and its answer, a cookie. */
static struct wire_tcp answer_of(struct bench *b, uint32_t peer, uint8_t scale, bool sack) {
    struct segment s = segment_of(b, peer, WIRE_SYN, 5000, 0);
    s.header.option = (struct wire_tcp_options){.mss = 1460,
                                                .has_wscale = scale != 255,
                                                .wscale = scale,
                                                .sack_permitted = sack,
                                                .has_timestamps = true,
                                                .tsval = PEER_CLOCK};
    assert_int_equal(request_open(b->t, b->l, &s, NULL), BK_REASON_ACCEPT_SYN_COOKIE);
    return expect_reply(b, BK_REASON_SEND_SYN_COOKIE);
}

/* The ACK of that answer, which echoes its timestamp. */
static struct segment ack_of(struct bench *b, uint32_t peer, const struct wire_tcp *answer) {
    struct segment s = segment_of(b, peer, WIRE_ACK, 5001, answer->seq + 1);
    s.header.window = 1024;
    s.header.option =
        (struct wire_tcp_options){.has_timestamps = true, .tsval = PEER_CLOCK + 20, .tsecr = answer->option.tsval};
    return s;
}

/* What the ACK brings back, or NULL. */
static struct connection *connection_by(struct bench *b, const struct segment *ack) {
    uint16_t reason;
    bk_conn conn;
    if (!request_cookie_input(b->t, b->l, ack, &reason)) return NULL;
    assert_string_equal(bk_reason_name(reason), bk_reason_name(BK_REASON_ACCEPT_COOKIE_ACK));
    assert_int_equal(bk_tcp_accept(b->k.stack, (bk_listener){b->l->self, b->l->generation}, 0, b->k.base->now, &conn),
                     0);
    return connection_of(b->t, conn);
}

static void config_all(struct bench *b) {
    b->k.base->config.timestamps = b->k.base->config.window_scaling = b->k.base->config.sack = true;
    b->k.base->config.receive_buffer = 200000; /* a scale of 2: 200,000 / 4 < 65,536 */
}

/* Each scale, with SACK and without; above 14 counts as 14 (RFC 7323 2.3); 255 stands for no scale. */
static void timestamps_carry_the_options(void **state) {
    (void)state;
    static const uint8_t scales[] = {0, 1, 7, 10, 13, 14, 15, 200, 255};
    for (uint32_t i = 0; i < 2 * BK_COUNT(scales); i++) {
        struct bench b;
        bench_up(&b, i % 2, 0, 3);
        config_all(&b);
        base_now(b.k.base, (1000 + 37 * i) * NS_PER_MS);
        uint8_t scale = scales[i / 2];
        bool scaling = scale != 255, sack = i % 3 == 0;
        struct wire_tcp answer = answer_of(&b, i, scale, sack);
        assert_int_equal(answer.option.has_wscale, scaling);
        assert_int_equal(answer.option.wscale, scaling ? 2 : 0);
        assert_int_equal(answer.option.sack_permitted, sack);
        assert_true(answer.option.has_timestamps);
        assert_int_equal(answer.option.tsecr, PEER_CLOCK);
        struct segment ack = ack_of(&b, i, &answer);
        const struct connection *c = connection_by(&b, &ack);
        assert_non_null(c);
        assert_int_equal(c->send_scale, !scaling ? 0 : scale > 14 ? 14 : scale);
        assert_int_equal(c->receive_scale, scaling ? 2 : 0);
        assert_int_equal(c->snd_wnd, 1024u << c->send_scale);
        assert_int_equal(c->sack, sack);
        assert_true(c->timestamps);
        assert_int_equal(c->ts_recent, PEER_CLOCK + 20);
        assert_int_equal(c->mss, (b.ipv6 ? 1440 : 1460) - 12);
        core_down(&b.k);
    }
}

/* The request for ECN is granted, and remembered, by the same bits. */
static void timestamps_carry_ecn(void **state) {
    (void)state;
    for (int i = 0; i < 8; i++) {
        struct bench b;
        bench_up(&b, i % 2, 0, 3);
        config_all(&b);
        bool asks = i & 2, timestamps = i & 4;
        struct segment s = segment_of(&b, 1, asks ? WIRE_SYN | WIRE_ECE | WIRE_CWR : WIRE_SYN, 5000, 0);
        s.header.option = (struct wire_tcp_options){.mss = 1460, .has_timestamps = timestamps, .tsval = PEER_CLOCK};
        assert_int_equal(request_open(b.t, b.l, &s, NULL), BK_REASON_ACCEPT_SYN_COOKIE);
        struct wire_tcp answer = expect_reply(&b, BK_REASON_SEND_SYN_COOKIE);
        assert_int_equal(answer.flags, asks && timestamps ? WIRE_SYN | WIRE_ACK | WIRE_ECE : WIRE_SYN | WIRE_ACK);
        struct segment ack = ack_of(&b, 1, &answer);
        ack.header.option.has_timestamps = timestamps;
        const struct connection *c = connection_by(&b, &ack);
        assert_non_null(c);
        assert_int_equal(c->ecn, asks && timestamps);
        core_down(&b.k);
    }
}

/* What is off here is neither offered nor brought back, whatever the peer's SYN said. */
static void what_is_off_is_not_carried(void **state) {
    (void)state;
    for (uint32_t off = 0; off < 3; off++) {
        struct bench b;
        bench_up(&b, false, 0, 3);
        config_all(&b);
        struct bk_config *config = &b.k.base->config;
        if (off == 0) config->timestamps = false;
        if (off == 1) config->window_scaling = false;
        if (off == 2) config->sack = false;
        struct wire_tcp answer = answer_of(&b, 1, 7, true);
        assert_int_equal(answer.option.has_timestamps, off != 0);
        assert_int_equal(answer.option.has_wscale, off == 2);
        assert_int_equal(answer.option.sack_permitted, off == 1);
        struct segment ack = ack_of(&b, 1, &answer);
        const struct connection *c = connection_by(&b, &ack);
        assert_non_null(c);
        assert_int_equal(c->timestamps, off != 0);
        assert_int_equal(c->send_scale, off == 2 ? 7 : 0);
        assert_int_equal(c->sack, off == 1);
        core_down(&b.k);
    }
}

/* The options are under the MAC: with any of the six bits changed, or without the echo, it is no cookie of ours. The other bits are
 * a clock's, and free. */
static void a_changed_echo_is_no_cookie(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, true, 0, 3);
    config_all(&b);
    struct wire_tcp answer = answer_of(&b, 1, 7, true);
    for (uint32_t bit = 0; bit < 6; bit++) {
        struct segment s = ack_of(&b, 1, &answer);
        s.header.option.tsecr ^= 1u << bit;
        assert_null(connection_by(&b, &s));
    }
    struct segment bare = ack_of(&b, 1, &answer);
    bare.header.option.has_timestamps = false;
    assert_null(connection_by(&b, &bare));
    /* An echo where the SYN had no timestamp is not ours either. */
    uint32_t cookie = cookie_for(&b, 2, 1460);
    struct segment s = segment_of(&b, 2, WIRE_ACK, 5001, cookie + 1);
    s.header.option = (struct wire_tcp_options){.has_timestamps = true, .tsval = 1, .tsecr = answer.option.tsval};
    assert_null(connection_by(&b, &s));
    /* The window that the SYN-ACK offered had another scale than it would have now. */
    struct segment good = ack_of(&b, 1, &answer);
    b.k.base->config.receive_buffer = 4096;
    assert_null(connection_by(&b, &good));
    b.k.base->config.receive_buffer = 200000;
    good.header.option.tsecr += 64;
    assert_non_null(connection_by(&b, &good));
    core_down(&b.k);
}

/* The timestamp is at most 64 ms behind the clock and never ahead of it: what follows is never older (RFC 7323 5.3). */
static void the_clock_never_runs_ahead(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, false, 0, 3);
    config_all(&b);
    for (uint32_t ms = 0; ms < 400; ms++) {
        base_now(b.k.base, (5000 + ms) * NS_PER_MS);
        struct segment probe = segment_of(&b, 3, 0, 0, 0);
        uint32_t now = timestamp_now(b.t, isn_make(b.t, &probe.tuple).timestamp_offset);
        struct wire_tcp answer = answer_of(&b, 3, (uint8_t)(ms % 15), ms % 2);
        assert_in_range(now - answer.option.tsval, 0, 63);
        assert_int_equal(answer.option.tsval & 63, ms % 15 | (ms % 2 ? 16 : 0));
    }
    core_down(&b.k);
}

/* The echo of a clock that was put back tells no round-trip time. */
static void no_rtt_from_a_cookie(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, false, 0, 3);
    config_all(&b);
    struct wire_tcp answer = answer_of(&b, 1, 7, true);
    base_now(b.k.base, b.k.base->now + 30 * NS_PER_MS);
    struct segment ack = ack_of(&b, 1, &answer);
    const struct connection *c = connection_by(&b, &ack);
    assert_non_null(c);
    assert_int_equal(c->srtt_us, 0);
    assert_int_equal(c->min_rtt_us, 0);
    core_down(&b.k);
}

/* ---- when ------------------------------------------------------------------------------------------ */

/* "Always" keeps no request, also where there is room. */
static void always(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, false, 8, 3);
    b.k.base->config.syn_cookies = BK_SYN_COOKIES_ALWAYS;
    uint32_t cookie = cookie_for(&b, 1, 1460);
    assert_int_equal(b.t->requests[0].in_use, 0);
    assert_true(cookie_taken(&b, segment_of(&b, 1, WIRE_ACK, 5001, cookie + 1), NULL));
    core_down(&b.k);
}

/* The next incarnation of what was in TIME-WAIT must begin beyond it (RFC 1122 4.2.2.13), which a cookie cannot: it gets a request. */
static void always_but_not_against_a_time_wait(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, false, 8, 3);
    b.k.base->config.syn_cookies = BK_SYN_COOKIES_ALWAYS;
    struct segment s = segment_of(&b, 1, WIRE_SYN, 5000, 0);
    uint32_t above = isn_make(b.t, &s.tuple).number + 1000000;
    assert_int_equal(request_open(b.t, b.l, &s, &above), BK_REASON_ACCEPT_SYN_TIME_WAIT);
    assert_int_equal(expect_reply(&b, BK_REASON_SEND_SYN_ACK).seq, above + 1);
    core_down(&b.k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cookie_remembers_the_mss),
        cmocka_unit_test(a_tampered_cookie_is_refused),
        cmocka_unit_test(a_cookie_grows_old),
        cmocka_unit_test(cookies_only_when_given),
        cmocka_unit_test(a_cookie_at_a_bound),
        cmocka_unit_test(timestamps_carry_the_options),
        cmocka_unit_test(timestamps_carry_ecn),
        cmocka_unit_test(what_is_off_is_not_carried),
        cmocka_unit_test(a_changed_echo_is_no_cookie),
        cmocka_unit_test(the_clock_never_runs_ahead),
        cmocka_unit_test(no_rtt_from_a_cookie),
        cmocka_unit_test(always),
        cmocka_unit_test(always_but_not_against_a_time_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

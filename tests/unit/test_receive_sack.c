/* Shows that SACK blocks say what is held, the latest first, and what came twice: the tables of RFC 2018 and RFC 2883, and random arrivals
 * against a map of every octet. */
#include "fixture.h"

#include "base/draw.h"

/* The peer offers SACK-permitted, without other options but the MSS; segments carry no timestamps unless said so. */
static void established_with_sack(bool timestamps) {
    static const uint8_t plain[] = {2, 4, 5, 180, 1, 1, 4, 2};
    static const uint8_t stamped[] = {2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 19, 136, 0, 0, 0, 0};
    fx.config.sack = true;
    fx.config.timestamps = timestamps;
    fx.config.receive_buffer = 60000;
    expect_call(call_listen(), 0);
    receive(SEG(.flags = SYN, .options = timestamps ? stamped : plain,
                .options_length = timestamps ? sizeof stamped : sizeof plain));
    fx.flow.timestamps = fx.flow.ts_on = timestamps;
    expect(SEG(.flags = SYN | ACK));
    assert_true(fx.last.sack_permitted);
    if (timestamps) fx.flow.ts_seen = fx.last.tsval;
    receive(SEG(.flags = ACK));
    expect_call(call_accept(), 0);
    ignore_sent();
}

struct block {
    int64_t left, right; /* relative numbers; 0, 0: no more */
};

static void expect_blocks(int64_t ack, const struct block *wanted, size_t n) {
    next_sent();
    assert_int_equal(last_ack(), ack);
    assert_int_equal(fx.last.sack_count, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(fx.last.sack[i][0] - fx.flow.isn, wanted[i].left);
        assert_int_equal(fx.last.sack[i][1] - fx.flow.isn, wanted[i].right);
    }
    expect_silence();
}
#define BLOCKS(ack, ...)                                                                                               \
    do {                                                                                                               \
        static const struct block wanted[] = {__VA_ARGS__};                                                            \
        expect_blocks(ack, wanted, sizeof wanted / sizeof *wanted);                                                    \
    } while (0)
#define NO_BLOCKS(ack) expect_blocks(ack, NULL, 0)

/* The left edge of the peer's window is 5,000 in the RFCs' examples. */
static void begin(int64_t seq) {
    receive(SEG(.flags = ACK, .seq = 1, .len = seq - 1));
    expect_call(call_receive(60000), seq - 1);
    advance_by(200);
    ignore_sent();
}

static void arrive(int64_t seq, int64_t length) {
    receive(SEG(.flags = ACK, .seq = seq, .len = length));
}

/* ---- RFC 2018 7 ------------------------------------------------------------------------------------ */

/* Case 2: the first of eight segments is lost. */
static void first_lost(void **state) {
    (void)state;
    established_with_sack(false);
    begin(5000);
    arrive(5500, 500);
    BLOCKS(5000, {5500, 6000});
    arrive(6000, 500);
    BLOCKS(5000, {5500, 6500});
    arrive(6500, 500);
    BLOCKS(5000, {5500, 7000});
    arrive(7000, 500);
    BLOCKS(5000, {5500, 7500});
    arrive(7500, 500);
    BLOCKS(5000, {5500, 8000});
    arrive(8000, 500);
    BLOCKS(5000, {5500, 8500});
    arrive(8500, 500);
    BLOCKS(5000, {5500, 9000});
    arrive(5000, 500);
    NO_BLOCKS(9000);
}

/* Case 3: the 2nd, 4th, 6th and 8th are lost; then the 4th comes, then the 2nd. */
static void every_other_lost(void **state) {
    (void)state;
    established_with_sack(false);
    begin(5000);
    arrive(5000, 500);
    advance_by(200);
    NO_BLOCKS(5500);
    arrive(6000, 500);
    BLOCKS(5500, {6000, 6500});
    arrive(7000, 500);
    BLOCKS(5500, {7000, 7500}, {6000, 6500});
    arrive(8000, 500);
    BLOCKS(5500, {8000, 8500}, {7000, 7500}, {6000, 6500});
    arrive(6500, 500);
    BLOCKS(5500, {6000, 7500}, {8000, 8500});
    arrive(5500, 500);
    BLOCKS(7500, {8000, 8500});
}

/* Four blocks fit without timestamps, three with them; what is oldest is left out, and told again when something comes for it. */
static void as_many_as_fit(void **state) {
    (void)state;
    established_with_sack(false);
    for (int i = 0; i < 5; i++) arrive(1001 + 1000 * i, 100);
    for (int i = 0; i < 4; i++) next_sent();
    BLOCKS(1, {5001, 5101}, {4001, 4101}, {3001, 3101}, {2001, 2101});
    arrive(1101, 100);
    BLOCKS(1, {1001, 1201}, {5001, 5101}, {4001, 4101}, {3001, 3101});
}

static void as_many_as_fit_with_timestamps(void **state) {
    (void)state;
    established_with_sack(true);
    for (int i = 0; i < 4; i++) arrive(1001 + 1000 * i, 100);
    for (int i = 0; i < 3; i++) next_sent();
    BLOCKS(1, {4001, 4101}, {3001, 3101}, {2001, 2101});
}

/* Segments with text carry the blocks as well, and are that much smaller. */
static void with_text(void **state) {
    (void)state;
    established_with_sack(false);
    arrive(1001, 100);
    arrive(3001, 100);
    ignore_sent();
    expect_call(call_set(BK_TCP_NODELAY, 1), 0);
    expect_call(call_send(3000), 3000);
    uint32_t sent = 0;
    while (anything_sent()) {
        next_sent();
        assert_int_equal(fx.last.sack_count, 2);
        assert_true(fx.last.len + 20 <= (uint32_t)our_mss()); /* two blocks: 2 + 2 + 16 octets */
        sent += fx.last.len;
    }
    assert_int_equal(sent, 3000);
}

/* ---- RFC 2883 4 ------------------------------------------------------------------------------------ */

/* 4.1.1: a segment comes again below the acknowledgment, which was lost. */
static void again_below(void **state) {
    (void)state;
    established_with_sack(false);
    begin(3000);
    arrive(3000, 500);
    arrive(3500, 500);
    advance_by(200);
    ignore_sent();
    arrive(3000, 500);
    BLOCKS(4000, {3000, 3500});
}

/* 4.1.2, 4.1.3: behind a gap; the block of duplicates first, then the one that holds it. */
static void again_behind_a_gap(void **state) {
    (void)state;
    established_with_sack(false);
    begin(4000);
    arrive(4500, 500);
    BLOCKS(4000, {4500, 5000});
    arrive(5000, 500);
    BLOCKS(4000, {4500, 5500});
    arrive(5000, 500);
    BLOCKS(4000, {5000, 5500}, {4500, 5500});
}

/* The block that holds it comes second, also where another segment came for another block in the same batch. */
static void again_with_another(void **state) {
    (void)state;
    established_with_sack(false);
    arrive(501, 500);
    ignore_sent();
    const struct seg batch[] = {SEG(.flags = ACK, .seq = 501, .len = 100), SEG(.flags = ACK, .seq = 2001, .len = 100)};
    receive_batch(batch, 2);
    BLOCKS(1, {501, 601}, {501, 1001}, {2001, 2101});
}

/* 4.2.1: a segment of which a part came before; the part is told. */
static void again_in_part(void **state) {
    (void)state;
    established_with_sack(false);
    begin(1000);
    arrive(1500, 500);
    BLOCKS(1000, {1500, 2000});
    arrive(1000, 1500);
    BLOCKS(2500, {1500, 2000});
}

/* 4.2.2, 4.2.3: two parts of it came before; only the first is told, with the blocks above. */
static void again_in_two_parts(void **state) {
    (void)state;
    established_with_sack(false);
    begin(1000);
    arrive(1500, 500);
    arrive(2500, 500);
    arrive(4000, 500);
    for (int i = 0; i < 3; i++) next_sent();
    arrive(1000, 2500);
    BLOCKS(3500, {1500, 2000}, {4000, 4500});
}

/* Told once; and not at all where the configuration says so, or SACK was not agreed on. */
/* What came twice, and was given up before that could be told, because text in order needed its chunks: of all that came twice no more is told
 * than is here. Found by simulation. */
static void again_and_given_up(void **state) {
    (void)state;
    fx.config.buffer_chunks = 8;
    established_with_sack(false);
    struct seg batch[15];
    for (int i = 0; i < 12; i++) batch[i] = SEG(.flags = ACK, .seq = 6001 + 1400 * (i % 6), .len = 1400);
    for (int i = 0; i < 3; i++) batch[12 + i] = SEG(.flags = ACK, .seq = 1 + 1400 * i, .len = 1400);
    receive_batch(batch, 15);
    /* Three chunks in order, all within the mark of six. */
    assert_int_equal(bk_reason_count(fx.stack, BK_REASON_NOTE_OUT_OF_ORDER_PRUNED), 3);
    BLOCKS(4201, {6001, 10201}, {6001, 10201});
}

static void told_once(void **state) {
    (void)state;
    established_with_sack(false);
    begin(2000);
    arrive(1000, 500);
    BLOCKS(2000, {1000, 1500});
    arrive(2500, 100);
    BLOCKS(2000, {2500, 2600});
}

static void not_asked_for(void **state) {
    (void)state;
    fx.config.dsack = false;
    established_with_sack(false);
    begin(2000);
    arrive(1000, 500);
    NO_BLOCKS(2000);
    arrive(2500, 100);
    BLOCKS(2000, {2500, 2600});
}

/* A FIN ends it: nothing behind it will ever be read. */
static void fin_ends_it(void **state) {
    (void)state;
    established_with_sack(false);
    begin(2000);
    receive(SEG(.flags = ACK | FIN, .seq = 1500, .len = 500));
    NO_BLOCKS(2001);
}

/* ---- any order ------------------------------------------------------------------------------------- */

enum { SPACE = 30000 };

struct map {
    bool held[SPACE + 2];
    int64_t next; /* RCV.NXT */
};

/* The unbroken run around `at`. */
static struct block run_around(const struct map *m, int64_t at) {
    struct block b = {at, at};
    while (b.left > 1 && m->held[b.left - 1]) b.left--;
    while (b.right <= SPACE && m->held[b.right]) b.right++;
    return b;
}

static bool says(int i, struct block b) {
    return fx.last.sack[i][0] - fx.flow.isn == b.left && fx.last.sack[i][1] - fx.flow.isn == b.right;
}

/* The blocks of the ACK that has just left, for a segment [seq, seq + n), of which `twice` had come. */
static void check_blocks(const struct map *m, int64_t seq, int64_t n, struct block twice) {
    int first = 0;
    if (twice.left != twice.right) {
        assert_true(fx.last.sack_count > 0 && says(0, twice));
        first = 1;
    }
    struct block own = run_around(m, seq);
    if (seq + n > m->next && seq >= m->next) assert_true(fx.last.sack_count > first && says(first, own));
    for (int i = first; i < fx.last.sack_count; i++) {
        int64_t left = fx.last.sack[i][0] - fx.flow.isn, right = fx.last.sack[i][1] - fx.flow.isn;
        assert_true(left > m->next && left < right);
        struct block b = run_around(m, left);
        assert_true(m->held[left] && b.left == left && b.right == right);
        for (int k = first; k < i; k++) assert_false(says(k, b));
    }
}

static void any_order(void **state) {
    (void)state;
    static struct map m;
    uint64_t random = 11;
    memset(&m, 0, sizeof m);
    established_with_sack(false);
    m.next = 1;
    while (m.next < SPACE - 2000) {
        int64_t seq = m.next + (int64_t)(draw(&random) % 3000) - 500, n = 1 + (int64_t)(draw(&random) % 700);
        if (draw(&random) % 4 == 0) seq = m.next;
        if (seq < 1 || seq + n > SPACE) continue;
        /* The first unbroken part that had come. */
        struct block twice = {seq, seq};
        while (twice.left < seq + n && !m.held[twice.left]) twice.left++;
        for (twice.right = twice.left; twice.right < seq + n && m.held[twice.right];) twice.right++;
        if (twice.left == seq + n) twice.right = twice.left;
        for (int64_t i = seq; i < seq + n; i++) m.held[i] = true;
        while (m.held[m.next]) m.next++;
        arrive(seq, n);
        if (!anything_sent()) continue; /* in order: delayed */
        next_sent();
        assert_int_equal(last_ack(), m.next);
        check_blocks(&m, seq, n, twice);
        expect_silence();
        call_receive(60000);
        ignore_sent();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(first_lost),         BOTH(every_other_lost),
        BOTH(as_many_as_fit),     BOTH(as_many_as_fit_with_timestamps),
        BOTH(with_text),          BOTH(again_below),
        BOTH(again_behind_a_gap), BOTH(again_in_part),
        BOTH(again_with_another), BOTH(again_in_two_parts),
        BOTH(again_and_given_up), BOTH(told_once),
        BOTH(not_asked_for),      BOTH(fin_ends_it),
        BOTH(any_order),
    };
    return run_fixture_tests(tests);
}

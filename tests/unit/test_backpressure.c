/* Shows that each bound has a defined, counted answer: link full, pools empty, budget spent; and that the stack recovers. */
#include "pair.h"

#include <errno.h>
#include <string.h>

#define BYTES 100000u

/* Sends and reads until all BYTES of side 0 are at side 1, in at most `ms`. */
static void transfer(struct pair *p, bk_conn conn[2], uint64_t ms) {
    uint64_t sent = 0, received = 0;
    for (uint64_t i = 0; i < ms && received < BYTES; i += 5) {
        ptrdiff_t n;
        while (sent < BYTES && (n = pair_send(p, 0, conn[0], 3, sent, BYTES - sent)) > 0) sent += (uint64_t)n;
        pair_run(p, 5 * PAIR_MS);
        pair_receive(p, 1, conn[1], 3, &received);
    }
    assert_int_equal(received, BYTES);
}

static void open_pair(struct pair *p, int family, const struct bk_config *a, const struct bk_config *b,
                      bk_listener *listener) {
    pair_open(p, family, BK_LAYER_IP, a, b);
    *listener = pair_listen(p, 1, 4);
}

static uint32_t ready_bits(struct pair *p, int side, bk_conn conn) {
    struct bk_ready events[32];
    uint32_t bits = 0;
    size_t n = bk_ready_poll(p->side[side].stack, events, 32);
    for (size_t i = 0; i < n; i++)
        if (!events[i].listener && events[i].index == conn.index && events[i].generation == conn.generation)
            bits |= events[i].what;
    return bits;
}

static uint64_t retransmitted(struct pair *p, int side) {
    struct bk_tcp_mib mib;
    bk_tcp_mib(p->side[side].stack, &mib);
    return mib.retrans_segs;
}

/* ---- the link -------------------------------------------------------------------------------------- */

/* What is not asked for stays in the stack, in order, and is neither lost nor sent twice. */
static void link_takes_one_at_a_time(void **state) {
    (void)state;
    for (int family = 4; family <= 6; family += 2) {
        struct bk_config config;
        struct pair p;
        bk_listener listener;
        bk_conn conn[2];
        struct bk_tx unit;
        pair_config(&config);
        open_pair(&p, family, &config, NULL, &listener);
        pair_establish(&p, listener, conn);

        assert_true(pair_send(&p, 0, conn[0], 3, 0, 4000) == 4000);
        assert_true(bk_output_pending(p.side[0].stack, 0));
        for (int i = 0; i < 3; i++) assert_int_equal(bk_output(p.side[0].stack, 0, &unit, 0, p.now), 0);
        assert_true(bk_output_pending(p.side[0].stack, 0));
        pair_run(&p, PAIR_S);
        uint64_t at = 0;
        assert_int_equal(pair_receive(&p, 1, conn[1], 3, &at), -EAGAIN);
        assert_int_equal(at, 4000);
        assert_false(bk_output_pending(p.side[0].stack, 0));

        p.side[0].output_max = p.side[1].output_max = 1;
        transfer(&p, conn, 20000);
        assert_int_equal(retransmitted(&p, 0), 0);
        assert_int_equal(pair_in_use(&p, 0, BK_POOL_FRAMES), 0);
        pair_close(&p);
    }
}

/* A device that takes nothing for a while: all that queued up goes out afterwards. */
static void link_stands_still(void **state) {
    (void)state;
    struct bk_config config;
    struct pair p;
    bk_listener listener;
    bk_conn conn[2];
    pair_config(&config);
    open_pair(&p, 4, &config, NULL, &listener);
    pair_establish(&p, listener, conn);
    p.side[0].device_dead = true;
    assert_int_equal(pair_send(&p, 0, conn[0], 3, 0, 4000), 4000);
    bk_conn second = pair_connect(&p, 0);
    pair_run(&p, 300 * PAIR_MS);
    assert_int_equal(p.flight_count, 0);
    assert_int_equal(pair_status(&p, 0, second).state, BK_SYN_SENT);
    p.side[0].device_dead = false;
    pair_run(&p, 100 * PAIR_MS);
    uint64_t at = 0;
    pair_receive(&p, 1, conn[1], 3, &at);
    assert_int_equal(at, 4000);
    assert_int_equal(pair_status(&p, 0, second).state, BK_ESTABLISHED);
    pair_close(&p);
}

/* Whoever closes on a link that takes nothing any more leaves nothing behind after orphan_ms. */
static void close_on_a_dead_link(void **state) {
    (void)state;
    struct pair p;
    struct bk_config config;
    bk_listener listener;
    bk_conn conn[2][2];
    pair_config(&config);
    open_pair(&p, 4, &config, NULL, &listener);
    for (int i = 0; i < 2; i++) pair_establish(&p, listener, conn[i]);
    assert_int_equal(pair_send(&p, 0, conn[0][0], 3, 0, 1000), 1000);
    pair_collect(&p);
    p.side[0].device_dead = true;
    assert_int_equal(pair_send(&p, 0, conn[1][0], 3, 0, 1000),
                     1000); /* never asked for; the other one retransmits in vain */
    for (int i = 0; i < 2; i++) assert_int_equal(bk_tcp_close(p.side[0].stack, conn[i][0], p.now), 0);
    pair_run(&p, PAIR_S);
    assert_int_equal(pair_in_use(&p, 0, BK_POOL_CONNECTIONS), 2);
    pair_run(&p, config.orphan_ms * PAIR_MS);
    assert_int_equal(pair_in_use(&p, 0, BK_POOL_CONNECTIONS), 0);
    pair_close(&p);
}

/* A retransmission that a full device let out long after its timer had fired: the next one is an RTO later, not at once. */
static void retransmission_leaves_late(void **state) {
    (void)state;
    struct pair p;
    struct bk_config config;
    bk_listener listener;
    bk_conn conn[2];
    pair_config(&config);
    config.tail_loss_probe = false;
    open_pair(&p, 4, &config, NULL, &listener);
    pair_establish(&p, listener, conn);
    assert_int_equal(pair_send(&p, 0, conn[0], 3, 0, 100), 100);
    pair_collect(&p);
    pair_lose(&p);
    p.side[0].device_dead = true;
    pair_run(&p, 10 * PAIR_S);
    assert_int_equal(pair_count(&p, 0, BK_REASON_NOTE_RTO), 1);
    p.side[0].device_dead = false;
    pair_run(&p, PAIR_MS);
    assert_int_equal(pair_count(&p, 0, BK_REASON_SEND_RTO), 1);
    assert_int_equal(pair_count(&p, 0, BK_REASON_NOTE_RTO), 1);
    pair_lose(&p);
    pair_run(&p, PAIR_S);
    assert_int_equal(pair_count(&p, 0, BK_REASON_SEND_RTO), 2);
    uint64_t at = 0;
    pair_receive(&p, 1, conn[1], 3, &at);
    assert_int_equal(at, 100);
    pair_close(&p);
}

/* ---- frames and chunks ----------------------------------------------------------------------------- */

/* A device that does not let go of its frames: output stops, which is counted, and goes on when it does. */
static void frame_pool_empty(void **state) {
    (void)state;
    struct bk_config config;
    struct pair p;
    bk_listener listener;
    bk_conn conn[2];
    struct bk_tx units[64];
    uint8_t frame[2048];
    pair_config(&config);
    struct bk_config few = config;
    few.frames = 4;
    open_pair(&p, 4, &few, &config, &listener);
    bk_conn more[5][2];
    for (int i = 0; i < 5; i++) {
        pair_establish(&p, listener, more[i]);
    }
    memcpy(conn, more[0], sizeof conn);
    for (int i = 0; i < 5; i++) assert_int_equal(pair_send(&p, 0, more[i][0], 3, 0, 500), 500);

    uint64_t before = pair_count(&p, 0, BK_REASON_NOTE_NO_FRAME);
    size_t n = bk_output(p.side[0].stack, 0, units, 64, p.now);
    assert_int_equal(n, 4);
    assert_int_equal(bk_output(p.side[0].stack, 0, units + n, 1, p.now), 0);
    assert_true(pair_count(&p, 0, BK_REASON_NOTE_NO_FRAME) > before);
    assert_int_equal(pair_in_use(&p, 0, BK_POOL_FRAMES), 4);

    for (size_t u = 0; u < n; u++) {
        size_t length = bk_tx_write(p.side[0].stack, &units[u], 0, frame, sizeof frame);
        assert_int_not_equal(length, 0);
        bk_input_copy(p.side[1].stack, 0, frame, length, p.now);
        bk_output_done(p.side[0].stack, &units[u].id, 1);
    }
    assert_int_equal(pair_in_use(&p, 0, BK_POOL_FRAMES), 0);
    pair_run(&p, 100 * PAIR_MS);
    for (int i = 0; i < 5; i++) {
        uint64_t at = 0;
        pair_receive(&p, 1, more[i][1], 3, &at);
        assert_int_equal(at, 500);
    }
    transfer(&p, conn, 20000);
    assert_int_equal(retransmitted(&p, 0), 0);
    pair_close(&p);
}

/* A device holds all frames while a delayed ACK falls due: nobody is told to come back at once, over and over, for what cannot leave. */
static void ack_waits_for_a_frame(void **state) {
    (void)state;
    struct bk_config config;
    struct pair p;
    bk_listener listener;
    bk_conn conn[2][2];
    struct bk_tx units[2];
    pair_config(&config);
    struct bk_config few = config;
    few.frames = 2;
    open_pair(&p, 4, &few, &config, &listener);
    for (int i = 0; i < 2; i++) pair_establish(&p, listener, conn[i]);
    for (int i = 0; i < 2; i++) assert_int_equal(pair_send(&p, 0, conn[i][0], 3, 0, 500), 500);
    assert_int_equal(bk_output(p.side[0].stack, 0, units, 2, p.now), 2);
    p.side[0].holds = true;
    assert_int_equal(pair_send(&p, 1, conn[0][1], 4, 0, 100), 100);
    pair_run(&p, 2 * PAIR_LATENCY);
    assert_int_equal(pair_status(&p, 0, conn[0][0]).receive_queued, 100);
    p.now += config.delayed_ack_ms * PAIR_MS;
    bk_advance(p.side[0].stack, p.now);
    assert_int_equal(bk_output(p.side[0].stack, 0, units, 2, p.now), 0);
    assert_true(bk_next_deadline(p.side[0].stack) > p.now);
    for (int u = 0; u < 2; u++) bk_output_done(p.side[0].stack, &units[u].id, 1);
    assert_int_equal(bk_output(p.side[0].stack, 0, units, 2, p.now), 1);
    assert_int_equal(units[0].reason, BK_REASON_SEND_ACK_DELAYED);
    bk_output_done(p.side[0].stack, &units[0].id, 1);
    pair_close(&p);
}

/* The devices hold all chunks: frames cannot come in, users cannot queue; both are told, and both go on afterwards. */
static void chunk_pool_empty(void **state) {
    (void)state;
    struct bk_config config;
    struct pair p;
    bk_listener listener;
    bk_conn conn[2];
    uint32_t chunks[1024];
    pair_config(&config);
    open_pair(&p, 4, &config, NULL, &listener);
    pair_establish(&p, listener, conn);

    p.side[1].holds = true;
    size_t taken = bk_chunk_alloc(p.side[1].stack, chunks, 1024);
    assert_int_equal(taken, config.chunks);
    uint32_t one;
    assert_int_equal(bk_chunk_alloc(p.side[1].stack, &one, 1), 0);
    uint64_t before = pair_count(&p, 1, BK_REASON_NO_CHUNK);
    uint8_t frame[40] = {0x45};
    assert_int_equal(bk_input_copy(p.side[1].stack, 0, frame, sizeof frame, p.now), BK_REASON_NO_CHUNK);
    assert_true(pair_count(&p, 1, BK_REASON_NO_CHUNK) > before);
    assert_int_equal(pair_send(&p, 1, conn[1], 4, 0, 100), -EAGAIN);
    assert_true(pair_count(&p, 1, BK_REASON_NOTE_BUDGET_FULL) > 0);

    assert_int_equal(pair_send(&p, 0, conn[0], 3, 0, 1000), 1000);
    pair_run(&p, 100 * PAIR_MS);
    bk_chunk_release(p.side[1].stack, chunks, taken);
    pair_run(&p, 10 * PAIR_S); /* the segment comes again */
    uint64_t at = 0;
    pair_receive(&p, 1, conn[1], 3, &at);
    assert_int_equal(at, 1000);
    assert_true(retransmitted(&p, 0) > 0);
    assert_int_equal(ready_bits(&p, 1, conn[1]) & BK_READY_WRITABLE, BK_READY_WRITABLE);
    assert_int_equal(pair_send(&p, 1, conn[1], 4, 0, 100), 100);
    pair_close(&p);
}

/* ---- buffers --------------------------------------------------------------------------------------- */

static void send_buffer_full(void **state) {
    (void)state;
    struct bk_config config;
    struct pair p;
    bk_listener listener;
    bk_conn conn[2];
    uint64_t sent = 0, received = 0;
    pair_config(&config);
    open_pair(&p, 4, &config, NULL, &listener);
    pair_establish(&p, listener, conn);
    ready_bits(&p, 0, conn[0]);
    for (ptrdiff_t n = 1; n > 0;) {
        n = pair_send(&p, 0, conn[0], 3, sent, 4096);
        if (n > 0) sent += (uint64_t)n;
        if (n < 0) assert_int_equal(n, -EAGAIN);
    }
    assert_int_equal(sent, config.send_buffer);
    assert_true(pair_count(&p, 0, BK_REASON_NOTE_SEND_FULL) >= 1);
    assert_int_equal(ready_bits(&p, 0, conn[0]), 0);
    for (int i = 0; i < 100; i++) {
        pair_run(&p, 10 * PAIR_MS);
        pair_receive(&p, 1, conn[1], 3, &received);
    }
    assert_int_equal(received, sent);
    assert_int_equal(ready_bits(&p, 0, conn[0]), BK_READY_WRITABLE);
    pair_close(&p);
}

/* One connection spends the stack's whole budget on data that does not get away: the other finds the least, one chunk, is then told to wait, and is
 * woken when there is room again. */
static void budget_spent_sending(void **state) {
    (void)state;
    struct bk_config config;
    struct pair p;
    bk_listener listener;
    bk_conn greedy[2], other[2];
    pair_config(&config);
    struct bk_config poor = config;
    poor.buffer_chunks = 8;
    poor.send_buffer = 1000000;
    open_pair(&p, 4, &poor, &config, &listener);
    pair_establish(&p, listener, greedy);
    pair_establish(&p, listener, other);
    ready_bits(&p, 0, other[0]);

    p.side[0].device_dead = true;
    uint64_t sent = 0, received = 0;
    ptrdiff_t n;
    while ((n = pair_send(&p, 0, greedy[0], 3, sent, 4096)) > 0) sent += (uint64_t)n;
    assert_int_equal(n, -EAGAIN);
    assert_int_equal(sent, 6 * config.chunk_size); /* three quarters: the rest is for who has little */
    uint64_t least = 0;
    while ((n = pair_send(&p, 0, other[0], 4, least, 100)) > 0) least += (uint64_t)n;
    assert_int_equal(n, -EAGAIN);
    assert_in_range(least, 1400, config.chunk_size);
    assert_true(pair_count(&p, 0, BK_REASON_NOTE_BUDGET_FULL) >= 2);
    assert_int_equal(pair_count(&p, 0, BK_REASON_NOTE_SEND_FULL), 0);
    assert_int_equal(ready_bits(&p, 0, other[0]), 0);

    p.side[0].device_dead = false;
    pair_run(&p, 5 * PAIR_S);
    pair_receive(&p, 1, greedy[1], 3, &received);
    assert_int_equal(received, sent);
    assert_int_equal(ready_bits(&p, 0, other[0]), BK_READY_WRITABLE);
    assert_int_equal(pair_send(&p, 0, other[0], 4, least, 100), 100);
    pair_run(&p, PAIR_S);
    uint64_t at = 0;
    pair_receive(&p, 1, other[1], 4, &at);
    assert_int_equal(at, least + 100);
    pair_close(&p);
}

/* SEND by reference of so many chunks, 100 octets each. */
static int send_parts(struct pair *p, bk_conn conn, size_t n) {
    bk_stack *stack = p->side[0].stack;
    uint32_t chunk[8];
    struct bk_part part[8];
    assert_int_equal(bk_chunk_alloc(stack, chunk, n), n);
    for (size_t i = 0; i < n; i++) part[i] = (struct bk_part){.chunk = chunk[i], .length = 100};
    int r = bk_tcp_send_parts(stack, conn, part, n, 0, p->now);
    if (r != 0) bk_chunk_release(stack, chunk, n);
    return r;
}

/* Who waits for chunks is told that its turn has come; they are set aside for it. If it does not write, its turn is over after a second, and the next one is
 * told. Asking for more than the turn gives does not end it. */
static void turn_passes(void **state) {
    (void)state;
    struct bk_config config;
    struct pair p;
    bk_listener listener;
    bk_conn greedy[2], lazy[2], next[2];
    pair_config(&config);
    struct bk_config poor = config;
    poor.buffer_chunks = 8;
    poor.send_buffer = 1000000;
    open_pair(&p, 4, &poor, &config, &listener);
    pair_establish(&p, listener, greedy);
    pair_establish(&p, listener, lazy);
    pair_establish(&p, listener, next);
    ready_bits(&p, 0, lazy[0]);

    p.side[0].device_dead = true;
    assert_int_equal(send_parts(&p, greedy[0], 6), 0);
    assert_int_equal(send_parts(&p, lazy[0], 6), -EAGAIN);
    p.side[0].device_dead = false;
    pair_run(&p, PAIR_S);
    assert_int_equal(pair_in_use(&p, 0, BK_POOL_EXTENTS), 0);
    assert_int_equal(ready_bits(&p, 0, lazy[0]), BK_READY_WRITABLE);
    assert_int_equal(send_parts(&p, next[0], 2), -EAGAIN);   /* one of the last two would be its least */
    assert_int_equal(send_parts(&p, lazy[0], 7), -EMSGSIZE); /* more than there ever are */
    pair_run(&p, PAIR_S / 2);
    assert_int_equal(ready_bits(&p, 0, next[0]), 0);
    pair_run(&p, PAIR_S * 6 / 10);
    assert_int_equal(ready_bits(&p, 0, next[0]), BK_READY_WRITABLE);
    assert_int_equal(send_parts(&p, next[0], 3), 0); /* nobody else waits */
    pair_run(&p, PAIR_S);

    /* Again; this time the turn is used, for less than it gives. */
    p.side[0].device_dead = true;
    assert_int_equal(send_parts(&p, greedy[0], 6), 0);
    assert_int_equal(send_parts(&p, lazy[0], 2), -EAGAIN);
    assert_int_equal(send_parts(&p, next[0], 2), -EAGAIN);
    p.side[0].device_dead = false;
    pair_run(&p, PAIR_S);
    assert_int_equal(ready_bits(&p, 0, lazy[0]), BK_READY_WRITABLE);
    assert_int_equal(send_parts(&p, lazy[0], 4), -EAGAIN);
    assert_int_equal(send_parts(&p, lazy[0], 1), 0);
    assert_int_equal(send_parts(&p, next[0], 2), 0);
    pair_run(&p, PAIR_S);
    assert_int_equal(pair_in_use(&p, 0, BK_POOL_EXTENTS), 0);
    pair_close(&p);
}

/* The receiver's budget is smaller than the windows it has offered: what finds no room is dropped and counted, comes
 * again, and arrives once the user has read. */
static void budget_spent_receiving(void **state) {
    (void)state;
    for (int family = 4; family <= 6; family += 2) {
        struct bk_config config;
        struct pair p;
        bk_listener listener;
        bk_conn conn[2];
        pair_config(&config);
        struct bk_config poor = config;
        poor.buffer_chunks = 4;
        open_pair(&p, family, &config, &poor, &listener);
        pair_establish(&p, listener, conn);
        uint64_t sent = 0;
        ptrdiff_t n;
        while (sent < 30000 && (n = pair_send(&p, 0, conn[0], 3, sent, 30000 - sent)) > 0) sent += (uint64_t)n;
        pair_run(&p, PAIR_S);
        assert_true(pair_count(&p, 1, BK_REASON_DROP_NO_BUFFER) > 0);
        uint64_t received = 0;
        for (int i = 0; i < 6000 && received < sent; i++) {
            pair_run(&p, 10 * PAIR_MS);
            pair_receive(&p, 1, conn[1], 3, &received);
        }
        assert_int_equal(received, sent);
        assert_int_equal(pair_in_use(&p, 1, BK_POOL_CHUNKS), 0);
        pair_close(&p);
    }
}

static void active_pool_empty(void **state) {
    (void)state;
    struct bk_config config;
    struct pair p;
    bk_listener listener;
    bk_conn first[2], second[2];
    pair_config(&config);
    config.active_connections = 1;
    open_pair(&p, 4, &config, NULL, &listener);
    pair_establish(&p, listener, first);
    pair_establish(&p, listener, second);
    ready_bits(&p, 0, second[0]);

    assert_int_equal(pair_send(&p, 0, first[0], 3, 0, 100), 100);
    assert_int_equal(pair_send(&p, 0, second[0], 4, 0, 100), -EAGAIN);
    pair_run(&p, PAIR_S);
    assert_int_equal(ready_bits(&p, 0, second[0]), BK_READY_WRITABLE);
    /* side 1 still holds the first one's data: the second one's is dropped, counted, and comes again */
    assert_int_equal(pair_send(&p, 0, second[0], 4, 0, 100), 100);
    pair_run(&p, 100 * PAIR_MS);
    assert_true(pair_count(&p, 1, BK_REASON_DROP_NO_ACTIVE) > 0);
    uint64_t at = 0;
    pair_receive(&p, 1, first[1], 3, &at);
    assert_int_equal(at, 100);
    pair_run(&p, 10 * PAIR_S);
    at = 0;
    pair_receive(&p, 1, second[1], 4, &at);
    assert_int_equal(at, 100);
    pair_close(&p);
}

/* Who waits for an active record may get one otherwise, because data arrives; then it waits for one no more. */
static void record_comes_with_data(void **state) {
    (void)state;
    struct bk_config config;
    struct pair p;
    bk_listener listener;
    bk_conn first[2], second[2];
    pair_config(&config);
    struct bk_config poor = config;
    poor.active_connections = 1;
    open_pair(&p, 4, &poor, &config, &listener);
    pair_establish(&p, listener, first);
    pair_establish(&p, listener, second);
    ready_bits(&p, 0, second[0]);

    assert_int_equal(pair_send(&p, 0, first[0], 3, 0, 100), 100);
    assert_int_equal(pair_send(&p, 0, second[0], 4, 0, 100), -EAGAIN);
    pair_run(&p, PAIR_S);
    assert_int_equal(pair_send(&p, 1, second[1], 5, 0, 100), 100);
    pair_run(&p, PAIR_S);
    uint64_t at = 0;
    pair_receive(&p, 0, second[0], 5, &at);
    assert_int_equal(at, 100);
    assert_true(ready_bits(&p, 0, second[0]) & BK_READY_WRITABLE);
    assert_int_equal(pair_send(&p, 0, second[0], 4, 0, 100), 100);
    pair_close(&p);
}

/* ---- connections, requests, backlog, TIME-WAIT ----------------------------------------------------- */

static void connection_pool_empty(void **state) {
    (void)state;
    struct bk_config config;
    struct pair p;
    bk_listener listener;
    bk_conn conn[2][2], extra;
    pair_config(&config);
    struct bk_config two = config;
    two.connections = two.active_connections = 2;
    open_pair(&p, 4, &config, &two, &listener);
    for (int i = 0; i < 2; i++) pair_establish(&p, listener, conn[i]);

    struct bk_tcp_open open = {.remote = p.side[0].addr, .remote_port = PAIR_PORT};
    assert_int_equal(bk_tcp_connect(p.side[1].stack, &open, p.now, &extra), -ENOBUFS);

    bk_conn third = pair_connect(&p, 0);
    pair_run(&p, 100 * PAIR_MS);
    assert_true(pair_count(&p, 1, BK_REASON_DROP_NO_CONNECTION) > 0);
    assert_int_equal(bk_tcp_accept(p.side[1].stack, listener, 0, p.now, &extra), -EAGAIN);
    /* the handshake is finished once there is room, by the repeated SYN-ACK */
    assert_int_equal(bk_tcp_abort(p.side[1].stack, conn[0][1], p.now), 0);
    pair_run(&p, 10 * PAIR_S);
    assert_int_equal(pair_status(&p, 0, third).state, BK_ESTABLISHED);
    pair_accept(&p, 1, listener);
    assert_int_equal(pair_in_use(&p, 1, BK_POOL_CONNECTIONS), 2);
    pair_close(&p);
}

static void listener_pool_empty(void **state) {
    (void)state;
    struct bk_config config;
    struct pair p;
    bk_listener listener;
    bk_addr any = {{0}};
    pair_config(&config);
    config.listeners = 1;
    open_pair(&p, 4, &config, NULL, &listener);
    bk_listener other;
    assert_int_equal(bk_tcp_listen(p.side[1].stack, &any, PAIR_PORT + 1, 1, 0, p.now, &other), -ENOBUFS);
    assert_int_equal(bk_tcp_unlisten(p.side[1].stack, listener, p.now), 0);
    assert_int_equal(bk_tcp_listen(p.side[1].stack, &any, PAIR_PORT + 1, 1, 0, p.now, &other), 0);
    pair_close(&p);
}

/* Strangers' SYNs fill the table of requests; one more client comes. */
static void request_table_full(int family, bool cookies) {
    enum bk_pool pool = family == 4 ? BK_POOL_REQUESTS_IPV4 : BK_POOL_REQUESTS_IPV6;
    struct bk_config config;
    struct pair p;
    bk_listener listener;
    pair_config(&config);
    config.requests_ipv4 = config.requests_ipv6 = 4;
    config.syn_cookies = cookies ? BK_SYN_COOKIES_WHEN_FULL : BK_SYN_COOKIES_NEVER;
    open_pair(&p, family, &config, NULL, &listener);
    for (uint16_t port = 1000; port < 1004; port++)
        assert_int_equal(pair_stranger_syn(&p, 1, port, port), BK_REASON_ACCEPT_SYN);
    assert_int_equal(pair_in_use(&p, 1, pool), 4);
    assert_int_equal(pair_stranger_syn(&p, 1, 1004, 5),
                     cookies ? BK_REASON_ACCEPT_SYN_COOKIE : BK_REASON_DROP_SYN_BACKLOG);
    assert_int_equal(pair_in_use(&p, 1, pool), 4);

    bk_conn conn = pair_connect(&p, 0);
    pair_run(&p, 100 * PAIR_MS);
    assert_int_equal(pair_count(&p, 1, BK_REASON_SEND_SYN_COOKIE), cookies ? 2 : 0);
    assert_int_equal(pair_count(&p, 1, BK_REASON_DROP_SYN_BACKLOG), cookies ? 0 : 2);
    if (cookies) {
        assert_int_equal(pair_status(&p, 0, conn).state, BK_ESTABLISHED);
        assert_int_equal(pair_count(&p, 1, BK_REASON_ACCEPT_COOKIE_ACK), 1);
        bk_conn pair[2] = {conn, pair_accept(&p, 1, listener)};
        transfer(&p, pair, 20000);
    } else {
        assert_int_equal(pair_status(&p, 0, conn).state, BK_SYN_SENT);
        /* the strangers' requests die, each counted; the client's SYN comes again and finds room */
        pair_run(&p, 300 * PAIR_S);
        assert_int_equal(pair_count(&p, 1, BK_REASON_NOTE_REQUEST_EVICTED), 4);
        assert_int_equal(pair_in_use(&p, 1, pool), 0);
        conn = pair_connect(&p, 0);
        pair_run(&p, 100 * PAIR_MS);
        assert_int_equal(pair_status(&p, 0, conn).state, BK_ESTABLISHED);
    }
    pair_close(&p);
}

static void request_table_full_with_cookies(void **state) {
    (void)state;
    request_table_full(4, true);
    request_table_full(6, true);
}
static void request_table_full_without_cookies(void **state) {
    (void)state;
    request_table_full(4, false);
    request_table_full(6, false);
}

static void backlog_full(void **state) {
    (void)state;
    for (int family = 4; family <= 6; family += 2) {
        struct bk_config config;
        struct pair p;
        pair_config(&config);
        pair_open(&p, family, BK_LAYER_IP, &config, NULL);
        bk_listener listener = pair_listen(&p, 1, 1);
        bk_conn conn[2];
        for (int i = 0; i < 2; i++) {
            conn[i] = pair_connect(&p, 0);
            pair_run(&p, 100 * PAIR_MS);
        }
        assert_true(pair_count(&p, 1, BK_REASON_DROP_ACCEPT_QUEUE) > 0);
        assert_int_equal(pair_in_use(&p, 1, BK_POOL_CONNECTIONS), 1);
        bk_conn accepted[2] = {pair_accept(&p, 1, listener)};
        bk_conn none;
        assert_int_equal(bk_tcp_accept(p.side[1].stack, listener, 0, p.now, &none), -EAGAIN);
        pair_run(&p, 10 * PAIR_S);
        accepted[1] = pair_accept(&p, 1, listener);
        for (int i = 0; i < 2; i++) {
            bk_conn ends[2] = {conn[i], accepted[i]};
            transfer(&p, ends, 20000);
        }
        pair_close(&p);
    }
}

static void time_wait_pool_full(void **state) {
    (void)state;
    for (int family = 4; family <= 6; family += 2) {
        enum bk_pool pool = family == 4 ? BK_POOL_TIME_WAITS_IPV4 : BK_POOL_TIME_WAITS_IPV6;
        struct bk_config config;
        struct pair p;
        bk_listener listener;
        uint16_t port[5];
        pair_config(&config);
        config.time_waits_ipv4 = config.time_waits_ipv6 = 3;
        open_pair(&p, family, &config, NULL, &listener);
        for (uint32_t i = 0; i < 5; i++) {
            bk_conn conn[2];
            pair_establish(&p, listener, conn);
            port[i] = pair_status(&p, 0, conn[0]).local_port;
            bk_tcp_close(p.side[0].stack, conn[0], p.now);
            pair_run(&p, 50 * PAIR_MS);
            bk_tcp_close(p.side[1].stack, conn[1], p.now);
            pair_run(&p, 50 * PAIR_MS);
            assert_int_equal(pair_in_use(&p, 0, pool), i < 3 ? i + 1 : 3);
            assert_int_equal(pair_count(&p, 0, BK_REASON_NOTE_TIME_WAIT_EVICTED), i < 3 ? 0 : i - 2);
        }
        /* the oldest went */
        struct bk_tcp_info info;
        for (uint64_t cursor = 0; bk_tcp_list(p.side[0].stack, &cursor, &info);) {
            if (info.state != BK_TIME_WAIT) continue;
            assert_int_not_equal(info.local_port, port[0]);
            assert_int_not_equal(info.local_port, port[1]);
        }
        pair_run(&p, 2 * config.msl_ms * PAIR_MS + PAIR_S);
        assert_int_equal(pair_in_use(&p, 0, pool), 0);
        pair_close(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(link_takes_one_at_a_time),
        cmocka_unit_test(link_stands_still),
        cmocka_unit_test(close_on_a_dead_link),
        cmocka_unit_test(retransmission_leaves_late),
        cmocka_unit_test(frame_pool_empty),
        cmocka_unit_test(ack_waits_for_a_frame),
        cmocka_unit_test(chunk_pool_empty),
        cmocka_unit_test(send_buffer_full),
        cmocka_unit_test(budget_spent_sending),
        cmocka_unit_test(turn_passes),
        cmocka_unit_test(budget_spent_receiving),
        cmocka_unit_test(active_pool_empty),
        cmocka_unit_test(record_comes_with_data),
        cmocka_unit_test(connection_pool_empty),
        cmocka_unit_test(listener_pool_empty),
        cmocka_unit_test(request_table_full_with_cookies),
        cmocka_unit_test(request_table_full_without_cookies),
        cmocka_unit_test(backlog_full),
        cmocka_unit_test(time_wait_pool_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Shows what very many connections, requests and TIME-WAITs cost in bytes of the region, demux entry and timer included; that fifty thousand connections
 * are served in random order without a failure; and what of the memory comes back. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/draw.h"
#include "lab/audit.h"
#include "lab/crowd.h"

#define MANY 100000u
#define PORT 80u

struct place {
    struct crowd crowd;
    bk_listener listener;
    void *region;
    uint64_t now;
    uint32_t (*number)[2]; /* of each client: its next one, and the stack's */
};

static void place_up(struct place *p, bool ipv6, uint32_t active) {
    static const uint8_t seed[32] = "the seed of the crowd";
    struct bk_config config;
    bk_stack *stack;
    bk_config_default(&config);
    config.connections = MANY;
    config.active_connections = active;
    config.requests_ipv4 = config.requests_ipv6 = MANY;
    config.time_waits_ipv4 = config.time_waits_ipv6 = MANY;
    config.orphans_max = MANY;
    config.quick_acks = 0; /* the ACK of a request rides on the answer */
    config.chunks = 2048;
    config.buffer_chunks = 1024;
    size_t size = (bk_region_size(&config) + 4095) & ~(size_t)4095;
    *p = (struct place){.now = NS_PER_S, .region = aligned_alloc(4096, size)};
    p->number = calloc(MANY, sizeof *p->number);
    assert_non_null(p->region);
    assert_non_null(p->number);
    assert_int_equal(bk_create(p->region, size, &config, seed, p->now, &stack, NULL), 0);
    assert_int_equal(crowd_open(&p->crowd, stack, ipv6, PORT, p->now), 0);
    bk_addr any = {{0}};
    if (!ipv6) any = bk_addr_ipv4(0, 0, 0, 0);
    assert_int_equal(bk_tcp_listen(stack, &any, PORT, 16, 0, p->now, &p->listener), 0);
}

static void place_down(struct place *p) {
    free(p->region);
    free(p->number);
}

static uint32_t in_use(const struct place *p, enum bk_pool pool) {
    struct bk_pool_info info;
    bk_pool_info(p->crowd.stack, pool, &info);
    return info.in_use;
}

/* A segment of a client's with its numbers, and what the stack answers at once. */
static size_t exchange(struct place *p, uint32_t client, uint8_t flags, uint32_t length, struct crowd_segment *got) {
    struct crowd_segment s = {.client = client,
                              .seq = p->number[client][0],
                              .ack = p->number[client][1],
                              .flags = flags,
                              .timestamps = true,
                              .tsval = (uint32_t)(p->now / NS_PER_MS),
                              .length = length};
    crowd_give(&p->crowd, &s, p->now);
    p->number[client][0] += length + (flags & WIRE_SYN ? 1 : 0) + (flags & WIRE_FIN ? 1 : 0);
    return crowd_take(&p->crowd, got, 1, p->now);
}

static void knock(struct place *p, uint32_t client) {
    struct crowd_segment got;
    p->number[client][0] = client * 7919;
    assert_int_equal(exchange(p, client, WIRE_SYN, 0, &got), 1);
    assert_int_equal(got.client, client);
    assert_int_equal(got.flags, WIRE_SYN | WIRE_ACK);
    p->number[client][1] = got.seq + 1;
}

static bk_conn establish(struct place *p, uint32_t client) {
    struct crowd_segment got;
    bk_conn conn;
    knock(p, client);
    assert_int_equal(exchange(p, client, WIRE_ACK, 0, &got), 0);
    assert_int_equal(bk_tcp_accept(p->crowd.stack, p->listener, client, p->now, &conn), 0);
    return conn;
}

/* The server closes, and then the client. */
static void leave(struct place *p, uint32_t client, bk_conn conn) {
    struct crowd_segment got;
    assert_int_equal(bk_tcp_close(p->crowd.stack, conn, p->now), 0);
    assert_int_equal(crowd_take(&p->crowd, &got, 1, p->now), 1);
    assert_int_equal(got.flags, WIRE_FIN | WIRE_ACK);
    p->number[client][1]++;
    assert_int_equal(exchange(p, client, WIRE_FIN | WIRE_ACK, 0, &got), 1);
    assert_int_equal(got.flags, WIRE_ACK);
}

/* ---- what they cost -------------------------------------------------------------------------------- */

enum kind { CONNECTIONS, REQUESTS, TIME_WAITS };

/* Bytes of region that each of many is, beyond what the stack had with one. */
static double cost(enum kind kind, bool ipv6) {
    struct place p;
    size_t before = 0;
    place_up(&p, ipv6, 16);
    for (uint32_t i = 0; i < MANY; i++) {
        if (kind == REQUESTS)
            knock(&p, i);
        else if (kind == CONNECTIONS)
            establish(&p, i);
        else
            leave(&p, i, establish(&p, i));
        if (i == 0) before = bk_used_extent(p.crowd.stack);
    }
    enum bk_pool pools[] = {BK_POOL_CONNECTIONS, ipv6 ? BK_POOL_REQUESTS_IPV6 : BK_POOL_REQUESTS_IPV4,
                            ipv6 ? BK_POOL_TIME_WAITS_IPV6 : BK_POOL_TIME_WAITS_IPV4};
    assert_int_equal(in_use(&p, pools[kind]), MANY);
    assert_int_equal(in_use(&p, BK_POOL_CHUNKS), 0);
    assert_int_equal(in_use(&p, BK_POOL_ACTIVE), 0);
    double bytes = (double)(bk_used_extent(p.crowd.stack) - before) / (MANY - 1);
    place_down(&p);
    return bytes;
}

/* The design's bounds are 512 for a connection, and 64 and 96 for the records of the others, each with its entry in the connection table besides: that
 * takes 16 bytes on average, and up to 24 as the table grows. */
static void what_each_costs(void **state) {
    (void)state;
    static const char *const what[] = {"idle connection", "request", "TIME-WAIT"};
    static const double bound[][2] = {{512, 512}, {64 + 24, 96 + 24}, {64 + 24, 96 + 24}};
    for (int kind = CONNECTIONS; kind <= TIME_WAITS; kind++) {
        double v4 = cost((enum kind)kind, false), v6 = cost((enum kind)kind, true);
        printf("bytes of region for each of %u, table and timer included: %s %.1f (IPv4), %.1f (IPv6)\n", MANY,
               what[kind], v4, v6);
        assert_true(v4 <= bound[kind][0]);
        assert_true(v6 <= bound[kind][1]);
    }
}

/* ---- requests in random order ---------------------------------------------------------------------- */

#define CALLERS 50000u

/* A request of 100 bytes, and 300 in answer. */
static void ask(struct place *p, uint32_t client, bk_conn conn) {
    struct crowd_segment got;
    struct bk_ready event;
    uint8_t data[400] = {0};
    assert_int_equal(exchange(p, client, WIRE_ACK | WIRE_PSH, 100, &got), 0);
    assert_int_equal(bk_ready_poll(p->crowd.stack, &event, 1), 1);
    assert_int_equal(event.user, client);
    assert_int_equal(bk_tcp_receive(p->crowd.stack, conn, data, sizeof data, p->now), 100);
    assert_int_equal(bk_tcp_send(p->crowd.stack, conn, data, 300, 0, p->now), 300);
    assert_int_equal(crowd_take(&p->crowd, &got, 1, p->now), 1);
    assert_int_equal(got.client, client);
    assert_int_equal(got.length, 300);
    assert_int_equal(got.ack, p->number[client][0]);
    p->number[client][1] += 300;
    assert_int_equal(exchange(p, client, WIRE_ACK, 0, &got), 0);
}

static void time_passes(struct place *p, uint64_t ns) {
    p->now += ns;
    bk_advance(p->crowd.stack, p->now);
}

/* Fifty thousand connections stand, each has one request in random order, in ten seconds together; all close, and when their TIME-WAITs are over nothing is in use.
 * The region keeps what its pools have made: what the busy time took of active records, chunks and extents is little, as few were busy at once. */
static void requests_in_random_order(void **state) {
    (void)state;
    struct place p;
    struct bk_ready event;
    struct fault fault = {0};
    uint64_t random = 3;
    place_up(&p, false, 0);
    bk_conn *conn = calloc(CALLERS, sizeof *conn);
    uint32_t *order = calloc(CALLERS, sizeof *order);
    assert_non_null(conn);
    assert_non_null(order);
    size_t empty = bk_used_extent(p.crowd.stack);
    for (uint32_t i = 0; i < CALLERS; i++) {
        uint32_t other = draw_below(&random, i + 1);
        conn[i] = establish(&p, i);
        order[i] = order[other];
        order[other] = i;
        while (bk_ready_poll(p.crowd.stack, &event, 1) != 0) assert_true(event.listener);
    }
    size_t idle = bk_used_extent(p.crowd.stack);
    for (uint32_t i = 0; i < CALLERS; i++) {
        ask(&p, order[i], conn[order[i]]);
        time_passes(&p, 200 * NS_PER_US);
    }
    assert_int_equal(in_use(&p, BK_POOL_CONNECTIONS), CALLERS);
    assert_int_equal(in_use(&p, BK_POOL_ACTIVE), 0);
    assert_int_equal(in_use(&p, BK_POOL_EXTENTS), 0);
    assert_int_equal(in_use(&p, BK_POOL_CHUNKS), 0);
    size_t busy = bk_used_extent(p.crowd.stack);
    if (!audit_stack(p.crowd.stack, NULL, &fault)) fail_msg("%s", fault.text);
    for (uint32_t i = 0; i < CALLERS; i++) leave(&p, order[i], conn[order[i]]);
    assert_int_equal(in_use(&p, BK_POOL_TIME_WAITS_IPV4), CALLERS);
    time_passes(&p, 61 * NS_PER_S);
    if (!audit_empty(p.crowd.stack, 1, &fault)) fail_msg("%s", fault.text);
    printf("region of a stack with %u connections: %zu KiB empty, %zu idle, %zu after a request on each, %zu after "
           "TIME-WAIT\n",
           CALLERS, empty / 1024, idle / 1024, busy / 1024, bk_used_extent(p.crowd.stack) / 1024);
    /* 5,000 requests in a second, so 5,000 active records: those that rest are taken again after a second. */
    assert_true(busy - idle <= 2 * 5001 * 792);
    free(conn);
    free(order);
    place_down(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_each_costs), cmocka_unit_test(requests_in_random_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Shows that a 4-tuple leads to the record that holds it, of whatever kind, even among others with the very same hash; and that small records
 * keep their tuple. */
#include "core.h"

#include "tcp/connection.h"
#include "tcp/lookup.h"
#include "tcp/request.h"
#include "tcp/time_wait.h"

static struct tuple tuple_of(bool ipv6, uint32_t n) {
    bk_addr local, remote;
    assert_int_equal(bk_addr_parse(ipv6 ? "2001:db8::1" : "192.0.2.1", &local), 0);
    assert_int_equal(bk_addr_parse(ipv6 ? "2001:db8::ffff:2" : "203.0.113.2", &remote), 0);
    return (struct tuple){local, remote, (uint16_t)(n * 259), (uint16_t)(40000 + n)};
}

/* A record of each kind and family, all in one chain: neither hash nor id tells them apart. */
static void each_kind_under_one_hash(void **state) {
    (void)state;
    struct bk_config config;
    bk_config_tiny(&config);
    config.connections = config.requests_ipv4 = config.requests_ipv6 = config.time_waits_ipv4 = config.time_waits_ipv6 =
        9;
    struct core k = core_up(&config, 0);
    struct tcp *t = k.tcp;
    demux_ref refs[6 * 9];
    struct tuple tuples[6 * 9];
    uint32_t n = 0;
    for (uint32_t i = 0; i < 9; i++)
        for (uint32_t what = 0; what < 5; what++) {
            bool ipv6 = what % 2;
            struct tuple tuple = tuple_of(ipv6, n);
            uint32_t id;
            if (what < 2) {
                id = pool_alloc(k.base, &t->requests[ipv6]);
                small_tuple_put(request_at(t, ipv6, id)->tuple, ipv6, &tuple);
            } else if (what < 4) {
                id = pool_alloc(k.base, &t->time_waits[ipv6]);
                small_tuple_put(time_wait_at(t, ipv6, id)->tuple, ipv6, &tuple);
            } else {
                id = pool_alloc(k.base, &t->connections);
                connection_at(t, id)->tuple = tuple;
            }
            assert_int_not_equal(id, BK_NONE);
            enum demux_kind kind = what < 2 ? DEMUX_REQUEST : what < 4 ? DEMUX_TIME_WAIT : DEMUX_CONNECTION;
            refs[n] = demux_ref_make(kind, ipv6, id);
            tuples[n] = tuple;
            demux_insert(k.base, &t->demux, 99, refs[n++]);
        }
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(lookup_tuple(t, &tuples[i], 99), refs[i]);
        struct tuple back = lookup_tuple_of(t, refs[i]);
        assert_true(tuple_equal(&back, &tuples[i]));
        /* Each of the four parts tells tuples apart. */
        struct tuple other = tuples[i];
        other.local.byte[15] ^= 1;
        assert_int_equal(lookup_tuple(t, &other, 99), DEMUX_NONE);
        other = tuples[i];
        other.remote.byte[15] ^= 1;
        assert_int_equal(lookup_tuple(t, &other, 99), DEMUX_NONE);
        other = tuples[i];
        other.local_port ^= 0x8000;
        assert_int_equal(lookup_tuple(t, &other, 99), DEMUX_NONE);
        other = tuples[i];
        other.remote_port ^= 0x8000;
        assert_int_equal(lookup_tuple(t, &other, 99), DEMUX_NONE);
        assert_int_equal(lookup_tuple(t, &tuples[i], 98), DEMUX_NONE);
    }
    core_down(&k);
}

/* The latest connections are known by their ports, one to a place; what is remembered of one that has left the table, or of other addresses, misleads nobody. */
static void latest_connections_are_remembered(void **state) {
    (void)state;
    struct bk_config config;
    bk_config_tiny(&config);
    config.connections = 3;
    struct core k = core_up(&config, 0);
    struct tcp *t = k.tcp;
    const struct packet unseen = {.hashed = false};
    struct tuple tuple[3] = {tuple_of(false, 1), tuple_of(false, 1), tuple_of(false, 1)};
    demux_ref ref[3];
    tuple[1].remote.byte[15] ^= 1;        /* the same ports */
    tuple[2].remote_port += DEMUX_LATEST; /* others, at the same place */
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t hash = demux_hash(k.base, &tuple[i]);
        ref[i] = demux_ref_make(DEMUX_CONNECTION, false, connection_new(t, &tuple[i], hash, 0, DEMUX_NONE));
    }
    for (uint32_t round = 0; round < 2; round++)
        for (uint32_t i = 0; i < 3; i++)
            for (uint32_t again = 0; again < 2; again++) {
                uint32_t hash = 0;
                assert_int_equal(lookup_segment(t, &unseen, &tuple[i], &hash), ref[i]);
                assert_int_equal(hash, demux_hash(k.base, &tuple[i]));
            }
    uint32_t hash, place = (tuple[2].local_port ^ tuple[2].remote_port) % DEMUX_LATEST;
    assert_int_equal(t->demux.latest[place].ref, ref[2]);
    lookup_forget(t, &tuple[0]); /* whose place another has */
    assert_int_equal(t->demux.latest[place].ref, ref[2]);
    demux_remove(k.base, &t->demux, demux_hash(k.base, &tuple[2]), ref[2]);
    lookup_forget(t, &tuple[2]);
    assert_int_equal(lookup_segment(t, &unseen, &tuple[2], &hash), DEMUX_NONE);
    core_down(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_under_one_hash),
        cmocka_unit_test(latest_connections_are_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Shows that the stacks of a group divide the ephemeral ports to a destination among themselves, by where the flows come back to, and that a port
 * costs each of them no more than it costs a stack alone. */
#include "core.h"

#include "base/steer.h"
#include "tcp/connection.h"
#include "tcp/isn.h"

static struct core up(uint32_t stacks, uint32_t index, uint32_t first, uint32_t last, uint32_t maps) {
    struct bk_config config;
    bk_config_tiny(&config);
    config.connections = last - first + 2;
    config.ephemeral_first = (uint16_t)first;
    config.ephemeral_last = (uint16_t)last;
    config.port_maps = maps;
    config.steering = (struct bk_steering){.stacks = stacks, .index = index};
    uint64_t random = 21;
    for (uint32_t i = 0; i < BK_STEER_KEY; i++) config.steering.key[i] = (uint8_t)draw(&random);
    return core_up(&config, 0);
}

static struct tuple destination(bool ipv6) {
    struct tuple t = {.remote_port = 443};
    assert_int_equal(bk_addr_parse(ipv6 ? "2001:db8::1" : "192.0.2.1", &t.local), 0);
    assert_int_equal(bk_addr_parse(ipv6 ? "2001:db8:7::2" : "198.51.100.9", &t.remote), 0);
    return t;
}

static uint32_t take(struct core *k, struct tuple tuple, uint16_t port) {
    tuple.local_port = port;
    uint32_t id = connection_new(k->tcp, &tuple, demux_hash(k->base, &tuple), 0, DEMUX_NONE);
    assert_int_not_equal(id, BK_NONE);
    return id;
}

/* Each port is given out once in all, and to the stack that its flow comes back to; and when none is left it is said so. */
static void each_port_is_of_one_stack(void **state) {
    (void)state;
    enum { FIRST = 50000, PORTS = 1000 };
    static const uint32_t groups[] = {2, 3, 64, 128};
    for (size_t g = 0; g < BK_COUNT(groups); g++)
        for (uint32_t kind = 0; kind < 4; kind++) {
            bool seen[PORTS] = {false};
            uint32_t total = 0;
            for (uint32_t index = 0; index < groups[g]; index++) {
                struct core k = up(groups[g], index, FIRST, FIRST + PORTS - 1, kind / 2);
                struct tuple to = destination(kind % 2);
                for (uint16_t port; (port = isn_port(k.tcp, &to)) != 0; total++) {
                    assert_in_range(port, FIRST, FIRST + PORTS - 1);
                    assert_false(seen[port - FIRST]);
                    seen[port - FIRST] = true;
                    assert_int_equal(bk_steer(&k.base->config.steering, &to.remote, to.remote_port, &to.local, port),
                                     index);
                    take(&k, to, port);
                }
                core_down(&k);
            }
            assert_int_equal(total, PORTS);
        }
}

/* With 99 % of its own ports taken an open takes two look-ups at most on average, in a group of any size: ports of other stacks are not looked
 * up. */
static void a_port_costs_two_looks(void **state) {
    (void)state;
    enum { FIRST = 32768, PORTS = 28232, OPENS = 5000 };
    static const uint32_t groups[] = {1, 2, 64};
    printf("ports to a destination taken by 99 %% in a group, and look-ups for each open:");
    for (size_t g = 0; g < BK_COUNT(groups); g++) {
        struct core k = up(groups[g], groups[g] - 1, FIRST, FIRST + PORTS - 1, 1);
        struct tuple to = destination(false);
        static uint32_t id[PORTS];
        uint32_t count = 0, full;
        uint64_t random = 5, before = 0;
        for (uint16_t port; (port = isn_port(k.tcp, &to)) != 0;) id[count++] = take(&k, to, port);
        full = count;
        assert_in_range(full, PORTS / groups[g] * 9 / 10, PORTS / groups[g] * 11 / 10);
        for (uint32_t i = 0; i < 2 * full + OPENS; i++) {
            if (i == 2 * full) before = k.tcp->port_looks;
            while (count > full - full / 100 - 1) {
                uint32_t gone = core_below(&random, count);
                connection_free(k.tcp, connection_at(k.tcp, id[gone]));
                id[gone] = id[--count];
            }
            uint16_t port = isn_port(k.tcp, &to);
            assert_int_not_equal(port, 0);
            id[count++] = take(&k, to, port);
        }
        double looks = (double)(k.tcp->port_looks - before) / OPENS;
        printf(" %u stacks %.2f%s", groups[g], looks, g + 1 == BK_COUNT(groups) ? "\n" : ",");
        assert_true(looks < 2.1);
        core_down(&k);
    }
}

/* A port that the user names must be the stack's own, or the answers would go elsewhere. */
static void a_port_that_is_named_must_be_ones_own(void **state) {
    (void)state;
    const struct bk_iface_config iface = {.layer = BK_LAYER_IP, .mtu = 1500};
    struct core k = up(2, 1, 50000, 50099, 1);
    struct tuple to = destination(false);
    bk_conn conn;
    assert_int_equal(bk_iface_add(k.stack, &iface, 0), 0);
    assert_int_equal(bk_iface_address_add(k.stack, 0, &to.local, 0, true, 0), 0);
    uint32_t refused = 0;
    for (uint16_t port = 2000; port < 2040; port++) {
        const struct bk_tcp_open open = {
            .local = to.local, .remote = to.remote, .local_port = port, .remote_port = to.remote_port};
        bool own = bk_steer(&k.base->config.steering, &to.remote, to.remote_port, &to.local, port) == 1;
        assert_int_equal(bk_tcp_connect(k.stack, &open, 0, &conn), own ? 0 : ERROR_ADDRNOTAVAIL);
        refused += !own;
    }
    assert_in_range(refused, 1, 39);
    core_down(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_port_is_of_one_stack),
        cmocka_unit_test(a_port_costs_two_looks),
        cmocka_unit_test(a_port_that_is_named_must_be_ones_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Shows that whatever queue a frame comes to, the stack that it belongs to gets it, and no other; that news of neighbours reach all stacks; that one
 * that sleeps is woken; and that a flood of fragments leaves room for what matters.
 *
 * Three stacks, each behind one end of a socket pair that stands for a queue of a device. */
#include "net_fixture.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "beckon/link.h"
#include "beckon/steer.h"

#define STACKS 3u

struct row {
    struct bk_steering steering;
    bk_group *group;
    struct world *w[STACKS];
    bk_link *link[STACKS];
    int fd[STACKS]; /* the other end of each queue */
};

static struct row *row_open(void) {
    struct row *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->steering.stacks = STACKS;
    for (uint32_t i = 0; i < BK_STEER_KEY; i++) r->steering.key[i] = (uint8_t)(i * 73 + 5);
    assert_int_equal(bk_group_open(&r->steering, &r->group), 0);
    for (uint32_t i = 0; i < STACKS; i++) {
        int fd[2];
        const bk_addr any = bk_addr_ipv4(0, 0, 0, 0);
        bk_listener listener;
        r->steering.index = i;
        r->w[i] = world_open(&(struct world_options){.steering = &r->steering});
        settle(r->w[i]);
        assert_int_equal(bk_tcp_listen(r->w[i]->stack, &any, 80, 8, 0, r->w[i]->now, &listener), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
        const struct bk_tap_options options = {.fd = fd[0]};
        assert_int_equal(bk_tap_open(r->w[i]->stack, 0, &options, &r->link[i], NULL), 0);
        assert_int_equal(bk_group_join(r->group, r->link[i]), 0);
        r->fd[i] = fd[1];
    }
    return r;
}

static void row_close(struct row *r) {
    for (uint32_t i = 0; i < STACKS; i++) {
        bk_link_close(r->link[i]);
        close(r->fd[i]);
        world_close(r->w[i]);
    }
    bk_group_close(r->group);
    free(r);
}

static void row_pump(struct row *r) {
    for (uint32_t turn = 0; turn < 2; turn++)
        for (uint32_t i = 0; i < STACKS; i++) assert_true(bk_link_pump(r->link[i], r->w[i]->now) >= 0);
}

static void send_to(const struct row *r, uint32_t queue, const struct pen *f) {
    assert_int_equal(send(r->fd[queue], f->bytes, f->length, 0), f->length);
}

/* Takes the next frame that a stack has sent. */
static bool sent_by(const struct row *r, uint32_t stack, struct out *o) {
    ssize_t n = recv(r->fd[stack], o->bytes, sizeof o->bytes, MSG_DONTWAIT);
    o->length = n > 0 ? (size_t)n : 0;
    return n > 0;
}
static void expect_quiet(const struct row *r) {
    struct out o;
    for (uint32_t i = 0; i < STACKS; i++) assert_false(sent_by(r, i, &o));
}

static struct bk_group_counters counters(const struct row *r, uint32_t stack) {
    struct bk_group_counters c;
    bk_group_counters(r->link[stack], &c);
    return c;
}

static struct pen arp_frame(uint16_t op, const char *sender, const char *target) {
    struct pen f;
    struct wire_arp a = {.op = op, .sender = ip(sender), .target = ip(target)};
    memcpy(a.sender_mac, peer_mac, 6);
    memcpy(a.target_mac, our_mac, 6);
    ethernet(&f, our_mac, peer_mac, WIRE_ETHERTYPE_ARP);
    f.length += wire_arp_emit(f.bytes + f.length, &a);
    return f;
}

/* Makes the peer known to all of them, by one answer to one queue. */
static void row_acquaint(struct row *r, uint32_t queue) {
    struct out o;
    for (uint32_t i = 0; i < STACKS; i++) {
        struct bk_tcp_open open = {.remote = ip("192.0.2.2"), .remote_port = 9};
        open.local = bk_addr_ipv4(0, 0, 0, 0);
        bk_conn conn;
        assert_int_equal(bk_tcp_connect(r->w[i]->stack, &open, r->w[i]->now, &conn), 0);
    }
    row_pump(r);
    for (uint32_t i = 0; i < STACKS; i++) {
        assert_true(sent_by(r, i, &o)); /* each asks for itself */
        assert_int_equal(get_be16(o.bytes + 12), WIRE_ETHERTYPE_ARP);
    }
    struct pen f = arp_frame(WIRE_ARP_REPLY, "192.0.2.2", "192.0.2.1");
    send_to(r, queue, &f);
    row_pump(r);
    for (uint32_t i = 0; i < STACKS; i++) {
        assert_true(sent_by(r, i, &o)); /* and now its SYN leaves, from a port that comes back to it */
        struct seen s = look(r->w[i], &o);
        assert_int_equal(bk_steer(&r->steering, &s.dst, 9, &s.src, get_be16(s.payload)), i);
    }
    expect_quiet(r);
}

static void an_answer_to_one_is_heard_by_all(void **state) {
    (void)state;
    for (uint32_t queue = 0; queue < STACKS; queue++) {
        struct row *r = row_open();
        row_acquaint(r, queue);
        for (uint32_t i = 0; i < STACKS; i++) {
            assert_int_equal(counters(r, i).handed_over, i == queue ? STACKS - 1 : 0);
            assert_int_equal(counters(r, i).taken_over, i != queue);
        }
        row_close(r);
    }
}

/* Whatever queue it comes to, a question of a neighbour's is answered once. */
static void a_question_is_answered_once(void **state) {
    (void)state;
    struct row *r = row_open();
    for (uint32_t queue = 0; queue < STACKS; queue++) {
        struct out o;
        struct pen f = arp_frame(WIRE_ARP_REQUEST, "192.0.2.2", "192.0.2.1");
        send_to(r, queue, &f);
        row_pump(r);
        assert_true(sent_by(r, 0, &o));
        expect_quiet(r);
    }
    row_close(r);
}

/* A SYN is answered by its flow's stack alone, with SYN-ACK, through that one's own queue; the handshake's ACK that comes to another
 * queue than the SYN did finds it there. */
static void a_flow_has_one_stack_whatever_the_queue(void **state) {
    (void)state;
    struct row *r = row_open();
    struct line l = line("192.0.2.2", "192.0.2.1");
    uint32_t served[STACKS] = {0};
    row_acquaint(r, 0);
    for (uint16_t port = 1000; port < 1012; port++) {
        struct out o;
        struct pen f;
        uint32_t owner = bk_steer(&r->steering, &l.src, port, &l.dst, 80);
        struct wire_tcp t = {.src_port = port, .dst_port = 80, .seq = 100, .flags = WIRE_SYN, .window = 1000};
        segment(r->w[0], &f, &l, &t);
        send_to(r, port % STACKS, &f);
        row_pump(r);
        assert_true(sent_by(r, owner, &o));
        struct seen s = look(r->w[0], &o);
        assert_int_equal(s.payload[13], WIRE_SYN | WIRE_ACK);
        t.flags = WIRE_ACK;
        t.seq = 101;
        t.ack = get_be32(s.payload + 4) + 1;
        segment(r->w[0], &f, &l, &t);
        send_to(r, (port + 1u) % STACKS, &f);
        row_pump(r);
        expect_quiet(r);
        served[owner]++;
    }
    for (uint32_t i = 0; i < STACKS; i++) {
        struct bk_tcp_mib mib;
        bk_tcp_mib(r->w[i]->stack, &mib);
        assert_int_equal(mib.curr_estab, served[i]);
        assert_true(served[i] > 0);
        assert_int_equal(counters(r, i).lost, 0);
    }
    row_close(r);
}

static bool readable(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

/* The descriptor says so when something was handed over, and no longer when it was taken. */
static void one_that_sleeps_is_woken(void **state) {
    (void)state;
    struct row *r = row_open();
    struct pen f = arp_frame(WIRE_ARP_REQUEST, "192.0.2.2", "192.0.2.1");
    for (uint32_t turn = 0; turn < 3; turn++) {
        assert_false(readable(bk_link_wake_fd(r->link[0])));
        send_to(r, 2, &f);
        assert_int_equal(bk_link_pump(r->link[2], r->w[2]->now), 1);
        assert_true(readable(bk_link_wake_fd(r->link[0])));
        assert_false(readable(bk_link_wake_fd(r->link[1])));
        assert_true(bk_link_pump(r->link[0], r->w[0]->now) > 0);
    }
    row_close(r);
}

/* While the others do not run, fragments fill half of what may wait for them; the rest is lost and counted. An answer of a neighbour's still gets
 * through. */
static void fragments_leave_room_for_neighbours(void **state) {
    (void)state;
    struct row *r = row_open();
    struct pen f;
    struct line l = line("192.0.2.2", "192.0.2.1");
    const uint8_t payload[1400] = {0};
    packet(r->w[0], &f, &l, WIRE_UDP, payload, sizeof payload);
    put_be16(f.bytes + 14 + 6, 0x2000);
    for (uint32_t i = 0; i < 200; i++) {
        send_to(r, 0, &f);
        assert_int_equal(bk_link_pump(r->link[0], r->w[0]->now), 1);
    }
    uint64_t handed = counters(r, 0).handed_over,
             fit = 65536 / (8 + 1440); /* 1,434 bytes in units of 8, and 8 before them */
    assert_int_equal(handed, 2 * fit);
    assert_int_equal(counters(r, 0).lost, 2 * (200 - fit));
    f = arp_frame(WIRE_ARP_REPLY, "192.0.2.2", "192.0.2.1");
    send_to(r, 0, &f);
    assert_int_equal(bk_link_pump(r->link[0], r->w[0]->now), 1);
    assert_int_equal(counters(r, 0).handed_over, handed + 2);
    row_pump(r);
    assert_int_equal(counters(r, 1).taken_over, fit + 1);
    row_close(r);
}

/* Records go round the ring many times, of all lengths, and none is changed. */
static void frames_cross_unchanged(void **state) {
    (void)state;
    struct row *r = row_open();
    struct line l = line("192.0.2.2", "192.0.2.1");
    row_acquaint(r, 0);
    for (uint32_t i = 0; i < 1500; i++) {
        uint8_t m[1500];
        struct pen f;
        struct out o;
        size_t n = 8 + i * 7 % 1450;
        for (size_t k = 0; k < n; k++) m[k] = (uint8_t)(k * 31 + i);
        memset(m, 0, 8);
        m[0] = WIRE_ICMP_ECHO;
        icmp(r->w[0], &f, &l, m, n);
        send_to(r, 1, &f);
        row_pump(r);
        assert_true(sent_by(r, 0, &o));
        struct seen s = look(r->w[0], &o);
        assert_int_equal(s.length, n);
        assert_memory_equal(s.payload + 8, m + 8, n - 8);
        assert_true(checksum_right(&s));
    }
    assert_int_equal(counters(r, 0).taken_over, 1500);
    row_close(r);
}

static void who_does_not_belong_cannot_join(void **state) {
    (void)state;
    struct row *r = row_open();
    bk_group *other;
    struct bk_steering steering = r->steering;
    assert_int_equal(bk_group_join(r->group, r->link[0]), -EINVAL); /* it has */
    steering.key[0] ^= 1;
    assert_int_equal(bk_group_open(&steering, &other), 0);
    bk_link *free_link;
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
    const struct bk_tap_options options = {.fd = fd[0]};
    assert_int_equal(bk_tap_open(r->w[1]->stack, 0, &options, &free_link, NULL), 0);
    assert_int_equal(bk_group_join(other, free_link), -EINVAL); /* another key */
    assert_int_equal(bk_group_join(r->group, free_link), -EBUSY);
    const char *why = NULL;
    assert_int_equal(bk_tap_steer(free_link, &why), -EINVAL);
    assert_string_equal(why, "the link is no device's");
    bk_link_close(free_link);
    close(fd[1]);
    bk_group_close(other);
    steering.stacks = 1;
    assert_int_equal(bk_group_open(&steering, &other), -EINVAL);
    row_close(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_to_one_is_heard_by_all),        cmocka_unit_test(a_question_is_answered_once),
        cmocka_unit_test(a_flow_has_one_stack_whatever_the_queue), cmocka_unit_test(one_that_sleeps_is_woken),
        cmocka_unit_test(fragments_leave_room_for_neighbours),     cmocka_unit_test(frames_cross_unchanged),
        cmocka_unit_test(who_does_not_belong_cannot_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Shows that tables of connections have the columns, state names and timers of ss(8) and netstat(8). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "beckon/render.h"

#define S(n) ((uint64_t)(n)*1000000000u)

static struct bk_tcp_info row(uint8_t state) {
    return (struct bk_tcp_info){
        .local = bk_addr_ipv4(192, 0, 2, 1),
        .remote = bk_addr_ipv4(192, 0, 2, 2),
        .local_port = 80,
        .remote_port = 49152,
        .state = state,
        .send_mss = 1448,
        .receive_mss = 1448,
        .advertised_mss = 1460,
        .rto_us = 204000,
        .cwnd = 14480,
        .ssthresh = UINT32_MAX,
        .timer_due = BK_NEVER,
    };
}

static struct bk_tcp_info listener(bk_addr local) {
    struct bk_tcp_info i = {.local = local, .local_port = 80, .state = BK_LISTEN, .backlog = 1, .backlog_max = 128};
    if (bk_addr_is_ipv4(&local)) i.remote = bk_addr_ipv4(0, 0, 0, 0);
    return i;
}

static void expect(const struct bk_tcp_info *infos, size_t n, const struct bk_table_options *options,
                   const char *want) {
    struct bk_text text = {0};
    assert_int_equal(bk_table(infos, n, options, bk_text_to_memory, &text), 0);
    assert_string_equal(text.data ? text.data : "", want);
    bk_text_free(&text);
}

static void test_ss(void **state) {
    (void)state;
    struct bk_tcp_info rows[] = {listener((bk_addr){{0}}), listener(bk_addr_ipv4(0, 0, 0, 0)), row(BK_ESTABLISHED),
                                 row(BK_TIME_WAIT)};
    rows[2].receive_queued = 100;
    rows[2].send_queued = 1234567;
    bk_addr_parse("2001:db8::1", &rows[3].local);
    bk_addr_parse("2001:db8::2", &rows[3].remote);
    rows[3].timer = 3;
    rows[3].timer_due = S(159) + S(1) - 1;
    expect(rows, 4, &(struct bk_table_options){.timers = true, .now = S(100)},
           "State     Recv-Q Send-Q  Local Address:Port  Peer Address:Port\n"
           "LISTEN    1      128                 *:80               *:*\n"
           "LISTEN    1      128           0.0.0.0:80         0.0.0.0:*\n"
           "ESTAB     100    1234567     192.0.2.1:80       192.0.2.2:49152\n"
           "TIME-WAIT 0      0       [2001:db8::1]:80   [2001:db8::2]:49152 timer:(timewait,59sec,0)\n");
}

static void test_netstat(void **state) {
    (void)state;
    struct bk_tcp_info rows[] = {listener((bk_addr){{0}}), listener(bk_addr_ipv4(0, 0, 0, 0)), row(BK_SYN_RECEIVED),
                                 row(BK_FIN_WAIT_1)};
    bk_addr_parse("2001:db8:1111:2222:3333:4444:5555:6666", &rows[3].local);
    expect(rows, 4, &(struct bk_table_options){.style = BK_TABLE_NETSTAT},
           "Proto Recv-Q Send-Q Local Address                             Foreign Address         State\n"
           "tcp6       1    128 :::80                                     :::*                    LISTEN\n"
           "tcp        1    128 0.0.0.0:80                                0.0.0.0:*               LISTEN\n"
           "tcp        0      0 192.0.2.1:80                              192.0.2.2:49152         SYN_RECV\n"
           "tcp6       0      0 2001:db8:1111:2222:3333:4444:5555:6666:80 192.0.2.2:49152         FIN_WAIT1\n");
    rows[2].timer = 1;
    rows[2].timer_due = S(1) / 4;
    rows[2].retransmits = 2;
    expect(&rows[2], 1, &(struct bk_table_options){.style = BK_TABLE_NETSTAT, .timers = true, .no_header = true},
           "tcp        0      0 192.0.2.1:80            192.0.2.2:49152         SYN_RECV    on (0.25/2/0)\n");
}

static void test_state_names(void **state) {
    (void)state;
    static const struct {
        uint8_t state;
        const char *ss, *netstat;
    } names[] = {
        {BK_CLOSED, "UNCONN", "CLOSE"},
        {BK_SYN_SENT, "SYN-SENT", "SYN_SENT"},
        {BK_SYN_RECEIVED, "SYN-RECV", "SYN_RECV"},
        {BK_ESTABLISHED, "ESTAB", "ESTABLISHED"},
        {BK_FIN_WAIT_1, "FIN-WAIT-1", "FIN_WAIT1"},
        {BK_FIN_WAIT_2, "FIN-WAIT-2", "FIN_WAIT2"},
        {BK_CLOSE_WAIT, "CLOSE-WAIT", "CLOSE_WAIT"},
        {BK_CLOSING, "CLOSING", "CLOSING"},
        {BK_LAST_ACK, "LAST-ACK", "LAST_ACK"},
        {BK_TIME_WAIT, "TIME-WAIT", "TIME_WAIT"},
        {200, "UNKNOWN", "UNKNOWN"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct bk_tcp_info info = row(names[i].state);
        struct bk_text text = {0};
        bk_table(&info, 1, &(struct bk_table_options){.no_header = true}, bk_text_to_memory, &text);
        assert_memory_equal(text.data, names[i].ss, strlen(names[i].ss));
        assert_int_equal(text.data[strlen(names[i].ss)], ' ');
        bk_text_free(&text);
        bk_table(&info, 1, &(struct bk_table_options){.style = BK_TABLE_NETSTAT, .no_header = true}, bk_text_to_memory,
                 &text);
        text.data[text.length - 1] = 0; /* the newline: the state is the last word */
        assert_string_equal(strrchr(text.data, ' ') + 1, names[i].netstat);
        bk_text_free(&text);
    }
}

static void test_timers(void **state) {
    (void)state;
    static const struct {
        uint8_t timer;
        uint64_t left;
        const char *want;
    } cases[] = {
        {1, 200000000, "timer:(on,200ms,3)"},  {1, 1020000000, "timer:(on,1.020sec,3)"},
        {1, 2000000000, "timer:(on,2sec,3)"},  {2, S(7199), "timer:(keepalive,119min,1)"},
        {3, S(60), "timer:(timewait,1min,1)"}, {3, S(119), "timer:(timewait,1min59sec,1)"},
        {4, 5000000, "timer:(persist,5ms,1)"}, {3, 0, "timer:(timewait,0ms,1)"},
        {1, BK_NEVER, "timer:(on,0ms,3)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bk_tcp_info info = row(BK_ESTABLISHED);
        struct bk_text text = {0};
        info.timer = cases[i].timer;
        info.timer_due = cases[i].left == BK_NEVER ? BK_NEVER : S(5) + cases[i].left;
        info.retransmits = 3;
        info.probes = 1;
        bk_table(&info, 1, &(struct bk_table_options){.timers = true, .now = S(5)}, bk_text_to_memory, &text);
        if (!strstr(text.data, cases[i].want)) fail_msg("no %s in %s", cases[i].want, text.data);
        bk_text_free(&text);
    }
}

static void test_internals(void **state) {
    (void)state;
    struct bk_tcp_info rows[] = {listener(bk_addr_ipv4(0, 0, 0, 0)), row(BK_ESTABLISHED)};
    struct bk_tcp_info *i = &rows[1];
    i->timestamps = true;
    i->send_scale = 7;
    i->receive_scale = 10;
    i->srtt_us = 3250;
    i->rttvar_us = 1500;
    i->ssthresh = 28960;
    i->in_flight = 1500;
    i->send_queued = 2000;
    i->bytes_sent = 5000;
    i->bytes_acked = 3500;
    i->segments_sent = 7;
    i->segments_received = 6;
    i->data_segments_sent = 5;
    i->data_segments_received = 4;
    i->segments_retransmitted = 2;
    i->bytes_retransmitted = 2896;
    i->rcv_wnd = 65536;
    i->snd_wnd = 64240;
    i->congestion = BK_CONGESTION_NEWRENO;
    expect(rows, 2, &(struct bk_table_options){.internals = true, .now = S(2)},
           "State  Recv-Q Send-Q Local Address:Port Peer Address:Port\n"
           "LISTEN 1      128          0.0.0.0:80        0.0.0.0:*\n"
           "ESTAB  0      2000       192.0.2.1:80      192.0.2.2:49152\n"
           "\t ts reno wscale:7,10 rto:204 rtt:3.25/1.5 mss:1448 rcvmss:1448 advmss:1460 cwnd:10 ssthresh:20"
           " bytes_sent:5000 bytes_retrans:2896 bytes_acked:3500 segs_out:7 segs_in:6 data_segs_out:5 data_segs_in:4 "
           "lastrcv:2000 unacked:2"
           " retrans:0/2 notsent:500 rcv_wnd:65536 snd_wnd:64240\n");
    rows[1] = row(BK_ESTABLISHED);
    i->congestion = BK_CONGESTION_BBR;
    i->bbr_bw = 1250000;
    i->bbr_min_rtt_us = 40250;
    i->pacing_rate = 3427500;
    i->delivery_rate = 1249999;
    i->delivery_app_limited = true;
    expect(rows + 1, 1, &(struct bk_table_options){.internals = true, .now = S(2)},
           "State  Recv-Q Send-Q Local Address:Port Peer Address:Port\n"
           "ESTAB  0      0          192.0.2.1:80      192.0.2.2:49152\n"
           "\t bbr rto:204 mss:1448 rcvmss:1448 advmss:1460 cwnd:10 bbr:(bw:10000000bps,mrtt:40.25)"
           " pacing_rate 27420000bps delivery_rate 9999992bps app_limited lastrcv:2000 rcv_wnd:0 snd_wnd:0\n");
}

static void test_json_and_nothing(void **state) {
    (void)state;
    struct bk_tcp_info rows[] = {row(BK_ESTABLISHED), row(BK_TIME_WAIT)};
    struct bk_text text = {0};
    assert_int_equal(
        bk_table(rows, 2, &(struct bk_table_options){.style = BK_TABLE_JSON, .stack = "s"}, bk_text_to_memory, &text),
        0);
    size_t lines = 0;
    for (const char *p = text.data; (p = strchr(p, '\n')) != NULL; p++) lines++;
    assert_int_equal(lines, 2);
    bk_text_free(&text);
    expect(NULL, 0, NULL, "State  Recv-Q Send-Q Local Address:Port Peer Address:Port\n");
    expect(NULL, 0, &(struct bk_table_options){.no_header = true}, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ss),     cmocka_unit_test(test_netstat),   cmocka_unit_test(test_state_names),
        cmocka_unit_test(test_timers), cmocka_unit_test(test_internals), cmocka_unit_test(test_json_and_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

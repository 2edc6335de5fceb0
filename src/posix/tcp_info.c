/* TCP_INFO from STATUS: the stack tells in bytes and in the RFCs' terms, Linux in segments and its own. */
#include "posix/tcp_info.h"

#define OPTION_TIMESTAMPS 1
#define OPTION_SACK       2
#define OPTION_SCALE      4
#define OPTION_ECN        8
#define OPTION_ECN_SEEN   16

/* Linux's numbers of the states (include/net/tcp_states.h's order). */
static uint8_t state_number(uint8_t state) {
    static const uint8_t number[BK_STATES] = {
        [BK_CLOSED] = 7,      [BK_LISTEN] = 10,    [BK_SYN_SENT] = 2,   [BK_SYN_RECEIVED] = 3,
        [BK_ESTABLISHED] = 1, [BK_FIN_WAIT_1] = 4, [BK_FIN_WAIT_2] = 5, [BK_CLOSE_WAIT] = 8,
        [BK_CLOSING] = 11,    [BK_LAST_ACK] = 9,   [BK_TIME_WAIT] = 7, /* the socket is closed by then */
    };
    return state < BK_STATES ? number[state] : 7;
}

static uint32_t segments(uint32_t bytes, uint32_t mss) {
    return mss == 0 ? 0 : (bytes + mss - 1) / mss;
}

static void fill_connection(const struct bk_tcp_info *c, struct bk_socket_tcp_info *info) {
    uint32_t mss = c->send_mss;
    info->tcpi_state = state_number(c->state);
    info->tcpi_ca_state = c->recovery;
    info->tcpi_retransmits = c->retransmits;
    info->tcpi_backoff = c->backoff;
    info->tcpi_probes = c->probes;
    info->tcpi_options = (c->timestamps ? OPTION_TIMESTAMPS : 0) | (c->sack ? OPTION_SACK : 0) |
                         (c->send_scale != 0 || c->receive_scale != 0 ? OPTION_SCALE : 0) | (c->ecn ? OPTION_ECN : 0) |
                         (c->ecn_seen ? OPTION_ECN_SEEN : 0);
    info->tcpi_snd_wscale = c->send_scale & 15;
    info->tcpi_rcv_wscale = c->receive_scale & 15;
    info->tcpi_rto = c->rto_us;
    info->tcpi_snd_mss = mss;
    info->tcpi_rcv_mss = c->receive_mss;
    info->tcpi_unacked = c->segments_unacked;
    info->tcpi_sacked = c->segments_sacked;
    info->tcpi_lost = c->segments_lost;
    info->tcpi_retrans = c->segments_resent;
    info->tcpi_reordering = c->reordering;
    info->tcpi_reord_seen = c->reordering_seen;
    info->tcpi_dsack_dups = c->dsack_duplicates;
    info->tcpi_delivered = (uint32_t)c->segments_delivered;
    info->tcpi_pmtu = c->path_mtu;
    info->tcpi_rtt = c->srtt_us;
    info->tcpi_rttvar = c->rttvar_us;
    info->tcpi_min_rtt = c->min_rtt_us == 0 ? UINT32_MAX : c->min_rtt_us;
    info->tcpi_snd_ssthresh = c->ssthresh == UINT32_MAX ? 0x7fffffff : segments(c->ssthresh, mss);
    info->tcpi_snd_cwnd = mss == 0 ? 0 : c->cwnd / mss;
    info->tcpi_advmss = c->advertised_mss;
    info->tcpi_total_retrans = (uint32_t)c->segments_retransmitted;
    info->tcpi_bytes_acked = c->bytes_acked;
    info->tcpi_bytes_received = c->bytes_received;
    info->tcpi_bytes_sent = c->bytes_sent;
    info->tcpi_bytes_retrans = c->bytes_retransmitted;
    info->tcpi_segs_out = (uint32_t)c->segments_sent;
    info->tcpi_segs_in = (uint32_t)c->segments_received;
    info->tcpi_data_segs_out = (uint32_t)c->data_segments_sent;
    info->tcpi_data_segs_in = (uint32_t)c->data_segments_received;
    info->tcpi_delivered_ce = (uint32_t)c->segments_delivered_ce;
    info->tcpi_ato = c->ack_delay_us;
    info->tcpi_rcv_ssthresh = c->receive_window_most;
    info->tcpi_total_rto = (uint16_t)c->timeouts;
    info->tcpi_total_rto_recoveries = (uint16_t)c->timeout_episodes;
    info->tcpi_total_rto_time = c->timeout_ms;
    info->tcpi_snd_wnd = c->snd_wnd;
    info->tcpi_rcv_wnd = c->rcv_wnd;
    info->tcpi_last_data_sent = c->sent_age_ms;
    info->tcpi_last_data_recv = c->text_age_ms;
    info->tcpi_last_ack_recv = c->heard_age_ms;
    info->tcpi_rcv_rtt = c->receive_rtt_us;
    info->tcpi_rcv_space = c->receive_space;
    info->tcpi_rcv_ooopack = c->out_of_order_segments;
    info->tcpi_pacing_rate =
        c->pacing_rate != 0 ? c->pacing_rate : UINT64_MAX; /* so Linux says that nothing bounds it */
    info->tcpi_max_pacing_rate = UINT64_MAX;
    info->tcpi_delivery_rate = c->delivery_rate;
    info->tcpi_busy_time = c->busy_us;
    info->tcpi_rwnd_limited = c->window_limited_us;
    info->tcpi_sndbuf_limited = c->buffer_limited_us;
    info->tcpi_delivery_rate_app_limited = c->delivery_app_limited;
}

void tcp_info_fill(struct bk_sockets *s, struct sock *sock, struct bk_socket_tcp_info *info) {
    struct bk_tcp_info c;
    *info = (struct bk_socket_tcp_info){.tcpi_state = state_number(BK_CLOSED)};
    if (sock->phase == SOCK_LISTENING) {
        if (bk_tcp_listener_status(s->stack, sock->listener, &c) != 0) return;
        info->tcpi_state = state_number(BK_LISTEN);
        info->tcpi_unacked = c.backlog; /* so Linux tells how many wait, and how many may */
        info->tcpi_sacked = c.backlog_max == 0 ? 0 : c.backlog_max - 1;
    } else if (sock_has_conn(sock) && bk_tcp_status(s->stack, sock->conn, &c) == 0) {
        fill_connection(&c, info);
        struct bk_tcp_look look;
        (void)sock_look(s, sock, &look);
        int32_t unsent = (int32_t)(look.send_end - look.snd_nxt);
        info->tcpi_notsent_bytes = unsent > 0 ? (uint32_t)unsent : 0;
    }
}

/* Tables of connections, in the columns of ss(8) and netstat(8).
 *
 * Each row is first written as cells; the widths of the columns follow from all of them, and then the rows are printed. A column's
 * description says how it is aligned and what stands before it, which is how "address:port" lines up at its colon.
 * Where ss counts in segments (cwnd, ssthresh, unacked) and the stack counts in bytes, the figure is divided by the MSS.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/common.h"
#include "trace/text.h"

enum { TABLE_CELLS = 7, TABLE_CELL = 72 };

struct table_row {
    char cell[TABLE_CELLS][TABLE_CELL];
};

struct table_column {
    const char *heading;
    uint32_t width_min;
    bool right;         /* aligned at its right edge */
    const char *before; /* between the column before and this one */
};

static const struct table_column ss_columns[TABLE_CELLS] = {
    {"State", 6, false, ""},          {"Recv-Q", 6, false, " "}, {"Send-Q", 6, false, " "},
    {"Local Address", 13, true, " "}, {"Port", 4, false, ":"},   {"Peer Address", 12, true, " "},
    {"Port", 4, false, ":"},
};
static const struct table_column netstat_columns[TABLE_CELLS] = {
    {"Proto", 5, false, ""},
    {"Recv-Q", 6, true, " "},
    {"Send-Q", 6, true, " "},
    {"Local Address", 23, false, " "},
    {"Foreign Address", 23, false, " "},
    {"State", 11, false, " "},
    {"Timer", 0, false, " "},
};

static const char *table_state(uint8_t state, enum bk_table_style style) {
    static const char *const names[][2] = {
        {"UNCONN", "CLOSE"},         {"LISTEN", "LISTEN"},         {"SYN-SENT", "SYN_SENT"},
        {"SYN-RECV", "SYN_RECV"},    {"ESTAB", "ESTABLISHED"},     {"FIN-WAIT-1", "FIN_WAIT1"},
        {"FIN-WAIT-2", "FIN_WAIT2"}, {"CLOSE-WAIT", "CLOSE_WAIT"}, {"CLOSING", "CLOSING"},
        {"LAST-ACK", "LAST_ACK"},    {"TIME-WAIT", "TIME_WAIT"},
    };
    return state < BK_STATES ? names[state][style == BK_TABLE_NETSTAT] : "UNKNOWN";
}

/* What waits to be read and sent; for a listener, connections waiting and how many may. */
static void table_queues(const struct bk_tcp_info *i, char *receive, char *send) {
    bool listen = i->state == BK_LISTEN;
    snprintf(receive, TABLE_CELL, "%" PRIu32, listen ? i->backlog : i->receive_queued);
    snprintf(send, TABLE_CELL, "%" PRIu32, listen ? i->backlog_max : i->send_queued);
}

static void table_port(char *out, uint16_t port) {
    if (port)
        snprintf(out, TABLE_CELL, "%u", port);
    else
        snprintf(out, TABLE_CELL, "*");
}

/* An unspecified IPv6 address takes both families: ss writes it as *. */
static void table_ss_address(char *out, const bk_addr *addr) {
    char text[BK_ADDR_TEXT];
    bool ipv4 = bk_addr_is_ipv4(addr);
    if (!ipv4 && bk_addr_is_any(addr))
        snprintf(out, TABLE_CELL, "*");
    else
        snprintf(out, TABLE_CELL, ipv4 ? "%s" : "[%s]", bk_addr_format(addr, text));
}

static void table_netstat_address(char *out, const bk_addr *addr, uint16_t port) {
    char text[BK_ADDR_TEXT], number[TABLE_CELL];
    table_port(number, port);
    snprintf(out, TABLE_CELL, "%s:%.5s", bk_addr_format(addr, text), number);
}

static uint64_t table_left(const struct bk_tcp_info *i, uint64_t now) {
    return i->timer_due > now && i->timer_due != BK_NEVER ? i->timer_due - now : 0;
}

/* "200ms", "1.020sec", "59sec", "1min59sec", "119min": two figures at most, as ss prints them. */
static void table_duration(char out[24], uint64_t ns) {
    uint64_t ms = ns / NS_PER_MS, s = ms / 1000;
    if (s >= 600)
        snprintf(out, 24, "%" PRIu64 "min", s / 60);
    else if (s >= 60 && s % 60)
        snprintf(out, 24, "%umin%usec", (unsigned)(s / 60), (unsigned)(s % 60));
    else if (s >= 60)
        snprintf(out, 24, "%umin", (unsigned)(s / 60));
    else if (s >= 10 || (s && ms % 1000 == 0))
        snprintf(out, 24, "%usec", (unsigned)s);
    else if (s)
        snprintf(out, 24, "%u.%03usec", (unsigned)s, (unsigned)(ms % 1000));
    else
        snprintf(out, 24, "%ums", (unsigned)ms);
}

static const char *table_timer_name(uint8_t timer) {
    static const char *const names[] = {"off", "on", "keepalive", "timewait", "persist"};
    return timer < BK_COUNT(names) ? names[timer] : "unknown";
}

/* What is unanswered: retransmissions for that timer, probes for the others. */
static unsigned table_unanswered(const struct bk_tcp_info *i) {
    return i->timer == 1 ? i->retransmits : i->probes;
}

static void table_ss_timer(const struct text_out *out, const struct bk_tcp_info *i, uint64_t now) {
    char left[24];
    if (!i->timer) return;
    table_duration(left, table_left(i, now));
    text_printf(out, " timer:(%s,%s,%u)", table_timer_name(i->timer), left, table_unanswered(i));
}

static void table_netstat_timer(char *cell, const struct bk_tcp_info *i, uint64_t now) {
    uint64_t hundredths = i->timer ? table_left(i, now) / (10 * NS_PER_MS) : 0;
    snprintf(cell, TABLE_CELL, "%s (%" PRIu64 ".%02u/%u/%u)", table_timer_name(i->timer), hundredths / 100,
             (unsigned)(hundredths % 100), i->retransmits, i->probes);
}

static void table_row_fill(struct table_row *row, const struct bk_tcp_info *i, const struct bk_table_options *o) {
    table_queues(i, row->cell[1], row->cell[2]);
    if (o->style == BK_TABLE_NETSTAT) {
        snprintf(row->cell[0], TABLE_CELL, bk_addr_is_ipv4(&i->local) ? "tcp" : "tcp6");
        table_netstat_address(row->cell[3], &i->local, i->local_port);
        table_netstat_address(row->cell[4], &i->remote, i->remote_port);
        snprintf(row->cell[5], TABLE_CELL, "%s", table_state(i->state, o->style));
        if (o->timers) table_netstat_timer(row->cell[6], i, o->now);
    } else {
        snprintf(row->cell[0], TABLE_CELL, "%s", table_state(i->state, o->style));
        table_ss_address(row->cell[3], &i->local);
        table_port(row->cell[4], i->local_port);
        table_ss_address(row->cell[5], &i->remote);
        table_port(row->cell[6], i->remote_port);
    }
}

static void table_segments(const struct text_out *out, const char *name, uint32_t bytes, uint32_t mss, bool up) {
    if (mss) text_printf(out, " %s:%" PRIu32, name, (uint32_t)(((uint64_t)bytes + (up ? mss - 1 : 0)) / mss));
}

static void table_nonzero(const struct text_out *out, const char *name, uint64_t value) {
    if (value) text_printf(out, " %s:%" PRIu64, name, value);
}

static void table_rate(const struct text_out *out, const char *name, uint64_t bytes) {
    if (bytes) text_printf(out, " %s %" PRIu64 "bps", name, 8 * bytes);
}

/* The line under a connection that ss -i shows. */
static void table_internals(const struct text_out *out, const struct bk_tcp_info *i, const struct bk_table_options *o) {
    text_put(out, "\t");
    if (i->timestamps) text_put(out, " ts");
    text_printf(out, " %s", bk_congestion_name((enum bk_congestion)i->congestion));
    if (i->send_scale || i->receive_scale) text_printf(out, " wscale:%u,%u", i->send_scale, i->receive_scale);
    text_printf(out, " rto:%g", i->rto_us / 1000.0);
    if (i->srtt_us) text_printf(out, " rtt:%g/%g", i->srtt_us / 1000.0, i->rttvar_us / 1000.0);
    text_printf(out, " mss:%" PRIu32 " rcvmss:%" PRIu32 " advmss:%" PRIu32, i->send_mss, i->receive_mss,
                i->advertised_mss);
    table_segments(out, "cwnd", i->cwnd, i->send_mss, false);
    if (i->ssthresh < INT32_MAX) table_segments(out, "ssthresh", i->ssthresh, i->send_mss, false);
    if (i->bbr_bw) text_printf(out, " bbr:(bw:%" PRIu64 "bps,mrtt:%g)", 8 * i->bbr_bw, i->bbr_min_rtt_us / 1000.0);
    table_nonzero(out, "bytes_sent", i->bytes_sent);
    table_nonzero(out, "bytes_retrans", i->bytes_retransmitted);
    table_nonzero(out, "bytes_acked", i->bytes_acked);
    table_nonzero(out, "bytes_received", i->bytes_received);
    table_nonzero(out, "segs_out", i->segments_sent);
    table_nonzero(out, "segs_in", i->segments_received);
    table_nonzero(out, "data_segs_out", i->data_segments_sent);
    table_nonzero(out, "data_segs_in", i->data_segments_received);
    table_rate(out, "pacing_rate", i->pacing_rate);
    table_rate(out, "delivery_rate", i->delivery_rate);
    if (i->delivery_app_limited) text_put(out, " app_limited");
    text_printf(out, " lastrcv:%" PRIu64, o->now > i->idle_since ? (o->now - i->idle_since) / NS_PER_MS : 0);
    if (i->in_flight) table_segments(out, "unacked", i->in_flight, i->send_mss, true);
    if (i->segments_retransmitted) text_printf(out, " retrans:%u/%" PRIu64, i->retransmits, i->segments_retransmitted);
    if (i->send_queued > i->in_flight) text_printf(out, " notsent:%" PRIu32, i->send_queued - i->in_flight);
    if (i->min_rtt_us) text_printf(out, " minrtt:%g", i->min_rtt_us / 1000.0);
    text_printf(out, " rcv_wnd:%" PRIu32 " snd_wnd:%" PRIu32 "\n", i->rcv_wnd, i->snd_wnd);
}

/* One row's cells in `line`, without blanks at its end. */
static void table_print_cells(const struct text_out *out, const struct table_row *row,
                              const struct table_column *columns, const uint32_t width[TABLE_CELLS]) {
    char line[TABLE_CELLS * (TABLE_CELL + 2)];
    size_t used = 0, end = 0;
    for (int c = 0; c < TABLE_CELLS; c++) {
        int w = (int)width[c];
        used += (size_t)snprintf(line + used, sizeof line - used, columns[c].right ? "%s%*s" : "%s%-*s",
                                 columns[c].before, w, row->cell[c]);
    }
    for (size_t i = 0; i < used; i++)
        if (line[i] != ' ') end = i + 1;
    out->write(out->context, line, end);
}

static void table_print(const struct text_out *out, const struct table_row *rows, const struct bk_tcp_info *infos,
                        size_t n, const struct bk_table_options *o) {
    const struct table_column *columns = o->style == BK_TABLE_NETSTAT ? netstat_columns : ss_columns;
    uint32_t width[TABLE_CELLS];
    for (int c = 0; c < TABLE_CELLS; c++) {
        width[c] = columns[c].width_min;
        for (size_t r = o->no_header; r <= n; r++) width[c] = u32_max(width[c], (uint32_t)strlen(rows[r].cell[c]));
    }
    for (size_t r = o->no_header; r <= n; r++) {
        const struct bk_tcp_info *i = r ? &infos[r - 1] : NULL;
        table_print_cells(out, &rows[r], columns, width);
        if (i && o->timers && o->style == BK_TABLE_SS) table_ss_timer(out, i, o->now);
        text_put(out, "\n");
        if (i && o->internals && i->state != BK_LISTEN) table_internals(out, i, o);
    }
}

int bk_table(const struct bk_tcp_info *infos, size_t n, const struct bk_table_options *options, bk_text_fn write,
             void *context) {
    static const struct bk_table_options plain = {0};
    const struct bk_table_options *o = options ? options : &plain;
    const struct text_out out = {write, context};
    if (o->style == BK_TABLE_JSON) {
        for (size_t i = 0; i < n; i++) bk_tcp_info_json(&infos[i], o->stack, o->now, write, context);
        return 0;
    }
    struct table_row *rows = n < SIZE_MAX / sizeof *rows ? calloc(n + 1, sizeof *rows) : NULL;
    if (!rows) return ERROR_NOMEM;
    const struct table_column *columns = o->style == BK_TABLE_NETSTAT ? netstat_columns : ss_columns;
    for (int c = 0; c < TABLE_CELLS; c++)
        if (o->timers || columns[c].width_min) snprintf(rows[0].cell[c], TABLE_CELL, "%s", columns[c].heading);
    for (size_t i = 0; i < n; i++) table_row_fill(&rows[i + 1], &infos[i], o);
    table_print(&out, rows, infos, n, o);
    free(rows);
    return 0;
}

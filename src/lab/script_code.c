/* %{ code }%: Python over what TCP_INFO says of the connection under test at that moment. Names are those of Linux's headers. */
#define _GNU_SOURCE 1
#include "lab/script_runner.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "base/common.h"
#include "lab/script_python.h"

static void script_variable(struct bk_text *out, const char *name, uint64_t value) {
    char line[96];
    int n = snprintf(line, sizeof line, "%s = %" PRIu64 "\n", name, value);
    bk_text_to_memory(out, line, (size_t)n);
}

static void script_constants(struct bk_text *out) {
    static const struct {
        const char *name;
        uint64_t value;
    } constants[] = {
        {"TCP_ESTABLISHED", 1},     {"TCP_SYN_SENT", 2},      {"TCP_SYN_RECV", 3},    {"TCP_FIN_WAIT1", 4},
        {"TCP_FIN_WAIT2", 5},       {"TCP_TIME_WAIT", 6},     {"TCP_CLOSE", 7},       {"TCP_CLOSE_WAIT", 8},
        {"TCP_LAST_ACK", 9},        {"TCP_LISTEN", 10},       {"TCP_CLOSING", 11},    {"TCP_CA_Open", 0},
        {"TCP_CA_Disorder", 1},     {"TCP_CA_CWR", 2},        {"TCP_CA_Recovery", 3}, {"TCP_CA_Loss", 4},
        {"TCPI_OPT_TIMESTAMPS", 1}, {"TCPI_OPT_SACK", 2},     {"TCPI_OPT_WSCALE", 4}, {"TCPI_OPT_ECN", 8},
        {"TCPI_OPT_ECN_SEEN", 16},  {"TCPI_OPT_SYN_DATA", 32}};
    for (size_t i = 0; i < BK_COUNT(constants); i++) script_variable(out, constants[i].name, constants[i].value);
}

static void script_info(struct bk_text *out, const struct bk_socket_tcp_info *i) {
#define V(name) script_variable(out, #name, i->name)
    V(tcpi_state), V(tcpi_ca_state), V(tcpi_retransmits), V(tcpi_probes), V(tcpi_backoff), V(tcpi_options);
    V(tcpi_snd_wscale), V(tcpi_rcv_wscale), V(tcpi_delivery_rate_app_limited), V(tcpi_fastopen_client_fail);
    V(tcpi_rto), V(tcpi_ato), V(tcpi_snd_mss), V(tcpi_rcv_mss), V(tcpi_unacked), V(tcpi_sacked), V(tcpi_lost);
    V(tcpi_retrans), V(tcpi_fackets), V(tcpi_last_data_sent), V(tcpi_last_ack_sent), V(tcpi_last_data_recv);
    V(tcpi_last_ack_recv), V(tcpi_pmtu), V(tcpi_rcv_ssthresh), V(tcpi_rtt), V(tcpi_rttvar), V(tcpi_snd_ssthresh);
    V(tcpi_snd_cwnd), V(tcpi_advmss), V(tcpi_reordering), V(tcpi_rcv_rtt), V(tcpi_rcv_space), V(tcpi_total_retrans);
    V(tcpi_pacing_rate), V(tcpi_max_pacing_rate), V(tcpi_bytes_acked), V(tcpi_bytes_received), V(tcpi_segs_out);
    V(tcpi_segs_in), V(tcpi_notsent_bytes), V(tcpi_min_rtt), V(tcpi_data_segs_in), V(tcpi_data_segs_out);
    V(tcpi_delivery_rate), V(tcpi_busy_time), V(tcpi_rwnd_limited), V(tcpi_sndbuf_limited), V(tcpi_delivered);
    V(tcpi_delivered_ce), V(tcpi_bytes_sent), V(tcpi_bytes_retrans), V(tcpi_dsack_dups), V(tcpi_reord_seen);
    V(tcpi_rcv_ooopack), V(tcpi_snd_wnd), V(tcpi_rcv_wnd), V(tcpi_rehash), V(tcpi_total_rto);
    V(tcpi_total_rto_recoveries), V(tcpi_total_rto_time);
#undef V
}

static void script_meminfo(struct script_run *r, struct bk_text *out, int fd) {
    static const char *const names[SK_MEMINFO_VARS] = {
        "SK_MEMINFO_RMEM_ALLOC", "SK_MEMINFO_RCVBUF",    "SK_MEMINFO_WMEM_ALLOC",
        "SK_MEMINFO_SNDBUF",     "SK_MEMINFO_FWD_ALLOC", "SK_MEMINFO_WMEM_QUEUED",
        "SK_MEMINFO_OPTMEM",     "SK_MEMINFO_BACKLOG",   "SK_MEMINFO_DROPS"};
    uint32_t value[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof value;
    if (bk_getsockopt(r->sockets, fd, SOL_SOCKET, SO_MEMINFO, value, &length, r->now) != 0) return;
    for (size_t i = 0; i < SK_MEMINFO_VARS; i++) script_variable(out, names[i], value[i]);
}

static bool script_code_answer(struct script_run *r, enum script_python_answer answer, struct bk_text *message) {
    if (answer == SCRIPT_PYTHON_MISSING) {
        script_fail(r, "python3 is missing, and this script needs it");
        r->verdict->result = SCRIPT_SKIPPED;
    } else if (answer == SCRIPT_PYTHON_BAD)
        script_fail(r, "%s", message->data != NULL ? message->data : "the code failed");
    bk_text_free(message);
    return answer == SCRIPT_PYTHON_GOOD;
}

bool script_run_code(struct script_run *r, const struct script_event *e) {
    struct bk_socket_tcp_info info = {0};
    struct bk_text variables = {0}, message = {0};
    socklen_t length = sizeof info;
    int fd = r->test != NULL && r->test->fd >= 0 && r->test->fd < SCRIPT_FDS ? r->fd[r->test->fd] : -1;
    int n = bk_getsockopt(r->sockets, fd, IPPROTO_TCP, TCP_INFO, &info, &length, r->now);
    if (n != 0) return script_fail(r, "the connection under test has no TCP_INFO: %s", strerror(-n));
    script_constants(&variables);
    script_info(&variables, &info);
    script_meminfo(r, &variables, fd);
    enum script_python_answer answer =
        script_python_run(r->config->python, !r->coded, r->script.path, e->line,
                          variables.data != NULL ? variables.data : "", e->text, &message);
    r->coded = true;
    bk_text_free(&variables);
    return script_code_answer(r, answer, &message);
}

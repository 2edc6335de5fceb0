/* Counters by the names that nstat gives them, from the stack's reasons (trace.h) and its MIB. nstat tells what was added since it was asked
 * last, and leaves out what is zero. */
#include "lab/script_runner.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/common.h"

#define SCRIPT_COUNTER_REASONS 6u

static const struct script_counter {
    const char *name;
    uint16_t reason[SCRIPT_COUNTER_REASONS]; /* added up; ends with 0 */
} script_counters[] = {
    {"TcpActiveOpens", {BK_REASON_SEND_SYN}},
    {"TcpPassiveOpens", {BK_REASON_ACCEPT_HANDSHAKE_ACK, BK_REASON_ACCEPT_COOKIE_ACK}},
    {"TcpRetransSegs",
     {BK_REASON_SEND_RTO, BK_REASON_SEND_FAST_RETRANSMIT, BK_REASON_SEND_PARTIAL_ACK, BK_REASON_SEND_SYN_AGAIN,
      BK_REASON_SEND_SYN_ACK_AGAIN, BK_REASON_SEND_FIN_AGAIN}},
    {"TcpOutRsts",
     {BK_REASON_SEND_RST_CLOSED, BK_REASON_SEND_RST_LISTEN_ACK, BK_REASON_SEND_RST_ABORT, BK_REASON_SEND_RST_UNREAD,
      BK_REASON_SEND_RST_LATE_DATA, BK_REASON_SEND_RST_TIMEOUT}},
    {"TcpExtOutOfWindowIcmps", {BK_REASON_DROP_ICMP_UNRELATED}},
    {"TcpExtBeyondWindow", {BK_REASON_ANSWER_UNACCEPTABLE}},
    {"TcpExtTCPZeroWindowDrop", {BK_REASON_ANSWER_ZERO_WINDOW}},
    {"TcpExtTCPRcvQDrop", {BK_REASON_DROP_NO_BUFFER}},
    {"TcpExtTCPOFODrop", {BK_REASON_DROP_OUT_OF_ORDER_LIMIT}},
    {"TcpExtPAWSEstab", {BK_REASON_ANSWER_PAWS}},
    {"TcpExtTCPChallengeACK",
     {BK_REASON_SEND_CHALLENGE_SYN, BK_REASON_SEND_CHALLENGE_RST, BK_REASON_SEND_CHALLENGE_ACK}},
    {"TcpExtTCPTimeouts", {BK_REASON_NOTE_RTO}},
    {"TcpExtSyncookiesSent", {BK_REASON_SEND_SYN_COOKIE}},
    {"TcpExtSyncookiesRecv", {BK_REASON_ACCEPT_COOKIE_ACK}},
    {"TcpExtSyncookiesFailed", {BK_REASON_NOTE_COOKIE_BAD}},
    {"TcpExtListenOverflows", {BK_REASON_DROP_ACCEPT_QUEUE}},
};

bool script_counter_known(const char *name) {
    for (size_t i = 0; i < BK_COUNT(script_counters); i++)
        if (strcmp(script_counters[i].name, name) == 0) return true;
    return false;
}

static uint64_t script_counter(const struct script_run *r, const struct script_counter *c) {
    uint64_t sum = 0;
    for (size_t i = 0; i < SCRIPT_COUNTER_REASONS && c->reason[i] != 0; i++)
        sum += bk_reason_count(r->stack, c->reason[i]);
    return sum;
}

void script_counters_text(struct script_run *r, struct bk_text *out, bool keep) {
    for (size_t i = 0; i < BK_COUNT(script_counters); i++) {
        uint64_t sum = script_counter(r, &script_counters[i]), more = sum - r->counter_base[i];
        char line[96];
        if (!keep) r->counter_base[i] = sum;
        if (more == 0) continue;
        int n = snprintf(line, sizeof line, "%-32s%-16" PRIu64 " 0.0\n", script_counters[i].name, more);
        bk_text_to_memory(out, line, (size_t)n);
    }
}

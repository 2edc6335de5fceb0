/* One table: a name of Linux's, and what becomes of it here.
 *
 * A setting either goes to a field of struct bk_config or struct bk_sockets_config, converted from Linux's unit; or it has no meaning here, and
 * the row says why: any value is taken; or Beckon always behaves as with one value, and takes no other: a script that asks for another
 * fails at once and says so, which is better than failing later for no visible reason. */
#include "lab/script_sysctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/common.h"

enum script_sysctl_kind {
    SYSCTL_BOOL,        /* a bool of the stack's */
    SYSCTL_NUMBER,      /* a uint32_t of the stack's, times `factor` */
    SYSCTL_BUFFER,      /* of three numbers the second, and the third to the field that follows */
    SYSCTL_CHOICE,      /* the place of a word among those of `only`, into a uint32_t of the stack's */
    SYSCTL_CHOICE_BOOL, /* the same into a bool */
    SYSCTL_SOCKETS_BOOL,
    SYSCTL_SOCKETS_NUMBER,
    SYSCTL_IGNORED, /* `note` says why */
    SYSCTL_ONLY,    /* takes `only` (values separated by spaces) and no other; `note` says what is missing */
};

struct script_sysctl {
    const char *name;
    enum script_sysctl_kind kind;
    const char *field;
    size_t offset;
    uint32_t factor;
    const char *only, *note;
};

#define STACK(kind, name, member)                                                                                      \
    { name, kind, #member, offsetof(struct bk_config, member), 1, NULL, "" }
#define TIMES(name, member, times)                                                                                     \
    { name, SYSCTL_NUMBER, #member, offsetof(struct bk_config, member), times, NULL, "" }
#define SOCKETS(kind, name, member)                                                                                    \
    { name, kind, #member, offsetof(struct bk_sockets_config, member), 1, NULL, "" }
#define CHOICE(name, member, words)                                                                                    \
    { name, SYSCTL_CHOICE, #member, offsetof(struct bk_config, member), 1, words, "" }
#define IGNORED(name, why)                                                                                             \
    { name, SYSCTL_IGNORED, "", 0, 1, NULL, why }
#define ONLY(name, values, missing)                                                                                    \
    { name, SYSCTL_ONLY, "", 0, 1, values, missing }

static const struct script_sysctl script_sysctls[] = {
    STACK(SYSCTL_BOOL, "net.ipv4.tcp_timestamps", timestamps),
    STACK(SYSCTL_BOOL, "net.ipv4.tcp_window_scaling", window_scaling),
    STACK(SYSCTL_BOOL, "net.ipv4.tcp_sack", sack),
    STACK(SYSCTL_BOOL, "net.ipv4.tcp_slow_start_after_idle", slow_start_after_idle),
    CHOICE("net.ipv4.tcp_ecn", ecn, "0 1 2"),
    STACK(SYSCTL_BOOL, "net.ipv4.tcp_ecn_fallback", ecn_fallback),
    CHOICE("net.ipv4.tcp_congestion_control", congestion, "cubic reno"),
    {"tcp_cubic.hystart_detect", SYSCTL_CHOICE_BOOL, "hystart", offsetof(struct bk_config, hystart), 1, "0 3", ""},
    STACK(SYSCTL_NUMBER, "net.ipv4.tcp_syncookies", syn_cookies),
    STACK(SYSCTL_NUMBER, "net.ipv4.tcp_syn_linear_timeouts", syn_linear_timeouts),
    STACK(SYSCTL_NUMBER, "net.ipv4.tcp_tw_reuse", time_wait_reuse),
    STACK(SYSCTL_NUMBER, "net.ipv4.tcp_max_orphans", orphans_max),
    STACK(SYSCTL_NUMBER, "net.ipv4.tcp_syn_retries", syn_retries),
    STACK(SYSCTL_NUMBER, "net.ipv4.tcp_synack_retries", syn_ack_retries),
    STACK(SYSCTL_NUMBER, "net.ipv4.tcp_retries2", retries2),
    STACK(SYSCTL_NUMBER, "net.ipv4.tcp_orphan_retries", orphan_retries),
    STACK(SYSCTL_NUMBER, "net.ipv4.tcp_keepalive_time", keepalive_idle_s),
    STACK(SYSCTL_NUMBER, "net.ipv4.tcp_keepalive_intvl", keepalive_interval_s),
    STACK(SYSCTL_NUMBER, "net.ipv4.tcp_keepalive_probes", keepalive_probes),
    STACK(SYSCTL_NUMBER, "net.ipv4.tcp_rto_max_ms", rto_max_ms),
    STACK(SYSCTL_NUMBER, "net.ipv4.tcp_mtu_probing", mtu_probing),
    STACK(SYSCTL_NUMBER, "net.ipv4.tcp_base_mss", base_mss),
    STACK(SYSCTL_NUMBER, "net.ipv4.tcp_mtu_probe_floor", mtu_probe_floor),
    STACK(SYSCTL_NUMBER, "net.ipv4.tcp_probe_interval", mtu_probe_interval_s),
    STACK(SYSCTL_NUMBER, "net.ipv4.tcp_probe_threshold", mtu_probe_threshold),
    STACK(SYSCTL_NUMBER, "net.ipv4.tcp_invalid_ratelimit", challenge_ack_ms),
    TIMES("net.ipv4.tcp_fin_timeout", fin_wait_2_ms, 1000),
    STACK(SYSCTL_BUFFER, "net.ipv4.tcp_rmem", receive_buffer),
    STACK(SYSCTL_BUFFER, "net.ipv4.tcp_wmem", send_buffer),
    STACK(SYSCTL_BOOL, "net.ipv4.tcp_dsack", dsack),
    STACK(SYSCTL_BOOL, "net.ipv4.tcp_frto", frto),
    STACK(SYSCTL_BOOL, "net.ipv4.tcp_early_retrans", tail_loss_probe),
    STACK(SYSCTL_NUMBER, "net.ipv4.tcp_reordering", reordering),
    STACK(SYSCTL_NUMBER, "net.ipv4.tcp_max_reordering", reordering_max),
    STACK(SYSCTL_NUMBER, "net.ipv4.tcp_pacing_ss_ratio", pacing_ss_ratio),
    STACK(SYSCTL_NUMBER, "net.ipv4.tcp_pacing_ca_ratio", pacing_ca_ratio),
    STACK(SYSCTL_NUMBER, "net.ipv4.tcp_min_tso_segs", min_tso_segments),
    STACK(SYSCTL_BOOL, "net.ipv4.tcp_shrink_window", shrink_window),
    STACK(SYSCTL_NUMBER, "net.ipv4.tcp_comp_sack_nr", ack_compress_max),
    STACK(SYSCTL_NUMBER, "net.ipv4.tcp_notsent_lowat", unsent_low),
    SOCKETS(SYSCTL_SOCKETS_NUMBER, "net.core.somaxconn", somaxconn),
    SOCKETS(SYSCTL_SOCKETS_NUMBER, "net.core.wmem_max", wmem_max),
    SOCKETS(SYSCTL_SOCKETS_NUMBER, "net.core.rmem_max", rmem_max),
    SOCKETS(SYSCTL_SOCKETS_BOOL, "net.ipv6.bindv6only", bindv6only),
    SOCKETS(SYSCTL_SOCKETS_BOOL, "net.ipv4.ip_nonlocal_bind", ip_nonlocal_bind),

    IGNORED("net.ipv4.tcp_fack", "without effect in Linux, too: RACK has replaced it"),
    IGNORED("net.ipv4.tcp_tso_win_divisor", "a unit is never held back for the sake of a larger one"),

    ONLY("net.ipv4.tcp_recovery", "1", "another loss detection than RACK"),
    ONLY("net.ipv4.tcp_ecn_option", "2", "the AccECN option"),
    ONLY("net.ipv4.tcp_ecn_option_beacon", "3", "the AccECN option"),
    ONLY("net.ipv4.tcp_moderate_rcvbuf", "1", "a fixed receive buffer"),
    /* Fast Open: with it switched on for those who ask, a connection that does not ask is as without. */
    ONLY("net.ipv4.tcp_fastopen", "0 0x3 0x70403", "Fast Open"),
    ONLY("net.ipv4.tcp_fastopen_key", "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4", "Fast Open"),
    ONLY("net.ipv4.tcp_fastopen_blackhole_timeout_sec", "0", "Fast Open"),
};

static const struct {
    const char *name, *value;
} script_defaults[] = {
    {"net.ipv4.tcp_rmem", "4096 540000 15728640"},
    {"net.ipv4.tcp_wmem", "4096 262144 4194304"},
    {"net.core.rmem_max", "4194304"}, /* what Linux has by itself */
    {"net.core.wmem_max", "4194304"},
    {"net.ipv4.tcp_timestamps", "1"},
    {"net.ipv4.tcp_syn_retries", "5"},
    {"net.ipv4.tcp_synack_retries", "5"},
    {"net.ipv4.tcp_frto", "2"},
    {"net.ipv4.tcp_sack", "1"},
    {"net.ipv4.tcp_dsack", "1"},
    {"net.ipv4.tcp_fack", "0"},
    {"net.ipv4.tcp_reordering", "3"},
    {"net.ipv4.tcp_congestion_control", "cubic"},
    {"net.ipv4.tcp_slow_start_after_idle", "0"},
    {"net.ipv4.tcp_early_retrans", "4"},
    {"net.ipv4.tcp_recovery", "1"},
    {"net.ipv4.tcp_tso_win_divisor", "3"},
    {"net.ipv4.tcp_ecn", "0"},
    {"net.ipv4.tcp_pacing_ss_ratio", "200"},
    {"net.ipv4.tcp_pacing_ca_ratio", "120"},
    {"net.ipv4.tcp_notsent_lowat", "4294967295"},
    {"net.ipv4.tcp_fastopen_key", "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4"},
    {"net.ipv4.tcp_syncookies", "1"},
};

/* ---- values ---------------------------------------------------------------------------------------- */

static const struct script_sysctl *script_sysctl_find(const char *name) {
    for (size_t i = 0; i < BK_COUNT(script_sysctls); i++)
        if (strcmp(script_sysctls[i].name, name) == 0) return &script_sysctls[i];
    return NULL;
}

/* The place of `value` among the words of `only`, or -1. */
static int script_sysctl_place(const char *only, const char *value) {
    size_t n = strlen(value);
    int place = 0;
    for (const char *at = only; *at != '\0'; at += strcspn(at, " "), at += strspn(at, " "), place++)
        if (strcspn(at, " ") == n && memcmp(at, value, n) == 0) return place;
    return -1;
}

/* n numbers, and no more. */
static bool script_sysctl_numbers(const char *value, uint32_t *out, int n) {
    for (int i = 0; i < n; i++) {
        char *end;
        unsigned long long number = strtoull(value, &end, 0);
        if (end == value || number > UINT32_MAX) return false;
        out[i] = (uint32_t)number;
        value = end + strspn(end, " \t");
    }
    return *value == '\0';
}

_Static_assert(offsetof(struct bk_config, receive_buffer_max) == offsetof(struct bk_config, receive_buffer) + 4 &&
                   offsetof(struct bk_config, send_buffer_max) == offsetof(struct bk_config, send_buffer) + 4,
               "SYSCTL_BUFFER fills two fields");

static bool script_sysctl_store(const struct script_sysctl *k, struct script_settings *s, const char *value) {
    bool of_sockets = k->kind == SYSCTL_SOCKETS_BOOL || k->kind == SYSCTL_SOCKETS_NUMBER;
    unsigned char *at = (of_sockets ? (unsigned char *)&s->sockets : (unsigned char *)&s->stack) + k->offset;
    uint32_t number[3] = {0};
    bool choice = k->kind == SYSCTL_CHOICE || k->kind == SYSCTL_CHOICE_BOOL;
    int place = choice ? script_sysctl_place(k->only, value) : 0;
    if (place < 0 || (!choice && !script_sysctl_numbers(value, number, k->kind == SYSCTL_BUFFER ? 3 : 1))) return false;
    if (choice) number[0] = (uint32_t)place;
    if (k->kind == SYSCTL_BOOL || k->kind == SYSCTL_CHOICE_BOOL || k->kind == SYSCTL_SOCKETS_BOOL) {
        bool on = number[0] != 0;
        memcpy(at, &on, sizeof on);
    } else if (k->kind == SYSCTL_BUFFER) {
        memcpy(at, number + 1, 2 * sizeof *number);
    } else {
        number[0] *= k->factor;
        memcpy(at, number, sizeof *number);
    }
    return true;
}

bool script_sysctl_set(struct script_settings *s, const char *name, const char *value, char *why, size_t size) {
    const struct script_sysctl *k = script_sysctl_find(name);
    if (k == NULL) {
        snprintf(why, size, "sysctl %s is not known", name);
        return false;
    }
    bool good = true;
    if (k->kind == SYSCTL_ONLY) {
        good = script_sysctl_place(k->only, value) >= 0;
        if (!good) snprintf(why, size, "sysctl %s=%s asks for %s, which is not supported", name, value, k->note);
    } else if (k->kind != SYSCTL_IGNORED) {
        good = script_sysctl_store(k, s, value);
        if (!good)
            snprintf(why, size, "sysctl %s takes no value '%s'%s%s", name, value, k->only != NULL ? ", only " : "",
                     k->only != NULL ? k->only : "");
    }
    return good;
}

/* What Linux charges for a buffer of queued data besides the data. */
#define SCRIPT_SEND_OVERHEAD 1280u

bool script_sysctl_defaults(struct script_settings *s, char *why, size_t size) {
    /* Linux's account of buffers, which the windows in scripts show, its ACKs of FINs, and what it makes of missing timestamps. */
    s->stack.send_overhead = SCRIPT_SEND_OVERHEAD;
    s->stack.receive_overhead = s->stack.delay_fin_ack = s->stack.accept_unstamped = true;
    for (size_t i = 0; i < BK_COUNT(script_defaults); i++)
        if (!script_sysctl_set(s, script_defaults[i].name, script_defaults[i].value, why, size)) return false;
    return true;
}

bool script_sysctl_row(size_t index, const char **name, char *words, size_t size) {
    if (index >= BK_COUNT(script_sysctls)) return false;
    const struct script_sysctl *k = &script_sysctls[index];
    *name = k->name;
    if (k->kind == SYSCTL_ONLY)
        snprintf(words, size, "only %s; not supported: %s", k->only, k->note);
    else if (k->kind == SYSCTL_IGNORED)
        snprintf(words, size, "any value: %s", k->note);
    else if (k->kind == SYSCTL_CHOICE || k->kind == SYSCTL_CHOICE_BOOL)
        snprintf(words, size, "`%s`, one of: %s", k->field, k->only);
    else
        snprintf(words, size, "`%s`", k->field);
    return true;
}

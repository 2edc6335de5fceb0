/* What both sides of the control socket share: where it is, and how a connection is written; see control.h. One table of
 * struct bk_tcp_info's members serves both directions, so they cannot disagree. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/common.h"
#include "cmd/control.h"

/* ---- the directory --------------------------------------------------------------------------------- */

/* Whether it is ours alone. Anything else in /tmp may be somebody's trap. */
static int control_directory_check(const char *path, char why[CONTROL_WHY]) {
    struct stat st;
    if (lstat(path, &st) < 0) {
        int error = errno;
        snprintf(why, CONTROL_WHY, "%s: %s", path, strerror(error));
        return -error;
    }
    if (S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 077) == 0) return 0;
    snprintf(why, CONTROL_WHY, "%s is not a directory of this user's alone (mode 0700); remove it and try again", path);
    return -EPERM;
}

int control_directory(char path[sizeof((struct sockaddr_un *)0)->sun_path], bool make, char why[CONTROL_WHY]) {
    const size_t size = sizeof((struct sockaddr_un *)0)->sun_path;
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    int n;
    if (runtime && runtime[0] == '/')
        n = snprintf(path, size, "%s/beckon", runtime);
    else if (geteuid() == 0 && access("/run", W_OK) == 0)
        n = snprintf(path, size, "/run/beckon");
    else
        n = snprintf(path, size, "/tmp/beckon-%lu", (unsigned long)geteuid());
    if (n < 0 || (size_t)n >= size) {
        snprintf(why, CONTROL_WHY, "XDG_RUNTIME_DIR is too long for a socket's name; set a shorter one");
        return -ENAMETOOLONG;
    }
    if (make && mkdir(path, 0700) < 0 && errno != EEXIST) {
        int error = errno;
        snprintf(why, CONTROL_WHY, "cannot make %s: %s", path, strerror(error));
        return -error;
    }
    return control_directory_check(path, why);
}

char *control_name_format(const struct control_name *name, char text[CONTROL_NAME]) {
    if (name->index < 0)
        snprintf(text, CONTROL_NAME, "%ld", (long)name->pid);
    else
        snprintf(text, CONTROL_NAME, "%ld.%ld", (long)name->pid, (long)name->index);
    return text;
}

bool control_address(const char *directory, const struct control_name *name, struct sockaddr_un *address) {
    char file[CONTROL_NAME];
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    int n = snprintf(address->sun_path, sizeof address->sun_path, "%s/%s", directory, control_name_format(name, file));
    return n > 0 && (size_t)n < sizeof address->sun_path;
}

/* ---- a connection as JSON -------------------------------------------------------------------------- */

enum control_type { CONTROL_ADDRESS, CONTROL_BOOL, CONTROL_SIGNED, CONTROL_UNSIGNED };

struct control_member {
    const char *name;
    uint16_t offset;
    uint8_t size;
    uint8_t type;
};

#define MEMBER(kind, member)                                                                                           \
    { #member, offsetof(struct bk_tcp_info, member), sizeof((struct bk_tcp_info *)0)->member, kind }
#define NUMBER(member) MEMBER(CONTROL_UNSIGNED, member)
#define TRUTH(member)  MEMBER(CONTROL_BOOL, member)

static const struct control_member control_members[] = {
    MEMBER(CONTROL_ADDRESS, local),
    MEMBER(CONTROL_ADDRESS, remote),
    NUMBER(local_port),
    NUMBER(remote_port),
    NUMBER(state),
    NUMBER(iface),
    NUMBER(send_scale),
    NUMBER(receive_scale),
    TRUTH(timestamps),
    TRUTH(keepalive),
    TRUTH(nodelay),
    TRUTH(owned),
    MEMBER(CONTROL_SIGNED, error),
    NUMBER(iss),
    NUMBER(snd_una),
    NUMBER(snd_nxt),
    NUMBER(snd_wnd),
    NUMBER(snd_wl1),
    NUMBER(snd_wl2),
    NUMBER(snd_up),
    NUMBER(max_snd_wnd),
    NUMBER(irs),
    NUMBER(rcv_nxt),
    NUMBER(rcv_wnd),
    NUMBER(rcv_up),
    NUMBER(send_mss),
    NUMBER(receive_mss),
    NUMBER(advertised_mss),
    NUMBER(send_queued),
    NUMBER(receive_queued),
    NUMBER(out_of_order),
    NUMBER(send_buffer),
    NUMBER(receive_buffer),
    NUMBER(receive_space),
    NUMBER(receive_rtt_us),
    NUMBER(out_of_order_segments),
    NUMBER(text_age_ms),
    NUMBER(srtt_us),
    NUMBER(rttvar_us),
    NUMBER(min_rtt_us),
    NUMBER(rto_us),
    NUMBER(cwnd),
    NUMBER(ssthresh),
    NUMBER(in_flight),
    NUMBER(congestion),
    NUMBER(pacing_rate),
    NUMBER(delivery_rate),
    TRUTH(delivery_app_limited),
    NUMBER(bbr_bw),
    NUMBER(bbr_min_rtt_us),
    NUMBER(recovery),
    NUMBER(retransmits),
    NUMBER(probes),
    NUMBER(backoff),
    TRUTH(sack),
    NUMBER(segments_unacked),
    NUMBER(segments_sacked),
    NUMBER(segments_lost),
    NUMBER(segments_resent),
    NUMBER(reordering),
    NUMBER(reordering_seen),
    NUMBER(dsack_duplicates),
    NUMBER(segments_delivered),
    NUMBER(timer),
    NUMBER(timer_due),
    NUMBER(bytes_sent),
    NUMBER(bytes_retransmitted),
    NUMBER(bytes_acked),
    NUMBER(bytes_received),
    NUMBER(segments_sent),
    NUMBER(segments_received),
    NUMBER(segments_retransmitted),
    NUMBER(data_segments_sent),
    NUMBER(data_segments_received),
    NUMBER(segments_delivered_ce),
    NUMBER(ack_delay_us),
    NUMBER(receive_window_most),
    NUMBER(timeouts),
    NUMBER(timeout_episodes),
    NUMBER(timeout_ms),
    NUMBER(idle_since),
    NUMBER(backlog),
    NUMBER(backlog_max),
};

/* Members are of every width; memcpy through the right type keeps this independent of byte order. */
static uint64_t control_member_get(const void *at, uint8_t size) {
    uint8_t v8;
    uint16_t v16;
    uint32_t v32;
    uint64_t v64;
    switch (size) {
    case 1:
        memcpy(&v8, at, 1);
        return v8;
    case 2:
        memcpy(&v16, at, 2);
        return v16;
    case 4:
        memcpy(&v32, at, 4);
        return v32;
    default:
        memcpy(&v64, at, 8);
        return v64;
    }
}

static void control_member_set(void *at, uint8_t size, uint64_t v) {
    uint8_t v8 = (uint8_t)v;
    uint16_t v16 = (uint16_t)v;
    uint32_t v32 = (uint32_t)v;
    switch (size) {
    case 1:
        memcpy(at, &v8, 1);
        break;
    case 2:
        memcpy(at, &v16, 2);
        break;
    case 4:
        memcpy(at, &v32, 4);
        break;
    default:
        memcpy(at, &v, 8);
        break;
    }
}

/* JSON numbers are signed 64-bit in jansson: what is larger (BK_NEVER) is null. */
static json_t *control_member_encode(const struct control_member *m, const struct bk_tcp_info *info) {
    const uint8_t *at = (const uint8_t *)info + m->offset;
    char text[BK_ADDR_TEXT];
    bk_addr addr;
    uint64_t v = m->type == CONTROL_ADDRESS ? 0 : control_member_get(at, m->size);
    switch ((enum control_type)m->type) {
    case CONTROL_ADDRESS:
        memcpy(&addr, at, sizeof addr);
        return json_string(bk_addr_format(&addr, text));
    case CONTROL_BOOL:
        return json_boolean(v != 0);
    case CONTROL_SIGNED:
        return json_integer((int32_t)(uint32_t)v);
    case CONTROL_UNSIGNED:
        break;
    }
    return v > INT64_MAX ? json_null() : json_integer((json_int_t)v);
}

static bool control_member_decode(const struct control_member *m, const json_t *value, struct bk_tcp_info *info) {
    uint8_t *at = (uint8_t *)info + m->offset;
    bk_addr addr;
    json_int_t n = json_integer_value(value);
    switch ((enum control_type)m->type) {
    case CONTROL_ADDRESS:
        if (!json_is_string(value) || bk_addr_parse(json_string_value(value), &addr) < 0) return false;
        memcpy(at, &addr, sizeof addr);
        return true;
    case CONTROL_BOOL:
        control_member_set(at, m->size, json_is_true(value));
        return json_is_boolean(value);
    case CONTROL_SIGNED:
        control_member_set(at, m->size, (uint64_t)n);
        return json_is_integer(value) && n >= INT32_MIN && n <= INT32_MAX;
    case CONTROL_UNSIGNED:
        break;
    }
    if (json_is_null(value) && m->size == 8) {
        control_member_set(at, 8, BK_NEVER);
        return true;
    }
    if (!json_is_integer(value) || n < 0 || (m->size < 8 && (uint64_t)n >> (8 * m->size) != 0)) return false;
    control_member_set(at, m->size, (uint64_t)n);
    return true;
}

json_t *control_info_encode(const struct bk_tcp_info *info) {
    json_t *object = json_object();
    for (size_t i = 0; object && i < BK_COUNT(control_members); i++) {
        const struct control_member *m = &control_members[i];
        if (json_object_set_new(object, m->name, control_member_encode(m, info)) == 0) continue;
        json_decref(object);
        object = NULL;
    }
    return object;
}

bool control_info_decode(const json_t *object, struct bk_tcp_info *info) {
    memset(info, 0, sizeof *info);
    for (size_t i = 0; i < BK_COUNT(control_members); i++) {
        const struct control_member *m = &control_members[i];
        const json_t *value = json_object_get(object, m->name);
        if (!value || !control_member_decode(m, value, info)) return false;
    }
    return info->state < BK_STATES;
}

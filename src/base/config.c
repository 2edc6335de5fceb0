/* Configurations: the defaults, the smallest useful one, and what is wrong with a given one. */
#include "base/config.h"

#include "base/common.h"
#include "beckon/steer.h"

void bk_config_default(struct bk_config *c) {
    *c = (struct bk_config){
        .connections = 4096,
        .listeners = 64,
        .requests_ipv4 = 4096,
        .requests_ipv6 = 4096,
        .time_waits_ipv4 = 16384,
        .time_waits_ipv6 = 16384,
        .interfaces = 4,
        .addresses = 32,
        .routes = 32,
        .neighbours = 256,
        .paths = 1024,
        .port_maps = 16,
        .reassemblies = 16,
        .frames = 1024,
        .chunk_size = 2048,
        .chunks = 32768,
        .buffer_chunks = 28672,
        .sent_records = 32768,
        .trace_events = 0,
        .send_buffer = 262144,
        .unsent_low = UINT32_MAX,
        .send_buffer_max = 4194304,
        .receive_buffer = 262144,
        .receive_buffer_max = 6291456,
        .msl_ms = 30000,
        .rto_initial_ms = 1000,
        .rto_min_ms = 200,
        .rto_max_ms = 120000,
        .delayed_ack_ms = 40,
        .delayed_ack_max_ms = 200,
        .quick_acks = 16,
        .ack_compress_us = 1000,
        .ack_compress_max = 44,
        .syn_retries = 7,
        .syn_linear_timeouts = 4,
        .syn_ack_retries = 5,
        .retries2 = 15,
        .orphan_retries = 8,
        .orphan_ms = 900000,
        .fin_wait_2_ms = 60000,
        .keepalive_idle_s = 7200,
        .keepalive_interval_s = 75,
        .keepalive_probes = 9,
        .reordering = 3,
        .reordering_max = 300,
        .syn_cookies = BK_SYN_COOKIES_WHEN_FULL,
        .ecn = BK_ECN_GRANT,
        .time_wait_reuse = BK_REUSE_ALWAYS,
        .orphans_max = 4096,
        .congestion = BK_CONGESTION_CUBIC,
        .mtu_probing = BK_MTU_PROBING_BLACK_HOLE,
        .base_mss = 1024,
        .mtu_probe_floor = 48,
        .mtu_probe_interval_s = 600,
        .mtu_probe_threshold = 8,
        .path_mtu_expiry_s = 600,
        .pacing_ss_ratio = 200,
        .pacing_ca_ratio = 120,
        .min_tso_segments = 2,
        .challenge_ack_ms = 500,
        .ephemeral_first = 32768,
        .ephemeral_last = 60999,
        .timestamps = true,
        .window_scaling = true,
        .sack = true,
        .tail_loss_probe = true,
        .frto = true,
        .dsack = true,
        .ecn_fallback = true,
        .hystart = true,
        .pacing = false,
        .slow_start_after_idle = true,
        .receive_coalescing = true,
        .reset_on_unread = true,
    };
}

void bk_config_tiny(struct bk_config *c) {
    bk_config_default(c);
    c->connections = 2;
    c->listeners = 1;
    c->requests_ipv4 = c->requests_ipv6 = 2;
    c->time_waits_ipv4 = c->time_waits_ipv6 = 2;
    c->interfaces = 1;
    c->addresses = 2;
    c->routes = 2;
    c->neighbours = 2;
    c->paths = 2;
    c->port_maps = 0;
    c->reassemblies = 1;
    c->frames = 8;
    c->chunk_size = 1024;
    c->chunks = 20;
    c->buffer_chunks = 12;
    c->sent_records = 16;
    c->send_buffer = c->receive_buffer = 4096;
    c->send_buffer_max = c->receive_buffer_max = 0;
}

struct config_range {
    uint16_t offset;
    uint32_t low, high;
    const char *why;
};
#define RANGE(field, low, high)                                                                                        \
    { offsetof(struct bk_config, field), low, high, #field " must be " #low " to " #high }

static const struct config_range config_ranges[] = {
    RANGE(connections, 1, 134217728),
    RANGE(active_connections, 0, 134217728),
    RANGE(listeners, 0, 65536),
    RANGE(requests_ipv4, 0, 134217728),
    RANGE(requests_ipv6, 0, 134217728),
    RANGE(time_waits_ipv4, 0, 134217728),
    RANGE(time_waits_ipv6, 0, 134217728),
    RANGE(interfaces, 1, 16),
    RANGE(addresses, 1, 65536),
    RANGE(routes, 1, 1048576),
    RANGE(neighbours, 1, 1048576),
    RANGE(paths, 0, 1048576),
    RANGE(port_maps, 0, 64),
    RANGE(reassemblies, 0, 65536),
    RANGE(frames, 2, 16777216),
    RANGE(chunk_size, 256, 65536),
    RANGE(chunks, 4, 268435456),
    RANGE(buffer_chunks, 1, 268435456),
    RANGE(sent_records, 0, 134217728),
    RANGE(trace_events, 0, 1073741824),
    RANGE(send_buffer, 1, 1073741824),
    RANGE(send_overhead, 0, 65536),
    RANGE(receive_buffer, 1, 1073741824),
    RANGE(send_buffer_max, 0, 1073741824),
    RANGE(receive_buffer_max, 0, 1073741824),
    RANGE(msl_ms, 1, 3600000),
    RANGE(rto_initial_ms, 1, 60000),
    RANGE(rto_min_ms, 1, 60000),
    RANGE(rto_max_ms, 1, 3600000),
    RANGE(delayed_ack_ms, 0, 499),
    RANGE(delayed_ack_max_ms, 0, 499),
    RANGE(quick_acks, 0, 255),
    RANGE(ack_compress_us, 0, 10000),
    RANGE(ack_compress_max, 0, 255),
    RANGE(syn_retries, 0, 31),
    RANGE(syn_linear_timeouts, 0, 31),
    RANGE(syn_ack_retries, 0, 11),
    RANGE(retries2, 0, 255),
    RANGE(orphan_retries, 0, 255),
    RANGE(orphan_ms, 1, 86400000),
    RANGE(fin_wait_2_ms, 1, 3600000),
    RANGE(keepalive_idle_s, 1, 32767),
    RANGE(keepalive_interval_s, 1, 32767),
    RANGE(keepalive_probes, 1, 127),
    RANGE(reordering, 1, 65535),
    RANGE(reordering_max, 1, 65535),
    RANGE(syn_cookies, 0, 2),
    RANGE(ecn, 0, 2),
    RANGE(time_wait_reuse, 0, 2),
    RANGE(orphans_max, 0, 134217728),
    RANGE(mtu_probing, 0, 2),
    RANGE(base_mss, 48, 65000),
    RANGE(mtu_probe_floor, 48, 65000),
    RANGE(mtu_probe_interval_s, 1, 86400),
    RANGE(mtu_probe_threshold, 1, 65535),
    RANGE(path_mtu_expiry_s, 1, 86400),
    RANGE(challenge_ack_ms, 0, 60000),
    RANGE(congestion, 0, 2),
    RANGE(pacing_ss_ratio, 1, 1000),
    RANGE(pacing_ca_ratio, 1, 1000),
    RANGE(min_tso_segments, 1, 65535),
};

const char *config_fault(const struct bk_config *c) {
    for (uint32_t i = 0; i < BK_COUNT(config_ranges); i++) {
        const struct config_range *r = &config_ranges[i];
        uint32_t value;
        memcpy(&value, (const uint8_t *)c + r->offset, 4);
        if (value < r->low || value > r->high) return r->why;
    }
    if ((c->chunk_size & (c->chunk_size - 1)) != 0) return "chunk_size must be a power of two";
    if (c->buffer_chunks >= c->chunks) return "buffer_chunks must be less than chunks: links need some";
    if (c->steering.stacks > BK_STEER_BUCKETS) return "steering.stacks must be 0 to 128";
    if (c->steering.index >= u32_max(c->steering.stacks, 1)) return "steering.index must be below steering.stacks";
    if (c->rto_min_ms > c->rto_max_ms) return "rto_min_ms must not exceed rto_max_ms";
    if (c->ephemeral_first == 0 || c->ephemeral_first > c->ephemeral_last)
        return "ephemeral_first must be 1 to ephemeral_last";
    uint64_t records =
        (uint64_t)c->connections + c->requests_ipv4 + c->requests_ipv6 + c->time_waits_ipv4 + c->time_waits_ipv6;
    if (records > CONFIG_RECORDS_MAX) return "connections, requests and time_waits must be below 536,870,910 together";
    return NULL;
}

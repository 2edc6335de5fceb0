/* The tables of a scenario's figures: see scenario_fields.h. */
#include "lab/scenario_fields.h"

#include "base/common.h"

#define FIELD(type, member)                                                                                            \
    { #member, offsetof(struct type, member), sizeof(((struct type *)0)->member), false }
#define WRONG(type, member)                                                                                            \
    { #member, offsetof(struct type, member), sizeof(((struct type *)0)->member), true }
#define CHANGE(way, n)                                                                                                 \
    FIELD(scenario_host, way.change[n].at_us), FIELD(scenario_host, way.change[n].mtu),                                \
        FIELD(scenario_host, way.change[n].down)
#define WAY(way)                                                                                                       \
    FIELD(scenario_host, way.rate_bps), FIELD(scenario_host, way.queue_bytes), FIELD(scenario_host, way.queue),        \
        FIELD(scenario_host, way.ecn), FIELD(scenario_host, way.delay_us), WRONG(scenario_host, way.jitter_us),        \
        WRONG(scenario_host, way.loss_ppm), WRONG(scenario_host, way.burst_begin_ppm),                                 \
        FIELD(scenario_host, way.burst_end_ppm), FIELD(scenario_host, way.burst_loss_ppm),                             \
        WRONG(scenario_host, way.kth[0]), WRONG(scenario_host, way.kth[1]), WRONG(scenario_host, way.kth[2]),          \
        WRONG(scenario_host, way.kth[3]), WRONG(scenario_host, way.duplicate_ppm),                                     \
        WRONG(scenario_host, way.reorder_ppm), FIELD(scenario_host, way.reorder_us),                                   \
        WRONG(scenario_host, way.corrupt_ppm), WRONG(scenario_host, way.mark_ppm), FIELD(scenario_host, way.mtu),      \
        CHANGE(way, 0), CHANGE(way, 1), CHANGE(way, 2), CHANGE(way, 3)
#define CONFIG(member) FIELD(scenario_host, config.member)

static const struct scenario_field fields_world[] = {
    FIELD(scenario, seed),    FIELD(scenario, epoch_ms),    FIELD(scenario, hosts),       FIELD(scenario, flows),
    FIELD(scenario, family),  FIELD(scenario, routed),      FIELD(scenario, ethernet),    FIELD(scenario, black_hole),
    FIELD(scenario, calm_us), FIELD(scenario, patience_us), FIELD(scenario, audit_every),
};

static const struct scenario_field fields_host[] = {
    FIELD(scenario_host, mtu),
    WRONG(scenario_host, crash_us),
    FIELD(scenario_host, return_us),
    WRONG(scenario_host, jump_us),
    WRONG(scenario_host, jump_ms),
    FIELD(scenario_host, jump_back),
    WRONG(scenario_host, faults.refuse_ppm),
    FIELD(scenario_host, faults.refuse_us),
    WRONG(scenario_host, faults.partial_ppm),
    WRONG(scenario_host, faults.hold_ppm),
    WRONG(scenario_host, faults.starve_ppm),
    WRONG(scenario_host, faults.late_ppm),
    FIELD(scenario_host, faults.late_us),
    WRONG(scenario_host, faults.keep_ppm),
    FIELD(scenario_host, faults.keep_us),
    WRONG(scenario_host, faults.deaf_ppm),
    WRONG(scenario_host, faults.single_ppm),
    WRONG(scenario_host, faults.back_ppm),
    FIELD(scenario_host, faults.back_us),
    WRONG(scenario_host, faults.batch),
    FIELD(scenario_host, faults.batch_us),
    FIELD(scenario_host, faults.queue),
    WRONG(scenario_host, faults.parts_ppm),
    WRONG(scenario_host, faults.pad_ppm),
    WRONG(scenario_host, faults.merge_ppm),
    FIELD(scenario_host, offload),
    FIELD(scenario_host, unit_max),
    WAY(up),
    WAY(down),
    CONFIG(connections),
    CONFIG(active_connections),
    CONFIG(listeners),
    CONFIG(requests_ipv4),
    CONFIG(requests_ipv6),
    CONFIG(time_waits_ipv4),
    CONFIG(time_waits_ipv6),
    CONFIG(neighbours),
    CONFIG(paths),
    CONFIG(port_maps),
    CONFIG(frames),
    CONFIG(chunk_size),
    CONFIG(chunks),
    CONFIG(buffer_chunks),
    CONFIG(sent_records),
    CONFIG(send_buffer),
    CONFIG(send_buffer_max),
    CONFIG(unsent_low),
    CONFIG(receive_buffer),
    CONFIG(receive_buffer_max),
    CONFIG(msl_ms),
    CONFIG(rto_initial_ms),
    CONFIG(rto_min_ms),
    CONFIG(rto_max_ms),
    CONFIG(delayed_ack_ms),
    CONFIG(delayed_ack_max_ms),
    CONFIG(quick_acks),
    CONFIG(ack_compress_us),
    CONFIG(ack_compress_max),
    CONFIG(syn_retries),
    CONFIG(syn_linear_timeouts),
    CONFIG(syn_ack_retries),
    CONFIG(retries2),
    CONFIG(orphan_retries),
    CONFIG(orphan_ms),
    CONFIG(fin_wait_2_ms),
    CONFIG(keepalive_idle_s),
    CONFIG(keepalive_interval_s),
    CONFIG(keepalive_probes),
    CONFIG(reordering),
    CONFIG(reordering_max),
    CONFIG(ecn),
    CONFIG(time_wait_reuse),
    CONFIG(orphans_max),
    CONFIG(congestion),
    CONFIG(mtu_probing),
    CONFIG(base_mss),
    CONFIG(mtu_probe_floor),
    CONFIG(mtu_probe_interval_s),
    CONFIG(mtu_probe_threshold),
    CONFIG(path_mtu_expiry_s),
    CONFIG(pacing_ss_ratio),
    CONFIG(pacing_ca_ratio),
    CONFIG(min_tso_segments),
    CONFIG(challenge_ack_ms),
    CONFIG(ephemeral_first),
    CONFIG(ephemeral_last),
    CONFIG(timestamps),
    CONFIG(window_scaling),
    CONFIG(sack),
    CONFIG(tail_loss_probe),
    CONFIG(frto),
    CONFIG(dsack),
    CONFIG(syn_cookies),
    CONFIG(ecn_fallback),
    CONFIG(hystart),
    CONFIG(pacing),
    CONFIG(slow_start_after_idle),
    CONFIG(reset_on_unread),
    CONFIG(receive_coalescing),
};

static const struct scenario_field fields_flow[] = {
    FIELD(scenario_flow, kind),
    FIELD(scenario_flow, client),
    FIELD(scenario_flow, server),
    FIELD(scenario_flow, closer),
    FIELD(scenario_flow, connections),
    FIELD(scenario_flow, start_us),
    FIELD(scenario_flow, spacing_us),
    FIELD(scenario_flow, up),
    FIELD(scenario_flow, down),
    FIELD(scenario_flow, rounds),
    FIELD(scenario_flow, pause_us),
    FIELD(scenario_flow, read_bytes),
    FIELD(scenario_flow, act_us),
    FIELD(scenario_flow, backlog),
    FIELD(scenario_flow, accept_us),
    FIELD(scenario_flow, accept_most),
    FIELD(scenario_flow, resize),
    FIELD(scenario_flow, early),
    FIELD(scenario_flow, user_timeout_ms),
    FIELD(scenario_flow, nodelay),
    FIELD(scenario_flow, quickack),
    FIELD(scenario_flow, urgent),
    FIELD(scenario_flow, by_reference),
    FIELD(scenario_flow, more),
    FIELD(scenario_flow, same_port),
    FIELD(scenario_flow, write_bytes),
};

const struct scenario_fields scenario_fields_world = {fields_world, BK_COUNT(fields_world)};
const struct scenario_fields scenario_fields_host = {fields_host, BK_COUNT(fields_host)};
const struct scenario_fields scenario_fields_flow = {fields_flow, BK_COUNT(fields_flow)};

uint64_t scenario_field_get(const void *object, const struct scenario_field *f) {
    const uint8_t *at = (const uint8_t *)object + f->offset;
    uint64_t v8;
    uint32_t v4;
    uint16_t v2;
    switch (f->size) {
    case 8:
        memcpy(&v8, at, 8);
        return v8;
    case 4:
        memcpy(&v4, at, 4);
        return v4;
    case 2:
        memcpy(&v2, at, 2);
        return v2;
    default:
        return *at;
    }
}

void scenario_field_set(void *object, const struct scenario_field *f, uint64_t value) {
    uint8_t *at = (uint8_t *)object + f->offset;
    uint32_t v4 = (uint32_t)value;
    uint16_t v2 = (uint16_t)value;
    switch (f->size) {
    case 8:
        memcpy(at, &value, 8);
        return;
    case 4:
        memcpy(at, &v4, 4);
        return;
    case 2:
        memcpy(at, &v2, 2);
        return;
    default:
        *at = (uint8_t)value;
    }
}

uint64_t scenario_field_max(const struct scenario_field *f) {
    return f->size == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * f->size) - 1;
}

/* The counters of the Beckon side, as one flat JSON object on one line: a script finds "name": value with sed.
 * Reasons that were never given are left out. */
#define _GNU_SOURCE
#include "peer.h"

#include <inttypes.h>
#include <stdio.h>

static void report_pools(const bk_stack *stack) {
    for (int pool = 0; pool < BK_POOLS; pool++) {
        struct bk_pool_info info;
        bk_pool_info(stack, (enum bk_pool)pool, &info);
        const char *name = bk_pool_name((enum bk_pool)pool);
        printf(", \"pool.%s.in_use\": %" PRIu32 ", \"pool.%s.high_water\": %" PRIu32 ", \"pool.%s.capacity\": %" PRIu32
               ", \"pool.%s.object_size\": %" PRIu32,
               name, info.in_use, name, info.high_water, name, info.capacity, name, info.object_size);
    }
}

static void report_mib(const bk_stack *stack) {
    struct bk_tcp_mib m;
    bk_tcp_mib(stack, &m);
    printf(", \"mib.active_opens\": %" PRIu64 ", \"mib.passive_opens\": %" PRIu64 ", \"mib.attempt_fails\": %" PRIu64
           ", \"mib.estab_resets\": %" PRIu64 ", \"mib.curr_estab\": %" PRIu64,
           m.active_opens, m.passive_opens, m.attempt_fails, m.estab_resets, m.curr_estab);
    printf(", \"mib.in_segs\": %" PRIu64 ", \"mib.out_segs\": %" PRIu64 ", \"mib.retrans_segs\": %" PRIu64
           ", \"mib.in_errs\": %" PRIu64 ", \"mib.out_rsts\": %" PRIu64,
           m.in_segs, m.out_segs, m.retrans_segs, m.in_errs, m.out_rsts);
}

static void report_link(const struct peer *p) {
    struct bk_link_counters c;
    struct bk_tap_offload o;
    bk_link_counters(p->link, &c);
    bk_tap_offload(p->link, &o);
    printf(", \"link.frames_in\": %" PRIu64 ", \"link.frames_out\": %" PRIu64 ", \"link.bytes_in\": %" PRIu64
           ", \"link.bytes_out\": %" PRIu64 ", \"link.refused\": %" PRIu64 ", \"link.no_chunk\": %" PRIu64,
           c.frames_in, c.frames_out, c.bytes_in, c.bytes_out, c.refused, c.no_chunk);
    printf(", \"offload.units\": %d, \"offload.checksums\": %d, \"offload.merged\": %d, \"offload.refused\": \"%s\"",
           o.units, o.checksums, o.merged, o.refused == NULL ? "" : o.refused);
    for (int direction = 0; p->o.impaired && direction < 2; direction++) {
        const char *way = direction == 0 ? "in" : "out";
        struct bk_impair_counters i;
        bk_impair_counters(p->link, direction, &i);
        printf(", \"impair.%s.passed\": %" PRIu64 ", \"impair.%s.lost\": %" PRIu64
               ", \"impair.%s.duplicated\": %" PRIu64 ", \"impair.%s.reordered\": %" PRIu64
               ", \"impair.%s.corrupted\": %" PRIu64 ", \"impair.%s.overflowed\": %" PRIu64,
               way, i.passed, way, i.lost, way, i.duplicated, way, i.reordered, way, i.corrupted, way, i.overflowed);
    }
}

void peer_report(const struct peer *p, uint64_t now) {
    printf("{\"outcome\": \"%s\", \"opened\": %" PRIu64 ", \"finished\": %" PRIu64 ", \"failed\": %" PRIu64
           ", \"last_error\": \"%s\", \"bytes_sent\": %" PRIu64 ", \"bytes_received\": %" PRIu64
           ", \"milliseconds\": %" PRIu64,
           p->outcome == NULL ? "running" : p->outcome, p->opened, p->finished, p->failed,
           peer_error_name(p->last_error), p->bytes_sent, p->bytes_received, (now - p->started) / 1000000);
    printf(", \"region_size\": %zu, \"used_extent\": %zu, \"used_extent_warm\": %zu", p->region_size,
           bk_used_extent(p->stack), p->used_extent_warm);
    report_mib(p->stack);
    report_pools(p->stack);
    report_link(p);
    for (uint16_t reason = 0; reason < BK_REASON_COUNT; reason++) {
        uint64_t count = bk_reason_count(p->stack, reason);
        if (count != 0) printf(", \"reason.%s\": %" PRIu64, bk_reason_name(reason), count);
    }
    puts("}");
}

/* Proportional rate reduction: see prr.h. */
#include "tcp/prr.h"

void prr_begin(struct prr *p, uint32_t flight) {
    *p = (struct prr){.flight = u32_max(flight, 1)};
}

uint32_t prr_window(struct prr *p, uint32_t delivered, uint32_t in_flight, uint32_t ssthresh, uint32_t mss, bool safe) {
    p->delivered += delivered;
    uint64_t count;
    if (in_flight > ssthresh) {
        uint64_t due = ((uint64_t)p->delivered * ssthresh + p->flight - 1) / p->flight;
        count = due > p->out ? due - p->out : 0;
    } else {
        count = p->delivered > p->out ? p->delivered - p->out : 0;
        count = u64_max(count, delivered);
        if (safe) count += mss;
        count = u64_min(count, ssthresh - in_flight);
    }
    /* The first retransmission leaves at once, whatever the formula says. */
    if (p->out == 0 && count == 0) count = mss;
    count = (count + mss - 1) / mss * mss;
    return (uint32_t)u64_min(in_flight + count, UINT32_MAX);
}

/* RACK: what was sent long enough before something that has arrived is lost (RFC 8985 6).
 *
 * The newest transmission that is known to have arrived tells how long a round trip takes now (rtt_ns) and what must have arrived before it:
 * all that left earlier. Whatever of that is still missing after a window for reordering (RACK.reo_wnd) is lost, be it sent for the first time or
 * again. Until the window is over a timer waits.
 *
 * The window is nothing while no reordering has been seen and either DupThresh segments were SACKed above, or recovery is under way: so a loss is noticed
 * as early as with three duplicate ACKs. Otherwise it is a quarter of the least RTT, more of them for each round in which the peer reported
 * that a retransmission was for nothing, at most SRTT.
 *
 * What is in flight stands in the scoreboard's list by time of transmission. The oldest is looked at, then the next, until one has
 * time left: so the work is one step for each record that is lost, and one more. (RFC 8985 6.2 sets the timer for the last of those
 * that have time left; here it is set for the first, each is judged by its own time, and a later one costs another round of the timer. RACK.rtt
 * is there that of the last to leave among what an ACK newly covers; here it is that of the last that the ACK is found to cover, the highest
 * number as a rule, which is the longer one where a retransmission is acknowledged with others.)
 */
#ifndef TCP_RACK_H
#define TCP_RACK_H

#include "base/common.h"
#include "base/seq.h"

struct tcp;
struct connection;
struct ack_news;
struct sent_run;

struct rack {
    uint64_t sent_at; /* RACK.xmit_ts; 0: nothing has arrived yet */
    uint64_t rtt_ns;  /* RACK.rtt */
    uint32_t end;     /* RACK.end_seq */
    uint32_t fack;    /* RACK.fack: the highest number delivered, or SND.UNA */
    uint32_t dsack_round;
    uint8_t mult;    /* RACK.reo_wnd_mult */
    uint8_t persist; /* RACK.reo_wnd_persist */
    bool dsack_round_on;
    uint8_t pad;
};

void rack_init(struct rack *r, uint32_t una);
/* RACK_sent_after. */
static inline bool rack_sent_after(uint64_t sent_a, uint32_t end_a, uint64_t sent_b, uint32_t end_b) {
    return sent_a > sent_b || (sent_a == sent_b && seq_gt(end_a, end_b));
}
/* What left at `sent_at` for the last time, and ends at `end`, has arrived (6.2 step 2). */
static inline void rack_update(struct rack *r, uint64_t sent_at, uint32_t end, uint64_t now) {
    r->rtt_ns = now - sent_at;
    if (r->sent_at != 0 && !rack_sent_after(sent_at, end, r->sent_at, r->end)) return;
    r->sent_at = u64_max(sent_at, 1);
    r->end = end;
}
/* The same, of what was sent as `run` says: unless it may have been another copy that arrived. */
void rack_delivered(struct ack_news *n, const struct sent_run *run, uint32_t end);
/* The ACK's marks are all made: reordering that it shows (6.2 step 3), and the window that follows from it (step 4). */
void rack_reordering(struct ack_news *n);
/* Recovery is over (6.2 step 4, reo_wnd_persist). */
void rack_recovered(struct rack *r);
/* Marks what is lost (6.2 step 5). Returns when to look again, BK_NEVER if nothing waits. */
uint64_t rack_detect(struct tcp *t, struct connection *c);
/* The retransmission timer fired: marks what was sent long enough ago (6.3); at least what is at SND.UNA. */
void rack_timeout(struct tcp *t, struct connection *c);
/* RACK.reo_wnd, ns. */
uint64_t rack_window(const struct tcp *t, const struct connection *c);

#endif

/* A connection that sends, for tests of congestion control: in the core, with an active record, and without a wire. What leaves and what is
 * acknowledged is said by the test; the records and queues of data are left out. */
#ifndef UNIT_SENDER_H
#define UNIT_SENDER_H

#include "core.h"

#include "tcp/connection.h"
#include "tcp/rtt.h"

struct sender {
    struct core k;
    struct tcp *t;
    struct connection *c;
    struct congestion *g;
    uint32_t queued; /* behind what leaves */
    uint32_t rtt_us; /* that ACKs tell */
};

/* Established with the initial window; nothing is outstanding. */
struct sender sender_up(enum bk_congestion congestion, uint32_t mss);
void sender_down(struct sender *s);
/* Time passes. */
void sender_pass(struct sender *s, uint64_t us);
/* New data leaves. */
void sender_send(struct sender *s, uint32_t bytes);
/* As much as cwnd lets out, in whole segments. */
void sender_fill(struct sender *s);
/* Sending is stopped by cwnd, whatever is outstanding. */
void sender_limit(struct sender *s);
/* SND.UNA moves, and the controller is told; the second tells only. */
void sender_ack(struct sender *s, uint32_t bytes);
void sender_acked(struct sender *s, uint32_t bytes);
/* A congestion event, from its beginning to its end: cwnd is the new ssthresh. */
void sender_reduce(struct sender *s);
/* The active record goes to another. */
void sender_rest(struct sender *s);

#endif

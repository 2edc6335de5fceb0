/* Tail loss probes (RFC 8985 7): the loss of the last segments of a flight shows by no later one. So, before the RTO would, a probe goes:
 * new data if there is some, or else the last segment again. Its ACK or SACK then tells RACK what is lost; and if the probe was itself what
 * repaired the loss, the congestion window is reduced all the same. One probe is out at a time. */
#ifndef TCP_TAIL_PROBE_H
#define TCP_TAIL_PROBE_H

#include "base/common.h"

struct tcp;
struct connection;
struct ack_news;

/* When the probe timeout (PTO) is, counted from now; BK_NEVER if none is to be sent. */
uint64_t tail_probe_due(const struct tcp *t, const struct connection *c);
/* A probe has left: SND.NXT was moved by it, unless it went `again`. */
void tail_probe_sent(struct tcp *t, struct connection *c, bool again);
/* TLP_process_ack. */
void tail_probe_acked(struct ack_news *n);

#endif

/* An acceptable ACK: what it frees, what it says of the window, and what it tells of loss (RFC 9293 3.10.7.4, fifth). */
#ifndef TCP_ACKNOWLEDGE_H
#define TCP_ACKNOWLEDGE_H

#include "tcp/connection.h"
#include "tcp/segment.h"

/* An ACK that is acceptable by RFC 5961 5.2, in a synchronized state: one that was overtaken may still SACK something. Sets *reason to what
 * it meant. */
void acknowledge(struct tcp *t, struct connection *c, const struct segment *s, uint16_t *reason);

/* Our SYN is acknowledged: data may flow, and the timers that counted its repetitions start anew. */
void acknowledge_syn(struct tcp *t, struct connection *c);

/* SND.WND <- SEG.WND and what goes with it. */
void acknowledge_window(struct connection *c, const struct segment *s);
/* The same in a synchronized state, if the segment is not older than what the window was last taken from. Returns whether the window changed. */
bool acknowledge_window_news(struct tcp *t, struct connection *c, const struct segment *s);

#endif

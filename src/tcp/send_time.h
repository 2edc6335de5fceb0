/* How long a connection had data under way, and what held it back: the peer's window, or its user's small send buffer (RFC 4898's
 * tcpEStatsPerf group has such times; Linux's tcp_info tells them).
 *
 * What holds is looked at when output has nothing (more) to send, and the time is booked when that changes: whole milliseconds to the
 * connection, the rest stays with the next span.
 */
#ifndef TCP_SEND_TIME_H
#define TCP_SEND_TIME_H

#include "base/common.h"

struct tcp;
struct connection;

enum send_limit {
    SEND_IDLE,   /* nothing is queued or outstanding */
    SEND_BUSY,   /* the congestion window, or nothing, holds data back */
    SEND_WINDOW, /* the peer's window does */
    SEND_BUFFER, /* all was sent, the congestion window has room, and the user waits for the buffer */
};

/* In struct active. */
struct send_time {
    uint64_t since; /* the present limit holds */
    uint8_t limit;  /* enum send_limit */
    uint8_t pad[7];
};

/* Microseconds, up to now. */
struct send_times {
    uint64_t busy, window, buffer; /* busy is all that was not idle */
};

/* Output has looked at the connection and sent what may go; or the user waits for the buffer. */
void send_time_note(struct tcp *t, struct connection *c);
struct send_times send_times_of(const struct tcp *t, const struct connection *c);

#endif

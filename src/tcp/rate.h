/* Delivery rate estimation (draft-ietf-ccwg-bbr 4.1, draft-cheng-iccrg-delivery-rate-estimation): how fast data reaches the peer.
 *
 * A connection counts the bytes that are known to be delivered. Each record of what was sent carries a mark: how much had been
 * delivered when it left, when that was, and when the flight that it belongs to began. When the record is delivered, the bytes that
 * arrived since its mark, over the longer of the time that it took to send them and the time that it took to acknowledge them, are a sample of the
 * path's rate: the longer of the two, because neither a burst of sending nor one of ACKs is the path's doing.
 *
 * Around one ACK:
 *     rate_begin, then rate_delivered for each record (or part of one) that the ACK covers, rate_lost for what it shows lost, then rate_take.
 */
#ifndef TCP_RATE_H
#define TCP_RATE_H

#include "base/common.h"

/* Of a connection. Times are ns, amounts bytes. */
struct rate {
    uint64_t delivered;     /* C.delivered */
    uint64_t delivered_at;  /* C.delivered_time */
    uint64_t first_sent_at; /* C.first_send_time: the flight being sampled began to leave then */
    uint64_t lost;          /* C.lost */
    uint64_t app_limited;   /* until so much is delivered, samples show the application's rate; 0: they do not */
    uint64_t latest;        /* the last sample that tells something of the path, bytes a second; 0: none yet */
    bool latest_app_limited;
    uint8_t pad[7];
};

/* Kept with each record of what was sent; a part that is split off keeps a copy. Counts modulo 2^32 are enough: they are looked at within a
 * flight. */
struct rate_mark {
    uint64_t delivered_at, first_sent_at;
    uint32_t delivered, lost;
    uint32_t in_flight; /* P.tx_in_flight: with this record */
    bool app_limited;
    uint8_t pad[3];
};

/* What one ACK says. `delivered` and `interval_ns` belong together. */
struct rate_sample {
    uint64_t rate;            /* bytes a second; 0: no sample */
    uint64_t interval_ns;     /* 0: no sample */
    uint64_t prior_delivered; /* C.delivered when the newest delivered record left */
    uint64_t sent_at;         /* when that was; 0: the ACK delivered nothing */
    uint32_t delivered;       /* bytes delivered over the interval */
    uint32_t in_flight;       /* P.tx_in_flight of that record */
    uint32_t lost;            /* bytes found lost between its leaving and now */
    uint32_t newly_delivered; /* bytes that this ACK delivered */
    uint32_t newly_lost;      /* and that it showed lost */
    bool app_limited;
    bool again; /* the newest delivered record had been sent more than once */
    uint8_t pad[2];
    /* for rate_take: C.lost before the ACK; of the newest record */
    uint64_t lost_before, prior_at, send_elapsed_ns;
    uint32_t prior_lost, end;
};

/* A record of `length` bytes leaves at `now`, first or again; `in_flight` without it. */
void rate_sent(struct rate *r, struct rate_mark *m, uint32_t in_flight, uint32_t length, uint64_t now);
/* The sender has nothing more to send now, although the window would let it: no data, nothing waits for retransmission, and the
 * device has taken all. `in_flight` as of now. */
void rate_app_limit(struct rate *r, uint32_t in_flight);

static inline void rate_begin(const struct rate *r, struct rate_sample *s) {
    *s = (struct rate_sample){.lost_before = r->lost};
}
/* `length` bytes, ending at sequence number `end`, that last left at `sent_at` with this mark, are newly acknowledged (by SACK or SND.UNA). `again`:
 * they had been sent more than once. */
void rate_delivered(struct rate *r, struct rate_sample *s, const struct rate_mark *m, uint64_t sent_at, uint32_t end,
                    uint32_t length, bool again, uint64_t now);
/* `length` bytes are newly believed lost, by an ACK or a timer. */
void rate_lost(struct rate *r, uint32_t length);
/* Completes the sample. An interval below the connection's least RTT cannot be: such a sample says nothing. */
void rate_take(struct rate *r, struct rate_sample *s, uint32_t min_rtt_us);

#endif

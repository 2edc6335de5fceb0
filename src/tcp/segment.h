/* An arriving segment, parsed: RFC 9293's SEG.* with what it came in. Lives on the C stack while it is handled. */
#ifndef TCP_SEGMENT_H
#define TCP_SEGMENT_H

#include "base/seq.h"
#include "tcp/tcp.h"

struct segment {
    struct wire_tcp header;
    struct packet *packet; /* stands at the TCP header */
    struct tuple tuple;    /* local, remote: as this host sees it */
    uint32_t hash;
    uint32_t data_length; /* bytes of text */
    uint32_t length;      /* SEG.LEN: text, and one each for SYN and FIN */
    uint64_t event;       /* position of its trace event, while a trace is kept */
};

static inline bool segment_has(const struct segment *s, uint8_t flags) {
    return (s->header.flags & flags) != 0;
}
/* SEG.SEQ of the first byte of text: SYN comes before it. */
static inline uint32_t segment_data_seq(const struct segment *s) {
    return s->header.seq + (segment_has(s, WIRE_SYN) ? 1 : 0);
}
/* The number after everything in the segment. */
static inline uint32_t segment_end(const struct segment *s) {
    return s->header.seq + s->length;
}

/* Table 6 of RFC 9293 3.10.7.4: whether any of the segment lies in the receive window. */
static inline bool segment_acceptable(const struct segment *s, uint32_t rcv_nxt, uint32_t rcv_wnd) {
    uint32_t seq = s->header.seq;
    if (s->length == 0) return rcv_wnd == 0 ? seq == rcv_nxt : seq_in(seq, rcv_nxt, rcv_wnd);
    if (rcv_wnd == 0) return false;
    return seq_in(seq, rcv_nxt, rcv_wnd) || seq_in(segment_end(s) - 1, rcv_nxt, rcv_wnd);
}

/* A segment of ours that belongs to no connection record: RST for strangers, the segments of requests and TIME-WAITs. */
struct reply {
    const struct tuple *tuple;
    uint32_t hash;
    uint8_t iface;
    uint8_t flags;
    uint16_t window; /* as it goes on the wire */
    uint8_t scale;   /* that the peer will read it with, for the trace */
    uint16_t reason;
    uint8_t state;       /* of the record it comes from */
    uint8_t object_kind; /* enum event_object */
    uint32_t object;
    uint32_t seq, ack;
    uint8_t traffic_class, hop_limit; /* of IP */
    struct wire_tcp_options option;   /* last, for the SACK blocks at its end, which a reply has none of */
};
/* One of which nothing is known yet: all zero. */
static inline void reply_init(struct reply *r) {
    memset(r, 0, offsetof(struct reply, option) + offsetof(struct wire_tcp_options, sack));
}
/* Makes a frame of it and queues that in t->replies. If no frame is free the reply is lost, and counted. */
void reply_send(struct tcp *t, const struct reply *r);
/* RST in answer to a segment that no connection is there for (RFC 9293 3.10.7.1). */
void reply_reset(struct tcp *t, const struct segment *s, uint16_t reason);

/* The handlers of segment_arrives.c's cases. Each returns the segment's reason. */
struct connection;
uint16_t segment_arrives(struct tcp *t, struct connection *c, const struct segment *s);
uint16_t segment_arrives_closed(struct tcp *t, const struct segment *s);
uint16_t segment_arrives_listen(struct tcp *t, const struct segment *s);
/* A SYN for a listener that may open an incarnation whose ISS must be beyond `above` (or any: NULL). */
uint16_t segment_open_request(struct tcp *t, const struct segment *s, const uint32_t *above);

#endif

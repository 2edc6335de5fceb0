/* The scoreboard: what was sent and is not yet acknowledged.
 *
 * Its records, struct sent_run, tile the sequence numbers from SND.UNA (behind our SYN, if that is still unacknowledged) to SND.NXT; each is
 * a run of whole segments, the last of which may be short, that left together: a unit as output made it, or what is left of one. What has
 * no record is our SYN, and a FIN that left alone when no active record could be had: these two have their own flag (control_lost).
 *
 *     in flight          neither SACKed, nor lost and waiting: stands in `by_time`, the last transmitted at the end
 *     lost, waiting      stands in `lost`, by sequence number: the first is the next to be sent again
 *     lost, sent again   in flight again (SENT_LOST and SENT_RESENT)
 *     SACKed             adjacent ones are merged into one
 *
 * What a SACK block covers in part is split, at multiples of the MSS from the record's beginning only: a segment counts as delivered when all
 * of it is covered. So records are never more than segments, each is marked, merged and freed once for each time that it was sent, and each of
 * these steps is O(log n). A peer pays for work with segments of ours.
 *
 * Bounds: a connection with data outstanding has one record for sure; all others come from what config.sent_records allows to all connections
 * together. When that is spent (NOTE_SENT_RECORDS), what is sent joins the newest record, which then tells less (SENT_COARSE: no RTT, no
 * proof of anything), and what a SACK block covers in part is not noted. All of it stays right, only coarser.
 */
#ifndef TCP_SCOREBOARD_H
#define TCP_SCOREBOARD_H

#include "base/list.h"
#include "base/tree.h"
#include "tcp/rate.h"

struct tcp;
struct ack_news;

enum sent_flag {
    SENT_SACKED = 1,
    SENT_LOST = 2,        /* believed lost */
    SENT_RESENT = 4,      /* sent again, and that is in flight */
    SENT_EVER_RESENT = 8, /* was sent more than once: whom an acknowledgment is for is not known (Karn) */
    SENT_FIN = 16,        /* its last number is our FIN */
    SENT_COARSE = 32,     /* parts of it left at other times than sent_at */
    SENT_MTU_PROBE = 128, /* a segment larger than others: its loss is excused, until it is sent again or accused */
    SENT_PROBE = 64,      /* a byte sent to probe a zero window: what follows may join it when it goes again */
};

struct sent_run {
    struct tree_node by_seq, by_loss;
    struct link time_link;
    uint32_t seq, end; /* [seq, end) */
    uint32_t segments;
    uint16_t mss; /* of its segments */
    uint8_t flags;
    uint8_t pad;
    uint64_t sent_at; /* last transmission */
    struct rate_mark mark;
};

struct scoreboard {
    struct tree runs, lost;
    struct list by_time;
    uint32_t records;
    /* Bytes of text (our FIN is none) and segments: all, and those with SENT_SACKED, SENT_LOST, SENT_RESENT. */
    uint32_t bytes, sacked_bytes, lost_bytes, resent_bytes;
    uint32_t segments, sacked, lost_segments, resent;
    uint32_t excused; /* of lost_segments, those of SENT_MTU_PROBE */
    uint32_t lost_total,
        lost_again_total; /* bytes ever marked lost, and those of them that were retransmissions, modulo 2^32 */
    uint32_t visits;      /* records looked at so far: what ACKs cost */
};

#define SENT_TIME_LINK offsetof(struct sent_run, time_link)

struct sent_run *sent_at_id(const struct tcp *t, uint32_t id);
static inline uint32_t sent_text(const struct sent_run *r) {
    return r->end - r->seq - ((r->flags & SENT_FIN) != 0);
}
static inline bool sent_in_flight(uint8_t flags) {
    return !(flags & SENT_SACKED) && (!(flags & SENT_LOST) || (flags & SENT_RESENT));
}

/* Nothing is SACKed, lost, or on its way again. */
static inline bool scoreboard_is_clean(const struct scoreboard *b) {
    return (b->sacked | b->lost_segments | b->resent) == 0;
}

void scoreboard_init(struct scoreboard *b);
/* Whether there is a record for more that is sent; if not, it joins the newest one. */
bool scoreboard_has_room(const struct tcp *t, const struct scoreboard *b);
/* Frees all records. */
void scoreboard_clear(struct tcp *t, struct scoreboard *b);
/* [seq, seq + length) and our FIN behind it were sent, for the first time, in segments of `mss`. Returns the record. */
uint32_t scoreboard_append(struct tcp *t, struct scoreboard *b, uint32_t seq, uint32_t length, bool fin, uint16_t mss);
/* The first part of record `id`, up to `end`, was sent again, in segments of `mss`. Returns the record of that part. */
uint32_t scoreboard_resend(struct tcp *t, struct scoreboard *b, uint32_t id, uint32_t end, uint16_t mss);
/* The last record, SENT_PROBE, was sent again with what follows it, up to `end`. */
void scoreboard_extend(struct tcp *t, struct scoreboard *b, uint32_t id, uint32_t end, bool fin);
/* The record that holds the first segment, and that with the last, of that segment alone, as far as there are records for the rest. */
uint32_t scoreboard_first_segment(struct tcp *t, struct scoreboard *b);
uint32_t scoreboard_last_segment(struct tcp *t, struct scoreboard *b);
/* Everything before `ack` is acknowledged. */
void scoreboard_acked(struct tcp *t, struct scoreboard *b, uint32_t ack, struct ack_news *n);
/* The same, of the first record alone, `id`, which begins before `ack`. Returns how many of its segments are acknowledged. */
uint32_t scoreboard_acked_front(struct tcp *t, struct scoreboard *b, uint32_t id, uint32_t ack);
/* [left, right) is SACKed; left is at or behind the first record's beginning. */
void scoreboard_sacked(struct tcp *t, struct scoreboard *b, uint32_t left, uint32_t right, struct ack_news *n);
/* What is in flight of record `id` is lost. */
void scoreboard_lose(struct tcp *t, struct scoreboard *b, uint32_t id);
/* All that is not SACKed is lost. */
void scoreboard_lose_all(struct tcp *t, struct scoreboard *b);
/* The originals of what is lost are in flight after all: of up to `most` records that wait, and of those that went again, as far as they are among
 * the `most` that left last. The others stay as they are. */
void scoreboard_find_again(struct tcp *t, struct scoreboard *b, uint32_t most);
/* The loss of record `id` counts as that of others. */
void scoreboard_accuse(struct tcp *t, struct scoreboard *b, uint32_t id);
/* The peer has taken back what it SACKed (RFC 2018 8). */
void scoreboard_renege(struct tcp *t, struct scoreboard *b);

/* The record at SND.UNA; the next that waits to be sent again; the newest. BK_NONE: none. */
uint32_t scoreboard_first(const struct tcp *t, const struct scoreboard *b);
uint32_t scoreboard_next_lost(const struct tcp *t, const struct scoreboard *b);
uint32_t scoreboard_newest(const struct tcp *t, const struct scoreboard *b);
/* The record that holds `seq`, which is outstanding. */
uint32_t scoreboard_find(const struct tcp *t, const struct scoreboard *b, uint32_t seq);

#endif

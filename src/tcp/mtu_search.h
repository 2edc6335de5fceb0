/* Packetization layer path MTU discovery (RFC 4821, RFC 8899): the path's MTU is found by trying, without a word from routers.
 *
 * A probe is a segment larger than the others, made of data that is queued anyway. If it arrives, segments become as large. If it
 * alone is lost, this is no sign of congestion (RFC 4821 7.6.2): its data goes again in smaller segments, and after three such losses (RFC 8899 5.1.2,
 * MAX_PROBES) its size counts as too large. If more is lost, nothing is learned, and recovery is as always.
 *
 * Sizes are those of IP packets. They are searched between `low`, which works, and `high`, which does or is not known to, by
 * halves; at last `high` itself, if nothing speaks against it. When the two are mtu_probe_threshold apart, the search rests for
 * mtu_probe_interval_s.
 *
 * bk_config.mtu_probing says when: never (0); where a black hole is suspected (1); from the beginning, with base_mss (2). A black hole is
 * suspected when a full segment times out for the third time: then segments shrink to base_mss, and if that does not help, to
 * half and half again, down to mtu_probe_floor, in IPv6 to what 1,280 holds (RFC 8200 5). What was found is known to all connections to the
 * destination (path_cache.h).
 *
 * A probe leaves only where its loss would be noticed without a timeout and cost nothing else: nothing is missing, and queue, window and cwnd have
 * room for enough segments behind it (RFC 4821 7.4).
 */
#ifndef TCP_MTU_SEARCH_H
#define TCP_MTU_SEARCH_H

#include "base/common.h"

struct tcp;
struct connection;
struct ack_news;
struct sent_run;

/* In struct active. */
struct mtu_search {
    uint16_t low, high; /* 0: not begun */
    uint16_t size;      /* of the probe whose fate is not known; 0: none */
    uint8_t losses;     /* of probes of one size */
    bool on;
    uint32_t seq;     /* of the probe */
    uint16_t ceiling; /* that `high` began with */
    uint16_t pad;
    uint64_t due; /* a search that has ended begins again then; 0: it has not */
};

/* The active record is new. */
void mtu_search_init(const struct tcp *t, const struct connection *c, struct mtu_search *m);
/* What bounds the search may have changed: then it begins anew. */
void mtu_search_bounds(const struct tcp *t, const struct connection *c, struct mtu_search *m);
/* The search is begun, or begun again, if that is due. */
void mtu_search_look(struct tcp *t, struct connection *c);
/* The payload of a probe that should leave now, 0 if none. *wait: it should leave as soon as cwnd has room, and nothing new before it. */
uint32_t mtu_search_probe(const struct tcp *t, const struct connection *c, uint32_t pipe, bool *wait);
/* A probe of so much payload has left, and has record `id` to itself. */
void mtu_search_sent(struct tcp *t, struct connection *c, uint32_t id, uint32_t length);
/* All that is lost has been marked. If that is the probe alone, it is judged, and excused (scoreboard.h): a loss that reduces nothing. */
void mtu_search_judge(struct tcp *t, struct connection *c);
/* The ACK has been dealt with. */
void mtu_search_acked(const struct ack_news *n);
/* A router says that the packet at `seq`, larger than those of usual segments, is too big for `mtu`. Returns whether that was the probe. */
bool mtu_search_claimed(struct tcp *t, struct connection *c, uint32_t seq, uint32_t mtu);
/* The retransmission timer fired: a black hole may be why. */
void mtu_search_timeout(struct tcp *t, struct connection *c);

#endif

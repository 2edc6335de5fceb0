/* Path MTU of a connection: how large its packets may be.
 *
 * Its bound is the least of its interface's MTU and of what is known of the destination (path_cache.h). A new connection begins with that; an
 * open one learns of changes when it is next asked what to send (tcp.path_epoch).
 *
 * A router's claim that something was too big is cheap to forge for someone who guesses a number in flight, and would make all connections to
 * that destination slow. So a claim about a size that the peer has already acknowledged a packet of is held back until the segment that it
 * names has timed out, and forgotten when that is acknowledged (RFC 5927 7.2). Sizes that have not been proven yet are given up at once,
 * so discovery at a connection's beginning, where it belongs, costs no time. No claim counts for less than a floor.
 */
#ifndef TCP_PATH_MTU_H
#define TCP_PATH_MTU_H

#include "base/common.h"

struct tcp;
struct connection;

/* In struct active: which sizes arrive. */
struct path_proof {
    uint32_t end;       /* of the segment whose acknowledgment proves `watched` */
    uint32_t claim_seq; /* the segment that a claim names which is held back */
    uint16_t watched;   /* size of its packet; 0: none is watched */
    uint16_t proven;    /* the largest packet that arrived; 0: none yet */
    uint16_t claim;     /* 0: none is held back */
    uint16_t pad;
};

/* The MTU that the MSS which we offer to `remote` is for: the link's, or what the user knows; what routers say counts for the other direction
 * only (RFC 9293 3.7.1). */
uint32_t path_mtu_offered(const struct tcp *t, uint32_t iface, const bk_addr *remote);
/* The peer's MSS option is known, or what stands for it: Eff.snd.MSS follows. */
void path_mtu_begin(struct tcp *t, struct connection *c, uint32_t peer_mss);
/* Whether what is heard and found of the path counts for it. */
bool path_mtu_heeds(const struct connection *c);
/* Size of the packet of a segment with so much payload. */
uint32_t path_mtu_packet(const struct connection *c, uint32_t payload);
/* What may be sent to the destination as far as anybody says: what was found by trying does not count. */
uint32_t path_mtu_limit(const struct tcp *t, const struct connection *c);
/* Trying says that packets of this size pass, or that larger ones do not. */
void path_mtu_found(struct tcp *t, struct connection *c, uint32_t mtu);
/* Whether routers may fragment its packets. */
bool path_mtu_fragments(const struct connection *c);
/* The MSS follows what is known now. */
void path_mtu_refresh(struct tcp *t, struct connection *c);
/* The same, if something may have changed. */
void path_mtu_look(struct tcp *t, struct connection *c);

/* A router says that the segment at `seq`, which is outstanding, is too big for `mtu`. Returns what became of the claim. */
uint16_t path_mtu_claimed(struct tcp *t, struct connection *c, uint32_t seq, uint32_t mtu);
/* Text was sent, [seq, seq + length), for the first time or again. */
void path_mtu_sent(struct tcp *t, struct connection *c, uint32_t seq, uint32_t length);
/* SND.UNA has moved. */
void path_mtu_acked(struct tcp *t, struct connection *c);
/* The retransmission timer fired. */
void path_mtu_timeout(struct tcp *t, struct connection *c);

#endif

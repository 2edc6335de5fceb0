/* ICMP errors about our segments (RFC 9293 3.9.2.2), believed only as far as RFC 5927 advises: the quoted sequence number
 * must be outstanding, and a connection that is established is never aborted. */
#include "tcp/connection.h"
#include "tcp/lookup.h"
#include "tcp/recovery.h"

#define MTU_FLOOR_IPV4 552u  /* below it a claim is not believed (RFC 5927 7.2; Linux's min_pmtu) */
#define MTU_FLOOR_IPV6 1280u /* RFC 8200 5 */

/* A smaller MTU on the path: smaller segments, and what was too big goes again at once (RFC 1191 6.4). */
static void shrink_mss(struct tcp *t, struct connection *c, uint32_t mtu) {
    uint32_t floor_mtu = connection_is_ipv6(c) ? MTU_FLOOR_IPV6 : MTU_FLOOR_IPV4;
    uint32_t before = c->mss;
    uint32_t peer_mss = before + (c->timestamps ? TCP_TIMESTAMP_BYTES : 0);
    connection_set_mss(c, peer_mss, u32_max(mtu, floor_mtu));
    if (c->mss >= before) {
        c->mss = (uint16_t)before;
        return;
    }
    recovery_repeat(t, c, BK_REASON_SEND_SMALLER);
}

uint16_t tcp_icmp_error(struct tcp *t, enum tcp_icmp_kind kind, int error, const bk_addr *local, uint16_t local_port,
                        const bk_addr *remote, uint16_t remote_port, uint32_t seq, uint32_t mtu) {
    struct tuple tuple = {*local, *remote, local_port, remote_port};
    demux_ref ref = lookup_tuple(t, &tuple, demux_hash(&t->base, &tuple));
    if (ref == DEMUX_NONE || demux_ref_kind(ref) != DEMUX_CONNECTION) return BK_REASON_DROP_ICMP_UNRELATED;
    struct connection *c = connection_at(t, demux_ref_id(ref));
    if (!seq_in(seq, c->snd_una, connection_outstanding(c))) return BK_REASON_DROP_ICMP_UNRELATED;
    switch (kind) {
    case TCP_ICMP_TOO_BIG:
        if (c->state >= BK_ESTABLISHED) {
            shrink_mss(t, c, mtu);
            connection_touch(t, c);
        }
        break;
    case TCP_ICMP_HARD:
        if (c->state == BK_SYN_SENT) {
            connection_end(t, c, error, BK_REASON_ACCEPT_ICMP_ERROR);
            break;
        }
        c->soft_error = (int16_t)error;
        break;
    case TCP_ICMP_SOFT:
        c->soft_error = (int16_t)error;
        break;
    }
    return BK_REASON_ACCEPT_ICMP_ERROR;
}

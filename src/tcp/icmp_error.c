/* ICMP errors about our segments (RFC 9293 3.9.2.2), believed only as far as RFC 5927 advises: the quoted sequence number
 * must be outstanding, and a connection that is established is never aborted. */
#include "tcp/connection.h"
#include "tcp/lookup.h"

uint16_t tcp_icmp_error(struct tcp *t, enum tcp_icmp_kind kind, int error, const bk_addr *local, uint16_t local_port,
                        const bk_addr *remote, uint16_t remote_port, uint32_t seq, uint32_t mtu) {
    struct tuple tuple = {*local, *remote, local_port, remote_port};
    demux_ref ref = lookup_tuple(t, &tuple, demux_hash(&t->base, &tuple));
    if (ref == DEMUX_NONE || demux_ref_kind(ref) != DEMUX_CONNECTION) return BK_REASON_DROP_ICMP_UNRELATED;
    struct connection *c = connection_at(t, demux_ref_id(ref));
    if (!seq_in(seq, c->snd_una, connection_outstanding(c))) return BK_REASON_DROP_ICMP_UNRELATED;
    switch (kind) {
    case TCP_ICMP_TOO_BIG:
        return path_mtu_claimed(t, c, seq, mtu);
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

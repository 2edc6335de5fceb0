/* ICMP errors about our segments (RFC 9293 3.9.2.2), believed only as far as RFC 5927 advises: the quoted sequence number
 * must be outstanding, and a connection that is established is never aborted.
 *
 * A user who asks for it (BK_NEWS_ERRORS) is told of each one that was believed. They wait in a ring for the whole stack, since they are rare
 * and are fetched as soon as what arrived has been taken in; so no connection's record has to have room for them. */
#include "tcp/connection.h"
#include "tcp/lookup.h"

/* Keeps it for the user. */
static void keep(struct tcp *t, const struct connection *c, const struct tcp_icmp *what, uint32_t seq) {
    if (!(c->news & BK_NEWS_ERRORS)) return;
    if (t->error_count == TCP_ERRORS) {
        reason_count(&t->base, BK_REASON_NOTE_ERRORS_FULL);
        return;
    }
    struct tcp_error *e = &t->error[(t->error_first + t->error_count++) % TCP_ERRORS];
    *e = (struct tcp_error){
        .conn = {c->self, c->generation},
        .offender = what->offender,
        .error = what->error,
        .seq = seq,
        .info = what->mtu,
        .type = what->type,
        .code = what->code,
        .hard = what->kind == TCP_ICMP_HARD && c->state == BK_SYN_SENT,
    };
}

uint16_t tcp_icmp_error(struct tcp *t, const struct tcp_icmp *what, const struct tuple *tuple, uint32_t seq) {
    demux_ref ref = lookup_tuple(t, tuple, demux_hash(&t->base, tuple));
    if (ref == DEMUX_NONE || demux_ref_kind(ref) != DEMUX_CONNECTION) return BK_REASON_DROP_ICMP_UNRELATED;
    struct connection *c = connection_at(t, demux_ref_id(ref));
    if (!seq_in(seq, c->snd_una, connection_outstanding(c))) return BK_REASON_DROP_ICMP_UNRELATED;
    if (what->kind == TCP_ICMP_TOO_BIG) {
        uint16_t reason = path_mtu_claimed(t, c, seq, what->mtu);
        if (reason != BK_REASON_DROP_ICMP_NOT_LESS) keep(t, c, what, seq);
        return reason;
    }
    keep(t, c, what, seq);
    if (what->kind == TCP_ICMP_HARD && c->state == BK_SYN_SENT)
        connection_end(t, c, what->error, BK_REASON_ACCEPT_ICMP_ERROR);
    else
        c->soft_error = (int16_t)what->error;
    return BK_REASON_ACCEPT_ICMP_ERROR;
}

size_t tcp_errors(struct tcp *t, struct bk_tcp_error *errors, size_t n) {
    size_t i = 0;
    while (i < n && t->error_count != 0) {
        const struct tcp_error *e = &t->error[t->error_first];
        t->error_first = (t->error_first + 1) % TCP_ERRORS;
        t->error_count--;
        const struct connection *c = connection_of(t, e->conn);
        if (c == NULL) continue; /* its user has let go of it meanwhile */
        errors[i++] = (struct bk_tcp_error){
            .conn = e->conn,
            .user = c->user,
            .offender = e->offender,
            .error = e->error,
            .seq = e->seq,
            .info = e->info,
            .type = e->type,
            .code = e->code,
            .hard = e->hard,
        };
    }
    return i;
}

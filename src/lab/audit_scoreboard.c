/* The audit of a scoreboard: see audit_scoreboard.h. */
#include "lab/audit_scoreboard.h"

static bool audit_run(const struct tcp *t, const struct sent_run *r, const struct scoreboard *b, struct fault *fault) {
    FAULT_UNLESS(seq_lt(r->seq, r->end), "a record of what was sent holds nothing");
    FAULT_UNLESS(r->segments != 0 && r->mss != 0, "a record of what was sent holds no segment");
    FAULT_UNLESS(!(r->flags & SENT_SACKED) || !(r->flags & (SENT_LOST | SENT_RESENT)),
                 "what is SACKed counts as lost, or as sent again");
    FAULT_UNLESS(sent_in_flight(r->flags) == link_in(&r->time_link), "a record in flight does not stand in its list");
    uint32_t segments = u32_max((sent_text(r) + r->mss - 1) / r->mss, 1);
    FAULT_UNLESS((r->flags & SENT_SACKED) || r->segments == segments, "a record of %u segments says %u", segments,
                 r->segments);
    FAULT_UNLESS(r->sent_at <= t->base.now, "something was sent later than now");
    FAULT_UNLESS(b->by_time.count <= b->records, "more records are in flight than there are");
    return true;
}

/* The records in their order: they tile [from, to), and SACKed neighbours are one. Sums them up. */
static bool audit_runs(const struct tcp *t, const struct scoreboard *b, uint32_t from, uint32_t to,
                       struct scoreboard *sum, struct fault *fault) {
    struct tree_of of = {&t->base, &t->sent, offsetof(struct sent_run, by_seq), offsetof(struct sent_run, seq)};
    bool sacked = false;
    uint32_t at = from;
    for (uint32_t id = tree_first(&of, &b->runs); id != BK_NONE; id = tree_next(&of, id)) {
        const struct sent_run *r = sent_at_id(t, id);
        FAULT_UNLESS(sum->records++ < b->records, "there are more records of what was sent than are counted");
        FAULT_UNLESS(r->seq == at, "records of what was sent leave a gap, or overlap, at %u bytes", at - from);
        if (!audit_run(t, r, b, fault)) return false;
        FAULT_UNLESS(!sacked || !(r->flags & SENT_SACKED), "neighbours that are SACKed are not one");
        FAULT_UNLESS(!(r->flags & SENT_FIN) || r->end == to, "a FIN is not the last that was sent");
        sacked = (r->flags & SENT_SACKED) != 0;
        at = r->end;
        sum->bytes += sent_text(r);
        sum->segments += r->segments;
        sum->sacked_bytes += sacked ? sent_text(r) : 0;
        sum->sacked += sacked ? r->segments : 0;
        sum->lost_bytes += r->flags & SENT_LOST ? sent_text(r) : 0;
        sum->lost_segments += r->flags & SENT_LOST ? r->segments : 0;
        sum->excused += (r->flags & SENT_LOST) && (r->flags & SENT_MTU_PROBE) ? r->segments : 0;
        sum->resent_bytes += r->flags & SENT_RESENT ? sent_text(r) : 0;
        sum->resent += r->flags & SENT_RESENT ? r->segments : 0;
        sum->by_time.count += sent_in_flight(r->flags);
    }
    FAULT_UNLESS(sum->records == b->records, "%u records of what was sent, and %u are counted", sum->records,
                 b->records);
    FAULT_UNLESS(sum->records == 0 || at == to, "records end %u bytes before SND.NXT", to - at);
    return true;
}

/* What waits to be sent again, by its tree. */
static bool audit_waiting(const struct tcp *t, const struct scoreboard *b, struct fault *fault) {
    struct tree_of of = {&t->base, &t->sent, offsetof(struct sent_run, by_loss), offsetof(struct sent_run, seq)};
    uint32_t bytes = 0, count = 0;
    for (uint32_t id = tree_first(&of, &b->lost); id != BK_NONE; id = tree_next(&of, id)) {
        const struct sent_run *r = sent_at_id(t, id);
        FAULT_UNLESS(count++ < b->records, "the tree of what is lost goes in a circle");
        FAULT_UNLESS((r->flags & SENT_LOST) && !(r->flags & SENT_RESENT), "what is not lost waits to be sent again");
        bytes += sent_text(r);
    }
    uint32_t again = 0;
    for (uint32_t id = b->by_time.head; id != BK_NONE; id = sent_at_id(t, id)->time_link.next) {
        FAULT_UNLESS(count++ < 2 * b->records, "the list of what is in flight goes in a circle");
        if (sent_at_id(t, id)->flags & SENT_LOST) again += sent_text(sent_at_id(t, id));
    }
    FAULT_UNLESS(bytes + again == b->lost_bytes, "%u bytes are lost, and %u of them wait or are on their way again",
                 b->lost_bytes, bytes + again);
    return true;
}

bool audit_scoreboard(const struct tcp *t, const struct connection *c, struct fault *fault) {
    const struct active *a = active_of(t, c);
    if (a == NULL) {
        FAULT_UNLESS(c->recovery == RECOVERY_OPEN, "there is no record of what was sent, and it is being recovered");
        return true;
    }
    const struct scoreboard *b = &a->board;
    struct scoreboard sum = {0};
    uint32_t from = c->syn_acked ? c->snd_una : c->iss + 1;
    if (!audit_runs(t, b, from, c->snd_nxt, &sum, fault) || !audit_waiting(t, b, fault)) return false;
    FAULT_UNLESS(c->detached || b->records != 0 || !seq_lt(from, seq_min(c->snd_nxt, c->snd_end)),
                 "text is outstanding and there is no record of it");
    FAULT_UNLESS(sum.bytes == b->bytes && sum.segments == b->segments && sum.sacked_bytes == b->sacked_bytes &&
                     sum.sacked == b->sacked && sum.lost_bytes == b->lost_bytes &&
                     sum.lost_segments == b->lost_segments && sum.resent_bytes == b->resent_bytes &&
                     sum.resent == b->resent && sum.excused == b->excused && sum.by_time.count == b->by_time.count,
                 "the sums of what was sent are wrong");
    FAULT_UNLESS(b->records != 0 || c->recovery < RECOVERY_CWR || c->detached,
                 "nothing is outstanding, and it is being recovered");
    FAULT_UNLESS(c->sack || b->sacked == 0, "something is SACKed on a connection without SACK");
    return true;
}

/* Packets of a script: those that it sends, and those that it expects. */
#include "lab/script_runner.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/common.h"
#include "lab/script_match.h"
#include "link/pcapng.h"
#include "wire/tcp.h"

#define SCRIPT_TEXT 512u

/* ---- inbound --------------------------------------------------------------------------------------- */

/* Hands a frame to the stack. One that is longer than --mss came merged from segments of that size. */
static void script_hand_in(struct script_run *r, size_t length, uint32_t payload) {
    uint32_t chunk;
    if (r->pcap != NULL) {
        const struct iovec iov = {.iov_base = r->frame, .iov_len = length};
        pcapng_write(r->pcap, r->now, &iov, 1, PCAPNG_IN, NULL);
    }
    if (r->choice.mss == 0 || payload <= r->choice.mss || length > r->settings.stack.chunk_size ||
        bk_chunk_alloc(r->stack, &chunk, 1) != 1) {
        bk_input_copy(r->stack, r->iface, r->frame, length, r->now);
        return;
    }
    memcpy(bk_chunk_data(r->stack, chunk), r->frame, length);
    const struct bk_part part = {.chunk = chunk, .offset = 0, .length = (uint16_t)length};
    struct bk_rx rx = {
        .parts = &part, .part_count = 1, .flags = BK_RX_CHECKSUM_VALID, .gso_size = (uint16_t)r->choice.mss};
    bk_input(r->stack, r->iface, &rx, 1, r->now);
}

/* Whoever calls while a socket listens, or while there is no socket at all, becomes the connection under test. */
static struct script_peer *script_caller(struct script_run *r, const struct script_packet *p) {
    if (r->test != NULL && r->test->state != SCRIPT_PEER_LISTENS) return r->test;
    struct script_peer *peer = script_peer_new(r);
    if (peer == NULL) return NULL;
    peer->state = SCRIPT_PEER_CALLED;
    peer->tuple = (struct script_tuple){.local = r->local,
                                        .remote = r->remote,
                                        .local_port = SCRIPT_PORT,
                                        .remote_port = (uint16_t)(SCRIPT_CALLER + r->peer_count)};
    peer->known = true;
    peer->remote_isn = p->seq;
    return peer;
}

static bool script_send_icmp(struct script_run *r, const struct script_packet *p) {
    const char *why = NULL;
    if (r->test == NULL) return script_fail(r, "there is no connection that this packet could belong to");
    size_t n = script_wire_icmp(r->frame, &r->test->tuple, p, p->icmp.seq + r->test->local_isn, &why);
    if (n == 0) return script_fail(r, "%s: %s", p->icmp.type, why);
    script_hand_in(r, n, 0);
    return script_settle(r);
}

static bool script_send(struct script_run *r, const struct script_packet *p) {
    if (p->is_icmp) return script_send_icmp(r, p);
    struct script_peer *peer = script_caller(r, p);
    if (peer == NULL) return script_fail(r, "more than %u connections", SCRIPT_PEERS);
    struct script_packet live = *p;
    script_peer_sends(peer, p);
    if (!script_peer_to_wire(peer, &live, r->choice.echo_scaled))
        return script_fail(r, "the stack has sent no segment that the script gives this timestamp's echo to");
    size_t n = script_wire_segment(r->frame, &peer->tuple, &live);
    if (n == 0) return script_fail(r, "this packet is longer than IP allows");
    script_hand_in(r, n, p->length);
    return script_settle(r);
}

/* ---- outbound -------------------------------------------------------------------------------------- */

static void script_tell_packet(struct script_run *r, const char *what, const char *time, const struct script_packet *p,
                               const char *more) {
    char text[SCRIPT_TEXT];
    script_tell(r, "  %-8s %s > %s%s", what, time, script_packet_text(p, text, sizeof text), more);
}

static void script_tell_expected(struct script_run *r, const struct script_event *e, uint64_t base) {
    char time[64] = "       *  ";
    if (e->time.kind != SCRIPT_ANY && e->time.range)
        snprintf(time, sizeof time, "%10.6f~%.6f", script_clock(r, base + e->time.from),
                 script_clock(r, base + e->time.to));
    else if (e->time.kind != SCRIPT_ANY)
        snprintf(time, sizeof time, "%10.6f", script_clock(r, base + e->time.from));
    script_tell_packet(r, "expected", time, e->packet, "");
}

static void script_tell_sent(struct script_run *r, const struct script_event *e, const struct script_seen *s) {
    char time[32], why[BK_REASON_COMMENT + 16];
    struct script_packet p = s->packet;
    if (e->packet->tos_check == SCRIPT_TOS_ANY) p.tos_check = SCRIPT_TOS_ANY;
    snprintf(time, sizeof time, "%10.6f", script_clock(r, s->time));
    snprintf(why, sizeof why, "    (%s)", bk_reason_words(s->reason));
    script_tell_packet(r, "sent", time, &p, why);
}

/* Takes the next frame of the connection under test, waiting for it until `limit`; what others send is passed over. */
static bool script_next(struct script_run *r, const struct script_event *e, uint64_t limit, struct script_seen *out) {
    for (;;) {
        while (r->seen_first < r->seen_count) {
            *out = r->seen[r->seen_first++];
            if (!script_peer_takes(r->test, out, e->packet)) continue;
            script_peer_to_script(r->test, &out->packet);
            return true;
        }
        uint64_t due = script_due(r);
        if (r->failed || due == BK_NEVER || due > limit) return false;
        uint64_t before = r->now;
        if (!script_pass(r, due > r->now ? due : r->now)) return false;
        if (r->now == before && r->seen_first == r->seen_count && script_due(r) == due) return false;
    }
}

/* Joins to `whole` what follows it, up to the length that is expected. */
static bool script_join(struct script_run *r, const struct script_event *e, uint64_t limit, struct script_seen *whole) {
    struct script_seen next;
    char why[120];
    uint32_t each = whole->packet.length, wanted = e->packet->length;
    if (r->choice.strict_segments) return true;
    while (whole->packet.length < wanted && whole->packet.length > 0) {
        if (!script_next(r, e, limit, &next)) return r->failed ? false : true;
        bool last = whole->packet.length + next.packet.length >= wanted;
        if (!script_match_continues(&whole->packet, &next.packet, why, sizeof why) ||
            (!last && next.packet.length != each)) {
            r->seen_first--;
            return true; /* what there is, is compared as it is */
        }
        uint32_t seq = whole->packet.seq, length = whole->packet.length + next.packet.length;
        uint16_t cwr = whole->packet.flags & WIRE_CWR;
        next.zeroes = next.zeroes && whole->zeroes;
        *whole = next;
        whole->packet.seq = seq;
        whole->packet.length = length;
        whole->packet.flags = (uint16_t)((whole->packet.flags & ~WIRE_CWR) | cwr);
    }
    return true;
}

static bool script_missing(struct script_run *r, const struct script_event *e, uint64_t base) {
    if (r->failed) return false;
    script_fail(r, "nothing was sent");
    script_tell_expected(r, e, base);
    return false;
}

static bool script_expect(struct script_run *r, const struct script_event *e, uint64_t base) {
    /* Long enough to see when it is sent, if it is sent late. */
    const uint64_t patience = e->time.kind == SCRIPT_ANY ? 600 * NS_PER_S : 60 * NS_PER_S;
    struct script_seen s;
    char why[200];
    if (r->test == NULL) return script_fail(r, "there is no connection that this packet could belong to");
    script_peer_expect(r->test, e->packet);
    uint64_t limit = base + e->time.to + patience;
    if (!script_next(r, e, limit, &s)) return script_missing(r, e, base);
    if (!script_join(r, e, limit, &s)) return false;
    script_peer_timestamp(r->test, e->packet, &s.packet);
    uint64_t tolerance = r->choice.tolerance;
    const struct script_match m = {.timestamp_tick = r->choice.timestamp_tick, .tolerance = tolerance};
    bool good = script_match(&m, e->packet, &s.packet, why, sizeof why);
    if (!good)
        script_fail(r, "%s", why);
    else if (!s.zeroes)
        good = script_fail(r, "the payload is not zeroes");
    else
        good = script_in_time(r, &e->time, base, s.time, "outbound packet");
    if (good) return true;
    script_tell_expected(r, e, base);
    script_tell_sent(r, e, &s);
    return false;
}

bool script_run_packet(struct script_run *r, const struct script_event *e, uint64_t base) {
    if (!e->packet->inbound) return script_expect(r, e, base);
    return script_send(r, e->packet);
}

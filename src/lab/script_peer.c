/* See script_peer.h. */
#include "lab/script_peer.h"

#include <stdlib.h>

#include "base/common.h"
#include "wire/tcp.h"

static bool script_is_syn(const struct script_packet *p) {
    return (p->flags & WIRE_SYN) != 0;
}

static bool script_is_syn_ack(const struct script_packet *p) {
    return (p->flags & (WIRE_SYN | WIRE_ACK)) == (WIRE_SYN | WIRE_ACK);
}

/* What is added to a number of the script's. In segments with SYN numbers are absolute; elsewhere they count from the SYN. */
static uint32_t script_local_offset(const struct script_peer *p, bool syn) {
    return syn ? p->local_isn - p->local_isn_script : p->local_isn;
}

static uint32_t script_remote_offset(const struct script_peer *p, bool syn) {
    return syn ? 0 : p->remote_isn;
}

static void script_move_sack(struct script_packet *p, uint32_t offset) {
    uint8_t *sack = script_option_find(p, SCRIPT_KIND_SACK);
    if (sack == NULL) return;
    for (uint8_t at = 2; at + 4 <= sack[1]; at = (uint8_t)(at + 4)) put_be32(sack + at, get_be32(sack + at) + offset);
}

/* ---- what the stack sends -------------------------------------------------------------------------- */

void script_peer_expect(struct script_peer *p, const struct script_packet *expected) {
    if (expected->is_icmp || !script_is_syn(expected)) return;
    bool opens = (expected->flags & WIRE_ACK) == 0;
    if (p->state == SCRIPT_PEER_CONNECTS && opens) p->state = SCRIPT_PEER_SYN_SENT;
    if ((p->state == SCRIPT_PEER_SYN_SENT && opens && !p->known) || (p->state == SCRIPT_PEER_CALLED && !opens))
        p->local_isn_script = expected->seq;
}

static bool script_tuple_equal(const struct script_tuple *a, const struct script_tuple *b) {
    return a->local_port == b->local_port && a->remote_port == b->remote_port && bk_addr_equal(&a->local, &b->local) &&
           bk_addr_equal(&a->remote, &b->remote);
}

bool script_peer_takes(struct script_peer *p, const struct script_seen *seen, const struct script_packet *expected) {
    if (!seen->tcp) return false;
    if (p->known && script_tuple_equal(&p->tuple, &seen->tuple)) {
        if (p->state == SCRIPT_PEER_CALLED && script_is_syn_ack(expected)) {
            p->state = SCRIPT_PEER_ANSWERED;
            p->local_isn = seen->packet.seq;
        }
        return true;
    }
    bool opens = p->state == SCRIPT_PEER_SYN_SENT && (seen->packet.flags & (WIRE_SYN | WIRE_ACK)) == WIRE_SYN &&
                 bk_addr_equal(&seen->tuple.remote, &p->tuple.remote) &&
                 seen->tuple.remote_port == p->tuple.remote_port;
    if (!opens) return false;
    p->tuple = seen->tuple;
    p->known = true;
    p->local_isn = seen->packet.seq;
    return true;
}

void script_peer_to_script(const struct script_peer *p, struct script_packet *packet) {
    bool syn = script_is_syn(packet);
    packet->seq -= script_local_offset(p, syn);
    uint32_t offset = script_remote_offset(p, syn);
    if (packet->flags & WIRE_ACK) packet->ack -= offset;
    script_move_sack(packet, -offset);
}

static void script_timestamp_note(struct script_peer *p, uint32_t script, uint32_t live) {
    for (size_t i = 0; i < p->timestamp_count; i++)
        if (p->timestamp[i].script == script) {
            p->timestamp[i].live = live;
            return;
        }
    if (p->timestamp_count == p->timestamp_room) {
        size_t room = 2 * p->timestamp_room + 16;
        struct script_timestamp *more = realloc(p->timestamp, room * sizeof *more);
        if (more == NULL) abort();
        p->timestamp = more;
        p->timestamp_room = room;
    }
    p->timestamp[p->timestamp_count++] = (struct script_timestamp){script, live};
}

void script_peer_timestamp(struct script_peer *p, const struct script_packet *expected, struct script_packet *actual) {
    struct script_packet wanted = *expected;
    const uint8_t *want = script_option_find(&wanted, SCRIPT_KIND_TS);
    uint8_t *have = script_option_find(actual, SCRIPT_KIND_TS);
    if (want == NULL || have == NULL || want[1] != 10 || have[1] != 10) return;
    uint32_t script = get_be32(want + 2), live = get_be32(have + 2);
    script_timestamp_note(p, script, live);
    if (!p->timestamps) {
        p->timestamps = true;
        p->first_script = script;
        p->first_live = live;
    }
    put_be32(have + 2, p->first_script + (live - p->first_live));
}

/* ---- what the script sends ------------------------------------------------------------------------- */

void script_peer_sends(struct script_peer *p, const struct script_packet *packet) {
    if (p->state == SCRIPT_PEER_ANSWERED && (packet->flags & WIRE_ACK) != 0) p->state = SCRIPT_PEER_ACCEPTABLE;
    if (p->state == SCRIPT_PEER_SYN_SENT && script_is_syn_ack(packet)) {
        p->state = SCRIPT_PEER_SYN_ANSWERED;
        p->remote_isn = packet->seq;
    }
}

static bool script_echo(const struct script_peer *p, struct script_packet *packet, bool scaled) {
    uint8_t *o = script_option_find(packet, SCRIPT_KIND_TS);
    if (o == NULL || o[1] != 10 || (packet->flags & WIRE_ACK) == 0) return true;
    uint32_t echo = get_be32(o + 6);
    for (size_t i = 0; i < p->timestamp_count; i++)
        if (p->timestamp[i].script == echo) {
            put_be32(o + 6, p->timestamp[i].live);
            return true;
        }
    put_be32(o + 6, echo - p->first_script + p->first_live);
    return scaled && p->timestamps;
}

bool script_peer_to_wire(const struct script_peer *p, struct script_packet *packet, bool scaled) {
    bool syn = script_is_syn(packet);
    packet->seq += script_remote_offset(p, syn);
    uint32_t offset = script_local_offset(p, syn);
    if (packet->flags & WIRE_ACK) packet->ack += offset;
    script_move_sack(packet, offset);
    return script_echo(p, packet, scaled);
}

/* The network of an exploration: segments under way, whose numbers they bear, and the watch over both directions. */
#include "base/checksum.h"
#include "lab/explore_machine.h"
#include "wire/ip.h"

#define IP_LENGTH WIRE_IPV4_LENGTH

uint32_t explore_flight_parse(const uint8_t *bytes, size_t length, struct wire_tcp *h) {
    uint16_t reason = wire_tcp_parse(bytes + IP_LENGTH, length - IP_LENGTH, h);
    BK_ASSERT(reason == BK_REASON_NONE, "the network carries what a stack has sent");
    return (uint32_t)(length - IP_LENGTH - h->header_length);
}

/* Numbers that lie in the first 64 KiB of an incarnation are its own; the youngest counts, where two are as near. */
static bool near_iss(uint32_t number, uint32_t iss) {
    return number - iss <= UINT16_MAX;
}

uint8_t explore_incarnation_of(const struct explore_state *s, unsigned from, const struct wire_tcp *h) {
    for (unsigned k = s->opens; k-- > 0;) {
        const struct explore_incarnation *i = &s->incarnation[k];
        if (i->opened[from] && near_iss(h->seq, i->iss[from])) return (uint8_t)k;
        if (i->opened[!from] && (h->flags & WIRE_ACK) && near_iss(h->ack, i->iss[!from])) return (uint8_t)k;
    }
    return EXPLORE_NOBODY;
}

void explore_network_put(struct explore_machine *m, unsigned from, const uint8_t *bytes, size_t length,
                         uint8_t incarnation, bool held) {
    struct explore_state *s = &m->state;
    if (s->flights == EXPLORE_FLIGHTS) {
        fault_note(&m->fault, "the world is too small: more than %u segments under way", EXPLORE_FLIGHTS);
        return;
    }
    struct explore_flight *f = &s->flight[s->flights++];
    memset(f, 0, sizeof *f);
    f->sent = s->clock[from];
    f->from = (uint8_t)from;
    f->held = held;
    f->incarnation = incarnation;
    f->length = (uint8_t)length;
    memcpy(f->bytes, bytes, length);
}

void explore_network_remove(struct explore_machine *m, unsigned i) {
    struct explore_state *s = &m->state;
    memmove(&s->flight[i], &s->flight[i + 1], (s->flights - i - 1u) * sizeof s->flight[0]);
    s->flights--;
}

/* The flaw of a handshake in two steps: whoever answers a SYN takes the answer for acknowledged. */
static void complete_two_way(struct explore_machine *m, const uint8_t *syn_ack, const struct wire_tcp *h) {
    uint8_t bytes[IP_LENGTH + WIRE_TCP_LENGTH];
    struct wire_tcp ack = {.src_port = h->dst_port,
                           .dst_port = h->src_port,
                           .seq = h->ack,
                           .ack = h->seq + 1,
                           .flags = WIRE_ACK,
                           .window = UINT16_MAX};
    struct wire_ipv4 ip;
    wire_ipv4_parse(syn_ack, IP_LENGTH + h->header_length, IP_LENGTH + h->header_length, &ip);
    bk_addr src = ip.dst, dst = ip.src;
    ip.src = src;
    ip.dst = dst;
    ip.total_length = sizeof bytes;
    wire_ipv4_emit(bytes, &ip);
    wire_tcp_emit(bytes + IP_LENGTH, &ack);
    uint64_t sum = checksum_pseudo(&src, &dst, WIRE_TCP, WIRE_TCP_LENGTH);
    put_be16(bytes + IP_LENGTH + 16, checksum_finish(checksum_add(sum, bytes + IP_LENGTH, WIRE_TCP_LENGTH)));
    bk_input_copy(m->side[1].stack, 0, bytes, sizeof bytes, m->state.clock[1]);
}

static void sent(struct explore_machine *m, unsigned from, const uint8_t *bytes, size_t length, uint16_t reason) {
    struct wire_tcp h;
    struct explore_state *s = &m->state;
    uint32_t data = explore_flight_parse(bytes, length, &h);
    uint8_t incarnation = explore_incarnation_of(s, from, &h);
    if (m->listener != NULL && m->listener->frame != NULL)
        m->listener->frame(m->listener->context, from, bytes, length, reason, false);
    if (incarnation != EXPLORE_NOBODY) watch_sent(&s->watch[incarnation], from, &h, data, reason, &m->fault);
    explore_network_put(m, from, bytes, length, incarnation, false);
    if (m->world->flaw == EXPLORE_TWO_WAY && from == 1 && (h.flags & (WIRE_SYN | WIRE_ACK)) == (WIRE_SYN | WIRE_ACK))
        complete_two_way(m, bytes, &h);
}

void explore_network_collect(struct explore_machine *m, unsigned side) {
    bk_stack *stack = m->side[side].stack;
    struct bk_tx unit;
    uint8_t bytes[576];
    while (bk_output(stack, 0, &unit, 1, m->state.clock[side]) != 0) {
        for (uint32_t i = 0; i < bk_tx_count(&unit); i++) {
            size_t length = bk_tx_write(stack, &unit, i, bytes, sizeof bytes);
            if (length == 0 || length > EXPLORE_BYTES)
                fault_note(&m->fault, "the world is too small: a packet of %zu bytes", length);
            else
                sent(m, side, bytes, length, unit.reason);
        }
        bk_output_done(stack, &unit.id, 1);
    }
}

void explore_network_arrive(struct explore_machine *m, unsigned i) {
    struct explore_state *s = &m->state;
    struct explore_flight f = s->flight[i];
    struct wire_tcp h;
    unsigned to = !f.from;
    explore_network_remove(m, i);
    uint32_t data = explore_flight_parse(f.bytes, f.length, &h);
    if (f.incarnation != EXPLORE_NOBODY) watch_arrived(&s->watch[f.incarnation], to, &h, data);
    uint16_t reason = bk_input_copy(m->side[to].stack, 0, f.bytes, f.length, s->clock[to]);
    if (m->listener != NULL && m->listener->frame != NULL)
        m->listener->frame(m->listener->context, f.from, f.bytes, f.length, reason, true);
    if (reason == BK_REASON_NO_CHUNK || bk_reason_count(m->side[to].stack, BK_REASON_NOTE_REPLY_LOST) != 0)
        fault_note(&m->fault, "the world is too small: no chunk or no frame");
}

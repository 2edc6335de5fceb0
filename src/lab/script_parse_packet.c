/* Packets:
 *
 *     < [ect0] P. 1:1001(1000) ack 1 win 257 urg 5 <nop,nop,TS val 100 ecr 0,sack 1:2 3:4>
 *     < icmp unreachable frag_needed mtu 800 [0:1000(1000)]
 *
 * Options are kept as the bytes that they are on the wire, with the script's own numbers in them. */
#include "lab/script_parse.h"

#include <stdio.h>
#include <string.h>

#include "base/common.h"
#include "wire/tcp.h"

uint32_t script_parse_number(struct script_lexer *l, const char *what, uint32_t high) {
    const struct script_token *t = script_look(l);
    if (t->kind != SCRIPT_TOKEN_INTEGER && t->kind != SCRIPT_TOKEN_HEX) {
        script_expected(l, what);
        return 0;
    }
    struct script_token number = script_take(l);
    if (number.integer < 0 || number.integer > (int64_t)high)
        script_fail_at(l, &number, "expected %s from 0 to %u, not %.*s", what, high, (int)number.length, number.text);
    return (uint32_t)number.integer;
}

void script_parse_range(struct script_lexer *l, uint32_t *seq, uint32_t *length) {
    const struct script_token begin = *script_look(l);
    *seq = script_parse_number(l, "a sequence number", UINT32_MAX);
    if (!script_take_sign(l, ':')) script_expected(l, "':' and the sequence number where the segment ends");
    uint32_t end = script_parse_number(l, "the sequence number where the segment ends", UINT32_MAX);
    if (!script_take_sign(l, '(')) script_expected(l, "'(' and the length of the payload");
    *length = script_parse_number(l, "the length of the payload", UINT16_MAX);
    if (!script_take_sign(l, ')')) script_expected(l, "')'");
    if (end != *seq + *length)
        script_fail_at(l, &begin, "%u:%u is not %u bytes: expected %u:%u(%u)", *seq, end, *length, *seq, *seq + *length,
                       *length);
}

/* ---- the IP header --------------------------------------------------------------------------------- */

static void script_tos(struct script_lexer *l, struct script_packet *p) {
    static const char *const ecn[] = {"noecn", "ect1", "ect0", "ce"};
    for (uint8_t i = 0; i < 4; i++) {
        if (!script_take_word(l, ecn[i])) continue;
        p->tos_check = SCRIPT_TOS_ECN;
        p->tos = i;
        return;
    }
    if (script_take_word(l, "ect01")) {
        p->tos_check = SCRIPT_TOS_ECT01;
        if (p->inbound) script_expected(l, "an inbound packet's own bits: [ect01] is for outbound packets");
    } else if (script_take_word(l, "tos")) {
        p->tos_check = SCRIPT_TOS_BYTE;
        p->tos = (uint8_t)script_parse_number(l, "a TOS byte", UINT8_MAX);
    } else
        script_expected(l, "noecn, ect0, ect1, ect01, ce or tos");
}

static void script_ip_info(struct script_lexer *l, struct script_packet *p) {
    char open = script_look_sign(l);
    if (open != '[' && open != '(') return;
    script_take(l);
    script_tos(l, p);
    if (!script_take_sign(l, open == '[' ? ']' : ')')) script_expected(l, open == '[' ? "']'" : "')'");
}

/* ---- flags ----------------------------------------------------------------------------------------- */

/* A digit is the AccECN counter field: the bits AE, CWR and ECE together. '-' alone: no flags. */
static void script_flags(struct script_lexer *l, struct script_packet *p, const struct script_token *t) {
    static const struct {
        char letter;
        uint16_t flag;
    } letters[] = {{'F', WIRE_FIN}, {'S', WIRE_SYN}, {'R', WIRE_RST}, {'P', WIRE_PSH}, {'.', WIRE_ACK},
                   {'U', WIRE_URG}, {'E', WIRE_ECE}, {'W', WIRE_CWR}, {'A', SCRIPT_AE}};
    if (t->length == 1 && t->text[0] == '-') return;
    for (size_t i = 0; i < t->length; i++) {
        char c = t->text[i];
        size_t k = 0;
        while (k < BK_COUNT(letters) && letters[k].letter != c) k++;
        if (k < BK_COUNT(letters))
            p->flags |= letters[k].flag;
        else if (c >= '0' && c <= '7') {
            p->ace = true;
            p->flags |= (uint16_t)((c & 4 ? SCRIPT_AE : 0) | (c & 2 ? WIRE_CWR : 0) | (c & 1 ? WIRE_ECE : 0));
        } else {
            script_fail_at(l, t, "expected TCP flags (F S R P . U E W A, or a digit 0 to 7, or '-'), not '%.*s'",
                           (int)t->length, t->text);
            return;
        }
    }
    if (t->length == 0) script_expected(l, "TCP flags, '[' or icmp");
}

/* ---- ICMP ------------------------------------------------------------------------------------------ */

static const char *script_icmp_name(struct script_lexer *l) {
    struct script_token t = script_take(l);
    return script_arena_text(l->arena, t.text, t.length);
}

static void script_icmp(struct script_lexer *l, struct script_packet *p) {
    p->is_icmp = true;
    p->icmp.mtu = -1;
    if (script_look(l)->kind != SCRIPT_TOKEN_WORD) script_expected(l, "an ICMP type");
    p->icmp.type = script_icmp_name(l);
    if (script_look(l)->kind == SCRIPT_TOKEN_WORD && !(script_look(l)->length == 3 && script_look(l)->text[0] == 'm'))
        p->icmp.code = script_icmp_name(l);
    if (script_take_word(l, "mtu")) p->icmp.mtu = script_parse_number(l, "an MTU", UINT16_MAX);
    if (!script_take_sign(l, '[')) return;
    p->icmp.echoed = true;
    script_parse_range(l, &p->icmp.seq, &p->icmp.length);
    if (!script_take_sign(l, ']')) script_expected(l, "']'");
}

/* ---- segments -------------------------------------------------------------------------------------- */

static void script_segment(struct script_lexer *l, struct script_packet *p) {
    script_parse_range(l, &p->seq, &p->length);
    if (script_take_word(l, "ack")) p->ack = script_parse_number(l, "an acknowledgment number", UINT32_MAX);
    p->window = -1;
    if (script_take_word(l, "win")) p->window = (int32_t)script_parse_number(l, "a window", UINT16_MAX);
    if (script_take_word(l, "urg")) p->urgent = (uint16_t)script_parse_number(l, "an urgent pointer", UINT16_MAX);
    const struct script_token at = *script_look(l);
    if (script_take_sign(l, '<')) script_parse_options(l, p);
    if (p->any_options && p->inbound) script_fail_at(l, &at, "expected options: <...> is for outbound packets");
    if (p->option_length % 4 != 0)
        script_fail_at(l, &at, "the options have %u bytes: expected a multiple of 4 (nop fills up)", p->option_length);
}

struct script_packet *script_parse_packet(struct script_lexer *l, bool inbound) {
    struct script_packet *p = script_arena_take(l->arena, sizeof *p);
    p->inbound = inbound;
    script_ip_info(l, p);
    struct script_token t = script_take_flags(l);
    if (t.length == 4 && memcmp(t.text, "icmp", 4) == 0) {
        script_icmp(l, p);
    } else {
        script_flags(l, p, &t);
        script_segment(l, p);
    }
    return p;
}

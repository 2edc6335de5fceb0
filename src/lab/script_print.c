/* Packets as text, in the notation that scripts have for them. */
#include "lab/script_wire.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/common.h"
#include "wire/tcp.h"

struct script_text {
    char *at;
    size_t left;
};

__attribute__((format(printf, 2, 3))) static void script_put(struct script_text *t, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->at, t->left, format, args);
    va_end(args);
    size_t taken = n < 0 ? 0 : (size_t)n < t->left ? (size_t)n : t->left - (t->left > 0);
    t->at += taken;
    t->left -= taken;
}

static const struct script_option_word {
    uint8_t kind;
    const char *word;
} script_option_words[] = {{0, "eol"}, {1, "nop"},  {2, "mss"}, {3, "wscale"}, {4, "sackOK"}, {5, "sack"},
                           {8, "TS"},  {19, "md5"}, {34, "FO"}, {172, "ECN"},  {174, "ECN"},  {254, "FOEXP"}};

const char *script_option_name(uint8_t kind) {
    for (size_t i = 0; i < BK_COUNT(script_option_words); i++)
        if (script_option_words[i].kind == kind) return script_option_words[i].word;
    return NULL;
}

static void script_put_counters(struct script_text *t, const uint8_t *o, uint8_t n) {
    static const char *const order[2][3] = {{"e0b", "ceb", "e1b"}, {"e1b", "ceb", "e0b"}};
    for (uint8_t i = 0; i < 3 && 5 + 3 * i <= n; i++) {
        const uint8_t *c = o + 2 + 3 * i;
        script_put(t, " %s %u", order[o[0] == 174][i], (unsigned)c[0] << 16 | (unsigned)c[1] << 8 | c[2]);
    }
}

static void script_put_option(struct script_text *t, const uint8_t *o, uint8_t n) {
    const char *name = script_option_name(o[0]);
    uint8_t from = o[0] == 254 ? 4 : 2;
    if (name == NULL)
        script_put(t, "kind %u", o[0]);
    else
        script_put(t, "%s", name);
    if (o[0] == 2 && n == 4)
        script_put(t, " %u", get_be16(o + 2));
    else if (o[0] == 3 && n == 3)
        script_put(t, " %u", o[2]);
    else if (o[0] == 8 && n == 10)
        script_put(t, " val %" PRIu32 " ecr %" PRIu32, get_be32(o + 2), get_be32(o + 6));
    else if (o[0] == 5)
        for (uint8_t i = 2; i + 8 <= n; i = (uint8_t)(i + 8))
            script_put(t, " %" PRIu32 ":%" PRIu32, get_be32(o + i), get_be32(o + i + 4));
    else if (o[0] == 172 || o[0] == 174)
        script_put_counters(t, o, n);
    else if (n > from) {
        script_put(t, " ");
        for (uint8_t i = from; i < n; i++) script_put(t, "%02x", o[i]);
    }
}

static void script_put_options(struct script_text *t, const struct script_packet *p) {
    if (p->any_options) script_put(t, " <...>");
    if (p->any_options || p->option_length == 0) return;
    uint8_t n;
    for (size_t at = 0; (n = script_option_length(p->option + at, p->option_length - at)) != 0; at += n) {
        script_put(t, at == 0 ? " <" : ",");
        script_put_option(t, p->option + at, n);
    }
    script_put(t, ">");
}

static void script_put_flags(struct script_text *t, const struct script_packet *p) {
    static const struct {
        char letter;
        uint16_t flag;
    } letters[] = {{'F', WIRE_FIN}, {'S', WIRE_SYN}, {'R', WIRE_RST},  {'P', WIRE_PSH}, {'U', WIRE_URG},
                   {'E', WIRE_ECE}, {'W', WIRE_CWR}, {'A', SCRIPT_AE}, {'.', WIRE_ACK}};
    uint16_t ecn = WIRE_ECE | WIRE_CWR | SCRIPT_AE;
    if (p->flags == 0 && !p->ace) script_put(t, "-");
    for (size_t i = 0; i < BK_COUNT(letters); i++)
        if ((p->flags & letters[i].flag) != 0 && !(p->ace && (letters[i].flag & ecn) != 0))
            script_put(t, "%c", letters[i].letter);
    if (p->ace)
        script_put(t, "%d",
                   (p->flags & SCRIPT_AE ? 4 : 0) | (p->flags & WIRE_CWR ? 2 : 0) | (p->flags & WIRE_ECE ? 1 : 0));
}

static void script_put_icmp(struct script_text *t, const struct script_icmp *m) {
    script_put(t, "icmp %s", m->type);
    if (m->code != NULL) script_put(t, " %s", m->code);
    if (m->mtu >= 0) script_put(t, " mtu %" PRId64, m->mtu);
    if (m->echoed) script_put(t, " [%" PRIu32 ":%" PRIu32 "(%" PRIu32 ")]", m->seq, m->seq + m->length, m->length);
}

char *script_packet_text(const struct script_packet *p, char *text, size_t size) {
    static const char *const ecn[] = {"noecn", "ect1", "ect0", "ce"};
    struct script_text t = {text, size};
    if (size > 0) text[0] = '\0';
    if (p->tos_check == SCRIPT_TOS_ECT01) script_put(&t, "[ect01] ");
    if (p->tos_check == SCRIPT_TOS_ECN || (p->tos_check == SCRIPT_TOS_BYTE && p->tos < 4))
        script_put(&t, "[%s] ", ecn[p->tos & 3]);
    else if (p->tos_check == SCRIPT_TOS_BYTE)
        script_put(&t, "[tos 0x%02x] ", p->tos);
    if (p->is_icmp) {
        script_put_icmp(&t, &p->icmp);
        return text;
    }
    script_put_flags(&t, p);
    script_put(&t, " %" PRIu32 ":%" PRIu32 "(%" PRIu32 ")", p->seq, p->seq + p->length, p->length);
    if (p->flags & WIRE_ACK) script_put(&t, " ack %" PRIu32, p->ack);
    if (p->window >= 0) script_put(&t, " win %" PRId32, p->window);
    if (p->urgent != 0) script_put(&t, " urg %u", p->urgent);
    script_put_options(&t, p);
    return text;
}

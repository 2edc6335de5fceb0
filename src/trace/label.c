/* The words of a ladder diagram. */
#include "trace/label.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/common.h"

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

/* ---- relative numbers ------------------------------------------------------------------------------ */

/* A SYN says where its sender begins. Without one the first number seen is taken for the first octet, so that
 * a connection caught in the middle begins at 1 like any other. */
void label_base_learn(struct label_base *base, const struct bk_event *e, int sender, bool trusted) {
    if (e->tcp_flags & SYN && (trusted || !base->known[sender])) {
        base->isn[sender] = e->seq;
        base->known[sender] = true;
    } else if (!base->known[sender] && !(e->tcp_flags & RST)) {
        base->isn[sender] = e->seq - 1;
        base->known[sender] = true;
    }
    if (e->tcp_flags & ACK && !base->known[!sender] && !(e->tcp_flags & RST)) {
        base->isn[!sender] = e->ack - 1;
        base->known[!sender] = true;
    }
}

/* A number from before the base (a stranger's, an old incarnation's) is negative. */
static void label_number(char out[LABEL_ITEM], const char *name, uint32_t number, const struct label_base *base,
                         int whose) {
    uint32_t relative = number - base->isn[whose];
    if (!base->known[whose])
        snprintf(out, LABEL_ITEM, "%s %" PRIu32, name, number);
    else if (relative >= 0xc0000000u)
        snprintf(out, LABEL_ITEM, "%s \xe2\x88\x92%" PRIu32, name, 0 - relative);
    else
        snprintf(out, LABEL_ITEM, "%s %" PRIu32, name, relative);
}

/* ---- segments -------------------------------------------------------------------------------------- */

static void label_flags(char out[LABEL_ITEM], uint8_t flags) {
    static const struct {
        uint8_t bit;
        const char *name;
    } names[] = {{2, "SYN"}, {1, "FIN"}, {4, "RST"}, {8, "PSH"}, {16, "ACK"}, {32, "URG"}, {64, "ECE"}, {128, "CWR"}};
    size_t used = 0;
    for (size_t i = 0; i < BK_COUNT(names); i++)
        if (flags & names[i].bit)
            used += (size_t)snprintf(out + used, LABEL_ITEM - used, "%s%s", used ? "," : "", names[i].name);
    if (!used) snprintf(out, LABEL_ITEM, "no flags");
}

void label_segment(struct label *l, const struct bk_event *e, const struct label_base *base, int sender,
                   bool absolute_isn) {
    l->count = 0;
    label_flags(l->item[l->count++], e->tcp_flags);
    label_number(l->item[l->count++], "seq", e->seq, base, sender);
    if (e->tcp_flags & SYN && absolute_isn) {
        size_t used = strlen(l->item[1]);
        snprintf(l->item[1] + used, LABEL_ITEM - used, " (%" PRIu32 ")", e->seq);
    }
    if (e->tcp_flags & ACK) label_number(l->item[l->count++], "ack", e->ack, base, !sender);
    if (e->len) snprintf(l->item[l->count++], LABEL_ITEM, "len %" PRIu32, e->len);
    if (!(e->tcp_flags & RST)) snprintf(l->item[l->count++], LABEL_ITEM, "win %" PRIu32, e->wnd);
    if (e->tcp_flags & SYN && e->mss) snprintf(l->item[l->count++], LABEL_ITEM, "mss %u", e->mss);
    if (e->tcp_flags & SYN && e->wscale != 255) snprintf(l->item[l->count++], LABEL_ITEM, "wscale %u", e->wscale);
}

void label_join(const struct label *l, uint32_t *next, uint32_t columns, char out[LABEL_LINE]) {
    size_t used = 0;
    out[0] = 0;
    for (uint32_t width = 0; *next < l->count; ++*next) {
        uint32_t more = text_width(l->item[*next]) + (used ? 2 : 0);
        if (used && width + more > columns) break;
        used += (size_t)snprintf(out + used, LABEL_LINE - used, "%s%s", used ? "  " : "", l->item[*next]);
        width += more;
    }
}

/* ---- calls and what is heard ----------------------------------------------------------------------- */

static const char *label_error(int32_t error) {
    const char *name = text_error_name(error);
    return name ? name : "error";
}

/* `len` is the call's size or result, which is a count, or a negative errno. */
static void label_call(const struct bk_event *e, char out[LABEL_LINE]) {
    static const char *const names[] = {"call",    "listen",   "connect", "accept", "send",
                                        "receive", "shutdown", "close",   "abort",  "unlisten"};
    const char *name = names[e->call < BK_COUNT(names) ? e->call : 0];
    int32_t result = (int32_t)e->len;
    bool counts = e->call == BK_CALL_SEND || e->call == BK_CALL_RECEIVE;
    if (result < 0)
        snprintf(out, LABEL_LINE, "%s: %s", name, label_error(result));
    else if (e->call == BK_CALL_RECEIVE && result == 0)
        snprintf(out, LABEL_LINE, "%s: end", name);
    else if (counts)
        snprintf(out, LABEL_LINE, "%s %" PRIu32, name, e->len);
    else
        snprintf(out, LABEL_LINE, "%s()", name);
}

static const char *label_closed(uint32_t error) {
    switch (-(int64_t)error) {
    case 0:
        return "closed";
    case ERROR_CONNRESET:
        return "reset by peer";
    case ERROR_CONNREFUSED:
        return "refused";
    case ERROR_TIMEDOUT:
        return "timed out";
    default:
        return label_error((int32_t)error);
    }
}

static bool label_heard(const struct bk_event *e, uint32_t line, char out[LABEL_LINE]) {
    static const char *const names[] = {"connected", "readable", "writable", "acceptable", "closed by peer"};
    for (uint32_t bit = 0; bit < 8; bit++) {
        if (!(e->call & 1u << bit) || line-- != 0) continue;
        const char *words = bit < BK_COUNT(names)          ? names[bit]
                            : 1u << bit == BK_READY_CLOSED ? label_closed(e->len)
                            : 1u << bit == BK_READY_URGENT ? "urgent data"
                                                           : "unknown news";
        snprintf(out, LABEL_LINE, "%s", words);
        return true;
    }
    return false;
}

bool label_news(const struct bk_event *e, uint32_t line, char out[LABEL_LINE]) {
    if (e->kind == BK_EVENT_HEARD) return label_heard(e, line, out);
    if (e->kind != BK_EVENT_CALL || line) return false;
    label_call(e, out);
    return true;
}

/* ---- reasons and times ----------------------------------------------------------------------------- */

void label_reason(const char *prefix, uint16_t reason, char out[LABEL_LINE]) {
    const char *rfc = bk_reason_rfc(reason);
    size_t used = (size_t)snprintf(out, LABEL_LINE, "%s%s", prefix, bk_reason_words(reason));
    if (!*rfc || used + 3 * strlen(rfc) + 8 > LABEL_LINE) return;
    used += (size_t)snprintf(out + used, LABEL_LINE - used, " \xc2\xb7\xc2\xa0");
    for (; *rfc; rfc++) used += (size_t)snprintf(out + used, LABEL_LINE - used, *rfc == ' ' ? "\xc2\xa0" : "%c", *rfc);
}

void label_duration(uint64_t ns, char out[LABEL_LINE]) {
    static const struct {
        uint64_t unit;
        const char *name;
    } units[] = {{NS_PER_S, "s"}, {NS_PER_MS, "ms"}, {NS_PER_US, "\xc2\xb5s"}, {1, "ns"}};
    size_t u = 0;
    while (u + 1 < BK_COUNT(units) && ns < units[u].unit) u++;
    uint64_t unit = units[u].unit, whole = ns / unit;
    uint32_t decimals = unit == 1 || whole >= 100 ? 0 : whole >= 10 ? 1 : 2;
    uint32_t parts = decimals == 2 ? 100 : decimals == 1 ? 10 : 1; /* of a unit, that are told apart */
    uint64_t step = unit / parts, rounded = ns / step + (ns % step >= step - step / 2);
    uint32_t fraction = (uint32_t)(rounded % parts);
    whole = rounded / parts;
    if (decimals == 2 && fraction % 10 == 0) {
        fraction /= 10;
        decimals = 1;
    }
    if (fraction == 0)
        snprintf(out, LABEL_LINE, "%" PRIu64 "\xc2\xa0%s", whole, units[u].name);
    else
        snprintf(out, LABEL_LINE, "%" PRIu64 ".%0*" PRIu32 "\xc2\xa0%s", whole, (int)decimals, fraction, units[u].name);
}

bool label_wrap(const char **text, uint32_t columns, char out[LABEL_LINE]) {
    static const char separator[] = "\xc2\xb7\xc2\xa0"; /* label_reason's: of no use at the head of a line */
    while (**text == ' ') ++*text;
    if (strncmp(*text, separator, sizeof separator - 1) == 0) *text += sizeof separator - 1;
    if (!**text) return false;
    const char *p = *text, *end = p; /* `end`: where the line may be broken */
    for (uint32_t width = 0;;) {
        const char *before = p;
        uint32_t c = text_decode(&p);
        if (c == 0 || c == ' ') end = before;
        if (c == 0) break;
        width += text_character_width(c);
        if (width > columns) {
            if (end == *text) end = before > *text ? before : p; /* a word wider than the line */
            break;
        }
    }
    size_t n = (size_t)(end - *text);
    if (n >= LABEL_LINE) n = LABEL_LINE - 1;
    memcpy(out, *text, n);
    out[n] = 0;
    *text += n;
    return true;
}

/* The rules are packetdrill's: every flag, sequence and acknowledgment number, urgent pointer and option counts; the window and
 * the IP header's ECN bits only where the script gives them; a timestamp's value only if the script says how long its ticks are.
 * The echoed timestamp is always compared: it is a number that the script itself has sent. */
#include "lab/script_match.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/common.h"
#include "wire/tcp.h"

struct script_why {
    char *text;
    size_t size;
};

__attribute__((format(printf, 2, 3))) static bool script_differs(const struct script_why *w, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(w->text, w->size, format, args);
    va_end(args);
    return false;
}

static bool script_same(const struct script_why *w, const char *field, uint32_t expected, uint32_t actual) {
    if (expected == actual) return true;
    return script_differs(w, "%s: expected %" PRIu32 ", sent %" PRIu32, field, expected, actual);
}

static bool script_same_flag(const struct script_why *w, const char *name, uint16_t flag,
                             const struct script_packet *expected, const struct script_packet *actual) {
    bool want = (expected->flags & flag) != 0, have = (actual->flags & flag) != 0;
    if (want == have) return true;
    return script_differs(w, "%s flag: expected %s, sent %s", name, want ? "it" : "none", have ? "it" : "none");
}

static const struct script_flag_name {
    const char *name;
    uint16_t flag;
} script_flag_names[] = {{"SYN", WIRE_SYN}, {"RST", WIRE_RST}, {"ACK", WIRE_ACK}, {"URG", WIRE_URG}, {"ECE", WIRE_ECE},
                         {"AE", SCRIPT_AE}, {"FIN", WIRE_FIN}, {"PSH", WIRE_PSH}, {"CWR", WIRE_CWR}};
#define SCRIPT_FLAGS_OF_ALL 6u /* how many of them all segments of one expected packet have in common */

static uint32_t script_ace(uint16_t flags) {
    return (flags & SCRIPT_AE ? 4u : 0) | (flags & WIRE_CWR ? 2u : 0) | (flags & WIRE_ECE ? 1u : 0);
}

static bool script_match_flags(const struct script_why *w, const struct script_packet *expected,
                               const struct script_packet *actual) {
    const uint16_t ecn = WIRE_ECE | WIRE_CWR | SCRIPT_AE;
    for (size_t i = 0; i < BK_COUNT(script_flag_names); i++) {
        const struct script_flag_name *f = &script_flag_names[i];
        if (expected->ace && (f->flag & ecn) != 0) continue;
        if (!script_same_flag(w, f->name, f->flag, expected, actual)) return false;
    }
    return !expected->ace || script_same(w, "ACE field", script_ace(expected->flags), script_ace(actual->flags));
}

static bool script_match_tos(const struct script_why *w, const struct script_packet *expected,
                             const struct script_packet *actual) {
    static const char *const ecn[] = {"noecn", "ect1", "ect0", "ce"};
    uint8_t have = actual->tos & 3;
    switch (expected->tos_check) {
    case SCRIPT_TOS_ECN:
        if (have == expected->tos) return true;
        return script_differs(w, "ECN bits: expected %s, sent %s", ecn[expected->tos], ecn[have]);
    case SCRIPT_TOS_ECT01:
        return have == 1 || have == 2 || script_differs(w, "ECN bits: expected ect0 or ect1, sent %s", ecn[have]);
    case SCRIPT_TOS_BYTE:
        return script_same(w, "TOS byte", expected->tos, actual->tos);
    default:
        return true;
    }
}

/* ---- options --------------------------------------------------------------------------------------- */

static bool script_match_timestamps(const struct script_match *m, const struct script_why *w, const uint8_t *expected,
                                    const uint8_t *actual) {
    uint32_t want = get_be32(expected + 2), have = get_be32(actual + 2);
    uint32_t apart = have - want < want - have ? have - want : want - have;
    if (m->timestamp_tick != 0 && apart * m->timestamp_tick > m->tolerance)
        return script_differs(w, "timestamp value: expected %" PRIu32 ", sent %" PRIu32, want, have);
    return script_same(w, "timestamp echo", get_be32(expected + 6), get_be32(actual + 6));
}

static bool script_match_option(const struct script_match *m, const struct script_why *w, const uint8_t *expected,
                                uint8_t expected_length, const uint8_t *actual, uint8_t actual_length) {
    const char *name = script_option_name(expected_length != 0 ? expected[0] : actual[0]);
    if (name == NULL) name = "unknown";
    if (expected_length == 0) return script_differs(w, "options: sent a further one, %s", name);
    if (actual_length == 0) return script_differs(w, "options: expected a further one, %s", name);
    if (expected[0] != actual[0]) {
        const char *other = script_option_name(actual[0]);
        return script_differs(w, "options: expected %s, sent %s", name, other != NULL ? other : "an unknown one");
    }
    if (expected_length != actual_length)
        return script_differs(w, "option %s: expected %u bytes, sent %u", name, expected_length, actual_length);
    if (expected[0] == SCRIPT_KIND_TS && expected_length == 10) return script_match_timestamps(m, w, expected, actual);
    return memcmp(expected, actual, expected_length) == 0 || script_differs(w, "option %s: another value", name);
}

static bool script_match_options(const struct script_match *m, const struct script_why *w,
                                 const struct script_packet *expected, const struct script_packet *actual) {
    size_t e = 0, a = 0;
    if (expected->any_options) return true;
    for (;;) {
        uint8_t en = script_option_length(expected->option + e, expected->option_length - e);
        uint8_t an = script_option_length(actual->option + a, actual->option_length - a);
        if (en == 0 && an == 0) return true;
        if (!script_match_option(m, w, expected->option + e, en, actual->option + a, an)) return false;
        e += en;
        a += an;
    }
}

/* ---- the whole ------------------------------------------------------------------------------------- */

bool script_match(const struct script_match *m, const struct script_packet *expected,
                  const struct script_packet *actual, char *why, size_t size) {
    const struct script_why w = {why, size};
    return script_match_flags(&w, expected, actual) && script_same(&w, "sequence number", expected->seq, actual->seq) &&
           script_same(&w, "payload length", expected->length, actual->length) &&
           ((expected->flags & WIRE_ACK) == 0 ||
            script_same(&w, "acknowledgment number", expected->ack, actual->ack)) &&
           (expected->window < 0 || script_same(&w, "window", (uint32_t)expected->window, (uint32_t)actual->window)) &&
           script_same(&w, "urgent pointer", expected->urgent, actual->urgent) &&
           script_match_options(m, &w, expected, actual) && script_match_tos(&w, expected, actual);
}

bool script_match_continues(const struct script_packet *so_far, const struct script_packet *next, char *why,
                            size_t size) {
    const struct script_why w = {why, size};
    for (size_t i = 0; i < SCRIPT_FLAGS_OF_ALL; i++)
        if (!script_same_flag(&w, script_flag_names[i].name, script_flag_names[i].flag, so_far, next)) return false;
    return script_same(&w, "sequence number", so_far->seq + so_far->length, next->seq) &&
           script_same(&w, "acknowledgment number", so_far->ack, next->ack) &&
           script_same(&w, "window", (uint32_t)so_far->window, (uint32_t)next->window) &&
           script_same(&w, "option bytes", so_far->option_length, next->option_length);
}

/* Reasons in words: one table, expanded from the list BK_REASONS of beckon/trace.h, so that a code and
 * its words cannot drift apart. A code beyond the list (from a trace of a newer version) gets defined
 * words of its own; nothing here ever returns NULL.
 */
#include "beckon/trace.h"

struct reason {
    const char *name, *words, *rfc, *mib;
    enum bk_verdict verdict;
};

#define REASON_ROW(name_, verdict_, rfc_, mib_, words_) {#name_, words_, rfc_, mib_, verdict_},
static const struct reason reasons[] = {BK_REASONS(REASON_ROW)};
#undef REASON_ROW

_Static_assert(sizeof reasons / sizeof reasons[0] == BK_REASON_COUNT, "one row for each reason");

static const struct reason unknown = {"UNKNOWN", "a reason that this version does not know", "", "", BK_NOTED};

static const struct reason *reason_row(uint16_t reason) {
    return reason < BK_REASON_COUNT ? &reasons[reason] : &unknown;
}

const char *bk_reason_name(uint16_t reason) {
    return reason_row(reason)->name;
}
const char *bk_reason_words(uint16_t reason) {
    return reason_row(reason)->words;
}
const char *bk_reason_rfc(uint16_t reason) {
    return reason_row(reason)->rfc;
}
const char *bk_reason_mib(uint16_t reason) {
    return reason_row(reason)->mib;
}
enum bk_verdict bk_reason_verdict(uint16_t reason) {
    return reason_row(reason)->verdict;
}

/* RFC 9293 3.3.2's names. */
static const char *const states[] = {
    "CLOSED",     "LISTEN",     "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1",
    "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING",  "LAST-ACK",     "TIME-WAIT",
};
_Static_assert(sizeof states / sizeof states[0] == BK_STATES, "one name for each state");

const char *bk_state_name(uint8_t state) {
    return state < BK_STATES ? states[state] : "UNKNOWN";
}

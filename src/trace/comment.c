/* Reasons as one line of text, for the comment that stands beside a frame in a capture. The code's name ends the line,
 * so that a capture can be searched for it (in Wireshark: frame.comment contains "SEND_SYN"). */
#include <stdio.h>

#include "beckon/render.h"

const char *bk_verdict_name(enum bk_verdict verdict) {
    static const char *const names[] = {"sent", "accepted", "answered", "dropped", "noted"};
    return (unsigned)verdict <= BK_NOTED ? names[verdict] : "unknown";
}

size_t bk_reason_comment(uint16_t reason, char *out, size_t size) {
    const char *rfc = bk_reason_rfc(reason);
    int n = snprintf(out, size, "%s: %s%s%s%s [%s]", bk_verdict_name(bk_reason_verdict(reason)),
                     bk_reason_words(reason), *rfc ? " (" : "", rfc, *rfc ? ")" : "", bk_reason_name(reason));
    return n > 0 ? (size_t)n : 0;
}

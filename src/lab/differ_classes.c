/* The differences that are known, each a decision with its reason in docs/differences-from-linux.md. See differ.h.
 *
 * The first row that fits counts. A name may stand in several rows.
 */
#define _GNU_SOURCE /* FNM_EXTMATCH */
#include <fnmatch.h>

#include "base/common.h"
#include "lab/differ.h"

#define ROW(name, state, step, beckon, other, rfc)                                                                     \
    { name, state, step, beckon, other, rfc }

const struct differ_class differ_classes[] = {
    ROW("malformed-options", "*", "segment * options=@(zero|past)*", "*", "*", "RFC 9293 3.1, MUST-7"),
    ROW("simultaneous-open-options", "SYN-SENT", "segment *S* seq=*", "SA seq=iss* -> SYN-RECEIVED",
        "SA seq=iss* -> SYN-RECEIVED", "RFC 7323 2.2, 3.2"),
    ROW("simultaneous-open-ack", "@(SYN-RECEIVED|FIN-WAIT-1)", "segment *S*A* seq=isn*",
        "nothing -> @(ESTABLISHED|FIN-WAIT-*)", "A seq+0 ack+0* -> @(ESTABLISHED|FIN-WAIT-*)", "RFC 9293 3.5"),
    ROW("shutdown-in-syn-sent", "SYN-SENT", "shutdown", "[[]ENOTCONN] nothing -> SYN-SENT", "[[]0] nothing -> CLOSED",
        "RFC 9293 3.10.4"),
    ROW("shutdown-in-syn-received", "SYN-RECEIVED", "shutdown", "[[]0] * -> FIN-WAIT-1",
        "[[]0] nothing -> SYN-RECEIVED", "RFC 9293 3.10.4"),
    ROW("shutdown-after-the-end", "*", "shutdown", "[[]0] nothing -> *", "[[]ENOTCONN] nothing -> *",
        "RFC 9293 3.10.4"),
    ROW("send-before-established", "SYN-@(SENT|RECEIVED)", "send *", "[[]+([0-9])] nothing -> SYN-*",
        "[[]EAGAIN] nothing -> SYN-*", "RFC 9293 3.10.2"),
    ROW("abort-in-time-wait", "TIME-WAIT", "@(abort|close)", "*", "[[]0] nothing -> TIME-WAIT", "RFC 9293 3.10.5"),
    ROW("error-stays", "*", "@(send|receive|shutdown)*", "[[]E*", "[[]@(E*|0*)", "RFC 9293 3.9.1"),
    ROW("unlisten-forgets-requests", "SYN-RECEIVED", "unlisten", "[[]0] nothing -> CLOSED",
        "[[]0] nothing -> SYN-RECEIVED", "RFC 9293 3.10.4"),
    ROW("close-with-text-after-a-gap", "*", "close", "[[]0] RA * -> @(LISTEN|CLOSED)",
        "[[]0] @(FA*|nothing) -> FIN-WAIT-*", "RFC 9293 3.6.1"),
    ROW("timestamp-echo", "SYN-@(SENT|RECEIVED)", "segment * echo=wrong*", "*", "*", "RFC 7323 3.2"),
    ROW("fin-in-sack-blocks", "*", "segment F* seq=@(at|edge)*", "*A seq+0 ack+0*", "*A seq+0 ack+0* sack=*",
        "RFC 2018 3"),
    ROW("syn-received-bad-ack", "SYN-RECEIVED", "segment *A* ack=@(all|una)*", "*", "R seq* -> *", "RFC 9293 3.10.7.4"),
    ROW("syn-received-bad-ack", "SYN-RECEIVED", "segment *A* ack=@(all|una)*", "R seq* -> *", "*", "RFC 9293 3.10.7.4"),
    ROW("syn-in-syn-received", "SYN-RECEIVED", "segment *S* seq=*", "nothing -> LISTEN", "*", "RFC 9293 3.10.7.4"),
    ROW("rst-and-paws-in-syn-received", "SYN-RECEIVED", "segment *R* ts=old*", "*", "nothing -> SYN-RECEIVED",
        "RFC 7323 5.3"),
    ROW("syn-fin-in-listen", "@(LISTEN|TIME-WAIT)", "segment FS* seq=*", "SA seq=iss* -> SYN-RECEIVED",
        "nothing -> LISTEN", "RFC 9293 3.10.7.2"),
    ROW("no-ack-bit", "!(TIME-WAIT)", "segment * ack=none *", "A seq+0 ack+0* -> *", "nothing -> *",
        "RFC 9293 3.10.7.4"),
    ROW("no-ack-bit", "TIME-WAIT", "segment * ack=none *", "nothing -> TIME-WAIT", "A seq+0 ack+0* -> TIME-WAIT",
        "RFC 9293 3.10.7.4"),
    ROW("ack-before-the-first-byte", "*", "segment * ack=@(all|una)-*", "*", "A seq+0 ack+0* -> *", "RFC 5961 5.2"),
    ROW("no-timestamp", "*", "segment * ts=none*", "nothing -> *", "*", "RFC 7323 3.2"),
    ROW("paws-and-old-acks", "*", "segment * len=0 * ts=old*", "A seq+0 ack+0 ts* -> *", "nothing -> *",
        "RFC 7323 5.3"),
    ROW("dsack-and-paws", "*", "segment * len=[1-9]* ts=old*", "A seq+0 ack+0*", "A seq+0 ack+0* sack=*", "RFC 2883 4"),
    ROW("sack-in-a-rst", "*", "@(abort|close)", "[[]0] RA seq+0 ack+0*", "[[]0] RA seq+0 ack+0* sack=*", "RFC 2018 3"),
    ROW("rst-for-late-data", "*", "*", "RA seq+0 ack+0* -> @(LISTEN|CLOSED)", "R seq* -> @(LISTEN|CLOSED)",
        "RFC 9293 3.10.7.4"),
    ROW("text-after-fin", "@(CLOSE-WAIT|CLOSING|LAST-ACK)", "segment * len=[1-9]*",
        "@(nothing|*A seq+0 ack+0 len=*) -> @(CLOSE-WAIT|CLOSING|LAST-ACK)", "@(A|R)* -> *", "RFC 9293 3.10.7.4"),
    ROW("time-wait-unsent-ack", "TIME-WAIT", "segment * ack=@(all|una)*", "A seq+0 ack+0* -> TIME-WAIT",
        "nothing -> TIME-WAIT", "RFC 9293 3.10.7.4"),
    ROW("fin-wait-2-without-user", "FIN-WAIT-2 orphan", "segment *", "*", "@(A|R|nothing)* -> *", "RFC 9293 3.10.7.4"),
    ROW("edges-of-the-window", "*", "segment * @(left|right|over)", "*", "*", "RFC 9293 3.10.7.4"),
    ROW("edges-of-the-window", "*", "segment * seq=edge*", "*A seq+0 ack+0* sack=*", "*A seq+0 ack+0* sack=*",
        "RFC 9293 3.10.7.4"),
    ROW("edges-of-the-window", "*", "segment *R* seq=@(at-1|edge|isn)*", "nothing -> *", "A seq+0 ack+0* -> *",
        "RFC 9293 3.10.7.4"),
    ROW("rst-with-text-at-a-shut-window", "*", "segment *R* seq=*", "nothing -> @(LISTEN|CLOSED)", "nothing -> *",
        "RFC 9293 3.10.7.4"),
    ROW("shut-window-timestamp", "*", "@(segment *|fill)", "A seq+0 ack+* ts* w0 -> *", "A seq+0 ack+* ts* w0 -> *",
        "RFC 7323 4.3"),
    ROW("rst-in-time-wait-timestamp", "TIME-WAIT", "@(segment *|fill)", "A seq+0 ack+0 ts* -> *",
        "A seq+0 ack+0 ts* -> *", "RFC 7323 4.3"),
    ROW("timestamp-of-an-old-ack", "*", "segment * ack=@(all|una)-*", "A seq+0 ack+* ts+0*", "A seq+0 ack+* ts-*",
        "RFC 7323 4.3"),
    ROW("text-beyond-the-fin", "@(ESTABLISHED|FIN-WAIT-1|FIN-WAIT-2)", "segment F* seq=at*", "@(A *|nothing) -> *",
        "A * -> @(CLOSE-WAIT|CLOSING|TIME-WAIT)", "RFC 9293 3.10.7.4"),
    ROW("text-in-the-syn-ack", "SYN-SENT", "segment *S* ack=@(all|una)*", "A seq+0 ack* -> @(ESTABLISHED|CLOSE-WAIT)",
        "A seq+0 ack* -> ESTABLISHED", "RFC 9293 3.10.7.3"),
    ROW("syn-again-after-a-bad-ack", "SYN-SENT", "*", "*", "*S seq=iss*", "RFC 9293 3.10.7.3"),
    ROW("late-fin-after-a-gap", "FIN-WAIT-1", "segment *F* seq=@(at+|edge-)*", "*A * -> FIN-WAIT-*",
        "R * -> @(LISTEN|CLOSED)", "RFC 9293 3.10.7.4"),
    ROW("timestamps-begin-in-time-wait", "TIME-WAIT", "segment *S* ts=@(ok|old|ahead)*", "SA seq=iss* -> SYN-RECEIVED",
        "@(A seq+0 ack+0|nothing)* -> TIME-WAIT", "RFC 6191 2"),
    ROW("rst-before-the-fin", "@(CLOSE-WAIT|CLOSING|LAST-ACK)", "segment *R* seq=@(at|edge)-1 *",
        "* -> @(CLOSE-WAIT|CLOSING|LAST-ACK)", "nothing -> @(LISTEN|CLOSED)", "RFC 9293 3.10.7.4"),
    ROW("abort-while-closing", "@(CLOSING|LAST-ACK)", "abort", "[[]0] nothing -> *", "[[]0] RA * -> *",
        "RFC 9293 3.10.5"),
    ROW("seq-past-a-shrunk-window", "*", "*", "*A seq+0 *", "*A seq-* *", "RFC 9293 3.10.7.4"),
    ROW("urgent-mark", "*", "receive *", "[[]+([0-9])] nothing -> *", "[[]+([0-9])] nothing -> *", "RFC 6093 6"),
    ROW("ack-at-a-shut-window", "*", "segment *", "* w0 -> *", "* w0 -> *", "RFC 9293 3.10.7.4"),
    ROW("old-ack-on-the-fast-path", "ESTABLISHED", "segment *A* ack=@(all|una)-* len=[1-9]*",
        "A seq+0 ack+0* -> ESTABLISHED", "A seq+0 ack+* -> ESTABLISHED", "RFC 5961 5.2"),
    ROW("limited-transmit", "*", "segment *A* ack=una len=0*", "?(F)A * len=* -> *", "nothing -> *", "RFC 5681 3.2"),
    ROW("amount-sent", "@(ESTABLISHED|CLOSE-WAIT)", "send *", "[[]*] @(nothing|A seq+0 ack+0 len=*) -> *",
        "[[]*] @(nothing|A seq+0 ack+0 len=*) -> *", "RFC 9293 3.10.7.4"),
    ROW("no-timestamp", "*", "fill", "nothing -> *", "A *", "RFC 7323 3.2"),
    ROW("fin-and-congestion-window", "@(ESTABLISHED|CLOSE-WAIT)", "@(shutdown|close)", "[[]0] FA seq+0 * -> *",
        "[[]0] nothing -> *", "RFC 5681 3.1"),
    ROW("edges-of-the-window", "@(ESTABLISHED|CLOSE-WAIT|CLOSING|LAST-ACK)", "segment *A* seq=edge+*",
        "A seq+0 ack+0* -> *", "nothing -> *", "RFC 9293 3.10.7.4"),
    ROW("text-after-fin", "@(CLOSE-WAIT|CLOSING|LAST-ACK)", "segment *F* seq=at-* len=[1-9]*", "A seq+0 ack+0* -> *",
        "A seq+0 ack+@([1-9]|some)* -> *", "RFC 9293 3.10.7.4"),
    ROW("old-syn-in-syn-received", "SYN-RECEIVED", "segment *S* ts=old*", "SA seq=iss* -> SYN-RECEIVED",
        "A seq+0 ack+0* -> SYN-RECEIVED", "RFC 7323 5.3"),
    ROW("simultaneous-open-ack", "@(SYN-RECEIVED|FIN-WAIT-1)", "segment *S*A* seq=@(isn|at-1)* len=*",
        "@(A|RA) seq+0 ack+*", "A seq+0 ack+0* -> *", "RFC 9293 3.5"),
    ROW("amount-sent", "*", "segment *A*", "*A seq+0 ack+* len=*", "*A seq+0 ack+* len=*", "RFC 9293 3.10.7.4"),
    ROW("amount-sent", "*", "fill", "A seq+some *", "A seq+0 * len=*", "RFC 9293 3.10.7.4"),
    ROW("rst-in-time-wait-timestamp", "TIME-WAIT", "segment * ts=old*", "nothing -> TIME-WAIT",
        "A seq+0 ack+0 ts* -> TIME-WAIT", "RFC 7323 4.3"),
    ROW("amount-sent", "*", "segment *A* ack=una*", "nothing -> *", "*A seq+0 ack+0 len=*", "RFC 9293 3.10.7.4"),
};
const size_t differ_classes_count = BK_COUNT(differ_classes);

static bool fits(const char *pattern, const char *text) {
    return fnmatch(pattern, text, FNM_EXTMATCH) == 0;
}

const struct differ_class *differ_classify(const char *state, const char *step, const char *beckon, const char *other) {
    for (const struct differ_class *c = differ_classes; c < differ_classes + differ_classes_count; c++)
        if (fits(c->state, state) && fits(c->step, step) && fits(c->beckon, beckon) && fits(c->other, other)) return c;
    return NULL;
}

/* Turnover: connections come and go while very many TIME-WAITs stand, and who knows the truth watches.
 *
 * One stack serves a crowd (crowd.h) and closes first, so the TIME-WAITs are its own. First as many connections as there shall be TIME-WAITs
 * are made and closed at once; then new ones come at a constant rate, half of them with the 4-tuple of one in TIME-WAIT, until the last of the first has waited for
 * its full time; then all run out. Meanwhile strays arrive for TIME-WAITs, for those whose time is over, and for the connections
 * that took their 4-tuples: old SYNs, FINs, RSTs and text.
 *
 * The truth is kept here, apart from the stack: which 4-tuple stands in TIME-WAIT until when, and which SYN is a new one and which an old
 * one's copy. It is checked with each segment:
 *
 *     a new SYN is answered by SYN-ACK, whether its 4-tuple is free or waits (RFC 6191, RFC 1122 4.2.2.13), by a number beyond the old one's
 *     an old one is not, and the wait goes on
 *     nothing else ends the wait (RFC 1337), but a FIN that comes again begins it anew
 *     the connection that took the 4-tuple takes nothing of the old one's
 *     a wait lasts 2 MSL, to the nanosecond: at each instant there are as many as there should be, and what comes after gets a RST
 *
 * 2 MSL follows from the number: with 100,000 new ones a second 0.6 of it come within 2 MSL. So ten million wait for 60 s.
 */
#ifndef LAB_TURNOVER_H
#define LAB_TURNOVER_H

#include "beckon/stack.h"
#include "lab/fault.h"

#define TURNOVER_MIN 1000u
#define TURNOVER_MAX 20000000u

struct turnover_options {
    uint64_t seed;
    uint32_t time_waits; /* TURNOVER_MIN to TURNOVER_MAX */
    bool ipv6;
    /* Called from time to time with the part of the work that is done. May be NULL. */
    void (*progress)(void *context, double part);
    void *context;
};

enum turnover_stray {
    TURNOVER_OLD_SYN,  /* for a TIME-WAIT: a copy of its connection's */
    TURNOVER_RST,      /* with the right number */
    TURNOVER_FIN,      /* the client's, again */
    TURNOVER_TEXT,     /* that was received before */
    TURNOVER_LATE_ACK, /* for one whose time is over */
    TURNOVER_OLD_FIN,  /* for a request or a connection: of the one before it */
    TURNOVER_STRAYS,
};

struct turnover_result {
    struct fault fault;
    uint64_t opened, reused; /* connections; of them, with the 4-tuple of a TIME-WAIT */
    uint64_t strays[TURNOVER_STRAYS];
    uint64_t most, over;        /* TIME-WAITs at once; those whose time ran out */
    uint64_t virtual_ns, bytes; /* of the region, when all was over */
};

const char *turnover_stray_name(enum turnover_stray stray);

/* Returns 0, with result->fault if something did not hold, or -ENOMEM. */
int turnover_run(const struct turnover_options *options, struct turnover_result *result);

#endif

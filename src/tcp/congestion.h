/* Congestion control: how much may be in flight, and how fast it may leave.
 *
 * A controller is one of the values of enum bk_congestion, kept in the connection, and a table of functions in the code. Windows are
 * bytes: cwnd and ssthresh, in the connection, which outlive the active record. What a controller knows beyond them is in
 * the active record (struct congestion), begins anew when the connection gets a fresh one, and is made from cwnd, ssthresh and RTT.
 *
 * Recovery (recovery.h) decides what is lost and when an episode of reduction begins and ends; here is decided how large the window is.
 *
 *     every ACK with news                  congestion_acked, once recovery's own state is as the ACK leaves it
 *     a record is believed lost            congestion_lost, after rate_lost and before congestion_event
 *     loss, ECE or RTO: a new episode      congestion_ssthresh, whose answer recovery puts into ssthresh; then congestion_event
 *     within Recovery and CWR              cwnd is recovery's (PRR), unless the controller owns the window
 *     the episode's end                    recovery sets cwnd = ssthresh (not if it is owned), then congestion_event
 *     it was no loss                       congestion_event(CONGESTION_UNDO); recovery puts back cwnd and ssthresh (not if owned)
 *     new data left                        congestion_sent
 *     new data is about to leave, and nothing is outstanding    congestion_idle
 *
 * A controller that owns the window (BBR) sets cwnd, and the pacing rate, itself at all times; recovery then only marks and
 * retransmits.
 *
 * Window validation (RFC 7661's concern, by the rule that Linux has): cwnd grows only if it was used. The most that was outstanding
 * in the last window of data tells: in slow start more than half of cwnd must have been, for the window doubles ahead of what is sent; in
 * congestion avoidance sending must have stopped because of it. With bk_config.slow_start_after_idle a window that was not used for an RTO
 * also shrinks (RFC 2861, which RFC 7661 replaces by ways that need more state): after a pause by half for each RTO of it, down
 * to the restart window; while the application sends less than it may, once an RTO to the middle between cwnd and what it used.
 * ssthresh keeps three quarters of what the window was, so that slow start soon finds back.
 */
#ifndef TCP_CONGESTION_H
#define TCP_CONGESTION_H

#include "tcp/congestion_bbr.h"
#include "tcp/hystart.h"
#include "tcp/pacing.h"
#include "tcp/rate.h"

struct tcp;
struct connection;

enum congestion_event {
    CONGESTION_REDUCE, /* recovery enters Recovery or CWR: ssthresh is set, cwnd not yet */
    CONGESTION_RTO, /* the retransmission timer fired: ssthresh is set, cwnd is what is to follow it (unless owned) */
    CONGESTION_RECOVER, /* Recovery, CWR or Loss is over */
    CONGESTION_UNDO, /* the last CONGESTION_REDUCE or CONGESTION_RTO was for nothing (RFC 9438 4.9): cwnd is still what it has come to */
    CONGESTION_RESTART, /* sending begins again with nothing outstanding */
};

/* What an ACK told. */
struct congestion_sample {
    uint64_t now;
    uint32_t acked;           /* bytes that SND.UNA moved */
    uint32_t prior_in_flight; /* recovery_pipe before and after */
    uint32_t in_flight;
    uint32_t rtt_us; /* of the newest data acknowledged that was sent once; 0: none */
    bool grow;       /* cwnd is not recovery's: neither Recovery nor CWR; and no ECE */
    bool ece;        /* the ACK echoed congestion */
    uint8_t pad[2];
    const struct rate_sample *rate; /* with the bytes newly delivered and newly lost */
};

/* NewReno's own. */
struct newreno {
    uint32_t credit; /* bytes acknowledged that have not yet grown cwnd */
};

/* CUBIC's own, by RFC 9438's names. */
struct cubic_epoch {
    uint64_t start; /* t_epoch; 0: the stage begins with the next ACK in congestion avoidance */
    uint32_t w_max; /* 0: unknown */
    uint32_t cwnd_prior;
    uint32_t k_ms;
    uint32_t w_est;
};
struct cubic {
    struct cubic_epoch epoch, undo;
    uint64_t grown_at;           /* the last ACK that found the window in use */
    uint64_t looked_at;          /* when `per` was found */
    uint32_t looked_cwnd;        /* and for which cwnd */
    uint32_t per;                /* bytes acknowledged for each segment of growth; 0: no growth */
    uint32_t credit, est_credit; /* bytes acknowledged that have not yet grown cwnd, W_est */
};

/* In struct active. */
struct congestion {
    /* Window validation. */
    uint32_t use_end;  /* the window of data that is being looked at ends here */
    uint32_t use_most; /* most bytes outstanding in it */
    bool use_limited;  /* sending stopped for want of cwnd */
    bool idle_seen;    /* since data last left a pause was answered: it counts once, however often output is asked */
    bool use_gap;      /* it was not, or sending paused, since the controller last heard of an ACK */
    uint8_t pad;
    uint64_t used_at;   /* when the window was last in use; see congestion_sent */
    uint32_t used_most; /* most bytes outstanding since */
    struct pacing pacing;
    struct hystart hystart;
    union {
        struct newreno newreno;
        struct cubic cubic;
        struct bbr bbr;
    };
};

/* The connection is established: the initial window (RFC 6928), or one segment if SYN or SYN-ACK had to be sent again more than once
 * (RFC 6928 2); ssthresh is without bound. */
void congestion_start(struct tcp *t, struct connection *c, uint32_t syn_retransmits);
/* The connection has a fresh active record. */
void congestion_begin(struct tcp *t, struct connection *c);
/* The connection goes on with another controller, from the windows as they are. */
void congestion_choose(struct tcp *t, struct connection *c, enum bk_congestion which);
/* The initial window, which is the restart window, too. */
uint32_t congestion_initial_window(const struct connection *c);
/* Whether cwnd is the controller's at all times. */
bool congestion_owns_window(const struct connection *c);

/* The part of STATUS that tells of rates and of the model. */
void congestion_status(const struct tcp *t, const struct connection *c, struct bk_tcp_info *info);

/* Those below hold without an active record, too: then no data is outstanding, and nothing grows. */
void congestion_acked(struct tcp *t, struct connection *c, const struct congestion_sample *s);
/* The ssthresh that this congestion event asks for, with `flight` bytes outstanding (without what limited transmit added); at least two
 * segments. What CONGESTION_UNDO needs is noted. */
uint32_t congestion_ssthresh(struct tcp *t, struct connection *c, uint32_t flight);
void congestion_event(struct tcp *t, struct connection *c, enum congestion_event event);
/* `length` bytes of a record with this mark are believed lost. */
void congestion_lost(struct tcp *t, struct connection *c, const struct rate_mark *m, uint32_t length);
/* New data left; `in_flight` is recovery_pipe with it. */
void congestion_sent(struct tcp *t, struct connection *c, uint32_t in_flight);
/* More data was handed over, or an ACK arrived, and neither has been looked at yet: if all that there was has left, and cwnd would have let more out,
 * it is the application that sets the rate. */
void congestion_supply(struct tcp *t, struct connection *c);
/* New data is about to leave, and nothing is outstanding (RFC 5681 4.1). */
void congestion_idle(struct tcp *t, struct connection *c);

/* ---- for the controllers ---------------------------------------------------------------------------- */

struct congestion_controller {
    void (*begin)(struct tcp *t, struct connection *c, struct congestion *g);
    void (*acked)(struct tcp *t, struct connection *c, struct congestion *g, const struct congestion_sample *s);
    uint32_t (*ssthresh)(struct tcp *t, struct connection *c, struct congestion *g, uint32_t flight);
    void (*event)(struct tcp *t, struct connection *c, struct congestion *g, enum congestion_event event);
    void (*lost)(struct tcp *t, struct connection *c, struct congestion *g, const struct rate_mark *m, uint32_t length);
    bool owns_window;
};
extern const struct congestion_controller congestion_newreno, congestion_cubic, congestion_bbr;

/* Slow start, with HyStart++: grows cwnd by what was acknowledged, up to ssthresh. Returns what is left of it. */
uint32_t congestion_slow_start(struct tcp *t, struct connection *c, struct congestion *g,
                               const struct congestion_sample *s);
/* Congestion avoidance: one segment for each `per` bytes acknowledged. */
void congestion_avoid(struct connection *c, uint32_t *credit, uint32_t acked, uint32_t per);

#endif

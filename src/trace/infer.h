/* What a trace of one end says for certain about the other end's state. */
#ifndef TRACE_INFER_H
#define TRACE_INFER_H

#include "beckon/trace.h"

struct infer {
    uint8_t state;    /* the last one that was certain, or INFER_UNKNOWN */
    bool peer_opened; /* the peer sent a SYN without ACK */
    bool our_syn, our_fin, peer_fin;
    bool sent, received;  /* snd_max, rcv_max are set */
    bool fin_ack_sent;    /* we have acknowledged the peer's FIN */
    uint32_t our_syn_end; /* ISS + 1 */
    uint32_t our_fin_end, peer_fin_end;
    uint32_t snd_max, rcv_max;
    uint32_t fin_ack_edge; /* whoever acknowledges more than this has seen our ACK of the peer's FIN */
};

#define INFER_UNKNOWN 255

void infer_init(struct infer *i);
/* Takes the next event of the known end. Returns the state that the peer was in when it sent this segment, if it is certain, and
 * INFER_UNKNOWN if not (or if the event is no arrival). */
uint8_t infer_event(struct infer *i, const struct bk_event *event);

#endif

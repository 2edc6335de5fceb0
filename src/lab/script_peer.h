/* Connections as a script knows them: which one its packets belong to, and how the script's numbers become those of the wire.
 *
 * A script's packets name no connection. They belong to the one under test: the last socket that was made, or, once a segment came in while that one
 * listened, the connection that this segment opened. What the stack sends for others is passed over. So has packetdrill defined it.
 *
 * Sequence numbers stand for themselves in segments with SYN, and count from the SYN in all others. The remote side's are
 * used on the wire as they are in the script; the stack chooses its own, and so they are moved. Timestamps: the script's are the remote
 * side's; what the stack sends is moved so that its first one is the script's first one, and what the script echoes becomes what the stack sent where
 * the script wrote down that value.
 */
#ifndef LAB_SCRIPT_PEER_H
#define LAB_SCRIPT_PEER_H

#include "lab/script_wire.h"

enum script_peer_state {
    SCRIPT_PEER_NEW,
    SCRIPT_PEER_LISTENS,
    SCRIPT_PEER_CALLED,       /* something came in while it listened */
    SCRIPT_PEER_ANSWERED,     /* the script has seen the SYN-ACK */
    SCRIPT_PEER_ACCEPTABLE,   /* and has acknowledged something */
    SCRIPT_PEER_CONNECTS,     /* connect was called */
    SCRIPT_PEER_SYN_SENT,     /* the script expects, or has seen, its SYN */
    SCRIPT_PEER_SYN_ANSWERED, /* the script has sent a SYN-ACK */
};

struct script_timestamp {
    uint32_t script, live;
};

struct script_peer {
    enum script_peer_state state;
    int fd; /* as the script numbers them; -1: none yet */
    bool closed;
    bool known; /* the tuple is complete */
    struct script_tuple tuple;
    uint32_t local_isn, local_isn_script; /* of the SYN on the wire, and of the SYN in the script */
    uint32_t remote_isn;                  /* the same in both */
    bool timestamps;                      /* the first two fields below are set */
    uint32_t first_script, first_live;
    struct script_timestamp *timestamp; /* what was sent where the script says what */
    size_t timestamp_count, timestamp_room;
};

/* What the script says must be sent next becomes what to wait for: a SYN after connect is looked for by its address alone. */
void script_peer_expect(struct script_peer *p, const struct script_packet *expected);
/* Whether a frame is of this connection; learns its tuple and sequence numbers if it is what opens it. */
bool script_peer_takes(struct script_peer *p, const struct script_seen *seen, const struct script_packet *expected);
/* Brings what was sent into the script's numbers. */
void script_peer_to_script(const struct script_peer *p, struct script_packet *packet);
/* Notes and moves the timestamp of what was sent against what the script has there. */
void script_peer_timestamp(struct script_peer *p, const struct script_packet *expected, struct script_packet *actual);

/* Takes note of a segment that the script sends. */
void script_peer_sends(struct script_peer *p, const struct script_packet *packet);
/* Brings it into the wire's numbers. `scaled`: an echo that was never sent is moved as values are. False: there was no such timestamp. */
bool script_peer_to_wire(const struct script_peer *p, struct script_packet *packet, bool scaled);

#endif

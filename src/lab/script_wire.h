/* The wire between a script and the stack: packets of a script as frames, and frames as packets of a script.
 *
 * What a script writes down are its own numbers; the caller brings them into those of the wire and back (script_peer.h).
 */
#ifndef LAB_SCRIPT_WIRE_H
#define LAB_SCRIPT_WIRE_H

#include "beckon/stack.h"
#include "lab/script_ast.h"

#define SCRIPT_FRAME_MAX (65535u + 40u)

/* Whom a connection joins, as the stack sees it. */
struct script_tuple {
    bk_addr local, remote;
    uint16_t local_port, remote_port;
};

/* A frame that the stack sent. */
struct script_seen {
    uint64_t time;
    uint16_t reason; /* why it was sent */
    bool tcp;        /* the rest but for the addresses means something */
    struct script_tuple tuple;
    bool zeroes; /* the payload is all zeroes, as scripts have it */
    struct script_packet packet;
};
/* Reads a frame that begins with its IP header. False if it is cut short, or not of IP. */
bool script_wire_read(const uint8_t *frame, size_t length, struct script_seen *out);

/* Writes a segment to the stack, checksums included, with these numbers in place of the script's own. Returns its length, or 0 if it is longer than IP's
 * length field can say. */
size_t script_wire_segment(uint8_t frame[SCRIPT_FRAME_MAX], const struct script_tuple *tuple,
                           const struct script_packet *p);
/* Writes an ICMP error about a segment that the stack sent at `seq`. Returns its length, or 0 and *why. */
size_t script_wire_icmp(uint8_t frame[SCRIPT_FRAME_MAX], const struct script_tuple *tuple,
                        const struct script_packet *p, uint32_t seq, const char **why);

/* An option: its kind, and its length, which is 1 for the two kinds that have no length byte. 0 past the last, or if it is cut short. */
uint8_t script_option_length(const uint8_t *option, size_t room);
/* The option of this kind, or NULL. */
uint8_t *script_option_find(struct script_packet *p, uint8_t kind);
enum { SCRIPT_KIND_NOP = 1, SCRIPT_KIND_SACK = 5, SCRIPT_KIND_TS = 8 };

/* A packet in the notation of scripts, without its direction. */
char *script_packet_text(const struct script_packet *p, char *text, size_t size);
/* A name for an option's kind. */
const char *script_option_name(uint8_t kind);

#endif

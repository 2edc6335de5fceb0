/* A crowd: very many TCP clients of one stack that have no stacks of their own. A client is a number, which gives it an address and a port; what
 * it knows of its connection is for whoever plays it to keep. The crowd writes the clients' segments, and reads what the stack sends to them.
 *
 * It stands on an interface of layer IP, without delay or loss.
 */
#ifndef LAB_CROWD_H
#define LAB_CROWD_H

#include "wire/tcp.h"

#define CROWD_PORTS 50000u /* of each address, from CROWD_FIRST on */
#define CROWD_FIRST 10000u
#define CROWD_FRAME 1500u

struct crowd {
    bk_stack *stack;
    uint32_t iface;
    bk_addr server;
    uint16_t port;
    bool ipv6;
};

struct crowd_segment {
    uint32_t client;
    uint32_t seq, ack;
    uint8_t flags;   /* enum wire_tcp_flag */
    bool timestamps; /* with the two below */
    uint32_t tsval, tsecr;
    uint32_t length; /* of its text */
};

/* Gives the stack an interface, the server's address there and a route to the crowd. Returns 0 or a negative errno. */
int crowd_open(struct crowd *w, bk_stack *stack, bool ipv6, uint16_t port, uint64_t now);
bk_addr crowd_address(const struct crowd *w, uint32_t client);
/* Writes a client's segment as an IP packet; its text is zeroes. Returns its length. */
size_t crowd_write(const struct crowd *w, const struct crowd_segment *s, uint8_t frame[CROWD_FRAME]);
/* Hands it to the stack. Returns its reason. */
uint16_t crowd_give(const struct crowd *w, const struct crowd_segment *s, uint64_t now);
/* Reads a packet of the stack's. What is no segment from its port to a client, whole and with a right checksum, has CROWD_NOBODY for its client. */
#define CROWD_NOBODY UINT32_MAX
void crowd_read(const struct crowd *w, const uint8_t *frame, size_t length, struct crowd_segment *s);
/* Takes up to n segments that the stack sends, and lets go of them. Returns how many. */
size_t crowd_take(const struct crowd *w, struct crowd_segment *segments, size_t n, uint64_t now);

#endif

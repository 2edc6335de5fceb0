/* TCP headers and options (RFC 9293 3.1, 3.2; RFC 7323; RFC 2018). See ethernet.h for the contract. */
#ifndef WIRE_TCP_H
#define WIRE_TCP_H

#include "base/common.h"
#include "beckon/trace.h"

#define WIRE_TCP_LENGTH     20u
#define WIRE_TCP_LENGTH_MAX 60u
/* NOP, NOP, timestamps: what most segments of a connection carry and nothing else, as one number. */
#define WIRE_TCP_ALIGNED_TIMESTAMPS UINT32_C(0x0101080a)
#define WIRE_SACK_BLOCKS            4u

enum wire_tcp_flag {
    WIRE_FIN = 1,
    WIRE_SYN = 2,
    WIRE_RST = 4,
    WIRE_PSH = 8,
    WIRE_ACK = 16,
    WIRE_URG = 32,
    WIRE_ECE = 64,
    WIRE_CWR = 128,
};

struct wire_sack_block {
    uint32_t left, right; /* [left, right) */
};

struct wire_tcp_options {
    uint16_t mss; /* 0: absent. On a segment without SYN it is ignored by the user of this value. */
    bool has_wscale, sack_permitted, has_timestamps;
    uint8_t wscale; /* as sent; above 14 counts as 14 (RFC 7323 2.3) */
    uint32_t tsval, tsecr;
    uint8_t sack_count;
    struct wire_sack_block sack[WIRE_SACK_BLOCKS];
};

struct wire_tcp {
    uint16_t src_port, dst_port;
    uint32_t seq, ack;
    uint16_t header_length; /* 20 to 60 */
    uint8_t flags;          /* enum wire_tcp_flag */
    bool ae;                /* the flag before CWR: AE, once NS (RFC 9768 3.1) */
    uint16_t window;        /* as sent, unscaled */
    uint16_t checksum;
    uint16_t urgent; /* urgent pointer as sent */
    struct wire_tcp_options option;
};
/* p must hold the whole header (up to 60 bytes, or all n). A kind-0 option ends the list; an option whose length is 0, 1 or
 * runs past the header refuses the segment; a known kind of wrong length is skipped (RFC 9293 MUST-6, MUST-7). Of a repeated
 * option the first counts. */
uint16_t wire_tcp_parse(const uint8_t *p, size_t n, struct wire_tcp *out);
/* Writes header and options, padded to a multiple of 4, with checksum field `t->checksum`; fills t->header_length in. */
size_t wire_tcp_emit(uint8_t *p, struct wire_tcp *t);
/* Sets the checksum field of a header that is written. */
static inline void wire_tcp_set_checksum(uint8_t *p, uint16_t checksum) {
    put_be16(p + 16, checksum);
}
/* How long wire_tcp_emit would make it. */
size_t wire_tcp_options_length(const struct wire_tcp_options *o);

#endif

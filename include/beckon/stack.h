/* Beckon's core: a TCP/IP stack that is a value.
 *
 * Everything that a stack knows lives in one region of memory that the caller provides. The stack never
 * allocates, reads a clock, performs I/O or draws randomness but from the seed given at creation, and no
 * byte of the region is a pointer. A copy of the first bk_used_extent() bytes is a snapshot: it runs on at
 * another address, in another process, and produces the same frames for the same inputs.
 *
 * The caller moves frames (a link driver of link.h does it for you) and passes the time:
 *
 *     bk_input()          frames that arrived, in a batch
 *     user calls          bk_tcp_connect, bk_tcp_send, bk_tcp_receive, ...
 *     bk_output()         frames that should leave now; bk_output_done() when the device has let go of them
 *     bk_next_deadline()  when to come back; bk_advance() then fires what is due
 *     bk_ready_poll()     which connections became readable, writable, acceptable, closed
 *
 * After bk_input, bk_advance or any user call, call bk_output for each interface until it returns 0: only
 * bk_output makes anything visible on the wire, so a batch is acknowledged as a whole (RFC 9293, MUST-59).
 *
 * Threads: a stack has no locks. One thread at a time may be inside any function that takes the same stack;
 * who that thread is may change between calls. Two stacks share nothing and run in parallel.
 *
 * Time is nanoseconds in a uint64_t, of any epoch, and never runs backwards for one stack: a `now` that lies
 * before an earlier one is treated as the earlier one. Deadline "never" is BK_NEVER.
 *
 * Errors are negative errno values, returned and never stored; each function lists its own.
 */
#ifndef BECKON_STACK_H
#define BECKON_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define BK_API __attribute__((visibility("default")))
#else
#define BK_API
#endif

#define BK_VERSION_MAJOR 0
#define BK_VERSION_MINOR 1
#define BK_VERSION_PATCH 0

/* The version of the library that runs, "0.1.0". */
BK_API const char *bk_version(void);

/* Where an assertion of Beckon's own ends: `what` must hold and does not. The default stops the program (a trap). An embedder may define
 * a function of this name that says more; it must not return. */
#if defined(__GNUC__)
__attribute__((noreturn))
#endif
BK_API void
bk_panic(const char *what, const char *file, int line);

#define BK_NEVER UINT64_MAX
#define BK_NONE  UINT32_MAX /* the id of nothing */

/* ---- addresses ------------------------------------------------------------------------------------- */

/* One address type for both families: 16 bytes in network order; an IPv4 address a.b.c.d is held as
 * ::ffff:a.b.c.d (RFC 4291 2.5.5.2) and travels in IPv4 packets. */
typedef struct bk_addr {
    uint8_t byte[16];
} bk_addr;

/* An IPv4 address from its four parts. */
BK_API bk_addr bk_addr_ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d);
/* Whether `a` is an IPv4 address. */
BK_API bool bk_addr_is_ipv4(const bk_addr *a);
/* Whether `a` is the unspecified address of its family (:: or 0.0.0.0). */
BK_API bool bk_addr_is_any(const bk_addr *a);
BK_API bool bk_addr_equal(const bk_addr *a, const bk_addr *b);
/* Parses "192.0.2.1" or "2001:db8::1" (RFC 4291 2.2). Returns 0, or -EINVAL and leaves *out alone. */
BK_API int bk_addr_parse(const char *text, bk_addr *out);
#define BK_ADDR_TEXT 46 /* bytes that hold any address as text, with its NUL */
/* Writes `a` as text (RFC 5952 for IPv6) and returns `text`. */
BK_API char *bk_addr_format(const bk_addr *a, char text[BK_ADDR_TEXT]);

/* ---- configuration --------------------------------------------------------------------------------- */

/* When a SYN is answered with a cookie (RFC 4987 3.6) instead of a request. */
enum bk_syn_cookies { BK_SYN_COOKIES_NEVER, BK_SYN_COOKIES_WHEN_FULL, BK_SYN_COOKIES_ALWAYS };
/* Explicit congestion notification (RFC 3168): not at all, asked for by active opens, or only granted to those who ask. */
enum bk_ecn { BK_ECN_OFF, BK_ECN_ASK, BK_ECN_GRANT };
/* Whether an active open may take the place of a TIME-WAIT whose timestamps make that safe (RFC 6191), once a second has passed. */
enum bk_time_wait_reuse { BK_REUSE_NEVER, BK_REUSE_ALWAYS, BK_REUSE_LOOPBACK };
/* Finding out a path's MTU by trying (RFC 4821): where packets seem to vanish, or always. */
enum bk_mtu_probing { BK_MTU_PROBING_OFF, BK_MTU_PROBING_BLACK_HOLE, BK_MTU_PROBING_ALWAYS };
/* Congestion control. */
enum bk_congestion {
    BK_CONGESTION_CUBIC,   /* RFC 9438 */
    BK_CONGESTION_NEWRENO, /* RFC 5681, 6582 */
    BK_CONGESTION_BBR,     /* draft-ietf-ccwg-bbr, version 3 */
    BK_CONGESTIONS
};
/* "cubic", "reno", "bbr": as ss(8) has them. */
BK_API const char *bk_congestion_name(enum bk_congestion congestion);

/* A stack's place in a group that shares its addresses (steer.h). A stack of a group opens connections from ports whose flows come back to it. */
#define BK_STEER_KEY 40u
struct bk_steering {
    uint32_t stacks;           /* in the group, 128 at most; 0 or 1: there is none */
    uint32_t index;            /* of this one, from 0 */
    uint8_t key[BK_STEER_KEY]; /* the group's */
};

/* What a stack may hold, and how its TCP behaves by default. All memory is bounded by these figures; at a
 * bound the answer is defined and counted (docs/architecture.md, "Bounds"). */
struct bk_config {
    /* Pools: how many of each may exist at once. */
    uint32_t connections;        /* connections outside SYN-RECEIVED (passive) and TIME-WAIT */
    uint32_t active_connections; /* of those, with data queued or outstanding; 0: all */
    uint32_t listeners;
    uint32_t requests_ipv4; /* passive opens in SYN-RECEIVED; SYN cookies answer beyond it */
    uint32_t requests_ipv6;
    uint32_t time_waits_ipv4; /* beyond it the oldest is dropped and counted */
    uint32_t time_waits_ipv6;
    uint32_t interfaces; /* 1 to 16 */
    uint32_t addresses;  /* local addresses, of all interfaces together */
    uint32_t routes;
    uint32_t neighbours;    /* ARP and ND cache entries */
    uint32_t paths;         /* destinations whose path MTU is remembered */
    uint32_t port_maps;     /* destinations towards which ports are found at once though most are taken; 8 KiB each */
    uint32_t reassemblies;  /* datagrams being put together from fragments */
    uint32_t frames;        /* frames on their way out: built and not yet let go of by a link */
    uint32_t chunk_size;    /* bytes of a frame chunk, a power of two, 256 to 65,536 */
    uint32_t chunks;        /* chunks in all */
    uint32_t buffer_chunks; /* of those, how many may hold queued data; the rest stays free for links */
    uint32_t
        sent_records; /* of what is outstanding, beyond one for each active connection; without them loss is known more coarsely */
    uint32_t trace_events; /* events kept for bk_trace_read (trace.h); 0: no trace, counters only */
    struct bk_steering steering;

    /* TCP defaults for new connections. */
    uint32_t send_buffer; /* bytes of payload */
    uint32_t
        send_buffer_max; /* it grows up to this with the congestion window, unless set by hand; not larger: it does not */
    uint32_t
        send_overhead; /* bytes that each unit of queued data is charged against the send buffer besides itself; 0: the
                             * buffer bounds the payload alone */
    uint32_t unsent_low;     /* SEND begins no new unit while so many bytes are unsent; UINT32_MAX: no such bound */
    uint32_t receive_buffer; /* bytes of payload */
    uint32_t
        receive_buffer_max; /* it grows up to this with what the user reads in a round trip, unless set by hand; the larger of the
                                  * two decides the window scale offered */
    uint32_t msl_ms;         /* maximum segment lifetime; TIME-WAIT lasts twice this (RFC 9293 3.4.2) */
    uint32_t rto_initial_ms; /* RFC 6298 2.1 */
    uint32_t rto_min_ms;
    uint32_t rto_max_ms;
    uint32_t delayed_ack_ms; /* RFC 9293 3.8.6.3: below 500 */
    uint32_t
        delayed_ack_max_ms; /* an ACK is delayed for so long at most, where text comes slowly; below delayed_ack_ms: for that */
    /* So many ACKs at most go at once when a connection begins, or goes on after a pause or a loss; 0: none, nor when the user has read what was pushed. */
    uint32_t quick_acks;
    uint32_t ack_compress_us;     /* an ACK for text behind a known gap waits this long for more of it; 0: not at all */
    uint32_t ack_compress_max;    /* and for so many segments at most */
    uint32_t syn_retries;         /* of an active open, before it fails with ETIMEDOUT (R2 for SYN), besides the next */
    uint32_t syn_linear_timeouts; /* of an active open: so many times the SYN goes again before the RTO doubles */
    uint32_t syn_ack_retries;     /* of a passive open, before the request is dropped */
    uint32_t retries2;            /* R2 for data: retransmissions of one segment before ETIMEDOUT */
    uint32_t orphan_retries;      /* R2 once the user has closed: also bounds a close against a zero window */
    uint32_t orphan_ms;           /* how long a connection whose user has closed may take to send what is queued */
    uint32_t fin_wait_2_ms;       /* how long a connection without owner may stay in FIN-WAIT-2 */
    uint32_t keepalive_idle_s;    /* silence before the first probe (RFC 9293 3.8.4: 2 h or more by default) */
    uint32_t keepalive_interval_s;
    uint32_t keepalive_probes;
    uint32_t
        reordering; /* segments that may arrive out of order before the first counts as lost (DupThresh, RFC 5681 3.2) */
    uint32_t reordering_max;       /* and how far that may grow where the path is seen to reorder */
    uint32_t syn_cookies;          /* enum bk_syn_cookies */
    uint32_t ecn;                  /* enum bk_ecn */
    uint32_t time_wait_reuse;      /* enum bk_time_wait_reuse */
    uint32_t orphans_max;          /* connections whose user has closed, at most: beyond it CLOSE resets */
    uint32_t congestion;           /* enum bk_congestion */
    uint32_t pacing_ss_ratio;      /* percent of cwnd / srtt at which paced connections send in slow start, */
    uint32_t pacing_ca_ratio;      /* and afterwards; 1 to 1,000. BBR has its own rates */
    uint32_t min_tso_segments;     /* of paced connections: a unit is about 1 ms of their rate, but so much at least */
    uint32_t mtu_probing;          /* enum bk_mtu_probing */
    uint32_t base_mss;             /* that a search for the path's MTU begins with */
    uint32_t mtu_probe_floor;      /* least MSS that is tried where packets vanish, in IPv4 */
    uint32_t mtu_probe_interval_s; /* a search that has ended begins again after this */
    uint32_t mtu_probe_threshold;  /* and ends when so few octets are in doubt */
    uint32_t path_mtu_expiry_s;    /* how long what was heard of a path's MTU holds (RFC 1191 6.3) */
    uint32_t challenge_ack_ms;     /* at most one challenge ACK a connection in this time (RFC 5961 7) */
    uint16_t ephemeral_first;      /* ports for active opens without a local port (RFC 6056) */
    uint16_t ephemeral_last;
    bool timestamps; /* offer and accept RFC 7323 timestamps */
    /* Take segments without the timestamp that both ends agreed on (against RFC 7323 3.2), as Linux does. */
    bool accept_unstamped;
    bool window_scaling;  /* offer and accept RFC 7323 window scaling */
    bool sack;            /* offer and accept selective acknowledgments (RFC 2018), and with them RACK (RFC 8985) */
    bool dsack;           /* and report with them what came twice (RFC 2883) */
    bool tail_loss_probe; /* RFC 8985 7 */
    bool frto;            /* detect spurious timeouts (RFC 5682) */
    bool ecn_fallback;    /* a SYN that goes again does not ask for ECN any more */
    bool hystart;         /* the first slow start ends when delay rises (RFC 9406), not only by loss */
    bool pacing;          /* CUBIC and NewReno are paced, too; BBR always is */
    bool slow_start_after_idle; /* a window that was not used for an RTO shrinks (RFC 5681 4.1, RFC 2861) */
    bool delay_fin_ack; /* the ACK of the peer's FIN waits for the user's answer as others do; off: it goes at once */
    /* Offer less than before when memory is short (against RFC 9293 SHLD-14), as Linux's tcp_shrink_window. */
    bool shrink_window;
    /* Linux's account: buffers count with the memory that segments take there, and windows follow (receive_window.c); for what
     * was written to run against Linux. */
    bool receive_overhead;
    /* Frames of one batch that continue each other are handled as one segment (net/coalesce.h). */
    bool receive_coalescing;
    bool reset_on_unread; /* CLOSE with unread data sends RST (RFC 9293 3.6.1) */
};

/* Fills in defaults that suit a server with a few thousand connections (64 MiB of chunks). */
BK_API void bk_config_default(struct bk_config *config);
/* Fills in the smallest useful figures: two connections, in a region below 64 KiB. */
BK_API void bk_config_tiny(struct bk_config *config);

/* ---- the stack as a value -------------------------------------------------------------------------- */

typedef struct bk_stack bk_stack;

/* Bytes that the region of a stack with this configuration can need at most; 0 if the configuration is
 * invalid (bk_create tells why). The region may exceed 4 GiB. Memory that is never used is never touched,
 * so a large region may be reserved lazily (mmap). */
BK_API size_t bk_region_size(const struct bk_config *config);

/* Makes a stack in region[0..size), which must be aligned to 4,096 bytes, must be bk_region_size(config)
 * bytes or more, and belongs to the stack until the caller stops using it; there is nothing to destroy.
 * `seed` decides every random choice: sequence numbers, ports, hash keys. On the wire it must be secret and
 * fresh. Returns 0 and sets *stack (which is the region's start), or
 *   -EINVAL    a configuration field is out of range; *why (if why is not NULL) names it
 *   -ENOMEM    size is too small
 *   -EFAULT    the region is not aligned. */
BK_API int bk_create(void *region, size_t size, const struct bk_config *config, const uint8_t seed[32], uint64_t now,
                     bk_stack **stack, const char **why);

/* How many bytes, from the region's start, hold the stack's state: copy these and no more. It never shrinks.
 * A snapshot is taken between calls, when no link holds a chunk or an unfinished output frame. */
BK_API size_t bk_used_extent(const bk_stack *stack);

/* Takes a copy of a stack, made by memcpy of its used extent into a region of `size` bytes, into use.
 * Returns 0, or -ENOMEM if `size` is below the region size, -EFAULT if it is not aligned, -ENOEXEC if
 * it is no stack, or one of another layout (other build or version). */
BK_API int bk_adopt(void *region, size_t size, bk_stack **stack);

/* Replaces the secrets of a clone that is meant for the wire beside its original, so that the two do not share
 * sequence numbers and ports to come. Existing connections keep working. */
BK_API void bk_reseed(bk_stack *stack, const uint8_t seed[32]);

/* The configuration in force. */
BK_API const struct bk_config *bk_config_of(const bk_stack *stack);

/* Changes the settings of a running stack: every field that is not the size of a pool (those up to trace_events), or steering, may differ. New
 * connections take the new defaults; what all share (bounds in time, limits) holds at once. Returns 0, or
 *   -EINVAL    a field is out of range, or the size of a pool differs, or steering does
 *   -EBUSY     msl_ms differs while connections are in TIME-WAIT, or the times of SYN-ACKs (rto_initial_ms, rto_max_ms,
 *              syn_ack_retries) differ while requests wait for them
 * and then nothing has changed, and *why (if why is not NULL) names it. */
BK_API int bk_config_change(bk_stack *stack, const struct bk_config *config, const char **why);

/* The hash of the layout of everything in a region, for this build. */
BK_API uint64_t bk_layout_hash(void);

/* ---- interfaces ------------------------------------------------------------------------------------ */

enum bk_layer { BK_LAYER_ETHERNET = 2, BK_LAYER_IP = 3 };

enum bk_offload {
    BK_OFFLOAD_TX_CHECKSUM = 1, /* the link completes the TCP checksum */
    BK_OFFLOAD_TSO4 = 2,        /* the link cuts TCP units over IPv4 */
    BK_OFFLOAD_TSO6 = 4,
};

struct bk_iface_config {
    enum bk_layer layer;
    uint8_t mac[6];     /* BK_LAYER_ETHERNET */
    uint8_t hop_limit;  /* or TTL, of what we send; 0: 64, and in IPv6 what a router advertises */
    uint32_t mtu;       /* of IP, 576 (1,280 if IPv6 is used) to 65,535 */
    uint32_t offload;   /* bits of enum bk_offload */
    uint32_t unit_max;  /* largest payload of a unit handed to the link, bytes; 0: 65,536 - headers */
    bool accept_any;    /* take packets to any destination address as ours (tun-to-proxy, VPN) */
    bool autoconfigure; /* IPv6: link-local address, DAD, router solicitation, SLAAC (RFC 4862) */
};

/* Adds an interface. Returns its number, or -ENOSPC, -EINVAL. */
BK_API int bk_iface_add(bk_stack *stack, const struct bk_iface_config *config, uint64_t now);
/* Gives an interface a local address with its on-link prefix. IPv6 addresses on Ethernet go through duplicate
 * address detection first (RFC 4862 5.4) unless `skip_dad`. Returns 0, -ENOSPC, -EINVAL, -EEXIST. */
BK_API int bk_iface_address_add(bk_stack *stack, uint32_t iface, const bk_addr *addr, uint8_t prefix_length,
                                bool skip_dad, uint64_t now);
/* The link's MTU has changed, to 576 (1,280 if IPv6 is used) to 65,535 and no more than was configured: connections that are open follow. A
 * smaller one that a router advertises holds all the same. Returns 0 or -EINVAL. */
BK_API int bk_iface_mtu_set(bk_stack *stack, uint32_t iface, uint32_t mtu, uint64_t now);
/* Says what the user knows of the path to `remote`: packets larger than `mtu`, 128 to 65,535, do not fit. This bounds the segments of
 * all connections to it, open ones too, and the MSS that is offered to it. 0 takes it back. Returns 0, -EINVAL, -ENOSPC (bk_config.paths). */
BK_API int bk_path_mtu_set(bk_stack *stack, const bk_addr *remote, uint32_t mtu, uint64_t now);
/* Sends packets to addr/prefix_length through `gateway` (or, when it is the unspecified address, directly)
 * on `iface`. The longest prefix wins. Returns 0, -ENOSPC, -EINVAL. */
BK_API int bk_route_add(bk_stack *stack, const bk_addr *addr, uint8_t prefix_length, const bk_addr *gateway,
                        uint32_t iface);
/* Lists local addresses: fills entry number `index` (0, 1, ...) and returns true, or false past the last.
 * `state` is 0 tentative (DAD runs), 1 in use, 2 duplicate (unusable, RFC 4862 5.4.5). */
struct bk_iface_address {
    bk_addr addr;
    uint32_t iface;
    uint8_t prefix_length;
    uint8_t state;
};
BK_API bool bk_iface_address_get(const bk_stack *stack, uint32_t index, struct bk_iface_address *out);

/* ---- frames ---------------------------------------------------------------------------------------- */

/* A run of bytes inside a chunk. */
struct bk_part {
    uint32_t chunk;
    uint16_t offset;
    uint16_t length;
};

/* Takes up to n free chunks, one reference each, and returns how many. Fewer than n means that the pool is
 * empty for now: leave frames in the device and come back (the stack counts it). */
BK_API size_t bk_chunk_alloc(bk_stack *stack, uint32_t *chunks, size_t n);
/* Gives up one reference to each of n chunks. */
BK_API void bk_chunk_release(bk_stack *stack, const uint32_t *chunks, size_t n);
/* The bytes of a chunk, bk_config.chunk_size of them, inside the region and aligned to the chunk size
 * relative to its start (up to 4,096). */
BK_API uint8_t *bk_chunk_data(bk_stack *stack, uint32_t chunk);

enum bk_rx_flag {
    BK_RX_CHECKSUM_VALID = 1,   /* the device checked the TCP/UDP checksum */
    BK_RX_CHECKSUM_PARTIAL = 2, /* from a local sender that left it unfinished; nothing to check */
    BK_RX_REFUSED = 4,          /* the link has found something wrong, and set `reason`: it is only counted */
    /* The device does not say whether a local sender left it unfinished. Then the field holds the sum of the pseudo header alone, and
     * that is taken; any other checksum is verified. */
    BK_RX_CHECKSUM_LOCAL = 8,
};

/* A frame that arrived. The link header (Ethernet) or the IP header comes first in parts[0]. */
struct bk_rx {
    const struct bk_part *parts;
    uint16_t part_count;
    uint8_t flags;
    uint16_t gso_size; /* payload of each segment merged into this frame by the device; 0: a plain frame */
    uint16_t reason;   /* out: enum bk_reason (trace.h), what became of it */
};

/* Handles a batch of frames that arrived on `iface`, and takes over the caller's reference to each part's chunk,
 * whatever becomes of the frame. Frames of one connection are handled in their order; those that continue each other, as one
 * (config.receive_coalescing). Sets each frame's `reason`. Any bytes are fine: bad ones are dropped, with
 * a reason. */
BK_API void bk_input(bk_stack *stack, uint32_t iface, struct bk_rx *frames, size_t n, uint64_t now);

/* The same for one frame in memory of the caller's, which is copied. Returns its reason, which is
 * BK_REASON_NO_CHUNK if there was no chunk to copy it to. */
BK_API uint16_t bk_input_copy(bk_stack *stack, uint32_t iface, const void *frame, size_t length, uint64_t now);

/* A unit that should leave: a header (link, IP, TCP) and the payload as references, of up to 64 KiB. When gso_size
 * is not 0, the payload is to be cut into segments of gso_size bytes, each under a copy of the header with
 * sequence number, lengths, IP id, flags and checksums adjusted: bk_tx_write does it in software. */
struct bk_tx {
    uint32_t id; /* for bk_output_done */
    uint32_t payload_length;
    const uint8_t *header;
    const struct bk_part *parts;
    uint16_t header_length;
    uint16_t part_count;
    uint16_t gso_size;
    uint16_t ip_offset;          /* of the IP header in header[] */
    uint16_t l4_offset;          /* of the TCP, UDP or ICMP header */
    uint16_t reason;             /* enum bk_reason: why it is sent */
    uint8_t l4_checksum_partial; /* TCP checksum field holds the pseudo header's sum only */
    uint32_t object;             /* the connection's index it belongs to, or BK_NONE */
};

/* Takes up to n units that should leave `iface` now, in order, and returns how many; 0 when there is nothing more.
 * Pointers stay valid until bk_output_done of that unit. Ask only for what the device can take: what is not
 * asked for stays in the stack, and nothing is lost. */
BK_API size_t bk_output(bk_stack *stack, uint32_t iface, struct bk_tx *units, size_t n, uint64_t now);
/* Whether bk_output should be asked: something is ready to leave, or a connection may have something to send. */
BK_API bool bk_output_pending(const bk_stack *stack, uint32_t iface);
/* The device has let go of these units; their memory is reused. */
BK_API void bk_output_done(bk_stack *stack, const uint32_t *ids, size_t n);

/* How many frames the wire sees for this unit: 1, or payload/gso_size rounded up. */
BK_API uint32_t bk_tx_count(const struct bk_tx *unit);
/* Writes the i-th of them, complete with checksums, to buffer[0..size). Returns its length, or 0 if `size` is too
 * small (a frame needs header_length + min(gso_size, payload_length)). */
BK_API size_t bk_tx_write(const bk_stack *stack, const struct bk_tx *unit, uint32_t i, void *buffer, size_t size);

/* ---- time ------------------------------------------------------------------------------------------ */

/* When to call bk_advance at the latest: BK_NEVER if nothing is waited for. May be earlier than anything that
 * is due, never later. */
BK_API uint64_t bk_next_deadline(const bk_stack *stack);
/* Fires what is due at `now`. */
BK_API void bk_advance(bk_stack *stack, uint64_t now);

/* ---- TCP: the user's calls (RFC 9293 3.9.1, 3.10.1 to 3.10.6) -------------------------------------- */

/* Handles name an object for as long as the user holds it; a stale one is recognised and answered -EBADF. */
typedef struct bk_conn {
    uint32_t index;
    uint32_t generation;
} bk_conn;
typedef struct bk_listener {
    uint32_t index;
    uint32_t generation;
} bk_listener;

enum bk_state {
    BK_CLOSED,
    BK_LISTEN,
    BK_SYN_SENT,
    BK_SYN_RECEIVED,
    BK_ESTABLISHED,
    BK_FIN_WAIT_1,
    BK_FIN_WAIT_2,
    BK_CLOSE_WAIT,
    BK_CLOSING,
    BK_LAST_ACK,
    BK_TIME_WAIT,
    BK_STATES
};

/* Passive OPEN. `local` may be unspecified (:: takes IPv6 and IPv4, 0.0.0.0 takes IPv4 only); port 1 to 65,535; backlog is
 * how many finished connections may wait for bk_tcp_accept. `user` comes back with each readiness event.
 * Returns 0 and *out, or -EADDRINUSE, -EADDRNOTAVAIL, -EINVAL, -ENOBUFS. */
BK_API int bk_tcp_listen(bk_stack *stack, const bk_addr *local, uint16_t port, uint32_t backlog, uint64_t user,
                         uint64_t now, bk_listener *out);
/* The same with more to say. */
enum bk_listen_flag {
    BK_LISTEN_IPV6_ONLY = 1, /* `local` is :: and IPv4 is left to others (RFC 3493 5.3) */
    BK_LISTEN_FOREIGN = 2,   /* `local` need not be a local address: it may become one */
};
struct bk_tcp_passive {
    bk_addr local;
    uint16_t port;
    uint32_t backlog;
    uint32_t flags; /* bits of enum bk_listen_flag */
    uint64_t user;
};
BK_API int bk_tcp_listen_with(bk_stack *stack, const struct bk_tcp_passive *passive, uint64_t now, bk_listener *out);
/* Changes how many finished connections may wait; those that wait already stay. Returns 0, -EINVAL (0), -EBADF. */
BK_API int bk_tcp_backlog(bk_stack *stack, bk_listener listener, uint32_t backlog, uint64_t now);
/* Takes the oldest finished connection. Returns 0, or -EAGAIN, -EBADF. */
BK_API int bk_tcp_accept(bk_stack *stack, bk_listener listener, uint64_t user, uint64_t now, bk_conn *out);
/* Stops listening. Its requests are forgotten; connections not yet accepted are reset. Returns 0 or -EBADF. */
BK_API int bk_tcp_unlisten(bk_stack *stack, bk_listener listener, uint64_t now);

struct bk_tcp_open {
    bk_addr local; /* unspecified: chosen by route */
    bk_addr remote;
    uint16_t local_port; /* 0: chosen by RFC 6056 */
    uint16_t remote_port;
    uint64_t user; /* comes back with each readiness event */
};
/* Active OPEN: returns at once, in SYN-SENT; BK_READY_CONNECTED or BK_READY_CLOSED follows. Returns 0 and *out, or
 * -EADDRINUSE (that 4-tuple exists), -EADDRNOTAVAIL (no free port, not a local address, or a port whose flow belongs to another stack
 * of the group),
 * -ENETUNREACH (no route), -EINVAL, -ENOBUFS. */
BK_API int bk_tcp_connect(bk_stack *stack, const struct bk_tcp_open *open, uint64_t now, bk_conn *out);

enum bk_send_flag {
    BK_SEND_URGENT = 1, /* the last byte is urgent data's end (RFC 6093) */
    BK_SEND_MORE = 2,   /* more follows at once: hold back a partial segment */
    BK_SEND_RECORD =
        4, /* the last byte ends a record: no segment holds it and what is sent later, also when sent again */
};
/* SEND: queues a copy of up to `length` bytes and returns how many, at least 1 unless length is 0; or
 * -EAGAIN (the send buffer, or the stack's budget, is full; BK_READY_WRITABLE follows),
 * -EPIPE (the sending side is closed), the connection's error (-ECONNRESET, -ETIMEDOUT, ...), -EBADF,
 * -ENOTCONN (SYN-SENT data is queued, so only after CLOSED). */
BK_API ptrdiff_t bk_tcp_send(bk_stack *stack, bk_conn conn, const void *data, size_t length, uint32_t flags,
                             uint64_t now);
/* RECEIVE: copies up to `size` bytes out and returns how many; 0 when the peer has closed its side and all
 * is read; or -EAGAIN, the connection's error (after all data that arrived before it), -EBADF. */
BK_API ptrdiff_t bk_tcp_receive(bk_stack *stack, bk_conn conn, void *data, size_t size, uint64_t now);

/* RECEIVE by reference: lends up to n parts of the data at the queue's head, without consuming it, and returns
 * how many (0: see bk_tcp_receive for what it would return). They stay valid until bk_tcp_consume. */
BK_API size_t bk_tcp_peek_parts(const bk_stack *stack, bk_conn conn, struct bk_part *parts, size_t n);
/* Consumes `length` bytes of what bk_tcp_peek_parts lent. Returns 0, -EINVAL (more than is there), -EBADF. */
BK_API int bk_tcp_consume(bk_stack *stack, bk_conn conn, size_t length, uint64_t now);
/* SEND by reference: queues bytes of chunks that the caller filled (bk_chunk_alloc), and takes over one reference to each;
 * all or nothing. Returns 0, -EINVAL (no such bytes), -EMSGSIZE (more than the send buffer, or three quarters of
 * buffer_chunks, can ever hold), or as bk_tcp_send. */
BK_API int bk_tcp_send_parts(bk_stack *stack, bk_conn conn, const struct bk_part *parts, size_t n, uint32_t flags,
                             uint64_t now);

/* CLOSE of the sending side only (half-close): FIN follows the data queued. Returns 0, -ENOTCONN, -EBADF. */
BK_API int bk_tcp_shutdown(bk_stack *stack, bk_conn conn, uint64_t now);
/* CLOSE and let go: the handle is invalid at once and the stack finishes alone (data queued, FIN, TIME-WAIT), within
 * bounded time. Unread data, or data that arrives later, resets the connection (RFC 9293 3.6.1).
 * Returns 0 or -EBADF. */
BK_API int bk_tcp_close(bk_stack *stack, bk_conn conn, uint64_t now);
/* ABORT: RST, if the state asks for one, and the handle is invalid at once. Returns 0 or -EBADF. */
BK_API int bk_tcp_abort(bk_stack *stack, bk_conn conn, uint64_t now);

enum bk_tcp_option {
    BK_TCP_NODELAY,   /* 0/1: Nagle's algorithm off (RFC 9293 3.7.4) */
    BK_TCP_KEEPALIVE, /* 0/1 (RFC 9293 3.8.4), off by default */
    BK_TCP_KEEPALIVE_IDLE_S,
    BK_TCP_KEEPALIVE_INTERVAL_S,
    BK_TCP_KEEPALIVE_PROBES,
    BK_TCP_USER_TIMEOUT_MS, /* 0: R2 decides (RFC 9293 3.9.1, RFC 5482) */
    BK_TCP_SEND_BUFFER,     /* bytes */
    BK_TCP_RECEIVE_BUFFER,  /* bytes; never takes back a window that was offered */
    BK_TCP_QUICKACK,        /* 0/1: no delayed ACKs */
    BK_TCP_SYN_RETRIES,     /* 0 to 127: as syn_retries, for this connection */
    BK_TCP_CONGESTION,      /* enum bk_congestion; may change at any time */
    BK_TCP_MAX_SEGMENT,     /* bounds the MSS that is offered and used, from before the handshake; 0: the path's */
    BK_TCP_FIN_WAIT_2_S,    /* how long it may stay in FIN-WAIT-2 without owner; 0: fin_wait_2_ms */
    BK_TCP_TRAFFIC_CLASS,   /* IPv4's TOS, IPv6's traffic class (RFC 2474); the two low bits are ECN's, and ignored */
    BK_TCP_HOP_LIMIT,       /* IPv4's TTL, IPv6's hop limit; 0: the interface's */
    BK_TCP_MTU_DISCOVERY,   /* enum bk_mtu_discovery */
    BK_TCP_CORK,            /* 0/1: as BK_SEND_MORE with every SEND; off, or NODELAY set, lets go what is queued */
    BK_TCP_UNSENT_LOW,      /* bytes: SEND begins no new unit while so many are unsent; UINT32_MAX: no such bound */
    BK_TCP_RTO_MAX_MS, /* 1,000 to 120,000, kept to 2 ms, rounded up: the RTO and what backs off with it, at most; 0: rto_max_ms */
    BK_TCP_WINDOW_CLAMP, /* bytes: the window offered is no larger; what was offered stands; 0: no such bound */
    BK_TCP_DEFER_ACCEPT, /* of a listener only: see bk_tcp_listener_set */
    BK_TCP_USER,         /* the `user` value of readiness events */
    BK_TCP_NEWS,         /* bits of enum bk_tcp_news: readiness beyond the usual */
    BK_TCP_WANT_WRITE,   /* 0/1: WRITABLE is to follow when a third of the send buffer is free, as after -EAGAIN */
    BK_TCP_OPTIONS
};
enum bk_tcp_news {
    BK_NEWS_ARRIVALS = 1, /* READABLE each time that data arrives, not only at an empty queue */
    BK_NEWS_PROGRESS = 2, /* PROGRESS each time that SND.NXT or SND.UNA moves */
    BK_NEWS_ERRORS = 4,   /* ICMP errors are kept for bk_tcp_errors */
};
/* How the path's MTU is found out (RFC 1191, RFC 8201). */
enum bk_mtu_discovery {
    BK_MTU_DISCOVER, /* Don't Fragment is set, and routers that say that a segment is too big are heeded */
    BK_MTU_FRAGMENT, /* IPv4 routers may fragment, and none is heeded; in IPv6, where routers do not, as BK_MTU_DISCOVER */
    BK_MTU_PROBE,    /* Don't Fragment is set, segments are as large as the link takes: the user finds out */
    BK_MTU_INTERFACE, /* the same without Don't Fragment */
    BK_MTU_DISCOVERIES
};
/* Sets an option. Returns 0, -EINVAL (value out of range), -ENOPROTOOPT, -EBADF. */
BK_API int bk_tcp_set(bk_stack *stack, bk_conn conn, enum bk_tcp_option option, uint64_t value, uint64_t now);
BK_API int bk_tcp_get(const bk_stack *stack, bk_conn conn, enum bk_tcp_option option, uint64_t *value);
/* Sets what a listener's connections begin with from their handshake on, whenever they come: options before BK_TCP_USER. A
 * connection whose SYN has been answered keeps what it was offered. But for BK_TCP_QUICKACK, which each connection begins without.
 *
 * BK_TCP_RTO_MAX_MS bounds the times between SYN-ACKs, too: these grow in steps of rto_initial_ms, doubled, and the last step that is
 * within the bound (the first in any case) is repeated.
 * BK_TCP_DEFER_ACCEPT, 0 to BK_DEFER_MAX: an ACK without text or FIN does not finish a handshake before so many times for a SYN-ACK have passed.
 * Those times go on without a SYN-ACK, but for the last: then one goes, and its ACK is enough. A request that gets neither
 * is dropped as others are, but not before. A SYN cookie's ACK is never deferred. Returns as bk_tcp_set. */
#define BK_DEFER_MAX 11u
BK_API int bk_tcp_listener_set(bk_stack *stack, bk_listener listener, enum bk_tcp_option option, uint64_t value,
                               uint64_t now);

/* STATUS: everything about a connection, in the RFC's terms. Times are microseconds, sizes bytes. */
struct bk_tcp_info {
    bk_addr local, remote;
    uint16_t local_port, remote_port;
    uint8_t state; /* enum bk_state */
    uint8_t iface;
    uint8_t send_scale, receive_scale;
    bool timestamps, keepalive, nodelay, owned; /* owned: a user holds it */
    bool sack;                                  /* both ends said SACK-permitted */
    bool ecn, ecn_seen;                         /* agreed on (RFC 3168); some segment of the peer's was ECN-capable */
    int32_t error;                              /* pending error, a negative errno, or 0 */
    int32_t soft_error; /* likewise: a trouble that may pass, heard since data was last acknowledged */
    uint32_t iss, snd_una, snd_nxt, snd_wnd, snd_wl1, snd_wl2, snd_up, max_snd_wnd;
    uint32_t irs, rcv_nxt, rcv_wnd, rcv_up;
    uint32_t send_mss, receive_mss, advertised_mss;
    uint32_t path_mtu;                                  /* that its segments keep to */
    uint32_t send_queued, receive_queued, out_of_order; /* bytes */
    uint32_t send_buffer, receive_buffer;
    uint32_t receive_space;         /* bytes that the user read in a round trip, at most */
    uint32_t receive_rtt_us;        /* the RTT as the receiving side sees it; 0: unknown */
    uint32_t out_of_order_segments; /* kept behind a gap when they came */
    uint32_t sent_age_ms;           /* since data last left (none has: as the next) */
    uint32_t heard_age_ms;          /* since the peer was last heard */
    uint32_t text_age_ms;           /* since text last came in order, or the peer's SYN */
    uint32_t srtt_us, rttvar_us, min_rtt_us, rto_us;
    uint32_t cwnd, ssthresh, in_flight;
    uint8_t congestion;        /* enum bk_congestion */
    bool delivery_app_limited; /* delivery_rate is of an application that had no more to send */
    uint64_t pacing_rate;      /* bytes a second; 0: not paced */
    uint64_t delivery_rate;    /* bytes a second, by the last sample that tells of the path; 0: none yet */
    uint64_t bbr_bw;           /* of BBR's model: bytes a second, */
    uint32_t bbr_min_rtt_us;   /* and the least RTT; 0: another controller, or not known yet */
    /* 0 open 1 disorder 2 cwnd being reduced 3 fast recovery 4 after a retransmission timeout, as tcp_info's ca_state */
    uint8_t recovery;
    uint8_t retransmits; /* back-offs of the segment at SND.UNA */
    uint8_t probes;      /* keep-alive or window probes unanswered */
    uint8_t timer;       /* 0 none 1 retransmission 2 keepalive 3 TIME-WAIT/FIN-WAIT-2 4 persist, as ss(8) */
    uint64_t timer_due;  /* absolute time, BK_NEVER if none */
    uint8_t backoff;     /* doublings that rto_us contains */
    /* Segments outstanding; of those SACKed, believed lost, sent again and on their way. */
    uint32_t segments_unacked, segments_sacked, segments_lost, segments_resent;
    uint32_t reordering;       /* segments that may come out of order before one counts as lost */
    uint32_t reordering_seen;  /* how often some did */
    uint32_t dsack_duplicates; /* segments that the peer reported to have got twice */
    uint64_t segments_delivered;
    uint64_t bytes_sent, bytes_retransmitted, bytes_acked, bytes_received;
    uint64_t segments_sent, segments_received, segments_retransmitted;
    uint64_t data_segments_sent, data_segments_received; /* those of them with text */
    uint64_t segments_delivered_ce; /* of segments_delivered, by ACKs that told of congestion (RFC 3168 ECE) */
    uint32_t
        ack_delay_us; /* how long an ACK would be delayed now; 0: no text has come, or its connection has been idle */
    uint32_t receive_window_most; /* the window that is offered when nothing is unread */
    /* Of the retransmission timer: how often it fired, SYNs included; series of that, each to the end of the recovery; their time together. */
    uint32_t timeouts, timeout_episodes, timeout_ms;
    /* How long data was queued or outstanding; of that, held back by the peer's window, and by a send buffer that the user waits for. */
    uint64_t busy_us, window_limited_us, buffer_limited_us;
    uint64_t idle_since;           /* time of the last segment received */
    uint32_t backlog, backlog_max; /* of a listener: waiting for accept, and the bound */
};
BK_API int bk_tcp_status(const bk_stack *stack, bk_conn conn, struct bk_tcp_info *info);

/* An ICMP error about a connection's segment (RFC 9293 3.9.2.2), which named something outstanding (RFC 5927 4). */
struct bk_tcp_error {
    bk_conn conn;
    uint64_t user;    /* its user value */
    bk_addr offender; /* who sent the error */
    int32_t error;    /* what it means, a negative errno */
    uint32_t seq;     /* of the segment that it quotes */
    uint32_t info;    /* the MTU that it names, if it does */
    uint8_t type, code;
    bool hard; /* it ended the connection */
};
/* Takes up to n errors of connections whose user asked (BK_NEWS_ERRORS), oldest first, and returns how many. 32 are kept for the whole stack: ask
 * after each bk_input. Beyond that the newest are dropped and counted (NOTE_ERRORS_FULL). */
BK_API size_t bk_tcp_errors(bk_stack *stack, struct bk_tcp_error *errors, size_t n);
/* The trouble that was heard of last and may pass (bk_tcp_info.soft_error), which is then forgotten. 0: none; -EBADF. */
BK_API int bk_tcp_take_soft_error(bk_stack *stack, bk_conn conn);

/* The same for a listener: address, backlog, how many wait. */
BK_API int bk_tcp_listener_status(const bk_stack *stack, bk_listener listener, struct bk_tcp_info *info);

/* What is asked at each step of a user's: a small part of STATUS, quick to get. */
struct bk_tcp_look {
    uint8_t state;       /* enum bk_state */
    bool fin_received;   /* the peer's end of data stands behind what is queued */
    bool fin_queued;     /* ours does */
    bool urgent;         /* urgent_end has not been read yet */
    int32_t error;       /* as bk_tcp_info's */
    uint32_t read_seq;   /* number of the octet that RECEIVE gives next */
    uint32_t urgent_end; /* number of the octet after the urgent data (RFC 6093) */
    uint32_t receive_queued;
    uint32_t rcv_wnd, receive_mss;
    uint32_t snd_una, snd_nxt;
    bool writable;      /* a third of the send buffer is free, and little is unsent (BK_TCP_UNSENT_LOW) */
    uint32_t send_end;  /* number after the last octet that was queued */
    uint32_t send_room; /* octets that the send buffer takes */
    uint32_t send_buffer;
};
BK_API int bk_tcp_look(const bk_stack *stack, bk_conn conn, struct bk_tcp_look *look);

/* Walks everything that netstat would show: listeners, requests (as SYN-RECEIVED), connections, TIME-WAITs. Start
 * with *cursor 0; returns false at the end. The stack must not change in between. */
BK_API bool bk_tcp_list(const bk_stack *stack, uint64_t *cursor, struct bk_tcp_info *info);

/* ---- readiness ------------------------------------------------------------------------------------- */

enum bk_ready_what {
    BK_READY_CONNECTED = 1,    /* SYN-SENT became ESTABLISHED; WRITABLE comes with it */
    BK_READY_READABLE = 2,     /* data, or the peer's end of data, arrived at an empty queue */
    BK_READY_WRITABLE = 4,     /* room again after -EAGAIN */
    BK_READY_ACCEPTABLE = 8,   /* a listener's queue became non-empty */
    BK_READY_PEER_CLOSED = 16, /* the peer's FIN was taken in order */
    BK_READY_CLOSED = 32,      /* the connection is over, the error, if any, is in bk_tcp_status; comes with READABLE
                              * and WRITABLE, so that whoever waits for either wakes */
    BK_READY_URGENT = 64,      /* urgent data was announced (RFC 9293 3.8.5) */
    BK_READY_PROGRESS =
        128, /* octets were sent for the first time, or acknowledged: where BK_NEWS_PROGRESS asks for it */
};
struct bk_ready {
    uint32_t what; /* bits of enum bk_ready_what, collected since the last poll */
    bool listener; /* whether (index, generation) is a bk_listener or a bk_conn */
    uint32_t index, generation;
    uint64_t user;
};
/* Whether bk_ready_poll would return something: do not sleep before it has been asked. */
BK_API bool bk_ready_pending(const bk_stack *stack);
/* Takes up to n events and returns how many. O(1) each, however many connections there are. A connection stands in the
 * queue once, with all that happened to it. */
BK_API size_t bk_ready_poll(bk_stack *stack, struct bk_ready *events, size_t n);

/* ---- occupancy and counters ------------------------------------------------------------------------ */

enum bk_pool {
    BK_POOL_CONNECTIONS,
    BK_POOL_ACTIVE,
    BK_POOL_LISTENERS,
    BK_POOL_REQUESTS_IPV4,
    BK_POOL_REQUESTS_IPV6,
    BK_POOL_TIME_WAITS_IPV4,
    BK_POOL_TIME_WAITS_IPV6,
    BK_POOL_DEMUX,
    BK_POOL_FRAMES,
    BK_POOL_EXTENTS,
    BK_POOL_CHUNKS,
    BK_POOL_REASSEMBLIES,
    BK_POOLS
};
struct bk_pool_info {
    uint32_t in_use, high_water, capacity, object_size;
};
BK_API void bk_pool_info(const bk_stack *stack, enum bk_pool pool, struct bk_pool_info *info);
/* "connections", "active", ... */
BK_API const char *bk_pool_name(enum bk_pool pool);

/* How often each reason (trace.h) was given since creation. */
BK_API uint64_t bk_reason_count(const bk_stack *stack, uint16_t reason);

/* RFC 4022's tcp group. tcpCurrEstab counts ESTABLISHED and CLOSE-WAIT. */
struct bk_tcp_mib {
    uint64_t active_opens, passive_opens, attempt_fails, estab_resets, curr_estab;
    uint64_t in_segs, out_segs, retrans_segs, in_errs, out_rsts;
};
BK_API void bk_tcp_mib(const bk_stack *stack, struct bk_tcp_mib *mib);

#ifdef __cplusplus
}
#endif
#endif

/* The bench on which the TCP tests run: one stack, a peer that the test plays, and virtual time.
 *
 * A test brings a connection into a state by real segments (established(), close_wait(), ...), lets segments of the
 * peer arrive (receive(SEG(...))), and says what must leave (expect(SEG(...)), expect_silence()) and what the user
 * must hear (expect_ready, expect_error, ...). Everything goes through the public API; segments are built and parsed here,
 * independently of the core, and every one that the stack sends is checked: lengths, checksums, addresses, and its
 * payload against what the user sent at that place of the stream.
 *
 * Sequence numbers are relative, as tcpdump shows them: in the peer's segments `seq` counts from the peer's ISN (which
 * lies just below 2^32, so that every test wraps) and `ack` from the stack's; in the stack's segments the other way
 * round. The SYN is 0, the first byte 1. The stack's ISN is learned from its first SYN.
 *
 * Each test runs once over IPv4 and once over IPv6: list it with BOTH(test) and run the list with run_fixture_tests(tests).
 */
#ifndef TESTS_FIXTURE_H
#define TESTS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "beckon/stack.h"
#include "beckon/trace.h"

/* Defaults in SEG are meant to be overridden. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Winitializer-overrides"
#elif defined(__GNUC__)
#pragma GCC diagnostic ignored "-Woverride-init"
#endif

enum seg_flag {
    FIN = 1,
    SYN = 2,
    RST = 4,
    PSH = 8, /* in expect: not compared; see .psh */
    ACK = 16,
    URG = 32,
    ECE = 64,
    CWR = 128,
    MAYBE_ACK = 0x100, /* in expect: this bit may be set or not */
    MAYBE_FIN = 0x200,
    ANY_FLAGS = 0x1000,
};

#define ANY    INT64_MIN       /* receive: the peer's natural value; expect: not compared */
#define ABSENT (INT64_MIN + 1) /* of an option: not there */
#define SOME   (INT64_MIN + 2) /* of a length: one byte or more */

/* A segment that arrives, or that is expected. */
struct seg {
    int flags;
    int64_t seq, ack;
    int64_t wnd;                       /* the 16 bits as sent, unscaled */
    int64_t len;                       /* bytes of the stream's pattern; expect: 0 unless named */
    const char *payload;               /* other bytes than the pattern, with their length in .len */
    int64_t mss, wscale, tsval, tsecr; /* options */
    int64_t urg;                       /* the urgent pointer as sent */
    int64_t psh;
    int64_t tc;     /* traffic class in the IP header */
    int64_t at;     /* expect: milliseconds since mark(), within TOLERANCE_MS later */
    int64_t before; /* expect: sent before so many milliseconds since mark() */
    int64_t reason; /* expect: enum bk_reason */
    int64_t sport, dport;
    const bk_addr *src, *dst;
    bool seq_absolute;
    bool bad_checksum;
    const uint8_t *options; /* receive: these bytes instead of options made from the fields above */
    size_t options_length;
};
#define SEG(...)                                                                                                       \
    ((struct seg){.flags = ANY_FLAGS,                                                                                  \
                  .seq = ANY,                                                                                          \
                  .ack = ANY,                                                                                          \
                  .wnd = ANY,                                                                                          \
                  .mss = ANY,                                                                                          \
                  .wscale = ANY,                                                                                       \
                  .tsval = ANY,                                                                                        \
                  .tsecr = ANY,                                                                                        \
                  .urg = ANY,                                                                                          \
                  .psh = ANY,                                                                                          \
                  .tc = ANY,                                                                                           \
                  .at = ANY,                                                                                           \
                  .before = ANY,                                                                                       \
                  .reason = ANY,                                                                                       \
                  .sport = ANY,                                                                                        \
                  .dport = ANY,                                                                                        \
                  __VA_ARGS__})

#define TOLERANCE_MS 5

/* ---- segments as the wire has them (fixture_wire.c) -------------------------------------------------- */

struct wire_seg {
    bk_addr src, dst;
    uint16_t sport, dport;
    uint32_t seq, ack;
    uint8_t flags;
    uint16_t wnd, urg;
    int32_t mss, wscale; /* -1: absent */
    bool sack_permitted, ts;
    uint8_t sack_count; /* parse: SACK blocks, left and right */
    uint32_t sack[4][2];
    uint32_t tsval, tsecr;
    const uint8_t *payload;
    uint32_t len;
    const uint8_t *options; /* build: these instead */
    size_t options_length;
    bool bad_checksum;
    uint8_t ttl;
    uint8_t tc;         /* traffic class */
    bool dont_fragment; /* IPv4 */
};
#define FRAME_MAX 66000
/* Writes a whole IP packet and returns its length. */
size_t wire_seg_build(const struct wire_seg *w, uint8_t *frame);
/* Returns NULL, or what is wrong with the packet. */
const char *wire_seg_parse(const uint8_t *frame, size_t n, struct wire_seg *w);
/* In tcpdump's manner, sequence numbers less these bases. */
#define SEG_TEXT 256
char *wire_seg_format(const struct wire_seg *w, uint32_t seq_base, uint32_t ack_base, char text[SEG_TEXT]);
uint32_t wire_seg_end(const struct wire_seg *w); /* SEG.SEQ + SEG.LEN */

/* ---- the bench --------------------------------------------------------------------------------------- */

/* What the peer of one connection knows and how it behaves. */
struct flow {
    bk_addr local, remote; /* the stack's address, the peer's */
    uint16_t local_port, remote_port;
    uint32_t isn; /* the peer's */
    uint32_t iss; /* the stack's, once it is known */
    bool iss_known;
    int64_t nxt;     /* what the peer sends next, relative */
    int64_t seen;    /* end of all that the stack sent, relative: what the peer acknowledges by default */
    int64_t got_ack; /* the stack's last acknowledgment, relative */
    uint32_t wnd;    /* the peer's window field */
    int32_t mss;     /* options that the peer offers; -1: not */
    int32_t wscale;
    bool timestamps;
    bool ts_on; /* both sides offered them */
    bool scale_on;
    uint32_t ts_base; /* the peer's timestamp clock at time 0, in milliseconds */
    uint32_t ts_seen; /* the stack's last TSval */
    uint8_t stack_scale;
    bool raw; /* payload is not the pattern */
    bk_conn conn;
    bool held;           /* conn is a handle of the user's */
    uint64_t sent, read; /* bytes that the user sent and read */
};

struct sent {
    uint64_t time;
    uint16_t reason;
    uint32_t unit; /* number of the unit (GSO) that it was cut from */
    size_t length;
    uint8_t *frame;
};

struct fixture {
    int family;              /* 4 or 6 */
    struct bk_config config; /* may be changed until the stack is up */
    struct bk_iface_config iface_config;
    bool passive; /* established() and what builds on it: by a passive open */
    bool orphan;  /* fin_wait_1() and what builds on it: by bk_tcp_close, not bk_tcp_shutdown */
    uint32_t backlog;
    struct flow flow;
    bk_stack *stack;
    void *region;
    uint32_t iface;
    bool holds; /* the test holds chunks or units, so the audit cannot count them */
    bk_listener listener;
    bool listener_held;
    uint64_t now, marked;
    uint16_t verdict; /* of the last segment received */
    struct sent *sent;
    size_t sent_count, sent_taken, sent_room;
    uint32_t units;
    struct wire_seg last; /* taken by the last expect or next_sent */
    uint64_t last_time;
    uint32_t last_unit;
    jmp_buf *catch_failure; /* of whoever wants to go on after a failure */
};
extern struct fixture fx;

/* Fails the test: the message, and the last segments both ways. */
_Noreturn void fixture_fail(const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 1, 2)))
#endif
    ;

/* Sets everything to its defaults. cmocka does it before each test. */
void fixture_prepare(int family);
void fixture_finish(void);
int fixture_setup(void **state);
int fixture_teardown(void **state);
extern int fixture_ipv4, fixture_ipv6;
#define BOTH(test)                                                                                                     \
    {#test " (IPv4)", test, fixture_setup, fixture_teardown, &fixture_ipv4}, {                                         \
#test " (IPv6)", test, fixture_setup, fixture_teardown, &fixture_ipv6                                          \
    }
#define run_fixture_tests(tests) cmocka_run_group_tests(tests, NULL, NULL)

/* The first MSS of the stack: MTU 1,500 less headers. */
int64_t our_mss(void);

/* A flow of its own to the same stack, with these ports (0: as now). */
struct flow flow_like(const struct flow *f, uint16_t local_port, uint16_t remote_port);
/* The peer starts again from `isn`, with the stack's ISN to be learned anew. */
void new_incarnation(uint32_t isn);

/* ---- time */
#define MS UINT64_C(1000000)
void advance_to(uint64_t time);
void advance_by(uint64_t ms);
void mark(void); /* `at` and `before` count from here */
uint64_t elapsed_ms(void);

/* ---- segments */
void receive(struct seg s);
/* All in one bk_input, before anything can leave. */
void receive_batch(const struct seg *segs, size_t n);
/* Takes the next segment sent and compares it. */
void expect(struct seg s);
/* Whether the next segment sent agrees; takes it only then. */
bool expect_if(struct seg s);
void expect_silence(void);
bool anything_sent(void);
/* Takes the next segment sent, whatever it is: into fx.last. */
void next_sent(void);
/* Drops everything sent and not yet taken; returns how many segments. */
size_t ignore_sent(void);
/* Relative numbers of fx.last. */
int64_t last_seq(void);
int64_t last_ack(void);
int64_t last_end(void);
/* The window of fx.last in bytes. */
uint32_t last_window(void);
void expect_reason(uint16_t reason);

/* ---- what the user does. Return codes are the API's. */
int call_listen(void);
int call_accept(void); /* into fx.flow */
int call_connect(void);
ptrdiff_t call_send(size_t n);
ptrdiff_t call_send_flags(size_t n, uint32_t flags);
ptrdiff_t call_receive(size_t n); /* and checks the bytes */
int call_shutdown(void);
int call_close(void);
int call_abort(void);
int call_unlisten(void);
int call_set(enum bk_tcp_option option, uint64_t value);
struct bk_tcp_info call_status(void);
#define expect_call(call, value) expect_call_at(#call, (int64_t)(call), (value))
void expect_call_at(const char *text, int64_t got, int64_t wanted);

/* ---- what the user sees */
/* The state in the stack's list, and in bk_tcp_status too if the user holds the connection. CLOSED: not listed; LISTEN: not
 * listed, but the listener is. */
void expect_state(enum bk_state state);
/* All readiness bits since the last call, of this connection and of the listener. */
uint32_t heard(void);
void expect_ready(uint32_t bits);
/* The error in bk_tcp_status. */
void expect_error(int error);

/* ---- ways into the states */
void stack_up(void);
void listening(void);
void syn_sent(void);
void request(void);      /* SYN-RECEIVED by a passive open */
void syn_received(void); /* SYN-RECEIVED by a simultaneous open */
void established(void);
void fin_wait_1(void);
void fin_wait_2(void);
void close_wait(void);
void closing(void);
void last_ack_state(void);
void time_wait(void);

#endif

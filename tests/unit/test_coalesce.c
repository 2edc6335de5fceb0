/* Shows which frames of a batch become one packet, that their bytes arrive in order, and that they are counted, traced and told apart as before. */
#include "base/common.h"
#include "fixture_internal.h"

#define MOST 80u

/* Frames that wait to be handed in together. */
struct line {
    uint8_t bytes[1700];
    size_t length;
    size_t cut; /* where the second part begins; 0: there is none */
    uint16_t gso_size;
};
static struct line line[MOST];
static size_t lines;

static void set16(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void sum_ipv4_header(uint8_t *ip) {
    uint32_t sum = 0;
    set16(ip + 10, 0);
    for (size_t i = 0; i < (size_t)(ip[0] & 15) * 4; i += 2) sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    set16(ip + 10, ~(sum + (sum >> 16)) & 0xffff);
}

/* A segment of the flow with `len` bytes of its stream, from number `seq`: a wire_seg that may be changed before it is put in. */
static struct wire_seg text(int64_t seq, uint32_t len) {
    static uint8_t bytes[2000];
    for (uint32_t i = 0; i < len; i++) bytes[i] = fixture_peer_pattern((uint64_t)(seq - 1 + i));
    const struct flow *f = &fx.flow;
    return (struct wire_seg){.src = f->remote,
                             .dst = f->local,
                             .sport = f->remote_port,
                             .dport = f->local_port,
                             .seq = (uint32_t)seq + f->isn,
                             .ack = f->iss + (uint32_t)f->seen,
                             .flags = ACK,
                             .wnd = (uint16_t)f->wnd,
                             .mss = -1,
                             .wscale = -1,
                             .ts = f->ts_on,
                             .tsval = f->ts_base + (uint32_t)(fx.now / MS),
                             .tsecr = f->ts_seen,
                             .payload = bytes,
                             .len = len};
}

static struct line *put(struct wire_seg w) {
    struct line *l = &line[lines++];
    *l = (struct line){.length = 0};
    l->length = wire_seg_build(&w, l->bytes);
    return l;
}

static uint16_t reasons[MOST];

/* Hands all of them in at once; returns how many joined another. */
static uint64_t hand_in(void) {
    struct bk_rx rx[MOST];
    struct bk_part part[MOST][2];
    uint32_t chunk[2 * MOST];
    uint64_t before = bk_reason_count(fx.stack, BK_REASON_NOTE_COALESCED);
    assert_int_equal(bk_chunk_alloc(fx.stack, chunk, 2 * lines), 2 * lines);
    for (size_t i = 0; i < lines; i++) {
        const struct line *l = &line[i];
        size_t first = l->cut != 0 ? l->cut : l->length;
        part[i][0] = (struct bk_part){.chunk = chunk[2 * i], .offset = 3, .length = (uint16_t)first};
        part[i][1] = (struct bk_part){.chunk = chunk[2 * i + 1], .length = (uint16_t)(l->length - first)};
        memcpy(bk_chunk_data(fx.stack, chunk[2 * i]) + 3, l->bytes, first);
        memcpy(bk_chunk_data(fx.stack, chunk[2 * i + 1]), l->bytes + first, l->length - first);
        rx[i] = (struct bk_rx){.parts = part[i], .part_count = l->cut != 0 ? 2 : 1, .gso_size = l->gso_size};
        if (l->cut == 0) bk_chunk_release(fx.stack, &chunk[2 * i + 1], 1);
    }
    bk_input(fx.stack, fx.iface, rx, lines, fx.now);
    for (size_t i = 0; i < lines; i++) reasons[i] = rx[i].reason;
    lines = 0;
    return bk_reason_count(fx.stack, BK_REASON_NOTE_COALESCED) - before;
}

static void begin(void) {
    fixture_finish();
    fixture_prepare(fx.family);
    lines = 0;
    fx.config.receive_buffer = 200000;
    fx.config.window_scaling = true;
    fx.config.chunks = 512;
    fx.config.buffer_chunks = 384;
    fx.flow.wscale = 2;
    fx.flow.timestamps = true;
    established();
    fx.flow.nxt = 1;
}

static uint32_t chunks_in_use(void) {
    struct bk_pool_info info;
    bk_pool_info(fx.stack, BK_POOL_CHUNKS, &info);
    return info.in_use;
}

/* What may follow 1,000 bytes that begin at 1. */
enum change {
    SAME,
    PUSHED,
    SHORTER,
    LONGER,
    EMPTY,
    WITH_FIN,
    WITH_SYN,
    WITH_URG,
    WITH_ECE,
    WITH_CWR,
    WITHOUT_ACK,
    CE,
    OTHER_TTL,
    OTHER_ACK,
    OTHER_WINDOW,
    OTHER_PORT,
    OTHER_TIMESTAMP,
    OTHER_ECHO,
    WITHOUT_TIMESTAMP,
    A_GAP,
    AN_OVERLAP,
    AGAIN,
    BAD_CHECKSUM,
    BAD_IP_CHECKSUM,
    PADDED,
    MERGED_BY_DEVICE,
    FRAGMENT,
    MORE_HEADERS,
    OTHER_ID,
    TEXT_IN_TWO_PARTS,
    HEADER_IN_TWO_PARTS,
    CHANGES
};
static const struct {
    bool joins;
    const char *what;
} changes[CHANGES] = {
    [SAME] = {true, "the next bytes"},
    [PUSHED] = {true, "PSH: the last one"},
    [SHORTER] = {true, "fewer bytes: the last one"},
    [LONGER] = {false, "more bytes than the first"},
    [EMPTY] = {false, "an ACK without text"},
    [WITH_FIN] = {false, "FIN"},
    [WITH_SYN] = {false, "SYN"},
    [WITH_URG] = {false, "URG"},
    [WITH_ECE] = {false, "ECE"},
    [WITH_CWR] = {false, "CWR"},
    [WITHOUT_ACK] = {false, "no ACK"},
    [CE] = {false, "a mark of congestion"},
    [OTHER_TTL] = {false, "another TTL"},
    [OTHER_ACK] = {false, "another ACK number"},
    [OTHER_WINDOW] = {false, "another window"},
    [OTHER_PORT] = {false, "another connection"},
    [OTHER_TIMESTAMP] = {false, "another TSval"},
    [OTHER_ECHO] = {false, "another TSecr"},
    [WITHOUT_TIMESTAMP] = {false, "no timestamps"},
    [A_GAP] = {false, "a gap of one byte"},
    [AN_OVERLAP] = {false, "one byte again"},
    [AGAIN] = {false, "all again"},
    [BAD_CHECKSUM] = {false, "a wrong TCP checksum"},
    [BAD_IP_CHECKSUM] = {false, "a wrong IP checksum"},
    [PADDED] = {false, "bytes behind the packet"},
    [MERGED_BY_DEVICE] = {false, "merged by the device"},
    [FRAGMENT] = {false, "a fragment"},
    [MORE_HEADERS] = {false, "IP options, or an extension header"},
    [OTHER_ID] = {true, "another IPv4 identification or IPv6 checksum"},
    [TEXT_IN_TWO_PARTS] = {true, "text in two chunks"},
    [HEADER_IN_TWO_PARTS] = {false, "a header in two chunks"},
};

static struct wire_seg changed(enum change c) {
    struct wire_seg w = text(c == A_GAP        ? 1002
                             : c == AN_OVERLAP ? 1000
                             : c == AGAIN      ? 1
                                               : 1001,
                             c == LONGER ? 1001 : 1000);
    switch (c) {
    case PUSHED:
        w.flags |= PSH;
        break;
    case SHORTER:
        w.len = 999;
        break;
    case EMPTY:
        w.len = 0;
        break;
    case WITH_FIN:
        w.flags |= FIN;
        break;
    case WITH_SYN:
        w.flags |= SYN;
        break;
    case WITH_URG:
        w.flags |= URG;
        w.urg = 10;
        break;
    case WITH_ECE:
        w.flags |= ECE;
        break;
    case WITH_CWR:
        w.flags |= CWR;
        break;
    case WITHOUT_ACK:
        w.flags = 0;
        break;
    case CE:
        w.tc = 3;
        break;
    case OTHER_ACK:
        w.ack--;
        break;
    case OTHER_WINDOW:
        w.wnd++;
        break;
    case OTHER_PORT:
        w.sport++;
        break;
    case OTHER_TIMESTAMP:
        w.tsval++;
        break;
    case OTHER_ECHO:
        w.tsecr--;
        break;
    case WITHOUT_TIMESTAMP:
        w.ts = false;
        break;
    case BAD_CHECKSUM:
        w.bad_checksum = true;
        break;
    default:
        break;
    }
    return w;
}

/* Eight bytes more of header: IPv4 options that say nothing, or destination options that say nothing (RFC 8200 4.6). */
static void widen(struct line *l) {
    static const uint8_t nothing[8] = {6, 0, 1, 4, 0, 0, 0, 0};
    size_t ip = fx.family == 4 ? 20 : 40;
    memmove(l->bytes + ip + 8, l->bytes + ip, l->length - ip);
    l->length += 8;
    if (fx.family == 4) {
        memset(l->bytes + ip, 1, 8);
        l->bytes[0] = 0x47;
        set16(l->bytes + 2, (uint32_t)l->length);
        sum_ipv4_header(l->bytes);
    } else {
        memcpy(l->bytes + ip, nothing, 8);
        l->bytes[6] = 60;
        set16(l->bytes + 4, (uint32_t)l->length - 40);
    }
}

static void alter(struct line *l, enum change c) {
    bool ipv4 = fx.family == 4;
    if (c == OTHER_TTL) l->bytes[ipv4 ? 8 : 7]--;
    if (c == OTHER_ID && ipv4) set16(l->bytes + 4, 4711);
    if (c == FRAGMENT && ipv4) set16(l->bytes + 6, 0x2000);
    if (ipv4) sum_ipv4_header(l->bytes);
    if (c == BAD_IP_CHECKSUM) l->bytes[ipv4 ? 10 : 6] ^= 1; /* in IPv6 there is none: the next header is not TCP */
    if (c == FRAGMENT && !ipv4) l->bytes[6] = 44;
    if (c == PADDED) memset(l->bytes + l->length, 0, 2), l->length += 2;
    if (c == MERGED_BY_DEVICE) l->gso_size = 500;
    if (c == MORE_HEADERS) widen(l);
    if (c == TEXT_IN_TWO_PARTS) l->cut = l->length - 500;
    if (c == HEADER_IN_TWO_PARTS) l->cut = 30;
}

static void what_joins(void **state) {
    (void)state;
    for (enum change c = SAME; c < CHANGES; c++) {
        begin();
        put(text(1, 1000));
        alter(put(changed(c)), c);
        uint64_t joined = hand_in();
        if (joined != changes[c].joins)
            fixture_fail("%s: %s", changes[c].what, joined ? "joined the frame before" : "did not join");
        assert_int_equal(reasons[0], BK_REASON_ACCEPT_DATA);
        if (changes[c].joins) assert_int_equal(reasons[1], BK_REASON_ACCEPT_DATA);
        if (c == BAD_CHECKSUM) assert_int_equal(reasons[1], BK_REASON_DROP_TCP_CHECKSUM);
        if (c != WITH_SYN && c != OTHER_PORT) assert_true(call_receive(5000) >= 1000);
    }
}

/* A first frame of which a second one, however good, is not the continuation. */
static void what_begins(void **state) {
    (void)state;
    static const enum change no[] = {PUSHED,       WITH_FIN,         WITH_URG, WITH_CWR,     CE,
                                     PADDED,       MERGED_BY_DEVICE, FRAGMENT, MORE_HEADERS, HEADER_IN_TWO_PARTS,
                                     BAD_CHECKSUM, BAD_IP_CHECKSUM};
    for (size_t i = 0; i < BK_COUNT(no); i++) {
        begin();
        struct wire_seg w = changed(no[i]);
        w.seq -= 1000;
        alter(put(w), no[i]);
        put(text(1001, 1000));
        if (hand_in() != 0) fixture_fail("%s: something joined it", changes[no[i]].what);
    }
}

/* Nothing joins behind PSH or a shorter frame; what follows begins anew. */
static void the_last_is_the_last(void **state) {
    (void)state;
    for (int shorter = 0; shorter < 2; shorter++) {
        begin();
        put(text(1, 1000));
        struct wire_seg w = text(1001, shorter ? 400 : 1000);
        if (!shorter) w.flags |= PSH;
        put(w);
        int64_t next = shorter ? 1401 : 2001;
        put(text(next, 400));
        put(text(next + 400, 400));
        put(text(next + 800, 400));
        assert_int_equal(hand_in(), 1 + 2);
        assert_int_equal(call_receive(5000), next - 1 + 1200);
    }
}

static void a_bad_one_in_the_middle(void **state) {
    (void)state;
    begin();
    put(text(1, 1000));
    put(text(1001, 1000));
    struct wire_seg bad = text(2001, 1000);
    bad.bad_checksum = true;
    put(bad);
    put(text(3001, 1000));
    put(text(4001, 1000));
    assert_int_equal(hand_in(), 1 + 1);
    static const uint16_t expected[] = {BK_REASON_ACCEPT_DATA, BK_REASON_ACCEPT_DATA, BK_REASON_DROP_TCP_CHECKSUM,
                                        BK_REASON_ACCEPT_DATA_OUT_OF_ORDER, BK_REASON_ACCEPT_DATA_OUT_OF_ORDER};
    for (size_t i = 0; i < BK_COUNT(expected); i++) assert_int_equal(reasons[i], expected[i]);
    put(text(2001, 1000));
    hand_in();
    assert_int_equal(call_receive(6000), 5000);
}

static struct wire_seg of_flow(const struct flow *f, int64_t seq, uint32_t len) {
    struct flow mine = fx.flow;
    fx.flow = *f;
    struct wire_seg w = text(seq, len);
    fx.flow = mine;
    return w;
}

/* Connections that take turns in a batch; more of them than runs are open at a time come through, too. */
static void flows_take_turns(void **state) {
    (void)state;
    enum { FLOWS = 6 };
    for (size_t n = 2; n <= FLOWS; n++) {
        begin();
        struct flow flow[FLOWS];
        flow[0] = fx.flow;
        for (size_t i = 1; i < n; i++) {
            fx.flow = flow_like(&flow[0], (uint16_t)(41000 + i), (uint16_t)(81 + i));
            established();
            fx.flow.nxt = 1;
            flow[i] = fx.flow;
        }
        for (int64_t k = 0; k < 3; k++)
            for (size_t i = 0; i < n; i++) put(of_flow(&flow[i], 1 + 700 * k, 700));
        uint64_t joined = hand_in();
        if (n <= 4) assert_int_equal(joined, 2 * n);
        for (size_t i = 0; i < n; i++) {
            fx.flow = flow[i];
            assert_int_equal(call_receive(5000), 2100);
        }
        fx.flow = flow[0];
    }
}

/* Puts in bytes [begin, end) of an IPv4 frame's payload as a fragment. */
static void put_fragment(const struct line *whole, size_t begin, size_t end) {
    struct line *l = &line[lines++];
    *l = (struct line){.length = 20 + end - begin};
    memcpy(l->bytes, whole->bytes, 20);
    memcpy(l->bytes + 20, whole->bytes + 20 + begin, end - begin);
    set16(l->bytes + 2, (uint32_t)l->length);
    set16(l->bytes + 6, (20 + end < whole->length ? 0x2000u : 0) | (uint32_t)begin / 8);
    sum_ipv4_header(l->bytes);
}

/* In a batch, where tuples are hashed before their turn: of a segment in fragments the last one has text where the ports would be. Another
 * connection has taken the place at which this one's ports would have told it. */
static void fragments_among_others(void **state) {
    (void)state;
    begin();
    struct flow first = fx.flow;
    fx.flow = flow_like(&first, (uint16_t)(first.remote_port + 64), first.local_port);
    established();
    fx.flow.nxt = 1;
    struct flow other = fx.flow;
    struct line whole = *put(of_flow(&first, 1, 800));
    lines = 0;
    put_fragment(&whole, 0, 400);
    for (int64_t i = 0; i < 3; i++) put(of_flow(&other, 1 + 700 * i, 700));
    put_fragment(&whole, 400, whole.length - 20);
    hand_in();
    assert_int_equal(reasons[0], BK_REASON_ACCEPT_FRAGMENT);
    assert_int_equal(reasons[4], BK_REASON_ACCEPT_DATA);
    assert_int_equal(call_receive(5000), 2100);
    fx.flow = first;
    assert_int_equal(call_receive(5000), 800);
}

/* An ACK of the same connection is handled where it stands: its window counts after the text before it, and text behind it begins anew. */
static void order_within_a_connection(void **state) {
    (void)state;
    begin();
    put(text(1, 500));
    put(text(501, 500));
    struct wire_seg ack = text(1001, 0);
    ack.wnd = 5;
    put(ack);
    put(text(1001, 500));
    assert_int_equal(hand_in(), 1);
    assert_int_equal(reasons[2], BK_REASON_ACCEPT_WINDOW_UPDATE);
    assert_int_equal(reasons[3], BK_REASON_ACCEPT_DATA);
    assert_int_equal(call_receive(5000), 1500);
}

/* 64 parts, and 64 KiB: what is beyond begins another. 20 + 32 + 46 x 1,400 bytes fit in an IPv4 packet, and with 40 in an IPv6 one, too. */
static void bounds(void **state) {
    (void)state;
    begin();
    for (size_t i = 0; i < 70; i++) put(text(1 + 100 * (int64_t)i, 100));
    assert_int_equal(hand_in(), 63 + 5);
    assert_int_equal(call_receive(10000), 7000);
    begin();
    put(text(1, 1000));
    hand_in();
    assert_int_equal(call_receive(100000), 1000);
    fixture_drain(); /* the SYN could not say how large the window is */
    for (size_t i = 0; i < 60; i++) put(text(1001 + 1400 * (int64_t)i, 1400));
    assert_int_equal(hand_in(), 45 + 13);
    assert_int_equal(call_receive(100000), 84000);
}

static void off(void **state) {
    (void)state;
    begin();
    fixture_finish();
    fixture_prepare(fx.family);
    fx.config.receive_coalescing = false;
    established();
    fx.flow.nxt = 1;
    put(text(1, 1000));
    put(text(1001, 1000));
    assert_int_equal(hand_in(), 0);
    assert_int_equal(call_receive(5000), 2000);
}

/* Each frame is a segment in the counters and in the trace, and one ACK answers all. */
static void each_frame_counts(void **state) {
    (void)state;
    begin();
    struct bk_event events[64];
    struct bk_tcp_mib before, after;
    uint32_t received = (uint32_t)call_status().segments_received;
    bk_tcp_mib(fx.stack, &before);
    while (bk_trace_read(fx.stack, events, 64, NULL) > 0) continue;
    for (int64_t i = 0; i < 3; i++) {
        struct wire_seg w = text(1 + 1000 * i, i == 2 ? 300 : 1000);
        if (i == 2) w.flags |= PSH;
        put(w);
    }
    uint64_t taken = bk_reason_count(fx.stack, BK_REASON_ACCEPT_DATA);
    assert_int_equal(hand_in(), 2);
    assert_int_equal(bk_reason_count(fx.stack, BK_REASON_ACCEPT_DATA) - taken, 3);
    bk_tcp_mib(fx.stack, &after);
    assert_int_equal(after.in_segs - before.in_segs, 3);
    assert_int_equal(call_status().segments_received - received, 3);
    size_t n = bk_trace_read(fx.stack, events, 64, NULL), seen = 0;
    for (size_t i = 0; i < n; i++) {
        const struct bk_event *e = &events[i];
        if (e->kind != BK_EVENT_SEGMENT_IN) continue;
        assert_int_equal(e->seq, (uint32_t)(fx.flow.isn + 1 + 1000 * seen));
        assert_int_equal(e->len, seen == 2 ? 300 : 1000);
        assert_int_equal(e->tcp_flags, seen == 2 ? ACK | PSH : ACK);
        assert_int_equal(e->reason, BK_REASON_ACCEPT_DATA);
        seen++;
    }
    assert_int_equal(seen, 3);
    fixture_drain();
    expect(SEG(.flags = ACK, .ack = 2301));
    expect_silence();
    assert_int_equal(call_receive(5000), 2300);
}

/* Segments without a port to come from are mistakes of the sender's, each of them. */
static void errors_count_each(void **state) {
    (void)state;
    begin();
    struct bk_tcp_mib before, after;
    bk_tcp_mib(fx.stack, &before);
    for (int64_t i = 0; i < 3; i++) {
        struct wire_seg w = text(1 + 1000 * i, 1000);
        w.sport = 0;
        put(w);
    }
    assert_int_equal(hand_in(), 2);
    bk_tcp_mib(fx.stack, &after);
    assert_int_equal(after.in_errs - before.in_errs, 3);
    assert_int_equal(after.in_segs - before.in_segs, 3);
    assert_int_equal(reasons[2], BK_REASON_DROP_BAD_PORT);
}

/* Every chunk comes back, whoever took the frames' references: the reader, the order, a bound. */
static void references(void **state) {
    (void)state;
    begin();
    uint32_t before = chunks_in_use();
    for (int64_t i = 0; i < 20; i++) put(text(1 + 1400 * i, 1400));
    put(text(40000, 1400));
    put(text(41400, 1400));
    struct wire_seg stranger = text(1, 1000);
    stranger.dport++;
    put(stranger);
    stranger.seq += 1000;
    put(stranger);
    hand_in();
    assert_true(chunks_in_use() > before);
    assert_int_equal(call_receive(100000), 28000);
    struct wire_seg fill = text(28001, 1000);
    for (int64_t seq = 28001; seq < 40000; seq += 1000) {
        fill = text(seq, 1000);
        if (seq + 1000 > 40000) fill.len = (uint32_t)(40000 - seq);
        put(fill);
    }
    hand_in();
    assert_int_equal(call_receive(100000), 42799 - 28000);
    fixture_drain();
    ignore_sent();
    assert_int_equal(chunks_in_use(), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(what_joins),
        BOTH(what_begins),
        BOTH(the_last_is_the_last),
        BOTH(a_bad_one_in_the_middle),
        BOTH(flows_take_turns),
        cmocka_unit_test_prestate_setup_teardown(fragments_among_others, fixture_setup, fixture_teardown,
                                                 &fixture_ipv4),
        BOTH(order_within_a_connection),
        BOTH(bounds),
        BOTH(off),
        BOTH(each_frame_counts),
        BOTH(errors_count_each),
        BOTH(references),
    };
    return run_fixture_tests(tests);
}

/* The bench: segments of the peer that arrive, and segments that are expected to leave. */
#include "fixture_internal.h"

/* ---- segments that arrive ---------------------------------------------------------------------------- */

static int64_t or_else(int64_t value, int64_t natural) {
    return value == ANY ? natural : value;
}

/* Builds the segment in `frame`, and advances what the peer has sent. */
static size_t segment_build(const struct seg *s, uint8_t *frame) {
    static uint8_t bytes[FRAME_MAX];
    struct flow *f = &fx.flow;
    int flags = s->flags & 0xff;
    int64_t seq = or_else(s->seq, f->nxt);
    int64_t len = or_else(s->len, 0);
    bool syn = flags & SYN;
    if (s->payload) memcpy(bytes, s->payload, (size_t)len);
    for (int64_t i = 0; i < len && !s->payload; i++) bytes[i] = fixture_peer_pattern((uint64_t)(seq + syn - 1 + i));
    if (s->payload) f->raw = true;
    bool ts =
        s->tsval != ABSENT && (s->tsval != ANY || (syn ? f->timestamps && (!(flags & ACK) || f->ts_seen) : f->ts_on));
    struct wire_seg w = {
        .src = s->src ? *s->src : f->remote,
        .dst = s->dst ? *s->dst : f->local,
        .sport = (uint16_t)or_else(s->sport, f->remote_port),
        .dport = (uint16_t)or_else(s->dport, f->local_port),
        .seq = (uint32_t)seq + (s->seq_absolute ? 0 : f->isn),
        .ack = (flags & ACK) ? f->iss + (uint32_t)or_else(s->ack, f->seen) : 0,
        .flags = (uint8_t)flags,
        .wnd = (uint16_t)or_else(s->wnd, f->wnd),
        .urg = (uint16_t)or_else(s->urg, 0),
        .mss = (int32_t)(s->mss == ABSENT ? -1 : or_else(s->mss, syn ? f->mss : -1)),
        .wscale = (int32_t)(s->wscale == ABSENT ? -1 : or_else(s->wscale, syn ? f->wscale : -1)),
        .ts = ts,
        .tsval = (uint32_t)or_else(s->tsval, f->ts_base + (int64_t)(fx.now / MS)),
        .tsecr = (uint32_t)or_else(s->tsecr, (flags & ACK) ? f->ts_seen : 0),
        .payload = bytes,
        .len = (uint32_t)len,
        .options = s->options,
        .options_length = s->options_length,
        .bad_checksum = s->bad_checksum,
        .tc = (uint8_t)or_else(s->tc, 0),
    };
    if (seq == f->nxt && !s->bad_checksum && !(flags & RST)) f->nxt += len + syn + ((flags & FIN) != 0);
    size_t n = wire_seg_build(&w, frame);
    char text[SEG_TEXT];
    fixture_note("<-", wire_seg_format(&w, f->isn, f->iss, text), "peer");
    return n;
}

void receive(struct seg s) {
    static uint8_t frame[FRAME_MAX];
    stack_up();
    size_t n = segment_build(&s, frame);
    fx.verdict = bk_input_copy(fx.stack, fx.iface, frame, n, fx.now);
    fixture_note("  ", "  taken as", bk_reason_name(fx.verdict));
    fixture_drain();
}

void receive_batch(const struct seg *segs, size_t n) {
    enum { MOST = 16 };
    struct bk_rx rx[MOST];
    struct bk_part parts[MOST];
    uint32_t chunks[MOST];
    static uint8_t frame[FRAME_MAX];
    stack_up();
    assert_true(n <= MOST);
    assert_int_equal(bk_chunk_alloc(fx.stack, chunks, n), n);
    for (size_t i = 0; i < n; i++) {
        size_t length = segment_build(&segs[i], frame);
        assert_true(length <= fx.config.chunk_size);
        memcpy(bk_chunk_data(fx.stack, chunks[i]), frame, length);
        parts[i] = (struct bk_part){.chunk = chunks[i], .offset = 0, .length = (uint16_t)length};
        rx[i] = (struct bk_rx){.parts = &parts[i], .part_count = 1};
    }
    bk_input(fx.stack, fx.iface, rx, n, fx.now);
    fx.verdict = rx[n - 1].reason;
    fixture_drain();
}

/* ---- segments that are expected ---------------------------------------------------------------------- */

static void take(const struct sent *s) {
    fx.last_time = s->time;
    fx.last_unit = s->unit;
    const char *wrong = wire_seg_parse(s->frame, s->length, &fx.last);
    if (wrong) fixture_fail("a frame was sent that is no good TCP segment: %s", wrong);
}

static void describe(const struct seg *s, char text[SEG_TEXT]) {
    struct wire_seg w = {
        .seq = (uint32_t)or_else(s->seq, 0),
        .ack = (uint32_t)or_else(s->ack, 0),
        .flags = (uint8_t)s->flags,
        .wnd = (uint16_t)or_else(s->wnd, 0),
        .urg = (uint16_t)or_else(s->urg, 0),
        .mss = s->mss >= 0 ? (int32_t)s->mss : -1,
        .wscale = s->wscale >= 0 ? (int32_t)s->wscale : -1,
        .ts = s->tsval >= 0,
        .tsval = (uint32_t)or_else(s->tsval, 0),
        .tsecr = (uint32_t)or_else(s->tsecr, 0),
        .tc = (uint8_t)or_else(s->tc, 0),
        .len = s->len >= 0 ? (uint32_t)s->len : 0,
    };
    wire_seg_format(&w, 0, 0, text);
}

static bool differs(int64_t wanted, bool there, int64_t got) {
    if (wanted == ANY) return false;
    if (wanted == ABSENT) return there;
    return !there || wanted != got;
}

/* The name of the first field of fx.last that is not as `s` wants it, or NULL. */
static const char *compare(const struct seg *s, const struct sent *sent) {
    const struct wire_seg *w = &fx.last;
    const struct flow *f = &fx.flow;
    int compared = FIN | SYN | RST | ACK | URG | ECE | CWR;
    if (s->flags & MAYBE_ACK) compared &= ~ACK;
    if (s->flags & MAYBE_FIN) compared &= ~FIN;
    if (!(s->flags & ANY_FLAGS) && ((w->flags ^ s->flags) & compared)) return "flags";
    if (s->seq != ANY && w->seq != (uint32_t)s->seq + (s->seq_absolute ? 0 : f->iss)) return "seq";
    if (s->ack != ANY && (w->flags & ACK) && w->ack != (uint32_t)s->ack + f->isn) return "ack";
    if (differs(s->wnd, true, w->wnd)) return "window";
    if (s->len == SOME ? w->len == 0 : s->len != ANY && w->len != s->len) return "length";
    if (s->payload && memcmp(w->payload, s->payload, w->len)) return "payload";
    if (differs(s->mss, w->mss >= 0, w->mss)) return "mss";
    if (differs(s->wscale, w->wscale >= 0, w->wscale)) return "wscale";
    if (s->tsval != ANY && differs(s->tsval == ABSENT ? ABSENT : (int64_t)(uint32_t)s->tsval, w->ts, w->tsval))
        return "tsval";
    if (s->tsecr != ANY && differs((int64_t)(uint32_t)s->tsecr, w->ts, w->tsecr)) return "tsecr";
    if (differs(s->urg, w->flags & URG, w->urg)) return "urgent pointer";
    if (differs(s->psh, true, (w->flags & PSH) != 0)) return "PSH";
    if (differs(s->tc, true, w->tc)) return "traffic class";
    if (differs(s->reason, true, sent->reason)) return "reason";
    if (w->sport != or_else(s->sport, f->local_port) || w->dport != or_else(s->dport, f->remote_port)) return "ports";
    if (!bk_addr_equal(&w->src, s->src ? s->src : &f->local) || !bk_addr_equal(&w->dst, s->dst ? s->dst : &f->remote))
        return "addresses";
    if (s->at != ANY && (sent->time < fx.marked + (uint64_t)s->at * MS ||
                         sent->time > fx.marked + (uint64_t)(s->at + TOLERANCE_MS) * MS))
        return "time";
    if (s->before != ANY && sent->time >= fx.marked + (uint64_t)s->before * MS) return "time (too late)";
    return NULL;
}

bool expect_if(struct seg s) {
    if (s.len == ANY && s.flags != ANY_FLAGS) s.len = 0;
    if (fx.sent_taken == fx.sent_count) return false;
    take(&fx.sent[fx.sent_taken]);
    if (compare(&s, &fx.sent[fx.sent_taken])) return false;
    fx.sent_taken++;
    return true;
}

void expect(struct seg s) {
    char wanted[SEG_TEXT], got[SEG_TEXT];
    if (s.len == ANY) s.len = 0;
    describe(&s, wanted);
    if (fx.sent_taken == fx.sent_count) fixture_fail("expected %s, but nothing was sent", wanted);
    const struct sent *sent = &fx.sent[fx.sent_taken++];
    take(sent);
    const char *field = compare(&s, sent);
    if (!field) return;
    fixture_fail("the %s differ%s:\n      expected %s%s\n      got      %s, %.3f ms after the mark, because %s", field,
                 strcmp(field, "flags") && strcmp(field, "ports") && strcmp(field, "addresses") ? "s" : "", wanted,
                 s.flags & (MAYBE_ACK | MAYBE_FIN) ? " (ACK or FIN may be set)" : "",
                 wire_seg_format(&fx.last, s.seq_absolute ? 0 : fx.flow.iss, fx.flow.isn, got),
                 ((double)sent->time - (double)fx.marked) / 1e6, bk_reason_words(sent->reason));
}

void next_sent(void) {
    if (fx.sent_taken == fx.sent_count) fixture_fail("expected a segment, but nothing was sent");
    take(&fx.sent[fx.sent_taken++]);
}

bool anything_sent(void) {
    fixture_drain();
    return fx.sent_taken != fx.sent_count;
}

void expect_silence(void) {
    char text[SEG_TEXT];
    if (!anything_sent()) return;
    const struct sent *s = &fx.sent[fx.sent_taken++];
    take(s);
    fixture_fail("expected silence, but %s was sent, because %s",
                 wire_seg_format(&fx.last, fx.flow.iss, fx.flow.isn, text), bk_reason_words(s->reason));
}

size_t ignore_sent(void) {
    fixture_drain();
    size_t n = fx.sent_count - fx.sent_taken;
    fx.sent_taken = fx.sent_count;
    return n;
}

int64_t last_seq(void) {
    return (int32_t)(fx.last.seq - fx.flow.iss);
}
int64_t last_ack(void) {
    return (int32_t)(fx.last.ack - fx.flow.isn);
}
int64_t last_end(void) {
    return (int32_t)(wire_seg_end(&fx.last) - fx.flow.iss);
}
uint32_t last_window(void) {
    return (uint32_t)fx.last.wnd << (fx.last.flags & SYN ? 0 : fx.flow.stack_scale);
}

void expect_reason(uint16_t reason) {
    if (fx.verdict != reason)
        fixture_fail("the segment was taken as %s (%s), expected %s", bk_reason_name(fx.verdict),
                     bk_reason_words(fx.verdict), bk_reason_name(reason));
}

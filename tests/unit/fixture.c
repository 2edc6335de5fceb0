/* The bench itself: see fixture.h. Every input, call or step of time is followed at once by draining bk_output, so that
 * each frame is recorded with the time at which it left. */
#include "fixture_internal.h"

#include "lab/audit.h"

struct fixture fx;
int fixture_ipv4 = 4, fixture_ipv6 = 6;

/* ---- what happened, for failure messages ------------------------------------------------------------- */

#define HISTORY 32
static char history[HISTORY][SEG_TEXT + 128];
static unsigned history_count;

void fixture_note(const char *arrow, const char *text, const char *reason) {
    snprintf(history[history_count++ % HISTORY], sizeof history[0], "%12.3f ms %s %s  (%s)", (double)fx.now / 1e6,
             arrow, text, reason);
}

_Noreturn void fixture_fail(const char *format, ...) {
    va_list ap;
    char text[1024];
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    for (unsigned i = history_count > HISTORY ? history_count - HISTORY : 0; i < history_count; i++)
        print_message("    %s\n", history[i % HISTORY]);
    print_message("    %s\n", text);
    if (fx.catch_failure) longjmp(*fx.catch_failure, 1);
    fail();
    abort();
}

/* The core's assertions end here instead of in a trap. */
_Noreturn void bk_panic(const char *what, const char *file, int line);
_Noreturn void bk_panic(const char *what, const char *file, int line) {
    fixture_fail("the core's assertion failed: %s (%s:%d)", what, file, line);
}

/* ---- life of the bench ------------------------------------------------------------------------------- */

static void config_defaults(struct bk_config *c) {
    bk_config_default(c);
    c->connections = 8;
    c->active_connections = 0;
    c->listeners = 4;
    c->requests_ipv4 = c->requests_ipv6 = 8;
    c->time_waits_ipv4 = c->time_waits_ipv6 = 8;
    c->interfaces = 1;
    c->addresses = 4;
    c->routes = 4;
    c->neighbours = 4;
    c->reassemblies = 1;
    c->frames = 64;
    c->chunk_size = 2048;
    c->chunks = 256;
    c->buffer_chunks = 192;
    c->trace_events = 64;
    c->send_buffer = 65536;
    c->receive_buffer = 16384;
    c->send_buffer_max = c->receive_buffer_max = 0;
    c->msl_ms = 30000;
    c->rto_initial_ms = 1000;
    c->rto_min_ms = 1000;
    c->rto_max_ms = 60000;
    c->delayed_ack_ms = 100;
    c->delayed_ack_max_ms = 0;
    c->quick_acks = 0;
    c->syn_retries = 3;
    c->syn_linear_timeouts = 0;
    c->syn_ack_retries = 3;
    c->retries2 = 5;
    c->orphan_retries = 4;
    c->fin_wait_2_ms = 20000;
    c->keepalive_idle_s = 7200;
    c->keepalive_interval_s = 75;
    c->keepalive_probes = 9;
    c->challenge_ack_ms = 500;
    c->ephemeral_first = 49152;
    c->ephemeral_last = 65535;
    c->timestamps = true;
    c->window_scaling = true;
    c->syn_cookies = BK_SYN_COOKIES_WHEN_FULL;
    c->reset_on_unread = true;
}

void fixture_prepare(int family) {
    memset(&fx, 0, sizeof fx);
    history_count = 0;
    fx.family = family;
    config_defaults(&fx.config);
    fx.iface_config.layer = BK_LAYER_IP;
    fx.iface_config.mtu = 1500;
    fx.backlog = 4;
    fx.now = 1000 * MS;
    fx.marked = fx.now;
    struct flow *f = &fx.flow;
    if (family == 4) {
        f->local = bk_addr_ipv4(192, 0, 2, 1);
        f->remote = bk_addr_ipv4(192, 0, 2, 2);
    } else {
        assert_int_equal(bk_addr_parse("2001:db8::1", &f->local), 0);
        assert_int_equal(bk_addr_parse("2001:db8::2", &f->remote), 0);
    }
    f->local_port = 40000;
    f->remote_port = 80;
    f->isn = 0xfffffff8u;
    f->wnd = 4096;
    f->mss = family == 4 ? 1460 : 1440;
    f->wscale = -1;
    f->ts_base = 5000;
}

void fixture_finish(void) {
    for (size_t i = 0; i < fx.sent_count; i++) free(fx.sent[i].frame);
    free(fx.sent);
    free(fx.region);
    fx.sent = NULL;
    fx.region = NULL;
    fx.stack = NULL;
    fx.sent_count = fx.sent_taken = fx.sent_room = 0;
}

int fixture_setup(void **state) {
    fixture_prepare(*(int *)*state);
    return 0;
}

int fixture_teardown(void **state) {
    (void)state;
    fixture_finish();
    return 0;
}

void stack_up(void) {
    static const uint8_t seed[32] = {0x42, 0x65, 0x63, 0x6b, 0x6f, 0x6e};
    const char *why = NULL;
    if (fx.stack) return;
    size_t size = bk_region_size(&fx.config);
    if (size == 0) {
        bk_create(NULL, 0, &fx.config, seed, fx.now, &fx.stack, &why);
        fixture_fail("the configuration is refused: %s", why ? why : "no reason given");
    }
    size_t room = (size + 4095) / 4096 * 4096;
    fx.region = aligned_alloc(4096, room);
    assert_non_null(fx.region);
    memset(fx.region, 0xa5, room); /* nothing says that a new region is zero */
    int rc = bk_create(fx.region, size, &fx.config, seed, fx.now, &fx.stack, &why);
    if (rc) fixture_fail("bk_create: %d (%s)", rc, why ? why : "no reason given");
    rc = bk_iface_add(fx.stack, &fx.iface_config, fx.now);
    if (rc < 0) fixture_fail("bk_iface_add: %d", rc);
    fx.iface = (uint32_t)rc;
    uint8_t prefix = fx.family == 4 ? 24 : 64;
    rc = bk_iface_address_add(fx.stack, fx.iface, &fx.flow.local, prefix, true, fx.now);
    if (rc) fixture_fail("bk_iface_address_add: %d", rc);
    ignore_sent(); /* whatever IPv6 has to say at start-up */
}

int64_t our_mss(void) {
    return fx.family == 4 ? fx.iface_config.mtu - 40 : fx.iface_config.mtu - 60;
}

struct flow flow_like(const struct flow *f, uint16_t local_port, uint16_t remote_port) {
    struct flow g = *f;
    if (local_port) g.local_port = local_port;
    if (remote_port) g.remote_port = remote_port;
    g.iss_known = g.ts_on = g.scale_on = g.held = false;
    g.iss = 0;
    g.nxt = g.seen = g.got_ack = 0;
    g.sent = g.read = 0;
    return g;
}

void new_incarnation(uint32_t isn) {
    fx.flow = flow_like(&fx.flow, 0, 0);
    fx.flow.isn = isn;
}

/* ---- what leaves ------------------------------------------------------------------------------------- */

uint8_t fixture_user_pattern(uint64_t at) {
    return (uint8_t)(at * 31 + at / 256 * 7 + 3);
}
uint8_t fixture_peer_pattern(uint64_t at) {
    return (uint8_t)(at * 17 + at / 256 * 5 + 101);
}

static bool of_flow(const struct wire_seg *w, const struct flow *f) {
    return w->sport == f->local_port && w->dport == f->remote_port && bk_addr_equal(&w->src, &f->local) &&
           bk_addr_equal(&w->dst, &f->remote);
}

/* What the peer learns from a segment. */
static void flow_learn(struct flow *f, const struct wire_seg *w) {
    if (w->flags & RST) return;
    if ((w->flags & SYN) && !f->iss_known) {
        f->iss = w->seq;
        f->iss_known = true;
        f->seen = 0;
    }
    if (!f->iss_known) return;
    if (w->flags & SYN) {
        f->ts_on = w->ts && f->timestamps;
        f->scale_on = w->wscale >= 0 && f->wscale >= 0;
        f->stack_scale = f->scale_on ? (uint8_t)w->wscale : 0;
    }
    if (w->ts) f->ts_seen = w->tsval;
    int64_t end = (int32_t)(wire_seg_end(w) - f->iss);
    if (end > f->seen) f->seen = end;
    if (w->flags & ACK) f->got_ack = (int32_t)(w->ack - f->isn);
}

/* The payload must be what the user sent at that place of the stream. */
static void payload_check(const struct flow *f, const struct wire_seg *w) {
    if (!w->len || f->raw || !f->iss_known || (w->flags & RST)) return;
    int64_t at = (int32_t)(w->seq - f->iss) + ((w->flags & SYN) != 0) - 1;
    if (at < 0 || (uint64_t)at + w->len > f->sent)
        fixture_fail("bytes %ld to %ld of the stream are sent, but the user sent %lu", (long)at, (long)(at + w->len),
                     (unsigned long)f->sent);
    for (uint32_t i = 0; i < w->len; i++)
        if (w->payload[i] != fixture_user_pattern((uint64_t)at + i))
            fixture_fail("payload differs from what the user sent, at byte %ld of the stream", (long)(at + i));
}

static void record(const struct bk_tx *unit, uint32_t i) {
    static uint8_t frame[FRAME_MAX];
    char text[SEG_TEXT];
    struct wire_seg w;
    size_t n = bk_tx_write(fx.stack, unit, i, frame, sizeof frame);
    if (n == 0) fixture_fail("bk_tx_write wrote nothing");
    if (n > fx.iface_config.mtu) fixture_fail("a frame of %lu bytes exceeds the MTU", (unsigned long)n);
    const char *wrong = wire_seg_parse(frame, n, &w);
    fixture_note("->", wrong ? wrong : wire_seg_format(&w, fx.flow.iss, fx.flow.isn, text),
                 bk_reason_name(unit->reason));
    if (!wrong && of_flow(&w, &fx.flow)) {
        flow_learn(&fx.flow, &w);
        payload_check(&fx.flow, &w);
    }
    if (fx.sent_count == fx.sent_room) {
        fx.sent_room = fx.sent_room ? 2 * fx.sent_room : 64;
        fx.sent = realloc(fx.sent, fx.sent_room * sizeof *fx.sent);
        assert_non_null(fx.sent);
    }
    struct sent *s = &fx.sent[fx.sent_count++];
    *s = (struct sent){.time = fx.now, .reason = unit->reason, .unit = fx.units, .length = n, .frame = malloc(n)};
    assert_non_null(s->frame);
    memcpy(s->frame, frame, n);
}

void fixture_drain(void) {
    struct bk_tx units[4];
    size_t n, total = 0;
    while ((n = bk_output(fx.stack, fx.iface, units, 4, fx.now)) != 0) {
        uint32_t ids[4];
        for (size_t i = 0; i < n; i++) {
            uint32_t count = bk_tx_count(&units[i]);
            for (uint32_t k = 0; k < count; k++) record(&units[i], k);
            fx.units++;
            ids[i] = units[i].id;
        }
        bk_output_done(fx.stack, ids, n);
        if ((total += n) > 10000) fixture_fail("bk_output does not come to an end");
    }
    if (bk_output_pending(fx.stack, fx.iface))
        fixture_fail("bk_output returned 0, yet bk_output_pending says there is more");
    struct fault fault = {0};
    if (!fx.holds && !audit_stack(fx.stack, NULL, &fault)) fixture_fail("%s", fault.text);
}

/* ---- time -------------------------------------------------------------------------------------------- */

void advance_to(uint64_t time) {
    unsigned still = 0;
    if (!fx.stack) stack_up();
    fixture_drain();
    for (;;) {
        uint64_t due = bk_next_deadline(fx.stack);
        if (due > time) break;
        if (due > fx.now) {
            fx.now = due;
            still = 0;
        } else if (++still > 100) {
            fixture_fail("bk_next_deadline stays at a time that is past");
        }
        bk_advance(fx.stack, fx.now);
        fixture_drain();
    }
    fx.now = time;
    bk_advance(fx.stack, fx.now);
    fixture_drain();
}

void advance_by(uint64_t ms) {
    advance_to(fx.now + ms * MS);
}
void mark(void) {
    fx.marked = fx.now;
}
uint64_t elapsed_ms(void) {
    return (fx.now - fx.marked) / MS;
}

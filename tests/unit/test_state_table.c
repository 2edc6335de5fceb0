/* Shows that every state answers every event (segments, user calls, timeouts) as RFC 9293 says: a table of rows, each citing its
 * sentence, run over IPv4 and IPv6. The expected cells were written from the RFC before the code was run. */
#include "state_table.h"

static const char *const state_names[] = {"CLOSED",
                                          "LISTEN",
                                          "SYN-SENT",
                                          "SYN-RECEIVED (request)",
                                          "SYN-RECEIVED (simultaneous open)",
                                          "ESTABLISHED",
                                          "FIN-WAIT-1",
                                          "FIN-WAIT-2",
                                          "CLOSE-WAIT",
                                          "CLOSING",
                                          "LAST-ACK",
                                          "TIME-WAIT"};
static const uint8_t state_of[] = {BK_CLOSED,       BK_LISTEN,      BK_SYN_SENT,   BK_SYN_RECEIVED,
                                   BK_SYN_RECEIVED, BK_ESTABLISHED, BK_FIN_WAIT_1, BK_FIN_WAIT_2,
                                   BK_CLOSE_WAIT,   BK_CLOSING,     BK_LAST_ACK,   BK_TIME_WAIT};
static const char *const event_names[] = {
#define TABLE_EVENT_NAME(name) #name,
    TABLE_EVENTS(TABLE_EVENT_NAME)
#undef TABLE_EVENT_NAME
};

/* The connection's variables before the event, relative. */
static struct { int64_t rcv_nxt, snd_nxt; } at;

static bool closed_by_user(uint8_t state) {
    return state == FIN_WAIT_1 || state == FIN_WAIT_2 || state == CLOSING || state == LAST_ACK || state == TIME_WAIT;
}

/* ---- furnishing a state ------------------------------------------------------------------------------ */

static void set_options(uint32_t with) {
    if (with & KEEPALIVE) {
        expect_call(call_set(BK_TCP_KEEPALIVE, 1), 0);
        expect_call(call_set(BK_TCP_KEEPALIVE_IDLE_S, 10), 0);
        expect_call(call_set(BK_TCP_KEEPALIVE_INTERVAL_S, 5), 0);
        expect_call(call_set(BK_TCP_KEEPALIVE_PROBES, 3), 0);
    }
    if (with & USER_TIMEOUT) expect_call(call_set(BK_TCP_USER_TIMEOUT_MS, 5000), 0);
}

/* An established connection on which 10 bytes came and 20 went, and what `with` asks for. */
static void furnish_established(uint32_t with) {
    fx.passive = with & LISTENER;
    fx.flow.timestamps = with & TIMESTAMPS;
    established();
    set_options(with);
    receive(SEG(.flags = ACK | PSH, .len = 10));
    expect_call(call_receive(100), 10);
    expect_call(call_send(20), 20);
    receive(SEG(.flags = ACK));
    if (with & UNREAD) receive(SEG(.flags = ACK | PSH, .len = 10));
    advance_by(499); /* for delayed ACKs */
    if (with & ZERO_WINDOW) {
        fx.flow.wnd = 0;
        receive(SEG(.flags = ACK));
        ignore_sent();
        expect_call(call_send(5), 5);
        expect_silence();
    } else if (with & IDLE) {
        receive(SEG(.flags = ACK)); /* silence counts from here */
    } else {
        expect_call(call_send(5), 5);
    }
    ignore_sent();
}

static void furnish_close(uint32_t with) {
    expect_call(with & ORPHAN ? call_close() : call_shutdown(), 0);
    ignore_sent();
}

/* The peer's FIN, which acknowledges `acked` bytes fewer than all that we sent. */
static void furnish_fin(int64_t unacked) {
    receive(SEG(.flags = FIN | ACK, .ack = fx.flow.seen - unacked));
    ignore_sent();
}

static void furnish_closed(uint32_t with) {
    if (with & RESET) {
        established();
        receive(SEG(.flags = RST));
        return;
    }
    expect_call(call_connect(), 0); /* so that there is a handle that once was good */
    expect_call(call_abort(), 0);
    new_incarnation(fx.flow.isn);
    ignore_sent();
}

static void furnish(const struct table_row *row, uint32_t with) {
    int64_t outstanding = with & ZERO_WINDOW ? 0 : with & IDLE ? 0 : 5;
    int64_t fin = with & ZERO_WINDOW ? 0 : 1;
    switch (row->state) {
    case CLOSED:
        furnish_closed(with);
        break;
    case LISTEN:
        listening();
        break;
    case SYN_SENT:
        syn_sent();
        set_options(with);
        break;
    case REQUEST:
        request();
        break;
    case SYN_RECEIVED:
        syn_received();
        set_options(with);
        break;
    default:
        furnish_established(with);
        break;
    }
    switch (row->state) {
    case FIN_WAIT_1:
        furnish_close(with);
        break;
    case FIN_WAIT_2:
    case TIME_WAIT:
        furnish_close(with);
        receive(SEG(.flags = ACK));
        if (row->state == TIME_WAIT) furnish_fin(0);
        break;
    case CLOSE_WAIT:
        furnish_fin(outstanding);
        break;
    case CLOSING:
        furnish_close(with);
        furnish_fin(outstanding + fin);
        break;
    case LAST_ACK:
        furnish_fin(outstanding);
        furnish_close(with);
        break;
    default:
        break;
    }
    ignore_sent();
    expect_state(state_of[row->state]);
    heard();
    at.rcv_nxt = fx.flow.nxt;
    at.snd_nxt = fx.flow.seen;
    if (row->state <= LISTEN) {
        at.rcv_nxt = at.snd_nxt = 0;
        if (!fx.flow.iss_known) fx.flow.iss = 0x11223344; /* what acknowledgments to nobody count from */
    }
    mark();
}

/* ---- the event --------------------------------------------------------------------------------------- */

static void event_segment(const struct table_row *row, uint32_t with) {
    const struct table_in *in = &row->in;
    struct seg s = SEG(.flags = in->flags, .seq = at.rcv_nxt + in->seq, .len = in->len, .urg = in->urg);
    if (in->flags & ACK) s.ack = at.snd_nxt + in->ack;
    if (with & TIMESTAMPS) s.tsval = (int64_t)fx.flow.ts_base + (int64_t)(fx.now / MS) + in->tsval;
    receive(s);
}

/* The handle that a call in this state is made with: in LISTEN the listener's numbers, which name no connection. */
static void forge_handle(const struct table_row *row) {
    if (row->state == LISTEN) fx.flow.conn = (bk_conn){fx.listener.index, fx.listener.generation};
}

static int64_t status_checked(void) {
    struct bk_tcp_info info;
    if (!fx.flow.held) {
        if (fx.listener_held) return 0; /* expect_state looked it up in the list */
        return bk_tcp_status(fx.stack, fx.flow.conn, &info);
    }
    info = call_status();
    if (info.local_port != fx.flow.local_port || info.remote_port != fx.flow.remote_port ||
        !bk_addr_equal(&info.local, &fx.flow.local) || !bk_addr_equal(&info.remote, &fx.flow.remote))
        fixture_fail("STATUS names another connection");
    if (info.state == BK_CLOSED) return 0;
    if (!info.owned) fixture_fail("STATUS says that nobody holds the connection");
    if (info.state != BK_TIME_WAIT && info.iss != fx.flow.iss) fixture_fail("STATUS: ISS is wrong");
    if (info.snd_nxt - fx.flow.iss != (uint32_t)at.snd_nxt) fixture_fail("STATUS: SND.NXT is wrong");
    if (info.state != BK_SYN_SENT && info.rcv_nxt - fx.flow.isn != (uint32_t)at.rcv_nxt)
        fixture_fail("STATUS: RCV.NXT is wrong");
    return 0;
}

static int64_t event_call(const struct table_row *row) {
    forge_handle(row);
    bool of_listener = row->state == LISTEN || row->state == REQUEST;
    switch (row->event) {
    case EVENT_CALL_OPEN_ACTIVE:
        return call_connect();
    case EVENT_CALL_OPEN_PASSIVE:
        return call_listen();
    case EVENT_CALL_SEND:
        return call_send(5);
    case EVENT_CALL_RECEIVE:
    case EVENT_CALL_RECEIVE_QUEUED:
        return call_receive(100);
    case EVENT_CALL_CLOSE:
        return of_listener ? call_unlisten() : call_close();
    case EVENT_CALL_CLOSE_UNREAD:
        return call_close();
    case EVENT_CALL_SHUTDOWN:
        return call_shutdown();
    case EVENT_CALL_ABORT:
        return call_abort();
    case EVENT_CALL_STATUS:
        return status_checked();
    default:
        fixture_fail("no such call");
    }
}

static void event_timeout(const struct table_row *row, uint32_t with) {
    if (row->in.flags) event_segment(row, with);
    if (row->holds) {
        advance_by(row->holds);
        expect_state(state_of[row->state]);
    }
    advance_by(row->wait - row->holds);
}

/* ---- what is expected -------------------------------------------------------------------------------- */

static void check_sent(const struct table_row *row) {
    bool soon = false;
    for (size_t i = 0; i < TABLE_OUTS; i++) soon |= row->out[i].flags && row->out[i].at == SOON;
    if (soon && row->event < EVENT_TIMEOUT_USER) advance_by(499);
    for (size_t i = 0; i < TABLE_OUTS && row->out[i].flags; i++) {
        const struct table_out *o = &row->out[i];
        struct seg s = SEG(.flags = o->flags, .len = o->len, .seq_absolute = o->absolute);
        if (o->seq != ANY) s.seq = o->seq + (o->absolute ? 0 : at.snd_nxt);
        if ((o->flags & ACK) && !(o->flags & MAYBE_ACK)) s.ack = o->ack + at.rcv_nxt;
        if (o->at == SOON) {
            s.before = 500;
        } else {
            s.at = o->at == -1 ? 0 : o->at;
        }
        if (o->optional) {
            expect_if(s);
        } else {
            expect(s);
        }
    }
    expect_silence();
}

static void check_ready(const struct table_row *row, bool orphan) {
    uint32_t bits = heard();
    uint32_t wanted = orphan ? 0 : row->hears;
    /* "closed" and "connected" may bring along that calls no longer wait */
    uint32_t also = row->may_hear;
    if (bits & BK_READY_CONNECTED) also |= BK_READY_WRITABLE;
    if (bits & BK_READY_CLOSED) also |= BK_READY_WRITABLE | BK_READY_READABLE;
    if ((bits & ~(also & ~wanted)) != wanted)
        fixture_fail("the user heard bits 0x%x, expected 0x%x (and perhaps 0x%x)", (unsigned)bits, (unsigned)wanted,
                     (unsigned)row->may_hear);
}

/* TIME-WAIT, 10 s old at the event: whether 2MSL began anew. */
static void check_2msl(const struct table_row *row) {
    advance_to(fx.marked + 50100 * MS);
    expect_silence();
    expect_state(row->wait_2msl == TW_RESTARTED ? BK_TIME_WAIT : BK_CLOSED);
    advance_to(fx.marked + 60100 * MS);
    expect_state(BK_CLOSED);
}

static void run_row(const struct table_row *row, uint32_t with) {
    furnish(row, with);
    if (row->wait_2msl) {
        advance_by(10000);
        expect_silence();
        mark();
    }
    if (row->event >= EVENT_TIMEOUT_USER) {
        event_timeout(row, with);
    } else if (row->event >= EVENT_CALL_OPEN_ACTIVE) {
        int64_t rc = event_call(row);
        if (rc != row->returns) fixture_fail("the call returned %ld, expected %ld", (long)rc, (long)row->returns);
    } else {
        event_segment(row, with);
    }
    if (row->event < EVENT_TIMEOUT_USER) expect_state(state_of[row->next]);
    check_ready(row, with & ORPHAN);
    check_sent(row);
    expect_state(state_of[row->next]);
    if (fx.flow.held) expect_error(row->error);
    if (row->event < EVENT_TIMEOUT_USER && state_of[row->next] != BK_SYN_SENT) {
        advance_to(fx.marked + 499 * MS);
        expect_silence(); /* nor is anything merely delayed */
    }
    if (row->wait_2msl) check_2msl(row);
}

/* ---- running them ------------------------------------------------------------------------------------ */

static const struct {
    const struct table_row *rows;
    const size_t *count;
} parts[] = {{rows_closed, &rows_closed_count},
             {rows_embryonic, &rows_embryonic_count},
             {rows_data, &rows_data_count},
             {rows_closing, &rows_closing_count}};

static bool run_guarded(const struct table_row *row, uint32_t with, int family) {
    jmp_buf failure;
    fixture_prepare(family);
    fx.catch_failure = &failure;
    bool good = setjmp(failure) == 0;
    if (good) {
        run_row(row, with);
    } else {
        print_message("  ^ %s x %s%s over IPv%d\n    %s: \"%s\"\n\n", state_names[row->state], event_names[row->event],
                      !closed_by_user(row->state) ? ""
                      : with & ORPHAN             ? ", without owner,"
                                                  : ", with owner,",
                      family, row->rfc, row->quote);
    }
    fixture_finish();
    return good;
}

struct table_test {
    int state, family;
};

static void rows_of_state(void **state) {
    const struct table_test *t = *state;
    unsigned runs = 0, failed = 0;
    for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++) {
        for (size_t i = 0; i < *parts[p].count; i++) {
            const struct table_row *row = &parts[p].rows[i];
            if (row->state != t->state || row->never) continue;
            uint32_t with = row->with;
            if (!closed_by_user(row->state)) with |= OWNED;
            if (!(with & ORPHAN)) {
                runs++;
                failed += !run_guarded(row, with | OWNED, t->family);
            }
            if (!(with & OWNED)) {
                runs++;
                failed += !run_guarded(row, with | ORPHAN, t->family);
            }
        }
    }
    if (failed) fail_msg("%s over IPv%d: %u of %u rows failed", state_names[t->state], t->family, failed, runs);
}

/* Every cell has a row, every row a sentence. */
static void no_empty_cell(void **state) {
    (void)state;
    unsigned count[TABLE_STATES][TABLE_EVENTS_COUNT] = {{0}};
    unsigned rows = 0, never = 0, empty = 0;
    for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++) {
        for (size_t i = 0; i < *parts[p].count; i++) {
            const struct table_row *row = &parts[p].rows[i];
            rows++;
            never += row->never != NULL;
            count[row->state][row->event]++;
            if (!row->never && (!row->rfc || !row->quote))
                fail_msg("%s x %s cites nothing", state_names[row->state], event_names[row->event]);
        }
    }
    for (unsigned s = 0; s < TABLE_STATES; s++)
        for (unsigned e = 0; e < TABLE_EVENTS_COUNT; e++)
            if (!count[s][e]) {
                empty++;
                print_message("empty cell: %s x %s\n", state_names[s], event_names[e]);
            }
    print_message(
        "state table: %u rows, of which %u say why a cell cannot occur; %u states x %u events, no cell empty: %s\n",
        rows, never, (unsigned)TABLE_STATES, (unsigned)TABLE_EVENTS_COUNT, empty ? "NO" : "yes");
    assert_int_equal(empty, 0);
}

int main(void) {
    static struct table_test what[2 * TABLE_STATES];
    static char names[2 * TABLE_STATES][64];
    struct CMUnitTest tests[1 + 2 * TABLE_STATES] = {cmocka_unit_test(no_empty_cell)};
    for (int i = 0; i < 2 * TABLE_STATES; i++) {
        what[i] = (struct table_test){i / 2, i % 2 ? 6 : 4};
        snprintf(names[i], sizeof names[i], "%s over IPv%d", state_names[i / 2], what[i].family);
        tests[1 + i] = (struct CMUnitTest){names[i], rows_of_state, NULL, NULL, &what[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The users of two stacks: every call of the interface, with data that can be checked.
 *
 * A byte of a stream follows from the sender's ISS and from its offset, so data of another connection, of an earlier incarnation, or from another
 * place shows. Besides, nothing may be delivered that was not sent, and the end of the data comes after all of it, and only when
 * the sender has said that there is no more.
 */
#include "pair_world.h"

static uint8_t pattern(uint32_t iss, uint32_t offset) {
    uint32_t x = (iss ^ offset >> 8) * 0x9e3779b1u + offset * 167u;
    return (uint8_t)(x ^ x >> 16);
}

/* ---- streams --------------------------------------------------------------------------------------- */

static struct stream *stream_find(struct side *side, uint32_t iss) {
    for (struct stream *s = side->stream; s < side->stream + STREAMS; s++)
        if (side->streams > (uint32_t)(s - side->stream) && s->iss == iss) return s;
    return NULL;
}

/* The stream that this handle sends; made when it is first asked for. */
static struct stream *stream_of(struct side *side, bk_conn conn) {
    struct bk_tcp_info info;
    if (bk_tcp_status(side->stack, conn, &info) != 0) return NULL;
    struct stream *s = stream_find(side, info.iss);
    if (s != NULL) return s;
    s = &side->stream[side->streams++ % STREAMS];
    *s = (struct stream){.iss = info.iss};
    return s;
}

/* ---- receive --------------------------------------------------------------------------------------- */

/* n more bytes were delivered to a connection that `info` describes. */
static void bytes_must_be_sent(struct world *w, int s, const struct bk_tcp_info *info, uint32_t received) {
    const struct stream *from = stream_find(&w->side[!s], info->irs);
    if (from == NULL) return; /* sent by nobody whose numbers are still known */
    MUST(received <= from->sent);
}

/* Returns what bk_tcp_receive did. */
static ptrdiff_t user_receives(struct world *w, int s, struct user *u, size_t room) {
    uint8_t data[2048];
    struct bk_tcp_info info;
    struct side *side = &w->side[s];
    int known = bk_tcp_status(side->stack, u->conn, &info);
    if (room > sizeof data) room = sizeof data;
    ptrdiff_t n = bk_tcp_receive(side->stack, u->conn, data, room, side->now);
    MUST(n <= (ptrdiff_t)room);
    world_note(w, (uint64_t)n);
    if (n < 0 || known != 0 || !u->held || !flow_is_clean(w, s, &info)) return n;
    for (ptrdiff_t i = 0; i < n; i++) MUST(data[i] == pattern(info.irs, u->received + (uint32_t)i));
    u->received += (uint32_t)n;
    bytes_must_be_sent(w, s, &info, u->received);
    const struct stream *from = stream_find(&w->side[!s], info.irs);
    if (n == 0 && room > 0 && from != NULL) MUST(from->ended && from->sent == u->received);
    return n;
}

void user_reads_all(struct world *w, int s, struct user *u) {
    while (u->held && user_receives(w, s, u, 2048) > 0) {
    }
}

static void user_peeks(struct world *w, int s, struct user *u, uint32_t leave) {
    struct bk_part parts[4];
    struct bk_tcp_info info;
    struct side *side = &w->side[s];
    if (!u->held || bk_tcp_status(side->stack, u->conn, &info) != 0) return;
    bool clean = flow_is_clean(w, s, &info);
    size_t n = bk_tcp_peek_parts(side->stack, u->conn, parts, BK_COUNT(parts));
    uint32_t total = 0;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *data = bk_chunk_data(side->stack, parts[i].chunk) + parts[i].offset;
        for (uint32_t k = 0; k < parts[i].length; k++, total++)
            MUST(!clean || data[k] == pattern(info.irs, u->received + total));
    }
    MUST(total <= info.receive_queued);
    MUST(bk_tcp_consume(side->stack, u->conn, (size_t)info.receive_queued + 1, side->now) < 0);
    total -= leave < total ? leave : 0;
    MUST(bk_tcp_consume(side->stack, u->conn, total, side->now) == 0);
    if (!clean) return;
    u->received += total;
    bytes_must_be_sent(w, s, &info, u->received);
}

/* ---- send ------------------------------------------------------------------------------------------ */

static void user_sends(struct world *w, int s, struct user *u, uint32_t length, uint32_t flags) {
    uint8_t data[4096];
    struct side *side = &w->side[s];
    struct stream *stream = u->held ? stream_of(side, u->conn) : NULL;
    if (length > sizeof data) length = sizeof data;
    for (uint32_t i = 0; i < length; i++) data[i] = stream == NULL ? 0 : pattern(stream->iss, stream->sent + i);
    ptrdiff_t n = bk_tcp_send(side->stack, u->conn, data, length, flags, side->now);
    MUST(n <= (ptrdiff_t)length && (n != 0 || length == 0));
    world_note(w, (uint64_t)n);
    MUST(u->held || n < 0);
    if (n > 0 && stream != NULL) stream->sent += (uint32_t)n;
}

static void user_sends_parts(struct world *w, int s, struct user *u, uint32_t length, uint32_t count) {
    struct side *side = &w->side[s];
    uint32_t chunks[3], size = bk_config_of(side->stack)->chunk_size, at = 0;
    struct bk_part parts[3];
    struct stream *stream = u->held ? stream_of(side, u->conn) : NULL;
    count = 1 + count % 3;
    size_t have = bk_chunk_alloc(side->stack, chunks, count);
    for (uint32_t i = 0; i < have; i++) {
        uint16_t offset = (uint16_t)(7 * i);
        parts[i] = (struct bk_part){chunks[i], offset, (uint16_t)(length % (size - offset + 1))};
        uint8_t *data = bk_chunk_data(side->stack, chunks[i]) + offset;
        for (uint32_t k = 0; k < parts[i].length; k++, at++)
            data[k] = stream == NULL ? 0 : pattern(stream->iss, stream->sent + at);
    }
    int result = bk_tcp_send_parts(side->stack, u->conn, parts, have, 0, side->now);
    world_note(w, (uint64_t)result);
    if (result != 0)
        bk_chunk_release(side->stack, chunks, have);
    else if (stream != NULL)
        stream->sent += at;
}

/* ---- open and close -------------------------------------------------------------------------------- */

static struct user *user_free(struct side *side) {
    for (struct user *u = side->user; u < side->user + USERS; u++)
        if (!u->held) return u;
    return NULL;
}

static void user_connects(struct world *w, int s, uint32_t choice) {
    /* The third pair mirrors itself: both may open at once. */
    static const uint16_t ports[4][2] = {{0, PORT}, {3000, PORT}, {3001, 3001}, {0, 9}};
    struct side *side = &w->side[s];
    struct user *u = user_free(side);
    struct bk_tcp_open open = {
        .remote = w->side[!s].addr, .local_port = ports[choice % 4][0], .remote_port = ports[choice % 4][1]};
    if (u == NULL) return;
    int result = bk_tcp_connect(side->stack, &open, side->now, &u->conn);
    world_note(w, (uint64_t)result);
    if (result != 0) return;
    u->held = true;
    u->received = 0;
}

static void user_accepts(struct world *w, int s) {
    struct side *side = &w->side[s];
    struct user *u = user_free(side);
    if (u == NULL || !side->listening) return;
    int result = bk_tcp_accept(side->stack, side->listener, 1, side->now, &u->conn);
    world_note(w, (uint64_t)result);
    if (result != 0) return;
    u->held = true;
    u->received = 0;
}

void user_leaves(struct world *w, int s, struct user *u, bool gently) {
    struct side *side = &w->side[s];
    struct bk_tcp_info info;
    if (!u->held) return;
    struct stream *stream = stream_of(side, u->conn);
    if (stream != NULL && gently) stream->ended = true;
    int result = gently ? bk_tcp_close(side->stack, u->conn, side->now) : bk_tcp_abort(side->stack, u->conn, side->now);
    MUST(result == 0);
    MUST(bk_tcp_status(side->stack, u->conn, &info) < 0); /* the handle is stale at once */
    u->held = false;
}

static void user_shuts_down(struct world *w, int s, struct user *u) {
    struct side *side = &w->side[s];
    struct stream *stream = u->held ? stream_of(side, u->conn) : NULL;
    int result = bk_tcp_shutdown(side->stack, u->conn, side->now);
    world_note(w, (uint64_t)result);
    if (result == 0 && stream != NULL) stream->ended = true;
}

void listener_opens(struct world *w, int s, uint32_t choice) {
    struct side *side = &w->side[s];
    bk_addr any = {{0}};
    if (choice & 1) {
        if (side->listening) bk_tcp_unlisten(side->stack, side->listener, side->now);
        side->listening = false;
    } else if (!side->listening) {
        side->listening = bk_tcp_listen(side->stack, choice & 2 ? &side->addr : &any, PORT, choice >> 2 & 3 ? 2 : 1, 5,
                                        side->now, &side->listener) == 0;
    }
}

static void user_sets(struct world *w, int s, struct user *u, uint32_t option, uint32_t value) {
    struct side *side = &w->side[s];
    uint64_t got;
    option %= BK_TCP_OPTIONS + 1;
    int result = bk_tcp_set(side->stack, u->conn, (enum bk_tcp_option)option, value, side->now);
    world_note(w, (uint64_t)result);
    if (result == 0) MUST(bk_tcp_get(side->stack, u->conn, (enum bk_tcp_option)option, &got) == 0);
    if (result == 0 && option == BK_TCP_USER_TIMEOUT_MS) w->disturbed = true;
}

/* ---- looks ----------------------------------------------------------------------------------------- */

void users_look(struct world *w, int s) {
    struct side *side = &w->side[s];
    struct bk_tcp_info info;
    struct bk_event events[8];
    struct bk_ready ready[2];
    uint64_t cursor = 0, lost;
    while (bk_tcp_list(side->stack, &cursor, &info)) MUST(info.state < BK_STATES);
    while (!tracing && bk_trace_read(side->stack, events, 8, &lost) == 8) {
    }
    bool pending = bk_ready_pending(side->stack);
    size_t n = bk_ready_poll(side->stack, ready, 2);
    MUST(pending == (n > 0));
    for (size_t i = 0; i < n; i++) {
        MUST(ready[i].what != 0);
        world_note(w, (uint64_t)ready[i].what << 32 | ready[i].index);
        if (ready[i].listener) user_accepts(w, s);
    }
}

void users_must_be_done(struct world *w) {
    struct bk_tcp_info info, other;
    for (struct user *u = w->side[0].user; u < w->side[0].user + USERS; u++) {
        if (!u->held || bk_tcp_status(w->side[0].stack, u->conn, &info) != 0) continue;
        if (info.error != 0 || !flow_is_clean(w, 0, &info)) continue;
        for (struct user *v = w->side[1].user; v < w->side[1].user + USERS; v++) {
            if (!v->held || bk_tcp_status(w->side[1].stack, v->conn, &other) != 0 || other.error != 0) continue;
            if (other.iss != info.irs || other.irs != info.iss || other.local_port != info.remote_port) continue;
            if (info.state < BK_ESTABLISHED || other.state < BK_ESTABLISHED) continue;
            const struct stream *sent = stream_find(&w->side[0], info.iss), *back = stream_find(&w->side[1], info.irs);
            MUST(sent == NULL || v->received == sent->sent);
            MUST(back == NULL || u->received == back->sent);
        }
    }
}

/* ---- a call ---------------------------------------------------------------------------------------- */

void user_call(struct world *w, int s) {
    uint32_t call = take(&w->in, 1), argument;
    struct user *u = &w->side[s].user[call >> 4 & 3];
    struct side *side = &w->side[s];
    show(w, "call", call % 16);
    switch (call % 16) {
    case 0:
    case 1:
        user_connects(w, s, call >> 4);
        break;
    case 2:
        user_accepts(w, s);
        break;
    case 3:
        user_sends(w, s, u, 1 + (call >> 6) * 700, 0);
        break;
    case 4:
        argument = take(&w->in, 2);
        user_sends(w, s, u, argument & 0xfff, argument >> 12 & 3);
        break;
    case 5:
        argument = take(&w->in, 2);
        user_sends_parts(w, s, u, argument & 0x7ff, argument >> 12);
        break;
    case 6:
        user_reads_all(w, s, u);
        break;
    case 7:
        user_receives(w, s, u, take(&w->in, 2));
        break;
    case 8:
        user_peeks(w, s, u, take(&w->in, 1) * 8);
        break;
    case 9:
        user_shuts_down(w, s, u);
        break;
    case 10:
        user_leaves(w, s, u, true);
        break;
    case 11:
        user_leaves(w, s, u, false);
        break;
    case 12:
        argument = take(&w->in, 1);
        user_sets(w, s, u, argument, take(&w->in, 2));
        break;
    case 13:
        listener_opens(w, s, call >> 4);
        break;
    case 14:
        users_look(w, s);
        break;
    default:
        bk_reseed(side->stack, (const uint8_t[32]){(uint8_t)(call >> 4)});
        break;
    }
}

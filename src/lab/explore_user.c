/* The two users of an exploration: they follow their scripts, read what there is, and compare what they hear with what the other has done.
 *
 * Each byte says which it is: the incarnation, the direction, and its place in the stream. So a byte of an older incarnation, or
 * at a wrong place, is seen. What the users must agree upon:
 *
 *   - B's user gets a connection only if A's opened it, once for each OPEN, and both know the same sequence numbers;
 *   - what is read is the beginning of what the peer has sent on this connection;
 *   - the end of data comes only after all of it, and only if the peer has ended its sending.
 */
#include "base/common.h"
#include "lab/explore_machine.h"

static const char side_name[2] = {'A', 'B'};

bk_addr explore_addr(unsigned side) {
    return bk_addr_ipv4(192, 0, 2, (uint8_t)(1 + side));
}

static uint8_t pattern(uint8_t incarnation, unsigned from, uint32_t at) {
    return (uint8_t)((incarnation & 1) << 7 | from << 6 | (at & 63));
}

static const struct explore_step *step_of(const struct explore_machine *m, unsigned side) {
    return &m->world->script[side][m->state.user[side].step];
}

static struct explore_incarnation *incarnation_of_user(struct explore_machine *m, unsigned side) {
    return &m->state.incarnation[m->state.user[side].incarnation];
}

/* The user holds no connection any more; its script goes on with the next OPEN, if there is one. */
static void let_go(struct explore_machine *m, unsigned side) {
    struct explore_user *u = &m->state.user[side];
    u->holds = u->up = u->peer_end = u->over = false;
    u->received = 0;
    memset(&u->conn, 0, sizeof u->conn);
    while (step_of(m, side)->call != EXPLORE_END && step_of(m, side)->call != EXPLORE_CONNECT) u->step++;
}

static void hold(struct explore_machine *m, unsigned side, bk_conn conn, uint8_t incarnation) {
    struct explore_user *u = &m->state.user[side];
    bk_stack *stack = m->side[side].stack;
    uint64_t now = m->state.clock[side];
    u->conn = conn;
    u->holds = true;
    u->incarnation = incarnation;
    bk_tcp_set(stack, conn, BK_TCP_NODELAY, 1, now);
    if (!m->world->delayed_acks) bk_tcp_set(stack, conn, BK_TCP_QUICKACK, 1, now);
}

/* ---- calls ----------------------------------------------------------------------------------------- */

static bool call_connect(struct explore_machine *m, unsigned side) {
    struct explore_state *s = &m->state;
    bk_stack *stack = m->side[side].stack;
    struct bk_tcp_open open = {
        .remote = explore_addr(!side),
        .local_port = side == 0 ? EXPLORE_CLIENT_PORT : EXPLORE_SERVER_PORT,
        .remote_port = side == 0 ? EXPLORE_SERVER_PORT : EXPLORE_CLIENT_PORT,
    };
    struct bk_tcp_info info;
    bk_conn conn;
    if (bk_tcp_connect(stack, &open, s->clock[side], &conn) != 0) return false;
    /* When both open, it is one incarnation of both. */
    uint8_t incarnation = m->world->listens != 0 ? s->opens : 0;
    BK_ASSERT(incarnation < EXPLORE_INCARNATIONS, "scripts open so many times at most");
    if (incarnation == s->opens) {
        memset(&s->incarnation[incarnation], 0, sizeof s->incarnation[0]);
        watch_init(&s->watch[incarnation]);
        s->opens++;
    }
    s->user[side].step++;
    hold(m, side, conn, incarnation);
    bk_tcp_status(stack, conn, &info);
    s->incarnation[incarnation].opened[side] = true;
    s->incarnation[incarnation].iss[side] = info.iss;
    /* Of two that have the same numbers nobody can say whose a segment is: they are not watched. */
    for (unsigned k = 0; k < incarnation; k++)
        if (s->incarnation[k].opened[side] && info.iss - s->incarnation[k].iss[side] <= UINT16_MAX)
            s->watch[k].ended = s->watch[incarnation].ended = true;
    return true;
}

static void call_send(struct explore_machine *m, unsigned side, uint32_t n) {
    struct explore_user *u = &m->state.user[side];
    struct explore_incarnation *i = incarnation_of_user(m, side);
    uint8_t data[64];
    for (uint32_t k = 0; k < n; k++) data[k] = pattern(u->incarnation, side, i->sent[side] + k);
    ptrdiff_t taken = bk_tcp_send(m->side[side].stack, u->conn, data, n, 0, m->state.clock[side]);
    if (taken != (ptrdiff_t)n) fault_note(&m->fault, "%c's SEND of %u bytes returns %td", side_name[side], n, taken);
    i->sent[side] = (uint8_t)(i->sent[side] + n);
    u->step++;
}

void explore_user_close(struct explore_machine *m, unsigned side) {
    if (!m->state.user[side].over) incarnation_of_user(m, side)->closed[side] = true;
    bk_tcp_close(m->side[side].stack, m->state.user[side].conn, m->state.clock[side]);
    let_go(m, side);
}

void explore_user_abort(struct explore_machine *m, unsigned side) {
    bk_tcp_abort(m->side[side].stack, m->state.user[side].conn, m->state.clock[side]);
    let_go(m, side);
}

bool explore_user_ready(const struct explore_machine *m, unsigned side) {
    const struct explore_user *u = &m->state.user[side];
    const struct explore_step *step = step_of(m, side);
    if (step->call == EXPLORE_END) return false;
    if (step->call == EXPLORE_CONNECT) return !u->holds;
    if (!u->holds) return false;
    switch ((enum explore_when)step->when) {
    case EXPLORE_HELD:
        return true;
    case EXPLORE_UP:
        return u->up;
    case EXPLORE_PEER_END:
        return u->peer_end;
    }
    return false;
}

bool explore_user_call(struct explore_machine *m, unsigned side) {
    const struct explore_step *step = step_of(m, side);
    struct explore_user *u = &m->state.user[side];
    switch ((enum explore_call)step->call) {
    case EXPLORE_END:
        break;
    case EXPLORE_CONNECT:
        return call_connect(m, side);
    case EXPLORE_SEND:
        call_send(m, side, step->bytes);
        break;
    case EXPLORE_SHUTDOWN:
        if (bk_tcp_shutdown(m->side[side].stack, u->conn, m->state.clock[side]) == 0)
            incarnation_of_user(m, side)->closed[side] = true;
        u->step++;
        break;
    case EXPLORE_CLOSE:
        u->step++;
        explore_user_close(m, side);
        break;
    }
    return true;
}

/* ---- news ------------------------------------------------------------------------------------------ */

/* The incarnation that a connection of B's, with these numbers, belongs to; a fault if A's user has not opened it. */
static uint8_t match(struct explore_machine *m, const struct bk_tcp_info *info) {
    struct explore_state *s = &m->state;
    for (unsigned k = s->opens; k-- > 0;) {
        struct explore_incarnation *i = &s->incarnation[k];
        if (!i->opened[0] || i->accepted || i->iss[0] != info->irs) continue;
        bool shared = k > 0 && s->incarnation[0].opened[0] && s->incarnation[0].iss[0] == i->iss[0];
        bool told = i->up && i->irs == info->iss;
        /* Two incarnations with one ISS can complete each other's handshake: what matters is what comes of it. */
        if (m->world->flaw != EXPLORE_TWO_WAY && !told && !shared) {
            fault_note(&m->fault, "B's user got a connection that A's user was not told of");
            return (uint8_t)k;
        }
        i->accepted = true;
        return (uint8_t)k;
    }
    fault_note(&m->fault, "B's user got a connection that A's user has not opened: its SYN is an old duplicate");
    return EXPLORE_NOBODY;
}

static void accept_all(struct explore_machine *m) {
    struct explore_user *u = &m->state.user[1];
    struct bk_tcp_info info;
    bk_conn conn;
    while (!m->fault.found && bk_tcp_accept(m->side[1].stack, u->listener, 0, m->state.clock[1], &conn) == 0) {
        bk_tcp_status(m->side[1].stack, conn, &info);
        uint8_t incarnation = match(m, &info);
        if (m->fault.found) return;
        if (u->holds) fault_note(&m->fault, "B's user got a connection while the one before it lasts");
        u->step = 0;
        hold(m, 1, conn, incarnation);
        u->up = true;
        if (--u->listens == 0) {
            bk_tcp_unlisten(m->side[1].stack, u->listener, m->state.clock[1]);
            return;
        }
    }
}

static void connected(struct explore_machine *m, unsigned side) {
    struct explore_user *u = &m->state.user[side];
    struct explore_incarnation *i = incarnation_of_user(m, side);
    struct bk_tcp_info info;
    u->up = true;
    bk_tcp_status(m->side[side].stack, u->conn, &info);
    if (m->world->listens == 0) {
        if (!i->opened[!side] || i->iss[!side] != info.irs)
            fault_note(&m->fault, "%c is connected with an ISS that its peer has not chosen", side_name[side]);
    } else {
        i->up = true;
        i->irs = info.irs;
    }
}

static void read_byte(struct explore_machine *m, unsigned side, uint8_t byte) {
    struct explore_user *u = &m->state.user[side];
    const struct explore_incarnation *i = incarnation_of_user(m, side);
    uint8_t expected = pattern(u->incarnation, !side, u->received);
    if (byte != expected)
        fault_note(&m->fault, "%c reads byte %u of incarnation %u of %c's, instead of byte %u of incarnation %u",
                   side_name[side], byte & 63u, 1u + (byte >> 7), side_name[byte >> 6 & 1], u->received,
                   1u + u->incarnation);
    else if (u->received == i->sent[!side])
        fault_note(&m->fault, "%c reads more than %c has sent", side_name[side], side_name[!side]);
    u->received++;
}

static void read_all(struct explore_machine *m, unsigned side) {
    struct explore_user *u = &m->state.user[side];
    const struct explore_incarnation *i = incarnation_of_user(m, side);
    uint8_t data[64];
    ptrdiff_t n;
    while ((n = bk_tcp_receive(m->side[side].stack, u->conn, data, sizeof data, m->state.clock[side])) > 0)
        for (ptrdiff_t k = 0; k < n; k++) read_byte(m, side, data[k]);
    if (n != 0 || u->peer_end) return;
    u->peer_end = true;
    if (!i->closed[!side])
        fault_note(&m->fault, "%c reads the end of data, and %c has not closed", side_name[side], side_name[!side]);
    else if (u->received != i->sent[!side])
        fault_note(&m->fault, "%c reads the end of data after %u of %u bytes", side_name[side], u->received,
                   i->sent[!side]);
}

/* The stack is done with the connection. With the flaw, whoever still holds it in TIME-WAIT deletes the record. */
static void over(struct explore_machine *m, unsigned side) {
    struct explore_user *u = &m->state.user[side];
    struct bk_tcp_info info;
    u->over = true;
    bk_tcp_status(m->side[side].stack, u->conn, &info);
    if (m->world->flaw == EXPLORE_NO_TIME_WAIT && info.state == BK_TIME_WAIT)
        explore_user_abort(m, side);
    else
        explore_user_close(m, side);
}

bool explore_user_hear(struct explore_machine *m, unsigned side) {
    struct explore_user *u = &m->state.user[side];
    struct bk_ready r;
    bool called = false;
    while (!m->fault.found && bk_ready_poll(m->side[side].stack, &r, 1) == 1) {
        if (r.listener) {
            accept_all(m);
            called = true;
            continue;
        }
        if (!u->holds || r.index != u->conn.index || r.generation != u->conn.generation) continue;
        if (r.what & BK_READY_CONNECTED) connected(m, side);
        if (r.what & (BK_READY_READABLE | BK_READY_PEER_CLOSED)) read_all(m, side);
        if (r.what & BK_READY_CLOSED) over(m, side);
        called = true;
    }
    /* One SEND at a time, so that each is a segment. */
    for (bool sent = false; !m->fault.found && step_of(m, side)->at_once && explore_user_ready(m, side);
         called = true) {
        bool sends = step_of(m, side)->call == EXPLORE_SEND;
        if ((sends && sent) || !explore_user_call(m, side)) break;
        sent = sends;
    }
    return called;
}

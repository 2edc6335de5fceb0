/* The list that netstat shows: listeners, requests as SYN-RECEIVED, connections, TIME-WAITs, in this order.
 *
 * The walk's cursor holds the kind of record in its top byte and a position below: an id where a pool is walked, a
 * number or the next record's id where lists are. */
#include "tcp/connection.h"
#include "tcp/request.h"
#include "tcp/time_wait.h"
#include "tcp/user_calls.h"

static void info_tuple(struct bk_tcp_info *info, const struct tuple *tuple, uint8_t state, uint8_t iface) {
    *info = (struct bk_tcp_info){
        .local = tuple->local,
        .remote = tuple->remote,
        .local_port = tuple->local_port,
        .remote_port = tuple->remote_port,
        .state = state,
        .iface = iface,
        .timer_due = BK_NEVER,
    };
}

void tcp_list_listener(const struct listener *l, struct bk_tcp_info *info) {
    struct tuple tuple = {l->local, l->local, l->port, 0};
    info_tuple(info, &tuple, BK_LISTEN, 0);
    memset(&info->remote, 0, sizeof info->remote);
    if (addr_is_ipv4(&l->local)) info->remote = bk_addr_ipv4(0, 0, 0, 0);
    info->owned = true;
    info->backlog = l->accept_queue.count;
    info->backlog_max = l->backlog;
    info->receive_queued = l->accept_queue.count; /* as ss(8) has it */
    info->send_queued = l->backlog;
}

static bool list_listener(const struct tcp *t, uint32_t id, struct bk_tcp_info *info) {
    const struct listener *l = listener_at(t, id);
    if (l->generation == 0) return false;
    tcp_list_listener(l, info);
    return true;
}

static void list_request(const struct tcp *t, bool ipv6, uint32_t id, struct bk_tcp_info *info) {
    const struct request *r = request_at(t, ipv6, id);
    struct tuple tuple = request_tuple(t, ipv6, id);
    info_tuple(info, &tuple, BK_SYN_RECEIVED, r->iface);
    info->iss = info->snd_una = r->iss;
    info->snd_nxt = r->iss + 1;
    info->irs = r->irs;
    info->rcv_nxt = r->irs + 1;
    info->timestamps = r->timestamps;
    info->retransmits = request_timeouts(r);
    info->timer = 1;
    info->timer_due = r->due;
}

static void list_time_wait(const struct tcp *t, bool ipv6, uint32_t id, struct bk_tcp_info *info) {
    const struct time_wait *w = time_wait_at(t, ipv6, id);
    struct tuple tuple = time_wait_tuple(t, ipv6, id);
    info_tuple(info, &tuple, BK_TIME_WAIT, w->iface);
    info->snd_una = info->snd_nxt = w->snd_nxt;
    info->rcv_nxt = w->rcv_nxt;
    info->timestamps = w->timestamps;
    info->timer = 3;
    info->timer_due = w->expires;
    info->idle_since = w->expires - 2 * t->base.config.msl_ms * NS_PER_MS; /* the peer's last FIN */
}

enum list_phase { LIST_LISTENERS, LIST_REQUESTS, LIST_CONNECTIONS, LIST_TIME_WAITS, LIST_END };

/* Walks the lists of requests: the position is the next record's id plus one, with the list's number above bit 32; a
 * position whose id part is 0 stands before the list named there. */
static bool list_next_request(const struct tcp *t, uint64_t *position, struct bk_tcp_info *info) {
    uint32_t number = (uint32_t)(*position >> 32), id = (uint32_t)*position - 1;
    bool begin = (uint32_t)*position == 0;
    for (; number < 2 * REQUEST_LEVELS; number++, begin = true) {
        uint32_t ipv6 = number / REQUEST_LEVELS;
        if (begin) id = t->request_fifo[ipv6][number % REQUEST_LEVELS].head;
        if (id == BK_NONE) continue;
        list_request(t, ipv6, id, info);
        uint32_t next = request_at(t, ipv6, id)->link.next;
        *position = next == BK_NONE ? (uint64_t)(number + 1) << 32 : (uint64_t)number << 32 | (next + 1);
        return true;
    }
    return false;
}

/* Walks the two lists of TIME-WAITs: the position is the next record's id plus one, with the family in bit 32; 0 to begin. */
static bool list_next_time_wait(const struct tcp *t, uint64_t *position, struct bk_tcp_info *info) {
    const uint64_t family = UINT64_C(1) << 32;
    uint32_t ipv6 = (*position & family) != 0;
    uint32_t id = (uint32_t)*position - 1;
    if (*position == 0) id = t->time_wait_fifo[0].head;
    if (ipv6 == 0 && id == BK_NONE) {
        ipv6 = 1;
        id = t->time_wait_fifo[1].head;
    }
    if (id == BK_NONE) return false;
    list_time_wait(t, ipv6, id, info);
    *position = (ipv6 ? family : 0) | (uint32_t)(time_wait_at(t, ipv6, id)->link.next + 1);
    if (*position == 0) *position = family | (uint32_t)(t->time_wait_fifo[1].head + 1);
    return true;
}

bool tcp_list(const struct tcp *t, uint64_t *cursor, struct bk_tcp_info *info) {
    /* The phase in the top byte, the position in it below. */
    enum list_phase phase = (enum list_phase)(*cursor >> 56);
    uint64_t position = *cursor & ((UINT64_C(1) << 56) - 1);
    bool found = false;
    while (!found && phase != LIST_END) {
        switch (phase) {
        case LIST_LISTENERS:
            while (!found && position < t->listeners.fresh) found = list_listener(t, (uint32_t)position++, info);
            break;
        case LIST_REQUESTS:
            found = list_next_request(t, &position, info);
            break;
        case LIST_CONNECTIONS:
            while (!found && position < t->connections.fresh) {
                const struct connection *c = connection_at(t, (uint32_t)position++);
                found = c->generation != 0 && !c->detached;
                if (found) user_status(t, c, info);
            }
            break;
        case LIST_TIME_WAITS:
            found = list_next_time_wait(t, &position, info);
            break;
        case LIST_END:
            break;
        }
        if (!found) {
            phase++;
            position = 0;
        }
    }
    *cursor = (uint64_t)phase << 56 | position;
    return found;
}

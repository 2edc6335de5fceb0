/* How much may be queued for sending. See send_room.h. */
#include "tcp/send_room.h"

#include "tcp/options.h"
#include "tcp/recovery.h"

#define UNBOUNDED (UINT64_C(1) << 40)
#define UNIT_MAX  65280u /* payload that fits one segment offload with any headers */

/* The queue in units: [0, sent) was sent, or will be as soon as output is asked; the rest waits. */
struct units {
    uint32_t queued, sent;
    uint32_t size;     /* of a unit */
    uint32_t piece;    /* what leaves at a time: half of cwnd at most */
    uint32_t overhead; /* charged for each */
};

static struct units units_of(const struct tcp *t, const struct connection *c) {
    uint32_t outstanding = connection_outstanding(c), pipe = recovery_pipe(t, c);
    uint32_t window = c->snd_wnd > outstanding ? c->snd_wnd - outstanding : 0;
    uint32_t room = c->cwnd > pipe ? c->cwnd - pipe : 0;
    uint32_t half = c->max_snd_wnd > mss_default(false) ? c->max_snd_wnd / 2 : c->max_snd_wnd;
    uint32_t size = u32_min(UNIT_MAX, half) / c->mss * c->mss;
    return (struct units){
        .queued = c->snd_end - c->snd_una,
        .sent = outstanding + u32_min(window, room) / c->mss * c->mss,
        .size = u32_max(size, c->mss),
        .piece = u32_max(u32_min(c->cwnd / 2, size) / c->mss * c->mss, c->mss),
        .overhead = t->base.config.send_overhead,
    };
}

static uint64_t count_of(uint32_t bytes, uint32_t size) {
    return ((uint64_t)bytes + size - 1) / size;
}

/* What `queued` bytes are charged. */
static uint64_t units_charge(const struct units *u, uint32_t queued) {
    uint32_t sent = u32_min(queued, u->sent);
    return queued + u->overhead * (count_of(sent, u->piece) + count_of(queued - sent, u->size));
}

/* How many more units may be begun when `queued` bytes are there and the last unit is full. */
static uint64_t units_more(const struct units *u, uint32_t queued, uint64_t buffer, uint64_t unsent_low) {
    uint64_t charge = units_charge(u, queued), unsent = queued > u->sent ? queued - u->sent : 0;
    if (charge >= buffer || unsent >= unsent_low) return 0;
    uint64_t by_charge = (buffer - charge + u->size + u->overhead - 1) / (u->size + u->overhead);
    uint64_t by_unsent = (unsent_low - unsent + u->size - 1) / u->size;
    /* Those that leave at once do not count as unsent. */
    if (queued < u->sent) by_unsent += (u->sent - queued) / u->size;
    return u64_min(by_charge, by_unsent);
}

static bool counts_units(const struct tcp *t, const struct connection *c) {
    return t->base.config.send_overhead != 0 || c->unsent_low != UINT32_MAX;
}

uint32_t send_room(const struct tcp *t, const struct connection *c) {
    const struct active *a = active_of(t, c);
    uint32_t queued = a == NULL ? 0 : a->send.bytes;
    uint32_t plain = c->send_buffer > queued ? c->send_buffer - queued : 0;
    if (!counts_units(t, c) || !c->syn_acked) return plain;
    struct units u = units_of(t, c);
    uint64_t buffer = t->base.config.send_overhead != 0 ? c->send_buffer : UNBOUNDED, end = u.queued;
    /* While all of it leaves at once a unit is added at a time; one that does not leave whole is filled again. */
    if (end < u.sent) {
        uint64_t units = units_more(&u, (uint32_t)end, buffer, c->unsent_low);
        if (units == 0 || (u.piece == u.size && end + units * u.size < u.sent))
            end += units * u.size;
        else
            end = (uint64_t)u.sent + u.size;
    } else if ((end - u.sent) % u.size != 0) {
        end += u.size - (end - u.sent) % u.size;
    }
    if (end >= u.sent) end += units_more(&u, (uint32_t)end, buffer, c->unsent_low) * u.size;
    uint64_t room = end - u.queued;
    if (t->base.config.send_overhead == 0) room = u64_min(room, plain);
    return (uint32_t)u64_min(room, UINT32_C(1) << 30);
}

bool send_room_writable(const struct tcp *t, const struct connection *c) {
    uint32_t queued = c->snd_end - c->snd_una;
    uint64_t charge = queued;
    if (counts_units(t, c)) {
        struct units u = units_of(t, c);
        if (queued > u.sent && (uint64_t)(queued - u.sent) * 2 >= c->unsent_low) return false;
        charge = units_charge(&u, queued);
    }
    return charge <= c->send_buffer - c->send_buffer / 3;
}

void send_room_came(struct tcp *t, struct connection *c) {
    if (!c->want_write || c->waits != WAITS_NOT || c->fin_queued || !send_room_writable(t, c)) return;
    c->want_write = false;
    connection_hear(t, c, BK_READY_WRITABLE);
}

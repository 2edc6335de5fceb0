/* Sending and reading of the simulation's users, and what is checked there: see app.h. */
#include <inttypes.h>
#include <string.h>

#include "base/common.h"
#include "lab/sim_world.h"

#define IO_BYTES 4096u
#define IO_PARTS 4u

/* ---- the pattern ----------------------------------------------------------------------------------- */

static uint64_t pattern_word(uint64_t key, uint64_t index) {
    uint64_t z = (key + index) * UINT64_C(0x9e3779b97f4a7c15);
    return z ^ z >> 29;
}

void app_pattern(uint64_t key, unsigned end, uint64_t offset, uint8_t *to, size_t n) {
    key ^= end != 0 ? UINT64_C(0xa5a5a5a5a5a5a5a5) : 0;
    while (n > 0) {
        uint64_t word = pattern_word(key, offset / 8) >> 8 * (offset % 8);
        for (unsigned i = (unsigned)(offset % 8); i < 8 && n > 0; i++, n--, offset++, word >>= 8) *to++ = (uint8_t)word;
    }
}

/* ---- sending --------------------------------------------------------------------------------------- */

static uint32_t io_send_flags(const struct scenario_flow *f, const struct app_end *e, uint64_t left) {
    bool urgent = f->urgent != 0 && e->writes % f->urgent == 0;
    return (urgent ? BK_SEND_URGENT : 0u) | (left > 0 && (f->by_reference || f->more) ? BK_SEND_MORE : 0u);
}

/* A write went through: `all` of it was taken, so that it was urgent if it was meant to be. */
static void io_sent(struct app_end *e, uint32_t flags, bool all) {
    e->urgent_sent |= (flags & BK_SEND_URGENT) && all;
    e->writes++;
}

/* How much a user who has so much left writes at once, where `most` is possible. */
static uint32_t io_write_most(const struct scenario_flow *f, uint64_t left, uint32_t most) {
    return (uint32_t)u64_min(left, f->write_bytes != 0 ? u32_min(f->write_bytes, most) : most);
}

/* By reference: one chunk, or a few that hold little each. -EAGAIN also if there is no chunk: the next readiness, or the next wake, tries again. */
static ptrdiff_t io_send_chunk(struct sim_world *w, struct app_connection *c, unsigned end, uint64_t left) {
    const struct sim_host *h = &w->host[c->host[end]];
    struct app_end *e = &c->end[end];
    bk_stack *stack = host_stack(h->host);
    const struct bk_config *config = bk_config_of(stack);
    const struct scenario_flow *f = &w->plan.flow[c->flow];
    uint32_t chunk[IO_PARTS], most = u32_min(u32_min(config->chunk_size, config->send_buffer), 65535), total = 0;
    bool small = f->write_bytes != 0 && IO_PARTS * f->write_bytes <= config->send_buffer;
    struct bk_part part[IO_PARTS];
    size_t n = bk_chunk_alloc(stack, chunk, small ? IO_PARTS : 1), parts = 0;
    for (; parts < n && total < left; parts++) {
        uint32_t length = io_write_most(f, left - total, most);
        part[parts] = (struct bk_part){.chunk = chunk[parts], .length = (uint16_t)length};
        app_pattern(c->key, end, e->sent + total, bk_chunk_data(stack, chunk[parts]), length);
        total += length;
    }
    uint32_t flags = io_send_flags(f, e, left - total);
    int r = parts == 0 ? ERROR_AGAIN : bk_tcp_send_parts(stack, e->conn, part, parts, flags, sim_host_time(h));
    if (r != 0) parts = 0;
    bk_chunk_release(stack, chunk + parts, n - parts);
    if (r != 0) return r;
    io_sent(e, flags, true);
    return (ptrdiff_t)total;
}

static ptrdiff_t io_send_copy(struct sim_world *w, struct app_connection *c, unsigned end, uint64_t left) {
    const struct sim_host *h = &w->host[c->host[end]];
    struct app_end *e = &c->end[end];
    uint8_t data[IO_BYTES];
    const struct scenario_flow *f = &w->plan.flow[c->flow];
    size_t length = io_write_most(f, left, sizeof data);
    uint32_t flags = io_send_flags(f, e, left - length);
    app_pattern(c->key, end, e->sent, data, length);
    ptrdiff_t n = bk_tcp_send(host_stack(h->host), e->conn, data, length, flags, sim_host_time(h));
    if (n > 0) io_sent(e, flags, (size_t)n == length);
    return n;
}

ptrdiff_t app_send(struct sim_world *w, struct app_connection *c, unsigned end, uint64_t limit) {
    struct app_end *e = &c->end[end];
    ptrdiff_t moved = 0;
    while (e->sent < limit) {
        uint64_t left = limit - e->sent;
        /* By reference nothing is known of a full budget but by a SEND that is refused: the copying one then asks for WRITABLE. */
        ptrdiff_t n = w->plan.flow[c->flow].by_reference ? io_send_chunk(w, c, end, left) : ERROR_AGAIN;
        if (n == ERROR_AGAIN || n == ERROR_MSGSIZE) n = io_send_copy(w, c, end, left);
        if (n == ERROR_AGAIN) break;
        if (n < 0) return n;
        e->sent += (uint64_t)n;
        e->sent_at = w->now;
        moved += n;
    }
    return moved;
}

/* ---- reading --------------------------------------------------------------------------------------- */

static bool io_fault(struct sim_world *w, const struct app_connection *c) {
    if (w->fault_connection == APP_NOTHING) w->fault_connection = (uint32_t)(c - w->app.connection);
    return false;
}

/* `n` octets were read, or are lent. */
static bool io_check(struct sim_world *w, struct app_connection *c, unsigned end, uint64_t at, const uint8_t *data,
                     size_t n) {
    const struct app_end *peer = &c->end[!end];
    if (at + n > peer->sent) {
        fault_note(&w->fault, "host %u received more than was sent to it: %" PRIu64 " of %" PRIu64 " octets",
                   c->host[end], at + n, peer->sent);
        return io_fault(w, c);
    }
    for (size_t done = 0; done < n;) {
        uint8_t expected[IO_BYTES];
        size_t length = n - done < sizeof expected ? n - done : sizeof expected;
        app_pattern(c->key, !end, at + done, expected, length);
        if (memcmp(expected, data + done, length) != 0) {
            while (expected[done % sizeof expected] == data[done]) done++;
            fault_note(&w->fault, "host %u received other octets than were sent, from octet %" PRIu64 " on",
                       c->host[end], at + done);
            return io_fault(w, c);
        }
        done += length;
    }
    return true;
}

/* The end of data comes after all of it, and because the other side has closed. */
static void io_end(struct sim_world *w, struct app_connection *c, unsigned end) {
    struct app_end *e = &c->end[end];
    const struct app_end *peer = &c->end[!end];
    e->ended = true;
    if (peer->shut && e->received == peer->sent) return;
    fault_note(&w->fault, "host %u was told the end of data at octet %" PRIu64 " of %" PRIu64 "%s", c->host[end],
               e->received, peer->sent, peer->shut ? "" : ", and the other side has not closed");
    io_fault(w, c);
}

static ptrdiff_t io_receive_lent(struct sim_world *w, struct app_connection *c, unsigned end, uint64_t most) {
    const struct sim_host *h = &w->host[c->host[end]];
    struct app_end *e = &c->end[end];
    struct bk_part parts[IO_PARTS];
    bk_stack *stack = host_stack(h->host);
    size_t n = bk_tcp_peek_parts(stack, e->conn, parts, IO_PARTS), total = 0;
    for (size_t i = 0; i < n && total < most; i++) {
        size_t length = (size_t)u64_min(parts[i].length, most - total);
        const uint8_t *data = bk_chunk_data(stack, parts[i].chunk) + parts[i].offset;
        if (!io_check(w, c, end, e->received + total, data, length)) return 0;
        total += length;
    }
    if (total == 0) return 0;
    int r = bk_tcp_consume(stack, e->conn, total, sim_host_time(h));
    return r < 0 ? r : (ptrdiff_t)total;
}

static ptrdiff_t io_receive_copy(struct sim_world *w, struct app_connection *c, unsigned end, uint64_t most) {
    const struct sim_host *h = &w->host[c->host[end]];
    struct app_end *e = &c->end[end];
    uint8_t data[IO_BYTES];
    ptrdiff_t n =
        bk_tcp_receive(host_stack(h->host), e->conn, data, (size_t)u64_min(most, sizeof data), sim_host_time(h));
    if (n == 0) io_end(w, c, end);
    if (n > 0 && !io_check(w, c, end, e->received, data, (size_t)n)) return 0;
    return n;
}

/* STATUS agrees with what the user has read; and no more waits for him than his receive buffer takes, and a unit of the window's scale. */
static void io_status(struct sim_world *w, const struct app_connection *c, unsigned end) {
    const struct sim_host *h = &w->host[c->host[end]];
    const struct app_end *e = &c->end[end];
    const struct bk_config *config = bk_config_of(host_stack(h->host));
    uint32_t buffer =
        u32_max(u32_max(config->receive_buffer, config->receive_buffer_max), w->plan.flow[c->flow].resize);
    struct bk_tcp_info info;
    if (bk_tcp_status(host_stack(h->host), e->conn, &info) != 0) return;
    if (info.receive_queued > buffer + (UINT32_C(1) << info.receive_scale)) {
        fault_note(&w->fault, "host %u: %u octets wait to be read, and the receive buffer takes %u", c->host[end],
                   info.receive_queued, buffer);
        io_fault(w, c);
    }
    if (info.bytes_received != e->received + info.receive_queued) {
        fault_note(&w->fault,
                   "host %u: STATUS says that %" PRIu64 " octets were received, %" PRIu64 " were read and %u wait",
                   c->host[end], info.bytes_received, e->received, info.receive_queued);
        io_fault(w, c);
    }
}

ptrdiff_t app_receive(struct sim_world *w, struct app_connection *c, unsigned end, uint64_t most) {
    struct app_end *e = &c->end[end];
    if (!e->ended) io_status(w, c, end);
    uint64_t before = e->received;
    while (!e->ended && e->received - before < most && !w->fault.found) {
        uint64_t left = most - (e->received - before);
        ptrdiff_t n = w->plan.flow[c->flow].by_reference ? io_receive_lent(w, c, end, left) : 0;
        if (n == 0) n = io_receive_copy(w, c, end, left);
        if (n == ERROR_AGAIN) break;
        if (n < 0) return n;
        e->received += (uint64_t)n;
        e->last_at = w->now;
    }
    if (e->received == before) return 0;
    w->statistics.octets += e->received - before;
    sim_digest(w, (uint64_t)(c - w->app.connection) << 1 | end);
    sim_digest(w, e->received);
    sim_digest(w, w->now);
    return (ptrdiff_t)(e->received - before);
}

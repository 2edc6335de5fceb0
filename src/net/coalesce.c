/* Receive coalescing: see coalesce.h.
 *
 * A batch is gone through once. A frame with text begins a run, and those that continue it join: the same addresses, ports, ACK number, window,
 * options, TTL and traffic class; no flags but ACK, and PSH; the next sequence number; as much text as the first, or less, which
 * makes it the run's last, as does PSH. What is out of the ordinary (IP options, extension headers, fragments, other flags, padding, a header that
 * is not all in the frame's first part, a checksum that is wrong) neither begins a run nor joins one.
 *
 * A few runs are open at a time, so connections may take turns in a batch. A run is delivered when the batch ends, when its place is needed, or when
 * something comes for the same connection that does not join it. Where it cannot be seen for whom a frame is, all runs are delivered before it. So the
 * order within a connection stays.
 *
 * The run's packet has the first frame whole, and of the others the parts behind the headers. No header is written to: others may hold the
 * chunks, too. What the first frame's headers do not say is told beside them (packet.h: joined, longer, pushed).
 */
#include "net/coalesce.h"

#include "base/checksum.h"
#include "net/foresee.h"
#include "wire/ethernet.h"
#include "wire/ip.h"
#include "wire/tcp.h"

#define COALESCE_RUNS  4u
#define COALESCE_PARTS 64u /* of a run, so of its frames, too */

enum ipv4_at { IPV4_LENGTH = 2, IPV4_ID = 4, IPV4_FRAGMENT = 6, IPV4_PROTOCOL = 9, IPV4_CHECKSUM = 10, IPV4_SRC = 12 };
enum ipv6_at { IPV6_LENGTH = 4, IPV6_NEXT = 6, IPV6_SRC = 8 };
enum tcp_at { TCP_SEQ = 4, TCP_OFFSET = 12, TCP_FLAGS = 13 };

/* What a frame looks like from here. */
enum look {
    LOOK_OPAQUE, /* it cannot be seen for whom it is */
    LOOK_TCP,    /* a segment for a connection that can be told, but nothing to coalesce */
    LOOK_TEXT,   /* text that may begin a run, or continue one */
};

struct view {
    const uint8_t *at;      /* the frame's first part, which holds all headers */
    uint16_t ip, tcp, text; /* where these begin */
    bool ipv4;
    uint32_t length, ip_length; /* of the frame, and of the packet as the IP header says */
};

struct run {
    uint32_t frames; /* 0: no run */
    uint32_t seq;    /* that continues it */
    uint32_t longer; /* bytes of text beyond the first frame's */
    uint32_t part_count;
    uint16_t size; /* text of each frame but the last */
    bool closed;   /* the last one is there */
    bool pushed;
    uint8_t flags;    /* the first frame's enum bk_rx_flag */
    uint32_t ip_sum;  /* of the IPv4 header without length, identification and checksum */
    uint64_t tcp_sum; /* of the pseudo header without the length */
    struct view first;
    uint32_t frame[COALESCE_PARTS]; /* numbers in the batch */
    struct bk_part part[COALESCE_PARTS];
};

struct coalesce {
    struct net *net;
    uint32_t iface;
    struct bk_rx *batch;
    uint32_t latest, next;    /* the run that was last joined; whose place is taken when all are in use */
    uint32_t open;            /* runs that have begun and are not delivered */
    struct foreseen foreseen; /* of the frames around the one at hand */
    struct run run[COALESCE_RUNS];
};

/* ---- looking ---- */

static uint32_t frame_length(const struct bk_rx *f) {
    uint32_t length = 0;
    for (uint32_t i = 0; i < f->part_count; i++) length += f->parts[i].length;
    return length;
}

static bool find_tcp(const struct coalesce *c, uint32_t held, struct view *v) {
    bool ethernet = c->net->iface[c->iface].config.layer == BK_LAYER_ETHERNET;
    v->ip = ethernet ? WIRE_ETHERNET_LENGTH : 0;
    if (held < v->ip + WIRE_IPV4_LENGTH + WIRE_TCP_LENGTH) return false;
    const uint8_t *ip = v->at + v->ip;
    v->ipv4 = ip[0] == 0x45;
    v->tcp = (uint16_t)(v->ip + (v->ipv4 ? WIRE_IPV4_LENGTH : WIRE_IPV6_LENGTH));
    if (ethernet && get_be16(ip - 2) != (v->ipv4 ? WIRE_ETHERTYPE_IPV4 : WIRE_ETHERTYPE_IPV6)) return false;
    if (v->ipv4) return ip[IPV4_PROTOCOL] == WIRE_TCP && (get_be16(ip + IPV4_FRAGMENT) & 0x3fff) == 0;
    return ip[0] >> 4 == 6 && ip[IPV6_NEXT] == WIRE_TCP && held >= v->tcp + WIRE_TCP_LENGTH;
}

static uint32_t ip_length(bool ipv4, const uint8_t *ip) {
    return ipv4 ? get_be16(ip + IPV4_LENGTH) : WIRE_IPV6_LENGTH + get_be16(ip + IPV6_LENGTH);
}

static enum look look(const struct coalesce *c, const struct bk_rx *f, struct view *v) {
    if (f->part_count == 0) return LOOK_OPAQUE;
    uint32_t held = f->parts[0].length;
    v->at = chunk_data(&c->net->tcp.base, f->parts[0].chunk) + f->parts[0].offset;
    if (!find_tcp(c, held, v)) return LOOK_OPAQUE;
    const uint8_t *tcp = v->at + v->tcp;
    if ((tcp[TCP_FLAGS] | WIRE_PSH) != (WIRE_ACK | WIRE_PSH)) return LOOK_TCP;
    v->length = frame_length(f);
    v->ip_length = ip_length(v->ipv4, v->at + v->ip);
    v->text = (uint16_t)(v->tcp + (tcp[TCP_OFFSET] >> 4) * 4u);
    bool plain = f->gso_size == 0 && f->part_count <= COALESCE_PARTS;
    bool whole = v->text >= v->tcp + WIRE_TCP_LENGTH && held > v->text && v->length == v->ip + v->ip_length;
    return plain && whole ? LOOK_TEXT : LOOK_TCP;
}

static bool same_flow(const struct view *a, const struct view *b) {
    if (a->ipv4 != b->ipv4 || memcmp(a->at + a->tcp, b->at + b->tcp, 4) != 0) return false;
    const uint8_t *ip = a->at + a->ip, *other = b->at + b->ip;
    return a->ipv4 ? memcmp(ip + IPV4_SRC, other + IPV4_SRC, 8) == 0 : memcmp(ip + IPV6_SRC, other + IPV6_SRC, 32) == 0;
}

/* What frames of a run may not differ in: all but lengths, IPv4 identification, checksums, sequence number, and PSH. Without options, which
 * may not differ at all. */
#define SAME     0xff, 0xff, 0xff, 0xff
#define FREE     0, 0, 0, 0
#define MASK_TCP SAME, FREE, SAME, 0xff, (uint8_t)~WIRE_PSH, 0xff, 0xff, 0, 0, 0xff, 0xff
static const uint8_t mask_ipv4[] = {0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, SAME, SAME, MASK_TCP};
static const uint8_t mask_ipv6[] = {SAME, 0, 0, 0xff, 0xff, SAME, SAME, SAME, SAME, SAME, SAME, SAME, SAME, MASK_TCP};

/* The bits in which eight bytes differ where the mask says that they may not. */
static inline uint64_t differ(const uint8_t *mask, const uint8_t *a, const uint8_t *b, size_t at) {
    uint64_t m, x, y;
    memcpy(&m, mask + at, 8);
    memcpy(&x, a + at, 8);
    memcpy(&y, b + at, 8);
    return (x ^ y) & m;
}

static bool same_headers(const struct view *v, const uint8_t *frame) {
    const uint8_t *a = v->at + v->ip, *b = frame + v->ip;
    if (v->ipv4 ? (differ(mask_ipv4, a, b, 0) | differ(mask_ipv4, a, b, 8) | differ(mask_ipv4, a, b, 16) |
                   differ(mask_ipv4, a, b, 24) | differ(mask_ipv4, a, b, 32)) != 0
                : (differ(mask_ipv6, a, b, 0) | differ(mask_ipv6, a, b, 8) | differ(mask_ipv6, a, b, 16) |
                   differ(mask_ipv6, a, b, 24) | differ(mask_ipv6, a, b, 32) | differ(mask_ipv6, a, b, 40) |
                   differ(mask_ipv6, a, b, 48) | differ(mask_ipv6, a, b, 52)) != 0)
        return false;
    uint32_t options = v->tcp + WIRE_TCP_LENGTH;
    return (v->ip == 0 || memcmp(v->at, frame, WIRE_ETHERNET_LENGTH) == 0) &&
           (v->text == options || memcmp(v->at + options, frame + options, v->text - options) == 0);
}

/* ---- checksums ---- */

/* What of a header no frame of the run changes. */
static uint32_t ipv4_sum(const struct view *v) {
    const uint8_t *ip = v->at + v->ip;
    return get_be16(ip) + (uint32_t)get_be16(ip + IPV4_FRAGMENT) + get_be16(ip + 8) + get_be16(ip + IPV4_SRC) +
           get_be16(ip + 14) + get_be16(ip + 16) + get_be16(ip + 18);
}

static uint64_t pseudo_sum(const struct view *v) {
    const uint8_t *ip = v->at + v->ip;
    return (uint64_t)WIRE_TCP + (v->ipv4 ? checksum_header(ip + IPV4_SRC, 2) : checksum_header(ip + IPV6_SRC, 8));
}

static bool ipv4_sound(const uint8_t *ip, uint32_t sum) {
    sum += get_be16(ip + IPV4_LENGTH) + (uint32_t)get_be16(ip + IPV4_ID) + get_be16(ip + IPV4_CHECKSUM);
    return sum % UINT16_MAX == 0; /* never zero, so all ones when folded: version and length are in it */
}

/* `tcp` stands in the first part, `length` bytes before the frame's end. */
static bool tcp_sound(const struct base *b, const struct bk_rx *f, const uint8_t *tcp, uint32_t length, uint64_t sum) {
    if (f->flags & (BK_RX_CHECKSUM_VALID | BK_RX_CHECKSUM_PARTIAL)) return true;
    uint32_t done = length;
    for (uint32_t i = 1; i < f->part_count; i++) done -= f->parts[i].length;
    sum = checksum_add_by(b->checksum_way, sum + length, tcp, done);
    for (uint32_t i = 1; i < f->part_count; done += f->parts[i++].length)
        sum = checksum_add_at_by(b->checksum_way, sum, chunk_data(b, f->parts[i].chunk) + f->parts[i].offset,
                                 f->parts[i].length, done);
    return checksum_fold(sum) == 0xffff;
}

/* ---- delivering ---- */

/* The addresses behind the rest are written before they are read, as are the last fields (deliver). */
static inline void packet_init(struct packet *p, const struct bk_part *parts, uint32_t count, uint16_t gso_size,
                               uint8_t flags, uint32_t iface) {
    memset(p, 0, offsetof(struct packet, src));
    p->parts = parts;
    p->part_count = (uint16_t)count;
    p->gso_size = gso_size;
    p->rx_flags = flags;
    p->iface = (uint8_t)iface;
}

/* Takes a packet to its end. */
static inline uint16_t deliver(struct net *n, struct packet *p) {
    struct base *b = &n->tcp.base;
    p->now = b->now;
    for (uint32_t i = 0; i < p->part_count; i++) p->length += p->parts[i].length;
    p->owned = p->part_count < PACKET_OWNED ? (UINT64_C(1) << p->part_count) - 1 : UINT64_MAX;
    uint16_t reason = net_input(n, p);
    b->reasons[reason] += 1 + p->joined;
    for (uint32_t i = 0; i < p->part_count; i++)
        if (i >= PACKET_OWNED || (p->owned >> i & 1)) chunk_release(b, p->parts[i].chunk);
    return reason;
}

/* The link has said why. */
static void refuse_frame(struct base *b, struct bk_rx *f) {
    if (f->reason >= BK_REASON_COUNT) f->reason = BK_REASON_DROP_OFFLOAD_SHORT;
    reason_count(b, f->reason);
    for (uint32_t i = 0; i < f->part_count; i++) chunk_release(b, f->parts[i].chunk);
}

/* Frame `number` of its batch. */
static void deliver_frame(struct net *n, uint32_t iface, struct bk_rx *f, const struct foreseen *seen, size_t number) {
    uint32_t i = number % FORESEE_RUN;
    if (f->flags & BK_RX_REFUSED) {
        refuse_frame(&n->tcp.base, f);
        return;
    }
    struct packet p;
    packet_init(&p, f->parts, f->part_count, f->gso_size, f->flags, iface);
    p.hashed = seen->known >> i & 1;
    if (p.hashed) p.hash = seen->hash[i];
    f->reason = deliver(n, &p);
}

static void deliver_run(struct coalesce *c, struct run *r) {
    if (r->frames == 0) return;
    c->open--;
    struct packet p;
    packet_init(&p, r->part, r->part_count, r->frames > 1 ? r->size : 0, r->flags | BK_RX_CHECKSUM_VALID, c->iface);
    p.pushed = r->pushed;
    p.joined = r->frames - 1;
    p.longer = r->longer;
    uint16_t reason = deliver(c->net, &p);
    c->net->tcp.base.reasons[BK_REASON_NOTE_COALESCED] += p.joined;
    for (uint32_t i = 0; i < r->frames; i++) c->batch[r->frame[i]].reason = reason;
    r->frames = 0;
}

/* ---- runs ---- */

/* Adds a frame with `text` bytes of text to the run, without the first `skip` bytes, which its first part holds and more. */
static inline void run_add(struct run *r, uint32_t number, const struct bk_rx *f, const uint8_t *tcp, uint32_t text,
                           uint32_t skip) {
    const struct bk_part *from = f->parts;
    struct bk_part *to = &r->part[r->part_count];
    r->frame[r->frames++] = number;
    *to = (struct bk_part){from->chunk, (uint16_t)(from->offset + skip), (uint16_t)(from->length - skip)};
    for (uint32_t i = 1; i < f->part_count; i++) to[i] = from[i];
    r->part_count += f->part_count;
    r->seq = get_be32(tcp + TCP_SEQ) + text;
    r->pushed = tcp[TCP_FLAGS] & WIRE_PSH;
    r->closed = r->pushed || text < r->size;
}

/* Adds the frame if it continues the run. */
static bool run_join(const struct coalesce *c, struct run *r, uint32_t number) {
    const struct base *b = &c->net->tcp.base;
    const struct bk_rx *f = &c->batch[number];
    const struct view *v = &r->first; /* whose headers end where this one's do, if they are the same */
    if (r->closed || f->gso_size != 0 || f->part_count == 0 || f->parts[0].length <= v->text) return false;
    const uint8_t *at = chunk_data(b, f->parts[0].chunk) + f->parts[0].offset, *ip = at + v->ip, *tcp = at + v->tcp;
    if (get_be32(tcp + TCP_SEQ) != r->seq || !same_headers(v, at)) return false;
    uint32_t length = frame_length(f), text = length - v->text;
    if (length != v->ip + ip_length(v->ipv4, ip) || text > r->size || r->part_count + f->part_count > COALESCE_PARTS ||
        v->ip_length + r->longer + text > UINT16_MAX)
        return false;
    if ((v->ipv4 && !ipv4_sound(ip, r->ip_sum)) || !tcp_sound(b, f, tcp, length - v->tcp, r->tcp_sum)) return false;
    r->longer += text;
    run_add(r, number, f, tcp, text, v->text);
    return true;
}

/* Begins a run with the frame, if it is sound. */
static bool run_begin(struct coalesce *c, uint32_t number, const struct view *v) {
    const struct bk_rx *f = &c->batch[number];
    uint64_t tcp_sum = pseudo_sum(v);
    uint32_t ip_sum = v->ipv4 ? ipv4_sum(v) : 0, at = 0;
    const uint8_t *tcp = v->at + v->tcp;
    if ((v->ipv4 && !ipv4_sound(v->at + v->ip, ip_sum)) ||
        !tcp_sound(&c->net->tcp.base, f, tcp, v->length - v->tcp, tcp_sum))
        return false;
    while (at < COALESCE_RUNS && c->run[at].frames != 0) at++;
    if (at == COALESCE_RUNS) {
        at = c->next++ % COALESCE_RUNS;
        deliver_run(c, &c->run[at]);
    }
    struct run *r = &c->run[at];
    r->part_count = r->longer = 0;
    r->size = (uint16_t)(v->length - v->text);
    r->flags = f->flags;
    r->first = *v;
    r->ip_sum = ip_sum;
    r->tcp_sum = tcp_sum;
    run_add(r, number, f, tcp, r->size, 0);
    c->latest = at;
    c->open++;
    return true;
}

/* ---- a batch ---- */

static void deliver_all(struct coalesce *c) {
    for (uint32_t i = 0; i < COALESCE_RUNS && c->open != 0; i++) deliver_run(c, &c->run[i]);
}

/* The run of the connection that the frame is for, or NULL. */
static struct run *run_of(struct coalesce *c, const struct view *v) {
    for (uint32_t i = 0; i < COALESCE_RUNS; i++)
        if (c->run[i].frames != 0 && same_flow(&c->run[i].first, v)) return &c->run[i];
    return NULL;
}

static void take_frame(struct coalesce *c, uint32_t number) {
    struct bk_rx *f = &c->batch[number];
    struct run *latest = &c->run[c->latest];
    struct view v;
    if (f->flags & BK_RX_REFUSED) {
        deliver_frame(c->net, c->iface, f, &c->foreseen, number);
        return;
    }
    if (latest->frames != 0 && run_join(c, latest, number)) return;
    enum look seen = look(c, f, &v);
    if (seen == LOOK_OPAQUE) {
        deliver_all(c);
        deliver_frame(c->net, c->iface, f, &c->foreseen, number);
        return;
    }
    struct run *r = c->open != 0 ? run_of(c, &v) : NULL;
    if (r != NULL && r != latest && seen == LOOK_TEXT && run_join(c, r, number)) {
        c->latest = (uint32_t)(r - c->run);
        return;
    }
    if (r != NULL) deliver_run(c, r);
    if (seen != LOOK_TEXT || !run_begin(c, number, &v)) deliver_frame(c->net, c->iface, f, &c->foreseen, number);
}

/* Before frame i of the batch: asks for what it and those behind it will need. */
static void foresee(const struct net *n, uint32_t iface, const struct bk_rx *frames, size_t count, size_t i,
                    struct foreseen *seen) {
    if (i % FORESEE_RUN != 0) return;
    seen->known = 0;
    if (!BK_FAST || count < FORESEE_LEAST) return;
    net_foresee(n, iface, &frames[i], count - i < FORESEE_RUN ? count - i : FORESEE_RUN, seen);
}

static void coalesce_batch(struct net *n, uint32_t iface, struct bk_rx *frames, size_t count) {
    struct coalesce c; /* large, and but for these fields written before it is read */
    c.net = n;
    c.iface = iface;
    c.batch = frames;
    c.latest = c.next = c.open = 0;
    for (uint32_t i = 0; i < COALESCE_RUNS; i++) c.run[i].frames = 0;
    for (size_t i = 0; i < count; i++) {
        foresee(n, iface, frames, count, i, &c.foreseen);
        take_frame(&c, (uint32_t)i);
    }
    deliver_all(&c);
}

void coalesce_input(struct net *n, uint32_t iface, struct bk_rx *frames, size_t count) {
    if (count > 1 && n->tcp.base.config.receive_coalescing) {
        coalesce_batch(n, iface, frames, count);
        return;
    }
    struct foreseen seen;
    for (size_t i = 0; i < count; i++) {
        foresee(n, iface, frames, count, i, &seen);
        deliver_frame(n, iface, &frames[i], &seen, i);
    }
}

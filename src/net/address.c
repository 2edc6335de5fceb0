/* Local addresses.
 *
 * An address is tentative, in use, or a duplicate. An IPv6 address on Ethernet begins tentative (RFC 4862 5.4):
 *
 *     added --random 0..1 s--> join its group, solicit itself --RetransTimer--> in use
 *                                         \-- someone answers, or solicits it too --> duplicate
 *
 * A tentative address is no source, and packets to it are dropped (5.4); a duplicate stays listed so that its
 * owner can see it, and is never used. Other addresses are in use at once. Addresses formed from a router's prefix have
 * lifetimes: past the preferred one they are avoided as sources, past the valid one they are removed.
 *
 * The table is walked from end to end but for the question that each packet asks: whether an address is ours. For that there are
 * buckets, of which nobody else chooses the contents. Which interface a packet came by matters: an address belongs to its
 * interface alone (the strong end system model, RFC 1122 3.3.4.2), for sending and receiving.
 */
#include "net/address.h"

#include "net/autoconf.h"
#include "net/ip_output.h"
#include "net/nd.h"
#include "net/route.h"
#include "wire/ip.h"

#define DAD_TRANSMITS    1u    /* DupAddrDetectTransmits (RFC 4862 5.1) */
#define DAD_DELAY_MAX_MS 1000u /* MAX_RTR_SOLICITATION_DELAY (RFC 4861 10) */
#define JOIN_REPORTS     2u    /* Robustness Variable (RFC 3810 9.1) */
#define JOIN_INTERVAL_MS 1000u /* Unsolicited Report Interval (RFC 3810 9.11) */

void address_init(struct net *n) {
    pool_reserve(&n->tcp.base, &n->address_buckets, n->address_buckets.capacity);
}

static uint32_t *address_bucket(const struct net *n, const bk_addr *addr) {
    uint32_t mixed = (get_be32(addr->byte + 8) ^ get_be32(addr->byte + 12)) * UINT32_C(0x9e3779b1);
    /* The capacity is a power of two. */
    return pool_at(&n->tcp.base, &n->address_buckets, (mixed >> 16) & (n->address_buckets.capacity - 1));
}

/* address_find without buckets: all of them are asked. */
static struct net_address *address_find_plain(const struct net *n, uint32_t iface, const bk_addr *addr) {
    for (uint32_t id = 0; id < n->addresses.fresh; id++) {
        struct net_address *a = address_at(n, id);
        if (a->in_use && a->iface == iface && addr_equal(&a->addr, addr)) return a;
    }
    return NULL;
}

struct net_address *address_find(const struct net *n, uint32_t iface, const bk_addr *addr) {
    if (!BK_FAST) return address_find_plain(n, iface, addr);
    for (uint32_t id = *address_bucket(n, addr) - 1; id != BK_NONE;) {
        struct net_address *a = address_at(n, id);
        if (a->iface == iface && addr_equal(&a->addr, addr)) return a;
        id = a->next;
    }
    return NULL;
}

bool address_is_ours(const struct net *n, uint32_t iface, const bk_addr *addr) {
    const struct net_address *a = address_find(n, iface, addr);
    return a != NULL && a->state == NET_IN_USE;
}

bool address_is_broadcast(const struct net *n, uint32_t iface, const bk_addr *addr) {
    /* The host part, of two bits at least, is all ones. */
    if (!addr_is_ipv4(addr) || (BK_FAST && (addr->byte[15] & 3) != 3)) return false;
    for (uint32_t id = 0; id < n->addresses.fresh; id++) {
        const struct net_address *a = address_at(n, id);
        if (!a->in_use || a->iface != iface || !addr_is_ipv4(&a->addr)) continue;
        if (a->prefix_length == 0 || a->prefix_length > 30) continue; /* no broadcast there (RFC 3021) */
        uint32_t host = UINT32_MAX >> a->prefix_length;
        if ((get_be32(addr->byte + 12) & host) == host && wire_addr_prefix_equal(addr, &a->addr, a->prefix_length))
            return true;
    }
    return false;
}

bool address_in_group(const struct net *n, uint32_t iface, const bk_addr *group) {
    for (uint32_t id = 0; id < n->addresses.fresh; id++) {
        const struct net_address *a = address_at(n, id);
        if (!a->in_use || a->iface != iface || a->state == NET_DUPLICATE || addr_is_ipv4(&a->addr)) continue;
        bk_addr own = wire_addr_solicited_node(&a->addr);
        if (addr_equal(&own, group)) return true;
    }
    return false;
}

static uint32_t common_bits(const bk_addr *a, const bk_addr *b) {
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t differs = a->byte[i] ^ b->byte[i];
        if (differs != 0) return i * 8 + (uint32_t)__builtin_clz(differs) - 24;
    }
    return 128;
}

/* How good a source `a` is for dst, larger is better: its scope (RFC 6724 5, rule 2), then whether it is still
 * preferred (rule 3), then how long a prefix it shares with dst (rule 8). */
static uint32_t address_rank(const struct net *n, const struct net_address *a, const bk_addr *dst) {
    uint32_t scope = wire_addr_is_link_local(&a->addr) == wire_addr_is_link_local(dst);
    uint32_t preferred = a->preferred_until > n->tcp.base.now;
    return 1 + common_bits(&a->addr, dst) + (preferred << 8) + (scope << 9);
}

bool address_select(const struct net *n, uint32_t iface, const bk_addr *dst, bk_addr *src) {
    uint32_t best = 0;
    for (uint32_t id = 0; id < n->addresses.fresh; id++) {
        const struct net_address *a = address_at(n, id);
        if (!a->in_use || a->iface != iface || a->state != NET_IN_USE) continue;
        if (addr_is_ipv4(&a->addr) != addr_is_ipv4(dst)) continue;
        uint32_t rank = address_rank(n, a, dst);
        if (rank <= best) continue;
        best = rank;
        *src = a->addr;
    }
    return best != 0;
}

bool address_link_local(const struct net *n, uint32_t iface, bk_addr *addr) {
    for (uint32_t id = 0; id < n->addresses.fresh; id++) {
        const struct net_address *a = address_at(n, id);
        if (!a->in_use || a->iface != iface || a->state != NET_IN_USE || addr_is_ipv4(&a->addr)) continue;
        if (!wire_addr_is_link_local(&a->addr)) continue;
        *addr = a->addr;
        return true;
    }
    return false;
}

bool net_is_local(const struct net *n, const bk_addr *addr) {
    for (uint32_t i = 0; i < n->iface_count; i++)
        if (address_is_ours(n, i, addr)) return true;
    return false;
}

/* ---- adding and removing ---- */

struct net_address *address_new(struct net *n, uint32_t iface, const bk_addr *addr, uint8_t prefix_length,
                                bool skip_dad) {
    uint32_t id = pool_alloc(&n->tcp.base, &n->addresses);
    if (id == BK_NONE) return NULL;
    uint64_t now = n->tcp.base.now;
    struct net_address *a = address_at(n, id);
    a->addr = *addr;
    a->valid_until = a->preferred_until = BK_NEVER;
    a->dad_due = a->join_due = BK_NEVER;
    a->iface = (uint8_t)iface;
    a->prefix_length = prefix_length;
    a->state = NET_IN_USE;
    a->in_use = true;
    uint32_t *bucket = address_bucket(n, addr);
    a->next = *bucket - 1;
    *bucket = id + 1;
    if (!addr_is_ipv4(addr) && n->iface[iface].config.layer == BK_LAYER_ETHERNET) {
        a->join_left = JOIN_REPORTS;
        if (skip_dad) {
            a->join_due = now;
        } else {
            a->state = NET_TENTATIVE;
            a->dad_left = DAD_TRANSMITS;
            a->dad_due = now + net_random_ns(n, DAD_DELAY_MAX_MS); /* RFC 4862 5.4.2 */
        }
        net_due(n, u64_min(a->join_due, a->dad_due));
    }
    net_changed(n);
    return a;
}

static void address_unlist(struct net *n, uint32_t id) {
    uint32_t next = address_at(n, id)->next, *bucket = address_bucket(n, &address_at(n, id)->addr);
    if (*bucket - 1 == id) {
        *bucket = next + 1;
        return;
    }
    uint32_t before = *bucket - 1;
    while (address_at(n, before)->next != id) before = address_at(n, before)->next;
    address_at(n, before)->next = next;
}

void address_remove(struct net *n, uint32_t id) {
    struct net_address *a = address_at(n, id);
    address_unlist(n, id);
    if (n->iface[a->iface].config.layer == BK_LAYER_ETHERNET && !addr_is_ipv4(&a->addr)) mld_leave(n, a);
    a->in_use = false;
    pool_free(&n->tcp.base, &n->addresses, id);
    net_changed(n);
}

static bool address_can_be_ours(const bk_addr *addr) {
    if (bk_addr_is_any(addr) || wire_addr_is_multicast(addr) || wire_addr_is_loopback(addr)) return false;
    return !wire_addr_is_limited_broadcast(addr);
}

int net_address_add(struct net *n, uint32_t iface, const bk_addr *addr, uint8_t prefix_length, bool skip_dad) {
    if (iface >= n->iface_count || !address_can_be_ours(addr)) return ERROR_INVAL;
    bool ipv4 = addr_is_ipv4(addr);
    if (prefix_length > (ipv4 ? 32 : 128)) return ERROR_INVAL;
    if (!ipv4 && n->iface[iface].link_mtu < 1280) return ERROR_INVAL; /* RFC 8200 5 */
    for (uint32_t i = 0; i < n->iface_count; i++)
        if (address_find(n, i, addr) != NULL) return ERROR_EXIST;
    if (n->addresses.in_use == n->addresses.capacity) return ERROR_NOSPC;
    if (!route_connect(n, iface, addr, prefix_length)) return ERROR_NOSPC;
    (void)address_new(n, iface, addr, prefix_length, skip_dad);
    return 0;
}

bool net_address_get(const struct net *n, uint32_t index, struct bk_iface_address *out) {
    for (uint32_t id = 0; id < n->addresses.fresh; id++) {
        const struct net_address *a = address_at(n, id);
        if (!a->in_use || index-- != 0) continue;
        *out = (struct bk_iface_address){
            .addr = a->addr, .iface = a->iface, .prefix_length = a->prefix_length, .state = a->state};
        return true;
    }
    return false;
}

/* ---- duplicate address detection and lifetimes ---- */

void address_conflict(struct net *n, struct net_address *a) {
    a->state = NET_DUPLICATE;
    a->dad_due = a->join_due = BK_NEVER;
    struct net_iface *i = &n->iface[a->iface];
    /* An interface whose own identifier collides must not go on with IPv6 by itself (RFC 4862 5.4.5). */
    if (i->config.autoconfigure && wire_addr_is_link_local(&a->addr)) {
        i->disabled6 = true;
        i->solicit_due = BK_NEVER;
    }
    net_changed(n);
}

static void address_dad_step(struct net *n, struct net_address *a) {
    uint64_t now = n->tcp.base.now;
    if (a->dad_left != 0) {
        if (a->join_left == JOIN_REPORTS) a->join_due = now; /* joined before the solicitation leaves (5.4.2) */
        a->dad_left--;
        a->dad_due = now + n->iface[a->iface].retrans_ms * NS_PER_MS;
        return;
    }
    a->dad_due = BK_NEVER;
    a->state = NET_IN_USE;
    net_changed(n);
    if (wire_addr_is_link_local(&a->addr)) autoconf_link_local(n, a->iface);
}

static void address_step(struct net *n, uint32_t id) {
    struct net_address *a = address_at(n, id);
    uint64_t now = n->tcp.base.now;
    if (a->valid_until <= now) {
        address_remove(n, id);
        return;
    }
    bool solicit = a->dad_due <= now && a->dad_left != 0;
    if (a->dad_due <= now) address_dad_step(n, a);
    if (a->join_due <= now) {
        mld_join(n, a);
        a->join_due = --a->join_left == 0 ? BK_NEVER : now + net_random_ns(n, JOIN_INTERVAL_MS);
    }
    if (solicit) {
        uint64_t random = base_random(&n->tcp.base);
        memcpy(a->nonce, &random, sizeof a->nonce);
        nd_solicit_duplicate(n, a);
    }
    net_due(n, u64_min(a->valid_until, u64_min(a->dad_due, a->join_due)));
}

void address_advance(struct net *n) {
    for (uint32_t id = 0; id < n->addresses.fresh; id++)
        if (address_at(n, id)->in_use) address_step(n, id);
}

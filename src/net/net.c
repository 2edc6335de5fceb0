/* The network layer's frame: its pools, its interfaces, its clock. See net.h for what stands where. */
#include "net/net.h"

#include "net/address.h"
#include "net/autoconf.h"
#include "net/ip_output.h"
#include "net/nd.h"
#include "net/neighbour.h"
#include "net/reassembly.h"
#include "net/route.h"

enum {
    POOL_ADDRESSES,
    POOL_ROUTES,
    POOL_NEIGHBOURS,
    POOL_NEIGHBOUR_BUCKETS,
    POOL_ADDRESS_BUCKETS,
    POOL_REASSEMBLIES,
    POOL_COUNT
};

static void net_pools(struct pool p[POOL_COUNT], const struct bk_config *c) {
    /* Interfaces need room for what they learn besides what the user gives. */
    uint32_t routes = c->routes + c->addresses + c->interfaces * ROUTE_LEARNT_MAX;
    uint32_t buckets = u32_power_of_two(c->neighbours), address_buckets = u32_power_of_two(c->addresses);
    pool_init(&p[POOL_ADDRESSES], sizeof(struct net_address), c->addresses, 2, 8, true);
    pool_init(&p[POOL_ROUTES], sizeof(struct net_route), routes, 4, 8, true);
    pool_init(&p[POOL_NEIGHBOURS], sizeof(struct neighbour), c->neighbours, 4, 8, true);
    pool_init(&p[POOL_NEIGHBOUR_BUCKETS], sizeof(uint32_t), buckets, buckets, 4, true);
    pool_init(&p[POOL_ADDRESS_BUCKETS], sizeof(uint32_t), address_buckets, address_buckets, 4, true);
    pool_init(&p[POOL_REASSEMBLIES], sizeof(struct reassembly), c->reassemblies, 1, 8, true);
}

void net_init(struct net *n) {
    struct base *b = &n->tcp.base;
    struct pool pools[POOL_COUNT];
    net_pools(pools, &b->config);
    n->addresses = pools[POOL_ADDRESSES];
    n->routes = pools[POOL_ROUTES];
    n->neighbours = pools[POOL_NEIGHBOURS];
    n->neighbour_buckets = pools[POOL_NEIGHBOUR_BUCKETS];
    n->address_buckets = pools[POOL_ADDRESS_BUCKETS];
    n->reassemblies = pools[POOL_REASSEMBLIES];
    memset(n->iface, 0, sizeof n->iface);
    memset(n->pair, 0, sizeof n->pair);
    n->due = BK_NEVER;
    n->error_time = 0;
    n->iface_count = n->suspects = n->pending = n->reassembly_chunks = n->pad = 0;
    n->epoch = 1;
    for (uint32_t i = 0; i < 2; i++) list_init(&n->reassembly_fifo[i]);
    neighbour_init(n);
    address_init(n);
}

uint64_t net_bytes_max(const struct bk_config *config) {
    struct pool pools[POOL_COUNT];
    uint64_t bytes = 0;
    net_pools(pools, config);
    for (uint32_t i = 0; i < POOL_COUNT; i++) bytes += pool_bytes_max(&pools[i]);
    return bytes;
}

/* Each field's place: a record that changes in size or order changes the hash. */
uint64_t net_layout(uint64_t hash) {
    static const uint32_t places[] = {
        sizeof(struct net),
        offsetof(struct net, iface),
        offsetof(struct net, addresses),
        offsetof(struct net, wheel),
        offsetof(struct net, due),
        offsetof(struct net, reassembly_chunks),
        sizeof(struct net_iface),
        offsetof(struct net_iface, ready),
        offsetof(struct net_iface, mtu),
        offsetof(struct net_iface, hint_dst),
        sizeof(struct net_address),
        offsetof(struct net_address, dad_due),
        offsetof(struct net_address, nonce),
        offsetof(struct net_address, state),
        sizeof(struct net_route),
        offsetof(struct net_route, suspect),
        offsetof(struct net_route, origin),
        sizeof(struct neighbour),
        offsetof(struct neighbour, addr),
        offsetof(struct neighbour, link),
        offsetof(struct neighbour, mac),
        offsetof(struct neighbour, state),
        sizeof(struct reassembly),
        offsetof(struct reassembly, link),
        offsetof(struct reassembly, chunk),
        offsetof(struct reassembly, run),
        offsetof(struct reassembly, total),
    };
    for (uint32_t i = 0; i < BK_COUNT(places); i++) hash = (hash ^ places[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
    return hash;
}

/* ---- interfaces ---- */

/* The largest payload of one unit: what an IP packet holds beside the longest headers, and what a frame's parts can name,
 * begun and ended anywhere in a chunk. */
static uint32_t unit_max(const struct net *n, const struct bk_iface_config *config) {
    uint64_t parts = (uint64_t)(FRAME_PARTS - 2) * n->tcp.base.config.chunk_size;
    uint32_t most = (uint32_t)u64_min(65408, parts); /* 65,535 less 60 + 60, rounded down to a cache line */
    return config->unit_max == 0 ? most : u32_min(config->unit_max, most);
}

static bool iface_config_valid(const struct bk_iface_config *c) {
    static const uint8_t no_mac[6] = {0};
    if (c->layer != BK_LAYER_ETHERNET && c->layer != BK_LAYER_IP) return false;
    if (c->mtu < (c->autoconfigure ? 1280u : 576u) || c->mtu > 65535) return false;
    if ((c->offload & ~(uint32_t)(BK_OFFLOAD_TX_CHECKSUM | BK_OFFLOAD_TSO4 | BK_OFFLOAD_TSO6)) != 0) return false;
    return c->layer == BK_LAYER_IP || ((c->mac[0] & 1) == 0 && memcmp(c->mac, no_mac, 6) != 0);
}

int net_iface_add(struct net *n, const struct bk_iface_config *config) {
    /* A frame is at most so many chunks: bk_input_copy and the links go no further. */
    if (!iface_config_valid(config) || config->mtu > 60 * n->tcp.base.config.chunk_size) return ERROR_INVAL;
    if (n->iface_count >= u32_min(n->tcp.base.config.interfaces, NET_IFACES)) return ERROR_NOSPC;
    uint32_t number = n->iface_count++;
    struct net_iface *i = &n->iface[number];
    struct tcp_path *path = &n->tcp.path[number];
    i->config = *config;
    i->in_use = true;
    i->mtu = i->link_mtu = config->mtu;
    i->hop_limit = net_iface_ttl(i);
    i->reachable_base_ms = NET_REACHABLE_MS;
    i->reachable_ms = NET_REACHABLE_MS / 2 + base_random_below(&n->tcp.base, NET_REACHABLE_MS + 1);
    i->retrans_ms = NET_RETRANS_MS;
    i->solicit_due = i->report_due = BK_NEVER;
    frame_queue_init(&i->ready);
    path->mtu = config->mtu;
    path->unit_max = unit_max(n, config);
    list_init(&path->output);
    if (config->autoconfigure) autoconf_start(n, number);
    return (int)number;
}

void net_iface_mtu_changed(struct net *n, uint32_t iface) {
    struct net_iface *i = &n->iface[iface];
    uint32_t mtu = i->router_mtu != 0 ? u32_min(i->link_mtu, i->router_mtu) : i->link_mtu;
    if (mtu == i->mtu) return;
    i->mtu = n->tcp.path[iface].mtu = mtu;
    n->tcp.path_epoch++;
}

static bool iface_uses_ipv6(const struct net *n, uint32_t iface) {
    struct bk_iface_address a;
    if (n->iface[iface].config.autoconfigure) return true;
    for (uint32_t i = 0; net_address_get(n, i, &a); i++)
        if (a.iface == iface && !addr_is_ipv4(&a.addr)) return true;
    return false;
}

int net_iface_mtu_set(struct net *n, uint32_t iface, uint32_t mtu) {
    if (iface >= n->iface_count || mtu < (iface_uses_ipv6(n, iface) ? 1280u : 576u) || mtu > n->iface[iface].config.mtu)
        return ERROR_INVAL;
    n->iface[iface].link_mtu = mtu;
    net_iface_mtu_changed(n, iface);
    return 0;
}

/* ---- time ---- */

uint64_t net_next_deadline(const struct net *n) {
    return u64_min(n->due, u64_min(neighbour_next_deadline(n), reassembly_next_deadline(n)));
}

void net_advance(struct net *n) {
    if (!BK_FAST || n->wheel.quiet <= n->tcp.base.now) neighbour_advance(n);
    if (!BK_FAST || n->reassemblies.in_use != 0) reassembly_advance(n);
    uint64_t noted = n->due;
    bool early = noted > n->tcp.base.now;
    if (BK_FAST && early) return;
    /* Each round takes the steps that are due and notes when the next ones are. */
    n->due = BK_NEVER;
    address_advance(n);
    autoconf_advance(n);
    mld_advance(n);
    route_advance(n);
    /* What was noted may be earlier than anything that is due; a round that takes no step lets it stand. */
    if (early) n->due = u64_min(n->due, noted);
}

/* Stateless address autoconfiguration (RFC 4862) and router discovery (RFC 4861 6.3), the host's side.
 *
 * An interface that is to configure itself forms a link-local address; once that is in use it asks for routers, three
 * times at most, until one with a lifetime answers. Advertisements, asked for or not, bring default routers and on-link
 * prefixes (route.c) and prefixes to form addresses under. The interface identifier is the modified EUI-64 of the
 * MAC; a layer-3 link has none, and takes a hash keyed with the stack's secret instead (in the manner of RFC 7217).
 *
 * An advertisement speaks for a stranger on the link, so what it may change is bounded: so many routers, prefixes
 * and addresses, an MTU of 1,280 or more, and lifetimes that cannot be cut below two hours (RFC 4862 5.5.3).
 */
#include "net/autoconf.h"

#include "base/siphash.h"
#include "net/address.h"
#include "net/ip_output.h"
#include "net/nd.h"
#include "net/neighbour.h"
#include "net/route.h"
#include "wire/icmp.h"
#include "wire/ip.h"

#define SOLICITATIONS           3u                /* MAX_RTR_SOLICITATIONS */
#define SOLICITATION_INTERVAL_S 4u                /* RTR_SOLICITATION_INTERVAL */
#define ADDRESSES_MAX           4u                /* that an interface forms from advertised prefixes */
#define TWO_HOURS               (7200 * NS_PER_S) /* RFC 4862 5.5.3 e */
#define RETRANS_MIN_MS          100u              /* a router that asks for less is not believed */
#define REACHABLE_MAX_MS        3600000u          /* RFC 4861 6.2.1 */
#define PREFIX_BITS             64u               /* what an identifier of 64 bits leaves (RFC 4291 2.5.1) */

static bk_addr autoconf_form(const struct net *n, uint32_t iface, const bk_addr *prefix) {
    const struct bk_iface_config *config = &n->iface[iface].config;
    if (config->layer == BK_LAYER_ETHERNET) return wire_addr_from_mac(prefix, config->mac);
    struct {
        uint8_t prefix[8];
        uint64_t iface;
    } input = {.iface = iface};
    memcpy(input.prefix, prefix->byte, 8);
    uint64_t id = siphash24(&n->tcp.base.secret[2], &input, sizeof input);
    bk_addr formed = *prefix;
    memcpy(formed.byte + 8, &id, 8);
    return formed;
}

void autoconf_start(struct net *n, uint32_t iface) {
    bk_addr prefix = {{0xfe, 0x80}};
    bk_addr own = autoconf_form(n, iface, &prefix);
    if (net_address_add(n, iface, &own, PREFIX_BITS, false) != 0)
        return; /* no room: the owner sees that it is not there */
    if (address_is_ours(n, iface, &own)) autoconf_link_local(n, iface);
}

void autoconf_link_local(struct net *n, uint32_t iface) {
    struct net_iface *i = &n->iface[iface];
    if (!i->config.autoconfigure || i->solicit_left != 0 || i->solicit_due != BK_NEVER) return;
    i->solicit_left = SOLICITATIONS;
    i->solicit_due = n->tcp.base.now; /* the delay of RFC 4861 6.3.7 was spent before DAD */
    net_due(n, i->solicit_due);
}

void autoconf_advance(struct net *n) {
    uint64_t now = n->tcp.base.now;
    for (uint32_t index = 0; index < n->iface_count; index++) {
        struct net_iface *i = &n->iface[index];
        if (i->solicit_due <= now) {
            bk_addr src;
            if (address_link_local(n, index, &src)) nd_solicit_routers(n, index, &src);
            i->solicit_due = --i->solicit_left == 0 ? BK_NEVER : now + SOLICITATION_INTERVAL_S * NS_PER_S;
        }
        net_due(n, i->solicit_due);
    }
}

/* ---- advertisements ---- */

/* The address that was formed under this prefix, if any. */
static struct net_address *autoconf_under(struct net *n, uint32_t iface, const bk_addr *prefix, uint32_t *count) {
    struct net_address *found = NULL;
    for (uint32_t id = 0; id < n->addresses.fresh; id++) {
        struct net_address *a = address_at(n, id);
        if (!a->in_use || a->iface != iface || !a->autoconfigured) continue;
        ++*count;
        if (wire_addr_prefix_equal(&a->addr, prefix, PREFIX_BITS)) found = a;
    }
    return found;
}

/* RFC 4862 5.5.3. */
static void autoconf_prefix(struct net *n, uint32_t iface, const struct wire_ra_prefix *x) {
    uint64_t now = n->tcp.base.now;
    uint64_t valid = net_after(now, x->valid_s);
    uint64_t preferred = net_after(now, x->preferred_s);
    if (x->preferred_s > x->valid_s || x->length != PREFIX_BITS) return; /* c, d */
    uint32_t count = 0;
    struct net_address *a = autoconf_under(n, iface, &x->prefix, &count);
    if (a != NULL) {
        /* e: the remaining lifetime is never cut below two hours, unless it is shorter already. */
        uint64_t remaining = a->valid_until == BK_NEVER ? BK_NEVER : a->valid_until - u64_min(a->valid_until, now);
        if (valid - now > TWO_HOURS || valid > a->valid_until)
            a->valid_until = valid;
        else if (remaining > TWO_HOURS)
            a->valid_until = now + TWO_HOURS;
        a->preferred_until = preferred;
        net_due(n, a->valid_until);
        return;
    }
    if (x->valid_s == 0 || count >= ADDRESSES_MAX) return;
    bk_addr prefix = x->prefix;
    memset(prefix.byte + 8, 0, 8);
    bk_addr own = autoconf_form(n, iface, &prefix);
    if (address_find(n, iface, &own) != NULL) return; /* the owner gave it: it has no lifetime */
    a = address_new(n, iface, &own, PREFIX_BITS, false);
    if (a == NULL) return;
    a->autoconfigured = true;
    a->valid_until = valid;
    a->preferred_until = preferred;
    net_due(n, valid);
}

/* RFC 4861 6.3.4, for one prefix option. */
static void autoconf_prefix_option(struct net *n, uint32_t iface, const struct wire_ra_prefix *x) {
    if (wire_addr_is_link_local(&x->prefix) || wire_addr_is_multicast(&x->prefix)) return;
    if (x->length == 0) return;
    if (x->on_link) (void)route_learn_prefix(n, iface, &x->prefix, x->length, net_after(n->tcp.base.now, x->valid_s));
    if (x->autonomous) autoconf_prefix(n, iface, x);
}

/* The link's parameters (RFC 4861 6.3.4). */
static void autoconf_parameters(struct net *n, uint32_t iface, const struct wire_ra *ra) {
    struct net_iface *i = &n->iface[iface];
    if (ra->hop_limit != 0 && i->config.hop_limit == 0) i->hop_limit = ra->hop_limit;
    if (ra->retrans_ms != 0) i->retrans_ms = u32_min(u32_max(ra->retrans_ms, RETRANS_MIN_MS), REACHABLE_MAX_MS);
    if (ra->reachable_ms != 0 && ra->reachable_ms != i->reachable_base_ms) {
        i->reachable_base_ms = u32_min(ra->reachable_ms, REACHABLE_MAX_MS);
        /* Between half and one and a half times the base (MIN_RANDOM_FACTOR, MAX_RANDOM_FACTOR). */
        i->reachable_ms = i->reachable_base_ms / 2 + base_random_below(&n->tcp.base, i->reachable_base_ms + 1);
    }
    if (ra->mtu >= 1280 && ra->mtu <= i->config.mtu) {
        i->router_mtu = ra->mtu;
        net_iface_mtu_changed(n, iface);
    }
}

/* The neighbour that advertises is a router; an entry is made only for one that was taken as default router. */
static void autoconf_router_heard(struct net *n, const struct packet *p, const struct wire_ra *ra, bool taken) {
    if (n->iface[p->iface].config.layer != BK_LAYER_ETHERNET) return;
    uint32_t id = neighbour_find(n, p->iface, &p->src);
    if (ra->has_mac && (taken || id != BK_NONE)) {
        neighbour_heard(n, p->iface, &p->src, ra->mac);
        id = neighbour_find(n, p->iface, &p->src);
    }
    if (id != BK_NONE) neighbour_at(n, id)->router = true;
}

uint16_t autoconf_advertisement(struct net *n, struct packet *p) {
    struct net_iface *i = &n->iface[p->iface];
    /* RFC 4861 6.1.2: from a link-local address; the rest is checked by the caller and the parser. */
    if (!wire_addr_is_link_local(&p->src) || p->length > ND_MESSAGE_MAX) return BK_REASON_DROP_ND_BAD;
    uint8_t message[ND_MESSAGE_MAX];
    struct wire_ra ra;
    packet_copy(&n->tcp.base, p, 0, p->length, message);
    uint16_t reason = wire_ra_parse(message, p->length, &ra);
    if (reason != BK_REASON_NONE) return reason;
    if (!i->config.autoconfigure || i->disabled6) return BK_REASON_DROP_ND_STRANGER;

    autoconf_parameters(n, p->iface, &ra);
    uint64_t until = net_after(n->tcp.base.now, ra.router_lifetime_s);
    bool known = route_learn_router(n, p->iface, &p->src, until);
    if (ra.router_lifetime_s != 0) {
        i->solicit_left = 0; /* RFC 4861 6.3.7 */
        i->solicit_due = BK_NEVER;
    }
    autoconf_router_heard(n, p, &ra, known && ra.router_lifetime_s != 0);
    for (uint32_t k = 0; k < ra.prefix_count; k++) autoconf_prefix_option(n, p->iface, &ra.prefix[k]);
    return BK_REASON_ACCEPT_ROUTER_ADVERTISEMENT;
}

/* Multicast listener reports (RFC 3810), so that switches forward our solicited-node groups to us.
 *
 * We listen to one group an IPv6 address, from any source. A group is reported when it is joined (twice, in case of loss), when
 * it is left, and when a router asks. Reports are of version 2 whatever the version of the query: a router of version 1
 * only (RFC 3810 8) does not hear us; switches that look into reports know both.
 */
#include "net/address.h"
#include "net/ip_output.h"
#include "net/nd.h"
#include "wire/icmp.h"
#include "wire/ip.h"

#define HOP_BY_HOP_LENGTH 8u
#define REPORT_LENGTH     8u
#define RECORD_LENGTH     20u
#define RECORDS_MAX       ((FRAME_HEADER - FRAME_L4 - HOP_BY_HOP_LENGTH - REPORT_LENGTH) / RECORD_LENGTH)
#define QUERY_LENGTH      24u /* of version 1 */
#define QUERY_2_LENGTH    28u

enum mld_record { MLD_IS_EXCLUDE = 2, MLD_TO_INCLUDE = 3, MLD_TO_EXCLUDE = 4 };

/* The hop-by-hop header that every report needs: a router alert (RFC 2711) for MLD, padded. */
static const uint8_t router_alert[HOP_BY_HOP_LENGTH] = {WIRE_ICMPV6, 0, 5, 2, 0, 0, 1, 0};

/* Sends a report with these groups' records, at most RECORDS_MAX. */
static void mld_send(struct net *n, uint32_t iface, enum mld_record kind, const bk_addr *groups, uint32_t count) {
    struct base *b = &n->tcp.base;
    uint32_t id = frame_alloc_reply(b);
    if (id == BK_NONE) return;
    struct frame *f = frame_at(b, id);
    static const bk_addr routers = {{0xff, 2, [15] = 0x16}};
    if (!address_link_local(n, iface, &f->src)) memset(&f->src, 0, sizeof f->src); /* RFC 3810 5.2.13 */
    f->dst = routers;
    f->protocol = WIRE_HOP_BY_HOP;
    f->hop_limit = 1;
    f->iface = (uint8_t)iface;
    f->reason = BK_REASON_SEND_MLD_REPORT;
    uint8_t *at = f->header + FRAME_L4;
    memcpy(at, router_alert, HOP_BY_HOP_LENGTH);
    at += HOP_BY_HOP_LENGTH;
    wire_icmp_emit(at, &(struct wire_icmp){.type = WIRE_ICMPV6_MLD2_REPORT, .rest = count});
    at += REPORT_LENGTH;
    for (uint32_t i = 0; i < count; i++, at += RECORD_LENGTH) {
        memset(at, 0, 4);
        at[0] = (uint8_t)kind;
        memcpy(at + 4, groups[i].byte, 16);
    }
    f->end = (uint16_t)(at - f->header);
    f->l4_header_length = f->end - FRAME_L4;
    nd_checksum(f, HOP_BY_HOP_LENGTH);
    ip_send_direct(n, id, NULL);
}

void mld_join(struct net *n, const struct net_address *a) {
    bk_addr group = wire_addr_solicited_node(&a->addr);
    mld_send(n, a->iface, MLD_TO_EXCLUDE, &group, 1);
}

/* Whether an address before number `end` other than `except`, listens to the group on this interface. */
static bool mld_listens(const struct net *n, uint32_t iface, const bk_addr *group, uint32_t end,
                        const struct net_address *except) {
    for (uint32_t id = 0; id < end; id++) {
        const struct net_address *a = address_at(n, id);
        if (!a->in_use || a == except || a->iface != iface || addr_is_ipv4(&a->addr)) continue;
        if (a->state == NET_DUPLICATE) continue;
        bk_addr own = wire_addr_solicited_node(&a->addr);
        if (addr_equal(&own, group)) return true;
    }
    return false;
}

void mld_leave(struct net *n, const struct net_address *a) {
    bk_addr group = wire_addr_solicited_node(&a->addr);
    if (!mld_listens(n, a->iface, &group, n->addresses.fresh, a)) mld_send(n, a->iface, MLD_TO_INCLUDE, &group, 1);
}

/* Reports each group of the interface once. */
static void mld_report_all(struct net *n, uint32_t iface) {
    bk_addr groups[RECORDS_MAX];
    uint32_t count = 0;
    for (uint32_t id = 0; id < n->addresses.fresh; id++) {
        const struct net_address *a = address_at(n, id);
        if (!a->in_use || a->iface != iface || a->state == NET_DUPLICATE || addr_is_ipv4(&a->addr)) continue;
        groups[count] = wire_addr_solicited_node(&a->addr);
        if (mld_listens(n, iface, &groups[count], id, NULL)) continue;
        if (++count < RECORDS_MAX) continue;
        mld_send(n, iface, MLD_IS_EXCLUDE, groups, count);
        count = 0;
    }
    if (count != 0) mld_send(n, iface, MLD_IS_EXCLUDE, groups, count);
}

/* Maximum Response Code (RFC 3810 5.1.3), as milliseconds. */
static uint32_t mld_response_ms(uint32_t code, bool version2) {
    if (!version2 || code < 32768) return code;
    return ((code & 0xfff) | 0x1000) << ((code >> 12 & 7) + 3);
}

uint16_t mld_query(struct net *n, struct packet *p) {
    struct net_iface *i = &n->iface[p->iface];
    uint8_t scratch[QUERY_LENGTH];
    const uint8_t *bytes = packet_bytes(&n->tcp.base, p, 0, QUERY_LENGTH, scratch);
    /* RFC 3810 5.1.14, 6.2: from a link-local address, hop limit 1, 24 bytes or at least 28. */
    if (bytes == NULL || (p->length > QUERY_LENGTH && p->length < QUERY_2_LENGTH)) return BK_REASON_DROP_ICMP_BAD;
    if (p->hop_limit != 1 || !wire_addr_is_link_local(&p->src)) return BK_REASON_DROP_ICMP_BAD;
    bk_addr group;
    memcpy(group.byte, bytes + 8, 16);
    if (i->config.layer != BK_LAYER_ETHERNET) return BK_REASON_DROP_ICMP_TYPE;
    if (!bk_addr_is_any(&group) && !address_in_group(n, p->iface, &group)) return BK_REASON_DROP_ICMP_TYPE;
    uint32_t delay = mld_response_ms(get_be16(bytes + 4), p->length >= QUERY_2_LENGTH);
    i->report_due = u64_min(i->report_due, n->tcp.base.now + net_random_ns(n, delay));
    net_due(n, i->report_due);
    return BK_REASON_ACCEPT_MLD_QUERY;
}

void mld_advance(struct net *n) {
    for (uint32_t index = 0; index < n->iface_count; index++) {
        struct net_iface *i = &n->iface[index];
        if (i->report_due <= n->tcp.base.now) {
            i->report_due = BK_NEVER;
            mld_report_all(n, index);
        }
        net_due(n, i->report_due);
    }
}

/* The machine that a script runs on: stack, interface, routes, sockets, and what is left of them to show. */
#define _GNU_SOURCE 1
#include "lab/script_runner.h"

#include <string.h>
#include <sys/mman.h>

#include "base/common.h"
#include "beckon/ladder.h"
#include "lab/script_call.h"
#include "link/pcapng.h"

#define SCRIPT_LINK_RAW 101u
#define SCRIPT_EVENTS   16384u

/* Pools that no script comes near the end of. What is not touched costs nothing. A chunk holds any packet. */
static void script_pools(struct bk_config *c) {
    c->connections = 256;
    c->active_connections = 0;
    c->listeners = 64;
    c->requests_ipv4 = c->requests_ipv6 = 256;
    c->time_waits_ipv4 = c->time_waits_ipv6 = 256;
    c->interfaces = 1;
    c->addresses = 8;
    c->routes = 8;
    c->frames = 4096;
    c->chunk_size = 65536;
    c->chunks = 2048;
    c->buffer_chunks = 1792;
}

static bool script_accessible(void *context, const void *memory, size_t length, bool write) {
    (void)context;
    (void)write;
    return memory != NULL || length == 0;
}

static bool script_open_iface(struct script_run *r) {
    static const bk_addr any;
    const struct bk_iface_config iface = {.layer = BK_LAYER_IP, .mtu = r->choice.mtu};
    bk_addr gateway, everything = bk_addr_is_ipv4(&r->local) ? bk_addr_ipv4(0, 0, 0, 0) : any;
    int n = bk_iface_add(r->stack, &iface, r->now);
    if (n < 0) return script_fail(r, "no interface with an MTU of %u: %s", r->choice.mtu, strerror(-n));
    r->iface = (uint32_t)n;
    n = bk_iface_address_add(r->stack, r->iface, &r->local, r->family->prefix_length, true, r->now);
    if (n == 0 && bk_addr_parse(r->family->gateway, &gateway) == 0 && !bk_addr_equal(&gateway, &r->local))
        n = bk_iface_address_add(r->stack, r->iface, &gateway, r->family->prefix_length, true, r->now);
    if (n == 0 && r->choice.path_mtu != 0) n = bk_path_mtu_set(r->stack, &r->choice.path, r->choice.path_mtu, r->now);
    if (n == 0) n = bk_route_add(r->stack, &everything, 0, &everything, r->iface);
    return n == 0 || script_fail(r, "cannot set up the interface: %s", strerror(-n));
}

bool script_open(struct script_run *r) {
    static const uint8_t seed[32] = "a script's stack has no secrets";
    const char *why = "no memory";
    int error = 0;
    script_pools(&r->settings.stack);
    if (r->config->ladder) r->settings.stack.trace_events = SCRIPT_EVENTS;
    r->settings.sockets.accessible = script_accessible;
    r->region_size = bk_region_size(&r->settings.stack);
    if (r->region_size == 0) return script_fail(r, "the settings are out of range");
    r->region = mmap(NULL, r->region_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (r->region == MAP_FAILED) {
        r->region = NULL;
        return script_fail(r, "no memory for a stack");
    }
    if (bk_create(r->region, r->region_size, &r->settings.stack, seed, r->now, &r->stack, &why) != 0)
        return script_fail(r, "no stack with these settings: %s", why);
    if (bk_sockets_create(r->stack, &r->settings.sockets, &r->sockets) != 0)
        return script_fail(r, "no memory for sockets");
    if (r->config->pcap != NULL) r->pcap = pcapng_create(r->config->pcap, SCRIPT_LINK_RAW, "script", NULL, &error);
    if (error != 0) return script_fail(r, "cannot write %s: %s", r->config->pcap, strerror(-error));
    return script_open_iface(r);
}

void script_close(struct script_run *r) {
    if (!r->broken) script_pending_forget(r);
    if (r->sockets != NULL && !r->broken) bk_sockets_destroy(r->sockets, r->now);
    int error = pcapng_close(r->pcap);
    if (error != 0) script_fail(r, "cannot write %s: %s", r->config->pcap, strerror(-error));
    if (r->region != NULL) munmap(r->region, r->region_size);
    r->sockets = NULL;
    r->region = NULL;
    r->stack = NULL;
}

bool script_apply(struct script_run *r) {
    const char *why = "?";
    if (r->stack == NULL) return true;
    *bk_sockets_config_of(r->sockets) = r->settings.sockets;
    if (bk_config_change(r->stack, &r->settings.stack, &why) == 0) return true;
    return script_fail(r, "the stack refuses this setting: %s", why);
}

/* ---- connections under test ------------------------------------------------------------------------ */

struct script_peer *script_peer_new(struct script_run *r) {
    if (r->peer_count == SCRIPT_PEERS) return NULL;
    r->test = &r->peer[r->peer_count++];
    r->test->fd = -1;
    return r->test;
}

/* The latest one of that descriptor, since descriptors come again. */
struct script_peer *script_peer_of(struct script_run *r, int fd) {
    for (size_t i = r->peer_count; i > 0; i--)
        if (r->peer[i - 1].fd == fd && !r->peer[i - 1].closed) return &r->peer[i - 1];
    return NULL;
}

void script_draw(struct script_run *r) {
    const struct bk_ladder_side us = {.name = "stack", .events = r->trace, .count = r->trace_count};
    const struct bk_ladder_side them = {.name = "script"};
    struct bk_ladder_connection connection[64];
    size_t n = bk_ladder_connections(r->trace, r->trace_count, connection, BK_COUNT(connection));
    if (n == 0 || r->trace_count == 0) return;
    size_t chosen = (n < BK_COUNT(connection) ? n : BK_COUNT(connection)) - 1;
    for (size_t i = 0; r->test != NULL && i <= chosen; i++)
        if (connection[i].local_port == r->test->tuple.local_port &&
            connection[i].remote_port == r->test->tuple.remote_port)
            chosen = i;
    const struct bk_ladder_options look = {.width = 110, .all_reasons = true};
    script_tell(r, "%s", "");
    bk_ladder(&us, &them, &connection[chosen], &look, bk_text_to_memory, &r->verdict->detail);
}

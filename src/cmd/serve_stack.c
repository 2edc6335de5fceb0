/* One stack of `beckon serve`: see serve.h. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/serve.h"

static int stack_addresses(struct serve_stack *s, uint64_t now) {
    const struct serve_options *o = s->options;
    for (size_t i = 0; i < o->address_count; i++) {
        const struct serve_address *a = &o->address[i];
        int r = bk_iface_address_add(s->stack, 0, &a->addr, a->prefix_length, false, now);
        if (r < 0) return r;
    }
    for (size_t i = 0; i < o->gateway_count; i++) {
        bk_addr any = bk_addr_is_ipv4(&o->gateway[i]) ? bk_addr_ipv4(0, 0, 0, 0) : (bk_addr){{0}};
        int r = bk_route_add(s->stack, &any, 0, &o->gateway[i], 0);
        if (r < 0) return r;
    }
    return 0;
}

static int stack_create(struct serve_stack *s, const struct serve_common *common, uint32_t index) {
    const struct serve_options *o = s->options;
    struct bk_config config;
    bk_config_default(&config);
    config.connections = o->connections;
    config.active_connections = 0;
    config.msl_ms = o->msl_s * 1000;
    config.steering = common->steering;
    config.steering.index = index;
    s->stack = cmd_stack_create(&config);
    if (!s->stack) return -ENOMEM;
    struct bk_iface_config iface = {.layer = o->tun ? BK_LAYER_IP : BK_LAYER_ETHERNET, .mtu = common->mtu};
    if (!o->tun) memcpy(iface.mac, common->mac, sizeof iface.mac);
    uint64_t now = bk_link_clock();
    int r = bk_iface_add(s->stack, &iface, now);
    if (r >= 0) r = stack_addresses(s, now);
    if (r < 0) cmd_error("giving the stack its interface and addresses: %s", strerror(-r));
    return r;
}

/* What may help against a device that cannot be opened. */
static const char *stack_advice(const struct serve_options *o, int error) {
    if (error == -EPERM || error == -EACCES)
        return o->xdp ? "; run it as root"
                      : "; run it as root, or have root make the device for this user with `ip tuntap add'";
    if (error == -EBUSY) return "; another process has it";
    if (error == -EINVAL && o->cores > 1 && !o->xdp)
        return "; if the device is there, it must have been made with `multi_queue'";
    return "";
}

static int stack_capture(struct serve_stack *s) {
    const struct bk_capture_name names[] = {{s->options->address[0].addr, "beckon"}, {{{0}}, NULL}};
    char path[4096];
    bool several = s->options->cores > 1;
    int n = several ? snprintf(path, sizeof path, "%s.%u", s->options->pcap, bk_config_of(s->stack)->steering.index)
                    : snprintf(path, sizeof path, "%s", s->options->pcap);
    int r = n < 0 || (size_t)n >= sizeof path ? -ENAMETOOLONG : bk_link_capture(s->loop.link, path, names);
    if (r < 0) cmd_error("cannot write the capture to %s: %s", path, strerror(-r));
    return r;
}

static int stack_tap(struct serve_stack *s, bool several, const char **why) {
    const struct serve_options *o = s->options;
    const struct bk_tap_options options = {
        .name = o->device, .netns = o->netns, .tun = o->tun, .plain = o->plain, .multi_queue = several, .fd = -1};
    struct bk_tap_offload offload;
    int r = bk_tap_open(s->stack, 0, &options, &s->loop.link, why);
    if (r < 0) return r;
    bk_tap_offload(s->loop.link, &offload);
    if (offload.refused) cmd_error("%s goes on without an offload: %s", o->device, offload.refused);
    return 0;
}

static int stack_link(struct serve_stack *s, bk_group *group, uint32_t queue, const bk_link *first) {
    const struct serve_options *o = s->options;
    const struct bk_xdp_options xdp = {.name = o->device, .netns = o->netns, .queue = queue, .beside = first};
    const char *why = "opening it";
    int r = o->xdp ? bk_xdp_open(s->stack, 0, &xdp, &s->loop.link, &why) : stack_tap(s, group != NULL, &why);
    if (r == 0 && group) {
        why = "joining the other stacks";
        r = bk_group_join(group, s->loop.link);
    }
    if (r < 0) {
        cmd_error("%s %s: %s: %s%s",
                  o->xdp   ? "XDP"
                  : o->tun ? "TUN"
                           : "TAP",
                  o->device, why, strerror(-r), stack_advice(o, r));
        return r;
    }
    return o->pcap ? stack_capture(s) : 0;
}

static int stack_site(struct serve_stack *s) {
    struct http_site site = {.find = site_pages_find, .context = &s->pages};
    const char *root = s->options->root;
    int r = site_pages_make(&s->pages);
    if (r == 0 && root) {
        site = (struct http_site){.find = site_directory_find, .context = &s->directory};
        r = site_directory_open(&s->directory, root);
    }
    if (r < 0) {
        cmd_error("%s: %s", root ? root : "making the pages", strerror(-r));
        return r;
    }
    bk_addr any = {{0}};
    r = http_server_start(&s->server, s->stack, &site, &any, s->options->port, bk_link_clock());
    if (r < 0) cmd_error("listening on port %u: %s", s->options->port, strerror(-r));
    return r;
}

static void stack_ready(void *context, const struct bk_ready *event, uint64_t now) {
    http_server_ready(context, event, now);
}
static uint64_t stack_deadline(void *context) {
    return http_server_deadline(context);
}
static void stack_advance(void *context, uint64_t now) {
    http_server_advance(context, now);
}

int serve_stack_open(struct serve_stack *s, const struct serve_common *common, uint32_t index, const bk_link *first) {
    char why[CONTROL_WHY];
    s->options = common->options;
    s->directory.fd = s->control.fd = -1;
    int r = stack_create(s, common, index);
    if (r >= 0) r = stack_link(s, common->group, index, first);
    if (r >= 0) r = stack_site(s);
    if (r < 0) return r;
    s->loop.stack[0] = (struct run_loop_stack){.stack = s->stack,
                                               .ready = stack_ready,
                                               .deadline = stack_deadline,
                                               .advance = stack_advance,
                                               .context = &s->server};
    s->loop.stack_count = 1;
    if (control_open(&s->control, &s->loop, s->stack, "serve", why) < 0)
        cmd_error("no control socket, so `beckon ss' will not see this stack: %s", why);
    return 0;
}

int serve_stack_run(struct serve_stack *s) {
    int r = run_loop_until(&s->loop, BK_NEVER);
    if (r < 0) cmd_error("%s: %s", s->options->device, strerror(-r));
    return r;
}

int serve_stack_stop(struct serve_stack *s) {
    control_close(&s->control);
    http_server_stop(&s->server, bk_link_clock());
    bk_link_pump(s->loop.link, bk_link_clock()); /* the resets of what was open */
    int r = s->options->pcap ? bk_link_capture_end(s->loop.link) : 0;
    if (r < 0) cmd_error("cannot write the capture to %s: %s", s->options->pcap, strerror(-r));
    return r;
}

void serve_stack_close(struct serve_stack *s) {
    control_close(&s->control);
    bk_link_close(s->loop.link);
    bk_host_destroy(s->stack);
    run_loop_close(&s->loop);
    site_directory_close(&s->directory);
    site_pages_free(&s->pages);
}

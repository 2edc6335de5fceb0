/* A program outside the tree, which knows only what is installed: it makes a stack, listens, hands it a frame that is too short,
 * and prints what became of it. Its exit status is 0 if the library behaves. */
#include <beckon/link.h>
#include <beckon/stack.h>
#include <beckon/trace.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
    struct bk_config config;
    bk_config_tiny(&config);
    size_t size = (bk_region_size(&config) + 4095) & ~(size_t)4095;
    void *region = aligned_alloc(4096, size);
    const uint8_t seed[32] = {1};
    const char *why = "";
    bk_stack *stack;
    if (region == NULL || bk_create(region, size, &config, seed, 0, &stack, &why) != 0) {
        fprintf(stderr, "no stack: %s\n", why);
        return 1;
    }
    struct bk_iface_config wire = {.layer = BK_LAYER_IP, .mtu = 1500};
    int iface = bk_iface_add(stack, &wire, 0);
    bk_addr here = bk_addr_ipv4(192, 0, 2, 1);
    bk_listener listener;
    if (iface < 0 || bk_iface_address_add(stack, (uint32_t)iface, &here, 24, true, 0) != 0 ||
        bk_tcp_listen(stack, &here, 80, 1, 0, 0, &listener) != 0) {
        fprintf(stderr, "the stack refuses an interface, an address or a listener\n");
        return 1;
    }
    const uint8_t frame[] = {0x45, 0x00, 0x00};
    uint16_t reason = bk_input_copy(stack, (uint32_t)iface, frame, sizeof frame, 0);
    struct bk_tx unit;
    size_t answers = bk_output(stack, (uint32_t)iface, &unit, 1, 0);
    printf("%s: reason %u, counted %llu, %zu answers, %zu bytes of state\n", bk_version(), (unsigned)reason,
           (unsigned long long)bk_reason_count(stack, reason), answers, bk_used_extent(stack));
    int as_expected = reason != BK_REASON_NONE && bk_reason_count(stack, reason) == 1 && answers == 0;
    free(region);
    return as_expected ? 0 : 1;
}

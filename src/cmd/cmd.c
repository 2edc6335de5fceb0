/* What the subcommands share; see cmd.h. */
#define _GNU_SOURCE 1
#include "cmd/cmd.h"

#include "beckon/link.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void cmd_error(const char *format, ...) {
    fflush(stdout); /* so that the complaint stands after what was printed before it */
    fputs("beckon: ", stderr);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args); /* NOLINT(clang-analyzer-valist.Uninitialized): it is initialized just above */
    va_end(args);
    fputc('\n', stderr);
}

bool cmd_number(const char *text, uint64_t low, uint64_t high, uint64_t *out) {
    if (text[0] < '0' || text[0] > '9') return false;
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || v < low || v > high) return false;
    *out = v;
    return true;
}

bk_stack *cmd_stack_create(const struct bk_config *config) {
    bk_stack *stack = NULL;
    int r = bk_host_create(config, &stack);
    if (r == 0) return stack;
    cmd_error("cannot create a stack of up to %zu MiB: %s%s", bk_region_size(config) >> 20, strerror(-r),
              r == -ENOMEM ? "; ask for fewer connections, or raise ulimit -v" : "");
    return NULL;
}

/* Those that the calling thread may use, at least one. */
static void cmd_processors_get(cpu_set_t *all) {
    CPU_ZERO(all);
    if (sched_getaffinity(0, sizeof *all, all) < 0 || CPU_COUNT(all) == 0) CPU_SET(0, all);
}

uint32_t cmd_processors(void) {
    cpu_set_t all;
    cmd_processors_get(&all);
    return (uint32_t)CPU_COUNT(&all);
}

int cmd_processor(uint32_t n) {
    cpu_set_t all;
    cmd_processors_get(&all);
    int skip = (int)(n % (uint32_t)CPU_COUNT(&all)), i = 0;
    while (!CPU_ISSET(i, &all) || skip-- > 0) i++;
    return i;
}

void cmd_random_mac(uint8_t mac[6]) {
    if (getrandom(mac, 6, 0) != 6)
        for (size_t i = 0; i < 6; i++) mac[i] = (uint8_t)i; /* one that is as good while it is alone on its link */
    mac[0] = (uint8_t)((mac[0] & 0xfc) | 2);
}

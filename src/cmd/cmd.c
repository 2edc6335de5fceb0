/* What the subcommands share; see cmd.h. */
#define _GNU_SOURCE 1
#include "cmd/cmd.h"

#include "beckon/link.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

void cmd_error(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fflush(stdout); /* so that the complaint stands after what was printed before it */
    fputs("beckon: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
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

static bool cmd_random(void *bytes, size_t n) {
    return getrandom(bytes, n, 0) == (ssize_t)n;
}

bool cmd_stack_create(struct cmd_stack *s, const struct bk_config *config) {
    *s = (struct cmd_stack){.size = bk_region_size(config)};
    const char *why = NULL;
    if (s->size != 0) {
        s->region = mmap(NULL, s->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (s->region == MAP_FAILED) {
            s->region = NULL;
            cmd_error("cannot reserve %zu MiB for the stack: %s; ask for fewer connections or raise ulimit -v",
                      s->size >> 20, strerror(errno));
            return false;
        }
    }
    uint8_t seed[32];
    if (!cmd_random(seed, sizeof seed)) {
        cmd_error("the system gives no randomness: %s", strerror(errno));
        cmd_stack_destroy(s);
        return false;
    }
    int r = bk_create(s->region, s->size, config, seed, bk_link_clock(), &s->stack, &why);
    explicit_bzero(seed, sizeof seed);
    if (r < 0) {
        cmd_error("cannot create the stack: %s%s%s", strerror(-r), why ? ": " : "", why ? why : "");
        cmd_stack_destroy(s);
        return false;
    }
    return true;
}

void cmd_stack_destroy(struct cmd_stack *s) {
    if (s->region) munmap(s->region, s->size);
    *s = (struct cmd_stack){0};
}

void cmd_random_mac(uint8_t mac[6]) {
    if (!cmd_random(mac, 6)) memcpy(mac, "\x02\xbe\xc0\x00\x00\x01", 6);
    mac[0] = (uint8_t)((mac[0] & 0xfc) | 2);
}

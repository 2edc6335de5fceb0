/* `Commands`: what scripts have a shell do, of which only what concerns the stack is done here.
 *
 *     ./defaults.sh                       settings (script_sysctl.c)
 *     sysctl -q net.ipv4.tcp_sack=0
 *     ./set_sysctls.py /proc/sys/net/ipv4/tcp_sack=0      the same; sysctl_restore*.sh takes them back
 *     nstat | grep Name | grep -q " 3 "   answered from the stack's counters; so is grep over /proc/net/tcp
 *     echo 3 > /sys/module/M/parameters/N                  the setting M.N
 *     dd bs=1 count=5 if=/dev/zero of=F   a file that open() finds
 *     ip link set dev tun0 mtu 9000       the interface's MTU, before it is there
 *     ip route change A via B mtu lock N  the MTU of the path to one address
 *     tc qdisc ... fq                     pacing; other queues, ethtool, ip, rm: passed over, there is no such thing here
 *
 * Lines and semicolons part commands, a backslash joins lines, # begins a comment, quotes hold together, $((a*b)) is a product.
 * Other redirections are passed over. Any other command fails the script. */
#define _GNU_SOURCE 1
#include "lab/script_runner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/common.h"

#define SCRIPT_WORDS 64u

struct script_words {
    const char *word[SCRIPT_WORDS];
    size_t count;
    const char *to; /* where `>` sends what it says, or NULL */
    size_t to_length;
    char end; /* what ended it: '|', ';', '\n' or '\0' */
};

/* ---- words ----------------------------------------------------------------------------------------- */

/* $((2*3*4)) */
static const char *script_product(const char *at, char **out, const char *limit) {
    uint64_t product = 1;
    at += 3;
    while (*at != '\0' && *at != ')') {
        char *end;
        product *= strtoull(at, &end, 10);
        at = end > at ? end : at + 1;
        at += strspn(at, " *");
    }
    *out += snprintf(*out, (size_t)(limit - *out), "%" PRIu64, product);
    return at + strspn(at, ")");
}

/* One word to `out`, quotes taken off. Returns where it ends. */
static const char *script_word_of(const char *at, char **out, const char *limit) {
    char quote = '\0';
    while (*at != '\0' && *out < limit) {
        if (quote == '\0' && (strchr(" \t\n;|", *at) != NULL || strncmp(at, "\\\n", 2) == 0)) break;
        if (quote != '\'' && strncmp(at, "$((", 3) == 0) {
            at = script_product(at, out, limit);
        } else if ((*at == '"' || *at == '\'') && (quote == '\0' || quote == *at)) {
            quote = quote == '\0' ? *at : '\0';
            at++;
        } else if (*at == '\\' && at[1] != '\0' && quote != '\'') {
            *(*out)++ = at[1];
            at += 2;
        } else
            *(*out)++ = *at++;
    }
    *(*out)++ = '\0';
    return at;
}

/* A redirection, such as 2>&1 or > /dev/null; returns where it ends, or `at` if there is none. */
static const char *script_redirection(const char *at, struct script_words *w) {
    const char *sign = at + strspn(at, "0123456789");
    if (*sign != '>' && *sign != '<') return at;
    sign += strspn(sign, "<>&");
    sign += strspn(sign, " \t");
    w->to = sign;
    w->to_length = strcspn(sign, " \t\n;|");
    return sign + w->to_length;
}

static const char *script_blank(const char *at) {
    for (;;) {
        const char *before = at;
        at += strspn(at, " \t\r");
        if (at[0] == '\\' && at[1] == '\n') at += 2;
        if (*at == '#') at += strcspn(at, "\n");
        if (at == before) return at;
    }
}

/* The words of the next command. Returns where the next one begins. `room` holds them. */
static const char *script_words(const char *at, struct script_words *w, char *room, size_t size) {
    const char *limit = room + size - 1;
    w->count = 0;
    w->to = NULL;
    for (;;) {
        at = script_blank(at);
        const char *over = script_redirection(at, w);
        if (over != at) {
            at = over;
        } else if (*at == '\0' || strchr("\n;|", *at) != NULL) {
            w->end = *at;
            return *at == '\0' ? at : at + 1;
        } else if (w->count < SCRIPT_WORDS && room < limit) {
            w->word[w->count++] = room;
            at = script_word_of(at, &room, limit);
        } else
            at++;
    }
}

static const char *script_base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* ---- settings -------------------------------------------------------------------------------------- */

/* "NAME=VALUE", where NAME may be a path under /proc/sys or have slashes for dots. */
static bool script_setting(struct script_run *r, const char *word) {
    char name[128], why[200];
    const char *equals = strchr(word, '=');
    if (strncmp(word, "/proc/sys/", 10) == 0) word += 10;
    if (equals == NULL || (size_t)(equals - word) >= sizeof name)
        return script_fail(r, "expected NAME=VALUE, not '%s'", word);
    memcpy(name, word, (size_t)(equals - word));
    name[equals - word] = '\0';
    for (char *c = name; *c != '\0'; c++)
        if (*c == '/') *c = '.';
    return script_sysctl_set(&r->settings, name, equals + 1, why, sizeof why) || script_fail(r, "%s", why);
}

static bool script_do_settings(struct script_run *r, const struct script_words *w) {
    for (size_t i = 1; i < w->count; i++)
        if (w->word[i][0] != '-' && !script_setting(r, w->word[i])) return false;
    return true;
}

static bool script_do_set_sysctls(struct script_run *r, const struct script_words *w) {
    if (!r->has_saved) r->saved = r->settings;
    r->has_saved = true;
    return script_do_settings(r, w);
}

static bool script_do_defaults(struct script_run *r, const struct script_words *w) {
    char why[200];
    (void)w;
    return script_sysctl_defaults(&r->settings, why, sizeof why) || script_fail(r, "%s", why);
}

static bool script_do_restore(struct script_run *r, const struct script_words *w) {
    (void)w;
    if (r->has_saved) r->settings = r->saved;
    return true;
}

/* echo VALUE > /sys/module/MODULE/parameters/NAME is the setting MODULE.NAME. */
static bool script_do_echo(struct script_run *r, const struct script_words *w) {
    static const char begin[] = "/sys/module/", middle[] = "/parameters/";
    char to[128], name[128], why[200];
    snprintf(to, sizeof to, "%.*s", (int)w->to_length, w->to != NULL ? w->to : "");
    char *parameter = strstr(to, middle);
    if (w->count != 2 || parameter == NULL || strncmp(to, begin, sizeof begin - 1) != 0)
        return script_fail(r, "echo: expected a value, and a parameter of a module to write it to");
    *parameter = '\0';
    snprintf(name, sizeof name, "%.60s.%.60s", to + sizeof begin - 1, parameter + sizeof middle - 1);
    return script_sysctl_set(&r->settings, name, w->word[1], why, sizeof why) || script_fail(r, "%s", why);
}

/* ---- files and devices ----------------------------------------------------------------------------- */

static bool script_do_dd(struct script_run *r, const struct script_words *w) {
    struct script_file f = {0};
    size_t each = 512, count = 0;
    for (size_t i = 1; i < w->count; i++) {
        if (strncmp(w->word[i], "bs=", 3) == 0) each = (size_t)strtoull(w->word[i] + 3, NULL, 10);
        if (strncmp(w->word[i], "count=", 6) == 0) count = (size_t)strtoull(w->word[i] + 6, NULL, 10);
        if (strncmp(w->word[i], "of=", 3) == 0)
            f.path = script_arena_text(&r->script.arena, w->word[i] + 3, strlen(w->word[i] + 3));
    }
    f.size = each * count;
    if (f.path == NULL || f.size > (64u << 20) || r->file_count == SCRIPT_FILES)
        return script_fail(r, "dd: expected bs=, count= and of=, for 64 MiB at most");
    r->file[r->file_count++] = f;
    return true;
}

/* The number after "mtu", or "mtu lock"; 0: there is none. */
static uint32_t script_mtu_word(const struct script_words *w) {
    for (size_t i = 1; i + 1 < w->count; i++) {
        if (strcmp(w->word[i], "mtu") != 0) continue;
        bool lock = strcmp(w->word[i + 1], "lock") == 0 && i + 2 < w->count;
        return (uint32_t)strtoul(w->word[i + 1 + lock], NULL, 10);
    }
    return 0;
}

static bool script_do_ip(struct script_run *r, const struct script_words *w) {
    uint32_t mtu = script_mtu_word(w);
    size_t at = 1;
    while (at < w->count && w->word[at][0] == '-') at++;
    if (mtu == 0 || at + 2 >= w->count) return true;
    if (strcmp(w->word[at], "link") == 0) {
        if (r->stack == NULL) r->choice.mtu = mtu;
        return true;
    }
    bk_addr remote;
    if (strcmp(w->word[at], "route") != 0 || bk_addr_parse(w->word[at + 2], &remote) != 0) return true;
    r->choice.path = remote;
    r->choice.path_mtu = mtu;
    if (r->stack == NULL) return true;
    int error = bk_path_mtu_set(r->stack, &remote, mtu, r->now);
    return error == 0 || script_fail(r, "a route's MTU of %" PRIu32 ": %s", mtu, strerror(-error));
}

/* Of queues only whether they pace matters: fq does. */
static bool script_do_tc(struct script_run *r, const struct script_words *w) {
    for (size_t i = 2; i < w->count && strcmp(w->word[1], "qdisc") == 0; i++)
        if (strcmp(w->word[i], "fq") == 0) r->settings.stack.pacing = true;
    return true;
}

static bool script_do_nothing(struct script_run *r, const struct script_words *w) {
    (void)r;
    (void)w;
    return true;
}

/* ---- questions ------------------------------------------------------------------------------------- */

static void script_listeners(struct script_run *r, struct bk_text *out) {
    struct bk_tcp_info info;
    for (uint64_t cursor = 0; bk_tcp_list(r->stack, &cursor, &info);) {
        char line[64];
        if (info.state != BK_LISTEN) continue;
        int n = snprintf(line, sizeof line, "0: 00000000:%04X 00000000:0000 0A \n", info.local_port);
        bk_text_to_memory(out, line, (size_t)n);
    }
}

/* Keeps the lines that contain the pattern. */
static void script_filter(struct bk_text *text, const char *pattern) {
    struct bk_text kept = {0};
    const char *at = text->data != NULL ? text->data : "";
    while (*at != '\0') {
        size_t n = strcspn(at, "\n");
        char *line = strndup(at, n);
        if (line != NULL && strstr(line, pattern) != NULL) {
            bk_text_to_memory(&kept, at, n);
            bk_text_to_memory(&kept, "\n", 1);
        }
        free(line);
        at += n + (at[n] == '\n');
    }
    bk_text_free(text);
    *text = kept;
}

static const char *script_pattern(const struct script_words *w) {
    for (size_t i = 1; i < w->count; i++)
        if (w->word[i][0] != '-') return w->word[i];
    return "";
}

/* The rest of a pipeline, which must be greps; the last one must have found something. */
static bool script_greps(struct script_run *r, const char **at, struct script_words *w, struct bk_text *text,
                         char *room, size_t size) {
    while (w->end == '|') {
        *at = script_words(*at, w, room, size);
        if (w->count == 0 || strcmp(script_base_name(w->word[0]), "grep") != 0)
            return script_fail(r, "expected grep after '|', not '%s'", w->count > 0 ? w->word[0] : "");
        const char *pattern = script_pattern(w);
        char before[160];
        snprintf(before, sizeof before, "%s", text->data != NULL ? text->data : "nothing");
        script_filter(text, pattern);
        if (text->length > 0) continue;
        if (strncmp(pattern, "Tcp", 3) == 0 && !script_counter_known(pattern))
            return script_fail(r, "there is no counter %s here", pattern);
        before[strcspn(before, "\n")] = '\0';
        return script_fail(r, "grep \"%s\" finds nothing in: %s", pattern, before);
    }
    return true;
}

static bool script_question(struct script_run *r, const char **at, struct script_words *w, char *room, size_t size) {
    struct bk_text text = {0};
    bool nstat = strcmp(script_base_name(w->word[0]), "nstat") == 0, quiet = false, keep = false;
    if (r->stack == NULL) return script_fail(r, "%s: there is no stack yet to be asked", w->word[0]);
    for (size_t i = 1; i < w->count && nstat; i++) {
        quiet = quiet || strcmp(w->word[i], "-n") == 0;
        keep = keep || strcmp(w->word[i], "-s") == 0;
    }
    if (nstat)
        script_counters_text(r, &text, keep);
    else {
        script_listeners(r, &text);
        script_filter(&text, script_pattern(w));
    }
    if (quiet) bk_text_free(&text);
    bool good = script_greps(r, at, w, &text, room, size);
    if (good && !nstat && text.length == 0) good = script_fail(r, "grep finds no line");
    bk_text_free(&text);
    return good;
}

/* ---- a command ------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    bool (*run)(struct script_run *, const struct script_words *);
} script_commands[] = {
    {"defaults.sh", script_do_defaults},
    {"sysctl", script_do_settings},
    {"set_sysctls.py", script_do_set_sysctls},
    {"dd", script_do_dd},
    {"ip", script_do_ip},
    {"echo", script_do_echo},
    {"tc", script_do_tc},
    {"ethtool", script_do_nothing},
    {"rm", script_do_nothing},
};

static bool script_one_command(struct script_run *r, const char **at, struct script_words *w, char *room, size_t size) {
    const char *name = script_base_name(w->word[0]);
    if (strncmp(name, "sysctl_restore", 14) == 0) return script_do_restore(r, w);
    if (strcmp(name, "nstat") == 0 || strcmp(name, "grep") == 0) return script_question(r, at, w, room, size);
    for (size_t i = 0; i < BK_COUNT(script_commands); i++)
        if (strcmp(script_commands[i].name, name) == 0) return script_commands[i].run(r, w);
    return script_fail(r, "command '%s' is not known here", name);
}

bool script_run_command(struct script_run *r, const char *command) {
    size_t size = 2 * strlen(command) + 64;
    char *room = malloc(size);
    if (room == NULL) abort();
    struct script_words w;
    bool good = true;
    for (const char *at = command; good && *at != '\0';) {
        at = script_words(at, &w, room, size);
        if (w.count > 0) good = script_one_command(r, &at, &w, room, size);
    }
    free(room);
    return good;
}

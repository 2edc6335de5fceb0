/* `beckon script`: packetdrill's scripts, run against the stack in virtual time. See docs/script.md.
 *
 * Each script runs in each family that it and the command line allow. With several threads each takes the next script; results are told in
 * the order of the scripts, once all are there. */
#define _GNU_SOURCE 1
#include "cmd/script.h"

#include <argp.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/common.h"
#include "cmd/cmd.h"
#include "lab/script_python.h"
#include "lab/script_sysctl.h"

/* ---- running --------------------------------------------------------------------------------------- */

struct script_worker {
    struct script_command *command;
    pthread_mutex_t *lock;
    size_t *next;
};

static void script_run_job(const struct script_command *c, struct script_job *j, struct script_python *python) {
    size_t length;
    char *text = script_load(j->path, &length);
    j->fast_open = text != NULL && (strstr(text, "TCP_FASTOPEN") != NULL || strstr(text, "MSG_FASTOPEN") != NULL);
    for (size_t k = 0; k < SCRIPT_FAMILIES; k++) {
        struct script_pair *p = &j->pair[k];
        const struct script_config config = {.family = p->family,
                                             .defines = c->define,
                                             .define_count = c->define_count,
                                             .tolerance = c->tolerance,
                                             .python = python,
                                             .ladder = c->ladder,
                                             .pcap = c->pcap};
        if (!p->chosen) continue;
        if (text == NULL) {
            p->verdict = (struct script_verdict){.result = SCRIPT_FAILED};
            snprintf(p->verdict.reason, sizeof p->verdict.reason, "cannot be read");
        } else if (c->check)
            script_check(j->name, text, length, &config, &p->verdict);
        else
            script_run(j->name, text, length, &config, &p->verdict);
    }
    free(text);
}

static void *script_work(void *context) {
    struct script_worker *w = context;
    struct script_python *python = script_python_new(w->command->python);
    for (;;) {
        pthread_mutex_lock(w->lock);
        size_t i = (*w->next)++;
        pthread_mutex_unlock(w->lock);
        if (i >= w->command->job_count) break;
        script_run_job(w->command, &w->command->job[i], python);
    }
    script_python_free(python);
    return NULL;
}

static void script_run_all(struct script_command *c) {
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_t thread[64];
    size_t next = 0;
    uint32_t started = 0;
    struct script_worker w = {.command = c, .lock = &lock, .next = &next};
    while (started + 1 < c->threads && pthread_create(&thread[started], NULL, script_work, &w) == 0) started++;
    script_work(&w);
    for (uint32_t i = 0; i < started; i++) pthread_join(thread[i], NULL);
}

static void script_tell_all(struct script_command *c) {
    for (size_t i = 0; i < c->job_count; i++)
        for (size_t k = 0; k < SCRIPT_FAMILIES; k++) {
            const struct script_pair *p = &c->job[i].pair[k];
            if (!p->chosen) continue;
            script_tell_pair(c, p);
            c->passed += p->verdict.result == SCRIPT_PASSED;
            c->failed += p->verdict.result == SCRIPT_FAILED;
            c->skipped += p->verdict.result == SCRIPT_SKIPPED;
        }
}

/* The lists that the command line names. Returns the exit status. */
static int script_lists(const struct script_command *c) {
    int wrong = 0, error = 0;
    const char *path = "";
    if (c->expected != NULL) {
        wrong = script_compare(c);
        error = wrong < 0 ? wrong : 0;
        path = c->expected;
    }
    if (error == 0 && c->write_expected != NULL) {
        error = script_write_expected(c);
        path = c->write_expected;
    }
    if (error == 0 && c->against != NULL) {
        error = script_report(c, stdout);
        path = c->against;
    }
    if (error != 0) {
        cmd_error("%s: %s", path, strerror(-error));
        return CMD_USAGE;
    }
    if (c->expected != NULL) return wrong > 0 ? CMD_FAILED : CMD_WORKED;
    return c->failed > 0 && c->write_expected == NULL ? CMD_FAILED : CMD_WORKED;
}

/* ---- the command line ------------------------------------------------------------------------------ */

enum {
    SCRIPT_FAMILY = 0x100,
    SCRIPT_TOLERANCE_KEY,
    SCRIPT_ROOT,
    SCRIPT_CHECK,
    SCRIPT_LADDER,
    SCRIPT_PCAP,
    SCRIPT_JSON,
    SCRIPT_EXPECTED,
    SCRIPT_WRITE_EXPECTED,
    SCRIPT_AGAINST,
    SCRIPT_PYTHON,
    SCRIPT_SETTINGS,
};

static const struct argp_option script_options[] = {
    {NULL, 0, NULL, 0, "How to run:", 1},
    {"ip_version", SCRIPT_FAMILY, "NAME", 0, "ipv4, ipv6 or ipv4-mapped-ipv6; may be given again (all three)", 1},
    {"define", 'D', "NAME=VALUE", 0, "A word that stands for another one in scripts", 1},
    {"tolerance_usecs", SCRIPT_TOLERANCE_KEY, "N", 0, "How far times may differ, unless the script says (4000)", 1},
    {"python", SCRIPT_PYTHON, "PROGRAM", 0, "Who executes %{ code }% (python3)", 1},
    {"threads", 'j', "N", 0, "Threads, 1 to 64 (1)", 1},
    {"settings", SCRIPT_SETTINGS, NULL, 0, "List the settings by sysctl's names, and run nothing", 1},
    {"check", SCRIPT_CHECK, NULL, 0, "Read the scripts, and do not run them", 1},
    {NULL, 0, NULL, 0, "What to tell:", 2},
    {"verbose", 'v', NULL, 0, "Also what passes or is skipped", 2},
    {"ladder", SCRIPT_LADDER, NULL, 0, "Draw the connection of each failure (as for a single script in any case)", 2},
    {"pcap", SCRIPT_PCAP, "FILE", 0, "Capture the run of one script in one family", 2},
    {"json", SCRIPT_JSON, NULL, 0, "Print JSON, one object a line", 2},
    {"root", SCRIPT_ROOT, "DIR", 0, "Leave this out of the scripts' names", 2},
    {NULL, 0, NULL, 0, "Lists:", 3},
    {"expected", SCRIPT_EXPECTED, "FILE", 0, "Those that fail; the command fails if the list is wrong in either way",
     3},
    {"write-expected", SCRIPT_WRITE_EXPECTED, "FILE", 0, "Write that list, keeping the reasons in it", 3},
    {"against", SCRIPT_AGAINST, "FILE", 0, "Say how many of the pairs in this list pass", 3},
    {0},
};

static void script_define_key(struct script_command *c, char *arg, struct argp_state *state) {
    char *equals = strchr(arg, '=');
    if (equals == NULL || equals == arg) argp_error(state, "-D takes NAME=VALUE, not '%s'", arg);
    if (c->define_count == SCRIPT_DEFINES) argp_error(state, "-D is taken %u times at most", SCRIPT_DEFINES);
    *equals = '\0';
    c->define[c->define_count++] = (struct script_define){.name = arg, .value = equals + 1};
}

static void script_family_key(struct script_command *c, const char *arg, struct argp_state *state) {
    const struct script_family *f = script_family_find(arg);
    if (f == NULL) argp_error(state, "--ip_version takes ipv4, ipv6 or ipv4-mapped-ipv6, not '%s'", arg);
    c->family[f - script_families] = true;
}

/* Options that are only noted. */
static bool script_note_key(struct script_command *c, int key, char *arg) {
    bool *const on = key == 'v'               ? &c->verbose
                     : key == SCRIPT_CHECK    ? &c->check
                     : key == SCRIPT_LADDER   ? &c->ladder
                     : key == SCRIPT_SETTINGS ? &c->settings
                     : key == SCRIPT_JSON     ? &c->json
                                              : NULL;
    const char **const text = key == SCRIPT_ROOT             ? &c->root
                              : key == SCRIPT_PCAP           ? &c->pcap
                              : key == SCRIPT_EXPECTED       ? &c->expected
                              : key == SCRIPT_WRITE_EXPECTED ? &c->write_expected
                              : key == SCRIPT_AGAINST        ? &c->against
                              : key == SCRIPT_PYTHON         ? &c->python
                                                             : NULL;
    if (on != NULL) *on = true;
    if (text != NULL) *text = arg;
    return on != NULL || text != NULL;
}

static error_t script_key(int key, char *arg, struct argp_state *state) {
    struct script_command *c = state->input;
    uint64_t n;
    if (script_note_key(c, key, arg)) return 0;
    switch (key) {
    case SCRIPT_FAMILY:
        script_family_key(c, arg, state);
        return 0;
    case 'D':
        script_define_key(c, arg, state);
        return 0;
    case SCRIPT_TOLERANCE_KEY:
        if (!cmd_number(arg, 1, 1000000000, &n))
            argp_error(state, "--tolerance_usecs takes 1 to 1000000000, not '%s'", arg);
        c->tolerance = n * NS_PER_US;
        return 0;
    case 'j':
        if (!cmd_number(arg, 1, 64, &n)) argp_error(state, "--threads takes 1 to 64, not '%s'", arg);
        c->threads = (uint32_t)n;
        return 0;
    case ARGP_KEY_ARGS:
        c->path = state->argv + state->next;
        c->path_count = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_NO_ARGS:
        if (!c->settings) argp_error(state, "which scripts? Name files, or folders with *.pkt");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* One script in one family is what a capture holds. */
static bool script_together(struct script_command *c) {
    size_t families = 0;
    bool any = false;
    for (size_t k = 0; k < SCRIPT_FAMILIES; k++) any = any || c->family[k];
    for (size_t k = 0; k < SCRIPT_FAMILIES; k++) families += c->family[k] = c->family[k] || !any;
    if (c->pcap == NULL || (families == 1 && c->path_count == 1)) return true;
    cmd_error("--pcap holds one run: name one script, and its family with --ip_version");
    return false;
}

static int script_list_settings(void) {
    const char *name;
    char words[200];
    for (size_t i = 0; script_sysctl_row(i, &name, words, sizeof words); i++) printf("| `%s` | %s |\n", name, words);
    return CMD_WORKED;
}

int cmd_script(int argc, char **argv) {
    static const struct argp argp = {
        .options = script_options,
        .parser = script_key,
        .args_doc = "FILE|FOLDER...",
        .doc = "Run packetdrill's scripts against the stack, in virtual time: no root, no device, no sleep.\v"
               "Exit status: 0 none failed (with --expected: as the list says), 1 some did, 2 usage or environment.",
    };
    struct script_command c = {.python = "python3", .threads = 1};
    argp_parse(&argp, argc, argv, 0, NULL, &c);
    if (c.settings) return script_list_settings();
    if (!script_together(&c)) return CMD_USAGE;
    int status = CMD_USAGE;
    if (script_find(&c)) {
        c.ladder = c.ladder || c.job_count == 1;
        if (c.job_count == 0) cmd_error("there is no script (*.pkt) to run");
        script_run_all(&c);
        script_tell_all(&c);
        if (c.job_count > 0) status = script_lists(&c);
        script_tell_end(&c);
    }
    script_forget(&c);
    return status;
}

/* The `beckon` program: finds the subcommand and hands over to it, in the manner of git.
 *
 *     beckon [--help] [--version] COMMAND [ARGUMENT...]
 *
 * Exit status: 0 worked, 1 the thing that was tested failed, 2 usage or environment. `beckon help COMMAND` is
 * `beckon COMMAND --help`.
 */
#define _GNU_SOURCE 1
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/common.h"
#include "cmd/cmd.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
};

static const struct command commands[] = {
    {"demo", cmd_demo, "fetch two pages over one connection and show every segment of it"},
    {"serve", cmd_serve, "serve pages over HTTP from a stack on a TAP device"},
    {"ss", cmd_ss, "show the connections of running stacks, as ss(8) does"},
    {"explore", cmd_explore, "visit every reachable state of small worlds of two stacks"},
    {"sim", cmd_sim, "run stacks on a simulated network, by seed, and check that all holds"},
    {"script", cmd_script, "run packetdrill's scripts in virtual time"},
    {"goodput", cmd_goodput, "measure what the stack gets out of links with delay, loss and queues"},
    {"bench", cmd_bench, "measure the stack: bulk, connections, and through a TAP device"},
};

static const struct command *main_find(const char *name) {
    for (size_t i = 0; i < BK_COUNT(commands); i++)
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    return NULL;
}

static void main_version(FILE *to, struct argp_state *state) {
    (void)state;
    fprintf(to, "beckon %s\n", bk_version());
}

/* The table of commands, as the last part of --help. The text becomes argp's to free. */
static char *main_help_filter(int key, const char *text, void *input) {
    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC) return (char *)(uintptr_t)text;
    char *out = NULL;
    size_t size;
    FILE *f = open_memstream(&out, &size);
    if (!f) return (char *)(uintptr_t)text;
    fputs("Commands:\n", f);
    for (size_t i = 0; i < BK_COUNT(commands); i++) fprintf(f, "  %-8s %s\n", commands[i].name, commands[i].summary);
    fputs("\n`beckon COMMAND --help' explains one. Exit status: 0 worked, 1 the thing tested failed, "
          "2 usage or environment.",
          f);
    if (fclose(f) != 0) return (char *)(uintptr_t)text;
    return out;
}

struct main_arguments {
    int next; /* index in argv of the command, 0: none given */
};

static error_t main_option(int key, char *arg, struct argp_state *state) {
    struct main_arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        (void)arg;
        a->next = state->next - 1;
        state->next = state->argc; /* the rest is the command's */
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int main_run(const struct command *c, int argc, char **argv) {
    char name[64];
    snprintf(name, sizeof name, "beckon %s", c->name);
    argv[0] = name;
    program_invocation_name = program_invocation_short_name = name;
    int status = c->run(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        cmd_error("writing the output failed: %s", strerror(errno));
        return status == CMD_WORKED ? CMD_USAGE : status;
    }
    return status;
}

static int main_unknown(const char *name) {
    fprintf(stderr, "beckon: there is no command '%s'; the commands are", name);
    for (size_t i = 0; i < BK_COUNT(commands); i++) fprintf(stderr, "%s %s", i ? "," : "", commands[i].name);
    fputs(" (see beckon --help)\n", stderr);
    return CMD_USAGE;
}

int main(int argc, char **argv) {
    static const struct argp argp = {
        .parser = main_option,
        .args_doc = "COMMAND [ARGUMENT...]",
        .doc = "TCP/IP in user space, and tools that show every segment and why it was sent.\v",
        .help_filter = main_help_filter,
    };
    argp_program_version_hook = main_version;
    argp_err_exit_status = CMD_USAGE;

    char name[] = "beckon"; /* not by what path it was found */
    struct main_arguments a = {0};
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &a);
    if (a.next == 0) {
        argp_help(&argp, stderr, ARGP_HELP_STD_HELP & ~(unsigned)ARGP_HELP_EXIT_OK, name);
        return CMD_USAGE;
    }
    if (strcmp(argv[a.next], "help") == 0) {
        if (a.next + 1 >= argc) {
            argp_help(&argp, stdout, ARGP_HELP_STD_HELP & ~(unsigned)ARGP_HELP_EXIT_OK, name);
            return CMD_WORKED;
        }
        char help[] = "--help", *args[] = {argv[a.next + 1], help, NULL};
        const struct command *c = main_find(args[0]);
        return c ? main_run(c, 2, args) : main_unknown(args[0]);
    }
    const struct command *c = main_find(argv[a.next]);
    return c ? main_run(c, argc - a.next, argv + a.next) : main_unknown(argv[a.next]);
}

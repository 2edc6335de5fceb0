/* `beckon ss`: the connections of running stacks, in the columns of ss(8) or netstat(8), or as JSON lines.
 *
 * Each stack is asked over its control socket (control.h); what to show is chosen as ss(8) does: established and closing
 * connections unless -l or -a ask for listeners or everything.
 */
#define _GNU_SOURCE 1
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "beckon/render.h"
#include "cmd/cmd.h"
#include "cmd/control.h"

struct ss_arguments {
    bool all, listening, internals, timers, no_header, json, netstat, only_ipv4, only_ipv6;
    pid_t pid; /* 0: all stacks */
};

enum { SS_NETSTAT = 0x100, SS_JSON };

static const struct argp_option ss_options[] = {
    {"all", 'a', NULL, 0, "Show listeners, embryonic connections and TIME-WAIT too", 0},
    {"listening", 'l', NULL, 0, "Show listeners only", 0},
    {"tcp", 't', NULL, 0, "Show TCP (there is nothing else: accepted for the fingers' sake)", 0},
    {"numeric", 'n', NULL, 0, "Do not resolve names (never done: likewise)", 0},
    {"info", 'i', NULL, 0, "Show the internals of each connection: rto, rtt, cwnd, ...", 0},
    {"options", 'o', NULL, 0, "Show the running timer of each connection", 0},
    {"ipv4", '4', NULL, 0, "Show IPv4 only", 0},
    {"ipv6", '6', NULL, 0, "Show IPv6 only", 0},
    {"no-header", 'H', NULL, 0, "Leave the heading out", 0},
    {"netstat", SS_NETSTAT, NULL, 0, "Use netstat(8)'s columns and state names", 0},
    {"json", SS_JSON, NULL, 0,
     "Print JSON, one object a line; `stack' in it is the process id, as in PID.0 if it has several stacks", 0},
    {0},
};

static error_t ss_option(int key, char *arg, struct argp_state *state) {
    struct ss_arguments *a = state->input;
    uint64_t pid;
    switch (key) {
    case 'a':
        a->all = true;
        return 0;
    case 'l':
        a->listening = true;
        return 0;
    case 't':
    case 'n':
        return 0;
    case 'i':
        a->internals = true;
        return 0;
    case 'o':
        a->timers = true;
        return 0;
    case '4':
        a->only_ipv4 = true;
        return 0;
    case '6':
        a->only_ipv6 = true;
        return 0;
    case 'H':
        a->no_header = true;
        return 0;
    case SS_NETSTAT:
        a->netstat = true;
        return 0;
    case SS_JSON:
        a->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) argp_error(state, "one PID at most");
        if (!cmd_number(arg, 1, INT32_MAX, &pid)) argp_error(state, "'%s' is no process id", arg);
        a->pid = (pid_t)pid;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool ss_shown(const struct ss_arguments *a, const struct bk_tcp_info *info) {
    bool v4 = bk_addr_is_ipv4(info->state == BK_LISTEN ? &info->local : &info->remote);
    if (a->only_ipv4 != a->only_ipv6 && v4 != a->only_ipv4) return false;
    if (a->all) return true;
    if (a->listening) return info->state == BK_LISTEN;
    return info->state != BK_LISTEN && info->state != BK_SYN_RECEIVED && info->state != BK_TIME_WAIT;
}

static size_t ss_filter(const struct ss_arguments *a, struct bk_tcp_info *infos, size_t n) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (ss_shown(a, &infos[i])) infos[kept++] = infos[i];
    return kept;
}

/* One stack's table; `titled` when there are several. */
static int ss_show(const struct ss_arguments *a, struct control_reply *reply, bool titled) {
    char name[CONTROL_NAME];
    control_name_format(&reply->name, name);
    struct bk_table_options options = {
        .style = a->json      ? BK_TABLE_JSON
                 : a->netstat ? BK_TABLE_NETSTAT
                              : BK_TABLE_SS,
        .timers = a->timers,
        .internals = a->internals,
        .no_header = a->no_header,
        .stack = name,
        .now = reply->now,
    };
    if (titled && !a->json) printf("stack %s (beckon %s)\n", name, reply->command);
    size_t n = ss_filter(a, reply->infos, reply->count);
    int r = bk_table(reply->infos, n, &options, bk_text_to_file, stdout);
    if (titled && !a->json) putchar('\n');
    if (reply->truncated)
        cmd_error("stack %s has more connections than the %u shown", name, (unsigned)CONTROL_CONNECTIONS_MAX);
    return r;
}

/* Asks and shows one stack. A stack that ended between the listing and the question is no error unless asked for by id. */
static int ss_one(const struct ss_arguments *a, const struct control_name *name, bool titled) {
    char why[CONTROL_WHY];
    struct control_reply reply;
    int r = control_ask(name, &reply, why);
    if (r == -ESRCH && a->pid == 0) return CMD_WORKED;
    if (r < 0) {
        cmd_error("%s%s", why, r == -ESRCH ? "; `beckon ss' without a PID shows all that do" : "");
        return CMD_USAGE;
    }
    r = ss_show(a, &reply, titled);
    free(reply.infos);
    if (r < 0) cmd_error("cannot print the table: %s", strerror(-r));
    return r < 0 ? CMD_USAGE : CMD_WORKED;
}

/* All stacks, or those of the process asked for. */
static int ss_all(const struct ss_arguments *a) {
    char why[CONTROL_WHY];
    struct control_name *names;
    ptrdiff_t n = control_list(&names, why), chosen = 0;
    if (n < 0) {
        cmd_error("%s", why);
        return CMD_USAGE;
    }
    for (ptrdiff_t i = 0; i < n; i++)
        if (a->pid == 0 || names[i].pid == a->pid) names[chosen++] = names[i];
    int status = CMD_WORKED;
    if (chosen == 0 && a->pid != 0) /* it says why */
        status = ss_one(a, &(struct control_name){.pid = a->pid, .index = -1}, false);
    else if (chosen == 0)
        cmd_error("no stack of this user's is running; `beckon serve' runs one");
    for (ptrdiff_t i = 0; i < chosen; i++) {
        int s = ss_one(a, &names[i], chosen > 1);
        if (s != CMD_WORKED) status = s;
    }
    free(names);
    return status;
}

int cmd_ss(int argc, char **argv) {
    static const struct argp argp = {
        .options = ss_options,
        .parser = ss_option,
        .args_doc = "[PID]",
        .doc = "Show the connections of running stacks: of the process PID, or of all processes of this user that run "
               "one.\v"
               "As ss(8), it shows neither listeners nor embryonic connections nor TIME-WAIT unless -l or -a asks for "
               "them. "
               "Exit status: 0 worked, 2 usage, or no such stack.",
    };
    struct ss_arguments a = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    return ss_all(&a);
}

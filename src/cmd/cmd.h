/* What the subcommands of `beckon` share: their entry points, exit statuses, and how they complain.
 *
 * A subcommand is a function that takes its own argv ("beckon demo", options...), parses it with glibc's argp (so
 * that --help is everywhere) and returns an exit status. main.c holds the table; adding a subcommand is
 * one prototype here and one line there.
 */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include "beckon/stack.h"

enum cmd_exit {
    CMD_WORKED = 0,
    CMD_FAILED = 1, /* the thing that was tested failed */
    CMD_USAGE = 2,  /* usage or environment: nothing was tested */
};

int cmd_demo(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_ss(int argc, char **argv);
int cmd_explore(int argc, char **argv);
int cmd_sim(int argc, char **argv);
int cmd_script(int argc, char **argv);
int cmd_goodput(int argc, char **argv);
int cmd_bench(int argc, char **argv); /* in bench/ */

/* "beckon: ..." on stderr: what is wrong and what to do about it, in one sentence. */
__attribute__((format(printf, 1, 2))) void cmd_error(const char *format, ...);

/* Parses a whole decimal number in [low, high]. Returns false, and leaves *out alone, for anything else. */
bool cmd_number(const char *text, uint64_t low, uint64_t high, uint64_t *out);

/* A stack in memory of its own (bk_host_create), or NULL and the complaint is printed. */
bk_stack *cmd_stack_create(const struct bk_config *config);
/* How many processors this process may use, and which the n-th of them is; beyond the last they come round again. */
uint32_t cmd_processors(void);
int cmd_processor(uint32_t n);
/* A locally administered unicast MAC, drawn at random. */
void cmd_random_mac(uint8_t mac[6]);

#endif

/* The loop of a program that lives with one or two stacks in real time: moves frames, passes readiness on, watches
 * descriptors, and sleeps until something is due.
 *
 * Everything is called from run_loop_until, on the caller's thread: the stacks need no locks. Members are filled in
 * before; `done` may be set by any of the functions called. SIGINT, SIGTERM and SIGHUP end the loop instead of the process between
 * run_loop_open and run_loop_close, so that what was set up is always taken down.
 */
#ifndef CMD_RUN_LOOP_H
#define CMD_RUN_LOOP_H

#include "beckon/link.h"
#include "beckon/stack.h"

#define RUN_LOOP_STACKS  2u
#define RUN_LOOP_WATCHES 16u

struct run_loop_stack {
    bk_stack *stack;
    /* A readiness event of the stack. */
    void (*ready)(void *context, const struct bk_ready *event, uint64_t now);
    /* When `advance` is due (BK_NEVER: not), and what is then done. Either both or neither. */
    uint64_t (*deadline)(void *context);
    void (*advance)(void *context, uint64_t now);
    void *context;
};

/* A descriptor to poll; slots with fd -1 are free. */
struct run_loop_watch {
    int fd;
    short events;
    void (*fire)(void *context, short revents, uint64_t now);
    void *context;
};

struct run_loop {
    struct run_loop_stack stack[RUN_LOOP_STACKS];
    uint32_t stack_count;
    bk_link *link; /* serves all of the stacks */
    struct run_loop_watch watch[RUN_LOOP_WATCHES];
    /* Called after each round, e.g. to read the trace before its ring comes round. May be NULL. */
    void (*after)(void *context, uint64_t now);
    void *after_context;
    bool done;     /* set by anyone: the loop ends after this round */
    int signal;    /* the signal that ended the loop, or 0 */
    int signal_fd; /* the loop's own */
};

/* Makes a loop that takes no notice of signals: one beside another that does, on a thread of its own. */
void run_loop_begin(struct run_loop *l);
/* Makes one, and takes the signals over. Returns 0 or a negative errno. */
int run_loop_open(struct run_loop *l);
/* Gives them back. */
void run_loop_close(struct run_loop *l);
/* Runs until `done`, a signal (which stays in l->signal) or the time `end`. Returns 0, or the negative errno of a link that failed. */
int run_loop_until(struct run_loop *l, uint64_t end);
/* Polls a descriptor from now on; returns false if there are too many. */
bool run_loop_watch_add(struct run_loop *l, int fd, short events,
                        void (*fire)(void *context, short revents, uint64_t now), void *context);
void run_loop_watch_remove(struct run_loop *l, int fd);
/* Changes what an fd is polled for. */
void run_loop_watch_events(struct run_loop *l, int fd, short events);

#endif

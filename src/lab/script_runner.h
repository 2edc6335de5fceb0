/* A run's state, for the files that it consists of: script_run.c (events), script_clock.c (time and frames), script_packet.c (packets),
 * script_call*.c (system calls), script_command.c (`commands`), script_code.c (%{code}%).
 *
 * The first thing that fails ends the run: script_fail notes it, and everything returns false from there up.
 */
#ifndef LAB_SCRIPT_RUNNER_H
#define LAB_SCRIPT_RUNNER_H

#include "beckon/socket.h"
#include "lab/script_peer.h"
#include "lab/script_run.h"
#include "lab/script_sysctl.h"

#define SCRIPT_START  (UINT64_C(3600) * NS_PER_S) /* the stack's time when a script begins */
#define SCRIPT_FDS    256
#define SCRIPT_PEERS  64u
#define SCRIPT_FILES  8u
#define SCRIPT_PORT   8080u  /* of the stack's listeners, and where it connects to */
#define SCRIPT_CALLER 40000u /* the first port of those who connect to it */

/* What the script's own options say. */
struct script_choices {
    uint64_t tolerance, timestamp_tick; /* ns */
    bool echo_scaled, strict_segments;
    uint32_t mss; /* inbound packets come merged from segments of this size; 0: as they are */
    uint32_t mtu;
    bk_addr path; /* of a route to one address, with an MTU of its own; 0: none */
    uint32_t path_mtu;
    const struct script_family *only; /* NULL: any family */
    const char *local, *remote;
    uint8_t prefix_length;
};

struct script_file {
    const char *path;
    size_t size; /* of zeroes */
};

struct script_pending; /* script_call.h */
struct pcapng;

struct script_run {
    struct script script;
    const struct script_config *config;
    const struct script_family *family;
    struct script_choices choice;
    struct script_verdict *verdict;
    bool failed;
    bool broken;                      /* an assertion failed: neither the stack nor its sockets are touched any more */
    const struct script_event *event; /* under way */

    struct script_settings settings, saved;
    bool has_saved;
    bk_addr local, remote;
    void *region;
    size_t region_size;
    bk_stack *stack;
    uint32_t iface;
    struct bk_sockets *sockets;
    int fd[SCRIPT_FDS]; /* of the script's descriptors: ours, or -1 */

    uint64_t now, last_inbound; /* last_inbound: when the inbound packet before was due */
    bool after_inbound;
    struct script_seen *seen; /* sent and not looked at yet: seen[seen_first..seen_count) */
    size_t seen_first, seen_count, seen_room;
    struct script_peer peer[SCRIPT_PEERS];
    size_t peer_count;
    struct script_peer *test;
    struct script_pending *pending; /* a call that waits, or NULL */

    struct script_file file[SCRIPT_FILES];
    size_t file_count;
    uint64_t counter_base[64]; /* of script_counters.c: what nstat told last */
    bool coded;                /* some code has run */
    struct pcapng *pcap;
    struct bk_event *trace;
    size_t trace_count, trace_room;
    uint8_t frame[SCRIPT_FRAME_MAX];
};

/* Notes a failure of the event under way, in one line. Returns false. */
__attribute__((format(printf, 2, 3))) bool script_fail(struct script_run *r, const char *format, ...);
/* Adds a line to what is told of it. */
__attribute__((format(printf, 2, 3))) void script_tell(struct script_run *r, const char *format, ...);
/* The script's time, in seconds. */
double script_clock(const struct script_run *r, uint64_t now);

/* ---- script_clock.c -------------------------------------------------------------------------------- */

/* Takes what the stack sends, and lets the pending call go on, until nothing more happens now. False: something failed. */
bool script_settle(struct script_run *r);
/* The next time at which anything is due; BK_NEVER if nothing is. */
uint64_t script_due(const struct script_run *r);
/* Lets time pass to `until`, with all that is due before. */
bool script_pass(struct script_run *r, uint64_t until);
/* Lets time pass until the pending call, if any, has finished, at most until then. */
bool script_await(struct script_run *r, uint64_t until);

/* ---- the rest -------------------------------------------------------------------------------------- */

bool script_run_packet(struct script_run *r, const struct script_event *e, uint64_t base);
bool script_run_call(struct script_run *r, const struct script_event *e, uint64_t base);
bool script_run_command(struct script_run *r, const char *command);
bool script_run_code(struct script_run *r, const struct script_event *e);
/* Compares a time with what an event says, on top of `base`. */
bool script_in_time(struct script_run *r, const struct script_time *t, uint64_t base, uint64_t when, const char *what);

/* Makes the stack, the interface and the sockets, by the settings. */
bool script_open(struct script_run *r);
void script_close(struct script_run *r);
/* Brings changed settings to the stack. */
bool script_apply(struct script_run *r);
/* Adds the picture of the connection under test to what is told. */
void script_draw(struct script_run *r);

/* A new connection; it is under test from now on. NULL if there are too many. */
struct script_peer *script_peer_new(struct script_run *r);
struct script_peer *script_peer_of(struct script_run *r, int fd);

/* What nstat prints: the counters that differ from what it printed last. `keep`: that does not count as printed. */
void script_counters_text(struct script_run *r, struct bk_text *out, bool keep);
bool script_counter_known(const char *name);

#endif

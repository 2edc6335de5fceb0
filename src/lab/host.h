/* A host of a simulation: a stack in a region of its own, and the device between its one interface and a path.
 *
 * The device takes frames from the stack and hands them to `emit`, and puts arriving frames into it, as a driver would; and it does what
 * bad drivers and bad days do, if asked to (struct host_faults): it refuses to send, takes only some of what it could, lets go of units
 * late and in another order, holds chunks so that the stack has few or none, collects frames that arrive (arrival.h), is reset while it cuts a unit,
 * sleeps past deadlines, or with the whole machine for hours, polls news late; and the stack may be moved to another address at any
 * moment, which nobody may notice. A crash forgets the stack with all its connections; a host that returns has a new one with
 * another seed, at the same address.
 *
 * Time is the simulation's. host_next says when the host must be run again; host_run does what is due: fires timers, asks for output until there
 * is none or the device refuses. The caller runs it after each arrival and after user calls, too.
 */
#ifndef LAB_HOST_H
#define LAB_HOST_H

#include "beckon/stack.h"
#include "beckon/trace.h"
#include "lab/fault.h"

/* Chances per event, in a million. */
struct host_faults {
    uint32_t refuse_ppm; /* the device takes nothing this time; it asks again refuse_us later */
    uint32_t refuse_us;
    uint32_t partial_ppm; /* it takes one unit, and comes back for the others after refuse_us */
    uint32_t hold_ppm;    /* it lets go of a unit only at the next event, or refuse_us later */
    uint32_t starve_ppm;  /* it holds all free chunks but a few for refuse_us */
    uint32_t late_ppm;    /* the host sleeps past a deadline, by up to late_us */
    uint32_t late_us;
    /* A unit stays in the device for up to keep_us, whatever happens meanwhile, and others are done before it. */
    uint32_t keep_ppm;
    uint32_t keep_us;
    /* Of a unit of several frames only the first ones leave: the device was reset between two cuts. */
    uint32_t reset_ppm;
    uint32_t deaf_ppm;   /* news are polled only refuse_us later */
    uint32_t single_ppm; /* in this event one piece of news is polled, and the next one in the next */
    /* The stack's clock jumps ahead by up to jump_ms: suspended and resumed. Users need not notice: their `now`, which is the
     * caller's, is then earlier than the stack's. */
    uint32_t jump_ppm;
    uint32_t jump_ms;
    /* Once time has passed, the other calls of this event name a time that is up to back_us earlier. */
    uint32_t back_ppm;
    uint32_t back_us;
    /* Frames that arrive (arrival.h). Without any of these each is handed in at once, by bk_input_copy.
     * So many at once by bk_input; a batch that is not full is handed in batch_us after its first frame, at the next event. */
    uint32_t batch;
    uint32_t batch_us;
    uint32_t queue;     /* so many wait for chunks in the device */
    uint32_t parts_ppm; /* per frame: cut into odd parts */
    uint32_t pad_ppm;   /* per frame: octets beyond the IP length */
    uint32_t merge_ppm; /* per frame: merged with the one before it in its batch, if it can be */
};

struct host_options {
    struct bk_config config;
    struct bk_iface_config iface;
    bk_addr addr;
    uint8_t prefix_length;
    bk_addr gateway; /* default route; unspecified: none */
    uint64_t seed;   /* of the stack and of the device's faults */
    struct host_faults faults;
    /* Chance per event that the stack is moved to a copy; drawn from a source of its own, so that runs with and without are the
     * same otherwise. */
    uint32_t move_ppm;
};

/* A frame leaves the host, complete with checksums; `reason` is why the stack sent it. */
typedef void host_emit_fn(void *context, const uint8_t *frame, size_t length, uint16_t reason);
/* The stack has something to say to its users. They may call it (host_stack, asked anew each time), but no function that runs the host. */
typedef void host_ready_fn(void *context, const struct bk_ready *ready);

struct host;

/* NULL if there is no memory, or the options are wrong (then *why says so). */
struct host *host_new(const struct host_options *options, uint64_t now, host_emit_fn *emit, host_ready_fn *ready,
                      void *context, const char **why);
void host_free(struct host *h);

/* The stack, for user calls and to look at; NULL while the host is down. Valid until the next host_run, host_arrive or host_crash, and, in a
 * host_ready_fn, until it returns. */
bk_stack *host_stack(const struct host *h);
/* A frame arrives; its reason, or BK_REASON_NONE: it waits in the device. While the host is down, or has neither a chunk nor room for it in the
 * device, it is lost (BK_REASON_NO_CHUNK). */
uint16_t host_arrive(struct host *h, const uint8_t *frame, size_t length, uint64_t now);
/* Fires what is due, tells the users (host_ready_fn), lets frames leave; again until nothing is left to do now. */
void host_run(struct host *h, uint64_t now);
/* When to run again; BK_NEVER: only an arrival or a user call makes work. */
uint64_t host_next(const struct host *h);

void host_crash(struct host *h);
void host_return(struct host *h, uint64_t now);
bool host_up(const struct host *h);

/* Ends all faults: nothing is held, refused or late any more. For the end of a run, when everything must come to rest. */
void host_calm(struct host *h);
/* Audits the stack, with what the device holds (audit.h), and that the stack's counters agree with the frames that the device saw. Costs as much
 * as there is in the stack, and a look at each reason: microseconds for a few connections. */
bool host_audit(const struct host *h, struct fault *fault);

/* Events of the trace so far, oldest first, of all of the host's lives; empty unless config.trace_events. The host reads the ring after each
 * step, so none is lost while trace_events is not tiny. Valid until the next call that takes the host. */
const struct bk_event *host_events(const struct host *h, size_t *count);

#endif

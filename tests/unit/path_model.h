/* A path with one bottleneck, and senders that always have data, for closed-loop tests of congestion control.
 *
 * The bottleneck is a queue that forwards at a rate, drops what does not fit, and now and then something by chance. Each segment that comes through
 * is acknowledged a round trip later, by itself. Recovery is as simple as can be: a segment is lost when three that left after it are
 * acknowledged; it is sent again before new data; one episode lasts until what was outstanding at its beginning is acknowledged.
 * Time is the model's; nothing depends on a clock.
 */
#ifndef UNIT_PATH_MODEL_H
#define UNIT_PATH_MODEL_H

#include "sender.h"

#define PATH_FLOWS  2
#define PATH_FLIGHT 65536u

struct path_segment {
    struct rate_mark mark;
    uint64_t sent_at;
    uint64_t ack_at; /* BK_NEVER: dropped */
    bool again;
    uint8_t pad[7];
};

struct path_flow {
    struct sender s;
    struct path_segment *segment; /* by transmission, modulo PATH_FLIGHT */
    uint64_t sent, acked,
        reviewed; /* transmissions: made; the next whose ACK may come; known to be lost or acknowledged */
    uint64_t starts_at;
    uint32_t in_flight, lost; /* bytes; `lost` waits to be sent again */
    bool recovering;
    uint32_t recover;
    uint64_t delivered, dropped; /* bytes */
    double queue_sum;            /* of the RTTs beyond the path's, over the segments delivered, us */
    uint64_t losses;             /* episodes */
};

struct path_model {
    uint64_t now;
    uint64_t rate;     /* bytes a second */
    uint64_t rtt_us;   /* without queue */
    uint64_t buffer;   /* bytes */
    uint32_t loss_ppm; /* by chance */
    uint64_t free_at;  /* the bottleneck has forwarded all that it holds */
    uint64_t random;
    int flows;
    struct path_flow flow[PATH_FLOWS];
};

struct path_model path_up(uint64_t rate, uint64_t rtt_us, uint64_t buffer);
/* Another sender begins now. */
struct path_flow *path_add(struct path_model *m, enum bk_congestion congestion);
void path_down(struct path_model *m);
/* Runs for so long; called back after each ACK if `watch` is given. */
void path_run(struct path_model *m, uint64_t us, void (*watch)(struct path_model *m, struct path_flow *f, void *of),
              void *of);
/* Begins a new measurement: of what is delivered, dropped, and of the queue. */
void path_measure(struct path_model *m);

#endif

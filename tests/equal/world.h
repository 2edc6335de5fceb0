/* A small random world as a value: two stacks, the wire between them and their users, all drawn from one seed.
 *
 * All but the stacks' regions is struct state, which holds no pointer; so a world is copied by copying that and the regions' used extents
 * (world_copy). What a world does next follows from its bytes alone: two copies that are driven by equal code stay equal, and
 * everything that can be seen of a stack from outside on the way (frames, results, events, deadlines) goes into the record.
 *
 * The driver (all that calls bk_ functions) is linked twice into a loadable module, once with the core as it is released and once with the plain
 * one (base/plain.h). Each module exports its driver under one name; both take the same worlds. */
#ifndef EQUAL_WORLD_H
#define EQUAL_WORLD_H

#include "beckon/stack.h"
#include "beckon/trace.h"

#define FRAME_MAX 1600u
#define FLIGHTS   48u
#define MEMORIES  8u
#define CONNS     6u
#define HELD      8u
#define TARGETS   3u

struct flight {
    uint64_t arrives;
    uint32_t to, length; /* length 0: a free place */
    uint8_t bytes[FRAME_MAX];
};

struct user {
    bk_conn conn;
    bool used;
    uint8_t pad[7];
};

struct side {
    bk_addr addr;
    bk_addr source[TARGETS], target[TARGETS]; /* what this side connects from (maybe unspecified), and to */
    struct user user[CONNS];
    bk_listener listener;
    bool listening;
    uint8_t pad[3];
    uint32_t held[HELD], held_count; /* units that the device has not let go of */
    uint64_t region_size;
};

struct state {
    uint64_t seed, now;
    struct side side[2];
    bool ethernet, ipv6, routers;
    bool calm; /* the wire does no harm, there is room, and nobody traces: segments are ordinary ones */
    uint8_t pad[4];
    uint32_t loss_ppm, duplicate_ppm, corrupt_ppm, delay_us, jitter_us;
    uint32_t memory_next;
    struct flight flight[FLIGHTS];
    struct flight memory[MEMORIES]; /* frames that were sent of late: to come again, or changed */
};

enum record_kind {
    RECORD_FRAME,
    RECORD_RESULT,
    RECORD_REASON,
    RECORD_EVENT,
    RECORD_DEADLINE,
    RECORD_STATUS,
    RECORD_KINDS
};

/* What was seen, as entries: a header, then its bytes. */
struct record_entry {
    uint64_t now;
    uint32_t kind, length;
};
struct record {
    uint8_t *bytes;
    size_t length, room;
    uint64_t count[RECORD_KINDS];
};

struct world {
    struct state state;
    uint8_t *region[2]; /* of region_size bytes each */
    struct record record;
};

/* Numbers that a run must have reached to have shown anything. */
struct world_counts {
    uint64_t reason[BK_REASON_COUNT];
    uint64_t bytes_received;
};

struct driver {
    uint64_t (*layout)(void);
    /* A new world; its regions are allocated. */
    void (*make)(struct world *w, uint64_t seed);
    /* Takes copied regions into use. */
    void (*adopt)(struct world *w);
    void (*run)(struct world *w, uint32_t steps);
    size_t (*used)(const struct world *w, unsigned side);
    void (*count)(const struct world *w, struct world_counts *counts);
};

#endif

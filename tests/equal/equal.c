/* Shows that each fast path equals its plain one: equal [--different] FAST PLAIN [FIRST LAST]
 *
 * FAST and PLAIN are two builds of one driver (world.h). For each seed a world runs in legs of drawn length. At the start of a leg it is
 * copied; the one copy goes on under FAST, the other under PLAIN; then all that was seen on the way, and all bytes of both regions and of
 * the users, must be the same. The next leg goes on from either copy, so that each build takes over what the other left.
 *
 * With --different the builds are known to differ, and the test is that this is noticed. Ends with 1 at the first difference, which it
 * describes by its seed and leg; the same seed shows it again. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/draw.h"
#include "world.h"

#define LEGS      40u
#define LEG_STEPS 60u
#define SEEDS     400u
/* Reasons that a whole run gives at least once (there are more than 200): far fewer would be worlds in which little happens. */
#define LEAST_MEANS 140u

static const char *const kind_names[RECORD_KINDS] = {"frame",           "result of a call", "reason",
                                                     "readiness event", "deadline (ns)",    "status"};

_Noreturn void bk_panic(const char *what, const char *file, int line) {
    fprintf(stderr, "%s:%d: should hold: %s\n", file, line, what);
    abort();
}

static const struct driver *load(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const struct driver *driver = library == NULL ? NULL : dlsym(library, "driver");
    if (driver == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(2);
    }
    return driver;
}

/* ---- worlds ---------------------------------------------------------------------------------------- */

static struct world *world_new(void) {
    struct world *w = calloc(1, sizeof *w);
    if (w == NULL) abort();
    return w;
}

static void world_free(struct world *w) {
    for (unsigned side = 0; side < 2; side++) free(w->region[side]);
    free(w->record.bytes);
    free(w);
}

/* Beyond the used extents all is zero, in every copy: memory that nobody has written to yet is the same, too. */
static struct world *world_copy(const struct driver *d, const struct world *w) {
    struct world *copy = world_new();
    copy->state = w->state;
    for (unsigned side = 0; side < 2; side++) {
        size_t size = w->state.side[side].region_size, used = d->used(w, side);
        copy->region[side] = aligned_alloc(4096, size);
        if (copy->region[side] == NULL) abort();
        memcpy(copy->region[side], w->region[side], used);
        memset(copy->region[side] + used, 0, size - used);
    }
    return copy;
}

/* ---- comparing ------------------------------------------------------------------------------------- */

static void print_bytes(const char *name, const uint8_t *bytes, size_t length, size_t from) {
    printf("    %s:", name);
    for (size_t i = from; i < length && i < from + 16; i++) printf(" %02x", bytes[i]);
    printf("\n");
}

static bool bytes_equal(const char *what, const uint8_t *fast, const uint8_t *plain, size_t n) {
    if (memcmp(fast, plain, n) == 0) return true;
    size_t at = 0, differ = 0;
    while (fast[at] == plain[at]) at++;
    for (size_t i = 0; i < n; i++) differ += fast[i] != plain[i];
    printf("%s: %zu bytes differ, the first at %zu\n", what, differ, at);
    print_bytes("fast ", fast, n, at);
    print_bytes("plain", plain, n, at);
    return false;
}

/* Finds the first entry that differs and describes it. */
static bool records_equal(const struct record *fast, const struct record *plain) {
    if (fast->length == plain->length && memcmp(fast->bytes, plain->bytes, fast->length) == 0) return true;
    size_t at = 0;
    for (uint32_t number = 0;; number++) {
        if (at >= fast->length || at >= plain->length) {
            printf("entry %u: one of the builds has no such entry\n", number);
            return false;
        }
        struct record_entry f, p;
        memcpy(&f, fast->bytes + at, sizeof f);
        memcpy(&p, plain->bytes + at, sizeof p);
        if (f.kind != p.kind || f.length != p.length || f.now != p.now) {
            printf("entry %u: fast has a %s of %u bytes at %.6f s, plain a %s of %u bytes at %.6f s\n", number,
                   kind_names[f.kind], f.length, (double)f.now / 1e9, kind_names[p.kind], p.length,
                   (double)p.now / 1e9);
            return false;
        }
        char what[80];
        snprintf(what, sizeof what, "entry %u, a %s at %.6f s", number, kind_names[f.kind], (double)f.now / 1e9);
        at += sizeof f;
        if (!bytes_equal(what, fast->bytes + at, plain->bytes + at, f.length)) return false;
        at += f.length;
    }
}

static bool worlds_equal(const struct driver *d, const struct world *fast, const struct world *plain) {
    if (!records_equal(&fast->record, &plain->record)) return false;
    for (unsigned side = 0; side < 2; side++) {
        char what[40];
        snprintf(what, sizeof what, "region %u", side);
        size_t used = d->used(fast, side);
        if (used != d->used(plain, side)) {
            printf("%s: fast uses %zu bytes, plain %zu\n", what, used, d->used(plain, side));
            return false;
        }
        if (!bytes_equal(what, fast->region[side], plain->region[side], used)) return false;
    }
    return bytes_equal("users and wire", (const uint8_t *)&fast->state, (const uint8_t *)&plain->state,
                       sizeof fast->state);
}

/* ---- a run ----------------------------------------------------------------------------------------- */

struct totals {
    uint64_t legs, entries[RECORD_KINDS], region_bytes;
    struct world_counts counts;
};

/* One leg under both builds; the world that goes on, or NULL if they differ. */
static struct world *leg(const struct driver *fast, const struct driver *plain, struct world *w, uint64_t *draws,
                         struct totals *totals) {
    struct world *copy = world_copy(fast, w);
    uint32_t steps = 1 + draw_below(draws, LEG_STEPS);
    w->record.length = 0;
    memset(w->record.count, 0, sizeof w->record.count);
    fast->adopt(w);
    fast->run(w, steps);
    plain->adopt(copy);
    plain->run(copy, steps);
    bool equal = worlds_equal(fast, w, copy);
    totals->legs++;
    for (unsigned i = 0; i < RECORD_KINDS; i++) totals->entries[i] += w->record.count[i];
    for (unsigned side = 0; side < 2; side++) totals->region_bytes += fast->used(w, side);
    struct world *stays = draw_below(draws, 2) == 0 ? w : copy;
    world_free(stays == w ? copy : w);
    if (equal) return stays;
    world_free(stays);
    return NULL;
}

static bool run_seed(const struct driver *fast, const struct driver *plain, uint64_t seed, struct totals *totals) {
    uint64_t draws = ~seed;
    struct world *w = world_new();
    (seed % 2 == 0 ? fast : plain)->make(w, seed);
    for (uint32_t i = 0; i < LEGS; i++) {
        w = leg(fast, plain, w, &draws, totals);
        if (w == NULL) {
            printf("seed %llu, leg %u: the builds differ\n", (unsigned long long)seed, i);
            return false;
        }
    }
    fast->count(w, &totals->counts);
    world_free(w);
    return true;
}

/* What must have happened, lest the worlds were too quiet to show anything. */
static bool enough_happened(const struct totals *t) {
    static const struct {
        uint16_t reason;
        const char *name;
    } needed[] = {
#define NEEDED(name) {BK_REASON_##name, #name}
        NEEDED(SEND_DATA),
        NEEDED(SEND_RTO),
        NEEDED(SEND_FAST_RETRANSMIT),
        NEEDED(ACCEPT_DATA),
        NEEDED(ACCEPT_DATA_OUT_OF_ORDER),
        NEEDED(SEND_ACK_GAP_FILLED),
        NEEDED(ACCEPT_DATA_OVERLAP),
        NEEDED(SEND_WINDOW_PROBE),
        NEEDED(SEND_SYN_COOKIE),
        NEEDED(SEND_TIME_WAIT_ACK),
        NEEDED(NOTE_BUDGET_FULL),
        NEEDED(NOTE_NO_FRAME),
        NEEDED(ACCEPT_FRAGMENT),
        NEEDED(DROP_TCP_CHECKSUM),
        NEEDED(NO_CHUNK),
#undef NEEDED
    };
    uint32_t seen = 0;
    bool enough = true;
    for (uint32_t i = 1; i < BK_REASON_COUNT; i++) seen += t->counts.reason[i] != 0;
    for (size_t i = 0; i < BK_COUNT(needed); i++) {
        if (t->counts.reason[needed[i].reason] != 0) continue;
        printf("reason %s was never given\n", needed[i].name);
        enough = false;
    }
    printf("note: %llu legs, %llu frames, %llu deadlines, %llu events, %llu other results, %.0f MB of regions: equal; "
           "%u reasons given\n",
           (unsigned long long)t->legs, (unsigned long long)t->entries[RECORD_FRAME],
           (unsigned long long)t->entries[RECORD_DEADLINE], (unsigned long long)t->entries[RECORD_EVENT],
           (unsigned long long)(t->entries[RECORD_RESULT] + t->entries[RECORD_REASON] + t->entries[RECORD_STATUS]),
           (double)t->region_bytes / 1e6, seen);
    return enough && seen >= LEAST_MEANS;
}

int main(int argc, char **argv) {
    bool different = argc > 1 && strcmp(argv[1], "--different") == 0;
    char **argument = argv + 1 + different;
    int count = argc - 1 - different;
    if (count != 2 && count != 4) {
        fprintf(stderr, "usage: equal [--different] FAST PLAIN [FIRST LAST]\n");
        return 2;
    }
    const struct driver *fast = load(argument[0]), *plain = load(argument[1]);
    if (fast->layout() != plain->layout()) {
        printf("the builds have different layouts\n");
        return 1;
    }
    uint64_t first = count == 4 ? strtoull(argument[2], NULL, 10) : 1;
    uint64_t last = count == 4 ? strtoull(argument[3], NULL, 10) : SEEDS;
    struct totals totals = {0};
    for (uint64_t seed = first; seed <= last; seed++) {
        if (run_seed(fast, plain, seed, &totals)) continue;
        if (different) printf("note: the planted difference is found at seed %llu\n", (unsigned long long)seed);
        return different ? 0 : 1;
    }
    if (different) {
        printf("the builds differ, and no seed shows it\n");
        return 1;
    }
    return count == 4 || enough_happened(&totals) ? 0 : 1;
}

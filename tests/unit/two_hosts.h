/* Two hosts, joined by two paths: host 0 opens a connection to host 1 and sends WORLD_BYTES bytes, host 1 reads them and both close. Both are audited after
 * each event. All checks are cmocka's, so a broken step fails the test that made it. */
#ifndef TESTS_TWO_HOSTS_H
#define TESTS_TWO_HOSTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/common.h"
#include "lab/audit.h"
#include "lab/host.h"
#include "lab/path.h"
#include "wire/tcp.h"

#define WORLD_PORT  80u
#define WORLD_BYTES 100000u

struct world {
    struct host *host[2];
    struct path *path[2]; /* to each */
    struct end {
        struct world *w;
        unsigned side;
    } end[2];
    uint64_t now;
    uint64_t frames, resets, no_chunk, events, lost;
    uint64_t digest; /* of all frames, their times and directions */
    uint64_t moved;  /* events after which a stack stood elsewhere */

    /* Side 0 opens and sends; side 1 listens and reads to the end. */
    bk_conn conn[2];
    bool open[2];
    size_t sent, received;
    int error;     /* that side 0 heard */
    bool finished; /* side 1 has seen the end */
};

/* Each kind of fault, now and then. */
extern const struct host_faults world_all_faults;

/* 192.0.2.1 and .2. */
bk_addr world_addr(unsigned side);
/* A host with a few connections and a hundred chunks. */
struct host_options world_options(unsigned side);
/* Both hosts, paths of 20 Mbit/s and 2 ms; host 1 listens, and the SYN of host 0 has left if its device took it. */
void world_begin(struct world *w, const struct host_options o[2], uint32_t loss_ppm);
void world_end(struct world *w);
void world_listen(struct world *w);
void world_audit(const struct world *w);
uint32_t world_in_use(const struct world *w, unsigned side, enum bk_pool pool);
/* One event. False: there is none before `until`. */
bool world_step(struct world *w, uint64_t until);
void world_run(struct world *w, uint64_t ns);
/* Everything arrives within ten minutes, nothing is reset, and with calm devices all comes to rest. */
void world_transfer(struct world *w);

#endif

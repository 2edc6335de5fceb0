/* Many seeds on all cores: see sim.h. Threads take one seed after the other; what they find does not depend on which of them finds it: of
 * the failing seeds the lowest are kept, and no seed is begun that lies above enough of those. */
#define _GNU_SOURCE 1
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/common.h"
#include "lab/sim.h"

#define RANGE_THREADS 256u
#define RANGE_BEAT_MS 100u
#define RANGE_STUCK_S 60 /* small worlds take milliseconds */

/* What a thread is at. */
struct range_seat {
    struct range_job *job;
    uint64_t seed;
    time_t since; /* it runs this seed; 0: none */
};

struct range_job {
    struct sim_range *range;
    pthread_mutex_t lock;
    pthread_cond_t over;
    uint64_t next;
    bool handed_out; /* the last seed is taken */
    uint32_t running;
    struct range_seat seat[RANGE_THREADS];
};

static time_t range_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1;
}

/* Keeps the lowest. */
static void range_note(struct sim_range *r, uint64_t seed, const struct fault *fault) {
    uint32_t at = r->failed_count;
    while (at > 0 && r->failed_seed[at - 1] > seed) at--;
    if (at >= r->failures) return;
    if (r->failed_count < r->failures) r->failed_count++;
    for (uint32_t i = r->failed_count - 1; i > at; i--) {
        r->failed_seed[i] = r->failed_seed[i - 1];
        r->failed[i] = r->failed[i - 1];
    }
    r->failed_seed[at] = seed;
    r->failed[at] = *fault;
}

static void range_sum(struct sim_statistics *sum, const struct sim_statistics *s) {
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)s;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++) to[i] += from[i];
}

/* The next seed; false if there is none left that counts. */
static bool range_take(struct range_job *job, uint64_t *seed) {
    const struct sim_range *r = job->range;
    if (job->handed_out) return false;
    if (r->failed_count == r->failures && job->next > r->failed_seed[r->failed_count - 1]) return false;
    *seed = job->next++;
    job->handed_out = *seed == r->last;
    return true;
}

static void *range_thread(void *argument) {
    struct range_seat *seat = argument;
    struct range_job *job = seat->job;
    struct sim_range *r = job->range;
    struct scenario *s = malloc(sizeof *s);
    struct sim_result result;
    uint64_t seed;
    pthread_mutex_lock(&job->lock);
    while (s != NULL && range_take(job, &seed)) {
        seat->seed = seed;
        seat->since = range_now();
        pthread_mutex_unlock(&job->lock);
        scenario_draw(s, seed);
        sim_check(s, &result);
        pthread_mutex_lock(&job->lock);
        seat->since = 0;
        r->done++;
        range_sum(&r->sum, &result.statistics);
        if (result.fault.found) range_note(r, seed, &result.fault);
    }
    if (s == NULL) job->handed_out = true;
    job->running--;
    pthread_cond_signal(&job->over);
    pthread_mutex_unlock(&job->lock);
    free(s);
    return NULL;
}

/* Tells of seeds that do not end. */
static void range_stuck(const struct range_job *job) {
    const struct sim_range *r = job->range;
    time_t now = range_now();
    for (uint32_t i = 0; i < RANGE_THREADS && r->stuck != NULL; i++)
        if (job->seat[i].since != 0 && now - job->seat[i].since > RANGE_STUCK_S)
            r->stuck(r->context, job->seat[i].seed);
}

/* Waits for the threads, and tells how far they are. */
static void range_wait(struct range_job *job) {
    struct sim_range *r = job->range;
    pthread_mutex_lock(&job->lock);
    while (job->running > 0) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += RANGE_BEAT_MS * 1000000L;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000L;
        }
        pthread_cond_timedwait(&job->over, &job->lock, &until);
        range_stuck(job);
        if (r->progress == NULL) continue;
        struct sim_range now = *r;
        pthread_mutex_unlock(&job->lock);
        r->progress(r->context, &now);
        pthread_mutex_lock(&job->lock);
    }
    pthread_mutex_unlock(&job->lock);
}

bool sim_range_run(struct sim_range *r) {
    struct range_job job = {.range = r, .next = r->first};
    pthread_t thread[RANGE_THREADS];
    uint32_t wanted = r->threads, made = 0;
    if (wanted == 0) wanted = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
    wanted = u32_min(u32_max(wanted, 1), RANGE_THREADS);
    r->failures = u32_min(u32_max(r->failures, 1), SIM_FAILURES);
    pthread_mutex_init(&job.lock, NULL);
    pthread_cond_init(&job.over, NULL);
    pthread_mutex_lock(&job.lock);
    for (; made < wanted; made++) {
        job.seat[made].job = &job;
        if (pthread_create(&thread[made], NULL, range_thread, &job.seat[made]) != 0) break;
    }
    job.running = made;
    pthread_mutex_unlock(&job.lock);
    range_wait(&job);
    for (uint32_t i = 0; i < made; i++) pthread_join(thread[i], NULL);
    pthread_cond_destroy(&job.over);
    pthread_mutex_destroy(&job.lock);
    return made > 0 && (r->done == r->last - r->first + 1 || r->failed_count > 0);
}

/* The workload `cores`: connections, as in `connections`, by one thread with two stacks of its own, by two threads at the same time, and by two
 * processes that know nothing of each other.
 *
 * The stacks of the threads are of a group, as those that share a device are: each opens connections from ports that come back to it.
 * The two processes are the ceiling, since what they have in common is the machine alone: where they reach less than twice one, so does
 * everything. Workers are kept on processors of their own, begin together, when all have warmed up, and whoever is ready goes on beside the
 * others until all are, so that each is measured beside a busy neighbour.
 *
 * What counts is each worker's processor time, so that others on the machine count as little as they can; nobody sleeps. The rate by the
 * clock is told besides, and is the same where the machine is quiet.
 */
#define _GNU_SOURCE 1
#include "connections.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/common.h"
#include "cmd/cmd.h"

#define CORES_WORKERS 2u
#define CORES_BATCH   64u /* connections between two looks whether the others are ready */

struct cores_parameters {
    struct connections_parameters connections;
    uint32_t workers;
    bool processes; /* or threads */
};

/* What the workers of a run tell each other: in memory that processes share, too. */
struct cores_shared {
    _Atomic uint32_t warm, ready, failed;
    struct cores_result {
        double seconds; /* of the processor */
        double begin, end;
        char why[BENCH_WHY];
    } result[CORES_WORKERS];
};

struct cores_worker {
    const struct cores_parameters *parameters;
    struct cores_shared *shared;
    struct bench_run run;
    uint32_t index;
    int processor;
    pthread_t thread;
    pid_t pid;
};

static double cores_clock(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- a worker -------------------------------------------------------------------------------------- */

/* Waits until all are as far. False: one has failed. */
static bool cores_meet(struct cores_worker *w, _Atomic uint32_t *count) {
    atomic_fetch_add(count, 1);
    while (atomic_load(count) < w->parameters->workers)
        if (atomic_load(&w->shared->failed) != 0 || sched_yield() != 0) return false;
    return true;
}

static int cores_measure(struct cores_worker *w, struct connections *s) {
    struct cores_result *result = &w->shared->result[w->index];
    uint64_t count = s->parameters->count / (w->run.quick || w->run.verify ? 64 : 1);
    if (connections_warm(s) < 0) return -1;
    if (!cores_meet(w, &w->shared->warm)) return 0;
    result->begin = cores_clock(CLOCK_MONOTONIC);
    result->seconds = -cores_clock(CLOCK_THREAD_CPUTIME_ID);
    if (connections_pass(s, count, false) < 0) return -1;
    result->seconds += cores_clock(CLOCK_THREAD_CPUTIME_ID);
    result->end = cores_clock(CLOCK_MONOTONIC);
    atomic_fetch_add(&w->shared->ready, 1);
    while (atomic_load(&w->shared->ready) < w->parameters->workers && atomic_load(&w->shared->failed) == 0)
        if (connections_pass(s, CORES_BATCH, false) < 0) return -1;
    return w->run.verify ? connections_check(s) : 0;
}

static void cores_work(struct cores_worker *w) {
    const struct cores_parameters *p = w->parameters;
    struct bk_steering steering = {.stacks = p->workers, .index = w->index};
    for (uint32_t i = 0; i < BK_STEER_KEY; i++)
        steering.key[i] = (uint8_t)(i * 89 + 17); /* as good as any, and always the same */
    struct connections s;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(w->processor, &one);
    int r = sched_setaffinity(0, sizeof one, &one);
    if (r < 0) bench_fail(&w->run, "cannot stay on processor %d: %s", w->processor, strerror(errno));
    if (r == 0) {
        r = connections_open(&s, &p->connections, p->workers > 1 && !p->processes ? &steering : NULL, &w->run);
        if (r == 0) r = cores_measure(w, &s);
        connections_close(&s);
    }
    if (r == 0) return;
    memcpy(w->shared->result[w->index].why, w->run.why, BENCH_WHY);
    atomic_store(&w->shared->failed, w->index + 1);
}

static void *cores_thread(void *worker) {
    cores_work(worker);
    return NULL;
}

/* ---- a run ----------------------------------------------------------------------------------------- */

static int cores_start(struct cores_worker *w) {
    if (!w->parameters->processes) return -pthread_create(&w->thread, NULL, cores_thread, w);
    w->pid = fork();
    if (w->pid != 0) return w->pid < 0 ? -errno : 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    cores_work(w);
    _exit(0);
}

static void cores_end(struct cores_worker *w) {
    int status = 0;
    if (!w->parameters->processes)
        pthread_join(w->thread, NULL);
    else if (waitpid(w->pid, &status, 0) < 0 || status != 0)
        atomic_store(&w->shared->failed, w->index + 1);
}

static void cores_rates(const struct cores_shared *shared, uint32_t workers, uint64_t count, double *values) {
    double begin = shared->result[0].begin, end = shared->result[0].end, seconds = 0;
    values[0] = 0;
    for (uint32_t i = 0; i < workers; i++) {
        const struct cores_result *r = &shared->result[i];
        values[0] += (double)count / r->seconds;
        seconds += r->seconds;
        if (r->begin < begin) begin = r->begin;
        if (r->end > end) end = r->end;
    }
    values[1] = seconds * 1e9 / (double)(count * workers);
    values[2] = (double)(count * workers) / (end - begin);
}

static int cores_run_shared(const struct cores_parameters *p, struct cores_shared *shared, struct bench_run *run,
                            double *values) {
    struct cores_worker worker[CORES_WORKERS];
    uint32_t started = 0;
    int r = 0;
    for (uint32_t i = 0; i < p->workers && r == 0; i++) {
        worker[i] = (struct cores_worker){
            .parameters = p, .shared = shared, .run = *run, .index = i, .processor = cmd_processor(i)};
        r = cores_start(&worker[i]);
        if (r == 0) started++;
    }
    if (r < 0) atomic_store(&shared->failed, started + 1); /* those that wait for it go home */
    for (uint32_t i = 0; i < started; i++) cores_end(&worker[i]);
    if (r < 0) return bench_fail(run, "cannot start a worker: %s", strerror(-r));
    uint32_t failed = atomic_load(&shared->failed);
    if (failed != 0) return bench_fail(run, "worker %u: %s", failed - 1, shared->result[failed - 1].why);
    cores_rates(shared, p->workers, p->connections.count / (run->quick || run->verify ? 64 : 1), values);
    return 0;
}

static int cores_run(const struct bench_case *c, struct bench_run *run, double *values) {
    struct cores_shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) return bench_fail(run, "mmap: %s", strerror(errno));
    int r = cores_run_shared(c->parameters, shared, run, values);
    munmap(shared, sizeof *shared);
    return r;
}

static int cores_available(struct bench_run *run) {
    uint32_t n = cmd_processors();
    return n >= CORES_WORKERS ? 0 : bench_fail(run, "it needs %u processors, and may use %u", CORES_WORKERS, n);
}

static const struct bench_metric cores_metrics[] = {
    {"connections", "/s in all", 0},
    {"time per connection", "ns of a processor", 0},
    {"connections by the clock", "/s in all", 0},
};

#define CORES_COUNT UINT64_C(400000)
#define CORES_CASE(n, how_many, apart)                                                                                 \
    .parameters = &(const struct cores_parameters) {                                                                   \
        .connections = {.at_once = n, .time_waits = 1024, .count = CORES_COUNT}, .workers = how_many,                  \
        .processes = apart                                                                                             \
    }
#define CORES_TARGET(other) .peer = other, .target = {{BENCH_RATIO, 1.8, false}}, .targets = 1

static const struct bench_case cores_cases[] = {
    {.name = "one", .about = "one thread, one connection after the other", CORES_CASE(1, 1, false)},
    {.name = "threads", .about = "two threads", CORES_CASE(1, CORES_WORKERS, false), CORES_TARGET("one")},
    {.name = "processes", .about = "two processes", CORES_CASE(1, CORES_WORKERS, true), .peer = "one"},
    {.name = "one-64", .about = "one thread, 64 connections at once", CORES_CASE(64, 1, false)},
    {.name = "threads-64", .about = "two threads", CORES_CASE(64, CORES_WORKERS, false), CORES_TARGET("one-64")},
    {.name = "processes-64", .about = "two processes", CORES_CASE(64, CORES_WORKERS, true), .peer = "one-64"},
};

const struct bench_workload bench_cores = {
    .name = "cores",
    .about = "connections on two processors at once, stacks of one process and of two, beside one",
    .metrics = cores_metrics,
    .metric_count = BK_COUNT(cores_metrics),
    .cases = cores_cases,
    .case_count = BK_COUNT(cores_cases),
    .available = cores_available,
    .run = cores_run,
};

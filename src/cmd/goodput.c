/* `beckon goodput`: what the stack gets out of links, in virtual time; the golden table of tests/golden/goodput.txt. See docs/goodput.md. */
#define _GNU_SOURCE 1
#include "cmd/goodput.h"

#include <argp.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/common.h"
#include "cmd/cmd.h"

#define GOODPUT_THREADS 64u

struct goodput_arguments {
    bool json, progress;
    uint32_t groups; /* a bit for each; 0: all */
    uint32_t threads;
    const char *compare;
};

/* ---- measuring ------------------------------------------------------------------------------------- */

struct goodput_job {
    pthread_mutex_t lock;
    struct goodput_cell *cells;
    uint32_t count, next;
    bool progress;
    const char *why;
};

/* Cells are taken from the last one on: those that take longest stand there. */
static void *goodput_thread(void *argument) {
    struct goodput_job *job = argument;
    pthread_mutex_lock(&job->lock);
    while (job->next > 0 && job->why == NULL) {
        struct goodput_cell *c = &job->cells[--job->next];
        if (job->progress) fprintf(stderr, "\r%u of %u cells left\033[K", (unsigned)job->next, (unsigned)job->count);
        pthread_mutex_unlock(&job->lock);
        const char *why = goodput_measure(c);
        goodput_limit(c);
        pthread_mutex_lock(&job->lock);
        if (why != NULL) job->why = why;
    }
    pthread_mutex_unlock(&job->lock);
    return NULL;
}

static const char *goodput_run(const struct goodput_arguments *a, struct goodput_cell *cells, uint32_t count) {
    struct goodput_job job = {.cells = cells, .count = count, .next = count, .progress = a->progress};
    pthread_t thread[GOODPUT_THREADS];
    uint32_t wanted = a->threads != 0 ? a->threads : (uint32_t)sysconf(_SC_NPROCESSORS_ONLN), made = 0;
    pthread_mutex_init(&job.lock, NULL);
    for (wanted = u32_min(wanted, GOODPUT_THREADS); made < wanted; made++)
        if (pthread_create(&thread[made], NULL, goodput_thread, &job) != 0) break;
    for (uint32_t i = 0; i < made; i++) pthread_join(thread[i], NULL);
    pthread_mutex_destroy(&job.lock);
    if (a->progress) fputs("\r\033[K", stderr);
    return made == 0 ? "the machine has no room for a thread" : job.why;
}

/* ---- judging --------------------------------------------------------------------------------------- */

/* Tells which cells do not keep their limits. Returns how many. */
static uint32_t goodput_judge(const struct goodput_cell *cells, uint32_t count) {
    uint32_t bad = 0;
    for (uint32_t i = 0; i < count; i++) {
        char name[120];
        if (goodput_keeps(&cells[i])) continue;
        goodput_name(&cells[i], name, sizeof name);
        fflush(stdout);
        fprintf(stderr, "%s: %.3f, and the limit is %.3f%s%s\n", name, goodput_value(&cells[i]), cells[i].limit,
                cells[i].why != NULL ? ": " : "", cells[i].why != NULL ? cells[i].why : "");
        bad++;
    }
    return bad;
}

/* Tells the lines in which the table differs from the file, and returns how many; -1 if there is no such file. */
static int goodput_differ(const char *path, char *table) {
    char line[256], *now = table;
    int different = 0;
    FILE *f = fopen(path, "r");
    if (f == NULL) return -1;
    for (bool more = true; more;) {
        bool was = fgets(line, sizeof line, f) != NULL, is = now != NULL && *now != '\0';
        char *end = is ? strchr(now, '\n') : NULL;
        size_t length = is ? (size_t)(end - now) + 1 : 0;
        more = was || is;
        if (!was || !is || strlen(line) != length || memcmp(line, now, length) != 0) {
            if (was) printf("-%s", line);
            if (is) printf("+%.*s", (int)length, now);
            different += more;
        }
        now = is ? end + 1 : NULL;
    }
    fclose(f);
    return different;
}

static int goodput_compare(const char *path, const struct goodput_cell *cells, uint32_t count) {
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (f == NULL) return CMD_USAGE;
    goodput_tell(cells, count, f);
    fclose(f);
    int different = goodput_differ(path, text);
    int error = errno;
    free(text);
    if (different < 0) {
        cmd_error("cannot read %s: %s", path, strerror(error));
        return CMD_USAGE;
    }
    if (different > 0)
        cmd_error("%d lines differ from %s; if that is meant, make it anew: beckon goodput > %s", different, path,
                  path);
    return different > 0 ? CMD_FAILED : CMD_WORKED;
}

static int goodput_all(const struct goodput_arguments *a) {
    struct goodput_cell *cells = calloc(GOODPUT_CELLS, sizeof *cells);
    if (cells == NULL) {
        cmd_error("no memory");
        return CMD_USAGE;
    }
    uint32_t count = goodput_cells(cells, a->groups != 0 ? a->groups : (1u << GOODPUT_GROUPS) - 1);
    const char *why = goodput_run(a, cells, count);
    int status = CMD_WORKED;
    if (why != NULL)
        cmd_error("%s", why);
    else if (a->compare != NULL)
        status = goodput_compare(a->compare, cells, count);
    else if (a->json)
        goodput_tell_json(cells, count, stdout);
    else
        goodput_tell(cells, count, stdout);
    if (why == NULL && goodput_judge(cells, count) > 0) status = CMD_FAILED;
    free(cells);
    return why != NULL ? CMD_USAGE : status;
}

/* ---- the command line ------------------------------------------------------------------------------ */

enum { GOODPUT_JSON = 0x100, GOODPUT_COMPARE, GOODPUT_PROGRESS };

static const struct argp_option goodput_argp_options[] = {
    {"json", GOODPUT_JSON, NULL, 0, "Print JSON, one object a cell", 0},
    {"compare", GOODPUT_COMPARE, "FILE", 0, "Print only the lines that differ from this table; exit with 1 if one does",
     0},
    {"threads", 't', "N", 0, "Threads (as many as there are processors)", 0},
    {"progress", GOODPUT_PROGRESS, NULL, 0, "Say on standard error how far it is", 0},
    {0},
};

static error_t goodput_option(int key, char *arg, struct argp_state *state) {
    struct goodput_arguments *a = state->input;
    uint64_t n;
    switch (key) {
    case GOODPUT_JSON:
        a->json = true;
        return 0;
    case GOODPUT_COMPARE:
        a->compare = arg;
        return 0;
    case GOODPUT_PROGRESS:
        a->progress = true;
        return 0;
    case 't':
        if (!cmd_number(arg, 1, GOODPUT_THREADS, &n)) argp_error(state, "--threads is 1 to %u", GOODPUT_THREADS);
        a->threads = (uint32_t)n;
        return 0;
    case ARGP_KEY_ARG:
        for (uint32_t g = 0; g < GOODPUT_GROUPS; g++)
            if (strcmp(arg, goodput_group_names[g]) == 0) {
                a->groups |= 1u << g;
                return 0;
            }
        argp_error(state, "there is no group '%s': goodput, fairness, queue, recovery", arg);
        return 0;
    case ARGP_KEY_END:
        if (a->compare != NULL && (a->groups != 0 || a->json)) argp_error(state, "--compare is about the whole table");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_goodput(int argc, char **argv) {
    static const struct argp argp = {
        .options = goodput_argp_options,
        .parser = goodput_option,
        .args_doc = "[goodput] [fairness] [queue] [recovery]",
        .doc = "Measure what the stack gets out of links with delay, loss and queues, in virtual time, beside what "
               "theory says.\v"
               "Without a name all groups are measured. Cells that do not keep their limits are marked with `!' and "
               "told. Exit status: 0 worked, "
               "1 a limit is not kept (or --compare found a difference), 2 usage or environment.",
    };
    struct goodput_arguments a = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    return goodput_all(&a);
}

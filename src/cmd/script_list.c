/* Lists of scripts and families: those that are expected to fail, with the reason,
 *
 *     linux/tcp_inq_server.pkt: 4 6 m: asks for ...
 *
 * and those to report against, in the same form without a reason. Families go by their letters. A name stands for any path that ends with it. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/common.h"
#include "cmd/cmd.h"
#include "cmd/script.h"

struct script_entry {
    char *name, *reason;
    bool family[SCRIPT_FAMILIES];
    bool met[SCRIPT_FAMILIES]; /* a result was found for it */
};

struct script_list {
    struct script_entry *entry;
    size_t count;
};

/* ---- reading --------------------------------------------------------------------------------------- */

static bool script_entry_read(struct script_entry *e, char *line) {
    char *families = strstr(line, ": ");
    if (families == NULL) return false;
    *families = '\0';
    families += 2;
    char *reason = strchr(families, ':');
    if (reason != NULL) *reason++ = '\0';
    for (const char *c = families; *c != '\0'; c++) {
        bool known = *c == ' ' || *c == '\n';
        for (size_t k = 0; k < SCRIPT_FAMILIES; k++)
            if (*c == script_families[k].letter) known = e->family[k] = true;
        if (!known) return false;
    }
    if (reason != NULL) reason += strspn(reason, " ");
    e->name = strdup(line);
    e->reason = strdup(reason != NULL ? reason : "");
    if (e->name == NULL || e->reason == NULL) abort();
    e->reason[strcspn(e->reason, "\n")] = '\0';
    return true;
}

static void script_list_free(struct script_list *l) {
    for (size_t i = 0; i < l->count; i++) {
        free(l->entry[i].name);
        free(l->entry[i].reason);
    }
    free(l->entry);
}

static int script_list_read(struct script_list *l, const char *path) {
    char *line = NULL;
    size_t room = 0;
    int number = 0, error = 0;
    FILE *f = fopen(path, "r");
    if (f == NULL) return -errno;
    while (error == 0 && getline(&line, &room, f) >= 0) {
        struct script_entry e = {0};
        number++;
        if (line[0] == '#' || line[0] == '\n') continue;
        if (script_entry_read(&e, line)) {
            l->entry = realloc(l->entry, (l->count + 1) * sizeof *l->entry);
            if (l->entry == NULL) abort();
            l->entry[l->count++] = e;
        } else {
            cmd_error("%s:%d: expected NAME: FAMILIES, or NAME: FAMILIES: REASON, with families of 4, 6 and m", path,
                      number);
            error = -EINVAL;
        }
    }
    free(line);
    fclose(f);
    return error;
}

static bool script_ends_with(const char *path, const char *name) {
    size_t n = strlen(path), m = strlen(name);
    return n >= m && strcmp(path + n - m, name) == 0 && (n == m || path[n - m - 1] == '/');
}

static struct script_entry *script_list_find(const struct script_list *l, const struct script_job *j) {
    for (size_t i = 0; i < l->count; i++)
        if (script_ends_with(j->path, l->entry[i].name)) return &l->entry[i];
    return NULL;
}

/* ---- expected failures ----------------------------------------------------------------------------- */

/* One pair against the list. Returns whether the list is right about it. */
static bool script_as_expected(const struct script_pair *p, struct script_entry *e, size_t k) {
    bool listed = e != NULL && e->family[k];
    if (listed) e->met[k] = true;
    if (listed && p->verdict.result == SCRIPT_PASSED) {
        printf("%s %s passes, but is listed as a failure\n", p->job->name, p->family->name);
        return false;
    }
    if (listed && p->verdict.result == SCRIPT_SKIPPED) {
        printf("%s %s is skipped, but is listed as a failure\n", p->job->name, p->family->name);
        return false;
    }
    if (!listed && p->verdict.result == SCRIPT_FAILED) {
        printf("%s %s fails, and is not listed: line %" PRIu32 ": %s\n", p->job->name, p->family->name, p->verdict.line,
               p->verdict.reason);
        return false;
    }
    return true;
}

int script_compare(const struct script_command *c) {
    struct script_list l = {0};
    int wrong = 0, error = script_list_read(&l, c->expected);
    for (size_t i = 0; i < c->job_count && error == 0; i++) {
        struct script_entry *e = script_list_find(&l, &c->job[i]);
        for (size_t k = 0; k < SCRIPT_FAMILIES; k++)
            if (c->family[k] && !script_as_expected(&c->job[i].pair[k], e, k)) wrong++;
    }
    for (size_t i = 0; i < l.count && error == 0; i++)
        for (size_t k = 0; k < SCRIPT_FAMILIES; k++) {
            if (!c->family[k] || !l.entry[i].family[k] || l.entry[i].met[k]) continue;
            printf("%s %s is listed as a failure, but there is no such script\n", l.entry[i].name,
                   script_families[k].name);
            wrong++;
        }
    script_list_free(&l);
    return error != 0 ? error : wrong;
}

int script_write_expected(const struct script_command *c) {
    struct script_list l = {0};
    int error = script_list_read(&l, c->write_expected);
    if (error != 0 && error != -ENOENT) return error;
    FILE *f = fopen(c->write_expected, "w");
    if (f == NULL) {
        script_list_free(&l);
        return -errno;
    }
    fputs("# Scripts that fail, the families in which they do, and why. `beckon script --expected` holds this list to "
          "be\n"
          "# exact; `beckon script --write-expected` writes it anew and keeps the reasons.\n",
          f);
    for (size_t i = 0; i < c->job_count; i++) {
        const struct script_entry *e = script_list_find(&l, &c->job[i]);
        bool any = false;
        for (size_t k = 0; k < SCRIPT_FAMILIES; k++) {
            if (!c->family[k] || c->job[i].pair[k].verdict.result != SCRIPT_FAILED) continue;
            if (!any) fprintf(f, "%s:", c->job[i].name);
            fprintf(f, " %c", script_families[k].letter);
            any = true;
        }
        if (any) fprintf(f, ": %s\n", e != NULL && e->reason[0] != '\0' ? e->reason : "not yet");
    }
    script_list_free(&l);
    return fclose(f) == 0 ? 0 : -errno;
}

/* ---- how many of a list pass ----------------------------------------------------------------------- */

static const struct script_group {
    const char *words, *folder;
    const char *without;    /* no script whose path contains this */
    bool without_fast_open; /* none that asks for Fast Open, be it in its path or in its text */
} script_groups[] = {
    {"linux/ without AccECN and Fast Open", "linux/", "accecn", true},
    {"google/ without Fast Open", "google/", NULL, true},
    {"all", "", NULL, false},
};

static const struct script_job *script_job_of(const struct script_command *c, const struct script_entry *e) {
    for (size_t i = 0; i < c->job_count; i++)
        if (script_ends_with(c->job[i].path, e->name)) return &c->job[i];
    return NULL;
}

/* `j` is NULL where the list names a script that does not run here. */
static bool script_in_group(const struct script_group *g, const char *name, const struct script_job *j) {
    if (strncmp(name, g->folder, strlen(g->folder)) != 0) return false;
    if (g->without != NULL && strstr(name, g->without) != NULL) return false;
    return !g->without_fast_open || (strstr(name, "fastopen") == NULL && (j == NULL || !j->fast_open));
}

int script_report(const struct script_command *c, FILE *out) {
    struct script_list l = {0};
    int error = script_list_read(&l, c->against);
    for (size_t g = 0; g < BK_COUNT(script_groups) && error == 0; g++) {
        uint32_t pairs = 0, pass = 0;
        for (size_t i = 0; i < l.count; i++) {
            const struct script_job *j = script_job_of(c, &l.entry[i]);
            if (!script_in_group(&script_groups[g], l.entry[i].name, j)) continue;
            for (size_t k = 0; k < SCRIPT_FAMILIES; k++) {
                pairs += l.entry[i].family[k];
                pass += l.entry[i].family[k] && j != NULL && c->family[k] && j->pair[k].verdict.result == SCRIPT_PASSED;
            }
        }
        if (pairs > 0)
            fprintf(out, "%5.1f %%  %" PRIu32 " of %" PRIu32 " pairs: %s\n", 100.0 * pass / pairs, pass, pairs,
                    script_groups[g].words);
    }
    script_list_free(&l);
    return error;
}

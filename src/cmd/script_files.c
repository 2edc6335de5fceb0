/* Which scripts there are. */
#define _GNU_SOURCE 1
#include "cmd/script.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/common.h"
#include "cmd/cmd.h"

static void *script_must(void *p) {
    if (p == NULL) abort();
    return p;
}

static const char *script_name_of(const struct script_command *c, const char *path) {
    size_t n = c->root != NULL ? strlen(c->root) : 0;
    while (n > 0 && c->root[n - 1] == '/') n--;
    return n > 0 && strncmp(path, c->root, n) == 0 && path[n] == '/' ? path + n + 1 : path;
}

static void script_add(struct script_command *c, const char *path) {
    c->job = script_must(realloc(c->job, (c->job_count + 1) * sizeof *c->job));
    struct script_job *j = &c->job[c->job_count++];
    memset(j, 0, sizeof *j);
    j->path = script_must(strdup(path));
    j->name = script_must(strdup(script_name_of(c, path)));
}

static bool script_is_script(const char *name) {
    size_t n = strlen(name);
    return n > 4 && strcmp(name + n - 4, ".pkt") == 0;
}

static bool script_walk(struct script_command *c, const char *path, bool named) {
    struct stat st;
    struct dirent **entry;
    if (stat(path, &st) != 0) {
        cmd_error("cannot read %s: %s", path, strerror(errno));
        return false;
    }
    if (!S_ISDIR(st.st_mode)) {
        if (named || script_is_script(path)) script_add(c, path);
        return true;
    }
    int n = scandir(path, &entry, NULL, alphasort);
    bool good = n >= 0;
    if (!good) cmd_error("cannot read %s: %s", path, strerror(errno));
    for (int i = 0; i < n; i++) {
        char *below = NULL;
        if (entry[i]->d_name[0] != '.' && asprintf(&below, "%s/%s", path, entry[i]->d_name) >= 0)
            good = script_walk(c, below, false) && good;
        free(below);
        free(entry[i]);
    }
    if (n >= 0) free(entry);
    return good;
}

bool script_find(struct script_command *c) {
    for (size_t i = 0; i < c->path_count; i++) {
        char *path = script_must(strdup(c->path[i]));
        for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--) path[n - 1] = '\0';
        bool good = script_walk(c, path, true);
        free(path);
        if (!good) return false;
    }
    for (size_t i = 0; i < c->job_count; i++)
        for (size_t k = 0; k < SCRIPT_FAMILIES; k++)
            c->job[i].pair[k] =
                (struct script_pair){.job = &c->job[i], .family = &script_families[k], .chosen = c->family[k]};
    return true;
}

void script_forget(struct script_command *c) {
    for (size_t i = 0; i < c->job_count; i++) {
        for (size_t k = 0; k < SCRIPT_FAMILIES; k++) bk_text_free(&c->job[i].pair[k].verdict.detail);
        free(c->job[i].path);
        free(c->job[i].name);
    }
    free(c->job);
}

char *script_load(const char *path, size_t *length) {
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    size_t room = 0, n = 1;
    *length = 0;
    if (f == NULL) return NULL;
    while (n > 0) {
        room = 2 * room + 8192;
        text = script_must(realloc(text, room + 1));
        n = fread(text + *length, 1, room - *length, f);
        *length += n;
    }
    text[*length] = '\0';
    bool good = !ferror(f);
    fclose(f);
    if (good) return text;
    free(text);
    return NULL;
}

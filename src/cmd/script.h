/* What the files of `beckon script` share: the command line, the scripts with their results, and lists of what fails or passes. */
#ifndef CMD_SCRIPT_H
#define CMD_SCRIPT_H

#include <stdio.h>

#include "lab/script_run.h"

#define SCRIPT_DEFINES 32u

/* A script in one family. */
struct script_pair {
    const struct script_job *job;
    const struct script_family *family;
    struct script_verdict verdict;
    bool chosen; /* the command line asks for this family */
};

struct script_job {
    char *path;     /* to open it */
    char *name;     /* to say which: the path without --root */
    bool fast_open; /* its text has a call that asks for Fast Open */
    struct script_pair pair[SCRIPT_FAMILIES];
};

struct script_command {
    bool family[SCRIPT_FAMILIES];
    struct script_define define[SCRIPT_DEFINES];
    size_t define_count;
    uint64_t tolerance; /* ns; 0: default */
    const char *root, *pcap, *expected, *write_expected, *against, *python;
    bool check, ladder, verbose, json, settings;
    uint32_t threads;
    char **path;
    size_t path_count;
    struct script_job *job;
    size_t job_count;
    size_t passed, failed, skipped;
};

/* ---- script_files.c ---- */

/* Finds the scripts that the command line names: files, and *.pkt below folders, in order of their names. False: one cannot be read (and that was
 * said). */
bool script_find(struct script_command *c);
void script_forget(struct script_command *c);
/* The whole file, to be freed; NULL: it cannot be read. */
char *script_load(const char *path, size_t *length);

/* ---- script_list.c ---- */

/* Compares the failures with the list of expected ones. Returns how many entries are wrong, in either direction; or a negative errno. */
int script_compare(const struct script_command *c);
/* Writes that list anew; reasons of those that were in it are kept. Returns 0 or a negative errno. */
int script_write_expected(const struct script_command *c);
/* Says how many of the pairs in a list pass, all of them and in groups. Returns 0 or a negative errno. */
int script_report(const struct script_command *c, FILE *out);

/* ---- script_tell.c ---- */

void script_tell_pair(const struct script_command *c, const struct script_pair *p);
void script_tell_end(const struct script_command *c);

#endif

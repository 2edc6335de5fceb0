/* Runs a script: a stack on a layer-3 interface whose other end is the script, sockets over it (beckon/socket.h), and a clock that stands still
 * until something is due. No root, no device, no sleep; a run ends in the time that it takes to compute. An assertion of the stack is a failure of the script, if the
 * program hands it to script_panic.
 */
#ifndef LAB_SCRIPT_RUN_H
#define LAB_SCRIPT_RUN_H

#include "beckon/render.h"
#include "beckon/stack.h"
#include "lab/script_ast.h"

/* ---- families -------------------------------------------------------------------------------------- */

#define SCRIPT_FAMILIES 3u

struct script_family {
    const char *name;
    char letter; /* in lists of what passes: 4, 6, m */
    int domain;  /* of sockets */
    const char *local, *gateway;
    uint8_t prefix_length;
    const char *remote;
    uint32_t mtu;
    const struct script_define *defines;
    size_t define_count;
};
extern const struct script_family script_families[SCRIPT_FAMILIES];
/* NULL: there is none of that name. */
const struct script_family *script_family_find(const char *name);

/* ---- a run ----------------------------------------------------------------------------------------- */

struct script_python; /* script_python.h */

struct script_config {
    const struct script_family *family;
    const struct script_define *defines; /* besides the family's */
    size_t define_count;
    uint64_t tolerance; /* ns, unless the script says otherwise; 0: 4 ms */
    struct script_python *python;
    bool ladder;      /* a failure is drawn, too */
    const char *pcap; /* a capture is written there; NULL: none */
};

enum script_result { SCRIPT_PASSED, SCRIPT_FAILED, SCRIPT_SKIPPED };

struct script_verdict {
    enum script_result result;
    uint32_t line, column; /* of what failed; column 0: the whole event */
    char reason[240];      /* in one line */
    struct bk_text detail; /* more lines: what was expected, and what was there; the caller frees it */
};

/* Runs a script. `path` is for messages. */
void script_run(const char *path, const char *text, size_t length, const struct script_config *config,
                struct script_verdict *verdict);

/* For bk_panic: ends the run of this thread with a failure. Returns only if there is none. */
void script_panic(const char *what, const char *file, int line);

/* Only reads it. */
void script_check(const char *path, const char *text, size_t length, const struct script_config *config,
                  struct script_verdict *verdict);

#endif

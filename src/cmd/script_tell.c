/* What `beckon script` says of each script, as text or as JSON, one object a line. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "base/common.h"
#include "cmd/script.h"

static const char *const script_result_words[] = {"passed", "failed", "skipped"};

static void script_tell_json(const struct script_pair *p) {
    const struct script_verdict *v = &p->verdict;
    json_t *o = json_pack("{s:s, s:s, s:s}", "script", p->job->name, "family", p->family->name, "result",
                          script_result_words[v->result]);
    if (o == NULL) return;
    if (v->result != SCRIPT_PASSED) json_object_set_new(o, "reason", json_string(v->reason));
    if (v->result == SCRIPT_FAILED) json_object_set_new(o, "line", json_integer(v->line));
    if (v->result == SCRIPT_FAILED && v->column > 0) json_object_set_new(o, "column", json_integer(v->column));
    json_dumpf(o, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(o);
}

void script_tell_pair(const struct script_command *c, const struct script_pair *p) {
    const struct script_verdict *v = &p->verdict;
    if (c->json) {
        script_tell_json(p);
        return;
    }
    if (v->result != SCRIPT_FAILED) {
        if (c->verbose)
            printf("%s: %s, %s%s%s\n", p->job->name, p->family->name, script_result_words[v->result],
                   v->reason[0] != '\0' ? ": " : "", v->reason);
        return;
    }
    if (c->expected != NULL && !c->verbose) return; /* the comparison says what matters */
    printf("%s:%" PRIu32, p->job->name, v->line);
    if (v->column > 0) printf(":%" PRIu32, v->column);
    printf(": %s, %s\n%s", p->family->name, v->reason, v->detail.data != NULL ? v->detail.data : "");
}

void script_tell_end(const struct script_command *c) {
    if (c->json)
        printf("{\"passed\":%zu,\"failed\":%zu,\"skipped\":%zu}\n", c->passed, c->failed, c->skipped);
    else
        printf("%zu passed, %zu failed, %zu skipped\n", c->passed, c->failed, c->skipped);
}

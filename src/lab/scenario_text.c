/* A scenario as text: see scenario.h. A line names a figure and its value; what a line does not name is as in scenario_usual. `#` begins a
 * remark. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/common.h"
#include "lab/scenario_fields.h"

static const char *const kind_names[SCENARIO_KINDS] = {
    "bulk", "requests", "half-close", "slow-reader", "simultaneous-open", "simultaneous-close", "resets", "keep-alive",
};

const char *scenario_kind_name(uint8_t kind) {
    return kind < SCENARIO_KINDS ? kind_names[kind] : "unknown";
}

void scenario_summary(const struct scenario *s, char *out, size_t size) {
    size_t n = (size_t)snprintf(out, size, "%" PRIu32 " hosts %s, IPv%u", s->hosts,
                                s->routed     ? "around a router"
                                : s->ethernet ? "over Ethernet"
                                              : "joined directly",
                                s->family);
    for (uint32_t i = 0; i < s->flows && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s %" PRIu32 " %s", i == 0 ? ";" : ",", s->flow[i].connections,
                              scenario_kind_name(s->flow[i].kind));
}

/* ---- writing --------------------------------------------------------------------------------------- */

static void text_write(FILE *to, const char *prefix, const struct scenario_fields *fields, const void *object,
                       const void *usual) {
    for (uint32_t i = 0; i < fields->count; i++) {
        const struct scenario_field *f = &fields->field[i];
        uint64_t value = scenario_field_get(object, f);
        if (value == scenario_field_get(usual, f)) continue;
        if (strcmp(f->name, "kind") == 0)
            fprintf(to, "%s%s %s\n", prefix, f->name, scenario_kind_name((uint8_t)value));
        else
            fprintf(to, "%s%s %" PRIu64 "\n", prefix, f->name, value);
    }
}

void scenario_write(const struct scenario *s, FILE *to) {
    struct scenario *usual = malloc(sizeof *usual);
    char text[240];
    if (usual == NULL) return;
    scenario_usual(usual);
    scenario_summary(s, text, sizeof text);
    fprintf(to, "# %s\n", text);
    text_write(to, "", &scenario_fields_world, s, usual);
    for (uint32_t i = 0; i < s->hosts; i++) {
        snprintf(text, sizeof text, "host %" PRIu32 " ", i);
        text_write(to, text, &scenario_fields_host, &s->host[i], &usual->host[i]);
    }
    for (uint32_t i = 0; i < s->flows; i++) {
        snprintf(text, sizeof text, "flow %" PRIu32 " ", i);
        text_write(to, text, &scenario_fields_flow, &s->flow[i], &usual->flow[i]);
    }
    free(usual);
}

/* ---- reading --------------------------------------------------------------------------------------- */

static bool text_number(const char *word, uint64_t max, uint64_t *out) {
    char *end;
    if (word == NULL || word[0] < '0' || word[0] > '9') return false;
    errno = 0;
    unsigned long long v = strtoull(word, &end, 10);
    if (errno != 0 || *end != '\0' || v > max) return false;
    *out = v;
    return true;
}

static bool text_value(const struct scenario_field *f, const char *word, uint64_t *out) {
    if (word != NULL && strcmp(f->name, "kind") == 0)
        for (uint32_t k = 0; k < SCENARIO_KINDS; k++)
            if (strcmp(word, kind_names[k]) == 0) {
                *out = k;
                return true;
            }
    return text_number(word, scenario_field_max(f), out);
}

static const char *text_assign(const struct scenario_fields *fields, void *object, const char *name,
                               const char *value) {
    if (name == NULL) return "a name is missing";
    for (uint32_t i = 0; i < fields->count; i++) {
        uint64_t v;
        if (strcmp(fields->field[i].name, name) != 0) continue;
        if (!text_value(&fields->field[i], value, &v)) return "the value is no number that fits";
        scenario_field_set(object, &fields->field[i], v);
        return NULL;
    }
    return "there is no figure of that name";
}

static const char *text_line(struct scenario *s, char *line) {
    char *save = NULL, *first = strtok_r(line, " \t\n", &save);
    uint64_t i;
    if (first == NULL || first[0] == '#') return NULL;
    bool host = strcmp(first, "host") == 0;
    if (!host && strcmp(first, "flow") != 0)
        return text_assign(&scenario_fields_world, s, first, strtok_r(NULL, " \t\n", &save));
    if (!text_number(strtok_r(NULL, " \t\n", &save), (host ? SCENARIO_HOSTS : SCENARIO_FLOWS) - 1, &i))
        return "there is no host or flow of that number";
    const char *name = strtok_r(NULL, " \t\n", &save), *value = strtok_r(NULL, " \t\n", &save);
    return host ? text_assign(&scenario_fields_host, &s->host[i], name, value)
                : text_assign(&scenario_fields_flow, &s->flow[i], name, value);
}

int scenario_read(struct scenario *s, FILE *from, const char **why) {
    char *line = NULL;
    size_t room = 0;
    int number = 0;
    scenario_usual(s);
    *why = NULL;
    while (*why == NULL && getline(&line, &room, from) >= 0) {
        number++;
        *why = text_line(s, line);
    }
    free(line);
    if (*why == NULL) *why = scenario_wrong(s);
    return *why != NULL ? number : 0;
}

/* The figures of a scenario, by name: what its text and its shrinking go by. */
#ifndef LAB_SCENARIO_FIELDS_H
#define LAB_SCENARIO_FIELDS_H

#include "lab/scenario.h"

/* An unsigned figure of `size` bytes (or a bool) at `offset` of the scenario, a host or a flow. */
struct scenario_field {
    const char *name;
    uint16_t offset;
    uint8_t size;
    bool impairment; /* goes wrong less often when it is smaller; 0: never */
};

struct scenario_fields {
    const struct scenario_field *field;
    uint32_t count;
};
extern const struct scenario_fields scenario_fields_world, scenario_fields_host, scenario_fields_flow;

uint64_t scenario_field_get(const void *object, const struct scenario_field *f);
void scenario_field_set(void *object, const struct scenario_field *f, uint64_t value);
/* The largest value that it can hold. */
uint64_t scenario_field_max(const struct scenario_field *f);

#endif

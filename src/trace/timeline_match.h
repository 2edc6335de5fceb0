/* Finding the departure of each arrival. */
#ifndef TRACE_TIMELINE_MATCH_H
#define TRACE_TIMELINE_MATCH_H

#include "trace/timeline.h"

/* Sets mate, mates and bytes of all segments of both sides. An arrival without a departure has mate NULL; its `mates` is 1 if
 * it repeats one that had arrived, else 0. */
void timeline_match(struct timeline *t);

#endif

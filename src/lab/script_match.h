/* Whether what was sent is what the script expects, field by field, and which field it is that differs. */
#ifndef LAB_SCRIPT_MATCH_H
#define LAB_SCRIPT_MATCH_H

#include "lab/script_wire.h"

struct script_match {
    uint64_t timestamp_tick; /* ns that one step of the timestamp stands for; 0: values are not compared */
    uint64_t tolerance;      /* ns */
};

/* Compares a packet in the script's numbers with what the script expects. Returns true, or false and what differs in `why`. */
bool script_match(const struct script_match *m, const struct script_packet *expected,
                  const struct script_packet *actual, char *why, size_t size);
/* Whether `next` continues `so_far`, so that both may stand for one packet of a script: same flags but for those that may stand on the first
 * or the last alone, same acknowledgment and window, and the sequence number that follows. */
bool script_match_continues(const struct script_packet *so_far, const struct script_packet *next, char *why,
                            size_t size);

#endif

/* Counter-examples for people: a path is replayed with the trace on, told step by step, drawn as a ladder, and captured. */
#ifndef LAB_EXPLORE_TELL_H
#define LAB_EXPLORE_TELL_H

#include <stdio.h>

#include "lab/explore.h"

struct explore_tell_options {
    const char *pcap; /* file for what passes A's interface, or NULL */
    uint32_t width;   /* of the ladder; 0: the default */
    bool colour, ascii;
};

/* Returns 0; -ENOMEM; a negative errno of writing the capture; or -EPROTO: the replay did not end in `fault`, which is our own mistake. */
int explore_tell(const struct explore_world *w, const struct explore_options *options, const struct explore_path *path,
                 const struct fault *fault, const struct explore_tell_options *how, FILE *to);

#endif

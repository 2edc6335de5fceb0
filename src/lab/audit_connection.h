/* The audit of one connection: the part of audit.h that has nothing to do with others. */
#ifndef LAB_AUDIT_CONNECTION_H
#define LAB_AUDIT_CONNECTION_H

#include "lab/fault.h"
#include "tcp/connection.h"

/* A record that is in use. */
bool audit_record(const struct tcp *t, const struct connection *c, struct fault *fault);
/* A chain of extents: sorted, apart, and as many and as long as the queue says. */
bool audit_extents(const struct base *b, const struct extent_queue *q, const char *what, struct fault *fault);

#endif

/* The audit of one connection's scoreboard: records, sums, trees and lists tell the same (tcp/scoreboard.h). */
#ifndef LAB_AUDIT_SCOREBOARD_H
#define LAB_AUDIT_SCOREBOARD_H

#include "lab/fault.h"
#include "tcp/connection.h"

bool audit_scoreboard(const struct tcp *t, const struct connection *c, struct fault *fault);

#endif

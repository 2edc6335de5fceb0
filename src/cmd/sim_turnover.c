/* `beckon sim --time-waits N`: connections come and go over N TIME-WAITs (lab/turnover.h), and what that came to. */
#define _GNU_SOURCE 1
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/sim.h"
#include "lab/turnover.h"

static void turnover_progress(void *context, double part) {
    (void)context;
    fprintf(stderr, "\r%3.0f %%\033[K", 100 * part);
}

static void turnover_tell(const struct turnover_result *r) {
    printf("%" PRIu64 " connections in %.1f s of virtual time, %" PRIu64 " of them with the 4-tuple of a TIME-WAIT\n",
           r->opened, (double)r->virtual_ns / 1e9, r->reused);
    printf("%" PRIu64 " TIME-WAITs at once at most, %" PRIu64 " held to the end of 2MSL; %.0f MiB of region\n", r->most,
           r->over, (double)r->bytes / 1048576);
    fputs("strays:", stdout);
    for (int i = 0; i < TURNOVER_STRAYS; i++)
        printf("%s %" PRIu64 " %s", i == 0 ? "" : ",", r->strays[i], turnover_stray_name((enum turnover_stray)i));
    printf("\n%s\n", r->fault.found ? r->fault.text : "none refused wrongly, none accepted wrongly");
}

static void turnover_tell_json(const struct sim_command *c, const struct turnover_result *r) {
    json_t *o = json_pack("{s:I, s:b, s:I, s:I, s:I, s:I, s:I, s:I}", "time_waits", (json_int_t)c->time_waits, "ipv6",
                          (int)c->ipv6, "opened", (json_int_t)r->opened, "reused", (json_int_t)r->reused, "most",
                          (json_int_t)r->most, "over", (json_int_t)r->over, "virtual_ns", (json_int_t)r->virtual_ns,
                          "region_bytes", (json_int_t)r->bytes);
    json_object_set_new(o, "fault", r->fault.found ? json_string(r->fault.text) : json_null());
    json_dumpf(o, stdout, JSON_COMPACT);
    json_decref(o);
    putchar('\n');
}

int sim_turnover(const struct sim_command *c) {
    const struct turnover_options options = {.seed = c->first,
                                             .time_waits = c->time_waits,
                                             .ipv6 = c->ipv6,
                                             .progress = c->progress ? turnover_progress : NULL};
    struct turnover_result result;
    int r = turnover_run(&options, &result);
    sim_tell_progress_end(c);
    if (r < 0) {
        cmd_error("there is no memory for %" PRIu32 " TIME-WAITs: %s", c->time_waits, strerror(-r));
        return CMD_USAGE;
    }
    if (c->json)
        turnover_tell_json(c, &result);
    else
        turnover_tell(&result);
    return result.fault.found ? CMD_FAILED : CMD_WORKED;
}

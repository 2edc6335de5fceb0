/* Counter-examples for people: see explore_tell.h.
 *
 * The clocks of a world need not agree, so a segment may arrive before it was sent. In what is shown, time is the number of the step, in
 * milliseconds: what came first stands first.
 */
#include "lab/explore_tell.h"

#include <errno.h>
#include <stdlib.h>

#include "base/common.h"
#include "beckon/ladder.h"
#include "link/pcapng.h"

#define TELL_EVENTS 4096u
#define STEP_NS     NS_PER_MS
#define RAW_IP      101u /* link type of captures */

struct teller {
    struct explore_machine machine;
    FILE *to;
    struct pcapng *pcap;
    struct bk_event event[2][TELL_EVENTS];
    size_t events[2];
    uint64_t now; /* of the step */
};

/* ---- words ----------------------------------------------------------------------------------------- */

static const char *flags_text(uint8_t flags, char text[32]) {
    static const struct {
        uint8_t flag;
        const char *name;
    } names[] = {{WIRE_SYN, "SYN"}, {WIRE_FIN, "FIN"}, {WIRE_RST, "RST"}, {WIRE_ACK, "ACK"}};
    text[0] = '\0';
    for (unsigned i = 0; i < BK_COUNT(names); i++)
        if (flags & names[i].flag) {
            if (text[0] != '\0') strcat(text, "+");
            strcat(text, names[i].name);
        }
    return text;
}

static void tell_segment(const struct teller *t, const struct explore_flight *f) {
    struct wire_tcp h;
    char flags[32];
    uint32_t data = explore_flight_parse(f->bytes, f->length, &h);
    fprintf(t->to, "%c's %s", "AB"[f->from], flags_text(h.flags, flags));
    if (data != 0) fprintf(t->to, " with %u bytes", data);
    if (f->incarnation != EXPLORE_NOBODY && t->machine.state.opens > 1)
        fprintf(t->to, " (incarnation %u)", f->incarnation + 1u);
    if (f->held) fputs(", held until now,", t->to);
}

static void tell_call(const struct teller *t, unsigned side) {
    static const char *const names[] = {"nothing", "OPEN", "SEND", "CLOSE of the sending side", "CLOSE"};
    const struct explore_step *step = &t->machine.world->script[side][t->machine.state.user[side].step];
    fprintf(t->to, "%c's user calls %s", "AB"[side], names[step->call]);
    if (step->call == EXPLORE_SEND) fprintf(t->to, " of %u bytes", step->bytes);
}

static void tell_action(const struct teller *t, uint32_t number, struct explore_action a) {
    const struct explore_machine *m = &t->machine;
    uint64_t due;
    fprintf(t->to, "%4u. ", number);
    switch ((enum explore_action_kind)a.kind) {
    case EXPLORE_DELIVER:
    case EXPLORE_DUPLICATE:
    case EXPLORE_DROP:
        tell_segment(t, &m->state.flight[a.arg]);
        fputs(a.kind == EXPLORE_DROP        ? " is lost"
              : a.kind == EXPLORE_DUPLICATE ? " arrives, and a copy of it stays under way"
                                            : " arrives",
              t->to);
        break;
    case EXPLORE_FIRE:
        due = explore_deadline(m->side[a.arg].stack);
        fprintf(t->to, "%c's next deadline has come, %.3f s later", "AB"[a.arg],
                due > m -> state.clock[a.arg] ? (double)(due - m->state.clock[a.arg]) / (double)NS_PER_S : 0);
        break;
    case EXPLORE_WAIT:
        fputs("time goes on to where the oldest segment has lived for an MSL", t->to);
        break;
    case EXPLORE_EXPIRE:
        fputs("what has lived for an MSL is gone", t->to);
        break;
    case EXPLORE_USER:
        tell_call(t, a.arg);
        break;
    case EXPLORE_ABORT:
        fprintf(t->to, "%c's user calls ABORT", "AB"[a.arg]);
        break;
    case EXPLORE_TIRED:
        fprintf(t->to, "nothing happens any more, and %c's user calls CLOSE", "AB"[a.arg]);
        break;
    }
    fputc('\n', t->to);
}

/* ---- the replay ------------------------------------------------------------------------------------ */

static void take_events(struct teller *t) {
    for (unsigned side = 0; side < 2; side++) {
        size_t room = TELL_EVENTS - t->events[side];
        struct bk_event *event = t->event[side] + t->events[side];
        size_t n = bk_trace_read(t->machine.side[side].stack, event, room, NULL);
        for (size_t i = 0; i < n; i++) event[i].time = t->now + i * NS_PER_US;
        t->events[side] += n;
    }
}

static void capture(void *context, unsigned from, const uint8_t *bytes, size_t length, uint16_t reason, bool arrives) {
    struct teller *t = context;
    char comment[BK_REASON_COMMENT];
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    if (t->pcap == NULL || (from == 0) == arrives) return; /* what passes A's interface */
    bk_reason_comment(reason, comment, sizeof comment);
    pcapng_write(t->pcap, t->now, &iov, 1, from == 0 ? PCAPNG_OUT : PCAPNG_IN, comment);
}

static void replay(struct teller *t, const struct explore_path *path) {
    struct explore_action action[EXPLORE_ACTIONS];
    take_events(t);
    for (uint32_t i = 0; i < path->length; i++) {
        t->now += STEP_NS;
        tell_action(t, i + 1, path->action[i]);
        explore_act(&t->machine, path->action[i]);
        take_events(t);
    }
    if (!t->machine.fault.found) explore_audit(&t->machine);
    if (!t->machine.fault.found && explore_actions(&t->machine, action) == 0)
        fputs("      ... and nothing can happen any more.\n", t->to);
}

static int ladder(const struct teller *t, const struct explore_tell_options *how) {
    const struct bk_ladder_side side[2] = {{"A 192.0.2.1", t->event[0], t->events[0]},
                                           {"B 192.0.2.2", t->event[1], t->events[1]}};
    const struct bk_ladder_options options = {.width = how->width, .colour = how->colour, .ascii = how->ascii};
    fputc('\n', t->to);
    int r = bk_ladder(&side[0], &side[1], NULL, &options, bk_text_to_file, t->to);
    return r == -ENOENT ? 0 : r;
}

static int tell(struct teller *t, const struct explore_path *path, const struct fault *fault,
                const struct explore_tell_options *how) {
    replay(t, path);
    fprintf(t->to, "      => %s\n", fault->text);
    /* A fault of the whole exploration (no way to rest) does not show in the last step. */
    const struct fault *seen = &t->machine.fault;
    bool same = !seen->found || strcmp(seen->text, fault->text) == 0;
    int r = ladder(t, how);
    return r != 0 ? r : same ? 0 : -EPROTO;
}

int explore_tell(const struct explore_world *w, const struct explore_options *options, const struct explore_path *path,
                 const struct fault *fault, const struct explore_tell_options *how, FILE *to) {
    struct explore_options traced = *options;
    traced.trace_events = TELL_EVENTS;
    struct teller *t = calloc(1, sizeof *t);
    if (t == NULL) return -ENOMEM;
    const struct explore_listener listener = {capture, t};
    int r = 0, closed;
    t->to = to;
    t->now = options->start;
    if (how->pcap != NULL) t->pcap = pcapng_create(how->pcap, RAW_IP, "A", NULL, &r);
    if (r == 0 && !explore_machine_init(&t->machine, w, &traced)) r = -ENOMEM;
    if (r == 0) {
        t->machine.listener = &listener;
        r = tell(t, path, fault, how);
    }
    closed = pcapng_close(t->pcap);
    explore_machine_free(&t->machine);
    free(t);
    return r != 0 ? r : closed;
}

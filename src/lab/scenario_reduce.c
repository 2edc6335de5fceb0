/* Ways to make a scenario simpler, the coarse ones first: whoever looks for the smallest one that still fails tries them one after
 * the other, again and again, until none helps (sim_shrink.c). */
#include "base/common.h"
#include "lab/scenario_fields.h"

enum {
    REDUCE_KTH = 48, /* "the k-th frame is lost" is tried for so many, in place of chance */
    REDUCE_WAYS = 2 * SCENARIO_HOSTS,
};

static int reduce_flow_away(struct scenario *s, uint32_t n) {
    if (n >= s->flows || s->flows < 2) return 0;
    s->flows--;
    for (uint32_t i = n; i < s->flows; i++) s->flow[i] = s->flow[i + 1];
    return 1;
}

/* A host that no flow names. */
static int reduce_host_away(struct scenario *s, uint32_t n) {
    if (n >= s->hosts || s->hosts <= 2) return 0;
    for (uint32_t i = 0; i < s->flows; i++)
        if (s->flow[i].client == n || s->flow[i].server == n) return 0;
    s->hosts--;
    for (uint32_t i = n; i < s->hosts; i++) s->host[i] = s->host[i + 1];
    for (uint32_t i = 0; i < s->flows; i++) {
        s->flow[i].client -= s->flow[i].client > n;
        s->flow[i].server -= s->flow[i].server > n;
    }
    return 1;
}

/* Half as many connections, or bytes, or rounds. */
static int reduce_flow_half(struct scenario *s, uint32_t n) {
    uint32_t i = n / 6, what = n % 6;
    if (i >= s->flows) return 0;
    struct scenario_flow *f = &s->flow[i];
    uint32_t *figure[] = {&f->connections, &f->rounds, &f->up, &f->down, &f->spacing_us, &f->start_us};
    uint32_t least = what < 4 ? 1 : 0;
    if (*figure[what] <= least) return 0;
    *figure[what] = u32_max(*figure[what] / 2, least);
    return 1;
}

static struct path_options *reduce_way(struct scenario *s, uint32_t n) {
    return n / 2 >= s->hosts ? NULL : n % 2 == 0 ? &s->host[n / 2].up : &s->host[n / 2].down;
}

/* All that goes wrong on a way at once. */
static int reduce_way_clean(struct scenario *s, uint32_t n) {
    if (n / 2 >= s->hosts) return 0;
    bool helps = false;
    /* Of a host's figures, those of one way have one beginning. */
    const char *prefix = n % 2 == 0 ? "up." : "down.";
    for (uint32_t i = 0; i < scenario_fields_host.count; i++) {
        const struct scenario_field *f = &scenario_fields_host.field[i];
        if (strncmp(f->name, prefix, strlen(prefix)) != 0 || strstr(f->name, "delay_us") != NULL) continue;
        helps |= scenario_field_get(&s->host[n / 2], f) != 0;
        scenario_field_set(&s->host[n / 2], f, 0);
    }
    return helps;
}

/* One frame that is lost in place of chance. */
static int reduce_way_kth(struct scenario *s, uint32_t n) {
    struct path_options *p = reduce_way(s, n / REDUCE_KTH);
    if (p == NULL || (p->loss_ppm == 0 && p->burst_begin_ppm == 0) || p->kth[0] != 0) return 0;
    p->loss_ppm = p->burst_begin_ppm = p->burst_end_ppm = p->burst_loss_ppm = 0;
    p->kth[0] = n % REDUCE_KTH + 1;
    return 1;
}

/* One figure becomes the usual one. */
static int reduce_usual(void *object, const void *usual, const struct scenario_field *f) {
    uint64_t value = scenario_field_get(usual, f);
    if (scenario_field_get(object, f) == value) return 0;
    scenario_field_set(object, f, value);
    return 1;
}

static int reduce_host_usual(struct scenario *s, uint32_t n) {
    uint32_t i = n / scenario_fields_host.count;
    struct scenario_host usual;
    if (i >= s->hosts) return 0;
    scenario_usual_host(&usual);
    return reduce_usual(&s->host[i], &usual, &scenario_fields_host.field[n % scenario_fields_host.count]);
}

static bool reduce_keeps(const char *name) {
    static const char *const kept[] = {"client", "server", "connections", "up", "down", "rounds"};
    for (uint32_t i = 0; i < BK_COUNT(kept); i++)
        if (strcmp(name, kept[i]) == 0) return true;
    return false;
}

static int reduce_flow_usual(struct scenario *s, uint32_t n) {
    uint32_t i = n / scenario_fields_flow.count;
    const struct scenario_field *f = &scenario_fields_flow.field[n % scenario_fields_flow.count];
    struct scenario_flow usual;
    if (i >= s->flows || reduce_keeps(f->name)) return 0;
    scenario_usual_flow(&usual);
    return reduce_usual(&s->flow[i], &usual, f);
}

static int reduce_world(struct scenario *s, uint32_t n) {
    bool helps = (n == 0 && s->ethernet) || (n == 1 && s->epoch_ms != 0) || (n == 2 && s->calm_us != 0) ||
                 (n == 3 && s->black_hole) || (n == 4 && s->audit_every != 1) || (n == 5 && s->routed && s->hosts == 2);
    if (n == 0) s->ethernet = false;
    if (n == 1) s->epoch_ms = 0;
    if (n == 2) s->calm_us /= 2;
    if (n == 3) s->black_hole = false;
    if (n == 4) s->audit_every = 1;
    if (n == 5 && s->hosts == 2) s->routed = false;
    return helps;
}

/* An impairment is half as likely. */
static int reduce_host_half(struct scenario *s, uint32_t n) {
    uint32_t i = n / scenario_fields_host.count;
    const struct scenario_field *f = &scenario_fields_host.field[n % scenario_fields_host.count];
    if (i >= s->hosts || !f->impairment) return 0;
    uint64_t value = scenario_field_get(&s->host[i], f);
    if (value < 2) return 0;
    scenario_field_set(&s->host[i], f, value / 2);
    return 1;
}

int scenario_reduce(struct scenario *s, uint32_t n) {
    const struct {
        int (*reduce)(struct scenario *s, uint32_t n);
        uint32_t count;
    } ways[] = {
        {reduce_flow_away, SCENARIO_FLOWS},
        {reduce_host_away, SCENARIO_HOSTS},
        {reduce_flow_half, 6 * SCENARIO_FLOWS},
        {reduce_way_clean, REDUCE_WAYS},
        {reduce_host_usual, SCENARIO_HOSTS * scenario_fields_host.count},
        {reduce_flow_usual, SCENARIO_FLOWS * scenario_fields_flow.count},
        {reduce_world, 6},
        {reduce_way_kth, REDUCE_WAYS * REDUCE_KTH},
        {reduce_host_half, SCENARIO_HOSTS * scenario_fields_host.count},
    };
    for (uint32_t i = 0; i < BK_COUNT(ways); i++) {
        if (n < ways[i].count) return ways[i].reduce(s, n);
        n -= ways[i].count;
    }
    return -1;
}

/* Finding connections by 4-tuple, and who wakes next: see app.h. The table never forgets a tuple, since each connection enters it once; the
 * heap holds more than one wake of a connection for a while, and the one that the connection itself knows of is the valid one. */
#include <stdlib.h>

#include "base/common.h"
#include "lab/app.h"

bool app_table_open(struct app_table *t, uint32_t connections) {
    uint32_t size = 16;
    while (size < 4 * (uint64_t)connections) size *= 2;
    t->count = connections;
    t->connection = calloc(connections > 0 ? connections : 1, sizeof *t->connection);
    t->tuple = malloc(size * sizeof *t->tuple);
    t->tuple_mask = size - 1;
    t->wake_room = 2 * connections + 16;
    t->heap = malloc(t->wake_room * sizeof *t->heap);
    if (t->connection == NULL || t->tuple == NULL || t->heap == NULL) return false;
    memset(t->tuple, 0xff, size * sizeof *t->tuple);
    for (uint32_t i = 0; i < connections; i++) {
        t->connection[i].wake_at = BK_NEVER;
        t->connection[i].previous = APP_NOTHING;
    }
    for (uint32_t i = 0; i < SCENARIO_FLOWS; i++) t->accept_at[i] = BK_NEVER;
    return true;
}

void app_table_close(struct app_table *t) {
    free(t->connection);
    free(t->tuple);
    free(t->heap);
}

/* ---- by 4-tuple ------------------------------------------------------------------------------------ */

static uint32_t table_slot(const struct app_table *t, uint32_t a, uint32_t b) {
    uint64_t key = a < b ? (uint64_t)a << 32 | b : (uint64_t)b << 32 | a;
    return (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 33) & t->tuple_mask;
}

static uint32_t table_place(uint32_t host, uint16_t port) {
    return host << 16 | port;
}

static uint32_t table_of(const struct app_connection *c, unsigned end) {
    return table_place(c->host[end], c->port[end]);
}

/* The slot where this tuple stands, or would stand. */
static uint32_t table_seek(const struct app_table *t, uint32_t a, uint32_t b) {
    for (uint32_t at = table_slot(t, a, b);; at = (at + 1) & t->tuple_mask) {
        if (t->tuple[at] == APP_NOTHING) return at;
        const struct app_connection *c = &t->connection[t->tuple[at]];
        uint32_t client = table_of(c, 0), server = table_of(c, 1);
        if ((client == a && server == b) || (client == b && server == a)) return at;
    }
}

void app_table_place(struct app_table *t, uint32_t connection) {
    struct app_connection *c = &t->connection[connection];
    uint32_t at = table_seek(t, table_of(c, 0), table_of(c, 1));
    c->previous = t->tuple[at];
    t->tuple[at] = connection;
}

uint32_t app_table_find(const struct app_table *t, uint32_t host_a, uint16_t port_a, uint32_t host_b, uint16_t port_b,
                        unsigned *end) {
    uint32_t a = table_place(host_a, port_a), b = table_place(host_b, port_b);
    uint32_t found = t->tuple[table_seek(t, a, b)];
    if (found != APP_NOTHING) *end = table_of(&t->connection[found], 0) == a ? 0 : 1;
    return found;
}

/* ---- by time --------------------------------------------------------------------------------------- */

/* Equal times go by number, so that the order does not depend on the heap's past. */
static bool wake_before(const struct app_wake *a, const struct app_wake *b) {
    return a->at != b->at ? a->at < b->at : a->connection < b->connection;
}

static void wake_up(struct app_table *t, uint32_t i) {
    struct app_wake moved = t->heap[i];
    for (; i > 0 && wake_before(&moved, &t->heap[(i - 1) / 2]); i = (i - 1) / 2) t->heap[i] = t->heap[(i - 1) / 2];
    t->heap[i] = moved;
}

static void wake_down(struct app_table *t) {
    struct app_wake moved = t->heap[t->wakes];
    uint32_t i = 0;
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= t->wakes) break;
        if (child + 1 < t->wakes && wake_before(&t->heap[child + 1], &t->heap[child])) child++;
        if (!wake_before(&t->heap[child], &moved)) break;
        t->heap[i] = t->heap[child];
        i = child;
    }
    t->heap[i] = moved;
}

bool app_table_wake(struct app_table *t, uint32_t connection, uint64_t at) {
    struct app_connection *c = &t->connection[connection];
    if (at >= c->wake_at) return true;
    if (t->wakes == t->wake_room) {
        struct app_wake *larger = realloc(t->heap, 2 * (size_t)t->wake_room * sizeof *larger);
        if (larger == NULL) return false;
        t->heap = larger;
        t->wake_room *= 2;
    }
    c->wake_at = at;
    t->heap[t->wakes++] = (struct app_wake){.at = at, .connection = connection};
    wake_up(t, t->wakes - 1);
    return true;
}

void app_table_pop(struct app_table *t) {
    t->wakes--;
    if (t->wakes > 0) wake_down(t);
}

bool app_table_next(struct app_table *t, struct app_wake *out) {
    while (t->wakes > 0) {
        *out = t->heap[0];
        if (t->connection[out->connection].wake_at == out->at) return true;
        app_table_pop(t);
    }
    return false;
}

/* Memory of a script: blocks in a list, each filled from its start. What does not fit into a usual block gets one of its own. */
#include "lab/script_ast.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define SCRIPT_BLOCK 16384u

struct script_arena_block {
    struct script_arena_block *next;
    size_t used, size;
    alignas(max_align_t) unsigned char bytes[];
};

void *script_arena_take(struct script_arena *arena, size_t n) {
    n = (n + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    struct script_arena_block *b = arena->blocks;
    if (b == NULL || b->size - b->used < n) {
        size_t size = n > SCRIPT_BLOCK ? n : SCRIPT_BLOCK;
        b = calloc(1, sizeof *b + size);
        if (b == NULL) abort();
        b->size = size;
        b->next = arena->blocks;
        arena->blocks = b;
    }
    void *taken = b->bytes + b->used;
    b->used += n;
    return taken;
}

char *script_arena_text(struct script_arena *arena, const char *bytes, size_t n) {
    char *copy = script_arena_take(arena, n + 1);
    memcpy(copy, bytes, n);
    return copy;
}

void script_arena_free(struct script_arena *arena) {
    while (arena->blocks != NULL) {
        struct script_arena_block *b = arena->blocks;
        arena->blocks = b->next;
        free(b);
    }
}

/* Doubly linked lists of pool objects, by id. An object that can stand in a list has a struct link somewhere;
 * a struct list_type says where, so that one set of functions serves all pools. A link that stands in no list
 * has next == LINK_OUT. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/region.h"

#define LINK_OUT (UINT32_MAX - 1)

struct link {
    uint32_t next, prev; /* ids, BK_NONE at the ends */
};

struct list {
    uint32_t head, tail;
    uint32_t count;
};

static inline struct link *link_at(const struct base *b, const struct pool *p, size_t offset, uint32_t id) {
    return (struct link *)(void *)((uint8_t *)pool_at(b, p, id) + offset);
}

static inline void list_init(struct list *l) {
    l->head = l->tail = BK_NONE;
    l->count = 0;
}
static inline void link_init(struct link *k) {
    k->next = k->prev = LINK_OUT;
}
static inline bool link_in(const struct link *k) {
    return k->next != LINK_OUT;
}

static inline void list_push_tail(struct base *b, const struct pool *p, size_t offset, struct list *l, uint32_t id) {
    struct link *k = link_at(b, p, offset, id);
    k->next = BK_NONE;
    k->prev = l->tail;
    if (l->tail != BK_NONE)
        link_at(b, p, offset, l->tail)->next = id;
    else
        l->head = id;
    l->tail = id;
    l->count++;
}

static inline void list_remove(struct base *b, const struct pool *p, size_t offset, struct list *l, uint32_t id) {
    struct link *k = link_at(b, p, offset, id);
    if (k->prev != BK_NONE)
        link_at(b, p, offset, k->prev)->next = k->next;
    else
        l->head = k->next;
    if (k->next != BK_NONE)
        link_at(b, p, offset, k->next)->prev = k->prev;
    else
        l->tail = k->prev;
    link_init(k);
    l->count--;
}

static inline void list_push_head(struct base *b, const struct pool *p, size_t offset, struct list *l, uint32_t id) {
    struct link *k = link_at(b, p, offset, id);
    k->prev = BK_NONE;
    k->next = l->head;
    if (l->head != BK_NONE)
        link_at(b, p, offset, l->head)->prev = id;
    else
        l->tail = id;
    l->head = id;
    l->count++;
}

/* Puts `id` behind `at`, which stands in the list. */
static inline void list_insert_after(struct base *b, const struct pool *p, size_t offset, struct list *l, uint32_t at,
                                     uint32_t id) {
    struct link *k = link_at(b, p, offset, id), *front = link_at(b, p, offset, at);
    k->prev = at;
    k->next = front->next;
    if (front->next != BK_NONE)
        link_at(b, p, offset, front->next)->prev = id;
    else
        l->tail = id;
    front->next = id;
    l->count++;
}

/* To the end of the list in which it stands. */
static inline void list_move_tail(struct base *b, const struct pool *p, size_t offset, struct list *l, uint32_t id) {
    if (l->tail == id) return;
    list_remove(b, p, offset, l, id);
    list_push_tail(b, p, offset, l, id);
}

static inline uint32_t list_pop_head(struct base *b, const struct pool *p, size_t offset, struct list *l) {
    uint32_t id = l->head;
    if (id != BK_NONE) list_remove(b, p, offset, l, id);
    return id;
}

#endif

/* The table of descriptors, files' lives, waiting and waking. See file.h. */
#include "posix/file.h"

#include "posix/pipe.h"
#include "posix/poller.h"
#include "posix/sock.h"

bool memory_good(const struct bk_sockets *s, const void *memory, size_t length, bool write) {
    if (length == 0 || s->config.accessible == NULL) return true;
    return s->config.accessible(s->config.context, memory, length, write);
}

/* ---- files ----------------------------------------------------------------------------------------- */

struct bk_file *file_new(size_t size, enum file_kind kind, int flags) {
    struct bk_file *file = calloc(1, size);
    if (file == NULL) return NULL;
    file->kind = (uint8_t)kind;
    file->references = 1;
    file->flags = flags;
    return file;
}

void file_ref(struct bk_file *file) {
    file->references++;
}

void file_unref(struct bk_sockets *s, struct bk_file *file, uint64_t now) {
    if (--file->references != 0) return;
    poller_forget(s, file);
    switch ((enum file_kind)file->kind) {
    case FILE_SOCKET:
        sock_release(s, sock_of(file), now);
        break;
    case FILE_POLLER:
        poller_release(s, file);
        break;
    case FILE_PIPE_READ:
    case FILE_PIPE_WRITE:
        pipe_release(s, file);
        break;
    case FILE_BYTES:
        break;
    }
    free(file);
}

uint32_t file_poll(struct bk_sockets *s, struct bk_file *file) {
    switch ((enum file_kind)file->kind) {
    case FILE_SOCKET:
        return sock_poll(s, sock_of(file));
    case FILE_POLLER:
        return poller_poll(s, file);
    case FILE_PIPE_READ:
    case FILE_PIPE_WRITE:
        return pipe_poll(file);
    case FILE_BYTES:
        break;
    }
    return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
}

/* ---- waiting --------------------------------------------------------------------------------------- */

int call_reserve(struct bk_syscall *call, size_t count) {
    if (call->progress.waits != NULL) return 0;
    call->progress.waits = calloc(count, sizeof *call->progress.waits);
    call->progress.wait_count = count;
    return call->progress.waits == NULL ? -ENOMEM : 0;
}

void call_wait(struct bk_syscall *call, size_t i, struct bk_file *file, uint32_t events, bool exclusive) {
    struct bk_wait *w = &call->progress.waits[i];
    *w = (struct bk_wait){file, NULL, file->waits_tail, call, events, exclusive};
    if (file->waits_tail != NULL)
        file->waits_tail->next = w;
    else
        file->waits = w;
    file->waits_tail = w;
}

static void wait_leave(struct bk_wait *w) {
    struct bk_file *file = w->file;
    if (file == NULL) return;
    if (w->prev != NULL)
        w->prev->next = w->next;
    else
        file->waits = w->next;
    if (w->next != NULL)
        w->next->prev = w->prev;
    else
        file->waits_tail = w->prev;
    w->file = NULL;
}

static void call_wake(struct bk_sockets *s, struct bk_syscall *call) {
    if (call->progress.woken) return;
    call->progress.woken = true;
    call->progress.woken_next = NULL;
    call->progress.woken_prev = s->woken_tail;
    if (s->woken_tail != NULL)
        s->woken_tail->progress.woken_next = call;
    else
        s->woken_head = call;
    s->woken_tail = call;
}

static void call_unwake(struct bk_sockets *s, struct bk_syscall *call) {
    if (!call->progress.woken) return;
    struct bk_syscall *prev = call->progress.woken_prev, *next = call->progress.woken_next;
    if (prev != NULL)
        prev->progress.woken_next = next;
    else
        s->woken_head = next;
    if (next != NULL)
        next->progress.woken_prev = prev;
    else
        s->woken_tail = prev;
    call->progress.woken = false;
}

struct bk_syscall *bk_sockets_woken(struct bk_sockets *s) {
    struct bk_syscall *call = s->woken_head;
    if (call != NULL) call_unwake(s, call);
    return call;
}

void call_leave(struct bk_sockets *s, struct bk_syscall *call) {
    call_unwake(s, call);
    for (size_t i = 0; call->progress.waits != NULL && i < call->progress.wait_count; i++)
        wait_leave(&call->progress.waits[i]);
}

void file_wake(struct bk_sockets *s, struct bk_file *file, uint32_t events) {
    bool exclusive_woken = false;
    for (struct bk_wait *w = file->waits, *next; w != NULL; w = next) {
        next = w->next;
        if (events != 0 && !(events & (w->events | POLLERR | POLLHUP))) continue;
        if (w->exclusive && exclusive_woken) continue;
        exclusive_woken |= w->exclusive;
        wait_leave(w);
        call_wake(s, w->call);
    }
    if (events != EVENT_PROGRESS) poller_wake(s, file, events & ~EVENT_PROGRESS);
}

/* ---- descriptors ----------------------------------------------------------------------------------- */

#define WORD                 64u
#define DESCRIPTORS_AT_FIRST 64u /* a multiple of WORD */

static size_t words(size_t bits) {
    return (bits + WORD - 1) / WORD;
}

/* Arrays grow together; on failure those that grew are merely larger than need be. */
static bool grow(void **array, size_t size, size_t from, size_t to) {
    void *more = realloc(*array, to * size);
    if (more == NULL) return false;
    memset((char *)more + from * size, 0, (to - from) * size);
    *array = more;
    return true;
}

static int descriptor_grow(struct bk_sockets *s, size_t need) {
    if (need > (size_t)s->config.descriptors) return -EMFILE;
    if (need <= s->room) return 0;
    size_t room = s->room == 0 ? DESCRIPTORS_AT_FIRST : s->room;
    while (room < need) room *= 2;
    void *descriptor = s->descriptor, *used = s->used, *full = s->full;
    bool ok = grow(&descriptor, sizeof *s->descriptor, s->room, room);
    s->descriptor = descriptor;
    ok = ok && grow(&used, sizeof *s->used, words(s->room), words(room));
    s->used = used;
    ok = ok && grow(&full, sizeof *s->full, words(words(s->room)), words(words(room)));
    s->full = full;
    if (!ok) return -ENOMEM;
    s->room = room;
    return 0;
}

static void mark(struct bk_sockets *s, size_t i, bool taken) {
    uint64_t *word = &s->used[i / WORD], bit = UINT64_C(1) << i % WORD;
    *word = taken ? *word | bit : *word & ~bit;
    uint64_t full = UINT64_C(1) << i / WORD % WORD;
    if (*word == UINT64_MAX)
        s->full[i / WORD / WORD] |= full;
    else
        s->full[i / WORD / WORD] &= ~full;
}

/* The lowest free place from `from` on; `room` if there is none below it. */
static size_t lowest_free(const struct bk_sockets *s, size_t from) {
    for (size_t i = from; i < s->room;) {
        size_t word = i / WORD;
        if (i % (WORD * WORD) == 0 && s->full[word / WORD] == UINT64_MAX) {
            i += WORD * WORD;
        } else if (i % WORD == 0 && s->used[word] == UINT64_MAX) {
            i += WORD;
        } else if (s->used[word] >> i % WORD & 1) {
            i++;
        } else {
            return i;
        }
    }
    return s->room;
}

int descriptor_new(struct bk_sockets *s, struct bk_file *file, int from, bool close_on_exec) {
    size_t i = lowest_free(s, from > s->first ? (size_t)(from - s->first) : 0);
    if (from > s->first && i < (size_t)(from - s->first)) i = (size_t)(from - s->first);
    int error = descriptor_grow(s, i + 1);
    if (error != 0) return error;
    s->descriptor[i] = (struct descriptor){file, close_on_exec};
    mark(s, i, true);
    return s->first + (int)i;
}

struct descriptor *descriptor_at(const struct bk_sockets *s, int fd) {
    if (fd < s->first || (size_t)(fd - s->first) >= s->room) return NULL;
    struct descriptor *d = &s->descriptor[fd - s->first];
    return d->file == NULL ? NULL : d;
}

struct bk_file *descriptor_file(const struct bk_sockets *s, int fd) {
    const struct descriptor *d = descriptor_at(s, fd);
    return d == NULL ? NULL : d->file;
}

struct bk_file *descriptor_take(struct bk_sockets *s, int fd) {
    struct descriptor *d = descriptor_at(s, fd);
    if (d == NULL) return NULL;
    struct bk_file *file = d->file;
    d->file = NULL;
    mark(s, (size_t)(fd - s->first), false);
    return file;
}

int descriptor_put(struct bk_sockets *s, int fd, struct bk_file *file, bool close_on_exec) {
    if (fd < s->first || fd - s->first >= s->config.descriptors) return -EBADF;
    size_t i = (size_t)(fd - s->first);
    int error = descriptor_grow(s, i + 1);
    if (error != 0) return error;
    s->descriptor[i] = (struct descriptor){file, close_on_exec};
    mark(s, i, true);
    return 0;
}

/* What the servers of `beckon` serve; see site.h. That no path leads out of the directory is the kernel's work:
 * openat2(2) with RESOLVE_BENEATH. */
#define _GNU_SOURCE 1
#include "cmd/site.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/common.h"
#include "beckon/trace.h"

/* ---- the demo's pages ------------------------------------------------------------------------------ */

static void site_write_home(FILE *f) {
    fputs(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Beckon</title></head>\n<body>\n"
        "<h1>Beckon</h1>\n"
        "<p>Two people stand fifty metres apart in the haze. One beckons, the other nods and beckons back,\n"
        "and both know that they are seen.</p>\n"
        "<p>That is the three-way handshake, and the connection that brought you this page began with one. The other\n"
        "end of it is not your kernel's TCP but a program in user space: ",
        f);
    fprintf(f, "Beckon %s.</p>\n", bk_version());
    fputs("<p>Every segment that it sends, accepts, answers or drops has a reason. <a href=\"/reasons\">These are all "
          "of\n"
          "them.</a></p>\n</body>\n</html>\n",
          f);
}

static const char *site_verdict(enum bk_verdict verdict) {
    static const char *const words[] = {"sent", "accepted", "answered", "dropped", "noted"};
    return words[verdict];
}

static void site_write_reasons(FILE *f) {
    fputs("Every reason that Beckon gives, with what it did and where the RFCs say so.\n\n", f);
    for (unsigned r = 1; r < BK_REASON_COUNT; r++) {
        uint16_t reason = (uint16_t)r;
        const char *rfc = bk_reason_rfc(reason);
        fprintf(f, "%-9s %s%s%s%s\n", site_verdict(bk_reason_verdict(reason)), bk_reason_words(reason),
                rfc[0] ? " (" : "", rfc, rfc[0] ? ")" : "");
    }
}

static int site_page_make(struct site_page *page, const char *path, const char *type, void (*write)(FILE *)) {
    *page = (struct site_page){.path = path, .type = type};
    FILE *f = open_memstream(&page->body, &page->length);
    if (!f) return -ENOMEM;
    write(f);
    return fclose(f) == 0 ? 0 : -ENOMEM;
}

int site_pages_make(struct site_pages *pages) {
    memset(pages, 0, sizeof *pages);
    int r = site_page_make(&pages->page[0], "/", "text/html; charset=utf-8", site_write_home);
    if (r == 0) r = site_page_make(&pages->page[1], "/reasons", "text/plain; charset=utf-8", site_write_reasons);
    if (r < 0) site_pages_free(pages);
    return r;
}

void site_pages_free(struct site_pages *pages) {
    for (size_t i = 0; i < SITE_PAGES; i++) {
        free(pages->page[i].body);
        pages->page[i].body = NULL;
    }
}

int site_pages_find(void *context, const char *path, struct http_resource *out) {
    const struct site_pages *pages = context;
    for (size_t i = 0; i < SITE_PAGES; i++) {
        const struct site_page *page = &pages->page[i];
        if (strcmp(path, page->path) != 0) continue;
        *out = (struct http_resource){.type = page->type,
                                      .memory = page->body,
                                      .fd = -1,
                                      .length = page->length,
                                      .last = pages->close_after_last && i + 1 == SITE_PAGES};
        return 200;
    }
    return 404;
}

/* ---- a directory ----------------------------------------------------------------------------------- */

int site_directory_open(struct site_directory *d, const char *path) {
    d->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return d->fd < 0 ? -errno : 0;
}

void site_directory_close(struct site_directory *d) {
    if (d->fd >= 0) close(d->fd);
    d->fd = -1;
}

static const char *site_type(const char *path) {
    static const struct {
        const char *suffix, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".txt", "text/plain; charset=utf-8"},
        {".css", "text/css"},
        {".js", "text/javascript"},
        {".json", "application/json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".wasm", "application/wasm"},
    };
    size_t n = strlen(path);
    for (size_t i = 0; i < BK_COUNT(types); i++) {
        size_t k = strlen(types[i].suffix);
        if (n > k && strcmp(path + n - k, types[i].suffix) == 0) return types[i].type;
    }
    return "application/octet-stream";
}

static int site_openat(int directory, const char *path) {
    /* O_NONBLOCK: a FIFO in the tree must not hold the loop up. */
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

int site_directory_find(void *context, const char *path, struct http_resource *out) {
    const struct site_directory *d = context;
    while (*path == '/') path++;
    int fd = site_openat(d->fd, *path ? path : ".");
    struct stat st;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        int index = site_openat(fd, path = "index.html");
        int error = errno;
        close(fd);
        errno = error;
        fd = index;
    }
    if (fd < 0) return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? 503 : errno == ENOSYS ? 500 : 404;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return 404;
    }
    *out = (struct http_resource){.type = site_type(path), .fd = fd, .length = (uint64_t)st.st_size};
    return 200;
}

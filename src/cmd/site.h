/* What the servers of `beckon` serve: the demo's two pages, and files below a directory. */
#ifndef CMD_SITE_H
#define CMD_SITE_H

#include "cmd/http.h"

/* ---- the demo's pages ------------------------------------------------------------------------------ */

#define SITE_PAGES 2u

struct site_page {
    const char *path, *type;
    char *body;
    size_t length;
};
/* Pages made in memory: "/" tells what Beckon is, "/reasons" lists every reason code. */
struct site_pages {
    struct site_page page[SITE_PAGES];
    bool close_after_last; /* answer the last page with Connection: close, so that the server closes first */
};
/* Returns 0 or -ENOMEM. */
int site_pages_make(struct site_pages *pages);
void site_pages_free(struct site_pages *pages);
/* http_site.find; the context is a struct site_pages. */
int site_pages_find(void *context, const char *path, struct http_resource *out);

/* ---- a directory ----------------------------------------------------------------------------------- */

struct site_directory {
    int fd; /* -1: none open */
};
/* Returns 0 or a negative errno. */
int site_directory_open(struct site_directory *d, const char *path);
void site_directory_close(struct site_directory *d);
/* http_site.find; the context is a struct site_directory. Nothing outside of the directory is served, whatever the path or
 * symbolic links in it say; a directory answers with its index.html. */
int site_directory_find(void *context, const char *path, struct http_resource *out);

#endif

/* A thread that enters a network namespace: see netns.h. */
#define _GNU_SOURCE
#include "link/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

struct netns_visit {
    const char *netns;
    void (*act)(void *context);
    void *context;
    int error; /* negative errno */
    const char *why;
};

static void *netns_visit(void *context) {
    struct netns_visit *v = context;
    char path[256];
    int n = snprintf(path, sizeof path, "/run/netns/%s", v->netns);
    int fd = n < (int)sizeof path ? open(path, O_RDONLY | O_CLOEXEC) : (errno = ENAMETOOLONG, -1);
    if (fd < 0) {
        v->error = -errno;
        v->why = "open the network namespace";
        return NULL;
    }
    if (setns(fd, CLONE_NEWNET) == 0) {
        v->act(v->context);
    } else {
        v->error = -errno;
        v->why = "setns: enter the network namespace";
    }
    close(fd);
    return NULL;
}

int link_in_netns(const char *netns, void (*act)(void *context), void *context, const char **why) {
    struct netns_visit v = {.netns = netns, .act = act, .context = context};
    pthread_t thread;
    if (netns == NULL || netns[0] == 0) {
        act(context);
        return 0;
    }
    int error = pthread_create(&thread, NULL, netns_visit, &v);
    if (error != 0) {
        *why = "start a thread to enter the network namespace";
        return -error;
    }
    pthread_join(thread, NULL);
    if (v.error != 0) *why = v.why;
    return v.error;
}

/* Asking running stacks over their control sockets; see control.h. The asker may block, but not for ever: a process that is
 * stopped must not stop `beckon ss` too, so each read and write has CONTROL_PATIENCE_S. */
#define _GNU_SOURCE 1
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/control.h"

#define CONTROL_PATIENCE_S 5

static int control_name_order(const void *a, const void *b) {
    const struct control_name *x = a, *y = b;
    return x->pid != y->pid ? (x->pid > y->pid) - (x->pid < y->pid) : (x->index > y->index) - (x->index < y->index);
}

/* Reads PID or PID.INDEX. */
static bool control_name_parse(const char *text, struct control_name *out) {
    char pid[CONTROL_NAME];
    const char *dot = strchr(text, '.');
    uint64_t n, index = 0;
    if (snprintf(pid, sizeof pid, "%.*s", (int)(dot ? dot - text : INT32_MAX), text) >= (int)sizeof pid) return false;
    if (!cmd_number(pid, 1, INT32_MAX, &n) || (dot && !cmd_number(dot + 1, 0, INT32_MAX, &index))) return false;
    *out = (struct control_name){.pid = (pid_t)n, .index = dot ? (int32_t)index : -1};
    return true;
}

/* Whether the process that the file is named after lives; a file that a dead one left is removed. */
static bool control_alive(const char *directory, const char *file, struct control_name *name) {
    struct sockaddr_un address;
    if (!control_name_parse(file, name)) return false;
    if (kill(name->pid, 0) == 0 || errno == EPERM) return true;
    if (control_address(directory, name, &address)) unlink(address.sun_path);
    return false;
}

ptrdiff_t control_list(struct control_name **names, char why[CONTROL_WHY]) {
    char directory[sizeof((struct sockaddr_un *)0)->sun_path];
    *names = NULL;
    int r = control_directory(directory, false, why);
    if (r == -ENOENT) return 0;
    DIR *d = r < 0 ? NULL : opendir(directory);
    if (!d) return r < 0 ? r : -errno;
    size_t count = 0, room = 0;
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        struct control_name name;
        if (!control_alive(directory, e->d_name, &name)) continue;
        if (count == room) {
            room = room ? 2 * room : 16;
            struct control_name *grown = realloc(*names, room * sizeof **names);
            if (!grown) break;
            *names = grown;
        }
        (*names)[count++] = name;
    }
    closedir(d);
    if (count) qsort(*names, count, sizeof **names, control_name_order);
    return (ptrdiff_t)count;
}

static int control_connect(const struct control_name *name, char why[CONTROL_WHY]) {
    char directory[sizeof((struct sockaddr_un *)0)->sun_path];
    struct sockaddr_un address;
    int r = control_directory(directory, false, why);
    if (r == 0 && !control_address(directory, name, &address)) r = -ENAMETOOLONG;
    if (r < 0 && r != -ENOENT) return r;
    int fd = r < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = CONTROL_PATIENCE_S};
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) return fd;
        r = -errno;
        close(fd);
    }
    if (r == -ENOENT || r == -ECONNREFUSED) {
        snprintf(why, CONTROL_WHY, "process %ld runs no stack of this user's", (long)name->pid);
        return -ESRCH;
    }
    snprintf(why, CONTROL_WHY, "asking process %ld: %s", (long)name->pid, strerror(-r));
    return r;
}

/* Takes one line of the reply in. Returns 1 to go on, 0 at the end, or a negative errno. */
static int control_take(struct control_reply *reply, size_t *room, const json_t *line, char why[CONTROL_WHY]) {
    const json_t *part;
    if ((part = json_object_get(line, "error")) != NULL) {
        const char *words = json_string_value(part);
        snprintf(why, CONTROL_WHY, "process %ld answers: %s", (long)reply->name.pid, words ? words : "an error");
        return -EPROTO;
    }
    if ((part = json_object_get(line, "end")) != NULL) {
        reply->truncated = json_is_true(json_object_get(part, "truncated"));
        return 0;
    }
    if ((part = json_object_get(line, "stack")) != NULL) {
        const char *command = json_string_value(json_object_get(part, "command"));
        const char *version = json_string_value(json_object_get(part, "version"));
        snprintf(reply->command, sizeof reply->command, "%s", command ? command : "");
        snprintf(reply->version, sizeof reply->version, "%s", version ? version : "");
        reply->now = (uint64_t)json_integer_value(json_object_get(part, "now"));
        return 1;
    }
    if ((part = json_object_get(line, "connection")) == NULL) return 1; /* of a later version: not for us */
    if (reply->count == *room) {
        *room = *room ? 2 * *room : 64;
        struct bk_tcp_info *grown = realloc(reply->infos, *room * sizeof *grown);
        if (!grown) return -ENOMEM;
        reply->infos = grown;
    }
    if (control_info_decode(part, &reply->infos[reply->count])) {
        reply->count++;
        return 1;
    }
    snprintf(why, CONTROL_WHY, "process %ld speaks of connections in a way that beckon %s does not know (it is %s)",
             (long)reply->name.pid, bk_version(), reply->version);
    return -EPROTO;
}

static int control_read(FILE *f, struct control_reply *reply, char why[CONTROL_WHY]) {
    char *text = NULL;
    size_t size = 0, room = 0;
    int r = 1;
    while (r > 0) {
        ssize_t n = getline(&text, &size, f);
        if (n < 0) {
            r = ferror(f) ? -errno : -EPROTO;
            snprintf(why, CONTROL_WHY, "process %ld %s", (long)reply->name.pid,
                     r == -EAGAIN ? "does not answer; is it stopped?" : "broke off in the middle of its answer");
            break;
        }
        json_error_t error;
        json_t *line = json_loadb(text, (size_t)n, 0, &error);
        r = json_is_object(line) ? control_take(reply, &room, line, why) : -EPROTO;
        if (!json_is_object(line)) snprintf(why, CONTROL_WHY, "process %ld answers no JSON", (long)reply->name.pid);
        json_decref(line);
    }
    free(text);
    return r;
}

int control_ask(const struct control_name *name, struct control_reply *reply, char why[CONTROL_WHY]) {
    static const char request[] = "{\"get\": \"connections\"}\n";
    *reply = (struct control_reply){.name = *name};
    int fd = control_connect(name, why);
    if (fd < 0) return fd;
    int r = send(fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0 ? -errno : 0;
    FILE *f = fdopen(fd, "r");
    if (r == 0 && f) {
        r = control_read(f, reply, why);
    } else {
        r = r < 0 ? r : -ENOMEM;
        snprintf(why, CONTROL_WHY, "asking process %ld: %s", (long)name->pid, strerror(-r));
    }
    if (f)
        fclose(f);
    else
        close(fd);
    if (r < 0) {
        free(reply->infos);
        reply->infos = NULL;
        reply->count = 0;
    }
    return r;
}

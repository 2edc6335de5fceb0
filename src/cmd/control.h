/* The control socket: how `beckon ss` asks running stacks.
 *
 * Each process that runs a stack listens on a Unix stream socket named by its process id, in a directory of the user's own (mode
 * 0700, so nobody else can ask): $XDG_RUNTIME_DIR/beckon, or /run/beckon for root, or /tmp/beckon-UID. A process with a group of
 * stacks (steer.h) has a socket for each, named PID.INDEX: each answers for itself, on its own thread, and nobody walks a stack that another thread changes.
 *
 * A request is one line holding a JSON object; the reply is JSON objects, one a line, and then the server closes:
 *
 *     {"get": "connections"}
 *     {"stack": {"pid": 4242, "command": "serve", "version": "0.1.0", "now": 123456789, ...}}
 *     {"connection": {"state": 4, "local": "10.0.0.2", "local_port": 80, ...}}        one for each
 *     {"end": {"count": 1, "truncated": false}}
 *
 * Anything else is answered {"error": "..."}. A request may be CONTROL_REQUEST_MAX bytes long; a reply names at most
 * CONTROL_CONNECTIONS_MAX connections and then says "truncated"; when more than CONTROL_CLIENTS ask at once, the one that has waited
 * longest is dropped. So garbage, silence and clients that do not read cost the stack nothing but these bounds.
 */
#ifndef CMD_CONTROL_H
#define CMD_CONTROL_H

#include <jansson.h>
#include <sys/types.h>
#include <sys/un.h>

#include "beckon/stack.h"
#include "cmd/run_loop.h"

#define CONTROL_REQUEST_MAX     1024u
#define CONTROL_CONNECTIONS_MAX 100000u
#define CONTROL_CLIENTS         8u

/* Whom a socket is named after. */
struct control_name {
    pid_t pid;
    int32_t index; /* of the stack in its group; -1: the process has one stack */
};
#define CONTROL_NAME 24u
/* "4242" or "4242.1". */
char *control_name_format(const struct control_name *name, char text[CONTROL_NAME]);

/* ---- the side that runs a stack -------------------------------------------------------------------- */

struct control_client {
    int fd; /* -1: free */
    uint64_t since;
    uint32_t request_length;
    char request[CONTROL_REQUEST_MAX];
    char *reply; /* NULL until the request is whole */
    size_t reply_length, reply_sent;
    struct control *control;
};

struct control {
    struct run_loop *loop;
    bk_stack *stack;
    const char *command; /* the subcommand that runs the stack */
    int fd;
    struct sockaddr_un address;
    struct control_client client[CONTROL_CLIENTS];
};

/* Opens the socket and lets the loop serve it. Returns 0, or a negative errno and in why[] what is wrong, in words. */
#define CONTROL_WHY 256
int control_open(struct control *c, struct run_loop *loop, bk_stack *stack, const char *command, char why[CONTROL_WHY]);
/* Removes the socket, if there is one. */
void control_close(struct control *c);

/* ---- the side that asks ---------------------------------------------------------------------------- */

/* The names of running stacks, in order, in *names (to be freed). Sockets that dead processes left behind are removed on
 * the way. Returns how many, or a negative errno and why[]. */
ptrdiff_t control_list(struct control_name **names, char why[CONTROL_WHY]);

struct control_reply {
    struct control_name name;
    char command[32];
    char version[16];
    uint64_t now; /* the stack's time */
    bool truncated;
    struct bk_tcp_info *infos; /* to be freed */
    size_t count;
};
/* Asks one stack for its connections. Returns 0, or a negative errno (-ESRCH: no such stack) and why[]. */
int control_ask(const struct control_name *name, struct control_reply *reply, char why[CONTROL_WHY]);

/* ---- shared by both -------------------------------------------------------------------------------- */

/* The directory; made if `make`. Returns 0, or a negative errno (-ENOENT: none there) and why[]. */
int control_directory(char path[sizeof((struct sockaddr_un *)0)->sun_path], bool make, char why[CONTROL_WHY]);
/* The address of the socket with this name; false if the directory's name is too long for one. */
bool control_address(const char *directory, const struct control_name *name, struct sockaddr_un *address);
/* A connection as a JSON object with all of its members, and back. The latter returns false for what is no such object. */
json_t *control_info_encode(const struct bk_tcp_info *info);
bool control_info_decode(const json_t *object, struct bk_tcp_info *info);

#endif

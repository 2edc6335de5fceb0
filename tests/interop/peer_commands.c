/* The mode commands: user calls one at a time, as a test script asks for them.
 *
 * Each line on stdin is a command, and gets one line of answer on stdout: "ok", "ok" and a result, "eof", or "error"
 * and a name. A command that must wait for the stack (accept, connected, receive, wait) waits here, while the stack
 * runs on, for at most 20 seconds, and then answers "error timeout".
 *
 *     listen PORT                    connect ADDRESS PORT [LOCAL-PORT]
 *     accept      connected          send TEXT     send-bytes N
 *     fill N                         queues up to N bytes, as many as go at once
 *     receive N   receive-all        shutdown   close   abort
 *     keepalive                      turns it on for the connection in hand
 *     state                          of the connection in hand
 *     states                         of all but listeners, sorted by state; "none" if there are none
 *     wait STATES                    until `states` would answer this
 *     error                          the connection's pending error, by name
 *     get FIELD                      of bk_tcp_info: see command_fields
 *     count REASON                   how often it was given
 *     sleep MS    report    quit
 */
#define _GNU_SOURCE
#include "peer.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMAND_WORDS   5
#define COMMAND_TIMEOUT UINT64_C(20000000000)

static struct commands {
    char input[4096];
    size_t input_length;
    char line[4096]; /* the command in hand, its words ended by NUL */
    char *word[COMMAND_WORDS];
    bool pending; /* the command in hand waits for the stack */
    uint64_t since;
    bk_conn conn;
    uint64_t received; /* by this receive command so far */
    uint64_t unsent;   /* of this send-bytes command */
    uint8_t data[65536];
} commands;

bool commands_reading(void) {
    return !commands.pending;
}

static bool command_is(const char *name) {
    return strcmp(commands.word[0], name) == 0;
}

static bool answer(const char *text) {
    puts(text);
    return true;
}

static bool answer_result(int result) {
    if (result < 0)
        printf("error %s\n", peer_error_name(result));
    else
        puts("ok");
    return true;
}

static uint64_t command_number(int word) {
    return commands.word[word] == NULL ? 0 : strtoull(commands.word[word], NULL, 10);
}

/* ---- commands that answer at once ------------------------------------------------------------------ */

static bool command_connect(struct peer *p, uint64_t now) {
    struct bk_tcp_open open = {.remote_port = (uint16_t)command_number(2), .local_port = (uint16_t)command_number(3)};
    if (commands.word[1] == NULL || bk_addr_parse(commands.word[1], &open.remote) != 0) return answer("error address");
    return answer_result(bk_tcp_connect(p->stack, &open, now, &commands.conn));
}

static bool command_listen(struct peer *p, uint64_t now) {
    bk_addr any = {{0}};
    return answer_result(
        bk_tcp_listen(p->stack, &any, (uint16_t)command_number(1), p->o.backlog, 0, now, &p->listener));
}

/* The states of everything but listeners, in the order of enum bk_state. */
static const char *command_states(const struct peer *p, char *text, size_t size) {
    uint32_t count[BK_STATES] = {0};
    uint64_t cursor = 0;
    struct bk_tcp_info info;
    while (bk_tcp_list(p->stack, &cursor, &info))
        if (info.state < BK_STATES) count[info.state]++;
    text[0] = '\0';
    for (uint8_t state = 0; state < BK_STATES; state++) {
        if (state == BK_LISTEN) continue;
        for (; count[state] > 0; count[state]--)
            snprintf(text + strlen(text), size - strlen(text), "%s%s", text[0] == '\0' ? "" : " ",
                     bk_state_name(state));
    }
    return text[0] == '\0' ? "none" : text;
}

static bool command_get(const struct peer *p) {
    struct bk_tcp_info i;
    int error = bk_tcp_status(p->stack, commands.conn, &i);
    if (error != 0) return answer_result(error);
    const struct {
        const char *name;
        uint64_t value;
    } fields[] = {{"send_mss", i.send_mss},
                  {"snd_wnd", i.snd_wnd},
                  {"rcv_wnd", i.rcv_wnd},
                  {"local_port", i.local_port},
                  {"send_queued", i.send_queued},
                  {"receive_queued", i.receive_queued},
                  {"timestamps", i.timestamps},
                  {"send_scale", i.send_scale},
                  {"receive_scale", i.receive_scale},
                  {"segments_retransmitted", i.segments_retransmitted}};
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
        if (commands.word[1] == NULL || strcmp(commands.word[1], fields[f].name) != 0) continue;
        printf("ok %" PRIu64 "\n", fields[f].value);
        return true;
    }
    return answer("error field");
}

static bool command_count(const struct peer *p) {
    for (uint16_t reason = 0; reason < BK_REASON_COUNT; reason++) {
        if (commands.word[1] == NULL || strcmp(commands.word[1], bk_reason_name(reason)) != 0) continue;
        printf("ok %" PRIu64 "\n", bk_reason_count(p->stack, reason));
        return true;
    }
    return answer("error reason");
}

static bool command_ask(struct peer *p, uint64_t now) {
    struct bk_tcp_info info;
    char text[1024];
    if (command_is("states")) {
        printf("ok %s\n", command_states(p, text, sizeof text));
    } else if (command_is("state") || command_is("error")) {
        int error = bk_tcp_status(p->stack, commands.conn, &info);
        if (error != 0) return answer_result(error);
        printf("ok %s\n", command_is("state") ? bk_state_name(info.state) : peer_error_name(info.error));
    } else if (command_is("get")) {
        return command_get(p);
    } else if (command_is("count")) {
        return command_count(p);
    } else if (command_is("report")) {
        peer_report(p, now);
    } else {
        return answer("error command");
    }
    return true;
}

/* ---- commands that may wait: false means that they do ---------------------------------------------- */

static bool command_connected(struct peer *p) {
    struct bk_tcp_info info;
    int error = bk_tcp_status(p->stack, commands.conn, &info);
    if (error == 0) error = info.error;
    if (error != 0) return answer_result(error);
    if (info.state == BK_SYN_SENT || info.state == BK_SYN_RECEIVED) return false;
    return answer("ok");
}

static bool command_accept(struct peer *p, uint64_t now) {
    int error = bk_tcp_accept(p->stack, p->listener, 0, now, &commands.conn);
    return error == -EAGAIN ? false : answer_result(error);
}

/* receive N answers with the text, receive-all with the number of bytes up to the end of data. */
static bool command_receive(struct peer *p, uint64_t now) {
    bool all = command_is("receive-all");
    if (!all && command_number(1) > sizeof commands.data) return answer("error size");
    for (;;) {
        uint8_t *to = commands.data + (all ? 0 : commands.received);
        size_t room = all ? sizeof commands.data : (size_t)(command_number(1) - commands.received);
        if (!all && commands.received == command_number(1)) {
            printf("ok %.*s\n", (int)commands.received, (const char *)commands.data);
            return true;
        }
        ptrdiff_t n = bk_tcp_receive(p->stack, commands.conn, to, room, now);
        if (n == -EAGAIN) return false;
        if (n < 0) return answer_result((int)n);
        if (n == 0 && !all) return answer("eof");
        if (n == 0) {
            printf("ok %" PRIu64 "\n", commands.received);
            return true;
        }
        commands.received += (uint64_t)n;
    }
}

static bool command_send_bytes(struct peer *p, uint64_t now) {
    while (commands.unsent > 0) {
        size_t length = commands.unsent < sizeof commands.data ? (size_t)commands.unsent : sizeof commands.data;
        ptrdiff_t n = bk_tcp_send(p->stack, commands.conn, commands.data, length, 0, now);
        if (n == -EAGAIN && command_is("fill")) break;
        if (n == -EAGAIN) return false;
        if (n < 0) return answer_result((int)n);
        commands.unsent -= (uint64_t)n;
    }
    return answer("ok");
}

static bool command_wait(const struct peer *p) {
    char have[1024], want[1024] = "";
    for (int w = 1; w < COMMAND_WORDS && commands.word[w] != NULL; w++)
        snprintf(want + strlen(want), sizeof want - strlen(want), "%s%s", w == 1 ? "" : " ", commands.word[w]);
    return strcmp(command_states(p, have, sizeof have), want) == 0 ? answer("ok") : false;
}

static bool command_run(struct peer *p, uint64_t now) {
    bk_conn conn = commands.conn;
    if (command_is("listen")) return command_listen(p, now);
    if (command_is("connect")) return command_connect(p, now);
    if (command_is("accept")) return command_accept(p, now);
    if (command_is("connected")) return command_connected(p);
    if (command_is("send")) {
        const char *text = commands.word[1] == NULL ? "" : commands.word[1];
        ptrdiff_t n = bk_tcp_send(p->stack, conn, text, strlen(text), 0, now);
        return answer_result(n < 0 ? (int)n : 0);
    }
    if (command_is("send-bytes") || command_is("fill")) return command_send_bytes(p, now);
    if (command_is("receive") || command_is("receive-all")) return command_receive(p, now);
    if (command_is("shutdown")) return answer_result(bk_tcp_shutdown(p->stack, conn, now));
    if (command_is("close")) return answer_result(bk_tcp_close(p->stack, conn, now));
    if (command_is("abort")) return answer_result(bk_tcp_abort(p->stack, conn, now));
    if (command_is("keepalive")) return answer_result(bk_tcp_set(p->stack, conn, BK_TCP_KEEPALIVE, 1, now));
    if (command_is("wait")) return command_wait(p);
    if (command_is("sleep")) return now - commands.since < command_number(1) * 1000000 ? false : answer("ok");
    if (command_is("quit")) {
        p->outcome = "done";
        return answer("ok");
    }
    return command_ask(p, now);
}

/* ---- lines ----------------------------------------------------------------------------------------- */

/* Takes the next line of stdin apart into words; false if none is complete. */
static bool command_next(struct peer *p, uint64_t now) {
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    char *end = memchr(commands.input, '\n', commands.input_length);
    if (end == NULL && poll(&in, 1, 0) == 1) {
        ssize_t n =
            read(STDIN_FILENO, commands.input + commands.input_length, sizeof commands.input - commands.input_length);
        if (n <= 0) p->outcome = "done";
        if (n > 0) commands.input_length += (size_t)n;
        end = memchr(commands.input, '\n', commands.input_length);
    }
    if (end == NULL) return false;
    size_t length = (size_t)(end - commands.input);
    memcpy(commands.line, commands.input, length);
    commands.line[length] = '\0';
    commands.input_length -= length + 1;
    memmove(commands.input, end + 1, commands.input_length);

    char *save = NULL;
    memset(commands.word, 0, sizeof commands.word);
    for (int w = 0; w < COMMAND_WORDS; w++) {
        commands.word[w] = strtok_r(w == 0 ? commands.line : NULL, " ", &save);
        if (commands.word[w] == NULL) break;
    }
    commands.since = now;
    commands.received = 0;
    commands.unsent = command_number(1);
    return commands.word[0] != NULL;
}

/* Scripts poll with their own commands, so events are only taken off the queue. */
bool commands_step(struct peer *p, uint64_t now) {
    struct bk_ready events[16];
    while (bk_ready_poll(p->stack, events, 16) > 0) {
    }
    if (!commands.pending && !command_next(p, now)) return false;
    commands.pending = !command_run(p, now);
    if (commands.pending && now - commands.since > COMMAND_TIMEOUT) {
        commands.pending = false;
        answer("error timeout");
    }
    return !commands.pending;
}

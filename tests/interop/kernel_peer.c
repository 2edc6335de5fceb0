/* The kernel side of the interop tests: an ordinary program on ordinary sockets.
 *
 *     kernel_peer [options] listen PORT | connect ADDRESS PORT
 *     kernel_peer [options] flood ADDRESS PORT COUNT
 *     kernel_peer ping ADDRESS COUNT SIZE [SOURCE]
 *     kernel_peer commands
 *
 * listen and connect carry one connection: the file of --send goes out while what arrives goes to the file of --receive.
 * flood opens COUNT connections one after the other, waits for each one's end of data and closes it, and prints
 * as flat JSON how that went. ping sends COUNT echo requests and wants each payload back. commands makes socket calls one at a time, as a test script asks for them on stdin:
 * see kernel_commands. Every socket uses the congestion control of --congestion (default cubic), whatever the machine
 * prefers. Exit status 0: all went well; 1: a connection failed; 2: usage or environment. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 65536u

enum kernel_close { KERNEL_CLOSE_SHUT, KERNEL_CLOSE_FIRST, KERNEL_CLOSE_LAST, KERNEL_CLOSE_RESET };

static struct {
    const char *send_path, *receive_path, *congestion;
    enum kernel_close close;
    uint16_t local_port;
    int timeout_ms;
} options = {.congestion = "cubic", .timeout_ms = 60000};

static _Noreturn void kernel_fail(const char *what) {
    fprintf(stderr, "kernel_peer: %s: %s\n", what, strerror(errno));
    exit(2);
}

static uint64_t kernel_now_us(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* ---- sockets --------------------------------------------------------------------------------------- */

static int kernel_socket(int family) {
    int one = 1, zero = 0, fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) kernel_fail("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, options.congestion, (socklen_t)strlen(options.congestion)) != 0)
        kernel_fail(options.congestion);
    return fd;
}

static socklen_t kernel_address(const char *host, const char *port, struct sockaddr_storage *out) {
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo(host, port, &hints, &found) != 0) {
        fprintf(stderr, "kernel_peer: %s %s: not an address and port\n", host, port);
        exit(2);
    }
    socklen_t length = found->ai_addrlen;
    memcpy(out, found->ai_addr, length);
    freeaddrinfo(found);
    return length;
}

/* A socket of the remote's family, bound to local_port if that is not 0. */
static int kernel_client_socket(const struct sockaddr_storage *remote, uint16_t local_port) {
    int fd = kernel_socket(remote->ss_family);
    struct sockaddr_in6 local = {.sin6_family = remote->ss_family};
    if (remote->ss_family == AF_INET)
        ((struct sockaddr_in *)(void *)&local)->sin_port = htons(local_port);
    else
        local.sin6_port = htons(local_port);
    socklen_t length = remote->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof local;
    if (local_port != 0 && bind(fd, (struct sockaddr *)&local, length) != 0) kernel_fail("bind");
    return fd;
}

static int kernel_listen(const char *port) {
    int fd = kernel_socket(AF_INET6);
    struct sockaddr_in6 local = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port))};
    if (bind(fd, (struct sockaddr *)&local, sizeof local) != 0 || listen(fd, 128) != 0) kernel_fail("listen");
    return fd;
}

static void kernel_reset(int fd) {
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
}

/* ---- listen and connect: one connection, both ways at once ----------------------------------------- */

struct transfer {
    int fd, receive_fd;
    const uint8_t *data;
    uint64_t sent, length;
    bool shut, eof;
};

static void transfer_open(struct transfer *t, int fd) {
    *t = (struct transfer){.fd = fd, .receive_fd = -1};
    if (options.send_path != NULL) {
        struct stat st;
        int file = open(options.send_path, O_RDONLY | O_CLOEXEC);
        if (file < 0 || fstat(file, &st) != 0) kernel_fail(options.send_path);
        t->length = (uint64_t)st.st_size;
        void *data = t->length == 0 ? NULL : mmap(NULL, t->length, PROT_READ, MAP_PRIVATE, file, 0);
        if (data == MAP_FAILED) kernel_fail(options.send_path);
        t->data = data;
        close(file);
    }
    if (options.receive_path != NULL) {
        t->receive_fd = open(options.receive_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (t->receive_fd < 0) kernel_fail(options.receive_path);
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
}

/* Both return false when the connection failed, with errno. */
static bool transfer_read(struct transfer *t) {
    static uint8_t buffer[CHUNK];
    ssize_t n = read(t->fd, buffer, sizeof buffer);
    if (n < 0) return errno == EAGAIN;
    t->eof = n == 0;
    for (ssize_t done = 0; t->receive_fd >= 0 && done < n;) {
        ssize_t w = write(t->receive_fd, buffer + done, (size_t)(n - done));
        if (w < 0) kernel_fail(options.receive_path);
        done += w;
    }
    return true;
}

static bool transfer_write(struct transfer *t) {
    if (t->sent < t->length) {
        size_t left = t->length - t->sent;
        ssize_t n = write(t->fd, t->data + t->sent, left < 4 * CHUNK ? left : 4 * CHUNK);
        if (n < 0) return errno == EAGAIN;
        t->sent += (uint64_t)n;
    }
    if (t->sent == t->length && options.close != KERNEL_CLOSE_FIRST && options.close != KERNEL_CLOSE_RESET) {
        shutdown(t->fd, SHUT_WR);
        t->shut = true;
    }
    return true;
}

/* Carries it to its end. Returns 0, or the errno with which it failed. */
static int transfer_run(int fd) {
    struct transfer t;
    transfer_open(&t, fd);
    bool reading = options.close == KERNEL_CLOSE_SHUT || options.close == KERNEL_CLOSE_LAST;
    while (!(t.shut && t.eof)) {
        if (!reading && t.sent == t.length) break;
        bool writing = !t.shut && (options.close != KERNEL_CLOSE_LAST || t.eof);
        struct pollfd p = {.fd = fd, .events = (short)((reading && !t.eof ? POLLIN : 0) | (writing ? POLLOUT : 0))};
        int n = poll(&p, 1, options.timeout_ms);
        if (n == 0) return ETIMEDOUT;
        if ((p.revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !transfer_read(&t)) return errno;
        if (writing && (p.revents & POLLOUT) != 0 && !transfer_write(&t)) return errno;
    }
    if (options.close == KERNEL_CLOSE_RESET)
        kernel_reset(fd);
    else
        close(fd);
    return 0;
}

static int kernel_transfer(bool server, char **argument) {
    int fd;
    if (server) {
        int listener = kernel_listen(argument[0]);
        puts("ready");
        struct pollfd p = {.fd = listener, .events = POLLIN};
        errno = ETIMEDOUT;
        fd = poll(&p, 1, options.timeout_ms) == 1 ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
        close(listener);
    } else {
        struct sockaddr_storage remote;
        socklen_t length = kernel_address(argument[0], argument[1], &remote);
        fd = kernel_client_socket(&remote, options.local_port);
        if (connect(fd, (struct sockaddr *)&remote, length) != 0) fd = -1;
    }
    int error = fd < 0 ? errno : transfer_run(fd);
    printf("{\"error\": \"%s\"}\n", error == 0 ? "none" : strerrorname_np(error));
    return error != 0;
}

/* ---- flood: many connections, one after the other -------------------------------------------------- */

struct flood {
    uint64_t done, failed, slow, resent, longest_us;
    uint64_t ports, reused, reused_later; /* local ports seen; used again within 2MSL; used again after it */
    uint64_t last_use[65536];             /* microseconds, 0: never */
    int last_error;
};

#define FLOOD_SLOW_US    500000u   /* below the kernel's first SYN retransmission, far above a round trip here */
#define FLOOD_TWO_MSL_US 60000000u /* MSL of 30 s */

static void flood_port(struct flood *f, int fd, uint64_t now) {
    struct sockaddr_in6 local = {0};
    socklen_t length = sizeof local;
    getsockname(fd, (struct sockaddr *)&local, &length);
    uint16_t port = ntohs(local.sin6_port); /* at the same place in sockaddr_in */
    if (f->last_use[port] == 0)
        f->ports++;
    else if (now - f->last_use[port] < FLOOD_TWO_MSL_US)
        f->reused++;
    else
        f->reused_later++;
    f->last_use[port] = now;
}

/* One connection. Returns 0 or an errno. */
static int flood_one(struct flood *f, const struct sockaddr_storage *remote, socklen_t length) {
    int fd = kernel_client_socket(remote, 0);
    struct timeval patience = {.tv_sec = options.timeout_ms / 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    uint64_t start = kernel_now_us();
    int error = connect(fd, (const struct sockaddr *)remote, length) == 0 ? 0 : errno;
    uint64_t took = kernel_now_us() - start;
    char byte;
    ssize_t n = 1;
    while (error == 0 && n > 0) {
        n = read(fd, &byte, 1);
        if (n < 0) error = errno;
    }
    struct tcp_info info = {0};
    socklen_t info_length = sizeof info;
    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &info_length);
    flood_port(f, fd, start);
    f->resent += info.tcpi_total_retrans;
    f->slow += took > FLOOD_SLOW_US;
    if (took > f->longest_us) f->longest_us = took;
    close(fd);
    return error;
}

static int kernel_flood(char **argument) {
    static struct flood f;
    struct sockaddr_storage remote;
    socklen_t length = kernel_address(argument[0], argument[1], &remote);
    uint64_t count = strtoull(argument[2], NULL, 10), start = kernel_now_us();
    while (f.done + f.failed < count && f.failed < 100) {
        int error = flood_one(&f, &remote, length);
        if (error == 0)
            f.done++;
        else
            f.failed++, f.last_error = error;
    }
    printf("{\"done\": %" PRIu64 ", \"failed\": %" PRIu64 ", \"last_error\": \"%s\", \"slow\": %" PRIu64
           ", \"resent\": %" PRIu64 ", \"longest_us\": %" PRIu64 ", \"ports\": %" PRIu64 ", \"reused\": %" PRIu64
           ", \"reused_later\": %" PRIu64 ", \"milliseconds\": %" PRIu64 "}\n",
           f.done, f.failed, f.last_error == 0 ? "none" : strerrorname_np(f.last_error), f.slow, f.resent, f.longest_us,
           f.ports, f.reused, f.reused_later, (kernel_now_us() - start) / 1000);
    return f.failed != 0;
}

/* ---- ping: by the kernel's ICMP sockets ------------------------------------------------------------- */

static int kernel_ping(char **argument) {
    struct sockaddr_storage remote, source;
    socklen_t length = kernel_address(argument[0], "0", &remote);
    bool ipv4 = remote.ss_family == AF_INET;
    int fd = socket(remote.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, ipv4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
    if (fd < 0) kernel_fail("ICMP socket");
    if (argument[3] != NULL && bind(fd, (struct sockaddr *)&source, kernel_address(argument[3], "0", &source)) != 0)
        kernel_fail("bind");
    struct timeval patience = {.tv_sec = 1};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);

    static uint8_t request[65536], answer[65536];
    unsigned count = (unsigned)atoi(argument[1]), answered = 0;
    size_t size = 8 + strtoul(argument[2], NULL, 10) % 60000;
    for (unsigned i = 0; i < count; i++) {
        for (size_t k = 8; k < size; k++) request[k] = (uint8_t)(k * 7 + i);
        request[0] = ipv4 ? 8 : 128; /* echo; the kernel fills in checksum and identifier */
        request[7] = (uint8_t)i;     /* the sequence number's low byte */
        if (sendto(fd, request, size, 0, (struct sockaddr *)&remote, length) < 0) continue;
        ssize_t n = recv(fd, answer, sizeof answer, 0);
        answered += n == (ssize_t)size && answer[7] == (uint8_t)i && memcmp(answer + 8, request + 8, size - 8) == 0;
    }
    printf("{\"sent\": %u, \"answered\": %u}\n", count, answered);
    return answered != count;
}

/* ---- commands -------------------------------------------------------------------------------------- */

static struct { int listener, fd; } held = {-1, -1};

static void answer_errno(int result) {
    if (result < 0)
        printf("error %s\n", strerrorname_np(errno));
    else
        puts("ok");
}

/* Starts to connect; `connected` tells how it went. */
static void command_connect(const char *host, const char *port, const char *local_port) {
    struct sockaddr_storage remote;
    socklen_t length = kernel_address(host, port, &remote);
    held.fd = kernel_client_socket(&remote, local_port == NULL ? 0 : (uint16_t)atoi(local_port));
    fcntl(held.fd, F_SETFL, O_NONBLOCK);
    int result = connect(held.fd, (struct sockaddr *)&remote, length);
    answer_errno(result < 0 && errno == EINPROGRESS ? 0 : result);
}

static void command_connected(void) {
    struct pollfd p = {.fd = held.fd, .events = POLLOUT};
    int error = ETIMEDOUT;
    socklen_t length = sizeof error;
    if (poll(&p, 1, 20000) == 1) getsockopt(held.fd, SOL_SOCKET, SO_ERROR, &error, &length);
    fcntl(held.fd, F_SETFL, 0);
    errno = error;
    answer_errno(error == 0 ? 0 : -1);
}

static void command_accept(void) {
    struct pollfd p = {.fd = held.listener, .events = POLLIN};
    errno = ETIMEDOUT;
    held.fd = poll(&p, 1, 20000) == 1 ? accept4(held.listener, NULL, NULL, SOCK_CLOEXEC) : -1;
    answer_errno(held.fd);
}

static void command_receive(uint64_t want, bool all) {
    static char data[CHUNK];
    struct timeval patience = {.tv_sec = 20};
    setsockopt(held.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    uint64_t have = 0;
    while (all || have < want) {
        ssize_t n = read(held.fd, data + (all ? 0 : have), all ? CHUNK : (size_t)(want - have));
        if (n < 0) {
            answer_errno(-1);
            return;
        }
        if (n == 0) break;
        have += (uint64_t)n;
    }
    if (all)
        printf("ok %" PRIu64 "\n", have);
    else if (have < want)
        puts("eof");
    else
        printf("ok %.*s\n", (int)have, data);
}

static void command_send_bytes(uint64_t left) {
    static const uint8_t zeros[CHUNK];
    while (left > 0) {
        ssize_t n = write(held.fd, zeros, left < CHUNK ? (size_t)left : CHUNK);
        if (n < 0) {
            answer_errno(-1);
            return;
        }
        left -= (uint64_t)n;
    }
    puts("ok");
}

static void kernel_command(char *word[5]) {
    const char *name = word[0], *one = word[1] == NULL ? "0" : word[1];
    if (strcmp(name, "listen") == 0) {
        if (held.listener >= 0) close(held.listener);
        held.listener = kernel_listen(one);
        puts("ok");
    } else if (strcmp(name, "connect") == 0 && word[2] != NULL) {
        command_connect(one, word[2], word[3]);
    } else if (strcmp(name, "connected") == 0) {
        command_connected();
    } else if (strcmp(name, "accept") == 0) {
        command_accept();
    } else if (strcmp(name, "send") == 0) {
        answer_errno((int)write(held.fd, one, strlen(one)));
    } else if (strcmp(name, "send-bytes") == 0) {
        command_send_bytes(strtoull(one, NULL, 10));
    } else if (strcmp(name, "receive") == 0) {
        uint64_t want = strtoull(one, NULL, 10);
        command_receive(want < CHUNK ? want : CHUNK, false);
    } else if (strcmp(name, "receive-all") == 0) {
        command_receive(0, true);
    } else if (strcmp(name, "shutdown") == 0) {
        answer_errno(shutdown(held.fd, SHUT_WR));
    } else if (strcmp(name, "close") == 0) {
        answer_errno(close(held.fd));
        held.fd = -1;
    } else if (strcmp(name, "reset") == 0) {
        kernel_reset(held.fd);
        held.fd = -1;
        puts("ok");
    } else if (strcmp(name, "quit") == 0) {
        puts("ok");
        exit(0);
    } else {
        puts("error command");
    }
}

/* The same words as the Beckon side's (peer_commands.c), with reset for abort. */
static int kernel_commands(void) {
    char line[4096];
    puts("ready");
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *word[5] = {NULL}, *save = NULL;
        line[strcspn(line, "\n")] = '\0';
        for (int w = 0; w < 5; w++)
            if ((word[w] = strtok_r(w == 0 ? line : NULL, " ", &save)) == NULL) break;
        if (word[0] != NULL) kernel_command(word);
    }
    return 0;
}

/* ---- main ------------------------------------------------------------------------------------------ */

static void kernel_option(int option, const char *value) {
    static const char *const closes[] = {"shut", "first", "last", "reset"};
    switch (option) {
    case 's':
        options.send_path = value;
        break;
    case 'r':
        options.receive_path = value;
        break;
    case 'g':
        options.congestion = value;
        break;
    case 'p':
        options.local_port = (uint16_t)atoi(value);
        break;
    case 't':
        options.timeout_ms = atoi(value) * 1000;
        break;
    case 'c':
        for (int i = 0; i < 4; i++)
            if (strcmp(value, closes[i]) == 0) {
                options.close = (enum kernel_close)i;
                return;
            }
        /* fallthrough */
    default:
        fprintf(stderr, "kernel_peer: bad option\n");
        exit(2);
    }
}

int main(int argc, char **argv) {
    static const struct option long_options[] = {
        {"send", 1, NULL, 's'},       {"receive", 1, NULL, 'r'},    {"close", 1, NULL, 'c'},
        {"local-port", 1, NULL, 'p'}, {"congestion", 1, NULL, 'g'}, {"timeout-s", 1, NULL, 't'},
        {NULL, 0, NULL, 0},
    };
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int option; (option = getopt_long(argc, argv, "+", long_options, NULL)) != -1;) kernel_option(option, optarg);
    const char *mode = optind < argc ? argv[optind++] : "";
    char **rest = argv + optind;
    int count = argc - optind;
    if (strcmp(mode, "listen") == 0 && count == 1) return kernel_transfer(true, rest);
    if (strcmp(mode, "connect") == 0 && count == 2) return kernel_transfer(false, rest);
    if (strcmp(mode, "flood") == 0 && count == 3) return kernel_flood(rest);
    if (strcmp(mode, "ping") == 0 && (count == 3 || count == 4)) return kernel_ping(rest);
    if (strcmp(mode, "commands") == 0 && count == 0) return kernel_commands();
    fprintf(stderr, "usage: kernel_peer [options] listen PORT | connect ADDRESS PORT | flood ADDRESS PORT COUNT |\n"
                    "       ping ADDRESS COUNT SIZE [SOURCE] | commands\n");
    return 2;
}

/* `beckon serve` in three files: serve.c reads the arguments, serve_cores.c runs as many stacks as asked for, and serve_stack.c is one of them. */
#ifndef CMD_SERVE_H
#define CMD_SERVE_H

#include "beckon/link.h"
#include "beckon/steer.h"
#include "cmd/control.h"
#include "cmd/http_server.h"
#include "cmd/run_loop.h"
#include "cmd/site.h"

#define SERVE_ADDRESSES 8u

struct serve_address {
    bk_addr addr;
    uint8_t prefix_length;
};

/* What is asked for. */
struct serve_options {
    const char *device, *netns, *root, *pcap;
    bool tun, xdp, plain;
    struct serve_address address[SERVE_ADDRESSES];
    size_t address_count;
    bk_addr gateway[SERVE_ADDRESSES];
    size_t gateway_count;
    uint16_t port;
    uint32_t mtu, msl_s, connections, cores;
};

/* A stack with its link, its server and its control socket. All of it is one thread's; nothing is shared but the options. */
struct serve_stack {
    const struct serve_options *options;
    struct run_loop loop;
    bk_stack *stack;
    struct site_pages pages;
    struct site_directory directory;
    struct http_server server;
    struct control control;
};

/* What the stacks have in common. */
struct serve_common {
    const struct serve_options *options;
    struct bk_steering steering; /* its index is of no matter */
    uint8_t mac[6];
    uint32_t mtu;
    bk_group *group; /* NULL: there is one stack */
};

/* Makes all of it but the loop, which must have been begun: the stack with this number, on the queue with this number; `first` is the link on the first
 * one, or NULL. Returns 0, or a negative errno and the complaint is printed; close it in either case. */
int serve_stack_open(struct serve_stack *s, const struct serve_common *common, uint32_t index, const bk_link *first);
/* Runs until the loop ends. Returns 0, or the negative errno of a device that failed. */
int serve_stack_run(struct serve_stack *s);
/* Resets what is open and ends the capture. Returns 0 or a negative errno, whose complaint is printed. */
int serve_stack_stop(struct serve_stack *s);
void serve_stack_close(struct serve_stack *s);

/* Runs the stacks until a signal, or a device that fails, ends them. Returns an exit status. */
int serve_cores(const struct serve_options *options);

#endif

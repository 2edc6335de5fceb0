/* The user's calls: RFC 9293 3.10.1 to 3.10.6. What each returns is said in beckon/stack.h, whose functions
 * forward here once they have found the record. */
#ifndef TCP_USER_CALLS_H
#define TCP_USER_CALLS_H

#include "tcp/connection.h"

struct user_open {
    struct tuple tuple; /* local_port 0: choose */
    uint8_t iface;
    uint64_t user;
};
int user_open_active(struct tcp *t, const struct user_open *open, bk_conn *out);
int user_accept(struct tcp *t, struct listener *l, uint64_t user, bk_conn *out);
void user_unlisten(struct tcp *t, struct listener *l);
ptrdiff_t user_send(struct tcp *t, struct connection *c, const void *data, size_t length, uint32_t flags);
int user_send_parts(struct tcp *t, struct connection *c, const struct bk_part *parts, size_t n, uint32_t flags);
ptrdiff_t user_receive(struct tcp *t, struct connection *c, void *data, size_t size);
size_t user_peek_parts(const struct tcp *t, const struct connection *c, struct bk_part *parts, size_t n);
int user_consume(struct tcp *t, struct connection *c, size_t length);
int user_shutdown(struct tcp *t, struct connection *c);
void user_close(struct tcp *t, struct connection *c);
void user_abort(struct tcp *t, struct connection *c);
void user_status(const struct tcp *t, const struct connection *c, struct bk_tcp_info *info);
void user_look(const struct tcp *t, const struct connection *c, struct bk_tcp_look *look);
int user_set(struct tcp *t, struct connection *c, enum bk_tcp_option option, uint64_t value);
int user_get(const struct connection *c, enum bk_tcp_option option, uint64_t *value);
int user_listener_set(struct tcp *t, struct listener *l, enum bk_tcp_option option, uint64_t value);
/* A new connection takes over what was set for its listener. */
void user_inherit(struct tcp *t, const struct listener *l, struct connection *c);

#endif

/* Control messages. See message.h. */
#include "posix/message.h"

#include <linux/net_tstamp.h>

void message_put_control(const struct bk_sockets *s, struct msghdr *msg, int level, int type, const void *data,
                         size_t size) {
    size_t whole = CMSG_LEN(size), n = msg->msg_controllen < whole ? msg->msg_controllen : whole;
    if (n < whole) msg->msg_flags |= MSG_CTRUNC;
    if (n < CMSG_LEN(0) || !memory_good(s, msg->msg_control, n, true)) return;
    struct cmsghdr head = {.cmsg_len = n, .cmsg_level = level, .cmsg_type = type};
    memcpy(msg->msg_control, &head, sizeof head);
    memcpy((uint8_t *)msg->msg_control + CMSG_LEN(0), data, n - CMSG_LEN(0));
    size_t step = CMSG_SPACE(size) < msg->msg_controllen ? CMSG_SPACE(size) : msg->msg_controllen;
    msg->msg_control = (uint8_t *)msg->msg_control + step;
    msg->msg_controllen -= step;
}

int message_read_control(const struct bk_sockets *s, const struct msghdr *msg, uint32_t *stamping) {
    const uint8_t *at = msg->msg_control;
    size_t left = msg->msg_controllen;
    if (left == 0) return 0;
    if (!memory_good(s, at, left, false)) return -EFAULT;
    while (left >= sizeof(struct cmsghdr)) {
        struct cmsghdr head;
        memcpy(&head, at, sizeof head);
        if (head.cmsg_len < sizeof head || head.cmsg_len > left) return -EINVAL;
        if (head.cmsg_level == SOL_SOCKET) {
            const uint32_t when = SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_ACK |
                                  SOF_TIMESTAMPING_TX_HARDWARE;
            uint32_t bits;
            if (head.cmsg_type != SO_TIMESTAMPING || head.cmsg_len != CMSG_LEN(sizeof bits)) return -EINVAL;
            memcpy(&bits, at + CMSG_LEN(0), sizeof bits);
            if (bits & ~when) return -EINVAL;
            *stamping = (*stamping & ~when) | bits;
        }
        size_t step = CMSG_ALIGN(head.cmsg_len);
        if (step > left) step = left;
        at += step;
        left -= step;
    }
    return 0;
}

/* epoll.
 *
 * An item is one registration: a file under a descriptor's number, the events that are wanted, the program's data. A file that wakes (file_wake)
 * puts its items into their epolls' ready lists; epoll_wait takes items from that list and asks the file what is ready now. A
 * level-triggered item that was told goes back to the list's end, an edge-triggered one waits for the next wake, a one-shot one is
 * disarmed. So the work is in proportion to what happens, not to what is registered.
 */
#ifndef POSIX_POLLER_H
#define POSIX_POLLER_H

#include "posix/call.h"

int64_t poller_wait_step(struct step *p);
int64_t poll_step(struct step *p);
uint32_t poller_poll(struct bk_sockets *s, struct bk_file *file);
/* The file woke: its items are ready, perhaps. */
void poller_wake(struct bk_sockets *s, struct bk_file *file, uint32_t events);
/* The file goes: so do its registrations. */
void poller_forget(struct bk_sockets *s, struct bk_file *file);
void poller_release(struct bk_sockets *s, struct bk_file *file);

#endif

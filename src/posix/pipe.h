/* Pipes, and files of given bytes: what sendfile and splice need beside sockets. */
#ifndef POSIX_PIPE_H
#define POSIX_PIPE_H

#include "posix/call.h"

#define PIPE_BYTES  65536u
#define PIPE_ATOMIC 4096u /* PIPE_BUF: a write of so much is not torn */

/* read and write of a pipe's ends and of files. */
int64_t pipe_read_step(struct step *p, const struct span *to);
int64_t pipe_write_step(struct step *p, const struct span *from);
int64_t bytes_read_step(struct step *p, const struct span *to);
int64_t sendfile_step(struct step *p);
int64_t splice_step(struct step *p);
uint32_t pipe_poll(struct bk_file *file);
int pipe_readable(const struct bk_file *file);
void pipe_release(struct bk_sockets *s, struct bk_file *file);

#endif

/* SPDX-License-Identifier: MIT
 *
 * One file descriptor that is readable while something waits. eventfd on Linux, a non-blocking pipe elsewhere; besides
 * it, by request, a unix-domain socket for hosts that can wait on sockets of their own only (OpenResty).
 */
#ifndef FOG_WAKE_H
#define FOG_WAKE_H

#include <stdatomic.h>

struct fog_wake {
  int read_fd;
  int write_fd;   /* the same as read_fd where eventfd serves */
  int mirror_fd;  /* the connected wake-up socket, or -1 */
  atomic_int set; /* 1: a wake-up is under way, further ones would only repeat it */
};

/* 0, or errno. The descriptors are close-on-exec and non-blocking. */
int fog_wake_open(struct fog_wake *w);

/* Safe on a struct whose open failed, and twice. */
void fog_wake_close(struct fog_wake *w);

/* Makes the fd readable, once until the next clear. Any thread; never waits. */
void fog_wake_signal(struct fog_wake *w);

/* Makes the fd unreadable. The reader's thread only, and before it looks at the queue: what is pushed later signals
 * anew. */
void fog_wake_clear(struct fog_wake *w);

/* Waits until the fd is readable or timeout_ms (-1: for ever) has passed. */
void fog_wake_wait(struct fog_wake *w, int timeout_ms);

#endif

/* SPDX-License-Identifier: MIT
 *
 * One file descriptor that is readable while something waits. eventfd on Linux, a non-blocking pipe elsewhere; besides
 * it, by request, a unix-domain socket for hosts that can wait on sockets of their own only (OpenResty).
 */
#ifndef FOG_WAKE_H
#define FOG_WAKE_H

#include <stdbool.h>

struct fog_wake {
  int read_fd;
  int write_fd;  /* the same as read_fd where eventfd serves */
  int mirror_fd; /* the connected wake-up socket, or -1 */
  bool set;      /* readable, or about to be: further signals would only repeat it */
};

/* 0, or errno. The descriptors are close-on-exec and non-blocking. */
int fog_wake_open(struct fog_wake *w);

/* Safe on a struct whose open failed, and twice. */
void fog_wake_close(struct fog_wake *w);

/* Makes the fd readable, once until the next clear. Any thread, under the owner's lock, as clear. Never waits. */
void fog_wake_signal(struct fog_wake *w);

/* The same in two steps, so that whoever is woken does not run into the lock: mark, under the lock, says whether the
 * caller has to write; write needs no lock, and does not reach the mirror. */
bool fog_wake_mark(struct fog_wake *w);
void fog_wake_write(const struct fog_wake *w);

/* Makes the fd unreadable. What is marked and not written yet stays marked: it is going to be readable once more. */
void fog_wake_clear(struct fog_wake *w);

/* Waits until the fd is readable or timeout_ms (-1: for ever) has passed. */
void fog_wake_wait(struct fog_wake *w, int timeout_ms);

#endif

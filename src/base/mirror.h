/* SPDX-License-Identifier: MIT
 *
 * The wake-up socket: a unix-domain socket on which a host that can wait only on sockets of its own (OpenResty's
 * cosockets) hears what the engine's descriptor tells others. The host connects by path; once it has, the path is gone.
 */
#ifndef FOG_MIRROR_H
#define FOG_MIRROR_H

enum { FOG_MIRROR_PATH = 104 }; /* what every system's sockaddr_un holds */

struct fog_mirror {
  int fd; /* listens; -1: closed */
  char path[FOG_MIRROR_PATH];
};

/* Listens in a new folder that only this user can enter. 0, or errno. The owner's thread only, as all of these. */
int fog_mirror_listen(struct fog_mirror *m);

/* The connection that waits, close-on-exec and non-blocking, now the caller's; -1: errno says why. In either case the
 * path is removed and m closed. */
int fog_mirror_accept(struct fog_mirror *m);

/* Removes the path. Harmless twice. */
void fog_mirror_close(struct fog_mirror *m);

#endif

/* SPDX-License-Identifier: MIT
 *
 * Notices clients that have gone. libmicrohttpd's epoll mode misses the end of a stream that is there already when it
 * reads the last bytes, and would keep such a connection until its time-out, and with enough of them take no more.
 */
#ifndef FOG_HANGUPS_H
#define FOG_HANGUPS_H

#include <stdbool.h>
#include <stdint.h>

enum { FOG_HANGUP_SWEEP_MS = 500 };

struct fog_peer_watch { /* one connection */
  struct fog_peer_watch *prev, *next;
  int fd;
  uint64_t number; /* 1 for the first that came */
  bool busy;    /* its request is being answered: a client may close its half meanwhile */
  bool suspect; /* was found closed the last time */
};

struct fog_hangups {
  struct fog_peer_watch *first;
  uint64_t came;
  double last_sweep;
};

/* NULL: no memory. */
struct fog_peer_watch *fog_hangups_add(struct fog_hangups *h, int fd);
void fog_hangups_remove(struct fog_hangups *h, struct fog_peer_watch *w);

/* Shuts down those that are closed by the client for the second time; does nothing when the last sweep was just now. */
void fog_hangups_sweep(struct fog_hangups *h, double now);

#endif

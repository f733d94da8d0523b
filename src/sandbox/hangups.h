/* SPDX-License-Identifier: MIT
 *
 * Notices clients that have gone. libmicrohttpd's epoll mode misses the end of a stream that is there already when it
 * reads the last bytes, and would keep such a connection until its time-out, and with enough of them take no more. Nor
 * does it see the end of one that is suspended. A client that only closed its half looks the same, and is one that has
 * gone when its reply takes longer than two sweeps.
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
  bool busy;       /* its request is being answered */
  bool suspect;    /* was found closed the last time */
  bool gone;       /* busy, and found closed for the second time */
};

struct fog_hangups {
  struct fog_peer_watch *first;
  uint64_t came;
  double last_sweep;
};

/* NULL: no memory. */
struct fog_peer_watch *fog_hangups_add(struct fog_hangups *h, int fd);
void fog_hangups_remove(struct fog_hangups *h, struct fog_peer_watch *w);

/* Shuts down those that are closed by the client for the second time, but for the busy ones, which get their mark; does
 * nothing when the last sweep was just now. */
void fog_hangups_sweep(struct fog_hangups *h, double now);

#endif

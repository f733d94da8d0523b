/* SPDX-License-Identifier: MIT
 *
 * The connections of a server, and which of them go. Those whose client has gone: libmicrohttpd's epoll mode misses the
 * end of a stream that is there already when it reads the last bytes, and would keep such a connection until its
 * time-out. Nor does it see the end of one that is suspended. A client that only closed its half looks the same, and is
 * one that has gone when its reply takes longer than two sweeps. And those that wait for nothing while others wait for
 * them: a connection that has not brought a whole request makes room for a new one, the oldest first.
 */
#ifndef FOG_HANGUPS_H
#define FOG_HANGUPS_H

#include <stdbool.h>
#include <stdint.h>

enum { FOG_HANGUP_SWEEP_MS = 500, FOG_CONNECTIONS = 2000 };

struct fog_peer_watch { /* one connection */
  struct fog_peer_watch *prev, *next;
  int fd;
  uint64_t number;   /* 1 for the first that came */
  uint64_t last_use; /* 0: has brought no request yet; else the later, the larger */
  bool busy;         /* its request is being answered */
  bool suspect;      /* was found closed the last time */
  bool gone;         /* busy, and found closed for the second time */
  bool dropped;      /* has made room */
};

struct fog_hangups {
  struct fog_peer_watch *first; /* the newest */
  uint64_t came, used;
  unsigned count; /* of those not dropped */
  unsigned most;  /* of them: FOG_CONNECTIONS, or fewer where the system gives us fewer descriptors; 0: not asked yet */
  double last_sweep;
};

/* Beyond what there is room for another one goes for it: the oldest that has brought no request, else that whose last
 * one is longest ago; none that is being answered. NULL: no memory. */
struct fog_peer_watch *fog_hangups_add(struct fog_hangups *h, int fd);
void fog_hangups_remove(struct fog_hangups *h, struct fog_peer_watch *w);

/* It has brought a request. */
void fog_hangups_use(struct fog_hangups *h, struct fog_peer_watch *w);

/* Shuts down those that are closed by the client for the second time, but for the busy ones, which get their mark; does
 * nothing when the last sweep was just now. */
void fog_hangups_sweep(struct fog_hangups *h, double now);

#endif

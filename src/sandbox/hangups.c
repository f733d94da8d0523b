/* SPDX-License-Identifier: MIT */
#include "hangups.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* The list is newest first, so the last one found of those equally unused is the oldest. */
static void make_room(struct fog_hangups *h) {
  struct fog_peer_watch *least = NULL;
  for (struct fog_peer_watch *w = h->first; w != NULL; w = w->next) {
    if (w->busy || w->dropped) continue;
    if (least == NULL || w->last_use <= least->last_use) least = w;
  }
  if (least == NULL) return;
  least->dropped = true;
  h->count--;
  (void)shutdown(least->fd, SHUT_RDWR);
}

/* Descriptors that are not for connections: listeners, the store, players, and connections that are just closing. */
enum { OTHERS = 100, LEAST = 20 };

static unsigned most(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= FOG_CONNECTIONS + OTHERS) return FOG_CONNECTIONS;
  return limit.rlim_cur > OTHERS + LEAST ? (unsigned)limit.rlim_cur - OTHERS : LEAST;
}

struct fog_peer_watch *fog_hangups_add(struct fog_hangups *h, int fd) {
  struct fog_peer_watch *w = calloc(1, sizeof *w);
  if (w == NULL) return NULL;
  if (h->most == 0) h->most = most();
  if (h->count >= h->most) make_room(h);
  h->count++;
  w->fd = fd;
  w->number = ++h->came;
  w->next = h->first;
  if (h->first != NULL) h->first->prev = w;
  h->first = w;
  return w;
}

void fog_hangups_remove(struct fog_hangups *h, struct fog_peer_watch *w) {
  if (w->next != NULL) w->next->prev = w->prev;
  if (w->prev != NULL)
    w->prev->next = w->next;
  else
    h->first = w->next;
  if (!w->dropped) h->count--;
  free(w);
}

void fog_hangups_use(struct fog_hangups *h, struct fog_peer_watch *w) {
  w->last_use = ++h->used;
  w->busy = true;
}

static bool closed(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLRDHUP, .revents = 0};
  return poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void fog_hangups_sweep(struct fog_hangups *h, double now) {
  if (now - h->last_sweep < (double)FOG_HANGUP_SWEEP_MS / 1e3) return;
  h->last_sweep = now;
  for (struct fog_peer_watch *w = h->first; w != NULL; w = w->next) {
    bool found = closed(w->fd), gone = found && w->suspect;
    w->gone = gone && w->busy;
    if (gone && !w->busy) (void)shutdown(w->fd, SHUT_RDWR); /* an edge that libmicrohttpd does see */
    w->suspect = found;
  }
}

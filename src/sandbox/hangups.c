/* SPDX-License-Identifier: MIT */
#include "hangups.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

struct fog_peer_watch *fog_hangups_add(struct fog_hangups *h, int fd) {
  struct fog_peer_watch *w = calloc(1, sizeof *w);
  if (w == NULL) return NULL;
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
  free(w);
}

static bool closed(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLRDHUP, .revents = 0};
  return poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void fog_hangups_sweep(struct fog_hangups *h, double now) {
  if (now - h->last_sweep < FOG_HANGUP_SWEEP_MS / 1e3) return;
  h->last_sweep = now;
  for (struct fog_peer_watch *w = h->first; w != NULL; w = w->next) {
    bool found = closed(w->fd), gone = found && w->suspect;
    w->gone = gone && w->busy;
    if (gone && !w->busy) (void)shutdown(w->fd, SHUT_RDWR); /* an edge that libmicrohttpd does see */
    w->suspect = found;
  }
}

/* SPDX-License-Identifier: MIT
 *
 * What the owner's thread hands to whoever drives: requests, cancellations, and the word that it is over. Behind one
 * lock, which is never held around a call of libcurl's.
 */
#ifndef FOG_HTTP_INBOX_H
#define FOG_HTTP_INBOX_H

#include <pthread.h>

#include "http_request.h"

struct fog_http_inbox {
  pthread_mutex_t lock;
  struct fog_http_request *submitted, **tail;
  uint64_t *cancels;
  size_t cancel_count, cancel_cap;
  bool stop;
};

/* What was in it, the taker's from then on: the list linked by next, oldest first, and the ids, malloc'ed. */
struct fog_http_delivery {
  struct fog_http_request *list;
  uint64_t *cancels;
  size_t cancel_count;
  bool stop;
};

void fog_http_inbox_init(struct fog_http_inbox *in);

/* Takes r over. The owner's thread, as the next two; none waits for more than the lock. */
void fog_http_inbox_put(struct fog_http_inbox *in, struct fog_http_request *r);

/* Without memory it is forgotten: the request then ends by its own time-out, and nobody waits for its event. */
void fog_http_inbox_cancel(struct fog_http_inbox *in, uint64_t id);

void fog_http_inbox_stop(struct fog_http_inbox *in);

/* Empties it. The driver's thread. */
struct fog_http_delivery fog_http_inbox_take(struct fog_http_inbox *in);

/* Whether id is among the cancellations of a delivery. */
bool fog_http_delivery_cancels(const struct fog_http_delivery *d, uint64_t id);

/* Releases the requests that nobody took. Nobody uses it any more. */
void fog_http_inbox_clear(struct fog_http_inbox *in);

#endif

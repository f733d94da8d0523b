/* SPDX-License-Identifier: MIT */
#include "http_inbox.h"

#include <stdlib.h>

enum { CANCEL_ROOM = 16 };

void fog_http_inbox_init(struct fog_http_inbox *in) {
  *in = (struct fog_http_inbox){.submitted = NULL};
  in->tail = &in->submitted;
  (void)pthread_mutex_init(&in->lock, NULL);
}

void fog_http_inbox_put(struct fog_http_inbox *in, struct fog_http_request *r) {
  r->next = NULL;
  (void)pthread_mutex_lock(&in->lock);
  *in->tail = r;
  in->tail = &r->next;
  (void)pthread_mutex_unlock(&in->lock);
}

static bool grow_cancels(struct fog_http_inbox *in) {
  if (in->cancel_count < in->cancel_cap) return true;
  size_t cap = in->cancel_cap + CANCEL_ROOM;
  uint64_t *grown = realloc(in->cancels, cap * sizeof *grown);
  if (grown == NULL) return false;
  in->cancels = grown;
  in->cancel_cap = cap;
  return true;
}

void fog_http_inbox_cancel(struct fog_http_inbox *in, uint64_t id) {
  (void)pthread_mutex_lock(&in->lock);
  if (grow_cancels(in)) in->cancels[in->cancel_count++] = id;
  (void)pthread_mutex_unlock(&in->lock);
}

void fog_http_inbox_stop(struct fog_http_inbox *in) {
  (void)pthread_mutex_lock(&in->lock);
  in->stop = true;
  (void)pthread_mutex_unlock(&in->lock);
}

struct fog_http_delivery fog_http_inbox_take(struct fog_http_inbox *in) {
  (void)pthread_mutex_lock(&in->lock);
  struct fog_http_delivery d = {
      .list = in->submitted, .cancels = in->cancels, .cancel_count = in->cancel_count, .stop = in->stop};
  in->submitted = NULL;
  in->tail = &in->submitted;
  in->cancels = NULL;
  in->cancel_count = in->cancel_cap = 0;
  (void)pthread_mutex_unlock(&in->lock);
  return d;
}

bool fog_http_delivery_cancels(const struct fog_http_delivery *d, uint64_t id) {
  for (size_t i = 0; i < d->cancel_count; i++) {
    if (d->cancels[i] == id) return true;
  }
  return false;
}

void fog_http_inbox_clear(struct fog_http_inbox *in) {
  struct fog_http_request *r = in->submitted;
  while (r != NULL) {
    struct fog_http_request *next = r->next;
    r->event.release(&r->event);
    r = next;
  }
  free(in->cancels);
  (void)pthread_mutex_destroy(&in->lock);
}

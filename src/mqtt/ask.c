/* SPDX-License-Identifier: MIT */
#include "ask.h"

#include <stdlib.h>
#include <string.h>

struct fog_ask *fog_ask_new(struct fog_session *s, uint64_t token, const char *filter,
                            const struct fog_subscription *how) {
  size_t len = strlen(filter);
  struct fog_ask *ask = calloc(1, sizeof *ask + len + 1 + how->properties_len);
  if (ask == NULL) return NULL;
  ask->event = fog_event_new(FOG_EV_SUBSCRIBED, s->id);
  if (ask->event == NULL) {
    free(ask);
    return NULL;
  }
  ask->event->id = token;
  ask->how = *how;
  memcpy(ask->filter, filter, len + 1);
  if (how->properties_len > 0) memcpy(ask->filter + len + 1, how->properties, how->properties_len);
  ask->how.properties = ask->filter + len + 1;
  (void)atomic_fetch_add(&s->asked, 1);
  return ask;
}

void fog_ask_take(struct fog_session *s) { (void)atomic_fetch_sub(&s->asked, 1); }

void fog_ask_answer(struct fog_session *s, struct fog_ask *ask, int code, bool sent, struct fog_bytes properties) {
  ask->event->code = code;
  ask->event->flag = sent;
  fog_event_set_properties(ask->event, properties.data, properties.len);
  fog_queue_push(s->events, ask->event);
  free(ask);
}

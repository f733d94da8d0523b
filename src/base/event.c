/* SPDX-License-Identifier: MIT */
#include "event.h"

#include <stdlib.h>
#include <string.h>

static void release_heap(struct fog_event *ev) {
  free(ev->text);
  free(ev->extra);
  free(ev->properties);
  free(ev);
}

struct fog_event *fog_event_new(enum fog_event_type type, uint32_t session) {
  struct fog_event *ev = calloc(1, sizeof *ev);
  if (ev == NULL) return NULL;
  ev->type = type;
  ev->session = session;
  ev->release = release_heap;
  return ev;
}

void fog_event_set_text(struct fog_event *ev, const char *text) {
  free(ev->text);
  ev->text = text == NULL ? NULL : strdup(text);
  ev->text_len = ev->text == NULL ? 0 : strlen(ev->text);
}

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

static char *copy(const char *bytes, size_t *len) {
  char *to = *len == 0 ? NULL : malloc(*len);
  if (to != NULL) memcpy(to, bytes, *len);
  if (to == NULL) *len = 0;
  return to;
}

void fog_event_set_extra(struct fog_event *ev, const char *bytes, size_t len) {
  free(ev->extra);
  ev->extra = copy(bytes, &len);
  ev->extra_len = len;
}

void fog_event_set_properties(struct fog_event *ev, const char *bytes, size_t len) {
  free(ev->properties);
  ev->properties = copy(bytes, &len);
  ev->properties_len = len;
}

/* SPDX-License-Identifier: MIT */
#include "link_options.h"

#include <stdlib.h>
#include <string.h>

bool fog_link_options_prepare(struct fog_link_options *o, uint32_t session) {
  o->up = fog_event_new(FOG_EV_UP, session);
  o->down = fog_event_new(FOG_EV_DOWN, session);
  return o->up != NULL && o->down != NULL;
}

void fog_link_options_free(struct fog_link_options *o) {
  if (o == NULL) return;
  if (o->up != NULL) o->up->release(o->up);
  if (o->down != NULL) o->down->release(o->down);
  fog_connection_options_free(o->to);
  if (o->password != NULL) explicit_bzero(o->password, o->password_len);
  char *texts[] = {o->client_id,    o->username,        o->password,  o->will.topic,
                   o->will.payload, o->will.properties, o->properties};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) free(texts[i]);
  free(o);
}

/* SPDX-License-Identifier: MIT */
#include "link_options.h"

#include <stdlib.h>
#include <string.h>

void fog_link_options_free(struct fog_link_options *o) {
  if (o == NULL) return;
  fog_connection_options_free(o->to);
  if (o->password != NULL) explicit_bzero(o->password, o->password_len);
  char *texts[] = {o->client_id,    o->username,        o->password,  o->will.topic,
                   o->will.payload, o->will.properties, o->properties};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) free(texts[i]);
  free(o);
}

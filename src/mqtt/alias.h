/* SPDX-License-Identifier: MIT
 *
 * Topic aliases for what we send (MQTT 5.0, 3.3.2.3.4), chosen by ourselves: the first topics of a link get one each,
 * as many as the broker and our bound allow. A topic that has one goes out without its name from then on.
 */
#ifndef FOG_ALIAS_H
#define FOG_ALIAS_H

#include <stdbool.h>

#include "bytes.h"

enum { FOG_MOST_ALIASES = 32, FOG_LEAST_ALIASED = 4 };

struct fog_aliased {
  char *topic;
  size_t len;
  uint32_t hash;
};

struct fog_aliases {
  struct fog_aliased *known; /* alias n is known[n - 1] */
  uint16_t count, maximum;
};

/* Of a new link: the broker's Topic Alias Maximum. */
void fog_aliases_begin(struct fog_aliases *a, uint16_t maximum);

/* The alias for a topic; 0: it has none. *named: the name must go with it, for the broker does not know it yet. */
uint16_t fog_aliases_for(struct fog_aliases *a, struct fog_bytes topic, bool *named);

void fog_aliases_clear(struct fog_aliases *a);

#endif

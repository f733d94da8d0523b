/* SPDX-License-Identifier: MIT */
#include "alias.h"

#include <stdlib.h>
#include <string.h>

void fog_aliases_clear(struct fog_aliases *a) {
  for (size_t i = 0; i < a->count; i++) free(a->known[i].topic);
  free(a->known);
  *a = (struct fog_aliases){NULL, 0, 0};
}

void fog_aliases_begin(struct fog_aliases *a, uint16_t maximum) {
  fog_aliases_clear(a);
  a->maximum = maximum < FOG_MOST_ALIASES ? maximum : FOG_MOST_ALIASES;
}

static uint32_t hash_of(struct fog_bytes topic) {
  uint32_t hash = 2166136261u; /* FNV-1a */
  for (size_t i = 0; i < topic.len; i++) hash = (hash ^ (unsigned char)topic.data[i]) * 16777619u;
  return hash;
}

static uint16_t remember(struct fog_aliases *a, struct fog_bytes topic, uint32_t hash) {
  if (a->known == NULL) a->known = calloc(a->maximum, sizeof *a->known);
  char *copy = a->known == NULL ? NULL : malloc(topic.len);
  if (copy == NULL) return 0;
  memcpy(copy, topic.data, topic.len);
  a->known[a->count] = (struct fog_aliased){copy, topic.len, hash};
  return ++a->count;
}

uint16_t fog_aliases_for(struct fog_aliases *a, struct fog_bytes topic, bool *named) {
  *named = true;
  if (a->maximum == 0 || topic.len < FOG_LEAST_ALIASED) return 0;
  uint32_t hash = hash_of(topic);
  for (uint16_t i = 0; i < a->count; i++) {
    const struct fog_aliased *k = &a->known[i];
    if (k->hash != hash || k->len != topic.len || memcmp(k->topic, topic.data, topic.len) != 0) continue;
    *named = false;
    return (uint16_t)(i + 1);
  }
  return a->count < a->maximum ? remember(a, topic, hash) : 0;
}

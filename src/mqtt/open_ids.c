/* SPDX-License-Identifier: MIT */
#include "open_ids.h"

#include <stdlib.h>

enum { IDS = 65536, BITS = 8 };

bool fog_open_ids_ready(struct fog_open_ids *ids) {
  if (ids->bits == NULL) ids->bits = calloc(IDS / BITS, 1);
  return ids->bits != NULL;
}

bool fog_open_ids_add(struct fog_open_ids *ids, uint16_t id) {
  uint8_t *byte = &ids->bits[id / BITS], bit = (uint8_t)(1u << id % BITS);
  bool new = (*byte & bit) == 0;
  *byte |= bit;
  return new;
}

void fog_open_ids_remove(struct fog_open_ids *ids, uint16_t id) {
  if (ids->bits != NULL) ids->bits[id / BITS] &= (uint8_t) ~(1u << id % BITS);
}

void fog_open_ids_clear(struct fog_open_ids *ids) {
  free(ids->bits);
  ids->bits = NULL;
}

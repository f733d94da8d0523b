/* SPDX-License-Identifier: MIT
 *
 * What stands behind each packet id (MQTT 3.1.1 and 5.0, 2.2.1): found without a search, whatever is in flight. A table
 * of pages, of which only those in use exist: ids are given out in order, so a few thousand in flight need a page or
 * two.
 */
#ifndef FOG_IDMAP_H
#define FOG_IDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fog_idmap_page;

struct fog_idmap {
  struct fog_idmap_page **pages; /* NULL: empty */
  struct fog_idmap_page *spare;  /* one without a value, for the next that is needed; NULL: none */
  size_t count;
};

/* What is behind the id; 0: nothing. */
uint64_t fog_idmap_get(const struct fog_idmap *m, uint16_t id);

/* Puts value, which is not 0, behind an id that is not 0, replacing what was there. False: no memory. */
bool fog_idmap_put(struct fog_idmap *m, uint16_t id, uint64_t value);

/* What was behind the id, which is free now; 0: nothing. */
uint64_t fog_idmap_take(struct fog_idmap *m, uint16_t id);

/* Frees all. What was behind the ids is the caller's. */
void fog_idmap_clear(struct fog_idmap *m);

#endif

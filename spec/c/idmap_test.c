/* SPDX-License-Identifier: MIT
 *
 * What stands behind each packet id, against a plain array of all 65,535; and that only pages in use exist.
 */
#include "../../src/mqtt/idmap.h"

#include <string.h>

#include "random.h"
#include "tap.h"

enum { IDS = 65536, PAGES = 128 };

static size_t pages_of(const struct fog_idmap *m) {
  size_t n = m->spare != NULL;
  for (size_t i = 0; m->pages != NULL && i < PAGES; i++) n += m->pages[i] != NULL;
  return n;
}

static void nothing(void) {
  struct fog_idmap m = {0};
  check(fog_idmap_get(&m, 1) == 0 && fog_idmap_take(&m, 65535) == 0 && m.pages == NULL, "an empty one costs nothing");
  fog_idmap_clear(&m);
  check(fog_idmap_put(&m, 65535, 7) && fog_idmap_get(&m, 65535) == 7 && fog_idmap_get(&m, 65534) == 0, "the last id");
  check(fog_idmap_put(&m, 65535, 8) && m.count == 1 && fog_idmap_take(&m, 65535) == 8, "a second value replaces");
  check(fog_idmap_take(&m, 65535) == 0 && m.count == 0, "what was taken is gone");
  fog_idmap_clear(&m);
  check(m.pages == NULL && m.count == 0, "cleared");
}

static bool all_at_once(struct fog_idmap *m) {
  for (unsigned id = 1; id < IDS; id++) {
    if (!fog_idmap_put(m, (uint16_t)id, id * 3ull)) return false;
  }
  if (m->count != IDS - 1 || pages_of(m) != PAGES) return false;
  for (unsigned id = 1; id < IDS; id++) {
    if (fog_idmap_get(m, (uint16_t)id) != id * 3ull || fog_idmap_take(m, (uint16_t)id) != id * 3ull) return false;
  }
  return m->count == 0;
}

/* Ids are given out in order: so a session that sends one message at a time comes through all pages. */
static bool one_at_a_time(struct fog_idmap *m) {
  for (unsigned id = 1; id < IDS; id++) {
    if (!fog_idmap_put(m, (uint16_t)id, id) || pages_of(m) != 1) return false;
    if (fog_idmap_take(m, (uint16_t)id) != id || pages_of(m) > 1) return false;
  }
  return true;
}

static bool like_an_array(struct fog_idmap *m) {
  static uint64_t model[IDS];
  uint64_t random = 20261130;
  size_t count = 0;
  memset(model, 0, sizeof model);
  for (size_t i = 1; i <= 400000; i++) {
    uint16_t id = (uint16_t)(1 + random_below(&random, IDS - 1));
    size_t doing = random_below(&random, 5);
    if (fog_idmap_get(m, id) != model[id]) return false;
    if (doing < 2 || (doing == 2 && model[id] != 0)) {
      count += model[id] == 0;
      model[id] = i;
      if (!fog_idmap_put(m, id, i)) return false;
    } else {
      count -= model[id] != 0;
      if (fog_idmap_take(m, id) != model[id]) return false;
      model[id] = 0;
    }
    if (m->count != count) return false;
  }
  return true;
}

int main(void) {
  struct fog_idmap m = {0};
  nothing();
  check(all_at_once(&m), "all ids in use at once");
  fog_idmap_clear(&m);
  check(one_at_a_time(&m), "one id at a time, through all of them: one page");
  fog_idmap_clear(&m);
  check(like_an_array(&m), "400,000 random steps, as an array does them");
  fog_idmap_clear(&m);
  return finish();
}

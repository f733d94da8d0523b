/* SPDX-License-Identifier: MIT */
#include "idmap.h"

#include <stdlib.h>

enum { PER_PAGE = 512, PAGES = 65536 / PER_PAGE };

struct fog_idmap_page {
  size_t used;
  uint64_t values[PER_PAGE];
};

static struct fog_idmap_page *page_of(const struct fog_idmap *m, uint16_t id) {
  return m->pages == NULL ? NULL : m->pages[id / PER_PAGE];
}

uint64_t fog_idmap_get(const struct fog_idmap *m, uint16_t id) {
  const struct fog_idmap_page *page = page_of(m, id);
  return page == NULL ? 0 : page->values[id % PER_PAGE];
}

bool fog_idmap_put(struct fog_idmap *m, uint16_t id, uint64_t value) {
  if (m->pages == NULL) m->pages = calloc(PAGES, sizeof(struct fog_idmap_page *));
  if (m->pages == NULL) return false;
  struct fog_idmap_page **page = &m->pages[id / PER_PAGE];
  if (*page == NULL) {
    *page = m->spare != NULL ? m->spare : calloc(1, sizeof **page);
    m->spare = NULL;
  }
  if (*page == NULL) return false;
  uint64_t *place = &(*page)->values[id % PER_PAGE];
  if (*place == 0) {
    (*page)->used++;
    m->count++;
  }
  *place = value;
  return true;
}

uint64_t fog_idmap_take(struct fog_idmap *m, uint16_t id) {
  struct fog_idmap_page *page = page_of(m, id);
  if (page == NULL) return 0;
  uint64_t value = page->values[id % PER_PAGE];
  if (value == 0) return 0;
  page->values[id % PER_PAGE] = 0;
  m->count--;
  if (--page->used > 0) return value;
  m->pages[id / PER_PAGE] = NULL;
  if (m->spare == NULL)
    m->spare = page; /* all zero again; one message at a time would else cost an allocation each */
  else
    free(page);
  return value;
}

void fog_idmap_clear(struct fog_idmap *m) {
  for (size_t i = 0; m->pages != NULL && i < PAGES; i++) free(m->pages[i]);
  free(m->pages);
  free(m->spare);
  *m = (struct fog_idmap){NULL, NULL, 0};
}

/* SPDX-License-Identifier: MIT
 *
 * The properties of MQTT 5: any bytes are read without going beyond their end, and what was read is written as the same
 * bytes. Input: a block of properties.
 * link: src/mqtt/properties.c
 */
#include "../src/mqtt/properties.h"

#include "fuzz.h"

static bool inside(const char *p, size_t n, const char *start, const char *end) {
  return p == NULL ? n == 0 : p >= start && p <= end && n <= (size_t)(end - p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *start = (const char *)data, *at = start, *end = start + size;
  struct fog_property p;
  memset(&p, 0, sizeof p);
  for (const char *before = at; size > 0 && fog_property_read(&at, end, &p); before = at) {
    must(at > before && at <= end && p.rule != NULL && fog_property_by_id(p.rule->id) == p.rule);
    must(fog_property_by_name(p.rule->name) == p.rule);
    bool text = p.rule->type >= FOG_PROPERTY_BINARY;
    if (text) must(inside(p.text, p.text_len, start, end));
    if (p.rule->type == FOG_PROPERTY_PAIR) must(inside(p.value, p.value_len, start, end));
    size_t len = fog_property_size(&p);
    char *copy = malloc(len);
    must(copy != NULL && fog_property_write(&p, copy) == copy + len);
    if (p.rule->type != FOG_PROPERTY_VARINT) must(len == (size_t)(at - before) && memcmp(copy, before, len) == 0);
    must(len <= (size_t)(at - before)); /* a number may have come with more bytes than it needs */
    free(copy);
    memset(&p, 0, sizeof p);
  }
  (void)fog_property_valid_text(start, size);
  return 0;
}

/* SPDX-License-Identifier: MIT
 *
 * The properties of MQTT 5: any bytes are read without going beyond their end, and what was read is written as the same
 * bytes. Input: a block of properties.
 */
#include "../src/mqtt/properties.h"

#include "../src/mqtt/text.h"
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
    must(len == (size_t)(at - before) && memcmp(copy, before, len) == 0);
    free(copy);
    memset(&p, 0, sizeof p);
  }
  const struct fog_bytes whole = {start, size};
  struct fog_packet_fault fault = {FOG_SUCCESS, NULL};
  for (int packet = FOG_WILL; packet <= FOG_AUTH; packet++) {
    for (int from = FOG_FROM_BROKER; from <= FOG_ANYBODY; from++) {
      bool fine = fog_properties_check((enum fog_packet_type)packet, (enum fog_sender)from, whole, &fault);
      must(fine ? at == end : fault.text != NULL && fault.reason >= FOG_UNSPECIFIED);
    }
  }
  (void)fog_filter_valid(whole, true);
  return 0;
}

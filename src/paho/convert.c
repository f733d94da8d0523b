/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "../mqtt/properties.h"
#include "paho.h"

static MQTTLenString text_of(const char *text, size_t len) {
  return (MQTTLenString){.len = (int)len, .data = (char *)(uintptr_t)text}; /* Paho only reads it */
}

static void to_paho(const struct fog_property *p, MQTTProperty *out) {
  memset(out, 0, sizeof *out);
  out->identifier = (enum MQTTPropertyCodes)p->rule->id;
  switch (p->rule->type) {
    case FOG_PROPERTY_BYTE:
      out->value.byte = (unsigned char)p->number;
      break;
    case FOG_PROPERTY_TWO_BYTES:
      out->value.integer2 = (unsigned short)p->number;
      break;
    case FOG_PROPERTY_FOUR_BYTES: /* Paho divides it as a signed number (traps: P17) */
      out->value.integer4 = p->number > INT32_MAX ? INT32_MAX : p->number;
      break;
    case FOG_PROPERTY_VARINT:
      out->value.integer4 = p->number;
      break;
    case FOG_PROPERTY_BINARY:
    case FOG_PROPERTY_TEXT:
    case FOG_PROPERTY_PAIR:
      out->value.data = text_of(p->text, p->text_len);
      out->value.value = text_of(p->value, p->value_len);
      break;
  }
}

int paho_add_properties(MQTTProperties *to, const char *bytes, size_t len) {
  struct fog_property p;
  const char *at = bytes;
  int rc = 0;
  while (rc == 0 && at != NULL && fog_property_read(&at, bytes + len, &p)) {
    MQTTProperty one;
    to_paho(&p, &one);
    rc = MQTTProperties_add(to, &one);
  }
  return rc;
}

static bool from_paho(const MQTTProperty *one, struct fog_property *p) {
  memset(p, 0, sizeof *p);
  p->rule = fog_property_by_id((int)one->identifier);
  if (p->rule == NULL) return false;
  switch (p->rule->type) {
    case FOG_PROPERTY_BYTE:
      p->number = one->value.byte;
      break;
    case FOG_PROPERTY_TWO_BYTES:
      p->number = one->value.integer2;
      break;
    case FOG_PROPERTY_FOUR_BYTES:
    case FOG_PROPERTY_VARINT:
      p->number = one->value.integer4;
      break;
    case FOG_PROPERTY_PAIR:
      p->value = one->value.value.data;
      p->value_len = (size_t)one->value.value.len;
      p->text = one->value.data.data;
      p->text_len = (size_t)one->value.data.len;
      break;
    case FOG_PROPERTY_BINARY:
    case FOG_PROPERTY_TEXT:
      p->text = one->value.data.data;
      p->text_len = (size_t)one->value.data.len;
      break;
  }
  return true;
}

char *paho_copy_properties(const MQTTProperties *from, size_t *len) {
  struct fog_property p;
  size_t size = 0;
  *len = 0;
  for (int i = 0; i < from->count; i++) {
    if (from_paho(&from->array[i], &p)) size += fog_property_size(&p);
  }
  char *bytes = size == 0 ? NULL : malloc(size), *at = bytes;
  if (bytes == NULL) return NULL;
  for (int i = 0; i < from->count; i++) {
    if (from_paho(&from->array[i], &p)) at = fog_property_write(&p, at);
  }
  *len = size;
  return bytes;
}

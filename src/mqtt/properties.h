/* SPDX-License-Identifier: MIT
 *
 * The properties of MQTT 5 (2.2.2) as the bytes that go over the wire, which is how they travel between Lua and Paho:
 * one block per message, with no pointers in it.
 */
#ifndef FOG_PROPERTIES_H
#define FOG_PROPERTIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fog_property_type {
  FOG_PROPERTY_BYTE,
  FOG_PROPERTY_TWO_BYTES,
  FOG_PROPERTY_FOUR_BYTES,
  FOG_PROPERTY_VARINT,
  FOG_PROPERTY_BINARY,
  FOG_PROPERTY_TEXT,
  FOG_PROPERTY_PAIR /* two texts: a user property, the only one that may repeat */
};

/* The packets that a program may put a property into. */
enum { FOG_IN_PUBLISH = 1, FOG_IN_WILL = 2, FOG_IN_CONNECT = 4, FOG_IN_SUBSCRIBE = 8 };

struct fog_property_rule {
  const char *name; /* the specification's, in lower case */
  uint8_t id;
  enum fog_property_type type;
  unsigned where;    /* of the above */
  uint32_t min, max; /* of a number */
};

enum { FOG_USER_PROPERTY = 38 };

struct fog_property {
  const struct fog_property_rule *rule;
  uint32_t number;
  const char *text; /* also the name of a pair; not terminated */
  size_t text_len;
  const char *value; /* of a pair */
  size_t value_len;
};

/* NULL when there is none. */
const struct fog_property_rule *fog_property_by_name(const char *name);
const struct fog_property_rule *fog_property_by_id(int id);

/* The bytes that a property takes, and writing them: the end of what was written. Texts of at most 65535 bytes. */
size_t fog_property_size(const struct fog_property *p);
char *fog_property_write(const struct fog_property *p, char *to);

/* Reads the property at *at and moves on. False at the end, and where the bytes are no property. */
bool fog_property_read(const char **at, const char *end, struct fog_property *p);

/* True for well-formed UTF-8 without NUL (MQTT 5, 1.5.4). */
bool fog_property_valid_text(const char *text, size_t len);

#endif

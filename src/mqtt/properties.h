/* SPDX-License-Identifier: MIT
 *
 * The properties of MQTT 5 (2.2.2): the one table that says for each its type, its range, the packets in which it may
 * stand, from which side, and how often; and the way from a block of them, as it stands on the wire without its length,
 * to values and back. Blocks are how properties travel between Lua and a driver: one per message, no pointers in it.
 */
#ifndef FOG_PROPERTIES_H
#define FOG_PROPERTIES_H

#include "packet.h"

enum fog_property_type {
  FOG_PROPERTY_BYTE,
  FOG_PROPERTY_TWO_BYTES,
  FOG_PROPERTY_FOUR_BYTES,
  FOG_PROPERTY_VARINT,
  FOG_PROPERTY_BINARY,
  FOG_PROPERTY_TEXT,
  FOG_PROPERTY_PAIR /* two texts: a user property */
};

/* The packets that a program may put a property into; FOG_IN_LINK: into CONNECT, by an option of its own. */
enum {
  FOG_IN_PUBLISH = 1,
  FOG_IN_WILL = 2,
  FOG_IN_CONNECT = 4,
  FOG_IN_SUBSCRIBE = 8,
  FOG_IN_DISCONNECT = 16,
  FOG_IN_AUTH = 32,
  FOG_IN_LINK = 64
};

/* A set of packets: 1 << FOG_PUBLISH and its like; 1 << FOG_WILL is the will's block in CONNECT. */
typedef uint16_t fog_packet_set;

struct fog_property_rule {
  const char *name; /* the specification's, in lower case */
  uint8_t id;
  enum fog_property_type type;
  fog_packet_set from_client, from_broker; /* where it may stand */
  fog_packet_set repeats;                  /* where more than once */
  uint8_t settable;                        /* by a program: of FOG_IN_PUBLISH and its like */
  uint32_t min, max;                       /* of a number */
};

enum {
  FOG_TOPIC_ALIAS = 35,
  FOG_USER_PROPERTY = 38,
  FOG_PROPERTY_IDS = 43 /* all are below */
};

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

/* Reads the property at *at and moves on. False at the end, and where the bytes are no property: an unknown one, one
 * that is cut short, a number that is not in its shortest form. Its value and its place are not looked at. */
bool fog_property_read(const char **at, const char *end, struct fog_property *p);

/* Whether every property of the block may stand in this packet (FOG_WILL: in a will) from this side (FOG_ANYBODY: from
 * either), as often as it does, with the value that it has, and whether what it needs stands there too. False: *fault
 * says why. One walk. A Response Topic with wildcards [MQTT-3.3.2-14] passes from a broker: another client put it
 * there, and must not be able to end this one's link. */
bool fog_properties_check(enum fog_packet_type packet, enum fog_sender from, struct fog_bytes block,
                          struct fog_packet_fault *fault);

/* The first property with this id of a block. */
bool fog_properties_find(struct fog_bytes block, int id, struct fog_property *p);

#endif

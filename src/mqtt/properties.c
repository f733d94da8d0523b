/* SPDX-License-Identifier: MIT */
#include "properties.h"

#include <string.h>

#include "text.h"
#include "wire.h"

/* The sets that stand in the table below more than once. */
#define SET(packet) (fog_packet_set)(1u << (packet))
#define MESSAGE (SET(FOG_PUBLISH) | SET(FOG_WILL))
#define ACKS (SET(FOG_PUBACK) | SET(FOG_PUBREC) | SET(FOG_PUBREL) | SET(FOG_PUBCOMP))
#define ENDS (SET(FOG_DISCONNECT) | SET(FOG_AUTH))
#define REASONS (ACKS | ENDS) /* those with a reason code from either side */
#define ASKS (SET(FOG_CONNECT) | SET(FOG_SUBSCRIBE) | SET(FOG_UNSUBSCRIBE) | MESSAGE | REASONS)
#define TELLS (SET(FOG_CONNACK) | SET(FOG_SUBACK) | SET(FOG_UNSUBACK) | SET(FOG_PUBLISH) | REASONS)
#define CONNECT SET(FOG_CONNECT)
#define CONNACK SET(FOG_CONNACK)
#define PUBLISH SET(FOG_PUBLISH)
#define SUBSCRIBE SET(FOG_SUBSCRIBE)
#define LEAVE SET(FOG_DISCONNECT)
#define AUTH SET(FOG_AUTH)

/* Set by a program. */
#define PUBLICATION (FOG_IN_PUBLISH | FOG_IN_WILL)
#define ANYWHERE (PUBLICATION | FOG_IN_CONNECT | FOG_IN_SUBSCRIBE | FOG_IN_DISCONNECT)

#define MAX_NUMBER 0xFFFFFFFFu
#define MAX_VARINT 268435455u

#define BYTE FOG_PROPERTY_BYTE
#define TWO FOG_PROPERTY_TWO_BYTES
#define FOUR FOG_PROPERTY_FOUR_BYTES
#define VARINT FOG_PROPERTY_VARINT
#define BINARY FOG_PROPERTY_BINARY
#define TEXT FOG_PROPERTY_TEXT
#define PAIR FOG_PROPERTY_PAIR

/* Table 2-4, and the sections that it points to. Topic aliases are not among what a program may set: they belong to one
 * link, and a message may be sent again over the next one. */
static const struct fog_property_rule RULES[] = {
    /* name, id, type, from a client, from a broker, repeats, settable, least, greatest */
    {"payload_format_indicator", 1, BYTE, MESSAGE, PUBLISH, 0, PUBLICATION, 0, 1},
    {"message_expiry_interval", 2, FOUR, MESSAGE, PUBLISH, 0, PUBLICATION, 0, MAX_NUMBER},
    {"content_type", 3, TEXT, MESSAGE, PUBLISH, 0, PUBLICATION, 0, 0},
    {"response_topic", 8, TEXT, MESSAGE, PUBLISH, 0, PUBLICATION, 0, 0},
    {"correlation_data", 9, BINARY, MESSAGE, PUBLISH, 0, PUBLICATION, 0, 0},
    {"subscription_identifier", 11, VARINT, SUBSCRIBE, PUBLISH, PUBLISH, FOG_IN_SUBSCRIBE, 1, MAX_VARINT},
    {"session_expiry_interval", 17, FOUR, CONNECT | LEAVE, CONNACK, 0, FOG_IN_LINK | FOG_IN_DISCONNECT, 0, MAX_NUMBER},
    {"assigned_client_identifier", 18, TEXT, 0, CONNACK, 0, 0, 0, 0},
    {"server_keep_alive", 19, TWO, 0, CONNACK, 0, 0, 0, 65535},
    {"authentication_method", 21, TEXT, CONNECT | AUTH, CONNACK | AUTH, 0, FOG_IN_LINK | FOG_IN_AUTH, 0, 0},
    {"authentication_data", 22, BINARY, CONNECT | AUTH, CONNACK | AUTH, 0, FOG_IN_LINK | FOG_IN_AUTH, 0, 0},
    {"request_problem_information", 23, BYTE, CONNECT, 0, 0, FOG_IN_CONNECT, 0, 1},
    {"will_delay_interval", 24, FOUR, SET(FOG_WILL), 0, 0, FOG_IN_WILL, 0, MAX_NUMBER},
    {"request_response_information", 25, BYTE, CONNECT, 0, 0, FOG_IN_CONNECT, 0, 1},
    {"response_information", 26, TEXT, 0, CONNACK, 0, 0, 0, 0},
    {"server_reference", 28, TEXT, 0, CONNACK | LEAVE, 0, 0, 0, 0},
    {"reason_string", 31, TEXT, REASONS, CONNACK | SET(FOG_SUBACK) | SET(FOG_UNSUBACK) | REASONS, 0, FOG_IN_DISCONNECT,
     0, 0},
    {"receive_maximum", 33, TWO, CONNECT, CONNACK, 0, FOG_IN_LINK, 1, 65535},
    {"topic_alias_maximum", 34, TWO, CONNECT, CONNACK, 0, FOG_IN_CONNECT | FOG_IN_LINK, 0, 65535},
    {"topic_alias", FOG_TOPIC_ALIAS, TWO, PUBLISH, PUBLISH, 0, 0, 1, 65535},
    {"maximum_qos", 36, BYTE, 0, CONNACK, 0, 0, 0, 1},
    {"retain_available", 37, BYTE, 0, CONNACK, 0, 0, 0, 1},
    {"user_properties", FOG_USER_PROPERTY, PAIR, ASKS, TELLS, ASKS | TELLS, ANYWHERE, 0, 0},
    {"maximum_packet_size", 39, FOUR, CONNECT, CONNACK, 0, FOG_IN_CONNECT, 1, MAX_NUMBER},
    {"wildcard_subscription_available", 40, BYTE, 0, CONNACK, 0, 0, 0, 1},
    {"subscription_identifiers_available", 41, BYTE, 0, CONNACK, 0, 0, 0, 1},
    {"shared_subscription_available", 42, BYTE, 0, CONNACK, 0, 0, 0, 1},
};
enum { COUNT = sizeof RULES / sizeof *RULES };

/* id -> index in RULES + 1; 0: there is none. */
static const uint8_t BY_ID[FOG_PROPERTY_IDS] = {
    [1] = 1,   [2] = 2,   [3] = 3,   [8] = 4,   [9] = 5,   [11] = 6,  [17] = 7,  [18] = 8,  [19] = 9,
    [21] = 10, [22] = 11, [23] = 12, [24] = 13, [25] = 14, [26] = 15, [28] = 16, [31] = 17, [33] = 18,
    [34] = 19, [35] = 20, [36] = 21, [37] = 22, [38] = 23, [39] = 24, [40] = 25, [41] = 26, [42] = 27,
};

const struct fog_property_rule *fog_property_by_name(const char *name) {
  for (size_t i = 0; i < COUNT; i++) {
    if (strcmp(RULES[i].name, name) == 0) return &RULES[i];
  }
  return NULL;
}

const struct fog_property_rule *fog_property_by_id(int id) {
  return id >= 0 && id < FOG_PROPERTY_IDS && BY_ID[id] != 0 ? &RULES[BY_ID[id] - 1] : NULL;
}

/* Writing -----------------------------------------------------------------------------------------------------------*/

size_t fog_property_size(const struct fog_property *p) {
  switch (p->rule->type) {
    case FOG_PROPERTY_BYTE:
      return 2;
    case FOG_PROPERTY_TWO_BYTES:
      return 3;
    case FOG_PROPERTY_FOUR_BYTES:
      return 5;
    case FOG_PROPERTY_VARINT:
      return 1 + (size_t)fog_varint_size(p->number);
    case FOG_PROPERTY_PAIR:
      return 5 + p->text_len + p->value_len;
    case FOG_PROPERTY_BINARY:
    case FOG_PROPERTY_TEXT:
      break;
  }
  return 3 + p->text_len;
}

char *fog_property_write(const struct fog_property *p, char *to) {
  struct fog_bytes text = {p->text, p->text_len}, value = {p->value, p->value_len};
  *to++ = (char)p->rule->id;
  switch (p->rule->type) {
    case FOG_PROPERTY_BYTE:
      return fog_write_number(to, p->number, 1);
    case FOG_PROPERTY_TWO_BYTES:
      return fog_write_number(to, p->number, 2);
    case FOG_PROPERTY_FOUR_BYTES:
      return fog_write_number(to, p->number, 4);
    case FOG_PROPERTY_VARINT:
      return fog_write_varint(to, p->number);
    case FOG_PROPERTY_PAIR:
      return fog_write_bytes(fog_write_bytes(to, text), value);
    case FOG_PROPERTY_BINARY:
    case FOG_PROPERTY_TEXT:
      break;
  }
  return fog_write_bytes(to, text);
}

/* Reading -----------------------------------------------------------------------------------------------------------*/

static bool read_text(struct fog_reader *r, const char **text, size_t *len) {
  struct fog_bytes b;
  if (!fog_read_bytes(r, &b)) return false;
  *text = b.data;
  *len = b.len;
  return true;
}

static bool read_value(struct fog_reader *r, struct fog_property *p) {
  switch (p->rule->type) {
    case FOG_PROPERTY_BYTE:
      return fog_read_number(r, 1, &p->number);
    case FOG_PROPERTY_TWO_BYTES:
      return fog_read_number(r, 2, &p->number);
    case FOG_PROPERTY_FOUR_BYTES:
      return fog_read_number(r, 4, &p->number);
    case FOG_PROPERTY_VARINT: {
      int took = fog_read_varint(r, &p->number);
      return took > 0 && took == fog_varint_size(p->number);
    }
    case FOG_PROPERTY_PAIR:
      return read_text(r, &p->text, &p->text_len) && read_text(r, &p->value, &p->value_len);
    case FOG_PROPERTY_BINARY:
    case FOG_PROPERTY_TEXT:
      break;
  }
  return read_text(r, &p->text, &p->text_len);
}

bool fog_property_read(const char **at, const char *end, struct fog_property *p) {
  memset(p, 0, sizeof *p);
  if (*at == end) return false;
  struct fog_reader r = {*at, end};
  p->rule = fog_property_by_id((unsigned char)*r.at++);
  if (p->rule == NULL || !read_value(&r, p)) return false;
  *at = r.at;
  return true;
}

bool fog_properties_find(struct fog_bytes block, int id, struct fog_property *p) {
  struct fog_reader r = fog_reader_of(block);
  while (fog_property_read(&r.at, r.end, p)) {
    if (p->rule->id == id) return true;
  }
  return false;
}

/* Checking ----------------------------------------------------------------------------------------------------------*/

static bool text_fits(const struct fog_property *p, enum fog_sender from, struct fog_packet_fault *fault) {
  enum { RESPONSE_TOPIC = 8 };
  enum fog_text kind = fog_text_kind((struct fog_bytes){p->text, p->text_len});
  if (kind == FOG_TEXT_BAD || !fog_text_valid((struct fog_bytes){p->value, p->value_len}))
    return fog_refuse(fault, FOG_MALFORMED_PACKET, "a property is not UTF-8");
  if (p->rule->id == RESPONSE_TOPIC && kind == FOG_TEXT_WILD && from != FOG_FROM_BROKER)
    return fog_refuse(fault, FOG_TOPIC_NAME_INVALID, "the response topic has wildcards");
  return true;
}

static bool value_fits(const struct fog_property *p, enum fog_sender from, struct fog_packet_fault *fault) {
  if (p->rule->type >= FOG_PROPERTY_TEXT) return text_fits(p, from, fault);
  if (p->rule->type == FOG_PROPERTY_BINARY || (p->number >= p->rule->min && p->number <= p->rule->max)) return true;
  enum fog_reason reason = p->rule->id == FOG_TOPIC_ALIAS ? FOG_TOPIC_ALIAS_INVALID : FOG_PROTOCOL_ERROR;
  return fog_refuse(fault, reason, "a property is out of its range");
}

/* 2.2.2.2: one that no side may put there is malformed. */
static bool place_fits(const struct fog_property_rule *rule, fog_packet_set here, enum fog_sender from,
                       struct fog_packet_fault *fault) {
  if (((rule->from_client | rule->from_broker) & here) == 0)
    return fog_refuse(fault, FOG_MALFORMED_PACKET, "a property that this packet cannot have");
  if (from == FOG_FROM_CLIENT && (rule->from_client & here) == 0)
    return fog_refuse(fault, FOG_PROTOCOL_ERROR, "a property that a client must not send");
  if (from == FOG_FROM_BROKER && (rule->from_broker & here) == 0)
    return fog_refuse(fault, FOG_PROTOCOL_ERROR, "a property that a broker must not send");
  return true;
}

/* 3.1.2.11.10, 3.15.2.2.2. */
static bool needs_met(enum fog_packet_type packet, uint64_t seen, struct fog_packet_fault *fault) {
  const uint64_t method = (uint64_t)1 << 21, data = (uint64_t)1 << 22;
  bool needed = packet == FOG_AUTH || (packet == FOG_CONNECT && (seen & data) != 0);
  if (!needed || (seen & method) != 0) return true;
  return fog_refuse(fault, FOG_PROTOCOL_ERROR, "no authentication method");
}

bool fog_properties_check(enum fog_packet_type packet, enum fog_sender from, struct fog_bytes block,
                          struct fog_packet_fault *fault) {
  struct fog_reader r = fog_reader_of(block);
  const fog_packet_set here = SET(packet);
  uint64_t seen = 0; /* a bit for each id */
  while (r.at != r.end) {
    struct fog_property p;
    if (!fog_property_read(&r.at, r.end, &p))
      return fog_refuse(fault, FOG_MALFORMED_PACKET, p.rule == NULL ? "an unknown property" : "a malformed property");
    uint64_t bit = (uint64_t)1 << p.rule->id;
    if (!place_fits(p.rule, here, from, fault)) return false;
    if ((seen & bit) != 0 && (p.rule->repeats & here) == 0)
      return fog_refuse(fault, FOG_PROTOCOL_ERROR, "a property stands twice");
    if (!value_fits(&p, from, fault)) return false;
    seen |= bit;
  }
  return needs_met(packet, seen, fault);
}

/* SPDX-License-Identifier: MIT */
#include "properties.h"

#include <string.h>

#define PUBLICATION (FOG_IN_PUBLISH | FOG_IN_WILL)
#define ANYWHERE (PUBLICATION | FOG_IN_CONNECT | FOG_IN_SUBSCRIBE)
#define MAX_NUMBER 0xFFFFFFFFu
#define MAX_VARINT 268435455u

/* Topic aliases are not among what a program may set: Paho sends them as they are given and keeps no table of them, so
 * that a message sent again over a new link would name an alias that the broker does not know. */
static const struct fog_property_rule RULES[] = {
    {"payload_format_indicator", 1, FOG_PROPERTY_BYTE, PUBLICATION, 0, 1},
    {"message_expiry_interval", 2, FOG_PROPERTY_FOUR_BYTES, PUBLICATION, 0, MAX_NUMBER},
    {"content_type", 3, FOG_PROPERTY_TEXT, PUBLICATION, 0, 0},
    {"response_topic", 8, FOG_PROPERTY_TEXT, PUBLICATION, 0, 0},
    {"correlation_data", 9, FOG_PROPERTY_BINARY, PUBLICATION, 0, 0},
    {"subscription_identifier", 11, FOG_PROPERTY_VARINT, FOG_IN_SUBSCRIBE, 1, MAX_VARINT},
    {"session_expiry_interval", 17, FOG_PROPERTY_FOUR_BYTES, 0, 0, MAX_NUMBER},
    {"assigned_client_identifier", 18, FOG_PROPERTY_TEXT, 0, 0, 0},
    {"server_keep_alive", 19, FOG_PROPERTY_TWO_BYTES, 0, 0, 65535},
    {"authentication_method", 21, FOG_PROPERTY_TEXT, 0, 0, 0},
    {"authentication_data", 22, FOG_PROPERTY_BINARY, 0, 0, 0},
    {"request_problem_information", 23, FOG_PROPERTY_BYTE, FOG_IN_CONNECT, 0, 1},
    {"will_delay_interval", 24, FOG_PROPERTY_FOUR_BYTES, FOG_IN_WILL, 0, MAX_NUMBER},
    {"request_response_information", 25, FOG_PROPERTY_BYTE, FOG_IN_CONNECT, 0, 1},
    {"response_information", 26, FOG_PROPERTY_TEXT, 0, 0, 0},
    {"server_reference", 28, FOG_PROPERTY_TEXT, 0, 0, 0},
    {"reason_string", 31, FOG_PROPERTY_TEXT, 0, 0, 0},
    {"receive_maximum", 33, FOG_PROPERTY_TWO_BYTES, 0, 1, 65535},
    {"topic_alias_maximum", 34, FOG_PROPERTY_TWO_BYTES, 0, 0, 65535},
    {"topic_alias", 35, FOG_PROPERTY_TWO_BYTES, 0, 1, 65535},
    {"maximum_qos", 36, FOG_PROPERTY_BYTE, 0, 0, 1},
    {"retain_available", 37, FOG_PROPERTY_BYTE, 0, 0, 1},
    {"user_properties", FOG_USER_PROPERTY, FOG_PROPERTY_PAIR, ANYWHERE, 0, 0},
    {"maximum_packet_size", 39, FOG_PROPERTY_FOUR_BYTES, FOG_IN_CONNECT, 1, MAX_NUMBER},
    {"wildcard_subscription_available", 40, FOG_PROPERTY_BYTE, 0, 0, 1},
    {"subscription_identifiers_available", 41, FOG_PROPERTY_BYTE, 0, 0, 1},
    {"shared_subscription_available", 42, FOG_PROPERTY_BYTE, 0, 0, 1},
};
enum { COUNT = sizeof RULES / sizeof *RULES };

const struct fog_property_rule *fog_property_by_name(const char *name) {
  for (size_t i = 0; i < COUNT; i++) {
    if (strcmp(RULES[i].name, name) == 0) return &RULES[i];
  }
  return NULL;
}

const struct fog_property_rule *fog_property_by_id(int id) {
  for (size_t i = 0; i < COUNT; i++) {
    if (RULES[i].id == id) return &RULES[i];
  }
  return NULL;
}

static size_t varint_size(uint32_t n) { return n < 128 ? 1 : n < 16384 ? 2 : n < 2097152 ? 3 : 4; }

size_t fog_property_size(const struct fog_property *p) {
  switch (p->rule->type) {
    case FOG_PROPERTY_BYTE:
      return 2;
    case FOG_PROPERTY_TWO_BYTES:
      return 3;
    case FOG_PROPERTY_FOUR_BYTES:
      return 5;
    case FOG_PROPERTY_VARINT:
      return 1 + varint_size(p->number);
    case FOG_PROPERTY_PAIR:
      return 5 + p->text_len + p->value_len;
    case FOG_PROPERTY_BINARY:
    case FOG_PROPERTY_TEXT:
      break;
  }
  return 3 + p->text_len;
}

static char *write_number(char *to, uint32_t n, int bytes) {
  while (bytes-- > 0) *to++ = (char)(n >> (8 * bytes));
  return to;
}

static char *write_varint(char *to, uint32_t n) {
  do {
    uint32_t low = n % 128;
    n /= 128;
    *to++ = (char)(n > 0 ? low | 128 : low);
  } while (n > 0);
  return to;
}

static char *write_text(char *to, const char *text, size_t len) {
  to = write_number(to, (uint32_t)len, 2);
  if (len > 0) memcpy(to, text, len);
  return to + len;
}

char *fog_property_write(const struct fog_property *p, char *to) {
  *to++ = (char)p->rule->id;
  switch (p->rule->type) {
    case FOG_PROPERTY_BYTE:
      return write_number(to, p->number, 1);
    case FOG_PROPERTY_TWO_BYTES:
      return write_number(to, p->number, 2);
    case FOG_PROPERTY_FOUR_BYTES:
      return write_number(to, p->number, 4);
    case FOG_PROPERTY_VARINT:
      return write_varint(to, p->number);
    case FOG_PROPERTY_PAIR:
      to = write_text(to, p->text, p->text_len);
      return write_text(to, p->value, p->value_len);
    case FOG_PROPERTY_BINARY:
    case FOG_PROPERTY_TEXT:
      break;
  }
  return write_text(to, p->text, p->text_len);
}

static bool read_number(const char **at, const char *end, int bytes, uint32_t *n) {
  if (end - *at < bytes) return false;
  *n = 0;
  while (bytes-- > 0) *n = *n << 8 | (unsigned char)*(*at)++;
  return true;
}

static bool read_varint(const char **at, const char *end, uint32_t *n) {
  *n = 0;
  for (int shift = 0; shift < 28 && *at < end; shift += 7) {
    unsigned char byte = (unsigned char)*(*at)++;
    *n |= (uint32_t)(byte & 127) << shift;
    if (byte < 128) return true;
  }
  return false;
}

static bool read_text(const char **at, const char *end, const char **text, size_t *len) {
  uint32_t n;
  if (!read_number(at, end, 2, &n) || (size_t)(end - *at) < n) return false;
  *text = *at;
  *len = n;
  *at += n;
  return true;
}

bool fog_property_read(const char **at, const char *end, struct fog_property *p) {
  memset(p, 0, sizeof *p);
  if (*at >= end) return false;
  p->rule = fog_property_by_id((unsigned char)*(*at)++);
  if (p->rule == NULL) return false;
  switch (p->rule->type) {
    case FOG_PROPERTY_BYTE:
      return read_number(at, end, 1, &p->number);
    case FOG_PROPERTY_TWO_BYTES:
      return read_number(at, end, 2, &p->number);
    case FOG_PROPERTY_FOUR_BYTES:
      return read_number(at, end, 4, &p->number);
    case FOG_PROPERTY_VARINT:
      return read_varint(at, end, &p->number);
    case FOG_PROPERTY_PAIR:
      return read_text(at, end, &p->text, &p->text_len) && read_text(at, end, &p->value, &p->value_len);
    case FOG_PROPERTY_BINARY:
    case FOG_PROPERTY_TEXT:
      break;
  }
  return read_text(at, end, &p->text, &p->text_len);
}

/* The bytes of the sequence that starts with this one, and the least code point that needs as many; 0: none does. */
static int sequence(unsigned char lead, uint32_t *code, uint32_t *least) {
  static const struct {
    unsigned char mask, mark;
    int len;
    uint32_t least;
  } FORMS[] = {{0x80, 0x00, 1, 1}, {0xE0, 0xC0, 2, 0x80}, {0xF0, 0xE0, 3, 0x800}, {0xF8, 0xF0, 4, 0x10000}};
  for (size_t i = 0; i < sizeof FORMS / sizeof *FORMS; i++) {
    if ((lead & FORMS[i].mask) != FORMS[i].mark) continue;
    *code = lead & (unsigned char)~FORMS[i].mask;
    *least = FORMS[i].least;
    return FORMS[i].len;
  }
  return 0;
}

bool fog_property_valid_text(const char *text, size_t len) {
  const unsigned char *p = (const unsigned char *)text, *end = p + len;
  while (p < end) {
    uint32_t code, least;
    int more = sequence(*p++, &code, &least) - 1;
    if (more < 0 || end - p < more) return false;
    for (; more > 0; more--, p++) {
      if ((*p & 0xC0) != 0x80) return false;
      code = code << 6 | (*p & 0x3F);
    }
    if (code < least || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return false;
  }
  return true;
}

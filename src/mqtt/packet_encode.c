/* SPDX-License-Identifier: MIT
 *
 * Facts to bytes. Each packet is put together by one function, which runs twice: first it only counts, so that the
 * length in the fixed header is known, then it writes.
 */
#include "packet_rules.h"
#include "wire.h"

/* Where the bytes go. `to` NULL: they are counted. 64 bits hold whatever a size_t can ask for, filters that share their
 * text included. */
struct output {
  int version;
  char *to;
  uint64_t size;
};

static void put_number(struct output *out, uint32_t n, int bytes) {
  if (out->to != NULL) out->to = fog_write_number(out->to, n, bytes);
  out->size += (uint64_t)bytes;
}

static void put_varint(struct output *out, uint32_t n) {
  if (out->to != NULL) out->to = fog_write_varint(out->to, n);
  out->size += (uint64_t)fog_varint_size(n);
}

static void put_slice(struct output *out, struct fog_bytes b) {
  if (out->to != NULL) out->to = fog_write_slice(out->to, b);
  out->size += b.len;
}

static void put_bytes(struct output *out, struct fog_bytes b) {
  put_number(out, (uint32_t)b.len, 2);
  put_slice(out, b);
}

static void put_block(struct output *out, struct fog_bytes block) {
  if (out->version < FOG_MQTT_5) return;
  put_varint(out, (uint32_t)block.len);
  put_slice(out, block);
}

/* A type each -------------------------------------------------------------------------------------------------------*/

static unsigned connect_flags(const struct fog_connect_facts *c) {
  unsigned flags = c->clean ? 0x02 : 0;
  if (c->will_topic.data != NULL) flags |= 0x04u | (unsigned)c->will_qos << 3 | (c->will_retained ? 0x20u : 0);
  if (c->password.data != NULL) flags |= 0x40;
  if (c->username.data != NULL) flags |= 0x80;
  return flags;
}

static void put_connect(struct output *out, const struct fog_packet *p) {
  const struct fog_connect_facts *c = &p->connect;
  put_bytes(out, (struct fog_bytes){"MQTT", 4});
  put_number(out, (uint32_t)out->version, 1);
  put_number(out, connect_flags(c), 1);
  put_number(out, c->keepalive_s, 2);
  put_block(out, p->properties);
  put_bytes(out, c->client_id);
  if (c->will_topic.data != NULL) {
    put_block(out, c->will_properties);
    put_bytes(out, c->will_topic);
    put_bytes(out, c->will_payload);
  }
  if (c->username.data != NULL) put_bytes(out, c->username);
  if (c->password.data != NULL) put_bytes(out, c->password);
}

static void put_connack(struct output *out, const struct fog_packet *p) {
  put_number(out, p->session_present, 1);
  put_number(out, p->reason, 1);
  put_block(out, p->properties);
}

/* Without its payload, which encode_head leaves out. */
static void put_publish(struct output *out, const struct fog_packet *p) {
  put_bytes(out, p->topic);
  if (p->qos > 0) put_number(out, p->id, 2);
  put_block(out, p->properties);
}

/* The code and the properties are left out where they say nothing. */
static void put_reason(struct output *out, const struct fog_packet *p) {
  if (out->version < FOG_MQTT_5 || (p->reason == FOG_SUCCESS && p->properties.len == 0)) return;
  put_number(out, p->reason, 1);
  if (p->properties.len > 0) put_block(out, p->properties);
}

static void put_codes(struct output *out, const struct fog_packet *p) {
  put_number(out, p->id, 2);
  put_block(out, p->properties);
  put_slice(out, p->codes);
}

static void put_filters(struct output *out, const struct fog_packet *p) {
  put_number(out, p->id, 2);
  put_block(out, p->properties);
  for (size_t i = 0; i < p->list_len; i++) {
    const struct fog_filter *f = &p->list[i];
    put_bytes(out, f->filter);
    if (p->type == FOG_UNSUBSCRIBE) continue;
    put_number(out,
               (uint32_t)(f->qos | (f->no_local ? 4 : 0) | (f->retain_as_published ? 8 : 0) | f->retain_handling << 4),
               1);
  }
}

/* All but the fixed header and the payload of a PUBLISH. */
static void put_body(struct output *out, const struct fog_packet *p) {
  switch (p->type) {
    case FOG_CONNECT:
      put_connect(out, p);
      break;
    case FOG_CONNACK:
      put_connack(out, p);
      break;
    case FOG_PUBLISH:
      put_publish(out, p);
      break;
    case FOG_PUBACK:
    case FOG_PUBREC:
    case FOG_PUBREL:
    case FOG_PUBCOMP:
      put_number(out, p->id, 2);
      put_reason(out, p);
      break;
    case FOG_SUBSCRIBE:
    case FOG_UNSUBSCRIBE:
      put_filters(out, p);
      break;
    case FOG_SUBACK:
    case FOG_UNSUBACK:
      put_codes(out, p);
      break;
    case FOG_DISCONNECT:
    case FOG_AUTH:
      put_reason(out, p);
      break;
    default: /* PINGREQ, PINGRESP: nothing */
      break;
  }
}

/* Whether it can be sent at all -------------------------------------------------------------------------------------*/

static bool too_long(struct fog_bytes text) { return text.len > FOG_MAX_TEXT; }

static bool any_too_long(const struct fog_packet *p) {
  const struct fog_connect_facts *c = &p->connect;
  if (p->type == FOG_PUBLISH) return too_long(p->topic);
  if (p->type != FOG_CONNECT) return false;
  return too_long(c->client_id) || too_long(c->username) || too_long(c->password) || too_long(c->will_topic) ||
         too_long(c->will_payload);
}

static bool filters_fit(int version, const struct fog_packet *p, struct fog_packet_fault *fault) {
  if (p->type != FOG_SUBSCRIBE && p->type != FOG_UNSUBSCRIBE) return true;
  if (p->list_len == 0) return fog_refuse(fault, FOG_PROTOCOL_ERROR, "no filter");
  for (size_t i = 0; i < p->list_len; i++) {
    if (too_long(p->list[i].filter)) return fog_refuse(fault, FOG_TOPIC_FILTER_INVALID, "a filter is over 65535 bytes");
    if (!fog_packet_check_filter(version, p->type, &p->list[i], fault)) return false;
  }
  return true;
}

/* The remaining length, and of it what stands before the payload; false: *fault says why. */
static bool measure(int version, const struct fog_packet *p, uint32_t *all, uint32_t *head,
                    struct fog_packet_fault *fault) {
  bool will = p->type == FOG_CONNECT && p->connect.will_properties.len > FOG_MAX_REMAINING;
  if (any_too_long(p)) return fog_refuse(fault, FOG_PACKET_TOO_LARGE, "a text is over 65535 bytes");
  if (p->properties.len > FOG_MAX_REMAINING || will)
    return fog_refuse(fault, FOG_PACKET_TOO_LARGE, "the properties are over 268435455 bytes");
  if (!filters_fit(version, p, fault) || !fog_packet_check(version, FOG_ANYBODY, p, fault)) return false;
  struct output count = {version, NULL, 0};
  put_body(&count, p);
  uint64_t whole = count.size + (p->type == FOG_PUBLISH ? p->payload.len : 0);
  if (whole > FOG_MAX_REMAINING || whole < count.size)
    return fog_refuse(fault, FOG_PACKET_TOO_LARGE, "it is over 268435455 bytes");
  *all = (uint32_t)whole;
  *head = (uint32_t)count.size;
  return true;
}

size_t fog_packet_size(int version, const struct fog_packet *p, const char **why) {
  struct fog_packet_fault fault;
  uint32_t all, head;
  if (measure(version, p, &all, &head, &fault)) return 1 + (size_t)fog_varint_size(all) + all;
  if (why != NULL) *why = fault.text;
  return 0;
}

static unsigned first_byte(const struct fog_packet *p) {
  unsigned flags = fog_packet_rule(p->type)->flags;
  if (p->type == FOG_PUBLISH) flags = (p->dup ? 8u : 0) | (unsigned)p->qos << 1 | (p->retained ? 1u : 0);
  return (unsigned)p->type << 4 | flags;
}

static size_t encode(int version, const struct fog_packet *p, char *to, size_t capacity, bool with_payload) {
  struct fog_packet_fault fault;
  uint32_t all, head;
  if (!measure(version, p, &all, &head, &fault)) return 0;
  size_t size = 1 + (size_t)fog_varint_size(all) + (with_payload ? all : head);
  if (size > capacity) return 0;
  struct output out = {version, to, 0};
  put_number(&out, first_byte(p), 1);
  put_varint(&out, all);
  put_body(&out, p);
  if (with_payload && p->type == FOG_PUBLISH) put_slice(&out, p->payload);
  return size;
}

size_t fog_packet_encode(int version, const struct fog_packet *p, char *to, size_t capacity) {
  return encode(version, p, to, capacity, true);
}

size_t fog_packet_encode_head(int version, const struct fog_packet *p, char *to, size_t capacity) {
  return encode(version, p, to, capacity, false);
}

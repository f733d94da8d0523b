/* SPDX-License-Identifier: MIT
 *
 * Bytes to facts. Here the form is read: flags, lengths, what is cut short, what stands after the end. What the facts
 * may be is packet_check.c's, so that the encoder is held to the same.
 */
#include "packet_rules.h"
#include "text.h"
#include "wire.h"

/* One packet that is being read: what is left of it. */
struct input {
  int version;
  struct fog_reader r;
  struct fog_packet *p;
  struct fog_packet_fault *fault;
};

static bool malformed(struct input *in, const char *text) { return fog_refuse(in->fault, FOG_MALFORMED_PACKET, text); }

static bool cut_short(struct input *in) { return malformed(in, "it is cut short"); }

static bool at_end(const struct input *in) { return in->r.at == in->r.end; }

static bool read_byte(struct input *in, uint8_t *byte) {
  uint32_t n;
  if (!fog_read_number(&in->r, 1, &n)) return cut_short(in);
  *byte = (uint8_t)n;
  return true;
}

static bool read_two(struct input *in, uint16_t *two) {
  uint32_t n;
  if (!fog_read_number(&in->r, 2, &n)) return cut_short(in);
  *two = (uint16_t)n;
  return true;
}

static bool read_bytes(struct input *in, struct fog_bytes *b) { return fog_read_bytes(&in->r, b) || cut_short(in); }

static bool read_rest(struct input *in, struct fog_bytes *b) { return fog_read_slice(&in->r, fog_left(&in->r), b); }

/* The block of properties with its length before it. 3.1.1 has none. */
static bool read_block(struct input *in, struct fog_bytes *block) {
  uint32_t len;
  if (in->version < FOG_MQTT_5) return true;
  int took = fog_read_varint(&in->r, &len);
  if (took == 0) return cut_short(in);
  if (took != fog_varint_size(len)) return malformed(in, "the length of the properties is malformed");
  return fog_read_slice(&in->r, len, block) || malformed(in, "the properties are longer than the packet");
}

static bool read_properties(struct input *in) { return read_block(in, &in->p->properties); }

/* A type each -------------------------------------------------------------------------------------------------------*/

/* The will, of which the flags of CONNECT say whether there is one. */
static bool read_will(struct input *in, unsigned flags) {
  struct fog_connect_facts *c = &in->p->connect;
  c->will_qos = flags >> 3 & 3;
  c->will_retained = (flags & 0x20) != 0;
  if ((flags & 0x04) == 0) return true;
  return read_block(in, &c->will_properties) && read_bytes(in, &c->will_topic) && read_bytes(in, &c->will_payload);
}

static bool read_connect(struct input *in) {
  struct fog_connect_facts *c = &in->p->connect;
  struct fog_bytes name;
  uint8_t level, flags;
  memset(c, 0, sizeof *c);
  if (!read_bytes(in, &name) || !read_byte(in, &level)) return false;
  if (name.len != 4 || memcmp(name.data, "MQTT", 4) != 0 || level != in->version)
    return fog_refuse(in->fault, FOG_UNSUPPORTED_PROTOCOL_VERSION, "another protocol or version");
  if (!read_byte(in, &flags) || !read_two(in, &c->keepalive_s)) return false;
  if ((flags & 0x01) != 0) return malformed(in, "a reserved flag is set");
  c->clean = (flags & 0x02) != 0;
  if (!read_properties(in) || !read_bytes(in, &c->client_id) || !read_will(in, flags)) return false;
  if ((flags & 0x80) != 0 && !read_bytes(in, &c->username)) return false;
  return (flags & 0x40) == 0 || read_bytes(in, &c->password);
}

/* What a broker of 3.1.1 says to a CONNECT of 5.0: two bytes, the second its own "unacceptable version" or ours. */
static bool is_old_refusal(const struct input *in, unsigned flags) {
  uint8_t code = in->p->reason;
  return in->version >= FOG_MQTT_5 && at_end(in) && flags == 0 &&
         (code == 1 || code == FOG_UNSUPPORTED_PROTOCOL_VERSION);
}

static bool read_connack(struct input *in) {
  uint8_t flags;
  if (!read_byte(in, &flags) || !read_byte(in, &in->p->reason)) return false;
  if (flags > 1) return malformed(in, "reserved flags are set");
  if (is_old_refusal(in, flags))
    return fog_refuse(in->fault, FOG_UNSUPPORTED_PROTOCOL_VERSION, "the broker does not speak MQTT 5");
  in->p->session_present = flags == 1;
  return read_properties(in);
}

static bool read_publish(struct input *in, unsigned flags) {
  struct fog_packet *p = in->p;
  p->retained = (flags & 1) != 0;
  p->qos = flags >> 1 & 3;
  p->dup = (flags & 8) != 0;
  if (!read_bytes(in, &p->topic)) return false;
  if (p->qos > 0 && !read_two(in, &p->id)) return false;
  return read_properties(in) && read_rest(in, &p->payload);
}

/* PUBACK to PUBCOMP: the code, and then the properties, may be left out in 5.0 (3.4.2.1, 3.4.2.2). */
static bool read_ack(struct input *in) {
  if (!read_two(in, &in->p->id)) return false;
  if (in->version < FOG_MQTT_5 || at_end(in)) return true;
  return read_byte(in, &in->p->reason) && (at_end(in) || read_properties(in));
}

/* DISCONNECT and AUTH: the same without an id. The properties of AUTH go only together with its code (3.15.2.1). */
static bool read_end(struct input *in) {
  if (in->version < FOG_MQTT_5 || at_end(in)) return true;
  if (!read_byte(in, &in->p->reason)) return false;
  if (at_end(in) && in->p->type == FOG_DISCONNECT) return true;
  return read_properties(in);
}

static bool read_codes(struct input *in) {
  return read_two(in, &in->p->id) && read_properties(in) && read_rest(in, &in->p->codes);
}

/* One filter off the reader; the high bits of its options are looked at here. */
static bool read_filter(struct input *in, struct fog_filter *f) {
  uint8_t options;
  *f = (struct fog_filter){.qos = 0};
  if (!read_bytes(in, &f->filter)) return false;
  if (in->p->type == FOG_UNSUBSCRIBE) return true;
  if (!read_byte(in, &options)) return false;
  if (options > (in->version < FOG_MQTT_5 ? 0x03 : 0x3F)) return malformed(in, "reserved options are set");
  f->qos = options & 3;
  f->no_local = (options & 4) != 0;
  f->retain_as_published = (options & 8) != 0;
  f->retain_handling = options >> 4 & 3;
  return true;
}

static bool read_filters(struct input *in) {
  struct fog_filter f;
  if (!read_two(in, &in->p->id) || !read_properties(in)) return false;
  struct fog_reader all = in->r;
  if (at_end(in)) return fog_refuse(in->fault, FOG_PROTOCOL_ERROR, "no filter");
  while (!at_end(in)) {
    if (!read_filter(in, &f) || !fog_packet_check_filter(in->version, in->p->type, &f, in->fault)) return false;
  }
  return fog_read_slice(&all, fog_left(&all), &in->p->filters);
}

static bool read_body(struct input *in, unsigned flags) {
  switch (in->p->type) {
    case FOG_CONNECT:
      return read_connect(in);
    case FOG_CONNACK:
      return read_connack(in);
    case FOG_PUBLISH:
      return read_publish(in, flags);
    case FOG_PUBACK:
    case FOG_PUBREC:
    case FOG_PUBREL:
    case FOG_PUBCOMP:
      return read_ack(in);
    case FOG_SUBSCRIBE:
    case FOG_UNSUBSCRIBE:
      return read_filters(in);
    case FOG_SUBACK:
    case FOG_UNSUBACK:
      return read_codes(in);
    case FOG_DISCONNECT:
    case FOG_AUTH:
      return read_end(in);
    default: /* PINGREQ, PINGRESP: nothing; 0 is refused before */
      return true;
  }
}

/* The fixed header -------------------------------------------------------------------------------------------------*/

/* What the first byte alone says, so that a packet that is none is not read as one. */
static bool read_type(struct input *in, enum fog_sender from, uint8_t first) {
  struct fog_packet *p = in->p;
  p->type = (enum fog_packet_type)(first >> 4);
  const struct fog_packet_rule *rule = fog_packet_rule(p->type);
  if (rule == NULL || (p->type == FOG_AUTH && in->version < FOG_MQTT_5)) return malformed(in, "a reserved type");
  if (p->type != FOG_PUBLISH && (first & 15) != rule->flags) return malformed(in, "reserved flags are set");
  return fog_packet_sent_by(in->version, from, p->type) ||
         fog_refuse(in->fault, FOG_PROTOCOL_ERROR, "a packet that only the other side sends");
}

/* The remaining length, which must be that of the bytes. */
static bool read_length(struct input *in) {
  uint32_t n;
  int took = fog_read_varint(&in->r, &n);
  if (took <= 0 || n != fog_left(&in->r)) return malformed(in, "its length is not that of its bytes");
  return in->version < FOG_MQTT_5 || took == fog_varint_size(n) ||
         malformed(in, "its length is not in the shortest form");
}

bool fog_packet_decode(int version, enum fog_sender from, const char *bytes, size_t len, struct fog_packet *p,
                       struct fog_packet_fault *fault) {
  struct input in = {version, {bytes, bytes}, p, fault};
  uint8_t first;
  if (len > 0) in.r.end += len;
  memset(p, 0, offsetof(struct fog_packet, connect)); /* which is most of it, and rare */
  if (!read_byte(&in, &first) || !read_type(&in, from, first) || !read_length(&in)) return false;
  if (!read_body(&in, first & 15)) return false;
  if (!at_end(&in)) return malformed(&in, "bytes stand after its end");
  return fog_packet_check(version, from, p, fault);
}

bool fog_packet_next_filter(int version, enum fog_packet_type type, struct fog_bytes *rest, struct fog_filter *filter) {
  struct fog_packet p = {.type = type};
  struct fog_packet_fault fault;
  struct input in = {version, fog_reader_of(*rest), &p, &fault};
  if (at_end(&in) || !read_filter(&in, filter)) return false;
  return read_rest(&in, rest);
}

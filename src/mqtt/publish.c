/* SPDX-License-Identifier: MIT */
#include "publish.h"

#include <stdlib.h>
#include <string.h>

#include "properties.h"

enum { EXPIRY = 2, ALIAS = 35, ALIAS_SIZE = 3, HEAD_MOST = 16 };

static struct fog_packet facts(const struct fog_outgoing *o, const struct fog_message *m) {
  struct fog_packet p = {.type = FOG_PUBLISH,
                         .id = m->packet_id,
                         .qos = m->qos,
                         .dup = m->sent && m->qos > 0,
                         .retained = m->retained,
                         .topic = {m->event.text, m->event.text_len},
                         .payload = {m->event.extra, m->event.extra_len}};
  if (o->version == FOG_MQTT_5) p.properties = (struct fog_bytes){m->properties, m->properties_len};
  return p;
}

size_t fog_publish_size(const struct fog_outgoing *o, const struct fog_message *m) {
  struct fog_packet p = facts(o, m);
  if (p.qos > 0 && p.id == 0) p.id = 1; /* any: it takes two bytes */
  return fog_packet_size(o->version, &p, NULL);
}

/* The bytes of `from` without its expiry interval. */
static char *without_expiry(char *to, struct fog_bytes from) {
  struct fog_property p;
  if (from.data == NULL) return to;
  const char *at = from.data, *begin = at, *end = at + from.len;
  while (fog_property_read(&at, end, &p)) {
    if (p.rule->id != EXPIRY) {
      memcpy(to, begin, (size_t)(at - begin));
      to += at - begin;
    }
    begin = at;
  }
  return to;
}

static char *put_number(char *to, int id, uint32_t number) {
  struct fog_property p = {.rule = fog_property_by_id(id), .number = number};
  return fog_property_write(&p, to);
}

/* The properties of this very packet, in the scratch where they differ from the message's. False: no memory. */
static bool adjust(struct fog_outgoing *o, const struct fog_message *m, uint16_t alias, int64_t now_ms,
                   struct fog_bytes *properties) {
  bool expires = m->expires_ms != 0;
  if (alias == 0 && !expires) return true;
  size_t most = properties->len + ALIAS_SIZE + 5;
  if (most > o->scratch_cap) {
    char *grown = realloc(o->scratch, most);
    if (grown == NULL) return false;
    o->scratch = grown;
    o->scratch_cap = most;
  }
  char *to = o->scratch;
  if (alias != 0) to = put_number(to, ALIAS, alias);
  if (expires) {
    int64_t left = (m->expires_ms - now_ms + 999) / 1000;
    to = put_number(to, EXPIRY, left > 0 ? (uint32_t)left : 0);
    to = without_expiry(to, *properties);
  } else {
    memcpy(to, properties->data, properties->len);
    to += properties->len;
  }
  *properties = (struct fog_bytes){o->scratch, (size_t)(to - o->scratch)};
  return true;
}

/* An alias makes the packet that introduces it a little larger: not beyond what the broker takes. */
static bool may_alias(const struct fog_outgoing *o, const struct fog_message *m) {
  enum { MORE = ALIAS_SIZE + 2 }; /* and what the two lengths may grow by */
  if (o->version != FOG_MQTT_5 || o->aliases.maximum == 0) return false;
  return o->limits.maximum_packet_size == 0 || fog_publish_size(o, m) + MORE <= o->limits.maximum_packet_size;
}

bool fog_publish_write(struct fog_outgoing *o, struct fog_message *m, struct fog_writer *out, int64_t now_ms) {
  struct fog_packet p = facts(o, m);
  bool named = true, borrow = p.payload.len >= FOG_WRITER_LARGE && fog_writer_may_borrow(out);
  uint16_t alias = may_alias(o, m) ? fog_aliases_for(&o->aliases, p.topic, &named) : 0;
  if (!named) p.topic.len = 0;
  if (!adjust(o, m, alias, now_ms, &p.properties)) return false;
  size_t size = HEAD_MOST + p.topic.len + p.properties.len + (borrow ? 0 : p.payload.len);
  char *to = fog_writer_room(out, size);
  if (to == NULL) return false;
  size_t written =
      borrow ? fog_packet_encode_head(o->version, &p, to, size) : fog_packet_encode(o->version, &p, to, size);
  if (written == 0) return false;
  fog_writer_add(out, written);
  if (!borrow) return true;
  fog_writer_borrow(out, p.payload.data, p.payload.len);
  o->lent = m;
  return true;
}

/* SPDX-License-Identifier: MIT
 *
 * Order: a message is written here only while none is in flight and no SUBSCRIBE is on its way, so it overtakes
 * nothing. When the write buffer is full the next go through Paho, which knows how to wait for room; once it has none
 * of them any more, this way is open again.
 */
#include "direct.h"

#include <string.h>

#ifdef FOG_PAHO_LEAN

#include "../mqtt/text.h"

enum { BATCH = 256, PUBLISH = 0x30, PUBACK = 0x40, PUBREC = 0x50, PUBREL = 0x60, RETAIN = 1, DUP = 8 };
enum { MQTT_5 = 5, HEADER_MOST = 5, SEVEN_BITS = 128 };

/* The length of the properties at p (5.0, 2.2.2), behind which *p then is. False: they are not whole. */
static bool properties_length(const unsigned char **p, const unsigned char *end, size_t *len) {
  unsigned shift = 0;
  *len = 0;
  while (*p < end && shift < 28) {
    unsigned byte = *(*p)++;
    *len |= (size_t)(byte % SEVEN_BITS) << shift;
    if (byte < SEVEN_BITS) return *len <= (size_t)(end - *p);
    shift += 7;
  }
  return false;
}

/* Acknowledges a message of QoS 1 or 2. */
static enum fog_lean_verdict answer(const struct fog_direct *d, unsigned qos, const unsigned char *id) {
  const unsigned char ack[] = {qos == 1 ? PUBACK : PUBREC, 2, id[0], id[1]};
  if (qos == 2 && !fog_open_ids_ready(&d->session->open_ids)) return FOG_LEAN_PAHO;
  return fog_lean_answer(&d->connection, ack, sizeof ack) ? FOG_LEAN_TAKEN : FOG_LEAN_LATER;
}

/* The sink of a connection. The guard has looked at the packet before; what does not fit together is Paho's. A message
 * of QoS 2 is delivered when it comes, and its id kept by the session until its PUBREL (4.3.3, method B of the
 * receiver): that survives a lost link, and with the process nothing dies that the broker takes for delivered. */
static enum fog_lean_verdict receive(void *context, unsigned first, const unsigned char *body, size_t len) {
  const struct fog_direct *d = context;
  const unsigned char *p = body + 2, *end = body + len;
  unsigned qos = first >> 1 & 3, id_len = qos > 0 ? 2 : 0;
  size_t topic_len = len < 2 ? len : (size_t)body[0] << 8 | body[1], properties_len = 0;
  if ((first & 0xF0) == PUBREL) {
    if (len >= 2) fog_open_ids_remove(&d->session->open_ids, (uint16_t)topic_len);
    return FOG_LEAN_PAHO; /* it answers, whether it knows the id or not */
  }
  if (qos > 2 || 2 + topic_len + id_len > len) return FOG_LEAN_PAHO;
  const unsigned char *id = p += topic_len;
  p += id_len;
  if (d->version == MQTT_5 && !properties_length(&p, end, &properties_len)) return FOG_LEAN_PAHO;
  enum fog_lean_verdict verdict = qos > 0 ? answer(d, qos, id) : FOG_LEAN_TAKEN;
  if (verdict != FOG_LEAN_TAKEN) return verdict;
  if (qos == 2 && !fog_open_ids_add(&d->session->open_ids, (uint16_t)(id[0] << 8 | id[1]))) return FOG_LEAN_TAKEN;
  const struct fog_message_view m = {.topic = (const char *)body + 2,
                                     .topic_len = (uint32_t)topic_len,
                                     .properties = (const char *)p,
                                     .properties_len = (uint32_t)properties_len,
                                     .payload = (const char *)p + properties_len,
                                     .payload_len = (uint32_t)((size_t)(end - p) - properties_len),
                                     .qos = (uint8_t)qos,
                                     .retained = (first & RETAIN) != 0,
                                     .dup = (first & DUP) != 0};
  d->deliver(d->link, &m);
  return FOG_LEAN_TAKEN;
}

void fog_direct_open(struct fog_direct *d, const char *uri) {
  static const struct fog_lean_ref none = {NULL, 0};
  struct fog_session *s = d->session;
  d->connection = strncmp(uri, "ws", 2) == 0 ? none : fog_lean_current();
  atomic_store(&s->connection, 0); /* first, so that nobody pairs the new slot with an old number, or the reverse */
  atomic_store(&s->slot, d->connection.slot);
  atomic_store(&s->connection, d->connection.number);
  if (d->connection.slot != NULL) fog_lean_set_sink(&d->connection, receive, d);
}

static struct fog_lean_ref connection_of(struct fog_session *s) {
  struct fog_lean_ref c = {NULL, atomic_load(&s->connection)};
  c.slot = atomic_load(&s->slot);
  return c;
}

bool fog_direct_flushed(struct fog_session *s) {
  struct fog_lean_ref c = connection_of(s);
  return fog_lean_is_flushed(&c);
}

/* 3.3 of either version. What is behind the length: */
static size_t body_size(const struct fog_direct *d, const struct fog_message *m) {
  return 2 + m->event.text_len + (d->version == MQTT_5 ? 1 : 0) + m->event.extra_len;
}

static size_t header_write(unsigned char *to, bool retained, size_t body) {
  size_t n = 0;
  to[n++] = (unsigned char)(retained ? PUBLISH | RETAIN : PUBLISH);
  for (; body >= SEVEN_BITS; body /= SEVEN_BITS) to[n++] = (unsigned char)(body % SEVEN_BITS | SEVEN_BITS);
  to[n++] = (unsigned char)body;
  return n;
}

static bool write_one(const struct fog_direct *d, const struct fog_lean_ref *c, const struct fog_message *m) {
  unsigned char header[HEADER_MOST];
  size_t topic_len = m->event.text_len, body = body_size(d, m);
  if (!fog_text_valid((struct fog_bytes){m->event.text, topic_len})) return false; /* Paho says why */
  size_t n = header_write(header, m->retained, body);
  unsigned char *to = fog_lean_room(c, n + body);
  if (to == NULL) return false;
  memcpy(to, header, n);
  to += n;
  *to++ = (unsigned char)(topic_len >> 8);
  *to++ = (unsigned char)topic_len;
  memcpy(to, m->event.text, topic_len);
  to += topic_len;
  if (d->version == MQTT_5) *to++ = 0; /* no properties */
  if (m->event.extra_len > 0) memcpy(to, m->event.extra, m->event.extra_len);
  return true;
}

static size_t write_batch(const struct fog_direct *d, const struct fog_lean_ref *c, const struct fog_message *first,
                          size_t count) {
  size_t n = 0;
  if (!fog_lean_begin(c)) return 0;
  for (; n < count && write_one(d, c, first); first = first->next) n++;
  fog_lean_end(c);
  return n;
}

enum fog_direct_result fog_direct_feed(const struct fog_direct *d, size_t *written) {
  struct fog_session *s = d->session;
  struct fog_lean_ref c = connection_of(s);
  size_t count, n;
  bool wait;
  if (c.slot == NULL || atomic_load(&s->subscribing) > 0) return FOG_DIRECT_PAHO;
  do {
    const struct fog_message *first = fog_outbox_feed_plain(&s->outbox, BATCH, &count, &wait);
    if (first == NULL) break;
    n = write_batch(d, &c, first, count);
    *written += n;
    if (fog_outbox_end_plain(&s->outbox, n)) fog_session_announce(s, &s->drained);
    if (n < count) return FOG_DIRECT_PAHO;
  } while (count == BATCH);
  return wait ? FOG_DIRECT_LATER : FOG_DIRECT_PAHO;
}

#else

void fog_direct_open(struct fog_direct *d, const char *uri) { (void)d, (void)uri; }

bool fog_direct_flushed(struct fog_session *s) {
  (void)s;
  return true;
}

enum fog_direct_result fog_direct_feed(const struct fog_direct *d, size_t *written) {
  (void)d, (void)written;
  return FOG_DIRECT_PAHO;
}

#endif

/* SPDX-License-Identifier: MIT */
#include "outbox.h"

#include <stdlib.h>
#include <string.h>

static void release_message(struct fog_event *ev) {
  struct fog_message *m = (struct fog_message *)ev;
  if (m->properties != NULL) m->free_properties(m->properties);
  free(m);
}

struct fog_message *fog_message_new(const char *topic, size_t topic_len, const char *payload, size_t payload_len) {
  struct fog_message *m = malloc(sizeof *m + topic_len + 1 + payload_len + 1);
  if (m == NULL) return NULL;
  memset(m, 0, sizeof *m);
  char *text = (char *)(m + 1);
  memcpy(text, topic, topic_len);
  text[topic_len] = '\0';
  char *bytes = text + topic_len + 1;
  if (payload_len > 0) memcpy(bytes, payload, payload_len);
  bytes[payload_len] = '\0';
  m->event.type = FOG_EV_PUBLISHED;
  m->event.text = text;
  m->event.text_len = topic_len;
  m->event.extra = bytes;
  m->event.extra_len = payload_len;
  m->event.release = release_message;
  return m;
}

static size_t cost(const struct fog_message *m) { return sizeof *m + m->event.text_len + m->event.extra_len; }

static void list_insert_after(struct fog_message_list *l, struct fog_message *after, struct fog_message *m) {
  m->prev = after;
  m->next = after == NULL ? l->head : after->next;
  if (m->next != NULL)
    m->next->prev = m;
  else
    l->tail = m;
  if (after != NULL)
    after->next = m;
  else
    l->head = m;
}

static void list_remove(struct fog_message_list *l, struct fog_message *m) {
  if (m->next != NULL)
    m->next->prev = m->prev;
  else
    l->tail = m->prev;
  if (m->prev != NULL)
    m->prev->next = m->next;
  else
    l->head = m->next;
  m->next = m->prev = NULL;
}

void fog_outbox_init(struct fog_outbox *o, size_t max_count, size_t max_bytes, size_t window) {
  memset(o, 0, sizeof *o);
  (void)pthread_mutex_init(&o->lock, NULL);
  o->max_count = max_count;
  o->max_bytes = max_bytes;
  o->window = window;
}

static void free_all(struct fog_message *m) {
  while (m != NULL) {
    struct fog_message *next = m->next;
    release_message(&m->event);
    m = next;
  }
}

void fog_outbox_destroy(struct fog_outbox *o) {
  free_all(o->queued.head);
  free_all(o->flying.head);
  (void)pthread_mutex_destroy(&o->lock);
}

bool fog_outbox_add(struct fog_outbox *o, struct fog_message *m, uint64_t *id) {
  (void)pthread_mutex_lock(&o->lock);
  bool room = o->queued_count + o->flying_count < o->max_count && o->bytes + cost(m) <= o->max_bytes;
  if (room) {
    *id = ++o->last_id;
    m->event.id = *id;
    list_insert_after(&o->queued, o->queued.tail, m);
    o->queued_count++;
    o->bytes += cost(m);
    o->accepted++;
  }
  (void)pthread_mutex_unlock(&o->lock);
  return room;
}

static bool may_fly(const struct fog_outbox *o, const struct fog_message *m) {
  if (m == NULL || o->flying_count >= o->window) return false;
  return m->qos < 2 || o->flying_qos2 < FOG_QOS2_WINDOW;
}

/* Under the lock, as its opposite. */
static void take_off(struct fog_outbox *o, struct fog_message *m) {
  list_remove(&o->queued, m);
  o->queued_count--;
  list_insert_after(&o->flying, o->flying.tail, m);
  o->flying_count++;
  if (m->qos == 2) o->flying_qos2++;
}

static void land(struct fog_outbox *o, struct fog_message *m) {
  list_remove(&o->flying, m);
  o->flying_count--;
  if (m->qos == 2) o->flying_qos2--;
}

struct fog_message *fog_outbox_feed(struct fog_outbox *o) {
  (void)pthread_mutex_lock(&o->lock);
  struct fog_message *m = o->queued.head;
  if (may_fly(o, m))
    take_off(o, m);
  else
    m = NULL;
  (void)pthread_mutex_unlock(&o->lock);
  return m;
}

/* Under the lock. */
static bool drained_now(struct fog_outbox *o) {
  bool drained = o->drain_wanted && o->queued_count + o->flying_count == 0;
  if (drained) o->drain_wanted = false;
  return drained;
}

struct fog_outbox_after fog_outbox_end(struct fog_outbox *o, struct fog_message *m, int code) {
  struct fog_outbox_after after;
  (void)pthread_mutex_lock(&o->lock);
  land(o, m);
  o->bytes -= cost(m);
  if (code == 0)
    o->acknowledged++;
  else
    o->failed++;
  after.drained = drained_now(o);
  after.hungry = o->queued_count > 0 && (o->flying_count <= o->window / 2 || m->qos == 2);
  (void)pthread_mutex_unlock(&o->lock);
  m->event.code = code;
  return after;
}

void fog_outbox_requeue(struct fog_outbox *o, struct fog_message *m) {
  (void)pthread_mutex_lock(&o->lock);
  land(o, m);
  struct fog_message *after = NULL; /* few are ahead of it: those that came back just before */
  for (struct fog_message *q = o->queued.head; q != NULL && q->event.id < m->event.id; q = q->next) after = q;
  list_insert_after(&o->queued, after, m);
  o->queued_count++;
  (void)pthread_mutex_unlock(&o->lock);
}

struct fog_message *fog_outbox_drop(struct fog_outbox *o) {
  (void)pthread_mutex_lock(&o->lock);
  struct fog_message *m = o->queued.head;
  if (m != NULL) {
    list_remove(&o->queued, m);
    o->queued_count--;
    o->bytes -= cost(m);
    o->dropped++;
  }
  (void)pthread_mutex_unlock(&o->lock);
  return m;
}

bool fog_outbox_want_drain(struct fog_outbox *o) {
  (void)pthread_mutex_lock(&o->lock);
  bool empty = o->queued_count + o->flying_count == 0;
  o->drain_wanted = !empty;
  (void)pthread_mutex_unlock(&o->lock);
  return empty;
}

void fog_outbox_stats(struct fog_outbox *o, struct fog_outbox_stats *s) {
  (void)pthread_mutex_lock(&o->lock);
  *s = (struct fog_outbox_stats){.accepted = o->accepted,
                                 .acknowledged = o->acknowledged,
                                 .failed = o->failed,
                                 .dropped = o->dropped,
                                 .queued = o->queued_count + o->flying_count,
                                 .queued_bytes = o->bytes,
                                 .in_flight = o->flying_count};
  (void)pthread_mutex_unlock(&o->lock);
}

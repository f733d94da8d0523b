/* SPDX-License-Identifier: MIT */
#include "outbox.h"

#include <stdlib.h>
#include <string.h>

static void release_message(struct fog_event *ev) {
  free(ev->properties); /* what the broker said of it */
  free(ev);
}

static void *copy(char **to, struct fog_bytes from) {
  char *at = *to;
  if (from.len > 0) memcpy(at, from.data, from.len);
  at[from.len] = '\0';
  *to += from.len + 1;
  return at;
}

struct fog_message *fog_message_new(struct fog_bytes topic, struct fog_bytes payload, struct fog_bytes properties) {
  struct fog_message *m = malloc(sizeof *m + topic.len + payload.len + properties.len + 3);
  if (m == NULL) return NULL;
  memset(m, 0, sizeof *m);
  char *at = (char *)(m + 1);
  m->event.type = FOG_EV_PUBLISHED;
  m->event.text = copy(&at, topic);
  m->event.text_len = topic.len;
  m->event.extra = copy(&at, payload);
  m->event.extra_len = payload.len;
  m->properties = copy(&at, properties);
  m->properties_len = properties.len;
  m->event.release = release_message;
  return m;
}

size_t fog_message_cost(const struct fog_message *m) {
  return m->event.text_len + m->event.extra_len + m->properties_len;
}

void fog_message_free(struct fog_message *m) { m->event.release(&m->event); }

void fog_message_append(struct fog_message_list *l, struct fog_message *m) {
  m->next = NULL;
  m->prev = l->tail;
  if (l->tail != NULL)
    l->tail->next = m;
  else
    l->head = m;
  l->tail = m;
}

void fog_message_remove(struct fog_message_list *l, struct fog_message *m) {
  if (m->prev != NULL)
    m->prev->next = m->next;
  else
    l->head = m->next;
  if (m->next != NULL)
    m->next->prev = m->prev;
  else
    l->tail = m->prev;
  m->next = m->prev = NULL;
}

void fog_message_prepend_all(struct fog_message_list *l, struct fog_message_list *front) {
  if (front->head == NULL) return;
  front->tail->next = l->head;
  if (l->head != NULL)
    l->head->prev = front->tail;
  else
    l->tail = front->tail;
  l->head = front->head;
  *front = (struct fog_message_list){NULL, NULL};
}

void fog_outbox_init(struct fog_outbox *o, size_t max_count, size_t max_bytes) {
  memset(o, 0, sizeof *o);
  (void)pthread_mutex_init(&o->lock, NULL);
  o->max_count = max_count;
  o->max_bytes = max_bytes;
  o->idle = true;
}

void fog_outbox_seed(struct fog_outbox *o, uint64_t last_id, uint64_t count, uint64_t bytes) {
  o->last_id = last_id;
  o->accepted = count;
  o->count = (size_t)count;
  o->bytes = (size_t)bytes;
}

void fog_outbox_destroy(struct fog_outbox *o) {
  while (o->queued.head != NULL) {
    struct fog_message *m = o->queued.head;
    fog_message_remove(&o->queued, m);
    fog_message_free(m);
  }
  (void)pthread_mutex_destroy(&o->lock);
}

/* Under the lock, as all static functions from here on. */
static enum fog_outbox_room room_for(const struct fog_outbox *o, size_t bytes) {
  if (bytes > o->max_bytes) return FOG_ROOM_NEVER;
  return o->count < o->max_count && o->bytes + bytes <= o->max_bytes ? FOG_ROOM : FOG_ROOM_LATER;
}

/* Whether Lua waits for what is the case now; it is told once. */
static bool awaited_now(struct fog_outbox *o) {
  if (o->drain_wanted && o->count == 0) {
    o->drain_wanted = false;
    return true;
  }
  if (o->room_wanted == 0) return false;
  size_t needed = o->room_wanted > o->max_bytes / 4 ? o->room_wanted : o->max_bytes / 4;
  if (o->count + (o->max_count + 3) / 4 > o->max_count || o->bytes + needed > o->max_bytes) return false;
  o->room_wanted = 0;
  return true;
}

enum fog_outbox_room fog_outbox_room(struct fog_outbox *o, size_t bytes, bool wanted) {
  (void)pthread_mutex_lock(&o->lock);
  enum fog_outbox_room room = room_for(o, bytes);
  if (room == FOG_ROOM_LATER && wanted) o->room_wanted = bytes == 0 ? 1 : bytes;
  (void)pthread_mutex_unlock(&o->lock);
  return room;
}

enum fog_outbox_room fog_outbox_add(struct fog_outbox *o, struct fog_message *m, uint64_t *id, bool *feed) {
  (void)pthread_mutex_lock(&o->lock);
  enum fog_outbox_room room = room_for(o, fog_message_cost(m));
  *feed = false;
  if (room == FOG_ROOM) {
    *id = ++o->last_id;
    m->event.id = *id;
    fog_message_append(&o->queued, m);
    o->count++;
    o->bytes += fog_message_cost(m);
    o->accepted++;
    *feed = o->idle;
    o->idle = false;
  }
  (void)pthread_mutex_unlock(&o->lock);
  return room;
}

bool fog_outbox_want_drain(struct fog_outbox *o) {
  (void)pthread_mutex_lock(&o->lock);
  bool empty = o->count == 0;
  o->drain_wanted = !empty;
  (void)pthread_mutex_unlock(&o->lock);
  return empty;
}

void fog_outbox_take(struct fog_outbox *o, struct fog_message_list *to) {
  (void)pthread_mutex_lock(&o->lock);
  struct fog_message_list taken = o->queued;
  o->queued = (struct fog_message_list){NULL, NULL};
  o->idle = true;
  (void)pthread_mutex_unlock(&o->lock);
  if (taken.head == NULL) return;
  taken.head->prev = to->tail;
  if (to->tail != NULL)
    to->tail->next = taken.head;
  else
    to->head = taken.head;
  to->tail = taken.tail;
}

void fog_outbox_busy(struct fog_outbox *o) {
  (void)pthread_mutex_lock(&o->lock);
  o->idle = false;
  (void)pthread_mutex_unlock(&o->lock);
}

bool fog_outbox_settle(struct fog_outbox *o, struct fog_outcome *outcome, struct fog_queue *to, struct fog_event *ev) {
  (void)pthread_mutex_lock(&o->lock);
  o->acknowledged += outcome->acknowledged;
  o->failed += outcome->failed;
  o->dropped += outcome->dropped;
  o->count -= outcome->acknowledged + outcome->failed + outcome->dropped;
  o->bytes -= outcome->bytes;
  bool awaited = awaited_now(o);
  if (ev != NULL) fog_queue_push(to, ev);
  (void)pthread_mutex_unlock(&o->lock);
  *outcome = (struct fog_outcome){0, 0, 0, 0};
  return awaited;
}

void fog_outbox_stats(struct fog_outbox *o, struct fog_outbox_stats *s) {
  (void)pthread_mutex_lock(&o->lock);
  *s = (struct fog_outbox_stats){.accepted = o->accepted,
                                 .acknowledged = o->acknowledged,
                                 .failed = o->failed,
                                 .dropped = o->dropped,
                                 .queued = o->count,
                                 .queued_bytes = o->bytes,
                                 .in_flight = atomic_load(&o->in_flight)};
  (void)pthread_mutex_unlock(&o->lock);
}

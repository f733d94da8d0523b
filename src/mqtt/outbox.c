/* SPDX-License-Identifier: MIT */
#include "outbox.h"

#include <stdlib.h>
#include <string.h>

static void release_message(struct fog_event *ev) {
  free(ev->properties);
  free(ev);
}

/* Copies to *to, adds a NUL, and moves on. */
static char *keep(char **to, struct fog_bytes bytes) {
  char *copy = *to;
  if (bytes.len > 0) memcpy(copy, bytes.data, bytes.len);
  copy[bytes.len] = '\0';
  *to += bytes.len + 1;
  return copy;
}

struct fog_message *fog_message_new(struct fog_bytes topic, struct fog_bytes payload, struct fog_bytes properties) {
  struct fog_message *m = malloc(sizeof *m + topic.len + payload.len + properties.len + 3);
  if (m == NULL) return NULL;
  memset(m, 0, sizeof *m);
  char *to = (char *)(m + 1);
  m->event.type = FOG_EV_PUBLISHED;
  m->event.text = keep(&to, topic);
  m->event.text_len = topic.len;
  m->event.extra = keep(&to, payload);
  m->event.extra_len = payload.len;
  m->properties = keep(&to, properties);
  m->properties_len = properties.len;
  m->event.release = release_message;
  return m;
}

static size_t cost_of(size_t bytes) { return sizeof(struct fog_message) + bytes; }

static size_t cost(const struct fog_message *m) {
  return cost_of(m->event.text_len + m->event.extra_len + m->properties_len);
}

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
  o->window = o->limit = window;
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

/* Under the lock, as the next two. */
static enum fog_outbox_room room_for(const struct fog_outbox *o, size_t needed) {
  if (needed > o->max_bytes) return FOG_ROOM_NEVER;
  bool room = o->queued_count + o->flying_count < o->max_count && o->bytes + needed <= o->max_bytes;
  return room ? FOG_ROOM : FOG_ROOM_LATER;
}

static bool has_quarter(const struct fog_outbox *o, size_t needed) {
  size_t count = o->max_count / 4 > 1 ? o->max_count / 4 : 1, bytes = o->max_bytes / 4;
  if (bytes < needed) bytes = needed;
  return o->queued_count + o->flying_count + count <= o->max_count && o->bytes + bytes <= o->max_bytes;
}

/* What Lua waits for has come. */
static bool awaited_now(struct fog_outbox *o) {
  bool drained = o->drain_wanted && o->queued_count + o->flying_count == 0;
  bool room = o->room_wanted > 0 && has_quarter(o, o->room_wanted);
  if (drained) o->drain_wanted = false;
  if (room) o->room_wanted = 0;
  return drained || room;
}

enum fog_outbox_room fog_outbox_room(struct fog_outbox *o, size_t bytes, bool wanted) {
  size_t needed = cost_of(bytes);
  (void)pthread_mutex_lock(&o->lock);
  enum fog_outbox_room room = room_for(o, needed);
  bool least = o->room_wanted == 0 || needed < o->room_wanted; /* of several that wait */
  if (wanted && room == FOG_ROOM_LATER && least) o->room_wanted = needed;
  (void)pthread_mutex_unlock(&o->lock);
  return room;
}

enum fog_outbox_room fog_outbox_add(struct fog_outbox *o, struct fog_message *m, uint64_t *id, bool *feed) {
  (void)pthread_mutex_lock(&o->lock);
  enum fog_outbox_room room = room_for(o, cost(m));
  if (room == FOG_ROOM) {
    *id = ++o->last_id;
    m->event.id = *id;
    list_insert_after(&o->queued, o->queued.tail, m);
    o->queued_count++;
    o->bytes += cost(m);
    o->accepted++;
  }
  *feed = o->flying_count < o->limit || o->flying_count == o->flying_qos0; /* the plain ones have no window */
  (void)pthread_mutex_unlock(&o->lock);
  return room;
}

static bool may_fly(const struct fog_outbox *o, const struct fog_message *m) {
  if (m == NULL || o->flying_count >= o->limit) return false;
  return m->qos < 2 || o->flying_qos2 < FOG_QOS2_WINDOW;
}

/* Under the lock, as its opposite. */
static void take_off(struct fog_outbox *o, struct fog_message *m) {
  list_remove(&o->queued, m);
  m->sent = true;
  o->queued_count--;
  list_insert_after(&o->flying, o->flying.tail, m);
  o->flying_count++;
  if (m->qos == 0) o->flying_qos0++;
  if (m->qos == 2) o->flying_qos2++;
}

static void land(struct fog_outbox *o, struct fog_message *m) {
  list_remove(&o->flying, m);
  o->flying_count--;
  if (m->qos == 0) o->flying_qos0--;
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

struct fog_outbox_after fog_outbox_end(struct fog_outbox *o, struct fog_message *m, int code) {
  struct fog_outbox_after after;
  (void)pthread_mutex_lock(&o->lock);
  land(o, m);
  o->bytes -= cost(m);
  if (code == 0)
    o->acknowledged++;
  else
    o->failed++;
  after.awaited = awaited_now(o);
  after.hungry = o->queued_count > 0 && (o->flying_count <= o->limit / 2 || m->qos == 2);
  (void)pthread_mutex_unlock(&o->lock);
  m->event.code = code;
  return after;
}

static bool plain(const struct fog_message *m) {
  return m->qos == 0 && !m->notify && m->properties_len == 0 &&
         m->event.text_len + m->event.extra_len <= FOG_PLAIN_MOST;
}

/* Under the lock: the first n of the queued are in flight, where nothing else is. */
static void take_off_first(struct fog_outbox *o, struct fog_message *last, size_t n) {
  o->flying = (struct fog_message_list){o->queued.head, last};
  o->queued.head = last->next;
  if (last->next != NULL)
    last->next->prev = NULL;
  else
    o->queued.tail = NULL;
  last->next = NULL;
  o->queued_count -= n;
  o->flying_count = o->flying_qos0 = n;
}

const struct fog_message *fog_outbox_feed_plain(struct fog_outbox *o, size_t most, size_t *count, bool *wait) {
  struct fog_message *first, *last = NULL;
  size_t n = 0;
  (void)pthread_mutex_lock(&o->lock);
  first = o->queued.head;
  *wait = first == NULL || (o->flying_count > 0 && o->flying_count == o->flying_qos0);
  if (o->flying_count > 0) first = NULL;
  for (struct fog_message *m = first; m != NULL && n < most && plain(m); m = m->next) {
    last = m;
    n++;
  }
  if (last != NULL) {
    *wait = last->next == NULL;
    take_off_first(o, last, n);
  }
  (void)pthread_mutex_unlock(&o->lock);
  *count = n;
  return n > 0 ? first : NULL;
}

/* Under the lock: puts what is left of the plain ones in flight back before the queued. */
static void put_back(struct fog_outbox *o) {
  struct fog_message_list *back = &o->flying;
  if (back->head == NULL) return;
  back->head->prev = NULL;
  back->tail->next = o->queued.head;
  if (o->queued.head != NULL)
    o->queued.head->prev = back->tail;
  else
    o->queued.tail = back->tail;
  o->queued.head = back->head;
  o->queued_count += o->flying_count;
}

bool fog_outbox_end_plain(struct fog_outbox *o, size_t n) {
  (void)pthread_mutex_lock(&o->lock);
  struct fog_message *done = o->flying.head, **end = &o->flying.head;
  for (size_t i = 0; i < n; i++) {
    o->bytes -= cost(*end);
    end = &(*end)->next;
  }
  struct fog_message *rest = *end;
  *end = NULL;
  done = n > 0 ? done : NULL;
  o->flying.head = rest;
  o->flying_count -= n;
  o->acknowledged += n;
  put_back(o);
  o->flying = (struct fog_message_list){NULL, NULL};
  o->flying_count = o->flying_qos0 = 0;
  bool awaited = awaited_now(o);
  (void)pthread_mutex_unlock(&o->lock);
  free_all(done);
  return awaited;
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

void fog_outbox_limit(struct fog_outbox *o, size_t limit) {
  (void)pthread_mutex_lock(&o->lock);
  o->limit = limit == 0 || limit > o->window ? o->window : limit;
  (void)pthread_mutex_unlock(&o->lock);
}

/* QoS 0 is over with the write. After a lost link Paho may have given messages back already: they stand first among the
 * queued, and `sent` tells them from those that never went. */
static const struct fog_message *first_sent(const struct fog_message *m) {
  while (m != NULL && (m->qos == 0 || !m->sent)) m = m->next;
  return m;
}

bool fog_outbox_oldest(struct fog_outbox *o, struct fog_outbox_oldest *oldest) {
  (void)pthread_mutex_lock(&o->lock);
  const struct fog_message *flying = first_sent(o->flying.head);
  const struct fog_message *m = o->queued.head != NULL && o->queued.head->sent ? o->queued.head : NULL;
  if (m == NULL || (flying != NULL && flying->event.id < m->event.id)) m = flying;
  if (m != NULL) {
    size_t len = m->event.text_len < sizeof oldest->topic ? m->event.text_len : sizeof oldest->topic - 1;
    oldest->id = m->event.id;
    oldest->size = m->event.extra_len;
    memcpy(oldest->topic, m->event.text, len);
    oldest->topic[len] = '\0';
  }
  (void)pthread_mutex_unlock(&o->lock);
  return m != NULL;
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

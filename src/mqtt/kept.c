/* SPDX-License-Identifier: MIT */
#include "kept.h"

#include <stdlib.h>
#include <string.h>

#include "../base/process.h"
#include "outgoing.h"
#include "properties.h"

enum {
  MOST_BYTES = 1024 * 1024, /* in memory, from which on others are parked; and of a portion that is read */
  MOST_BEYOND = 256,        /* messages beyond twice the window */
  MANY_REMOVED = 512,       /* numbers that are done with, from which on a commit is made for them alone */
  CLIENT_ID_ROOM = 65536,
  REASON_STRING = 31
};

void fog_kept_init(struct fog_kept *k, struct fog_durable *journal, size_t window) {
  memset(k, 0, sizeof *k);
  if (journal == NULL) return;
  k->journal = journal;
  k->ops = ((const struct fog_durable_head *)(const void *)journal)->ops;
  k->ops->retain(journal);
  k->most = 2 * window + MOST_BEYOND;
  struct fog_durable_counts counts;
  k->ops->counts(journal, &counts);
  k->parked = counts.waiting;
}

/* Trouble is told once; what follows is the same until it has passed. */
static bool judge(struct fog_kept *k, enum fog_durable_code code, const struct fog_durable_error *error) {
  bool is_new = code != FOG_DURABLE_OK && code != k->trouble;
  k->trouble = code;
  if (is_new && k->complain != NULL) k->complain(k->owner, error);
  return code == FOG_DURABLE_OK;
}

/* Everything that was noted. */
static bool commit(struct fog_kept *k, struct fog_durable_error *error) {
  *error = (struct fog_durable_error){.code = FOG_DURABLE_OK};
  bool ok = judge(k, k->ops->commit(k->journal, error), error);
  if (ok || error->rest_is_there) {
    k->urgent = false;
    k->removed = 0;
  }
  return ok;
}

bool fog_kept_safe(struct fog_kept *k) {
  struct fog_durable_error error;
  if (k->journal == NULL || (!k->urgent && k->removed < MANY_REMOVED)) return true;
  return commit(k, &error) || error.rest_is_there;
}

static void move_all(struct fog_message_list *from, struct fog_message_list *to) {
  while (from->head != NULL) {
    struct fog_message *m = from->head;
    fog_message_remove(from, m);
    fog_message_append(to, m);
  }
}

void fog_kept_destroy(struct fog_kept *k, struct fog_message_list *rest) {
  struct fog_durable_error error;
  if (k->journal == NULL) return;
  (void)commit(k, &error);
  move_all(&k->arriving, rest);
  k->ops->release(k->journal);
  k->journal = NULL;
}

char *fog_kept_client(const struct fog_kept *k) {
  char *id = k->journal == NULL ? NULL : malloc(CLIENT_ID_ROOM);
  if (id == NULL) return NULL;
  k->ops->client(k->journal, id, CLIENT_ID_ROOM);
  char *copy = *id == '\0' ? NULL : strdup(id);
  free(id);
  return copy;
}

void fog_kept_set_client(struct fog_kept *k, const char *id) {
  if (k->journal == NULL) return;
  (void)k->ops->set_client(k->journal, id);
  k->urgent = true;
}

/* Arriving -------------------------------------------------------------------------------------------------------- */

/* The journal's times are the wall clock's, which all processes share; those of a message are the monotonic clock's. */
static int64_t wall_ms(void) { return (int64_t)(fog_process_wall() * 1000); }

static bool note(struct fog_kept *k, struct fog_message *m, int64_t now_ms) {
  int64_t shift = wall_ms() - now_ms;
  struct fog_durable_message row = {.seq = (int64_t)m->event.id,
                                    .qos = m->qos,
                                    .retained = m->retained,
                                    .accepted_ms = m->accepted_ms + shift,
                                    .expires_ms = m->expires_ms == 0 ? 0 : m->expires_ms + shift,
                                    .topic = {m->event.text, m->event.text_len},
                                    .payload = {m->event.extra, m->event.extra_len},
                                    .properties = {m->properties, m->properties_len}};
  m->kept = k->ops->add(k->journal, &row) == FOG_DURABLE_OK;
  k->urgent = k->urgent || m->kept;
  return m->kept;
}

static void hold(struct fog_kept *k, struct fog_message *m) {
  m->held = true;
  k->held++;
  k->held_bytes += fog_message_cost(m);
}

static void let_go(struct fog_kept *k, struct fog_message *m) {
  if (!m->held) return;
  m->held = false;
  k->held--;
  k->held_bytes -= fog_message_cost(m);
}

static bool is_crowded(const struct fog_kept *k) { return k->held >= k->most || k->held_bytes >= MOST_BYTES; }

/* What is on the disk now. */
static void let_in(struct fog_kept *k, struct fog_message_list *waiting) {
  while (k->arriving.head != NULL) {
    struct fog_message *m = k->arriving.head;
    if (m->qos > 0 && !m->kept) return;
    fog_message_remove(&k->arriving, m);
    if (m->kept && (k->parked > 0 || is_crowded(k))) {
      k->parked++;
      fog_message_free(m);
      continue;
    }
    if (m->kept) {
      hold(k, m);
      k->last = (int64_t)m->event.id;
    }
    fog_message_append(waiting, m);
  }
}

void fog_kept_arrive(struct fog_kept *k, struct fog_outbox *outbox, struct fog_message_list *waiting, int64_t now_ms) {
  struct fog_durable_error error;
  if (k->journal == NULL) {
    fog_outbox_take(outbox, waiting);
    return;
  }
  fog_outbox_take(outbox, &k->arriving);
  if (k->arriving.head == NULL) return;
  bool any = false;
  for (struct fog_message *m = k->arriving.head; m != NULL; m = m->next) {
    if (m->qos > 0 && !m->kept && !note(k, m, now_ms)) break;
    any = any || m->kept;
  }
  if (!any || commit(k, &error)) let_in(k, waiting);
}

/* Parked ---------------------------------------------------------------------------------------------------------- */

struct reading {
  struct fog_kept *k;
  struct fog_message_list *to;
  int64_t shift;
  size_t count;
};

static bool read_one(void *ctx, const struct fog_durable_message *row) {
  struct reading *r = ctx;
  struct fog_message *m = fog_message_new(row->topic, row->payload, row->properties);
  if (m == NULL) return false;
  m->event.id = (uint64_t)row->seq;
  m->qos = row->qos;
  m->retained = row->retained;
  m->accepted_ms = row->accepted_ms - r->shift;
  m->expires_ms = row->expires_ms == 0 ? 0 : row->expires_ms - r->shift;
  m->packet_id = row->packet_id;
  m->sent = row->packet_id != 0;
  m->released = row->state == FOG_DURABLE_RELEASED;
  m->kept = true;
  if (!m->sent) hold(r->k, m);
  r->k->last = row->seq;
  fog_message_append(r->to, m);
  r->count++;
  return true;
}

bool fog_kept_more(struct fog_kept *k, struct fog_message_list *to, bool anyway, int64_t now_ms) {
  if (k->journal == NULL || k->parked == 0) return false;
  if (!anyway && (k->held >= k->most / 2 || k->held_bytes >= MOST_BYTES / 2)) return false;
  struct fog_durable_error error;
  struct reading r = {.k = k, .to = to, .shift = wall_ms() - now_ms};
  enum fog_durable_code code = k->ops->read(k->journal, k->last, k->most, MOST_BYTES / 2, read_one, &r, &error);
  k->parked -= r.count < k->parked ? r.count : k->parked;
  if (judge(k, code, &error) && r.count == 0) { /* they are no longer there: set aside as changed on the disk */
    k->lost += (size_t)k->parked;
    k->parked = 0;
    k->urgent = true;
  }
  return r.count > 0;
}

/* Changes --------------------------------------------------------------------------------------------------------- */

static bool noted(struct fog_kept *k, enum fog_durable_code code) {
  k->urgent = k->urgent || code == FOG_DURABLE_OK;
  return code == FOG_DURABLE_OK;
}

bool fog_kept_sent(struct fog_kept *k, struct fog_message *m) {
  if (!m->kept) return true;
  if (!noted(k, k->ops->sent(k->journal, (int64_t)m->event.id, m->packet_id))) return false;
  let_go(k, m);
  return true;
}

bool fog_kept_released(struct fog_kept *k, const struct fog_message *m) {
  return !m->kept || noted(k, k->ops->released(k->journal, (int64_t)m->event.id));
}

void fog_kept_done(struct fog_kept *k, struct fog_message *m) {
  if (!m->kept) return;
  let_go(k, m);
  if (k->ops->remove(k->journal, (int64_t)m->event.id) == FOG_DURABLE_OK) k->removed++;
}

/* In the broker's words, or in ours. */
static void say_why(char *to, size_t capacity, int code, struct fog_bytes properties) {
  struct fog_property said;
  const char *text = "the broker refused it";
  if (code == FOG_LOST_POISON) text = "the broker hangs up on it";
  if (code == FOG_LOST_TOO_LARGE) text = "it is larger than MQTT allows";
  if (code == FOG_PACKET_TOO_LARGE) text = "it is larger than the broker takes";
  if (code == FOG_QOS_NOT_SUPPORTED) text = "the broker does not take this QoS";
  if (code == FOG_RETAIN_NOT_SUPPORTED) text = "the broker keeps no retained messages";
  size_t len = strlen(text);
  if (properties.len > 0 && fog_properties_find(properties, REASON_STRING, &said)) {
    text = said.text;
    len = said.text_len;
  }
  if (len >= capacity) len = capacity - 1;
  memcpy(to, text, len);
  to[len] = '\0';
}

void fog_kept_refused(struct fog_kept *k, struct fog_message *m, int code, struct fog_bytes properties) {
  char text[512];
  if (!m->kept) return;
  let_go(k, m);
  say_why(text, sizeof text, code, properties);
  (void)noted(k, k->ops->set_aside(k->journal, (int64_t)m->event.id, code > 0 ? (uint8_t)code : 0, text));
}

void fog_kept_forget(struct fog_kept *k) {
  if (k->journal != NULL) (void)noted(k, k->ops->forget_ids(k->journal, true));
}

bool fog_kept_received(struct fog_kept *k, uint16_t id) {
  return k->journal == NULL || noted(k, k->ops->received_add(k->journal, id));
}

bool fog_kept_finished(struct fog_kept *k, uint16_t id) {
  return k->journal == NULL || noted(k, k->ops->received_remove(k->journal, id));
}

void fog_kept_clear_received(struct fog_kept *k) {
  if (k->journal != NULL) (void)noted(k, k->ops->received_clear(k->journal));
}

bool fog_kept_load_received(struct fog_kept *k, struct fog_idmap *to) {
  enum { ALL = 65535 };
  struct fog_durable_error error;
  size_t count = 0;
  if (k->journal == NULL) return true;
  uint16_t *ids = malloc(ALL * sizeof *ids);
  bool ok = ids != NULL && judge(k, k->ops->received(k->journal, ids, ALL, &count, &error), &error);
  for (size_t i = 0; ok && i < count; i++) ok = ids[i] == 0 || fog_idmap_put(to, ids[i], 1);
  free(ids);
  return ok;
}

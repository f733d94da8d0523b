/* SPDX-License-Identifier: MIT */
#include "outgoing.h"

#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "publish.h"

static const struct fog_bytes NOTHING = {NULL, 0};

void fog_outgoing_init(struct fog_outgoing *o, struct fog_outbox *outbox, struct fog_kept *kept, size_t window) {
  memset(o, 0, sizeof *o);
  o->outbox = outbox;
  o->kept = kept;
  o->window = window;
}

static void gauge(struct fog_outgoing *o) { atomic_store(&o->outbox->in_flight, o->flying_count); }

/* m, in no list any more, is at its end. */
static void end(struct fog_outgoing *o, struct fog_message *m, enum fog_end how, int code,
                struct fog_bytes properties) {
  o->outcome.acknowledged += how == FOG_END_ACKNOWLEDGED;
  o->outcome.failed += how == FOG_END_FAILED;
  o->outcome.dropped += how == FOG_END_DROPPED;
  o->outcome.bytes += fog_message_cost(m);
  if (how == FOG_END_ACKNOWLEDGED || code == FOG_LOST_EXPIRED)
    fog_kept_done(o->kept, m);
  else if (how == FOG_END_FAILED)
    fog_kept_refused(o->kept, m, code, properties);
  o->ended(o->owner, m, how, code, properties);
}

static void land(struct fog_outgoing *o, struct fog_message *m) {
  if (o->resend == m) o->resend = m->next;
  fog_message_remove(&o->flying, m);
  (void)fog_idmap_take(&o->ids, m->packet_id);
  m->packet_id = 0;
  o->flying_count--;
  o->flying_qos2 -= m->qos == 2;
  o->here_count -= m->here;
  m->here = false;
  gauge(o);
}

static void end_all(struct fog_outgoing *o, struct fog_message_list *l, enum fog_end how, int code) {
  while (l->head != NULL) {
    struct fog_message *m = l->head;
    if (l == &o->flying)
      land(o, m);
    else
      fog_message_remove(l, m);
    end(o, m, how, code, NOTHING);
  }
}

void fog_outgoing_destroy(struct fog_outgoing *o) {
  fog_outgoing_lost(o);
  fog_outgoing_keep(o, 0);
  o->outcome.dropped += (size_t)o->kept->parked; /* they stay where they are, for the next process */
  fog_kept_destroy(o->kept, &o->waiting);
  end_all(o, &o->flying, FOG_END_DROPPED, 0);
  end_all(o, &o->waiting, FOG_END_DROPPED, 0);
  fog_idmap_clear(&o->ids);
  fog_aliases_clear(&o->aliases);
  free(o->scratch);
  o->scratch = NULL;
  o->scratch_cap = 0;
}

/* The broker does not know these any more: they are new. */
static void start_over(struct fog_outgoing *o) {
  struct fog_message_list again = {NULL, NULL};
  while (o->flying.head != NULL) {
    struct fog_message *m = o->flying.head;
    land(o, m);
    m->sent = m->released = false;
    fog_message_append(&again, m);
  }
  fog_message_prepend_all(&o->waiting, &again);
  fog_kept_forget(o->kept);
}

void fog_outgoing_begin(struct fog_outgoing *o, int version, bool present, const struct fog_broker_limits *limits,
                        bool probe) {
  o->version = version;
  o->limits = *limits;
  o->probe = probe;
  o->proven = false;
  fog_aliases_begin(&o->aliases, limits->topic_alias_maximum);
  if (!present) start_over(o);
  o->resend = o->flying.head;
}

void fog_outgoing_lost(struct fog_outgoing *o) {
  o->lent = NULL;
  o->resend = NULL;
  o->here_count = 0;
  for (struct fog_message *m = o->flying.head; m != NULL; m = m->next) m->here = false;
  end_all(o, &o->handing, FOG_END_FAILED, FOG_LOST_LINK);
}

const struct fog_message *fog_outgoing_suspect(const struct fog_outgoing *o) {
  return o->flying.head != NULL && o->flying.head->here ? o->flying.head : NULL;
}

static struct fog_message *find(struct fog_message_list *l, uint64_t number) {
  struct fog_message *m = l->head;
  while (m != NULL && m->event.id != number) m = m->next;
  return m;
}

void fog_outgoing_discard(struct fog_outgoing *o, uint64_t number) {
  struct fog_message *m = find(&o->flying, number);
  if (m != NULL) {
    land(o, m);
  } else {
    m = find(&o->waiting, number);
    if (m == NULL) return;
    fog_message_remove(&o->waiting, m);
  }
  end(o, m, FOG_END_FAILED, FOG_LOST_POISON, NOTHING);
}

uint16_t fog_outgoing_free_id(struct fog_outgoing *o) {
  for (int tries = 0; tries < 65535; tries++) {
    o->last_id = o->last_id == 65535 ? 1 : (uint16_t)(o->last_id + 1);
    if (fog_idmap_get(&o->ids, o->last_id) == 0 && !o->id_taken(o->owner, o->last_id)) return o->last_id;
  }
  return 0;
}

/* Sending ----------------------------------------------------------------------------------------------------------*/

/* Why the broker would not take m: its reason, or one of ours; 0: it would. */
static int refusal(const struct fog_outgoing *o, const struct fog_message *m, int64_t now_ms) {
  size_t size = fog_publish_size(o, m);
  if (m->expires_ms != 0 && now_ms >= m->expires_ms && !m->sent) return FOG_LOST_EXPIRED;
  if (size == 0) return FOG_LOST_TOO_LARGE;
  if (o->limits.maximum_packet_size > 0 && size > o->limits.maximum_packet_size) return FOG_PACKET_TOO_LARGE;
  if (m->qos > o->limits.maximum_qos) return FOG_QOS_NOT_SUPPORTED;
  if (m->retained && !o->limits.retain_available) return FOG_RETAIN_NOT_SUPPORTED;
  return 0;
}

/* Whether the windows are open for m. */
static bool may_fly(const struct fog_outgoing *o, const struct fog_message *m) {
  if (o->probe && (!o->proven || o->flying_count > 0)) return false;
  if (m->qos == 0) return true;
  if (o->flying_count >= o->window || o->flying_count >= o->limits.receive_maximum) return false;
  return m->qos < 2 || o->version == FOG_MQTT_5 || o->flying_qos2 < FOG_QOS2_WINDOW;
}

/* m, in no list, flies with this id. False: no memory. */
static bool fly(struct fog_outgoing *o, struct fog_message *m, uint16_t id) {
  if (!fog_idmap_put(&o->ids, id, (uint64_t)(uintptr_t)m)) return false;
  m->packet_id = id;
  fog_message_append(&o->flying, m);
  o->flying_count++;
  o->flying_qos2 += m->qos == 2;
  gauge(o);
  return true;
}

/* Gives m, the first that waits, its id and takes it off the ground. False: no memory, or no id is free. */
static bool take_off(struct fog_outgoing *o, struct fog_message *m) {
  uint16_t id = fog_outgoing_free_id(o);
  if (id == 0) return false;
  m->packet_id = id;
  fog_message_remove(&o->waiting, m);
  if (fog_kept_sent(o->kept, m) && fly(o, m, id)) return true;
  m->packet_id = 0;
  struct fog_message_list back = {NULL, NULL};
  fog_message_append(&back, m);
  fog_message_prepend_all(&o->waiting, &back);
  return false;
}

static void went(struct fog_outgoing *o, struct fog_message *m) {
  m->sent = m->here = true;
  o->here_count++;
}

/* The first that waits: sent, dropped, or left. False: nothing more goes now. */
static bool send_first(struct fog_outgoing *o, struct fog_writer *out, int64_t now_ms, bool *memory) {
  struct fog_message *m = o->waiting.head;
  if (m == NULL) return false;
  int code = refusal(o, m, now_ms);
  if (code != 0) {
    fog_message_remove(&o->waiting, m);
    end(o, m, FOG_END_FAILED, code, NOTHING);
    return true;
  }
  if (!may_fly(o, m)) return false;
  if (m->qos > 0 && !take_off(o, m)) return false;
  *memory = fog_publish_write(o, m, out, now_ms);
  if (!*memory) return false;
  if (m->qos == 0) {
    fog_message_remove(&o->waiting, m);
    fog_message_append(&o->handing, m);
    m->end = out->accepted;
  } else {
    went(o, m);
  }
  return true;
}

/* The next that was in flight before this link. */
static bool send_again(struct fog_outgoing *o, struct fog_writer *out, int64_t now_ms) {
  struct fog_message *m = o->resend;
  o->resend = m->next;
  int code = m->released ? 0 : refusal(o, m, now_ms);
  if (code != 0) {
    land(o, m);
    end(o, m, FOG_END_FAILED, code, NOTHING);
    return true;
  }
  bool memory = m->released ? fog_answer(out, FOG_PUBREL, m->packet_id) : fog_publish_write(o, m, out, now_ms);
  if (memory) went(o, m);
  return memory;
}

/* Without what an earlier process knew of it: it is sent as a new one. */
static void take_as_new(struct fog_outgoing *o, struct fog_message *m) {
  m->packet_id = 0;
  m->sent = m->released = false;
  fog_message_append(&o->waiting, m);
}

/* What is parked, where nothing else waits. */
static bool read_more(struct fog_outgoing *o, int64_t now_ms) {
  struct fog_message_list read = {NULL, NULL};
  bool more = o->waiting.head == NULL && fog_kept_more(o->kept, &read, false, now_ms);
  o->outcome.failed += o->kept->lost;
  o->kept->lost = 0;
  while (read.head != NULL) {
    struct fog_message *m = read.head;
    fog_message_remove(&read, m);
    take_as_new(o, m);
  }
  return more;
}

/* What was in flight has the lowest numbers. */
void fog_outgoing_resume(struct fog_outgoing *o, int64_t now_ms) {
  struct fog_message_list read = {NULL, NULL};
  while (o->waiting.head == NULL && fog_kept_more(o->kept, &read, true, now_ms)) {
    while (read.head != NULL) {
      struct fog_message *m = read.head;
      uint16_t id = m->packet_id;
      fog_message_remove(&read, m);
      if (id == 0 || o->waiting.head != NULL || fog_idmap_get(&o->ids, id) != 0 || !fly(o, m, id)) take_as_new(o, m);
    }
  }
}

void fog_outgoing_keep(struct fog_outgoing *o, int64_t now_ms) {
  fog_kept_arrive(o->kept, o->outbox, &o->waiting, now_ms);
}

/* The driver looks again by itself. What is new must be told all the same where it has to be brought to the disk. */
static void busy(struct fog_outgoing *o) {
  if (o->kept->journal == NULL) fog_outbox_busy(o->outbox);
}

/* How many may be without an answer on this link. */
static size_t most_here(const struct fog_outgoing *o) { return o->probe ? 1 : o->limits.receive_maximum; }

bool fog_outgoing_feed(struct fog_outgoing *o, struct fog_writer *out, size_t bound, int64_t now_ms) {
  bool memory = true;
  fog_outgoing_keep(o, now_ms);
  if (o->probe && !o->proven) {
    busy(o);
    return true;
  }
  while (o->resend != NULL && fog_writer_unsent(out) < bound && o->here_count < most_here(o)) {
    if (!send_again(o, out, now_ms)) return false;
  }
  if (o->resend == NULL) {
    do {
      while (fog_writer_unsent(out) < bound && send_first(o, out, now_ms, &memory)) continue;
    } while (memory && fog_writer_unsent(out) < bound && read_more(o, now_ms));
  }
  if (o->waiting.head != NULL || o->resend != NULL) busy(o);
  return memory;
}

void fog_outgoing_written(struct fog_outgoing *o, const struct fog_writer *out) {
  if (fog_writer_may_borrow(out)) o->lent = NULL;
  while (o->handing.head != NULL && o->handing.head->end <= out->sent) {
    struct fog_message *m = o->handing.head;
    fog_message_remove(&o->handing, m);
    end(o, m, FOG_END_ACKNOWLEDGED, 0, NOTHING);
  }
}

/* Answers ----------------------------------------------------------------------------------------------------------*/

static void acknowledged(struct fog_outgoing *o, struct fog_message *m, const struct fog_packet *p) {
  o->probe = false; /* it was not this one */
  land(o, m);
  end(o, m, p->reason >= 0x80 ? FOG_END_FAILED : FOG_END_ACKNOWLEDGED, p->reason >= 0x80 ? p->reason : 0,
      p->properties);
}

static int received(struct fog_outgoing *o, struct fog_message *m, const struct fog_packet *p, struct fog_writer *out) {
  if (m == NULL) { /* a message of a session that we know nothing of: its exchange can at least be brought to its end */
    return fog_answer_with(out, o->version, FOG_PUBREL, p->id, FOG_PACKET_ID_NOT_FOUND) ? 0 : FOG_UNSPECIFIED;
  }
  if (m->qos != 2) return FOG_PROTOCOL_ERROR;
  if (p->reason >= 0x80) {
    acknowledged(o, m, p);
    return 0;
  }
  if (!fog_kept_released(o->kept, m)) return FOG_UNSPECIFIED;
  m->released = true;
  return fog_answer(out, FOG_PUBREL, m->packet_id) ? 0 : FOG_UNSPECIFIED;
}

/* A broker may answer what it has not been sent on this link, since it may be of an earlier one: harmless. PUBACK for
 * QoS 2 is what brokers without QoS 2 send (traps: B3): they have the message. */
int fog_outgoing_answered(struct fog_outgoing *o, const struct fog_packet *p, struct fog_writer *out) {
  struct fog_message *m = (struct fog_message *)(uintptr_t)fog_idmap_get(&o->ids, p->id);
  if (m != NULL && m == o->lent) return FOG_PROTOCOL_ERROR; /* it cannot have it: it is not written yet */
  if (p->type == FOG_PUBREC) return received(o, m, p, out);
  if (m == NULL) return 0;
  if (p->type == FOG_PUBCOMP && m->qos != 2) return FOG_PROTOCOL_ERROR;
  if (p->type == FOG_PUBCOMP && !m->released) return FOG_PROTOCOL_ERROR;
  acknowledged(o, m, p);
  return 0;
}

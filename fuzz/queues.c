/* SPDX-License-Identifier: MIT
 *
 * The queue, the inbox and the outbox against models that are too simple to be wrong. Every operation is atomic under
 * its lock, so an interleaving of threads is a sequence of operations: the input. (That the locks hold is
 * ThreadSanitizer's part: spec/c/queues_test.c.)
 * Input: a byte of bounds, then operations of a byte each.
 */
#include "../src/base/queue.h"
#include "../src/mqtt/inbox.h"
#include "../src/mqtt/outbox.h"
#include "fuzz.h"

enum { MANY = 4096 };

/* --- the queue: first in, first out, nothing lost, nothing twice --- */

static unsigned released;

static void release_counted(struct fog_event *ev) {
  released++;
  free(ev);
}

static void take_all(struct fog_queue *q, uint64_t *next, uint64_t until) {
  must(fog_queue_pending(q) == (*next < until));
  for (struct fog_event *ev = fog_queue_take(q), *after; ev != NULL; ev = after) {
    after = ev->next;
    must(ev->id == (*next)++);
    ev->release(ev);
  }
  must(*next == until && !fog_queue_pending(q));
}

static void run_queue(struct input in) {
  struct fog_queue *q = fog_queue_new();
  uint64_t pushed = 0, next = 0;
  bool closed = false;
  released = 0;
  must(q != NULL);
  while (in.left > 0) {
    uint8_t op = take_byte(&in);
    if (op == 255 && !closed) {
      fog_queue_close(q);
      closed = true;
      must(released == pushed);
    } else if (op % 4 == 0 && !closed) {
      take_all(q, &next, pushed);
    } else {
      struct fog_event *ev = fog_event_new(FOG_EV_CLOSED, 1);
      must(ev != NULL);
      ev->release = release_counted;
      ev->id = pushed++;
      fog_queue_push(q, ev);
      if (closed) must(released == pushed);
    }
  }
  fog_queue_unref(q);
  must(released == pushed);
}

/* --- the inbox: a list of what is in it; QoS 0 falls out at the front --- */

struct record {
  uint32_t serial, len;
  uint8_t qos;
};

struct inbox_model {
  struct record all[MANY];
  size_t count, dropped, received;
};

static void model_remove(struct inbox_model *m, size_t at) {
  memmove(m->all + at, m->all + at + 1, (m->count - at - 1) * sizeof *m->all);
  m->count--;
}

/* Which records the inbox dropped is read from what comes out: the oldest QoS 0, never another. */
static void inbox_next(struct fog_inbox *b, struct inbox_model *m) {
  struct fog_message_view v;
  bool any = fog_inbox_next(b, &v);
  struct fog_inbox_stats s;
  if (!any) {
    for (size_t i = 0; i < m->count; i++) must(m->all[i].qos == 0);
    m->dropped += m->count;
    m->count = 0;
  } else {
    uint32_t serial;
    must(v.topic_len == sizeof serial);
    memcpy(&serial, v.topic, sizeof serial);
    while (m->count > 0 && m->all[0].serial != serial) {
      must(m->all[0].qos == 0);
      m->dropped++;
      model_remove(m, 0);
    }
    must(m->count > 0 && m->all[0].qos == v.qos && m->all[0].len == v.payload_len);
    for (uint32_t i = 0; i < v.payload_len; i++) must((uint8_t)v.payload[i] == (uint8_t)serial);
    model_remove(m, 0);
  }
  fog_inbox_stats(b, &s);
  must(s.received == m->received && s.dropped >= m->dropped);
  must(s.queued + (s.dropped - m->dropped) == m->count); /* what the model does not know yet to be dropped */
  if (!any) must(s.queued == 0 && s.queued_bytes == 0 && s.dropped == m->dropped && !fog_inbox_pending(b));
}

static void inbox_push(struct fog_inbox *b, struct inbox_model *m, uint8_t op, bool *told) {
  static char payload[64];
  uint32_t serial = (uint32_t)m->received;
  struct record r = {.serial = serial, .len = (op >> 2) % sizeof payload, .qos = op & 1};
  memset(payload, (int)(uint8_t)serial, sizeof payload);
  struct fog_message_view v = {.topic = (const char *)&serial,
                               .topic_len = sizeof serial,
                               .payload = payload,
                               .payload_len = r.len,
                               .qos = r.qos};
  struct fog_inbox_stats before, after;
  bool first;
  fog_inbox_stats(b, &before);
  enum fog_inbox_result result = fog_inbox_push(b, &v, &first);
  fog_inbox_stats(b, &after);
  m->received++;
  must(result != FOG_INBOX_OVERFLOW || r.qos > 0);
  must(first == !*told);
  *told = true;
  must(after.received == before.received + 1);
  must(after.queued + (after.dropped - before.dropped) == before.queued + 1);
  if (r.qos == 0) {
    must(after.queued <= b->max_count || after.queued <= before.queued);
    must(after.queued_bytes <= b->max_bytes || after.queued_bytes <= before.queued_bytes);
    if (r.len > b->max_bytes) must(after.queued == before.queued); /* it does not push others out for nothing */
  }
  if (r.qos > 0) must(after.queued == before.queued + 1);
  must(m->count < MANY);
  /* A QoS 0 message that finds neither room nor an older one of its kind is itself the dropped one, and the last. */
  m->all[m->count++] = r;
}

static void run_inbox(struct input in) {
  static struct inbox_model m;
  struct fog_inbox b;
  bool told = false;
  memset(&m, 0, sizeof m);
  uint8_t bounds = take_byte(&in);
  fog_inbox_init(&b, 1 + (bounds & 15), 64 + 16u * (bounds >> 4));
  while (in.left > 0 && m.received < MANY) {
    uint8_t op = take_byte(&in);
    if ((op & 2) != 0) {
      inbox_push(&b, &m, op, &told);
      continue;
    }
    bool pending = fog_inbox_pending(&b);
    inbox_next(&b, &m);
    if (!pending) told = false; /* it has said "nothing", so the next push tells again */
  }
  while (fog_inbox_pending(&b)) inbox_next(&b, &m);
  fog_inbox_destroy(&b);
}

/* --- the outbox: the identity at every moment, order, window --- */

struct flight {
  struct fog_message *m[MANY];
  size_t count;
};

static void check_outbox(struct fog_outbox *o, const struct flight *f) {
  struct fog_outbox_stats s;
  size_t qos2 = 0;
  fog_outbox_stats(o, &s);
  must(s.accepted == s.acknowledged + s.failed + s.dropped + s.queued);
  must(s.in_flight == f->count && s.in_flight <= o->window && s.queued <= o->max_count);
  must(s.queued_bytes <= o->max_bytes && (s.queued > 0) == (s.queued_bytes > 0));
  for (size_t i = 0; i < f->count; i++) qos2 += f->m[i]->qos == 2;
  must(qos2 <= FOG_QOS2_WINDOW);
  uint64_t last = 0;
  for (const struct fog_message *m = o->queued.head; m != NULL; m = m->next) {
    must(m->event.id > last); /* in the order of acceptance, requeued ones too */
    last = m->event.id;
  }
}

static struct fog_message *land_one(struct flight *f, uint8_t which) {
  size_t at = which % f->count;
  struct fog_message *m = f->m[at];
  f->m[at] = f->m[--f->count];
  return m;
}

static void add_message(struct fog_outbox *o, uint8_t op) {
  static const char payload[64];
  struct fog_message *m = fog_message_new((struct fog_bytes){"topic", 5}, (struct fog_bytes){payload, op & 63},
                                          (struct fog_bytes){payload, op >> 6});
  uint64_t id, last = o->last_id;
  bool feed;
  must(m != NULL && strcmp(m->event.text, "topic") == 0 && m->event.extra_len == (op & 63));
  m->qos = (op >> 6) % 3;
  enum fog_outbox_room room = fog_outbox_room(o, 5 + m->event.extra_len + m->properties_len, (op & 1) != 0);
  must(fog_outbox_add(o, m, &id, &feed) == room);
  if (room == FOG_ROOM)
    must(id == last + 1 && m->event.id == id);
  else
    m->event.release(&m->event);
}

/* Lua is told when nothing is left, and when there is room for what waits, once each. */
static bool is_awaited(struct fog_outbox *o, bool drain, size_t room) {
  struct fog_outbox_stats s;
  fog_outbox_stats(o, &s);
  size_t count = o->max_count < 4 ? 1 : o->max_count / 4, bytes = room > o->max_bytes / 4 ? room : o->max_bytes / 4;
  bool free = room > 0 && s.queued + count <= o->max_count && s.queued_bytes + bytes <= o->max_bytes;
  must(o->drain_wanted == (drain && s.queued > 0) && o->room_wanted == (free ? 0 : room));
  return (drain && s.queued == 0) || free;
}

/* Takes plain ones, as many as `arg` says, writes some of them, and gives the others back. */
static void plain_step(struct fog_outbox *o, const struct flight *f, uint8_t arg) {
  struct fog_outbox_stats before, after;
  size_t most = 1u + arg % 8, count;
  const struct fog_message *head = o->queued.head;
  bool wait, can = f->count == 0 && head != NULL && head->qos == 0 && head->properties_len == 0;
  fog_outbox_stats(o, &before);
  const struct fog_message *m = fog_outbox_feed_plain(o, most, &count, &wait);
  must((m != NULL) == can && (count > 0) == can && count <= most);
  if (head == NULL) must(wait);
  if (m == NULL) return;
  must(m == head && wait == (o->queued.head == NULL));
  fog_outbox_stats(o, &after);
  must(after.in_flight == count && after.queued == before.queued && after.queued_bytes == before.queued_bytes);
  for (size_t i = 0; i < count; i++, m = m->next) must(m->qos == 0 && m->properties_len == 0);
  size_t written = (arg >> 3) % (count + 1);
  bool drain = o->drain_wanted;
  size_t room = o->room_wanted;
  bool awaited = fog_outbox_end_plain(o, written);
  fog_outbox_stats(o, &after);
  must(after.acknowledged == before.acknowledged + written && after.queued == before.queued - written);
  must(after.in_flight == 0 && awaited == is_awaited(o, drain, room));
}

static void outbox_step(struct fog_outbox *o, struct flight *f, uint8_t op, uint8_t arg) {
  struct fog_message *m;
  switch (op % 9) {
    case 0:
    case 1:
      add_message(o, arg);
      break;
    case 2:
    case 3:
      m = fog_outbox_feed(o);
      if (m != NULL) f->m[f->count++] = m;
      break;
    case 4:
    case 5:
      if (f->count == 0) break;
      m = land_one(f, arg);
      bool drain = o->drain_wanted;
      size_t room = o->room_wanted;
      struct fog_outbox_after after = fog_outbox_end(o, m, op % 9 == 4 ? 0 : -1);
      must(after.awaited == is_awaited(o, drain, room));
      m->event.release(&m->event);
      break;
    case 6:
      if (f->count > 0) fog_outbox_requeue(o, land_one(f, arg));
      break;
    case 7:
      plain_step(o, f, arg);
      break;
    default:
      if ((arg & 1) != 0) {
        must(fog_outbox_want_drain(o) == (o->queued.head == NULL && f->count == 0));
      } else if ((m = fog_outbox_drop(o)) != NULL) {
        m->event.release(&m->event);
      }
  }
}

static void run_outbox(struct input in) {
  static struct flight f;
  struct fog_outbox o;
  f.count = 0;
  uint8_t bounds = take_byte(&in);
  fog_outbox_init(&o, 1 + (bounds & 63), 256u << (bounds >> 6), 1 + (bounds & 31));
  while (in.left > 1) {
    uint8_t op = take_byte(&in);
    outbox_step(&o, &f, op, take_byte(&in));
    check_outbox(&o, &f);
  }
  fog_outbox_destroy(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input in = {data, size < MANY ? size : MANY};
  uint8_t which = take_byte(&in);
  if (which % 3 == 0)
    run_queue(in);
  else if (which % 3 == 1)
    run_inbox(in);
  else
    run_outbox(in);
  return 0;
}

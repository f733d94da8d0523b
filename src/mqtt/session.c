/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <stdlib.h>
#include <string.h>

/* Lua has seen the event. From here on a new one may be queued; Lua looks at the inbox only after this, so nothing is
 * missed. */
static void release_standing(struct fog_event *ev) {
  struct fog_standing_event *standing = (struct fog_standing_event *)ev;
  struct fog_session *s = standing->session;
  atomic_store(&standing->queued, false);
  fog_session_unref(s);
}

static void init_standing(struct fog_session *s, struct fog_standing_event *standing, enum fog_event_type type) {
  standing->event.type = type;
  standing->event.session = s->id;
  standing->event.release = release_standing;
  standing->session = s;
  atomic_init(&standing->queued, false);
}

const struct fog_durable_ops *fog_session_journal(const struct fog_session *s) {
  return ((const struct fog_durable_head *)(const void *)s->journal)->ops;
}

/* What an earlier process left counts as accepted, and numbers go on from there. */
static void take_over(struct fog_session *s, struct fog_durable *journal) {
  struct fog_durable_counts counts;
  s->journal = journal;
  fog_session_journal(s)->retain(journal);
  fog_session_journal(s)->counts(journal, &counts);
  fog_outbox_seed(&s->outbox, (uint64_t)counts.last_seq, counts.waiting, counts.waiting_bytes);
}

struct fog_session *fog_session_new(uint32_t id, const struct fog_driver *driver, struct fog_queue *events,
                                    const struct fog_session_limits *limits) {
  struct fog_session *s = calloc(1, sizeof *s);
  if (s == NULL) return NULL;
  atomic_init(&s->refs, 1);
  s->id = id;
  s->driver = driver;
  s->events = fog_queue_ref(events);
  s->window = limits->window;
  s->handled_mode = limits->handled;
  fog_inbox_init(&s->inbox, limits->in_count, limits->in_bytes, limits->hold_qos0);
  fog_outbox_init(&s->outbox, limits->out_count, limits->out_bytes);
  init_standing(s, &s->messages, FOG_EV_MESSAGES);
  init_standing(s, &s->drained, FOG_EV_DRAINED);
  if (limits->journal != NULL) take_over(s, limits->journal);
  return s;
}

void fog_session_drop_journal(struct fog_session *s) {
  if (s->journal != NULL) fog_session_journal(s)->release(s->journal);
  s->journal = NULL;
}

struct fog_session *fog_session_ref(struct fog_session *s) {
  atomic_fetch_add(&s->refs, 1);
  return s;
}

void fog_session_unref(struct fog_session *s) {
  if (atomic_fetch_sub(&s->refs, 1) != 1) return;
  fog_session_drop_journal(s);
  fog_inbox_destroy(&s->inbox);
  fog_outbox_destroy(&s->outbox);
  fog_queue_unref(s->events);
  free(s);
}

bool fog_session_may_send(struct fog_session *s) {
  uint64_t link = atomic_load(&s->up);
  return link != 0 && link == atomic_load(&s->sending) && atomic_load(&s->asked) == 0;
}

void fog_session_announce(struct fog_session *s, struct fog_standing_event *standing) {
  if (atomic_exchange(&standing->queued, true)) return;
  (void)fog_session_ref(s);
  fog_queue_push(s->events, &standing->event);
}

static void fill(struct fog_event *ev, const struct fog_report *r) {
  ev->id = r->link;
  ev->code = r->code;
  ev->flag = r->flag;
  ev->name = r->kind;
  fog_event_set_text(ev, r->text);
  fog_event_set_properties(ev, r->properties.data, r->properties.len);
}

void fog_session_report_up(struct fog_session *s, struct fog_event *ev, const struct fog_report *r) {
  ev->type = FOG_EV_UP;
  fill(ev, r);
  fog_queue_push(s->events, ev);
}

void fog_session_report_down(struct fog_session *s, struct fog_event *ev, const struct fog_report *r) {
  ev->type = FOG_EV_DOWN;
  fill(ev, r);
  ev->waited_ms = r->waited_ms;
  if (r->suspect != NULL) {
    ev->suspect = r->suspect->event.id;
    ev->suspect_len = r->suspect->event.extra_len;
    fog_event_set_extra(ev, r->suspect->event.text, r->suspect->event.text_len);
  }
  fog_queue_push(s->events, ev);
}

/* SPDX-License-Identifier: MIT */
#include "link.h"

#include <stdlib.h>
#include <string.h>

#include "../base/process.h"
#include "properties.h"

enum { LEAVING_MS = 1000 };

static void opened(void *owner) {
  struct fog_link *link = owner;
  if (link->state != FOG_OPENING) return;
  link->state = FOG_GREETING;
  fog_link_greet(link);
}

static void failed(void *owner, const struct fog_connection_error *error) { fog_link_lost(owner, error); }

static void readable(void *owner) { fog_link_readable(owner); }

static void writable(void *owner) { fog_link_flush(owner); }

static const struct fog_connection_owner EVENTS = {opened, readable, writable, failed};

/* Messages ---------------------------------------------------------------------------------------------------------*/

/* The end of a message: told where it was lost, or where somebody wants to know. */
static void ended(void *owner, struct fog_message *m, enum fog_end how, int code, struct fog_bytes properties) {
  struct fog_link *link = owner;
  bool stays = how == FOG_END_DROPPED && m->kept; /* in the journal, for the next process */
  if (stays || (how == FOG_END_ACKNOWLEDGED && !m->notify)) {
    fog_message_free(m);
    return;
  }
  m->event.session = link->session->id;
  m->event.code = code;
  m->event.flag = how == FOG_END_DROPPED;
  fog_event_set_properties(&m->event, properties.data, properties.len);
  if (fog_outbox_settle(&link->session->outbox, &link->outgoing.outcome, link->session->events, &m->event))
    fog_session_announce(link->session, &link->session->drained);
}

static void complain(void *owner, const struct fog_durable_error *error) {
  struct fog_link *link = owner;
  struct fog_event *ev = fog_event_new(FOG_EV_JOURNAL, link->session->id);
  if (ev == NULL) return; /* publish will say so */
  ev->code = (int)error->code;
  fog_event_set_text(ev, error->text);
  fog_queue_push(link->session->events, ev);
}

static void try_again(struct fog_timer *timer) {
  fog_link_feed((struct fog_link *)(void *)((char *)timer - offsetof(struct fog_link, retry)));
}

static bool id_taken(void *owner, uint16_t id) {
  const struct fog_link *link = owner;
  return fog_asks_has(&link->asks, id);
}

static void go_on(struct fog_errand *errand) {
  struct fog_link *link = (struct fog_link *)(void *)((char *)errand - offsetof(struct fog_link, again));
  link->again_posted = false;
  if (link->state == FOG_UP) fog_link_flush(link);
}

/* Time -------------------------------------------------------------------------------------------------------------*/

/* MQTT 3.1.1 and 5.0, 3.1.2.10: a ping once the keepalive has passed without a packet of ours; and once it has passed
 * without one of the broker's, so that a dead link is found within one and a half of it. While reading rests the answer
 * lies unread, so pings go out, and silence means nothing: a dead peer is then found by the system. */
static void keep_alive(struct fog_link *link, int64_t now) {
  int64_t keepalive = link->keepalive_ms, silent = now - link->received_ms;
  if (keepalive == 0) return;
  if (!link->resting && silent >= keepalive + keepalive / 2) {
    fog_link_down(link, &(struct fog_loss){.kind = "timeout",
                                           .text = "nothing came from the broker in one and a half keepalives"});
    return;
  }
  bool due = now - link->written_ms >= keepalive || (silent >= keepalive && !link->pinged);
  bool blocked = due && fog_writer_unsent(&link->writer) > 0;
  if (due && !blocked) {
    link->pinged = true;
    link->written_ms = now; /* even where the system takes it later: one is on its way */
    if (!fog_link_append(link, &(struct fog_packet){.type = FOG_PINGREQ})) return;
    fog_link_flush(link);
    if (link->state != FOG_UP) return;
  }
  int64_t next = blocked ? now + keepalive / 4 : link->written_ms + keepalive;
  int64_t dead = link->received_ms + (link->pinged || blocked ? keepalive + keepalive / 2 : keepalive);
  if (!link->resting && dead < next) next = dead;
  (void)fog_loop_set_timer(link->loop, &link->timer, next > now ? next : now + 1);
}

static void on_timer(struct fog_timer *timer) {
  struct fog_link *link = (struct fog_link *)(void *)((char *)timer - offsetof(struct fog_link, timer));
  int64_t now = fog_loop_now(link->loop);
  if (link->state == FOG_UP) {
    keep_alive(link, now);
    fog_link_settle(link);
    return;
  }
  if (link->state == FOG_LEAVING) {
    fog_link_down(link, &(struct fog_loss){.kind = "left", .text = "left the broker"});
    return;
  }
  char doing[200] = "waiting for the answer to CONNECT";
  if (link->state == FOG_OPENING) fog_connection_doing(link->connection, doing, sizeof doing);
  fog_link_down(link, &(struct fog_loss){.kind = "timeout", .text = doing});
}

static void prove(struct fog_timer *timer) {
  struct fog_link *link = (struct fog_link *)(void *)((char *)timer - offsetof(struct fog_link, proof_timer));
  if (link->state != FOG_UP) return;
  if (link->proof == FOG_PROOF_QUIET) {
    link->proof = FOG_PROOF_SECOND;
    link->pinged = true;
    if (!fog_link_append(link, &(struct fog_packet){.type = FOG_PINGREQ})) return;
  } else if (link->proof == FOG_PROOF_SENT) {
    link->proof = FOG_PROOF_LIFTED;
    link->outgoing.probe = false;
  }
  fog_link_flush(link);
}

static void set_deadline(struct fog_link *link, int64_t ms) {
  link->deadline_ms = fog_loop_now(link->loop) + ms;
  (void)fog_loop_set_timer(link->loop, &link->timer, link->deadline_ms);
}

/* Life -------------------------------------------------------------------------------------------------------------*/

void fog_link_init(struct fog_link *link, struct fog_loop *loop, struct fog_session *session) {
  memset(link, 0, sizeof *link);
  link->loop = loop;
  link->session = session;
  link->timer.fire = on_timer;
  link->proof_timer.fire = prove;
  link->again.run = go_on;
  link->retry.fire = try_again;
  fog_kept_init(&link->kept, session->journal, session->window);
  link->kept.complain = complain;
  link->kept.owner = link;
  link->client_id = fog_kept_client(&link->kept);
  fog_outgoing_init(&link->outgoing, &session->outbox, &link->kept, session->window);
  link->outgoing.ended = ended;
  link->outgoing.id_taken = id_taken;
  link->outgoing.owner = link;
  fog_incoming_init(&link->incoming, &session->inbox, &link->kept, session->handled_mode);
  fog_outgoing_resume(&link->outgoing, (int64_t)(fog_process_now() * 1000)); /* the loop's clock is its thread's */
  fog_asks_init(&link->asks);
}

void fog_link_destroy(struct fog_link *link) {
  fog_link_down(link, &(struct fog_loss){.kind = "left", .text = "the session was closed"});
  fog_loop_clear_timer(link->loop, &link->retry);
  fog_outgoing_destroy(&link->outgoing);
  fog_session_drop_journal(link->session);
  fog_link_settle(link);
  fog_incoming_destroy(&link->incoming);
  fog_writer_clear(&link->writer);
  fog_link_options_free(link->options);
  free(link->client_id);
}

void fog_link_connect(struct fog_link *link, struct fog_link_options *o) {
  fog_link_down(link, &(struct fog_loss){.kind = "left", .text = "a new link is made"});
  fog_link_options_free(link->options);
  link->options = o;
  link->state = FOG_OPENING;
  link->resting = link->pinged = false;
  link->proof = FOG_PROOF_NONE;
  link->tried_ms = 0;
  if (o->discard != 0) fog_outgoing_discard(&link->outgoing, o->discard);
  fog_link_settle(link);
  set_deadline(link, o->connect_timeout_ms);
  link->connection = fog_connection_open(link->loop, o->to, &EVENTS, link);
  if (link->connection == NULL) fog_link_no_memory(link);
}

void fog_link_subscribe(struct fog_link *link, struct fog_ask *ask) {
  fog_ask_take(link->session);
  if (link->state != FOG_UP) {
    fog_ask_answer(link->session, ask, -1, false, (struct fog_bytes){NULL, 0});
    return;
  }
  fog_asks_add(&link->asks, ask);
  fog_link_flush(link);
}

void fog_link_authenticate(struct fog_link *link, struct fog_bytes properties) {
  if (link->state != FOG_UP && link->state != FOG_GREETING) return;
  struct fog_packet p = {.type = FOG_AUTH, .reason = FOG_CONTINUE_AUTHENTICATION, .properties = properties};
  if (fog_link_append(link, &p)) fog_link_flush(link);
}

void fog_link_feed(struct fog_link *link) {
  if (link->state != FOG_UP) {
    fog_link_store(link);
    fog_link_retry(link);
    return;
  }
  if (!fog_incoming_acknowledge(&link->incoming, atomic_load(&link->session->handled), &link->writer)) {
    fog_link_no_memory(link);
    return;
  }
  fog_link_consume(link);
  if (link->state == FOG_UP) fog_link_flush(link);
  fog_link_settle(link);
}

/* A DISCONNECT that is larger than the broker takes goes without its words (MQTT-3.14.2-3, MQTT-3.14.2-4): of its
 * properties the session's expiry is left, which is written into `buffer`. */
static void shorten(const struct fog_link *link, struct fog_packet *p, char buffer[8]) {
  enum { SESSION_EXPIRY_INTERVAL = 17 };
  uint32_t most = link->outgoing.limits.maximum_packet_size;
  struct fog_property expiry;
  if (most == 0 || fog_packet_size(link->options->version, p, NULL) <= most) return;
  bool found = fog_properties_find(p->properties, SESSION_EXPIRY_INTERVAL, &expiry);
  p->properties = (struct fog_bytes){buffer, found ? (size_t)(fog_property_write(&expiry, buffer) - buffer) : 0};
}

void fog_link_leave(struct fog_link *link, const struct fog_goodbye *goodbye) {
  if (link->state == FOG_LEAVING) return;
  if (link->state != FOG_UP || goodbye == NULL) {
    fog_link_down(link, &(struct fog_loss){.kind = "left", .text = "left the broker"});
    return;
  }
  if (!fog_incoming_acknowledge(&link->incoming, atomic_load(&link->session->handled), &link->writer)) {
    fog_link_no_memory(link);
    return;
  }
  struct fog_packet p = {
      .type = FOG_DISCONNECT, .reason = goodbye->reason, .properties = {goodbye->properties, goodbye->properties_len}};
  char buffer[8];
  shorten(link, &p, buffer);
  if (!fog_link_append(link, &p)) return;
  link->state = FOG_LEAVING;
  atomic_store(&link->session->up, 0);
  set_deadline(link, LEAVING_MS);
  fog_link_flush(link);
}

/* SPDX-License-Identifier: MIT
 *
 * What the three parties to one MQTT session share: the binding (Lua's thread), the dispatcher (the only caller of
 * Paho) and the bridge (Paho's threads). Reference-counted: it outlives the Lua state that made it for as long as Paho
 * can call back.
 */
#ifndef FOG_SESSION_H
#define FOG_SESSION_H

#include "inbox.h"
#include "outbox.h"
#include "queue.h"

struct fog_link;
struct fog_command;

struct fog_session_limits {
  size_t in_count, in_bytes, out_count, out_bytes, window;
};

/* An event that is part of something longer-lived and is pushed again and again: never twice at once. */
struct fog_standing_event {
  struct fog_event event; /* first */
  atomic_bool queued;
  struct fog_session *session; /* a reference while queued */
};

struct fog_session {
  atomic_int refs;
  uint32_t id;
  struct fog_queue *events; /* a reference */
  struct fog_inbox inbox;
  struct fog_outbox outbox;
  struct fog_standing_event messages, drained;
  atomic_bool up;      /* the broker took us in, and the link is not known to be lost */
  atomic_bool sending; /* Lua has sent its subscriptions again: messages may go, and answers to them will arrive */
  atomic_bool ready;   /* stands in the dispatcher's feed list */
  atomic_int subscribing; /* SUBSCRIBE and UNSUBSCRIBE in Paho's hands */
  atomic_bool leaving; /* the dispatcher was asked to leave because the inbox is full */
  struct fog_session *next_ready;
  struct fog_command *goodbye; /* made at opening, so that closing needs no memory; the owner's thread only */
  struct fog_link *link;       /* the dispatcher's thread only */
};

/* NULL: no memory. One reference, the caller's. */
struct fog_session *fog_session_new(uint32_t id, struct fog_queue *events, const struct fog_session_limits *limits);

struct fog_session *fog_session_ref(struct fog_session *s);
void fog_session_unref(struct fog_session *s);

/* Puts a standing event on the session's queue unless it is there already. Any thread. */
void fog_session_announce(struct fog_session *s, struct fog_standing_event *ev);

#endif

/* SPDX-License-Identifier: MIT
 *
 * What the three parties to one MQTT session share: the binding (Lua's thread), the dispatcher (the only caller of
 * Paho) and the bridge (Paho's threads). Reference-counted: it outlives the Lua state that made it for as long as Paho
 * can call back.
 */
#ifndef FOG_SESSION_H
#define FOG_SESSION_H

#include "../base/queue.h"
#include "inbox.h"
#include "open_ids.h"
#include "outbox.h"

struct fog_link;
struct fog_lean;
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
  atomic_uint_fast64_t up; /* the link over which the broker took us in and that is not known to be lost; 0: none */
  atomic_uint_fast64_t sending; /* the link over which Lua has sent its subscriptions again, so that messages may go */
  _Atomic(struct fog_lean *) slot; /* with `connection` the connection in force, as fog_lean_ref: direct.c */
  atomic_uint_fast64_t connection;
  struct fog_open_ids open_ids;
  atomic_bool ready;      /* stands in the dispatcher's feed list */
  atomic_int subscribing; /* SUBSCRIBE and UNSUBSCRIBE in Paho's hands */
  atomic_bool leaving;    /* the dispatcher was asked to leave because the inbox is full */
  struct fog_session *next_ready;
  struct fog_command *goodbye; /* made at opening, so that closing needs no memory; the owner's thread only */
  struct fog_link *link;       /* the dispatcher's thread only */
};

/* NULL: no memory. One reference, the caller's. */
struct fog_session *fog_session_new(uint32_t id, struct fog_queue *events, const struct fog_session_limits *limits);

struct fog_session *fog_session_ref(struct fog_session *s);
void fog_session_unref(struct fog_session *s);

/* Messages may go now: the subscriptions of the very link that is up were sent. Any thread. */
bool fog_session_may_send(struct fog_session *s);

/* Puts a standing event on the session's queue unless it is there already. Any thread. */
void fog_session_announce(struct fog_session *s, struct fog_standing_event *ev);

#endif

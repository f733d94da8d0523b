/* SPDX-License-Identifier: MIT
 *
 * What the two parties to one MQTT session share: the binding (Lua's thread) and the driver (its thread).
 * Reference-counted: it outlives the Lua state that made it for as long as the driver has work for it.
 */
#ifndef FOG_SESSION_H
#define FOG_SESSION_H

#include "../base/queue.h"
#include "../durable/durable.h"
#include "inbox.h"
#include "outbox.h"

struct fog_caller_loop;
struct fog_driver;

struct fog_session_limits {
  size_t in_count, in_bytes, out_count, out_bytes, window;
  bool hold_qos0;              /* QoS 0 waits at the inbox's bound, too, instead of being dropped */
  struct fog_durable *journal; /* NULL: none; the session takes a reference of its own */
  bool handled;                /* acknowledge what was handled, not what was taken in */
  bool callers_thread;         /* no thread: the engine's loop, turned while it waits */
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
  const struct fog_driver *driver;
  void *of_driver;                /* the driver's own state of this session */
  struct fog_caller_loop *caller; /* the loop on which the driver is to serve it, until it is opened; NULL: its own */
  struct fog_queue *events;       /* a reference */
  struct fog_durable *journal;    /* a reference; NULL: none */
  struct fog_inbox inbox;
  struct fog_outbox outbox;
  size_t window;
  bool handled_mode;
  atomic_uint_fast64_t handled; /* how many messages of QoS 1 and 2 the program has handled, without a gap */
  atomic_bool hold;             /* Lua wants no message more: what comes is left to the system, and to the broker */
  atomic_bool resting;          /* the driver reads nothing, for there is no room */
  struct fog_standing_event messages, drained;
  atomic_uint_fast64_t up; /* the link over which the broker took us in and that is not known to be lost; 0: none */
  atomic_uint_fast64_t sending; /* the link over which Lua has sent its subscriptions again, so that messages may go */
  atomic_uint asked;            /* subscriptions of its that the driver's thread has not taken yet: they go first */
};

/* NULL: no memory. One reference, the caller's. */
struct fog_session *fog_session_new(uint32_t id, const struct fog_driver *driver, struct fog_queue *events,
                                    const struct fog_session_limits *limits);

/* What its journal can do; it has one. */
const struct fog_durable_ops *fog_session_journal(const struct fog_session *s);

/* The driver is done with it: no message is accepted any more. */
void fog_session_drop_journal(struct fog_session *s);

struct fog_session *fog_session_ref(struct fog_session *s);
void fog_session_unref(struct fog_session *s);

/* Messages may go now: the subscriptions of the very link that is up were sent, and the driver's thread, whose call
 * this is, has taken each. */
bool fog_session_may_send(struct fog_session *s);

/* Puts a standing event on the session's queue unless it is there already. Any thread. */
void fog_session_announce(struct fog_session *s, struct fog_standing_event *ev);

/* A driver's reports. Each takes its event over, which was made beforehand; text and properties are copied (without
 * memory the report goes without them). Any thread. */
struct fog_report {
  uint64_t link;
  int code;         /* up: the version; down: CONNACK's or DISCONNECT's code, 0 where there is none */
  bool flag;        /* up: session present; down: the link was up */
  const char *kind; /* down: "network", "tls", … (static); NULL where the broker said why */
  const char *text;
  struct fog_bytes properties;
  int64_t waited_ms;                 /* down: since the last thing went out that wants an answer; 0: nothing has */
  const struct fog_message *suspect; /* down: what was sent first of what has no answer; NULL: nothing */
};

void fog_session_report_up(struct fog_session *s, struct fog_event *ev, const struct fog_report *r);
void fog_session_report_down(struct fog_session *s, struct fog_event *ev, const struct fog_report *r);

#endif

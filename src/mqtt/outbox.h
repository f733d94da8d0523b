/* SPDX-License-Identifier: MIT
 *
 * The way out of Lua: what a session has accepted for sending. Bounded by count and by bytes of all that has not come
 * to its end, wherever it is: at every moment accepted = acknowledged + failed + dropped + queued, so nothing can
 * vanish.
 *
 * Lua's thread appends; the driver's thread takes the whole list at once and works through it on its own. One short
 * lock that is held for no longer than it takes to move a few pointers.
 */
#ifndef FOG_OUTBOX_H
#define FOG_OUTBOX_H

#include <pthread.h>
#include <stdatomic.h>

#include "../base/event.h"
#include "../base/queue.h"
#include "bytes.h"

/* One allocation: the event that may report it, then its topic, payload and properties. */
struct fog_message {
  struct fog_event event; /* first; id, text = topic, extra = payload point into this allocation */
  struct fog_message *next, *prev;
  const char *properties; /* MQTT 5, as on the wire; in this allocation too */
  size_t properties_len;
  int64_t accepted_ms; /* on the monotonic clock: from then on the expiry interval runs */
  int64_t expires_ms;  /* on the same scale; 0: never */
  uint64_t end;        /* QoS 0 on its way: where in the link's stream its last byte stands */
  uint16_t packet_id;  /* 0: none yet */
  uint8_t qos;
  bool retained, notify;
  bool sent;     /* over some link, so that the next sends it with DUP */
  bool here;     /* over the link in force */
  bool released; /* QoS 2: its PUBREC came */
  bool kept;     /* in the journal */
  bool held;     /* and counts among those that wait in memory */
};

/* NULL: no memory. Copies all three. */
struct fog_message *fog_message_new(struct fog_bytes topic, struct fog_bytes payload, struct fog_bytes properties);

/* What it counts for in the bound of bytes. */
size_t fog_message_cost(const struct fog_message *m);

/* Frees a message that nobody is told of. */
void fog_message_free(struct fog_message *m);

struct fog_message_list {
  struct fog_message *head, *tail;
};

void fog_message_append(struct fog_message_list *l, struct fog_message *m);
void fog_message_remove(struct fog_message_list *l, struct fog_message *m);
/* Puts all of `front` before what is in l; front is empty then. */
void fog_message_prepend_all(struct fog_message_list *l, struct fog_message_list *front);

struct fog_outbox {
  pthread_mutex_t lock;
  struct fog_message_list queued; /* what the driver has not taken yet */
  size_t count, bytes;            /* of all that has not ended */
  size_t max_count, max_bytes;
  uint64_t last_id, accepted, acknowledged, failed, dropped;
  atomic_size_t in_flight; /* for the statistics: the driver says */
  bool idle;               /* the driver waits for what is new; else it will look by itself */
  bool drain_wanted;       /* Lua waits for the moment in which nothing is left */
  size_t room_wanted;      /* Lua waits for room for a message of that cost; 0: it does not */
};

struct fog_outbox_stats {
  uint64_t accepted, acknowledged, failed, dropped;
  size_t queued, queued_bytes, in_flight;
};

void fog_outbox_init(struct fog_outbox *o, size_t max_count, size_t max_bytes);

/* Before anything is added: so many messages with so many bytes wait already, and the last number was that one. */
void fog_outbox_seed(struct fog_outbox *o, uint64_t last_id, uint64_t count, uint64_t bytes);

/* Frees what is left. Nobody may use the outbox any more. */
void fog_outbox_destroy(struct fog_outbox *o);

/* Whether a message of so many bytes (topic, payload, properties) fits: now, once others have ended, or never. */
enum fog_outbox_room { FOG_ROOM, FOG_ROOM_LATER, FOG_ROOM_NEVER };

/* `wanted`: where there is none now, the outbox remembers that Lua waits for it. So that a publisher is not woken for
 * each message that ends, it is told once a quarter of the bounds is free, or more where its message needs more. Lua's
 * thread, as add and want_drain. */
enum fog_outbox_room fog_outbox_room(struct fog_outbox *o, size_t bytes, bool wanted);

/* Takes m over and gives it a number. Else m stays the caller's. *feed: the driver has to be told. */
enum fog_outbox_room fog_outbox_add(struct fog_outbox *o, struct fog_message *m, uint64_t *id, bool *feed);

/* True when nothing is left now; else the outbox remembers that Lua wants to know. */
bool fog_outbox_want_drain(struct fog_outbox *o);

/* Appends all that waits to `to`; it is the driver's from now on. The driver's thread, as settle and busy. */
void fog_outbox_take(struct fog_outbox *o, struct fog_message_list *to);

/* The driver can send nothing now (a full window, a full socket), and will take by itself once it can. */
void fog_outbox_busy(struct fog_outbox *o);

/* What came to its end since the last time. */
struct fog_outcome {
  size_t acknowledged, failed, dropped, bytes;
};

/* Counts it; *outcome is zero then. True: nothing is left, or there is room, and Lua waits for that. `ev`, where it is
 * not NULL, is handed to the queue in the same step: Lua sees an end that it is told of in the numbers too, and finds
 * the outbox empty only where it can find the event. */
bool fog_outbox_settle(struct fog_outbox *o, struct fog_outcome *outcome, struct fog_queue *to, struct fog_event *ev);

void fog_outbox_stats(struct fog_outbox *o, struct fog_outbox_stats *s);

#endif

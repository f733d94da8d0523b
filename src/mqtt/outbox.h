/* SPDX-License-Identifier: MIT
 *
 * The messages of one session on their way to the broker, bounded by count and by bytes, online and offline. Each is
 * queued, then in flight (handed to Paho), then acknowledged, failed or dropped; at every moment accepted =
 * acknowledged + failed + dropped + queued,      queued counting those in flight too.
 *
 * Paho's own buffering is not used, for it drops silently (traps: P2), and its list of in-flight messages is kept
 * short, for it is scanned at every QoS 1 send (P10): the window.
 */
#ifndef FOG_OUTBOX_H
#define FOG_OUTBOX_H

#include <pthread.h>

#include "../base/event.h"
#include "bytes.h"

struct fog_session;

/* QoS 2 in flight at once. mosquitto cuts a 3.1.1 client off that has more than its max_inflight_messages (20 by
 * default) between PUBLISH and PUBREL, and nothing in 3.1.1 tells a client that number. */
enum { FOG_QOS2_WINDOW = 16 };

/* A larger message is not plain. */
enum { FOG_PLAIN_MOST = 8192 };

/* One allocation: the event that may report it, then its topic and payload. */
struct fog_message {
  struct fog_event event; /* first; id, text = topic, extra = payload point into this allocation */
  struct fog_message *next, *prev;
  struct fog_session *session; /* set while in flight, for Paho's callback */
  const char *properties;      /* MQTT 5, as on the wire; in this allocation too */
  size_t properties_len;
  uint8_t qos;
  bool retained, notify, sent;
};

/* NULL: no memory. Copies all three. */
struct fog_message *fog_message_new(struct fog_bytes topic, struct fog_bytes payload, struct fog_bytes properties);

struct fog_message_list {
  struct fog_message *head, *tail;
};

struct fog_outbox {
  pthread_mutex_t lock;
  struct fog_message_list queued, flying;
  size_t queued_count, flying_count, flying_qos0, flying_qos2, bytes;
  size_t max_count, max_bytes;
  uint64_t last_id, accepted, acknowledged, failed, dropped;
  size_t window;      /* how many may be in flight */
  size_t limit;       /* how many the broker allows to be (MQTT 5: its Receive Maximum) */
  bool drain_wanted;  /* Lua waits for the moment in which nothing is left */
  size_t room_wanted; /* Lua waits for room for a message of that cost; 0: it does not */
};

/* What the end of one message means for the others. */
struct fog_outbox_after {
  bool awaited; /* nothing is left, or there is room, and Lua waits for that */
  bool hungry;  /* messages wait and half of the window is free: feed */
};

struct fog_outbox_stats {
  uint64_t accepted, acknowledged, failed, dropped;
  size_t queued, queued_bytes, in_flight;
};

void fog_outbox_init(struct fog_outbox *o, size_t max_count, size_t max_bytes, size_t window);

/* Frees what is left. Nobody may use the outbox any more. */
void fog_outbox_destroy(struct fog_outbox *o);

/* Whether a message of so many bytes (topic, payload, properties) fits: now, once others have ended, or never. */
enum fog_outbox_room { FOG_ROOM, FOG_ROOM_LATER, FOG_ROOM_NEVER };

/* `wanted`: where there is none now, the outbox remembers that Lua waits for it. So that a publisher is not woken for
 * each message that ends, it is told once a quarter of the bounds is free, or more where its message needs more. */
enum fog_outbox_room fog_outbox_room(struct fog_outbox *o, size_t bytes, bool wanted);

/* Takes m over and gives it a number. Else m stays the caller's. *feed: the window has room, so that somebody should
 * feed; else the end of what is in flight makes `hungry`. */
enum fog_outbox_room fog_outbox_add(struct fog_outbox *o, struct fog_message *m, uint64_t *id, bool *feed);

/* The next to be sent, now in flight, while the window has room; else NULL. It stays the outbox's. */
struct fog_message *fog_outbox_feed(struct fog_outbox *o);

/* The next plain messages, at most `most`, now in flight: *count of them, linked by `next`. Plain: QoS 0 without
 * properties or notice, of at most FOG_PLAIN_MOST bytes. NULL: there is none to be had, for the next message is not
 * plain or something is in flight. *wait: behind them is nothing that fog_outbox_feed should give now, because there is
 * no more, or because what is in flight is of QoS 0, ends by itself, and then makes `hungry`. */
const struct fog_message *fog_outbox_feed_plain(struct fog_outbox *o, size_t most, size_t *count, bool *wait);

/* The first n of those are written: acknowledged, and freed. The rest goes back among the queued. True: awaited
 * (see fog_outbox_after). */
bool fog_outbox_end_plain(struct fog_outbox *o, size_t n);

/* m, in flight, came to its end: code 0 is acknowledged, else failed. The message becomes the caller's. */
struct fog_outbox_after fog_outbox_end(struct fog_outbox *o, struct fog_message *m, int code);

/* m, in flight, goes back among the queued, in the order in which it was accepted. */
void fog_outbox_requeue(struct fog_outbox *o, struct fog_message *m);

/* Takes one queued message out as dropped, now the caller's; NULL when none is left. */
struct fog_message *fog_outbox_drop(struct fog_outbox *o);

/* True when nothing is left now; else the outbox remembers that Lua wants to know. */
bool fog_outbox_want_drain(struct fog_outbox *o);

/* The broker's own bound for messages in flight, for the link that has just come up; 0: it has none. */
void fog_outbox_limit(struct fog_outbox *o, size_t limit);

/* What was handed to Paho first of what was not acknowledged, without QoS 0. False: nothing is in flight. Copies as
 * much of the topic as fits. */
struct fog_outbox_oldest {
  uint64_t id;
  size_t size;
  char topic[256];
};
bool fog_outbox_oldest(struct fog_outbox *o, struct fog_outbox_oldest *oldest);

void fog_outbox_stats(struct fog_outbox *o, struct fog_outbox_stats *s);

#endif

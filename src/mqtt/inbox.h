/* SPDX-License-Identifier: MIT
 *
 * The messages of one session on their way to Lua: one producer (the driver's thread), one consumer (the Lua thread).
 * Two byte buffers: the producer appends to one under a short lock, the consumer swaps them and reads the other
 * unlocked.
 *
 * Bounded by count and by bytes, counting what Lua has not taken yet. At the bound QoS 0 drops the oldest QoS 0 message
 * (unless it is to be held), and QoS 1 and 2 are not taken: the driver then stops reading, and is told when there is
 * room.
 */
#ifndef FOG_INBOX_H
#define FOG_INBOX_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fog_inbox_record; /* a header, then topic and payload, padded to 8 bytes */

struct fog_buffer {
  char *data;
  size_t len, cap;
};

struct fog_inbox {
  pthread_mutex_t lock;
  struct fog_buffer in;  /* the producer's */
  struct fog_buffer out; /* the consumer's */
  size_t out_pos;
  size_t scan_pos;                    /* before it, no live QoS 0 record is left in `in` */
  size_t dead_bytes;                  /* in dropped records of `in` */
  size_t count, bytes;                /* live records in `in` */
  atomic_size_t out_count, out_bytes; /* in `out` and not read yet */
  size_t max_count, max_bytes;
  bool hold_qos0;
  bool notified; /* the consumer knows that there is something */
  bool starved;  /* the producer waits for room */
  bool notify;   /* the consumer's: there is, and the producer must be told */
  uint64_t received, dropped;
};

/* What the consumer sees; the pointers live until the next call on the inbox. */
struct fog_message_view {
  const char *topic, *payload, *properties;
  uint32_t topic_len, payload_len, properties_len;
  uint8_t qos;
  bool retained, dup;
};

void fog_inbox_init(struct fog_inbox *b, size_t max_count, size_t max_bytes, bool hold_qos0);
void fog_inbox_destroy(struct fog_inbox *b);

/* The producer brackets a batch: one lock for many messages. end: true where the consumer has to be told. */
void fog_inbox_begin(struct fog_inbox *b);
bool fog_inbox_end(struct fog_inbox *b);

enum fog_inbox_result {
  FOG_INBOX_TAKEN,
  FOG_INBOX_FULL,     /* nothing was taken; once half of the bounds is free the consumer finds `notify` set */
  FOG_INBOX_NO_MEMORY /* nothing was taken (of QoS 0: it counts as dropped, and as taken) */
};

/* Copies one message in, between begin and end. A message that is larger than the bound is taken alone. */
enum fog_inbox_result fog_inbox_push(struct fog_inbox *b, const struct fog_message_view *m);

/* The same for a driver that cannot hold what was acknowledged already: it is taken beyond the bound too. False: it was
 * beyond, or there was no memory for it; the link must end. */
bool fog_inbox_push_beyond(struct fog_inbox *b, const struct fog_message_view *m);

/* The next message, or false: then the next batch has to be told of. Look at `notify` after it. The consumer only. */
bool fog_inbox_next(struct fog_inbox *b, struct fog_message_view *m);

/* True while next would give something. */
bool fog_inbox_pending(struct fog_inbox *b);

struct fog_inbox_stats {
  uint64_t received, dropped;
  size_t queued, queued_bytes;
};
void fog_inbox_stats(struct fog_inbox *b, struct fog_inbox_stats *s);

#endif

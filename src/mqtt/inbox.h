/* SPDX-License-Identifier: MIT
 *
 * The messages of one session on their way to Lua: one producer at a time (Paho's receiving thread), one consumer (the
 * Lua thread). Two byte buffers: the producer appends to one under a short lock, the consumer swaps them and reads the
 * other unlocked.
 *
 * Bounded by count and by bytes, counting what Lua has not taken yet. At the bound QoS 0 drops the oldest QoS 0
 * message, and QoS 1 and 2 are still taken in, for Paho acknowledges them whatever we answer (traps: P4); the caller
 * then makes the session leave.
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
  bool notified; /* the consumer knows that there is something */
  uint64_t received, dropped;
};

/* What the consumer sees; the pointers live until the next call on the inbox. */
struct fog_message_view {
  const char *topic, *payload, *properties;
  uint32_t topic_len, payload_len, properties_len;
  uint8_t qos;
  bool retained, dup;
};

enum fog_inbox_result {
  FOG_INBOX_OK,      /* taken in */
  FOG_INBOX_FIRST,   /* taken in, and the consumer has to be told */
  FOG_INBOX_OVERFLOW /* taken in beyond the bound: leave the broker (QoS 1 and 2); implies "tell the consumer" when
                      *first */
};

void fog_inbox_init(struct fog_inbox *b, size_t max_count, size_t max_bytes);
void fog_inbox_destroy(struct fog_inbox *b);

/* Copies one message in. Any one thread at a time; never waits. Without memory the message counts as dropped. */
enum fog_inbox_result fog_inbox_push(struct fog_inbox *b, const struct fog_message_view *m, bool *first);

/* The next message, or false: then the next push says FIRST again. The consumer only. */
bool fog_inbox_next(struct fog_inbox *b, struct fog_message_view *m);

/* True while next would give something. */
bool fog_inbox_pending(struct fog_inbox *b);

struct fog_inbox_stats {
  uint64_t received, dropped;
  size_t queued, queued_bytes;
};
void fog_inbox_stats(struct fog_inbox *b, struct fog_inbox_stats *s);

#endif

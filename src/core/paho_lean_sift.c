/* SPDX-License-Identifier: MIT
 *
 * PUBLISH packets that go past Paho. Paho reads a packet in three calls, allocates four times for it and copies its
 * payload, takes five locks, and looks at its list of sockets twice; a sink takes it where it lies in the read buffer.
 *
 * Paho asks for the first byte of a packet, then for its length, then for the rest, and never for more than the packet
 * has. So `left`, what is still to be handed over of the packet that Paho is reading, is 0 exactly when Paho wants a
 * new one, and whole packets taken out at that moment leave no trace in the stream that it sees. A packet that has not
 * come as a whole waits in the buffer (`part`), unseen by poll, until the rest of it has; one that the buffer cannot
 * hold is Paho's. All this is done under Paho's mutex, as every read, and so is the sink, as a callback.
 *
 * What Paho does not see is no sign of life to it, and with a long backlog the answer to its ping comes late. So the
 * first packet of every second is Paho's.
 */
#include "paho_lean_slot.h"

#ifdef FOG_PAHO_LEAN

#include <string.h>
#include <time.h>

enum { PUBLISH = 3, LENGTH_MOST = 4, MORE = 128 };

void fog_lean_set_sink(const struct fog_lean_ref *c, fog_lean_sink *sink, void *context) {
  struct fog_lean *s = c->slot;
  s->sink = sink;
  s->context = context;
  s->left = 0;
  s->shown = time(NULL);
}

/* The length of the packet at p, its fixed header included; 0: more than n bytes are needed to know. */
static size_t packet_length(const unsigned char *p, size_t n, size_t *header) {
  size_t length = 0;
  for (size_t i = 1; i < n && i <= LENGTH_MOST; i++) {
    length |= (size_t)(p[i] & (MORE - 1)) << (7 * (i - 1));
    *header = i + 1;
    if (p[i] < MORE) return length + i + 1;
  }
  return n > LENGTH_MOST ? n : 0; /* a length that is none: Paho's to refuse */
}

/* Takes one packet out, or decides who gets it. False: nothing more can be decided. */
static bool sift_one(struct fog_lean *s, size_t held, time_t now) {
  const unsigned char *p = s->in + s->next;
  size_t header = 0, length = packet_length(p, held, &header);
  if (length > 0 && s->shown != now) {
    s->shown = now;
    s->left = length;
    return false;
  }
  if (length == 0 || (length > held && length <= s->in_size && p[0] >> 4 == PUBLISH)) {
    memmove(s->in, p, held);
    s->part = held;
    atomic_store_explicit(&s->held, 0, memory_order_release);
    return false;
  }
  if (length > held || p[0] >> 4 != PUBLISH || !s->sink(s->context, p[0], p + header, length - header)) {
    s->left = length;
    return false;
  }
  s->next += length;
  atomic_store_explicit(&s->held, held - length, memory_order_release);
  return true;
}

bool fog_lean_sift(struct fog_lean *s) {
  size_t held = atomic_load_explicit(&s->held, memory_order_relaxed);
  if (s->sink == NULL || held == 0 || s->left > 0) return held > 0;
  time_t now = time(NULL);
  while (held > 0 && s->left == 0 && sift_one(s, held, now))
    held = atomic_load_explicit(&s->held, memory_order_relaxed);
  return atomic_load_explicit(&s->held, memory_order_relaxed) > 0;
}

#else
typedef int fog_paho_lean_sift_unused;
#endif

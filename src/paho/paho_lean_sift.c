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
 * first packet of every second is Paho's. A PUBLISH of QoS 2 is not (the sink may not miss one), but its PUBREL is.
 */
#include "paho_lean_slot.h"

#ifdef FOG_PAHO_LEAN

#include <string.h>
#include <time.h>

enum { PUBLISH = 3, PUBREL = 6, LENGTH_MOST = 4, MORE = 128 };

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
  return n > LENGTH_MOST ? SIZE_MAX : 0; /* a length that is none: all that follows is Paho's to refuse */
}

static bool is_qos2(unsigned first) { return first >> 4 == PUBREL || (first >> 1 & 3) == 2; }

/* The packet is shown to the sink, or would be if it were here. A large one of QoS 2 has the buffer made for it. */
static bool is_for_sink(struct fog_lean *s, unsigned first, size_t length, time_t now) {
  if (first >> 4 != PUBLISH && first >> 4 != PUBREL) return false;
  if (!is_qos2(first)) return s->shown == now && length <= s->in_size;
  return length <= s->in_size || (length <= READ_MOST && fog_lean_in_grow(s, READ_MOST));
}

/* The rest of the packet has not come: it begins the buffer, out of sight. */
static void hold_back(struct fog_lean *s, size_t held) {
  memmove(s->in, s->in + s->next, held);
  s->part = held;
  atomic_store_explicit(&s->held, 0, memory_order_release);
}

/* Decides about one packet: taken, or Paho's. LATER: nothing more can be decided now. */
static enum fog_lean_verdict sift_one(struct fog_lean *s, size_t held, time_t now) {
  unsigned first = s->in[s->next];
  size_t header = 0, length = packet_length(s->in + s->next, held, &header);
  bool shown = length > 0 && is_for_sink(s, first, length, now);
  if (length == 0 || (shown && length > held)) {
    hold_back(s, held);
    return FOG_LEAN_LATER;
  }
  enum fog_lean_verdict verdict = FOG_LEAN_PAHO;
  if (shown) verdict = s->sink(s->context, first, s->in + s->next + header, length - header);
  if (verdict == FOG_LEAN_TAKEN) {
    s->next += length;
    atomic_store_explicit(&s->held, held - length, memory_order_release);
  } else if (verdict == FOG_LEAN_PAHO) {
    s->left = length;
    s->shown = now;
  }
  return verdict;
}

bool fog_lean_sift(struct fog_lean *s) {
  size_t held = atomic_load_explicit(&s->held, memory_order_relaxed);
  if (s->sink == NULL || held == 0 || s->left > 0) return held > 0;
  time_t now = time(NULL);
  while (held > 0) {
    enum fog_lean_verdict verdict = sift_one(s, held, now);
    if (verdict != FOG_LEAN_TAKEN) return verdict == FOG_LEAN_PAHO;
    held = atomic_load_explicit(&s->held, memory_order_relaxed);
  }
  return false;
}

#else
typedef int fog_paho_lean_sift_unused;
#endif

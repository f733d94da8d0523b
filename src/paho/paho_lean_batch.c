/* SPDX-License-Identifier: MIT
 *
 * Packets of our own on a connection of Paho's. MQTT is a stream of whole packets, and a PUBLISH of QoS 0 leaves no
 * trace in the state of either side: no id, no answer, nothing to repeat. So one that is put between two packets of
 * Paho's is correct wherever a packet ends. That is so whenever the slot's lock is free, for Paho's writes are taken
 * over whole, with one exception: a large one that the kernel took a part of. `cut` says so, and nothing is put behind
 * it.
 *
 * The guard follows what is sent to know which answers may come; it need not hear of these.
 */
#include "paho_lean_slot.h"

#ifdef FOG_PAHO_LEAN

#include <string.h>

bool fog_lean_begin(const struct fog_lean_ref *c) {
  struct fog_lean *s = c->slot;
  if (s == NULL || c->number == 0) return false;
  (void)pthread_mutex_lock(&s->lock);
  if (s->number == c->number && !s->cut && !fog_lean_stuck(s) && !atomic_load(&s->waiting) && !fog_lean_failed(s))
    return true;
  (void)pthread_mutex_unlock(&s->lock);
  return false;
}

unsigned char *fog_lean_room(const struct fog_lean_ref *c, size_t len) {
  struct fog_lean *s = c->slot;
  if (s->out_to - s->out_from >= WRITE_FLUSH) fog_lean_flush_locked(s);
  if (fog_lean_stuck(s) || fog_lean_failed(s) || !fog_lean_accepts(s, len)) return NULL;
  unsigned char *at = s->out + s->out_to;
  s->out_to += len;
  return at;
}

void fog_lean_end(const struct fog_lean_ref *c) {
  struct fog_lean *s = c->slot;
  if (s->out_to > 0) fog_lean_flush_locked(s);
  bool tell = fog_lean_stuck(s) || fog_lean_failed(s);
  (void)pthread_mutex_unlock(&s->lock);
  if (tell) fog_lean_wake_receiver();
}

bool fog_lean_answer(const struct fog_lean_ref *c, const unsigned char *packet, size_t len) {
  if (!fog_lean_begin(c)) return false;
  unsigned char *to = fog_lean_room(c, len);
  if (to != NULL) memcpy(to, packet, len);
  (void)pthread_mutex_unlock(&c->slot->lock);
  if (to != NULL) fog_lean_put_off(c->slot);
  return to != NULL;
}

#else
typedef int fog_paho_lean_batch_unused;
#endif

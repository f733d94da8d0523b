/* SPDX-License-Identifier: MIT
 *
 * Messages past Paho. Out, of QoS 0: Paho makes a command of each, wakes its send thread and writes it there: six
 * allocations, four locks and two thread switches for what is a header and two copies. Where Paho has nothing on its
 * way, the dispatcher writes them itself into the connection's write buffer, many at a time. What needs more than that
 * (QoS 1 and 2, properties, large payloads, WebSocket frames) goes through Paho, as everything does where Paho is not
 * linked statically. In: paho_lean_sift.c. Two threads use one fog_direct, each its part.
 */
#ifndef FOG_DIRECT_H
#define FOG_DIRECT_H

#include "../mqtt/session.h"
#include "paho_lean.h"

struct fog_direct {
  struct fog_session *session;
  int version; /* of MQTT: 4 or 5 */
  void (*deliver)(void *link, const struct fog_message_view *m);
  void *link;
  struct fog_lean_ref connection; /* Paho's receive thread only, others have session->slot; slot NULL: not over this */
};

enum fog_direct_result {
  FOG_DIRECT_PAHO, /* the next message, if there is one, is Paho's */
  FOG_DIRECT_LATER /* nothing to do until the next message, or the end of those that Paho has */
};

/* For the connection that has just been made; in Paho's callback that says so. All but the connection is set, and d
 * lives until the connection is closed. */
void fog_direct_open(struct fog_direct *d, const char *uri);

/* The system has taken all bytes of the session's connection, and a goodbye would go out at once. Any thread. */
bool fog_direct_flushed(struct fog_session *s);

/* Writes what may be written, in order. The dispatcher's thread only. *written: so many. */
enum fog_direct_result fog_direct_feed(const struct fog_direct *d, size_t *written);

#endif

/* SPDX-License-Identifier: MIT
 *
 * SUBSCRIBE and UNSUBSCRIBE of one link: each ask is answered by the broker or by the end of the link. Those that find
 * no free packet id wait for one. The driver's thread only.
 */
#ifndef FOG_ASKS_H
#define FOG_ASKS_H

#include "ask.h"
#include "idmap.h"
#include "outgoing.h"

struct fog_asks {
  struct fog_idmap open;        /* the ask behind each packet id */
  struct fog_ask *head, **tail; /* no id yet */
};

void fog_asks_init(struct fog_asks *a);
/* Whether none waits for its id or for its answer. */
bool fog_asks_idle(const struct fog_asks *a);
bool fog_asks_has(const struct fog_asks *a, uint16_t id);

/* Takes the ask over; feed sends it. */
void fog_asks_add(struct fog_asks *a, struct fog_ask *ask);

/* Appends the packets of those that may go now: not without a free packet id; on a probe (outgoing.h) one at a time,
 * and none before the link has proven itself. False: no memory. */
bool fog_asks_feed(struct fog_asks *a, struct fog_session *s, struct fog_outgoing *ids, struct fog_writer *out);

/* SUBACK or UNSUBACK. 0, or the reason with which the link must end. */
int fog_asks_answered(struct fog_asks *a, struct fog_session *s, const struct fog_packet *p, struct fog_outgoing *ids,
                      struct fog_writer *out);

/* The link is gone: all are answered with code -1, and whether they were sent. */
void fog_asks_lost(struct fog_asks *a, struct fog_session *s);

#endif

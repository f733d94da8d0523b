/* SPDX-License-Identifier: MIT
 *
 * SUBSCRIBE and UNSUBSCRIBE of one link: each asks for one filter, and is answered once, by the broker or by the end of
 * the link. Those that find no free packet id wait for one. The driver's thread only.
 */
#ifndef FOG_ASK_H
#define FOG_ASK_H

#include "idmap.h"
#include "link_options.h"
#include "outgoing.h"
#include "session.h"

struct fog_ask {
  struct fog_ask *next;
  struct fog_event *event;
  uint16_t id;
  struct fog_subscription how;
  char filter[]; /* terminated; its properties stand behind it */
};

struct fog_asks {
  struct fog_idmap open;        /* the ask behind each packet id */
  struct fog_ask *head, **tail; /* no id yet */
};

/* Copies. NULL: no memory. The event is the ask's. */
struct fog_ask *fog_ask_new(struct fog_session *s, uint64_t token, const char *filter,
                            const struct fog_subscription *how);
void fog_ask_free(struct fog_ask *ask);

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

/* Answers one that was never taken over. */
void fog_ask_fail(struct fog_session *s, struct fog_ask *ask);

#endif

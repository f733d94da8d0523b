/* SPDX-License-Identifier: MIT
 *
 * One SUBSCRIBE or UNSUBSCRIBE: it asks for one filter, and is answered once, whatever happens.
 */
#ifndef FOG_ASK_H
#define FOG_ASK_H

#include "link_options.h"
#include "session.h"

struct fog_ask {
  struct fog_ask *next; /* these three are the driver's */
  void *owner;
  uint16_t id;
  struct fog_event *event;
  struct fog_subscription how;
  char filter[]; /* terminated; its properties stand behind it */
};

/* Copies. NULL: no memory. No message of s goes out until the driver's thread has taken it. */
struct fog_ask *fog_ask_new(struct fog_session *s, uint64_t token, const char *filter,
                            const struct fog_subscription *how);

/* The driver's thread has it, and sends or answers it before any message. */
void fog_ask_take(struct fog_session *s);

/* Reports the broker's word, -1 without one, and whether the broker was asked; and frees the ask. */
void fog_ask_answer(struct fog_session *s, struct fog_ask *ask, int code, bool sent, struct fog_bytes properties);

#endif

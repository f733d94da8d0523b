/* SPDX-License-Identifier: MIT
 *
 * Eclipse Paho MQTT C, as packaged, as a driver (mqtt/driver.h): the second one, and the witness of the first. Paho's
 * calls can stall for seconds under a lock of its own (docs/traps.md: P1, P3), so one thread makes them all, and no
 * lock of ours is held around one; its callbacks take the facts, hand them on and return.
 *
 *   driver.c    the thread and the commands           above link.c
 *   link.c      Paho's calls: connect, send, end      above bridge.c
 *   bridge.c    what Paho's threads enter             above convert.c
 *   convert.c   properties, from bytes and back
 */
#ifndef FOG_PAHO_H
#define FOG_PAHO_H

#include <MQTTAsync.h>

#include "../mqtt/ask.h"
#include "../mqtt/driver.h"
#include "../mqtt/loop.h"

/* The driver's state of one session: the thread's, and under `lock` the bridge's too. */
struct paho {
  struct fog_session *session;
  struct fog_loop *loop;
  struct fog_errand feed, end;
  atomic_bool fed;      /* stands in the mailbox */
  bool silently;        /* without a goodbye */
  pthread_mutex_t lock; /* all from here to `asks` */
  struct fog_message_list waiting, flying;
  size_t flying_count, limit; /* the broker's Receive Maximum; 0: none */
  struct fog_ask *asks;       /* in Paho's hands; their owner is this */
  struct paho_link *link;     /* the thread's alone */
  struct fog_event *closed;
};

/* One connection: made and freed by the thread, which destroys Paho's handle first. */
struct paho_link {
  struct paho *of;
  struct fog_link_options *options;
  MQTTAsync handle;
  int ca_fd;                            /* the memory file that holds ca_pem, or -1 */
  _Atomic(struct fog_event *) up, down; /* made beforehand, taken by whoever reports */
  atomic_bool is_up;
  atomic_bool full;     /* the inbox: the thread leaves the broker */
  pthread_mutex_t lock; /* tls_text */
  char tls_text[256];
};

/* A message in Paho's hands: who is told of its end. */
struct paho_sending {
  struct paho *of;
  struct fog_message *message;
};

/* convert.c */
int paho_add_properties(MQTTProperties *to, const char *bytes, size_t len);
char *paho_copy_properties(const MQTTProperties *from, size_t *len); /* malloc'ed; NULL without any */

/* bridge.c: sets the callbacks of a handle, a connect, a message, an ask. */
int paho_bridge_install(struct paho_link *link);
void paho_bridge_connecting(struct paho_link *link, MQTTAsync_connectOptions *o);
void paho_bridge_publishing(struct paho_sending *sending, MQTTAsync_responseOptions *o, int version);
void paho_bridge_subscribing(struct fog_ask *ask, MQTTAsync_responseOptions *o, int version);
int paho_bridge_tls_error(const char *text, size_t len, void *context);
void paho_report_down(struct paho_link *link, int code, const char *kind, const char *text,
                      const MQTTProperties *properties);
/* Puts m, in no list any more, back among those that wait, in the order in which they were accepted. Under the lock. */
void paho_requeue(struct paho *p, struct fog_message *m);
/* m, in no list any more, is at its end: counted, and told where that is asked for. Under the lock. */
void paho_end_message(struct paho *p, struct fog_message *m, int code, bool dropped);
/* Asks the thread to feed, or to leave a broker whose messages nobody takes. Any thread. */
void paho_wake(struct paho *p);

/* link.c: the one thread only. */
void paho_link_connect(struct paho *p, struct fog_link_options *o);
void paho_link_subscribe(struct paho *p, struct fog_ask *ask);
void paho_link_feed(struct paho *p);
void paho_link_end(struct paho *p, bool goodbye);
void paho_answer(struct fog_ask *ask, int code, bool sent, const MQTTProperties *properties);

extern const struct fog_driver fog_paho;

#endif

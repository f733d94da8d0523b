/* SPDX-License-Identifier: MIT
 *
 * Every function that Paho's threads enter. Each takes the facts, hands them on, and returns: Paho holds its
 * process-wide lock around them (traps: P3), so no function here waits, and no lock that is held around a Paho call is
 * taken.
 */
#ifndef FOG_BRIDGE_H
#define FOG_BRIDGE_H

#include <MQTTAsync.h>

#include "direct.h"
#include "dispatcher.h"

enum { FOG_TLS_TEXT = 512 };

/* One connection, from connect to its end; made and freed by the dispatcher, which frees Paho's handle first. */
struct fog_link {
  struct fog_session *session; /* the dispatcher's reference keeps it */
  struct fog_link_options *options;
  MQTTAsync handle;
  struct fog_direct direct;
  _Atomic(struct fog_event *) up, down; /* made beforehand, taken by whoever reports */
  pthread_mutex_t lock;                 /* tls_text */
  char tls_text[FOG_TLS_TEXT];
};

/* One subscribe or unsubscribe on its way, freed by its answer. */
struct fog_subscribing {
  struct fog_session *session; /* a reference */
  struct fog_event *event;
};

/* Reports that the link's attempt failed, or that the link is lost; does nothing where that was reported. */
void fog_bridge_report_refused(struct fog_link *link, int code, const char *text);
void fog_bridge_report_lost(struct fog_link *link, int code, const char *text);

/* The same for a link that was ended from this side; the event says so in its name, "left". */
void fog_bridge_report_left(struct fog_link *link);

/* Reports and frees. code: granted QoS, or >= 0x80, or Paho's negative one. */
void fog_bridge_report_subscribed(struct fog_subscribing *sub, int code, const char *text);

/* m, in flight, is at its end. code 0: acknowledged; else it failed. */
void fog_bridge_end_message(struct fog_message *m, int code);

/* Sets the callbacks of a new handle, and those of one connect, publish or subscribe. */
int fog_bridge_install(struct fog_link *link);
void fog_bridge_connecting(struct fog_link *link, MQTTAsync_connectOptions *o);
void fog_bridge_publishing(struct fog_message *m, MQTTAsync_responseOptions *o, int version);
void fog_bridge_subscribing(struct fog_subscribing *sub, MQTTAsync_responseOptions *o, int version);
int fog_bridge_tls_error(const char *text, size_t len, void *link);

#endif

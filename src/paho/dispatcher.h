/* SPDX-License-Identifier: MIT
 *
 * The one thread of the process that calls Paho. Paho resolves names and runs callbacks under one lock of its own
 * (traps: P1, P3), so any of its calls can stall for seconds on somebody else's broker; here only this thread stalls.
 * It starts with the first command and ends when the last session is closed.
 *
 * Every function may be called from any thread and never waits, unless it says so.
 */
#ifndef FOG_DISPATCHER_H
#define FOG_DISPATCHER_H

#include "../base/error.h"
#include "../mqtt/session.h"

/* How to connect. All text is malloc'ed and belongs to the struct. */
struct fog_link_options {
  uint64_t number; /* the link's: events of an older link can be told by it */
  char *uri;       /* ssl://host:port, tcp://, wss://, ws:// */
  char *client_id, *username, *password, *ca_file, *ca_path, *cert_file, *key_file, *key_password;
  size_t password_len;
  int ca_fd; /* the memory file that ca_file names, or -1 */
  char *will_topic, *will_payload;
  size_t will_len;
  int will_qos;
  bool will_retained, tls, clean;
  int version; /* 4 (3.1.1) or 5 */
  int keepalive_s, connect_timeout_s;
  uint32_t session_expiry_s;          /* MQTT 5 */
  int receive_maximum;                /* MQTT 5; 0: not said */
  char *properties, *will_properties; /* MQTT 5, as on the wire */
  size_t properties_len, will_properties_len;
};

/* How to subscribe (qos 0 to 2) or unsubscribe (qos -1). What follows qos is of MQTT 5. */
struct fog_subscription {
  int qos;
  bool no_local, retain_as_published;
  int retain_handling;
  const char *properties;
  size_t properties_len;
};

void fog_link_options_free(struct fog_link_options *o);

/* Counts s in: the dispatcher runs until as many were closed. FOG_EFORKED: Paho ran before this process was forked, and
 * its threads did not survive (traps: P6). */
int fog_dispatcher_open(struct fog_session *s);

/* True: s, until it is closed, is the one session of this process over WebSockets. Paho 1.3.12 keeps the frame that it
 * reads in one place for all connections, so that two would take each other's bytes. */
bool fog_dispatcher_claim_websockets(const struct fog_session *s);

/* Connects, after ending the link that there may be. o becomes the dispatcher's, on failure too. Ends in
 * FOG_EV_CONNECTED or FOG_EV_REFUSED, and FOG_EV_LOST once a link that was up is gone by itself. */
int fog_dispatcher_connect(struct fog_session *s, struct fog_link_options *o);

/* Subscribes or unsubscribes. Copies filter and how. Ends in FOG_EV_SUBSCRIBED with this token. */
int fog_dispatcher_subscribe(struct fog_session *s, uint64_t token, const char *filter,
                             const struct fog_subscription *how);

/* Ends the link without closing the session; what was in flight is queued again. Ends in FOG_EV_LOST where a link was
 * up. */
int fog_dispatcher_leave(struct fog_session *s);

/* Ends the link, drops what is queued (each reported), ends in FOG_EV_CLOSED. A second call does nothing; cannot fail.
 */
void fog_dispatcher_close(struct fog_session *s);

/* The outbox has messages that may go. */
void fog_dispatcher_feed(struct fog_session *s);

/* The system has taken all bytes of the connection, and a goodbye would go out at once. Any thread; never waits. */
bool fog_dispatcher_flushed(struct fog_session *s);

/* Paho's version; static text. Does not start anything. */
const char *fog_dispatcher_paho_version(void);

/* Whether packets are checked before Paho sees them (paho_lean_guard.c). */
bool fog_dispatcher_paho_guarded(void);

#endif

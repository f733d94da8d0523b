/* SPDX-License-Identifier: MIT */
#include "link.h"

#include <stdlib.h>
#include <string.h>

#include "../base/process.h"
#include "link_properties.h"

static void link_free(struct fog_link *link) {
  struct fog_event *up = atomic_exchange(&link->up, NULL), *down = atomic_exchange(&link->down, NULL);
  if (up != NULL) up->release(up);
  if (down != NULL) down->release(down);
  fog_link_options_free(link->options);
  (void)pthread_mutex_destroy(&link->lock);
  free(link);
}

static bool same(const char *a, const char *b) { return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0); }

/* With a session that the broker keeps, Paho's handle holds the message ids that both sides agreed on, so it is kept.
 */
static bool continues(const struct fog_link *old, const struct fog_link_options *o) {
  return old != NULL && old->handle != NULL && !old->options->clean && !o->clean &&
         old->options->version == o->version && same(old->options->uri, o->uri) &&
         same(old->options->client_id, o->client_id);
}

static int create(struct fog_link *link) {
  MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer;
  create.MQTTVersion = link->options->version; /* the default would try 3.1.1, then 3.1: two look-ups (traps: P1) */
  create.maxBufferedMessages = 1000;           /* never reached: the window is far smaller */
  create.restoreMessages = 0;
  create.persistQoS0 = 0;
  int rc = MQTTAsync_createWithOptions(&link->handle, link->options->uri, link->options->client_id,
                                       MQTTCLIENT_PERSISTENCE_NONE, NULL, &create);
  if (rc == MQTTASYNC_SUCCESS) rc = fog_bridge_install(link);
  return rc;
}

static void fill_tls(struct fog_link *link, MQTTAsync_SSLOptions *tls) {
  const struct fog_link_options *o = link->options;
  tls->trustStore = o->ca_file;
  tls->CApath = o->ca_path;
  tls->disableDefaultTrustStore =
      o->ca_file != NULL || o->ca_path != NULL; /* a private authority replaces the system's */
  tls->keyStore = o->cert_file;
  tls->privateKey = o->key_file;
  tls->privateKeyPassword = o->key_password;
  tls->enableServerCertAuth = 1;
  tls->verify = 1; /* the host name too; Paho's default is not to look (traps: P12) */
  tls->ssl_error_cb = fog_bridge_tls_error;
  tls->ssl_error_context = link;
}

static void fill_will(const struct fog_link_options *o, MQTTAsync_willOptions *will) {
  will->topicName = o->will_topic;
  will->payload.data = o->will_payload;
  will->payload.len = (int)o->will_len;
  will->qos = o->will_qos;
  will->retained = o->will_retained;
}

static void fill_credentials(const struct fog_link_options *o, MQTTAsync_connectOptions *c) {
  c->username = o->username;
  if (o->password != NULL) { /* binarypwd always: a password may hold any byte (traps: P13) */
    c->binarypwd.data = o->password;
    c->binarypwd.len = (int)o->password_len;
  }
}

static void add_number(MQTTProperties *props, enum MQTTPropertyCodes code, uint32_t value) {
  MQTTProperty p;
  memset(&p, 0, sizeof p);
  p.identifier = code;
  if (code == MQTTPROPERTY_CODE_RECEIVE_MAXIMUM)
    p.value.integer2 = (unsigned short)value;
  else
    p.value.integer4 = value;
  (void)MQTTProperties_add(props, &p);
}

/* Paho sends a ping after one interval without sending and gives up 1.5 intervals later: 2.5 in all. With 0.55 of what
 * was asked for, that is under 1.5 of it, with room for its timer's grain. It counts in seconds. */
static int paho_keepalive(int seconds) { return seconds > 0 && seconds * 11 / 20 < 1 ? 1 : seconds * 11 / 20; }

static int start(struct fog_link *link) {
  const struct fog_link_options *o = link->options;
  MQTTAsync_connectOptions v3 = MQTTAsync_connectOptions_initializer;
  MQTTAsync_connectOptions v5 = MQTTAsync_connectOptions_initializer5;
  MQTTAsync_connectOptions c = o->version == MQTTVERSION_5 ? v5 : v3;
  MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
  MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
  MQTTProperties props = MQTTProperties_initializer, will_props = MQTTProperties_initializer;
  c.MQTTVersion = o->version;
  c.keepAliveInterval = paho_keepalive(o->keepalive_s);
  c.connectTimeout = o->connect_timeout_s;
  if (o->version == MQTTVERSION_5) {
    c.cleanstart = o->clean; /* cleansession is an error with version 5, and cleanstart with 4 (traps: P13) */
    if (o->session_expiry_s > 0) add_number(&props, MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL, o->session_expiry_s);
    if (o->receive_maximum > 0) add_number(&props, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM, (uint32_t)o->receive_maximum);
    c.connectProperties = &props;
  } else {
    c.cleansession = o->clean;
  }
  (void)fog_link_properties_add(&props, o->properties, o->properties_len);
  fill_credentials(o, &c);
  if (o->tls) {
    fill_tls(link, &tls);
    c.ssl = &tls;
  }
  if (o->will_topic != NULL) {
    fill_will(o, &will);
    c.will = &will;
    (void)fog_link_properties_add(&will_props, o->will_properties, o->will_properties_len);
    if (o->version == MQTTVERSION_5) c.willProperties = &will_props;
  }
  fog_bridge_connecting(link, &c);
  int rc = MQTTAsync_connect(link->handle, &c);
  MQTTProperties_free(&props);
  MQTTProperties_free(&will_props);
  return rc;
}

static void set_link_events(struct fog_link *link, uint64_t number, struct fog_event *up, struct fog_event *down) {
  up->id = down->id = number;
  struct fog_event *old_up = atomic_exchange(&link->up, up), *old_down = atomic_exchange(&link->down, down);
  if (old_up != NULL) old_up->release(old_up);
  if (old_down != NULL) old_down->release(old_down);
}

static struct fog_link *make_link(struct fog_session *s, struct fog_link_options *o) {
  struct fog_link *link = calloc(1, sizeof *link);
  if (link == NULL) return NULL;
  (void)pthread_mutex_init(&link->lock, NULL);
  link->session = s;
  link->options = o;
  return link;
}

static void reuse_link(struct fog_link *link, struct fog_link_options *o) {
  fog_link_options_free(link->options);
  link->options = o;
  (void)pthread_mutex_lock(&link->lock);
  link->tls_text[0] = '\0';
  (void)pthread_mutex_unlock(&link->lock);
}

static void refuse(struct fog_session *s, struct fog_link_options *o, struct fog_event *up, struct fog_event *down) {
  up->type = FOG_EV_REFUSED;
  up->id = o->number;
  up->code = MQTTASYNC_FAILURE;
  fog_event_set_text(up, "not enough memory");
  fog_queue_push(s->events, up);
  down->release(down);
  fog_link_options_free(o);
}

void fog_link_connect(struct fog_session *s, struct fog_link_options *o, struct fog_event *up, struct fog_event *down) {
  bool reuse = continues(s->link, o);
  if (reuse)
    reuse_link(s->link, o);
  else
    fog_link_end(s);
  if (s->link == NULL) s->link = make_link(s, o);
  if (s->link == NULL) {
    refuse(s, o, up, down);
    return;
  }
  atomic_store(&s->leaving, false);
  set_link_events(s->link, o->number, up, down);
  int rc = reuse ? MQTTASYNC_SUCCESS : create(s->link);
  if (rc == MQTTASYNC_SUCCESS) rc = start(s->link);
  if (rc != MQTTASYNC_SUCCESS) fog_bridge_report_refused(s->link, rc, MQTTAsync_strerror(rc));
}

/* So many messages at once are a stream. */
enum { STREAM = 16 };

static int send_one(struct fog_link *link, struct fog_message *m) {
  MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
  MQTTAsync_message message = MQTTAsync_message_initializer;
  message.payload = m->event.extra;
  message.payloadlen = (int)m->event.extra_len;
  message.qos = m->qos;
  message.retained = m->retained;
  fog_bridge_publishing(m, &response, link->options->version);
  if (m->properties_len == 0) return MQTTAsync_sendMessage(link->handle, m->event.text, &message, &response);
  (void)fog_link_properties_add(&message.properties, m->properties, m->properties_len);
  int rc = MQTTAsync_sendMessage(link->handle, m->event.text, &message, &response);
  MQTTProperties_free(&message.properties);
  return rc;
}

/* Through Paho, as many as the window has room for. */
static void feed_paho(struct fog_session *s) {
  while (fog_session_may_send(s)) {
    struct fog_message *m = fog_outbox_feed(&s->outbox);
    if (m == NULL) return;
    m->session = s;
    int rc = send_one(s->link, m);
    if (rc == MQTTASYNC_SUCCESS) continue;
    if (rc == MQTTASYNC_DISCONNECTED || rc == MQTTASYNC_NO_MORE_MSGIDS || rc == MQTTASYNC_MAX_BUFFERED_MESSAGES) {
      fog_outbox_requeue(&s->outbox, m); /* the next acknowledgement, or the next link, feeds again */
      return;
    }
    fog_bridge_end_message(m, rc);
  }
}

bool fog_link_feed(struct fog_session *s) {
  size_t written = 0;
  if (!fog_session_may_send(s) || s->link == NULL || s->link->handle == NULL) return false;
  enum fog_direct_result result = fog_direct_feed(&s->link->direct, &written);
  if (result == FOG_DIRECT_PAHO) feed_paho(s);
  return written >= STREAM;
}

static int subscribe(struct fog_link *link, struct fog_subscribing *sub, const char *filter,
                     const struct fog_subscription *how) {
  MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
  fog_bridge_subscribing(sub, &response, link->options->version);
  response.subscribeOptions.noLocal = how->no_local;
  response.subscribeOptions.retainAsPublished = how->retain_as_published;
  response.subscribeOptions.retainHandling = (unsigned char)how->retain_handling;
  (void)fog_link_properties_add(&response.properties, how->properties, how->properties_len);
  int rc = how->qos >= 0 ? MQTTAsync_subscribe(link->handle, filter, how->qos, &response)
                         : MQTTAsync_unsubscribe(link->handle, filter, &response);
  MQTTProperties_free(&response.properties);
  return rc;
}

void fog_link_subscribe(struct fog_session *s, struct fog_subscribing *sub, const char *filter,
                        const struct fog_subscription *how) {
  int rc = MQTTASYNC_DISCONNECTED;
  atomic_fetch_add(&s->subscribing, 1);
  if (s->link != NULL && s->link->handle != NULL) rc = subscribe(s->link, sub, filter, how);
  if (rc != MQTTASYNC_SUCCESS) fog_bridge_report_subscribed(sub, rc, MQTTAsync_strerror(rc));
}

void fog_link_end(struct fog_session *s) {
  struct fog_link *link = s->link;
  if (link == NULL) return;
  s->link = NULL;
  if (link->handle != NULL) MQTTAsync_destroy(&link->handle); /* says DISCONNECT, and fails what was in flight */
  fog_bridge_report_left(link);
  link_free(link);
}

MQTTAsync fog_link_anchor(void) {
  MQTTAsync anchor = NULL;
  struct sigaction sigpipe;
  fog_process_sigpipe_save(&sigpipe);
  int rc = MQTTAsync_create(&anchor, "tcp://localhost:1", "fogcloud-anchor", MQTTCLIENT_PERSISTENCE_NONE, NULL);
  fog_process_sigpipe_restore(&sigpipe);
  return rc == MQTTASYNC_SUCCESS ? anchor : NULL;
}

void fog_link_anchor_free(MQTTAsync anchor) {
  if (anchor != NULL) MQTTAsync_destroy(&anchor);
}

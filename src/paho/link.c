/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory_file.h"
#include "paho.h"

/* An authority as text goes through a memory file: Paho takes files alone (traps: P12). */
static int keep_authority(struct paho_link *link) {
  struct fog_connection_options *to = link->options->to;
  link->ca_fd = -1;
  if (to->ca_pem == NULL) return MQTTASYNC_SUCCESS;
  to->ca_file = malloc(FOG_MEMORY_FILE_PATH);
  if (to->ca_file != NULL) link->ca_fd = fog_memory_file_open(to->ca_pem, strlen(to->ca_pem), to->ca_file);
  return link->ca_fd >= 0 ? MQTTASYNC_SUCCESS : MQTTASYNC_FAILURE;
}

static void link_free(struct paho_link *link) {
  struct fog_event *up = atomic_exchange(&link->up, NULL), *down = atomic_exchange(&link->down, NULL);
  if (up != NULL) up->release(up);
  if (down != NULL) down->release(down);
  if (link->ca_fd >= 0) fog_memory_file_close(link->ca_fd, link->options->to->ca_file);
  fog_link_options_free(link->options);
  (void)pthread_mutex_destroy(&link->lock);
  free(link);
}

static int create(struct paho_link *link) {
  MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer;
  const struct fog_connection_options *to = link->options->to;
  char uri[300];
  bool v6 = strchr(to->host, ':') != NULL;
  (void)snprintf(uri, sizeof uri, "%s://%s%s%s:%u", to->tls ? "ssl" : "tcp", v6 ? "[" : "", to->host, v6 ? "]" : "",
                 (unsigned)to->port);
  create.MQTTVersion = link->options->version; /* the default would try 3.1.1, then 3.1 (traps: P1) */
  create.maxBufferedMessages = 100000;         /* never reached: the window is far smaller (traps: P2) */
  create.restoreMessages = 0;
  create.persistQoS0 = 0;
  const char *id = link->options->client_id == NULL ? "" : link->options->client_id;
  int rc = MQTTAsync_createWithOptions(&link->handle, uri, id, MQTTCLIENT_PERSISTENCE_NONE, NULL, &create);
  return rc == MQTTASYNC_SUCCESS ? paho_bridge_install(link) : rc;
}

static void fill_tls(struct paho_link *link, MQTTAsync_SSLOptions *tls) {
  const struct fog_connection_options *o = link->options->to;
  tls->trustStore = o->ca_file;
  tls->CApath = o->ca_path;
  tls->disableDefaultTrustStore = o->ca_file != NULL || o->ca_path != NULL;
  tls->keyStore = o->cert_file;
  tls->privateKey = o->key_file;
  tls->privateKeyPassword = o->key_password == NULL ? "" : o->key_password; /* NULL asks a terminal (traps: P19) */
  tls->enableServerCertAuth = 1;
  tls->verify = 1; /* the host name too; Paho's default is not to look (traps: P12) */
  tls->ssl_error_cb = paho_bridge_tls_error;
  tls->ssl_error_context = link;
}

static void fill_will(const struct fog_link_options *o, MQTTAsync_willOptions *will) {
  will->topicName = o->will.topic;
  will->payload.data = o->will.payload;
  will->payload.len = (int)o->will.payload_len;
  will->qos = o->will.qos;
  will->retained = o->will.retained;
}

static void fill_identity(const struct fog_link_options *o, MQTTAsync_connectOptions *c) {
  c->MQTTVersion = o->version;
  c->keepAliveInterval = o->keepalive_s;
  c->connectTimeout = (o->connect_timeout_ms + 999) / 1000;
  c->username = o->username;
  if (o->version == MQTTVERSION_5)
    c->cleanstart = o->clean; /* cleansession is an error with version 5, and cleanstart with 4 (traps: P13) */
  else
    c->cleansession = o->clean;
  if (o->password == NULL) return;
  c->binarypwd.data = o->password; /* binarypwd always: a password may hold any byte (traps: P13) */
  c->binarypwd.len = (int)o->password_len;
}

static int start(struct paho_link *link) {
  const struct fog_link_options *o = link->options;
  MQTTAsync_connectOptions v3 = MQTTAsync_connectOptions_initializer;
  MQTTAsync_connectOptions v5 = MQTTAsync_connectOptions_initializer5;
  MQTTAsync_connectOptions c = o->version == MQTTVERSION_5 ? v5 : v3;
  MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
  MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
  MQTTProperties props = MQTTProperties_initializer, will_props = MQTTProperties_initializer;
  fill_identity(o, &c);
  (void)paho_add_properties(&props, o->properties, o->properties_len);
  if (o->version == MQTTVERSION_5) c.connectProperties = &props;
  if (o->to->tls) {
    fill_tls(link, &tls);
    c.ssl = &tls;
  }
  if (o->will.topic != NULL) {
    fill_will(o, &will);
    c.will = &will;
    (void)paho_add_properties(&will_props, o->will.properties, o->will.properties_len);
    if (o->version == MQTTVERSION_5) c.willProperties = &will_props;
  }
  paho_bridge_connecting(link, &c);
  int rc = MQTTAsync_connect(link->handle, &c);
  MQTTProperties_free(&props);
  MQTTProperties_free(&will_props);
  return rc;
}

void paho_link_connect(struct paho *p, struct fog_link_options *o) {
  paho_link_end(p, false);
  struct paho_link *link = calloc(1, sizeof *link);
  if (link == NULL) {
    fog_session_report_down(p->session, o->down,
                            &(struct fog_report){.link = o->number, .kind = "local", .text = "no memory"});
    o->down = NULL;
    fog_link_options_free(o);
    return;
  }
  (void)pthread_mutex_init(&link->lock, NULL);
  link->of = p;
  link->options = o;
  atomic_store(&link->up, o->up);
  atomic_store(&link->down, o->down);
  o->up = o->down = NULL; /* whoever reports takes them: any thread of Paho's */
  p->link = link;
  int rc = keep_authority(link);
  if (rc == MQTTASYNC_SUCCESS) rc = create(link);
  if (rc == MQTTASYNC_SUCCESS) rc = start(link);
  if (rc != MQTTASYNC_SUCCESS) paho_report_down(link, 0, "local", MQTTAsync_strerror(rc), NULL);
}

static int send_one(struct paho_link *link, struct fog_message *m, struct paho_sending *sending) {
  MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
  MQTTAsync_message message = MQTTAsync_message_initializer;
  message.payload = m->event.extra;
  message.payloadlen = (int)m->event.extra_len;
  message.qos = m->qos;
  message.retained = m->retained;
  paho_bridge_publishing(sending, &response, link->options->version);
  if (link->options->version == MQTTVERSION_5)
    (void)paho_add_properties(&message.properties, m->properties, m->properties_len);
  int rc = MQTTAsync_sendMessage(link->handle, m->event.text, &message, &response);
  MQTTProperties_free(&message.properties);
  return rc;
}

/* The next that the window has room for, on its way; NULL: none. */
static struct fog_message *take_off(struct paho *p) {
  (void)pthread_mutex_lock(&p->lock);
  size_t window = p->limit > 0 && p->limit < p->session->window ? p->limit : p->session->window;
  struct fog_message *m = p->flying_count < window ? p->waiting.head : NULL;
  if (m != NULL) {
    fog_message_remove(&p->waiting, m);
    fog_message_append(&p->flying, m);
    atomic_store(&p->session->outbox.in_flight, ++p->flying_count);
  }
  (void)pthread_mutex_unlock(&p->lock);
  return m;
}

static void put_back(struct paho *p, struct fog_message *m) {
  (void)pthread_mutex_lock(&p->lock);
  fog_message_remove(&p->flying, m);
  atomic_store(&p->session->outbox.in_flight, --p->flying_count);
  paho_requeue(p, m);
  (void)pthread_mutex_unlock(&p->lock);
}

void paho_link_feed(struct paho *p) {
  struct paho_link *link = p->link;
  if (link != NULL && atomic_load(&link->full)) {
    paho_report_down(link, 0, "left", "left the broker, for more came than was handled", NULL);
    paho_link_end(p, true);
    return;
  }
  (void)pthread_mutex_lock(&p->lock);
  fog_outbox_take(&p->session->outbox, &p->waiting);
  (void)pthread_mutex_unlock(&p->lock);
  while (link != NULL && fog_session_may_send(p->session)) {
    struct fog_message *m = take_off(p);
    if (m == NULL) break;
    struct paho_sending *sending = malloc(sizeof *sending);
    int rc = MQTTASYNC_FAILURE;
    if (sending != NULL) {
      *sending = (struct paho_sending){p, m};
      rc = send_one(link, m, sending);
    }
    if (rc == MQTTASYNC_SUCCESS) continue;
    free(sending);
    put_back(p, m); /* the next acknowledgement, or the next link, feeds again */
    break;
  }
}

void paho_link_subscribe(struct paho *p, struct fog_ask *ask) {
  MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
  const struct fog_subscription *how = &ask->how;
  fog_ask_take(p->session);
  struct paho_link *link = p->link;
  if (link == NULL || !atomic_load(&link->is_up)) {
    paho_answer(ask, -1, false, NULL);
    return;
  }
  (void)pthread_mutex_lock(&p->lock);
  ask->next = p->asks;
  p->asks = ask;
  (void)pthread_mutex_unlock(&p->lock);
  paho_bridge_subscribing(ask, &response, link->options->version);
  response.subscribeOptions.noLocal = how->no_local;
  response.subscribeOptions.retainAsPublished = how->retain_as_published;
  response.subscribeOptions.retainHandling = (unsigned char)how->retain_handling;
  (void)paho_add_properties(&response.properties, how->properties, how->properties_len);
  int rc = how->qos >= 0 ? MQTTAsync_subscribe(link->handle, ask->filter, how->qos, &response)
                         : MQTTAsync_unsubscribe(link->handle, ask->filter, &response);
  MQTTProperties_free(&response.properties);
  if (rc != MQTTASYNC_SUCCESS) paho_answer(ask, -1, false, NULL);
}

/* Paho is out of the handle, so nothing of it comes any more: what it never ended is ours again. */
static void take_back(struct paho *p) {
  (void)pthread_mutex_lock(&p->lock);
  while (p->flying.head != NULL) {
    struct fog_message *m = p->flying.head;
    fog_message_remove(&p->flying, m);
    if (m->qos > 0)
      paho_requeue(p, m);
    else
      paho_end_message(p, m, -13, false); /* as FOG_LOST_LINK: it may have arrived */
  }
  p->flying_count = 0;
  atomic_store(&p->session->outbox.in_flight, 0);
  (void)pthread_mutex_unlock(&p->lock);
  while (p->asks != NULL) paho_answer(p->asks, -1, true, NULL);
}

void paho_link_end(struct paho *p, bool goodbye) {
  struct paho_link *link = p->link;
  if (link == NULL) return;
  p->link = NULL;
  if (goodbye && link->handle != NULL && atomic_load(&link->is_up)) {
    MQTTAsync_disconnectOptions bye = MQTTAsync_disconnectOptions_initializer;
    (void)MQTTAsync_disconnect(link->handle, &bye);
  }
  if (link->handle != NULL) MQTTAsync_destroy(&link->handle);
  paho_report_down(link, 0, "left", "left the broker", NULL);
  take_back(p);
  link_free(link);
}

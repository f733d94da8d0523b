/* SPDX-License-Identifier: MIT
 *
 * One client of Paho's, as the dispatcher uses it, for the tests against brokers. Every message carries its number and
 * a pattern, so that a byte that is lost, doubled or out of place is seen.
 */
#ifndef FOG_PAHO_CLIENT_H
#define FOG_PAHO_CLIENT_H

#include <MQTTAsync.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static inline bool wait_for(sem_t *s) {
  struct timespec until;
  (void)clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 60;
  return sem_timedwait(s, &until) == 0;
}

struct client {
  MQTTAsync paho;
  char id[16];
  sem_t event, room, lost;
  int expected, last; /* messages that must come, and the number at which each QoS is */
  atomic_int got, wrong, failures;
  uint32_t next[3];
};

static inline unsigned char pattern(uint32_t number, size_t i) {
  return (unsigned char)(number * 7 + i * 31 + i / 251);
}

static inline void fill(unsigned char *p, size_t size, uint32_t number) {
  memcpy(p, &number, 4);
  for (size_t i = 4; i < size; i++) p[i] = pattern(number, i);
}

static inline bool intact(const unsigned char *p, size_t size, uint32_t number) {
  for (size_t i = 4; i < size; i++) {
    if (p[i] != pattern(number, i)) return false;
  }
  return true;
}

/* Numbers grow within each QoS: MQTT promises no order between them. */
static inline int arrived(void *context, char *topic, int length, MQTTAsync_message *m) {
  struct client *c = context;
  uint32_t number = 0;
  (void)length;
  if (m->payloadlen >= 4) memcpy(&number, m->payload, 4);
  if (number < c->next[m->qos] || !intact(m->payload, (size_t)m->payloadlen, number)) atomic_fetch_add(&c->wrong, 1);
  c->next[m->qos] = number + 1;
  if (atomic_fetch_add(&c->got, 1) + 1 == c->expected) (void)sem_post(&c->event);
  MQTTAsync_freeMessage(&m);
  MQTTAsync_free(topic);
  return 1;
}

static inline void lost(void *context, char *cause) {
  (void)cause;
  (void)sem_post(&((struct client *)context)->lost);
}

static inline void succeeded(void *context, MQTTAsync_successData *data) {
  (void)data;
  (void)sem_post(&((struct client *)context)->event);
}

static inline void refused(void *context, MQTTAsync_failureData *data) {
  struct client *c = context;
  (void)data;
  atomic_fetch_add(&c->failures, 1);
  (void)sem_post(&c->event);
}

static inline void published(void *context, MQTTAsync_successData *data) {
  (void)data;
  (void)sem_post(&((struct client *)context)->room);
}

static inline void publish_failed(void *context, MQTTAsync_failureData *data) {
  struct client *c = context;
  (void)data;
  atomic_fetch_add(&c->failures, 1);
  (void)sem_post(&c->room);
}

/* A connected client, or false. ca: NULL for a plain connection. */
static inline bool client_connect(struct client *c, int port, const char *ca) {
  MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer;
  MQTTAsync_connectOptions o = MQTTAsync_connectOptions_initializer;
  MQTTAsync_SSLOptions ssl = MQTTAsync_SSLOptions_initializer;
  char uri[64];
  (void)snprintf(uri, sizeof uri, "%s://localhost:%d", ca != NULL ? "ssl" : "tcp", port);
  create.MQTTVersion = MQTTVERSION_3_1_1;
  create.maxBufferedMessages = 1000;
  if (MQTTAsync_createWithOptions(&c->paho, uri, c->id, MQTTCLIENT_PERSISTENCE_NONE, NULL, &create) != 0) return false;
  (void)MQTTAsync_setCallbacks(c->paho, c, lost, arrived, NULL);
  ssl.trustStore = ca;
  ssl.verify = 1;
  if (ca != NULL) o.ssl = &ssl;
  o.MQTTVersion = MQTTVERSION_3_1_1;
  o.maxInflight = 60;
  o.context = c;
  o.onSuccess = succeeded;
  o.onFailure = refused;
  return MQTTAsync_connect(c->paho, &o) == MQTTASYNC_SUCCESS && wait_for(&c->event) && atomic_load(&c->failures) == 0;
}

static inline void client_init(struct client *c, int number, int expected) {
  memset(c, 0, sizeof *c);
  (void)snprintf(c->id, sizeof c->id, "client%d", number);
  (void)sem_init(&c->event, 0, 0);
  (void)sem_init(&c->lost, 0, 0);
  (void)sem_init(&c->room, 0, 50);
  c->expected = expected;
}

static inline bool client_subscribe(struct client *c) {
  char filter[32];
  MQTTAsync_responseOptions o = MQTTAsync_responseOptions_initializer;
  (void)snprintf(filter, sizeof filter, "%s/#", c->id);
  o.context = c;
  o.onSuccess = succeeded;
  o.onFailure = refused;
  return MQTTAsync_subscribe(c->paho, filter, 2, &o) == 0 && wait_for(&c->event) && atomic_load(&c->failures) == 0;
}

static inline bool client_disconnect(struct client *c) {
  MQTTAsync_disconnectOptions o = MQTTAsync_disconnectOptions_initializer;
  o.context = c;
  o.onSuccess = succeeded;
  o.onFailure = refused;
  bool ok = MQTTAsync_disconnect(c->paho, &o) == MQTTASYNC_SUCCESS && wait_for(&c->event);
  MQTTAsync_destroy(&c->paho);
  return ok && atomic_load(&c->failures) == 0;
}

#endif

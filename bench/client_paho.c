/* SPDX-License-Identifier: MIT
 *
 * Paho in C as packaged, with nothing around it. At most WINDOW messages are in Paho's hands.
 */
#include "common.h"

#include <MQTTAsync.h>
#include <semaphore.h>
#include <unistd.h>

static struct bench b;
static sem_t ready, done, room;
static long seen;

static int arrived(void *context, char *topic, int length, MQTTAsync_message *m) {
  (void)context, (void)length;
  if (!b.publish && seen == 0) bench_start(&b);
  seen++;
  if ((b.publish && strcmp(topic, "done") == 0) || (!b.publish && seen == b.count)) {
    bench_report(&b);
    (void)sem_post(&done);
  }
  MQTTAsync_freeMessage(&m);
  MQTTAsync_free(topic);
  return 1;
}

static void connected(void *context, MQTTAsync_successData *data) {
  (void)context, (void)data;
  (void)sem_post(&ready);
}

static void failed(void *context, MQTTAsync_failureData *data) {
  (void)context;
  fprintf(stderr, "failed: %d %s\n", data != NULL ? data->code : 0, data != NULL && data->message ? data->message : "");
  exit(1);
}

static void published(void *context, MQTTAsync_successData *data) {
  (void)context, (void)data;
  (void)sem_post(&room);
}

static void publish_all(MQTTAsync client) {
  char *payload = malloc(b.size + 1);
  memset(payload, 'x', b.size);
  bench_start(&b);
  for (long i = 0; i < b.count; i++) {
    MQTTAsync_responseOptions o = MQTTAsync_responseOptions_initializer;
    o.onSuccess = published;
    o.onFailure = failed;
    (void)sem_wait(&room);
    if (MQTTAsync_send(client, "bench/topic", (int)b.size, payload, b.qos, 0, &o) != MQTTASYNC_SUCCESS) exit(1);
  }
  free(payload);
}

int main(int argc, char **argv) {
  MQTTAsync client;
  MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer;
  MQTTAsync_connectOptions o = MQTTAsync_connectOptions_initializer;
  MQTTAsync_SSLOptions ssl = MQTTAsync_SSLOptions_initializer;
  MQTTAsync_responseOptions sub = MQTTAsync_responseOptions_initializer;
  char uri[64], id[32];
  b = bench_arguments(argc, argv);
  (void)sem_init(&ready, 0, 0);
  (void)sem_init(&done, 0, 0);
  (void)sem_init(&room, 0, (unsigned)b.window);
  (void)snprintf(uri, sizeof uri, "%s://localhost:%d", b.ca != NULL ? "ssl" : "tcp", b.port);
  (void)snprintf(id, sizeof id, "bench-%d", (int)getpid()); /* with a real broker there are two of this program */
  create.maxBufferedMessages = b.window * 2;
  create.MQTTVersion = MQTTVERSION_3_1_1;
  if (MQTTAsync_createWithOptions(&client, uri, id, MQTTCLIENT_PERSISTENCE_NONE, NULL, &create) != 0) return 1;
  (void)MQTTAsync_setCallbacks(client, NULL, NULL, arrived, NULL);
  ssl.trustStore = b.ca;
  ssl.verify = 1;
  if (b.ca != NULL) o.ssl = &ssl;
  o.MQTTVersion = MQTTVERSION_3_1_1;
  o.maxInflight = b.window;
  o.onSuccess = connected;
  o.onFailure = failed;
  if (MQTTAsync_connect(client, &o) != MQTTASYNC_SUCCESS) return 1;
  (void)sem_wait(&ready);
  if (b.publish) {
    publish_all(client);
  } else if (MQTTAsync_subscribe(client, "bench/#", b.qos, &sub) != MQTTASYNC_SUCCESS) {
    return 1;
  }
  (void)sem_wait(&done);
  MQTTAsync_destroy(&client);
  return 0;
}

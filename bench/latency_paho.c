/* SPDX-License-Identifier: MIT
 *
 * How long a message takes to a broker and back, with Paho in C: PORT RATE COUNT [CA]. RATE 0: one at a time, else so
 * many a second, ten each millisecond for 10,000. With a CA over TLS. Prints the microseconds of each, a line each.
 * Linked as client_paho.c is.
 */
#include <MQTTAsync.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static sem_t ready, arrived_one;
static long count, seen;
static double *taken;

static double now(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int arrived(void *context, char *topic, int length, MQTTAsync_message *m) {
  double sent = 0;
  (void)context, (void)length;
  memcpy(&sent, m->payload, sizeof sent);
  if (seen < count) taken[seen++] = now() - sent;
  MQTTAsync_freeMessage(&m);
  MQTTAsync_free(topic);
  (void)sem_post(&arrived_one);
  return 1;
}

static void succeeded(void *context, MQTTAsync_successData *data) {
  (void)context, (void)data;
  (void)sem_post(&ready);
}

static void failed(void *context, MQTTAsync_failureData *data) {
  (void)context;
  fprintf(stderr, "failed: %d\n", data != NULL ? data->code : 0);
  exit(1);
}

static void publish(MQTTAsync client) {
  MQTTAsync_responseOptions o = MQTTAsync_responseOptions_initializer;
  double stamp = now();
  if (MQTTAsync_send(client, "latency/x", sizeof stamp, &stamp, 0, 0, &o) != MQTTASYNC_SUCCESS) exit(1);
}

static void run(MQTTAsync client, double rate) {
  double from = now();
  for (long sent = 0; sent < count;) {
    publish(client);
    sent++;
    if (rate <= 0) {
      (void)sem_wait(&arrived_one);
    } else {
      while ((double)sent > (now() - from) * rate) (void)usleep(1000);
    }
  }
  for (int i = 0; i < 2000 && seen < count; i++) (void)usleep(1000);
}

int main(int argc, char **argv) {
  MQTTAsync client;
  MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer;
  MQTTAsync_connectOptions o = MQTTAsync_connectOptions_initializer;
  MQTTAsync_responseOptions sub = MQTTAsync_responseOptions_initializer;
  MQTTAsync_SSLOptions ssl = MQTTAsync_SSLOptions_initializer;
  char uri[64];
  if (argc < 4) return 2;
  count = atol(argv[3]);
  taken = calloc((size_t)count, sizeof *taken);
  (void)sem_init(&ready, 0, 0);
  (void)sem_init(&arrived_one, 0, 0);
  (void)snprintf(uri, sizeof uri, "%s://localhost:%s", argc > 4 ? "ssl" : "tcp", argv[1]);
  create.maxBufferedMessages = 10000;
  create.MQTTVersion = MQTTVERSION_3_1_1;
  if (MQTTAsync_createWithOptions(&client, uri, "latency", MQTTCLIENT_PERSISTENCE_NONE, NULL, &create) != 0) return 1;
  (void)MQTTAsync_setCallbacks(client, NULL, NULL, arrived, NULL);
  ssl.trustStore = argc > 4 ? argv[4] : NULL;
  ssl.verify = 1;
  if (argc > 4) o.ssl = &ssl;
  o.MQTTVersion = MQTTVERSION_3_1_1;
  o.onSuccess = succeeded;
  o.onFailure = failed;
  if (MQTTAsync_connect(client, &o) != MQTTASYNC_SUCCESS) return 1;
  (void)sem_wait(&ready);
  sub.onSuccess = succeeded;
  sub.onFailure = failed;
  if (MQTTAsync_subscribe(client, "latency/#", 0, &sub) != MQTTASYNC_SUCCESS) return 1;
  (void)sem_wait(&ready);
  run(client, atof(argv[2]));
  for (long i = 0; i < seen; i++) printf("%.2f\n", taken[i] * 1e6);
  return seen == count ? 0 : 1;
}

/* SPDX-License-Identifier: MIT
 *
 * libmosquitto in C: its threaded loop for publishing, its plain loop for receiving, which is its faster one.
 */
#include "common.h"

#include <mosquitto.h>
#include <semaphore.h>
#include <stdbool.h>
#include <unistd.h>

static struct bench b;
static sem_t ready, room, done;
static long seen;
static bool finished;

static void on_connect(struct mosquitto *m, void *context, int rc) {
  (void)m, (void)context;
  if (rc != 0) exit(1);
  if (!b.publish) (void)mosquitto_subscribe(m, NULL, "bench/#", b.qos);
  (void)sem_post(&ready);
}

static void on_message(struct mosquitto *m, void *context, const struct mosquitto_message *message) {
  (void)m, (void)context;
  if (!b.publish && seen == 0) bench_start(&b);
  seen++;
  if ((b.publish && strcmp(message->topic, "done") == 0) || (!b.publish && seen == b.count)) {
    bench_report(&b);
    finished = true;
    (void)sem_post(&done);
  }
}

static void on_publish(struct mosquitto *m, void *context, int id) {
  (void)m, (void)context, (void)id;
  (void)sem_post(&room);
}

int main(int argc, char **argv) {
  b = bench_arguments(argc, argv);
  (void)sem_init(&ready, 0, 0);
  (void)sem_init(&done, 0, 0);
  (void)sem_init(&room, 0, (unsigned)b.window);
  (void)mosquitto_lib_init();
  char id[32];
  (void)snprintf(id, sizeof id, "bench-%d", (int)getpid()); /* with a real broker there are two of this program */
  struct mosquitto *m = mosquitto_new(id, true, NULL);
  mosquitto_connect_callback_set(m, on_connect);
  mosquitto_message_callback_set(m, on_message);
  mosquitto_publish_callback_set(m, on_publish);
  (void)mosquitto_max_inflight_messages_set(m, (unsigned)b.window);
  (void)mosquitto_int_option(m, MOSQ_OPT_TCP_NODELAY, 1);
  if (b.ca != NULL && mosquitto_tls_set(m, b.ca, NULL, NULL, NULL, NULL) != 0) return 1;
  if (mosquitto_connect(m, "localhost", b.port, 60) != 0) return 1;
  if (!b.publish) {
    while (!finished && mosquitto_loop(m, 1000, 1) == 0) continue;
    return !finished;
  }
  char *payload = calloc(1, b.size + 1);
  memset(payload, 'x', b.size);
  (void)mosquitto_loop_start(m);
  (void)sem_wait(&ready);
  bench_start(&b);
  for (long i = 0; i < b.count; i++) {
    (void)sem_wait(&room);
    if (mosquitto_publish(m, NULL, "bench/topic", (int)b.size, payload, b.qos, false) != 0) return 1;
  }
  (void)sem_wait(&done);
  return 0;
}

/* SPDX-License-Identifier: MIT
 *
 * Paho with its wraps against mosquitto, plain and TLS, several clients at once, until the broker is killed.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "loopback.h"
#include "paho_client.h"
#include "tap.h"

/* Publishes `expected` messages of all sizes to itself and waits for all of them. */
static bool client_echo(struct client *c) {
  static const size_t sizes[] = {4, 5, 64, 130, 1000, 17000, 4, 64, 64, 70000};
  unsigned char *payload = malloc(70000);
  char topic[32];
  MQTTAsync_responseOptions o = MQTTAsync_responseOptions_initializer;
  (void)snprintf(topic, sizeof topic, "%s/echo", c->id);
  o.context = c;
  o.onSuccess = published;
  o.onFailure = publish_failed;
  for (int i = 0; i < c->expected; i++) {
    size_t size = sizes[i % 97 == 0 ? 9 : i % 9];
    if (!wait_for(&c->room)) break;
    fill(payload, size, (uint32_t)i);
    if (MQTTAsync_send(c->paho, topic, (int)size, payload, i % 3, 0, &o) != MQTTASYNC_SUCCESS) break;
  }
  free(payload);
  return wait_for(&c->event) && atomic_load(&c->wrong) == 0 && atomic_load(&c->failures) == 0;
}

static char dir[] = "/tmp/paho_lean_XXXXXX";

/* 0 when it does not come up: since its ports were looked for, another process may have taken one. */
static pid_t start_mosquitto(int plain, int tls) {
  char path[64], line[256] = "it said nothing\n";
  int out[2];
  (void)snprintf(path, sizeof path, "%s/conf", dir);
  FILE *f = fopen(path, "w");
  if (geteuid() == 0) (void)fprintf(f, "user root\n"); /* else it may have no user to become, and no key to read */
  (void)fprintf(f,
                "allow_anonymous true\nconnection_messages false\nmax_queued_messages 0\n"
                "max_inflight_messages 0\n"
                "log_dest stderr\nlog_type notice\nlog_type information\nlog_type error\n"
                "listener %d 127.0.0.1\nlistener %d 127.0.0.1\ncertfile %s/cert\nkeyfile %s/key\n",
                plain, tls, dir, dir);
  (void)fclose(f);
  if (pipe(out) != 0) exit(1);
  pid_t pid = fork();
  if (pid == 0) {
    (void)dup2(out[1], 2);
    execl("/usr/sbin/mosquitto", "mosquitto", "-c", path, (char *)NULL);
    _exit(127);
  }
  (void)close(out[1]);
  FILE *log = fdopen(out[0], "r");
  while (fgets(line, sizeof line, log) != NULL) {
    if (strstr(line, " running") != NULL) return pid; /* `log` stays open: what it says later is not a broken pipe */
  }
  printf("# mosquitto did not start: %s", line);
  (void)fclose(log);
  (void)waitpid(pid, NULL, 0);
  return 0;
}

static pid_t start_on_free_ports(int *plain, int *tls) {
  pid_t broker = 0;
  for (int tries = 0; tries < 10 && broker == 0; tries++) {
    int a = listen_somewhere(plain), b = listen_somewhere(tls);
    (void)close(a);
    (void)close(b);
    broker = start_mosquitto(*plain, *tls);
  }
  return broker;
}

static void make_certificate(void) {
  char command[400];
  (void)snprintf(command, sizeof command,
                 "openssl req -x509 -newkey rsa:2048 -nodes -keyout %s/key -out %s/cert -days 2 -subj /CN=localhost "
                 "-addext subjectAltName=DNS:localhost 2>/dev/null && chmod 644 %s/key && chmod 755 %s",
                 dir, dir, dir, dir);
  if (system(command) != 0) exit(1);
}

static struct {
  int port;
  const char *ca;
} target;

static void *echo_run(void *arg) {
  int number = (int)(intptr_t)arg;
  struct client c;
  bool ok = true;
  for (int round = 0; round < 3 && ok; round++) {
    client_init(&c, number, 1500);
    ok = client_connect(&c, target.port, target.ca) && client_subscribe(&c) && client_echo(&c);
    if (!ok) printf("# client %d: %d of %d, %d wrong\n", number, c.got, c.expected, c.wrong);
    ok = client_disconnect(&c) && ok;
  }
  return (void *)(intptr_t)ok;
}

static void test_echo(int port, const char *ca, const char *what) {
  enum { CLIENTS = 4 };
  pthread_t t[CLIENTS];
  void *ok;
  int right = 0;
  target.port = port;
  target.ca = ca;
  for (int i = 0; i < CLIENTS; i++) (void)pthread_create(&t[i], NULL, echo_run, (void *)(intptr_t)(i + 1));
  for (int i = 0; i < CLIENTS; i++) {
    (void)pthread_join(t[i], &ok);
    right += ok != NULL;
  }
  check(right == CLIENTS, what);
}

static void test_kill(int port, const char *ca, pid_t broker) {
  struct client c;
  client_init(&c, 9, 1);
  check(client_connect(&c, port, ca), "one more connects");
  (void)kill(broker, SIGKILL);
  (void)waitpid(broker, NULL, 0);
  check(wait_for(&c.lost), "and is told when the broker is killed");
  MQTTAsync_destroy(&c.paho);
}

int main(void) {
  (void)setvbuf(stdout, NULL, _IOLBF, 0);
  int plain, tls;
  char ca[64];
  (void)signal(SIGPIPE, SIG_IGN);
  if (mkdtemp(dir) == NULL) return 1;
  (void)snprintf(ca, sizeof ca, "%s/cert", dir);
  make_certificate();
  pid_t broker = start_on_free_ports(&plain, &tls);
  if (broker == 0) return 1;
  test_echo(plain, NULL, "four clients at once, three connections each, every size and QoS, through mosquitto");
  test_echo(tls, ca, "the same over TLS");
  test_kill(tls, ca, broker);
  (void)snprintf(ca, sizeof ca, "rm -rf %s", dir);
  (void)!system(ca);
  return finish();
}

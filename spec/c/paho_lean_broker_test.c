/* SPDX-License-Identifier: MIT
 *
 * Paho with its wraps, as the dispatcher uses it: against a broker of a few lines that cuts its stream into the
 * worst pieces, and against mosquitto, plain and TLS, several clients at once. Every message carries its number and
 * a pattern, so that a byte that is lost, doubled or out of place is seen.
 */
#include <MQTTAsync.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int passed, failed;

static void check(bool ok, const char *what) {
  passed += ok;
  failed += !ok;
  printf("%s - %s\n", ok ? "ok" : "not ok", what);
}

static bool wait_for(sem_t *s) {
  struct timespec until;
  (void)clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 60;
  return sem_timedwait(s, &until) == 0;
}

/* --- one client --- */

struct client {
  MQTTAsync paho;
  char id[16];
  sem_t event, room, lost;
  int expected, last; /* messages that must come, and the number at which each QoS is */
  atomic_int got, wrong, failures;
  uint32_t next[3];
};

static unsigned char pattern(uint32_t number, size_t i) { return (unsigned char)(number * 7 + i * 31 + i / 251); }

static void fill(unsigned char *p, size_t size, uint32_t number) {
  memcpy(p, &number, 4);
  for (size_t i = 4; i < size; i++) p[i] = pattern(number, i);
}

static bool intact(const unsigned char *p, size_t size, uint32_t number) {
  for (size_t i = 4; i < size; i++) {
    if (p[i] != pattern(number, i)) return false;
  }
  return true;
}

/* Numbers grow within each QoS: MQTT promises no order between them. */
static int arrived(void *context, char *topic, int length, MQTTAsync_message *m) {
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

static void lost(void *context, char *cause) {
  (void)cause;
  (void)sem_post(&((struct client *)context)->lost);
}

static void succeeded(void *context, MQTTAsync_successData *data) {
  (void)data;
  (void)sem_post(&((struct client *)context)->event);
}

static void refused(void *context, MQTTAsync_failureData *data) {
  struct client *c = context;
  (void)data;
  atomic_fetch_add(&c->failures, 1);
  (void)sem_post(&c->event);
}

static void published(void *context, MQTTAsync_successData *data) {
  (void)data;
  (void)sem_post(&((struct client *)context)->room);
}

static void publish_failed(void *context, MQTTAsync_failureData *data) {
  struct client *c = context;
  (void)data;
  atomic_fetch_add(&c->failures, 1);
  (void)sem_post(&c->room);
}

/* A connected client, or false. ca: NULL for a plain connection. */
static bool client_connect(struct client *c, int port, const char *ca) {
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

static void client_init(struct client *c, int number, int expected) {
  memset(c, 0, sizeof *c);
  (void)snprintf(c->id, sizeof c->id, "client%d", number);
  (void)sem_init(&c->event, 0, 0);
  (void)sem_init(&c->lost, 0, 0);
  (void)sem_init(&c->room, 0, 50);
  c->expected = expected;
}

static bool client_subscribe(struct client *c) {
  char filter[32];
  MQTTAsync_responseOptions o = MQTTAsync_responseOptions_initializer;
  (void)snprintf(filter, sizeof filter, "%s/#", c->id);
  o.context = c;
  o.onSuccess = succeeded;
  o.onFailure = refused;
  return MQTTAsync_subscribe(c->paho, filter, 2, &o) == 0 && wait_for(&c->event) && atomic_load(&c->failures) == 0;
}

static bool client_disconnect(struct client *c) {
  MQTTAsync_disconnectOptions o = MQTTAsync_disconnectOptions_initializer;
  o.context = c;
  o.onSuccess = succeeded;
  o.onFailure = refused;
  bool ok = MQTTAsync_disconnect(c->paho, &o) == MQTTASYNC_SUCCESS && wait_for(&c->event);
  MQTTAsync_destroy(&c->paho);
  return ok && atomic_load(&c->failures) == 0;
}

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

/* --- the broker that cuts --- */

enum { DRIPPED = 60, BLASTED = 20000, ROUNDS = 42 };

static size_t encode(unsigned char *p, int qos, uint32_t number, size_t size) {
  size_t rest = (qos > 0 ? 5U : 3U) + size, i = 0;
  p[i++] = (unsigned char)(0x30 | qos << 1);
  for (; rest > 127; rest >>= 7) p[i++] = (unsigned char)((rest & 127) | 128);
  p[i++] = (unsigned char)rest;
  memcpy(p + i, "\0\1t", 3);
  i += 3;
  if (qos > 0) {
    p[i++] = (unsigned char)((number + 1) >> 8);
    p[i++] = (unsigned char)(number + 1);
  }
  fill(p + i, size, number);
  return i + size;
}

static bool drip(int fd, const unsigned char *p, size_t len) {
  for (size_t i = 0; i < len; i++) {
    if (write(fd, p + i, 1) != 1) return false;
  }
  return true;
}

static bool read_exactly(int fd, unsigned char *p, size_t len) {
  for (ssize_t n; len > 0; p += n, len -= (size_t)n) {
    if ((n = read(fd, p, len)) <= 0) return false;
  }
  return true;
}

/* PUBACKs for 1 … count in this order, cut anywhere. */
static bool read_acks(int fd, uint32_t count) {
  unsigned char ack[4];
  for (uint32_t i = 1; i <= count; i++) {
    if (!read_exactly(fd, ack, 4) || ack[0] != 0x40 || ack[2] != (i >> 8 & 255) || ack[3] != (i & 255)) return false;
  }
  return true;
}

static atomic_bool acks_right;

static void cut_serve(int fd) {
  unsigned char *buf = malloc(2000000), head[2];
  size_t len = 0;
  uint32_t number = 0;
  if (!read_exactly(fd, head, 2) || !read_exactly(fd, buf, head[1])) return;
  (void)drip(fd, (const unsigned char *)"\x20\x02\0\0", 4);
  for (; number < DRIPPED; number++) (void)drip(fd, buf, encode(buf, 0, number, 4 + number * 3));
  len = encode(buf, 0, number++, 1000000); /* larger than any buffer, and the beginning of the next one behind it */
  len += encode(buf + len, 0, number++, 64);
  (void)!write(fd, buf, len - 30);
  (void)drip(fd, buf + len - 30, 30);
  len = 0;
  for (uint32_t i = 0; i < BLASTED; i++) len += encode(buf + len, 1, i, 10);
  (void)!write(fd, buf, len);
  atomic_store(&acks_right, read_acks(fd, BLASTED));
  (void)!write(fd, buf, 9); /* a packet that never ends */
  free(buf);
}

static void *cut_run(void *arg) {
  int one = 1, fd = accept((int)(intptr_t)arg, NULL, NULL);
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  cut_serve(fd);
  (void)shutdown(fd, SHUT_RDWR);
  (void)close(fd);
  return NULL;
}

static int listen_somewhere(int *port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 4) != 0) exit(1);
  (void)getsockname(fd, (struct sockaddr *)&a, &len);
  *port = ntohs(a.sin_port);
  return fd;
}

static void test_cut(void) {
  struct client c;
  int port, fd = listen_somewhere(&port);
  pthread_t t;
  client_init(&c, 0, DRIPPED + 2 + BLASTED);
  (void)pthread_create(&t, NULL, cut_run, (void *)(intptr_t)fd);
  check(client_connect(&c, port, NULL), "connects to a broker that answers a byte at a time");
  check(wait_for(&c.event), "packets in single bytes, of a megabyte, and twenty thousand in one write all arrive");
  check(wait_for(&c.lost), "the end in the middle of a packet is seen");
  check(atomic_load(&c.got) == c.expected && atomic_load(&c.wrong) == 0, "each once, intact, and not the broken one");
  (void)pthread_join(t, NULL);
  check(atomic_load(&acks_right), "acknowledgements arrive complete and in order");
  MQTTAsync_destroy(&c.paho);
  (void)close(fd);
}

/* --- mosquitto --- */

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

/* A broker that says yes to CONNECT, reads a little, and is gone in the middle of whatever the client does. */
static void *rude_run(void *arg) {
  struct linger hard = {1, 0};
  unsigned char buf[4096];
  for (int round = 0; round < ROUNDS; round++) {
    int fd = accept((int)(intptr_t)arg, NULL, NULL);
    (void)!read(fd, buf, sizeof buf);
    (void)!write(fd, "\x20\x02\0\0", 4);
    for (int i = 0; i < round % 7; i++) (void)!recv(fd, buf, sizeof buf, i == 0 ? 0 : MSG_DONTWAIT);
    if (round % 2 == 0) (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    (void)close(fd);
  }
  return NULL;
}

/* Publishes until the connection is lost, with large messages in some rounds, so that writes are cut short too. */
static bool publish_until_lost(struct client *c, int round) {
  static unsigned char payload[300000];
  MQTTAsync_responseOptions o = MQTTAsync_responseOptions_initializer;
  int size = round % 3 == 0 ? (int)sizeof payload : 50;
  o.context = c;
  o.onSuccess = published;
  o.onFailure = publish_failed;
  for (int i = 0; i < 100; i++) {
    if (MQTTAsync_send(c->paho, "t", size, payload, (i + round) % 3, 0, &o) != MQTTASYNC_SUCCESS) break;
  }
  return wait_for(&c->lost);
}

static void test_rude(void) {
  int port, told = 0, fd = listen_somewhere(&port);
  pthread_t t;
  (void)pthread_create(&t, NULL, rude_run, (void *)(intptr_t)fd);
  for (int round = 0; round < ROUNDS; round++) {
    struct client c;
    client_init(&c, round, 0);
    if (client_connect(&c, port, NULL)) told += publish_until_lost(&c, round);
    MQTTAsync_destroy(&c.paho);
  }
  (void)pthread_join(t, NULL);
  check(told == ROUNDS, "a connection lost in the middle of publishing is reported, every time, and harms nothing");
  (void)close(fd);
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
  test_cut();
  test_rude();
  test_echo(plain, NULL, "four clients at once, three connections each, every size and QoS, through mosquitto");
  test_echo(tls, ca, "the same over TLS");
  test_kill(tls, ca, broker);
  (void)snprintf(ca, sizeof ca, "rm -rf %s", dir);
  (void)!system(ca);
  printf("%d passed, %d failed\n", passed, failed);
  return failed != 0;
}

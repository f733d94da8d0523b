/* SPDX-License-Identifier: MIT
 *
 * The other side of every MQTT measurement: a broker only as far as a client needs one to be measured, and faster
 * than any.
 *
 *   peer recv|pub QOS SIZE COUNT [CERT KEY]    prints its port, serves clients until it is killed
 *   peer pace QOS SIZE COUNT RATE [CERT KEY]
 *
 * recv: answers CONNECT and SUBSCRIBE, and on the first SUBSCRIBE sends COUNT packets encoded beforehand, as fast as
 * the client takes them; with QoS 1 at most WINDOW are unacknowledged. pub: acknowledges what comes, in batches of
 * what one read brought, and after COUNT messages sends one with the topic "done". pace: as recv, but RATE a second, and
 * the payload begins with the moment at which it is sent (CLOCK_MONOTONIC, seconds). Up to PACE_EACH a second each has
 * a write of its own at its time; above, those of a millisecond share one.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WINDOW 1000
#define PACE_EACH 50000
#define CHUNK (256 * 1024)
#define MOMENT 20 /* a stamp: seconds and nanoseconds */

static struct {
  int publish, qos;
  size_t size;
  long rate; /* 0: as fast as they are taken */
  long count;
  SSL_CTX *tls;
} opt;

struct conn {
  int fd;
  SSL *ssl;
  unsigned char in[CHUNK * 2], out[CHUNK];
  size_t have, out_len;
  long received, acked;
};

static ssize_t get(struct conn *c) {
  size_t room = sizeof c->in - c->have;
  if (c->ssl != NULL) return SSL_read(c->ssl, c->in + c->have, (int)room);
  return read(c->fd, c->in + c->have, room);
}

static int put(struct conn *c, const unsigned char *data, size_t len) {
  while (len > 0) {
    ssize_t n = c->ssl != NULL ? SSL_write(c->ssl, data, (int)len) : write(c->fd, data, len);
    if (n <= 0) return -1;
    data += n;
    len -= (size_t)n;
  }
  return 0;
}

static void answer(struct conn *c, const void *data, size_t len) {
  if (c->out_len + len > sizeof c->out) {
    (void)put(c, c->out, c->out_len);
    c->out_len = 0;
  }
  memcpy(c->out + c->out_len, data, len);
  c->out_len += len;
}

/* The header length of the packet at p, and its remaining length; 0 while it is incomplete. */
static size_t header(const unsigned char *p, size_t have, size_t *rest) {
  size_t shift = 0;
  *rest = 0;
  for (size_t i = 1; i < 5 && i < have; i++, shift += 7) {
    *rest |= (size_t)(p[i] & 127) << shift;
    if (p[i] < 128) return i + 1;
  }
  return 0;
}

static size_t encode(unsigned char *p, long number) {
  char topic[] = "bench/topic";
  size_t rest = 2 + sizeof topic - 1 + (opt.qos > 0 ? 2 : 0) + opt.size, i = 0;
  p[i++] = (unsigned char)(0x30 | opt.qos << 1);
  for (size_t left = rest; ; left >>= 7) {
    p[i++] = (unsigned char)((left & 127) | (left > 127 ? 128 : 0));
    if (left <= 127) break;
  }
  p[i++] = 0;
  p[i++] = sizeof topic - 1;
  memcpy(p + i, topic, sizeof topic - 1);
  i += sizeof topic - 1;
  if (opt.qos > 0) {
    long id = number % 65535 + 1;
    p[i++] = (unsigned char)(id >> 8);
    p[i++] = (unsigned char)id;
  }
  memset(p + i, 'x', opt.size);
  return i + opt.size;
}

/* One packet from the client. 0 when it wants to go. */
static int packet(struct conn *c, const unsigned char *p, size_t head, size_t rest) {
  static const unsigned char connack[] = {0x20, 2, 0, 0}, pong[] = {0xd0, 0};
  static const unsigned char done[] = {0x30, 7, 0, 4, 'd', 'o', 'n', 'e', '!'};
  const unsigned char *body = p + head;
  (void)rest;
  switch (p[0] >> 4) {
    case 1: answer(c, connack, sizeof connack); break;
    case 3: {
      if ((p[0] >> 1 & 3) > 0) {
        size_t topic = (size_t)body[0] << 8 | body[1];
        unsigned char ack[] = {0x40, 2, body[2 + topic], body[3 + topic]};
        answer(c, ack, sizeof ack);
      }
      if (++c->received % opt.count == 0) answer(c, done, sizeof done);
      break;
    }
    case 4: c->acked++; break;
    case 8: {
      unsigned char suback[] = {0x90, 3, body[0], body[1], (unsigned char)opt.qos};
      answer(c, suback, sizeof suback);
      return 8;
    }
    case 12: answer(c, pong, sizeof pong); break;
    case 14: return 0;
    default: break;
  }
  return 1;
}

/* Reads once and handles every whole packet. 0 at the end, 8 when a SUBSCRIBE was among them. */
static int step(struct conn *c) {
  int result = 1;
  ssize_t n = get(c);
  if (n <= 0) return 0;
  c->have += (size_t)n;
  size_t at = 0, rest, head;
  while (at < c->have && (head = header(c->in + at, c->have - at, &rest)) > 0 && at + head + rest <= c->have) {
    int r = packet(c, c->in + at, head, rest);
    if (r == 0) return 0;
    if (r == 8) result = 8;
    at += head + rest;
  }
  memmove(c->in, c->in + at, c->have - at);
  c->have -= at;
  if (c->out_len > 0 && put(c, c->out, c->out_len) != 0) return 0;
  c->out_len = 0;
  return result;
}

/* All messages, in large writes; with QoS 1 reads acknowledgements whenever the window is full. */
static void blast(struct conn *c) {
  unsigned char *buf = malloc(CHUNK + opt.size + 64);
  long sent = 0;
  c->acked = 0;
  while (sent < opt.count) {
    long most = opt.qos > 0 ? c->acked + WINDOW : opt.count;
    if (most > opt.count) most = opt.count;
    size_t len = 0;
    while (sent < most && len < CHUNK) len += encode(buf + len, sent++);
    if (len > 0 && put(c, buf, len) != 0) break;
    if (opt.qos > 0 && sent < opt.count && step(c) == 0) break;
  }
  free(buf);
}

static int64_t now_ns(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void sleep_until(int64_t ns) {
  struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
  (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static size_t encode_stamped(unsigned char *to, long number) {
  char stamp[MOMENT + 1];
  int64_t now = now_ns();
  size_t len = encode(to, number);
  (void)snprintf(stamp, sizeof stamp, "%010u.%09u", (unsigned)(now / 1000000000), (unsigned)(now % 1000000000));
  memcpy(to + len - opt.size, stamp, MOMENT);
  return len;
}

/* Late ones follow at once. */
static void pace(struct conn *c) {
  long together = opt.rate > PACE_EACH ? opt.rate / 1000 : 1;
  unsigned char *buf = malloc((size_t)together * (opt.size + 64));
  int64_t from = now_ns();
  (void)prctl(PR_SET_TIMERSLACK, 1000ul);
  for (long i = 0; i < opt.count;) {
    size_t len = 0;
    sleep_until(from + i * 1000000000 / opt.rate);
    for (long last = i + together; i < last && i < opt.count; i++) len += encode_stamped(buf + len, i);
    if (put(c, buf, len) != 0) break;
  }
  free(buf);
}

static void serve(int fd) {
  struct conn *c = calloc(1, sizeof *c);
  int one = 1;
  c->fd = fd;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (opt.tls != NULL) {
    c->ssl = SSL_new(opt.tls);
    SSL_set_fd(c->ssl, fd);
    if (SSL_accept(c->ssl) != 1) goto end;
  }
  for (int r; (r = step(c)) != 0;) {
    if (r == 8 && opt.rate > 0) pace(c);
    if (r == 8 && opt.rate == 0 && !opt.publish) blast(c);
  }
end:
  if (c->ssl != NULL) SSL_free(c->ssl);
  close(fd);
  free(c);
}

static void *serve_thread(void *arg) {
  serve((int)(intptr_t)arg);
  return NULL;
}

int main(int argc, char **argv) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  if (argc < 5) return 2;
  opt.publish = strcmp(argv[1], "pub") == 0;
  opt.qos = atoi(argv[2]);
  opt.size = (size_t)atol(argv[3]);
  opt.count = atol(argv[4]);
  if (strcmp(argv[1], "pace") == 0) {
    if (argc < 6) return 2;
    opt.rate = atol(argv[5]);
    if (opt.size < MOMENT) opt.size = MOMENT;
    argv++;
    argc--;
  }
  (void)signal(SIGPIPE, SIG_IGN);
  if (argc > 6) {
    opt.tls = SSL_CTX_new(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(opt.tls, argv[5]) != 1) return 1;
    if (SSL_CTX_use_PrivateKey_file(opt.tls, argv[6], SSL_FILETYPE_PEM) != 1) return 1;
  }
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 16) != 0) return 1;
  (void)getsockname(fd, (struct sockaddr *)&a, &len);
  printf("%d\n", ntohs(a.sin_port));
  (void)fflush(stdout);
  for (;;) {
    pthread_t t;
    int c = accept(fd, NULL, NULL);
    if (c >= 0 && pthread_create(&t, NULL, serve_thread, (void *)(intptr_t)c) == 0) (void)pthread_detach(t);
  }
}

/* SPDX-License-Identifier: MIT
 *
 * The other half of paho_lean_test.c: what is put off and goes out before a wait, full sockets, and the send thread's
 * own wait.
 */
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "paho_asks.h"
#include "tap.h"

static void test_put_off(void) {
  int paho, peer;
  char buf[64];
  pair(&paho, &peer);
  check(send_small(paho, "one ") == 4 && send_small(paho, "two ") == 4, "small writes are taken whole");
  check(recv(peer, buf, sizeof buf, MSG_DONTWAIT) == -1 && errno == EAGAIN, "and put off on one of Paho's threads");
  check(wait_readable(paho, 0) == 0, "poll finds nothing to read");
  check(recv(peer, buf, sizeof buf, 0) == 8 && memcmp(buf, "one two ", 8) == 0, "but has flushed, in one write");
  (void)send_small(paho, "last words");
  (void)shutdown(paho, SHUT_WR);
  check(recv(peer, buf, sizeof buf, 0) == 10, "shutdown sends what is held");
  check(recv(peer, buf, sizeof buf, 0) == 0, "before the end");
  (void)close(paho);
  (void)close(peer);
}

/* Fills a socket whose peer does not read, with packets of `size`; the bytes that were taken. */
static size_t fill(int fd, size_t size) {
  unsigned char *packet = malloc(size);
  size_t at = 0;
  for (;;) {
    for (size_t i = 0; i < size; i++) packet[i] = pattern(at + i);
    struct iovec v = {packet, size};
    ssize_t n = writev(fd, &v, 1);
    if (n > 0) at += (size_t)n;
    if (n < (ssize_t)size) break;
  }
  free(packet);
  return at;
}

struct sink {
  int fd;
  size_t got;
  bool right;
};

static void *sink_run(void *arg) {
  struct sink *s = arg;
  unsigned char buf[10000];
  s->right = true;
  for (ssize_t n; (n = recv(s->fd, buf, sizeof buf, 0)) > 0; s->got += (size_t)n) {
    for (ssize_t i = 0; i < n; i++) s->right = s->right && buf[i] == pattern(s->got + (size_t)i);
  }
  return NULL;
}

static void test_full(size_t size, const char *what) {
  int paho, peer;
  char line[128], c;
  pthread_t t;
  pair(&paho, &peer);
  (void)!write(peer, "x", 1); /* data has come: from here on the question "who can be written" is answered here */
  (void)wait_readable(paho, 5000);
  (void)recv(paho, &c, 1, 0);
  size_t sent = fill(paho, size);
  check(ask_writable(paho) == 0, "a full socket is not writable");
  (void)!write(peer, "y", 1);
  struct sink s = {peer, 0, false};
  (void)pthread_create(&t, NULL, sink_run, &s);
  int rounds = 0;
  while (ask_writable(paho) == 0 && rounds++ < 1000) (void)poll(&(struct pollfd){paho, POLLIN, 0}, 1, 5000);
  check(ask_writable(paho) == POLLOUT, "the wait for reading ends when a full socket drains");
  check((wait_readable(paho, 5000) & POLLIN) != 0, "and then it is read from again");
  (void)shutdown(paho, SHUT_WR);
  (void)pthread_join(t, NULL);
  (void)snprintf(line, sizeof line, "%s: every byte that was taken arrives, in order", what);
  check(s.got == sent && s.right, line);
  (void)close(paho);
  (void)close(peer);
}

static void *receive_thread(void *arg) {
  (void)arg;
  (void)pthread_setname_np(pthread_self(), "MQTTAsync_rcv");
  test_put_off();
  test_full(100, "small packets");
  test_full(50000, "large packets");
  return NULL;
}

/* --- the send thread's half --- */

static struct {
  pthread_mutex_t lock;
  pthread_cond_t cond;
} c = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER};

static int wait_cond(int seconds) {
  struct timespec until;
  (void)clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += seconds;
  (void)pthread_mutex_lock(&c.lock);
  int rc = pthread_cond_timedwait(&c.cond, &c.lock, &until);
  (void)pthread_mutex_unlock(&c.lock);
  return rc;
}

static void *send_thread(void *arg) {
  int paho, peer;
  char buf[64];
  (void)arg;
  (void)pthread_setname_np(pthread_self(), "MQTTAsync_send");
  pair(&paho, &peer);
  check(send_small(paho, "hello") == 5, "the send thread writes");
  check(wait_cond(0) == ETIMEDOUT, "its wait ends with the time-out");
  check(recv(peer, buf, sizeof buf, 0) == 5, "and has flushed before");
  (void)pthread_mutex_lock(&c.lock);
  (void)pthread_cond_signal(&c.cond);
  (void)pthread_mutex_unlock(&c.lock);
  check(wait_cond(600) == 0, "a signal given before the wait is not lost");
  check(wait_cond(0) == ETIMEDOUT, "and counts once");
  (void)close(paho);
  (void)close(peer);
  return NULL;
}

int main(void) {
  pthread_t t;
  int paho, peer;
  char buf[8];
  (void)pthread_create(&t, NULL, receive_thread, NULL);
  (void)pthread_join(t, NULL);
  (void)pthread_create(&t, NULL, send_thread, NULL);
  (void)pthread_join(t, NULL);
  pair(&paho, &peer);
  (void)send_small(paho, "now");
  check(recv(peer, buf, sizeof buf, 0) == 3, "a write on any other thread goes out at once");
  (void)close(paho);
  (void)close(peer);
  return finish();
}

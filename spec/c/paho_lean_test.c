/* SPDX-License-Identifier: MIT
 *
 * The wraps of paho/paho_lean.c one by one, without Paho: this program is linked with the same --wrap options, makes
 * sockets the way Paho does, takes the names of Paho's threads, and checks that what it sees is what the kernel
 * would have shown. Here reading, polling and the heap; paho_lean_write_test.c has the writes.
 */
#include <errno.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/resource.h>

#include "paho_asks.h"
#include "tap.h"

/* What the tests call directly; declared here because they are reached from nowhere but the archive otherwise. */
void *mymalloc(char *file, int line, size_t size);
void *myrealloc(char *file, int line, void *p, size_t size);
void myfree(char *file, int line, void *p);

/* Sends len bytes of the pattern in pieces whose sizes differ. */
struct feed {
  int fd;
  size_t len;
};

static void *feed_run(void *arg) {
  struct feed *f = arg;
  unsigned char buf[5000];
  for (size_t at = 0, n = 1; at < f->len; at += n, n = n * 7 % 4999 + 1) {
    if (n > f->len - at) n = f->len - at;
    for (size_t i = 0; i < n; i++) buf[i] = pattern(at + i);
    if (write(f->fd, buf, n) != (ssize_t)n) return NULL;
  }
  (void)shutdown(f->fd, SHUT_WR);
  return NULL;
}

/* Reads as Paho does (a byte, a byte, the rest) until the end; the count, or -1 where a byte is wrong. */
static long read_pattern(int fd) {
  static unsigned char buf[100000];
  static const size_t sizes[] = {1, 1, 300, 1, 1, 2, 70000, 1, 9000};
  size_t at = 0;
  for (size_t k = 0;; k++) {
    ssize_t n = recv(fd, buf, sizes[k % 9], 0);
    if (n == 0) return (long)at;
    if (n < 0 && errno == EAGAIN) {
      if (wait_readable(fd, 5000) == 0) return -2;
      continue;
    }
    if (n < 0) return -3;
    for (ssize_t i = 0; i < n; i++, at++) {
      if (buf[i] != pattern(at)) return -1;
    }
  }
}

static void test_foreign(void) {
  int fds[2], paho, peer;
  char c = 0;
  if (pipe(fds) != 0) exit(1);
  check(wait_readable(fds[0], 0) == 0, "a pipe with nothing in it is not readable");
  check(write(fds[1], "x", 1) == 1 && (wait_readable(fds[0], 1000) & POLLIN) != 0, "poll works on a pipe");
  check(read(fds[0], &c, 1) == 1 && c == 'x', "and so does read");
  (void)close(fds[0]);
  (void)close(fds[1]);
  pair(&paho, &peer);
  check((fcntl(paho, F_GETFD) & FD_CLOEXEC) != 0, "Paho's socket is close-on-exec");
  int on = 0;
  socklen_t len = sizeof on;
  (void)getsockopt(paho, IPPROTO_TCP, TCP_NODELAY, &on, &len);
  check(on != 0, "Paho's socket has TCP_NODELAY");
  check(writev(peer, &(struct iovec){"ab", 2}, 1) == 2, "writev on an ordinary socket is not put off");
  check((wait_readable(paho, 1000) & POLLIN) != 0, "and arrives");
  (void)close(paho);
  (void)close(peer);
}

static void test_stream(void) {
  int paho, peer;
  pthread_t t;
  pair(&paho, &peer);
  struct feed f = {peer, 3000000};
  (void)pthread_create(&t, NULL, feed_run, &f);
  check(read_pattern(paho) == 3000000, "three million bytes in pieces of every size are the bytes that were sent");
  char c;
  check(recv(paho, &c, 1, 0) == 0 && recv(paho, &c, 1, 0) == 0, "the end is repeated");
  (void)pthread_join(t, NULL);
  (void)close(paho);
  (void)close(peer);
}

static void test_held(void) {
  int paho, peer, other, other_peer;
  char buf[64];
  pair(&other, &other_peer); /* first, so that its number is the lowest when it is free again */
  pair(&paho, &peer);
  check(recv(paho, buf, 1, 0) == -1 && errno == EAGAIN, "nothing there: EAGAIN");
  check(wait_readable(paho, 0) == 0, "nothing there: poll says so");
  (void)!write(peer, "0123456789", 10);
  check((wait_readable(paho, 5000) & POLLIN) != 0, "poll waits for data");
  check(recv(paho, buf, 1, 0) == 1 && buf[0] == '0', "the first byte");
  check(wait_readable(paho, -1) == POLLIN, "poll does not wait for the kernel while bytes are held");
  (void)close(peer);
  check(recv(paho, buf, 64, 0) == 9 && memcmp(buf, "123456789", 9) == 0, "held bytes come before the end");
  check((wait_readable(paho, 5000) & POLLIN) != 0 && recv(paho, buf, 64, 0) == 0, "then the end");
  (void)!write(other_peer, "abc", 3);
  check((wait_readable(other, 5000) & POLLIN) != 0 && recv(other, buf, 1, 0) == 1, "another socket holds two bytes");
  (void)close(other);
  int again = socket(AF_INET, SOCK_STREAM, 0);
  check(again == other, "the number of a socket closed with bytes held is used again");
  int again_peer = join_peer(again);
  check(recv(again, buf, 1, 0) == -1 && errno == EAGAIN, "and the new socket has none of them");
  (void)close(paho);
  (void)close(again);
  (void)close(again_peer);
  (void)close(other_peer);
}

static void test_fairness(void) {
  int a, a_peer, b, b_peer;
  char c;
  pair(&a, &a_peer);
  pair(&b, &b_peer);
  (void)!write(a_peer, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 64);
  (void)wait_readable(a, 5000);
  (void)recv(a, &c, 1, 0);
  (void)!write(b_peer, "b", 1);
  int seen = 0;
  for (int i = 1; i <= 40 && seen == 0; i++) {
    struct pollfd p[2] = {{a, POLLIN, 0}, {b, POLLIN, 0}};
    if (poll(p, 2, -1) > 0 && (p[1].revents & POLLIN) != 0) seen = i;
    if ((p[0].revents & POLLIN) == 0) seen = 99;
  }
  check(seen > 0 && seen <= 16, "a socket with held bytes does not starve another for more than 16 polls");
  for (int fd = 0; fd < 2; fd++) (void)close(fd == 0 ? a : b);
  (void)close(a_peer);
  (void)close(b_peer);
}

static void test_reset(void) {
  int paho, peer;
  char c;
  struct linger hard = {1, 0};
  pair(&paho, &peer);
  (void)setsockopt(peer, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  (void)close(peer);
  check((wait_readable(paho, 5000) & (POLLIN | POLLERR | POLLHUP)) != 0, "a reset wakes poll");
  check(recv(paho, &c, 1, 0) == -1 && errno == ECONNRESET, "and recv reports it");
  (void)send_small(paho, "into nothing"); /* SIGPIPE has its default here: it would end this program */
  (void)wait_readable(paho, 0);
  check((wait_readable(paho, 0) & POLLIN) != 0 && recv(paho, &c, 1, 0) == -1 && errno == EPIPE, "the reader is told");
  check(send_small(paho, "again") == 5, "writes after it are taken and dropped: the reader knows already");
  (void)close(paho);
}

static void test_high_fd(void) {
  struct rlimit r = {4096, 4096};
  int held[2000], n = 0, paho, peer;
  (void)setrlimit(RLIMIT_NOFILE, &r);
  while (n < 2000 && (n == 0 || held[n - 1] < 1500)) held[n++] = open("/dev/null", O_RDONLY | O_CLOEXEC);
  pair(&paho, &peer);
  check(paho >= 1024, "a descriptor above 1024");
  pthread_t t;
  struct feed f = {peer, 200000};
  (void)pthread_create(&t, NULL, feed_run, &f);
  check(read_pattern(paho) == 200000, "is read like any other");
  (void)pthread_join(t, NULL);
  (void)close(paho);
  (void)close(peer);
  while (n > 0) (void)close(held[--n]);
}

static void test_many(void) {
  enum { MANY = 100 };
  int paho[MANY], peer[MANY], right = 0;
  struct pollfd p[MANY];
  for (int i = 0; i < MANY; i++) {
    pair(&paho[i], &peer[i]);
    p[i] = (struct pollfd){paho[i], POLLIN, 0};
  }
  check(poll(p, MANY, 10) == 0, "a hundred quiet sockets: the time-out");
  for (int i = 0; i < MANY; i += 3) (void)!write(peer[i], "abc", 3);
  while (poll(p, MANY, 5000) < (MANY + 2) / 3) continue;
  for (int i = 0; i < MANY; i++) right += ((p[i].revents & POLLIN) != 0) == (i % 3 == 0);
  check(right == MANY, "those that have data, and only those, are readable");
  for (int i = 0; i < MANY; i++) {
    (void)close(paho[i]);
    (void)close(peer[i]);
  }
}

static void test_heap(void) {
  char file[] = "test";
  char *p = mymalloc(file, 1, 8);
  memcpy(p, "abcdefg", 8);
  p = myrealloc(file, 2, p, 100000);
  check(p != NULL && strcmp(p, "abcdefg") == 0, "realloc keeps the contents");
  check(malloc_usable_size(p) >= 100000, "blocks are plain malloc's, with no header before them");
  myfree(file, 3, NULL);
  myfree(file, 4, p);
}

static void *receive_thread(void *arg) {
  (void)arg;
  (void)pthread_setname_np(pthread_self(), "MQTTAsync_rcv");
  test_foreign();
  test_heap();
  test_stream();
  test_held();
  test_fairness();
  test_reset();
  test_many();
  test_high_fd();
  return NULL;
}

int main(void) {
  pthread_t t;
  (void)pthread_create(&t, NULL, receive_thread, NULL);
  (void)pthread_join(t, NULL);
  return finish();
}

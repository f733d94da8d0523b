/* SPDX-License-Identifier: MIT
 *
 * What it costs on this machine to wake another thread, by the two ways that the library uses: an eventfd and poll
 * (events for Lua), a condition variable (messages for another thread). wakeup eventfd|cond COUNT; prints, a line each,
 * the microseconds from the moment before the signal to the moment after the wait, one every millisecond.
 */
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static bool by_eventfd;
static int fd;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static double sent; /* 0: nothing is under way */
static long count;

static double now_us(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static void wait_by_eventfd(void) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  uint64_t value;
  (void)poll(&p, 1, -1);
  if (read(fd, &value, sizeof value) != sizeof value) exit(1);
}

static void *sleeper(void *arg) {
  (void)arg;
  for (long i = 0; i < count; i++) {
    if (by_eventfd) wait_by_eventfd();
    (void)pthread_mutex_lock(&lock);
    while (sent == 0) (void)pthread_cond_wait(&cond, &lock);
    double took = now_us() - sent;
    sent = 0;
    (void)pthread_mutex_unlock(&lock);
    printf("%.2f\n", took);
  }
  return NULL;
}

/* False: the one before is still under way. */
static bool wake(void) {
  static const uint64_t one = 1;
  (void)pthread_mutex_lock(&lock);
  bool idle = sent == 0;
  if (idle) sent = now_us();
  if (idle && !by_eventfd) (void)pthread_cond_signal(&cond);
  (void)pthread_mutex_unlock(&lock);
  if (idle && by_eventfd && write(fd, &one, sizeof one) != sizeof one) exit(1);
  return idle;
}

int main(int argc, char **argv) {
  pthread_t thread;
  if (argc < 3) return 2;
  by_eventfd = strcmp(argv[1], "eventfd") == 0;
  count = atol(argv[2]);
  fd = eventfd(0, EFD_NONBLOCK);
  if (fd < 0 || pthread_create(&thread, NULL, sleeper, NULL) != 0) return 1;
  for (long i = 0; i < count; i += wake()) (void)usleep(1000);
  return pthread_join(thread, NULL);
}

/* SPDX-License-Identifier: MIT
 *
 * What the bench's programs share: their arguments, their clock, and the one line that each prints.
 *
 *   PROGRAM recv|pub PORT QOS SIZE COUNT WINDOW [CA_FILE]
 *
 * recv: COUNT messages come in, and the clock runs from the first to the last. pub: COUNT messages of SIZE bytes go
 * out, at most WINDOW of them unacknowledged, and the clock runs from the first until the sink says "done". With
 * CA_FILE the connection is TLS. The line is JSON: operations, seconds, CPU seconds of the process between the same two moments, and the resident set at its
 * highest.
 */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

struct bench {
  bool publish;
  int port, qos, window;
  size_t size;
  long count;
  const char *ca; /* NULL: no TLS */
  double from, cpu_from;
};

static inline double bench_now(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline double bench_cpu(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline struct bench bench_arguments(int argc, char **argv) {
  struct bench b = {0};
  if (argc < 7) {
    fprintf(stderr, "usage: %s recv|pub PORT QOS SIZE COUNT WINDOW [CA_FILE]\n", argv[0]);
    exit(2);
  }
  b.publish = strcmp(argv[1], "pub") == 0;
  b.port = atoi(argv[2]);
  b.qos = atoi(argv[3]);
  b.size = (size_t)atol(argv[4]);
  b.count = atol(argv[5]);
  b.window = atoi(argv[6]);
  b.ca = argc > 7 ? argv[7] : NULL;
  return b;
}

static inline void bench_start(struct bench *b) {
  b->from = bench_now();
  b->cpu_from = bench_cpu();
}

static inline void bench_report(const struct bench *b) {
  struct rusage r;
  double seconds = bench_now() - b->from, cpu = bench_cpu() - b->cpu_from;
  (void)getrusage(RUSAGE_SELF, &r);
  printf("{\"count\":%ld,\"seconds\":%.6f,\"cpu\":%.6f,\"rss_kb\":%ld}\n", b->count, seconds, cpu, r.ru_maxrss);
  (void)fflush(stdout);
}

#endif

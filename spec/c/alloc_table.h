/* SPDX-License-Identifier: MIT
 *
 * The functions of failing_alloc.h, for the one file of a test that has main: fail_at chooses the allocation that
 * fails, live counts blocks. What others allocated may be freed through them, too.
 */
#ifndef FOG_ALLOC_TABLE_H
#define FOG_ALLOC_TABLE_H

#undef malloc
#undef calloc
#undef realloc
#undef strdup
#undef free

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tap.h"

enum { TABLE = 1 << 16 };

static struct {
  pthread_mutex_t lock;
  void *blocks[TABLE];
  long live, count, fail_at; /* fail_at 0: none fails */
  bool failed;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void **place_of(const void *p) { return &table.blocks[((uintptr_t)p >> 4) % TABLE]; }

/* The place of p, or a free one. Under the lock. */
static void **find(const void *p) {
  void **at = place_of(p);
  for (size_t i = 0; i < TABLE; i++, at = at + 1 == table.blocks + TABLE ? table.blocks : at + 1) {
    if (*at == p) return at;
    if (p == NULL) abort();
  }
  return NULL;
}

static void *note(void *p) {
  (void)pthread_mutex_lock(&table.lock);
  if (p != NULL) {
    void **at = place_of(p);
    while (*at != NULL) at = at + 1 == table.blocks + TABLE ? table.blocks : at + 1;
    *at = p;
    table.live++;
  }
  (void)pthread_mutex_unlock(&table.lock);
  return p;
}

static void forget(void *p) {
  (void)pthread_mutex_lock(&table.lock);
  void **at = p == NULL ? NULL : find(p);
  if (at != NULL) {
    *at = NULL;
    table.live--;
  }
  (void)pthread_mutex_unlock(&table.lock);
}

static bool fails_now(void) {
  (void)pthread_mutex_lock(&table.lock);
  bool fails = ++table.count == table.fail_at;
  table.failed = table.failed || fails;
  (void)pthread_mutex_unlock(&table.lock);
  if (fails) errno = ENOMEM;
  return fails;
}

static long live_blocks(void) {
  (void)pthread_mutex_lock(&table.lock);
  long n = table.live;
  (void)pthread_mutex_unlock(&table.lock);
  return n;
}

/* From now on the n-th allocation fails, once; 0: none. */
static void fail_at(long n) {
  (void)pthread_mutex_lock(&table.lock);
  table.fail_at = n;
  table.count = 0;
  table.failed = false;
  (void)pthread_mutex_unlock(&table.lock);
}

static bool has_failed(void) {
  (void)pthread_mutex_lock(&table.lock);
  bool failed = table.failed;
  (void)pthread_mutex_unlock(&table.lock);
  return failed;
}

/* The dispatcher's thread ends a moment after its last event. */
static inline bool all_freed(long baseline) {
  for (int i = 0; i < 1000 && live_blocks() > baseline; i++) {
    struct timespec pause = {.tv_nsec = 5000000};
    (void)nanosleep(&pause, NULL);
  }
  return live_blocks() <= baseline;
}

/* Says only what is not so. */
static void check_at(bool ok, const char *what, long n, const char *text) {
  if (ok) return;
  failed++;
  printf("not ok - %s, with allocation %ld failing%s%s\n", what, n, *text != '\0' ? ": " : "", text);
}

void *fog_test_malloc(size_t n) { return fails_now() ? NULL : note(malloc(n)); }
void *fog_test_calloc(size_t count, size_t n) { return fails_now() ? NULL : note(calloc(count, n)); }
char *fog_test_strdup(const char *s) { return fails_now() ? NULL : note(strdup(s)); }

void *fog_test_realloc(void *p, size_t n) {
  if (fails_now()) return NULL;
  forget(p);
  return note(realloc(p, n));
}

void fog_test_free(void *p) {
  forget(p);
  free(p);
}

#endif

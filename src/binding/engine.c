/* SPDX-License-Identifier: MIT */
#include "engine.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "../base/error.h"
#include "../base/mirror.h"
#include "../base/process.h"
#include "../mqtt/caller_loop.h"

struct fog_engine {
  struct fog_engine *next; /* of all engines of this process */
  pid_t pid;
  struct fog_queue *queue;
  size_t max_requests;
  bool background;              /* http is to have a thread */
  struct fog_http *http;        /* NULL: there was no request yet */
  struct fog_caller_loop *loop; /* of the sessions without a thread; NULL: there was none yet */
  struct fog_event *taken;      /* the batch in hand */
  struct fog_mirror mirror;
  uint64_t last_id;
  uint32_t last_session;
};

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct fog_engine *list;

static void list_add(struct fog_engine *e) {
  (void)pthread_mutex_lock(&list_lock);
  e->next = list;
  list = e;
  (void)pthread_mutex_unlock(&list_lock);
}

static void list_remove(const struct fog_engine *e) {
  (void)pthread_mutex_lock(&list_lock);
  struct fog_engine **at = &list;
  while (*at != NULL && *at != e) at = &(*at)->next;
  if (*at != NULL) *at = e->next;
  (void)pthread_mutex_unlock(&list_lock);
}

void fog_engine_wake(struct fog_engine *e) { fog_queue_poke(e->queue); }

void fog_engine_wake_all(void) {
  (void)pthread_mutex_lock(&list_lock);
  for (struct fog_engine *e = list; e != NULL; e = e->next) {
    if (!fog_engine_forked(e)) fog_queue_poke(e->queue);
  }
  (void)pthread_mutex_unlock(&list_lock);
}

struct fog_engine *fog_engine_new(size_t max_requests, int *error) {
  *error = FOG_EOPENSSL;
  if (fog_process_init() != 0) return NULL;
  struct fog_engine *e = calloc(1, sizeof *e);
  *error = FOG_ENOMEMORY;
  if (e == NULL) return NULL;
  e->pid = getpid();
  e->mirror.fd = -1;
  errno = 0;
  e->queue = fog_queue_new();
  e->max_requests = max_requests;
  if (e->queue == NULL) {
    *error = errno == 0 ? FOG_ENOMEMORY : errno;
    free(e);
    return NULL;
  }
  list_add(e);
  return e;
}

bool fog_engine_forked(const struct fog_engine *e) { return fog_process_forked(e->pid); }

void fog_engine_free(struct fog_engine *e) {
  if (fog_engine_forked(e)) return; /* the parent's: a thread that is not here may have held any of its locks */
  list_remove(e);
  fog_caller_loop_close(e->loop);
  if (e->http != NULL) fog_http_free(e->http);
  while (e->taken != NULL) {
    struct fog_event *ev = e->taken;
    e->taken = ev->next;
    ev->release(ev);
  }
  fog_mirror_close(&e->mirror);
  fog_queue_close(e->queue);
  fog_queue_unref(e->queue);
  free(e);
}

struct fog_event *fog_engine_next(struct fog_engine *e) {
  if (e->taken == NULL) e->taken = fog_queue_take(e->queue);
  struct fog_event *ev = e->taken;
  if (ev != NULL) e->taken = ev->next;
  return ev;
}

/* A turn of the loop, and a wait that ends when it should have the next. */
static void wait_for_both(struct fog_engine *e, int timeout_ms) {
  int fd;
  fog_caller_loop_wait(e->loop, 0);
  if (fog_queue_pending(e->queue)) timeout_ms = 0;
  timeout_ms = fog_caller_loop_doze(e->loop, timeout_ms, &fd);
  fog_http_wait(e->http, timeout_ms, fd);
}

void fog_engine_wait(struct fog_engine *e, int timeout_ms) {
  if (e->taken != NULL || fog_queue_pending(e->queue)) timeout_ms = 0;
  if (fog_caller_loop_busy(e->loop) && e->http != NULL && fog_http_is_driven(e->http))
    wait_for_both(e, timeout_ms);
  else if (fog_caller_loop_busy(e->loop))
    fog_caller_loop_wait(e->loop, timeout_ms);
  else if (e->http != NULL)
    fog_http_wait(e->http, timeout_ms, -1);
  else if (timeout_ms != 0) /* else there is nothing to ask the kernel: take looks */
    fog_wake_wait(fog_queue_wake(e->queue), timeout_ms);
}

void fog_engine_send(struct fog_engine *e) {
  if (fog_caller_loop_busy(e->loop)) fog_caller_loop_send(e->loop);
}

int fog_engine_fd(const struct fog_engine *e) { return fog_queue_wake(e->queue)->read_fd; }

const char *fog_engine_listen(struct fog_engine *e) {
  fog_mirror_close(&e->mirror);
  int err = fog_mirror_listen(&e->mirror);
  errno = err;
  return err == 0 ? e->mirror.path : NULL;
}

int fog_engine_mirror(struct fog_engine *e) {
  if (e->mirror.fd < 0) return FOG_ELISTEN;
  int fd = fog_mirror_accept(&e->mirror);
  if (fd < 0) return errno;
  fog_queue_mirror(e->queue, fd);
  return 0;
}

struct fog_http *fog_engine_http(struct fog_engine *e) {
  if (e->http != NULL) return e->http;
  struct fog_http *http = fog_http_new(e->queue, e->max_requests);
  if (http == NULL || !e->background || fog_http_background(http) == FOG_OK) return e->http = http;
  fog_http_free(http);
  return NULL;
}

int fog_engine_background(struct fog_engine *e) {
  e->background = true;
  return e->http == NULL ? FOG_OK : fog_http_background(e->http);
}

void fog_engine_cancel(struct fog_engine *e, uint64_t id) {
  if (e->http != NULL) fog_http_cancel(e->http, id);
}

uint64_t fog_engine_new_id(struct fog_engine *e) { return ++e->last_id; }

struct fog_queue *fog_engine_queue(struct fog_engine *e) {
  /* It stays the engine's. */
  return e->queue;
}

struct fog_session *fog_engine_session(struct fog_engine *e, const struct fog_driver *driver,
                                       const struct fog_session_limits *limits, int *error) {
  struct fog_session *s = fog_session_new(++e->last_session, driver, e->queue, limits);
  if (limits->callers_thread && e->loop == NULL) e->loop = fog_caller_loop_new(e->queue);
  if (s == NULL || (limits->callers_thread && e->loop == NULL)) {
    if (s != NULL) fog_session_unref(s);
    *error = FOG_ENOMEMORY;
    return NULL;
  }
  if (limits->callers_thread) s->caller = e->loop;
  *error = driver->open(s);
  if (*error == FOG_OK) return s;
  fog_session_unref(s);
  return NULL;
}

/* SPDX-License-Identifier: MIT
 *
 * The owner's thread puts requests and cancellations into an inbox; whoever drives (the owner itself, or the one
 * thread) takes the inbox, moves the requests into the multi handle, performs, and turns what ended into events. Only
 * the driver touches curl, so curl needs no lock; the inbox has one. Easy handles are pooled: making one costs more
 * than a request on a kept connection.
 */
#include <pthread.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "../base/process.h"
#include "http_request.h"

enum { POOL_SIZE = 64, CANCEL_ROOM = 16, MAX_CONNECTIONS_PER_HOST = 64, MAX_CONNECTIONS = 256 };

/* An easy handle between two requests, and the profile that it is still prepared for. */
struct kept_handle {
  CURL *easy;
  struct fog_http_profile *profile;
};

struct fog_http {
  struct fog_queue *events;
  CURLM *multi;
  size_t max_requests;
  atomic_size_t in_flight; /* submitted and not ended */
  pthread_mutex_t lock;    /* the inbox: submitted, cancels, stop */
  struct fog_http_request *submitted, **submitted_tail;
  uint64_t *cancels;
  size_t cancel_count, cancel_cap;
  bool stop;
  bool threaded; /* written by the owner while there is no thread */
  pthread_t thread;
  bool signals_blocked; /* the driver only, as all that follow but the profiles */
  sigset_t saved_signals;
  struct fog_http_request *running;
  struct kept_handle pool[POOL_SIZE];
  size_t pooled;
  bool one_each;                     /* a server took one request at a time per connection */
  struct fog_http_profiles profiles; /* owner's thread only */
};

struct fog_http *fog_http_new(struct fog_queue *q, size_t max_requests) {
  struct fog_http *h = calloc(1, sizeof *h);
  if (h == NULL) return NULL;
  int fds[FOG_PROCESS_FDS];
  fog_process_next_fds(fds);
  h->multi = curl_multi_init();
  fog_process_close_on_exec(fds);
  if (h->multi == NULL) {
    free(h);
    return NULL;
  }
  (void)curl_multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)MAX_CONNECTIONS_PER_HOST);
  (void)curl_multi_setopt(h->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)MAX_CONNECTIONS);
  (void)pthread_mutex_init(&h->lock, NULL);
  h->events = fog_queue_ref(q);
  h->max_requests = max_requests;
  h->submitted_tail = &h->submitted;
  return h;
}

struct fog_http_request *fog_http_request_new(struct fog_http *h, uint64_t id, const struct fog_http_options *o) {
  return fog_http_request_make(id, fog_http_profile_get(&h->profiles, o), o);
}

int fog_http_submit(struct fog_http *h, struct fog_http_request *r) {
  if (atomic_load(&h->in_flight) >= h->max_requests) return FOG_EFULL;
  atomic_fetch_add(&h->in_flight, 1);
  r->next = NULL;
  (void)pthread_mutex_lock(&h->lock);
  *h->submitted_tail = r;
  h->submitted_tail = &r->next;
  (void)pthread_mutex_unlock(&h->lock);
  if (h->threaded) (void)curl_multi_wakeup(h->multi);
  return 0;
}

static bool grow_cancels(struct fog_http *h) {
  if (h->cancel_count < h->cancel_cap) return true;
  size_t cap = h->cancel_cap + CANCEL_ROOM;
  uint64_t *grown = realloc(h->cancels, cap * sizeof *grown);
  if (grown == NULL) return false; /* the request then ends by its own time-out, and nobody waits for its event */
  h->cancels = grown;
  h->cancel_cap = cap;
  return true;
}

void fog_http_cancel(struct fog_http *h, uint64_t id) {
  (void)pthread_mutex_lock(&h->lock);
  if (grow_cancels(h)) h->cancels[h->cancel_count++] = id;
  (void)pthread_mutex_unlock(&h->lock);
  if (h->threaded) (void)curl_multi_wakeup(h->multi);
}

static void link_running(struct fog_http *h, struct fog_http_request *r) {
  r->prev = NULL;
  r->next = h->running;
  if (h->running != NULL) h->running->prev = r;
  h->running = r;
}

static void unlink_running(struct fog_http *h, struct fog_http_request *r) {
  if (r->next != NULL) r->next->prev = r->prev;
  if (r->prev != NULL)
    r->prev->next = r->next;
  else
    h->running = r->next;
}

/* Takes r out of curl and gives its easy handle back. The request itself stays. */
static void detach(struct fog_http *h, struct fog_http_request *r) {
  CURL *easy = r->easy;
  unlink_running(h, r);
  (void)curl_multi_remove_handle(h->multi, easy);
  (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL); /* r's, and r ends before the handle */
  r->easy = NULL;
  if (h->pooled < POOL_SIZE) {
    h->pool[h->pooled++] = (struct kept_handle){.easy = easy, .profile = fog_http_profile_ref(r->profile)};
  } else {
    curl_easy_cleanup(easy);
  }
  atomic_fetch_sub(&h->in_flight, 1);
}

static void fail_to_start(struct fog_http *h, struct fog_http_request *r, const char *why) {
  atomic_fetch_sub(&h->in_flight, 1);
  r->event.type = FOG_EV_FAILURE;
  r->event.name = "network";
  fog_event_set_text(&r->event, why);
  fog_queue_push(h->events, &r->event);
}

/* libcurl is about to look a name up, on a thread that it starts and that inherits our mask. Only then are signals
 * blocked, until it returns: on a kept connection the two system calls would cost more than the rest of our work. */
static int before_resolving(void *resolver, void *reserved, void *arg) {
  struct fog_http *h = arg;
  (void)resolver;
  (void)reserved;
  if (!h->signals_blocked) fog_process_signals_block(&h->saved_signals);
  h->signals_blocked = true;
  return 0;
}

static void prepare(struct fog_http *h, const struct fog_http_request *r, CURL *easy) {
  fog_http_request_prepare(r, easy);
  (void)curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION, before_resolving);
  (void)curl_easy_setopt(easy, CURLOPT_RESOLVER_START_DATA, h);
}

/* A handle that is prepared for r's profile. NULL: libcurl gave none. */
static CURL *take_handle(struct fog_http *h, const struct fog_http_request *r) {
  if (h->pooled == 0) {
    CURL *made = curl_easy_init();
    if (made != NULL) prepare(h, r, made);
    return made;
  }
  struct kept_handle kept = h->pool[--h->pooled];
  if (kept.profile != r->profile) {
    curl_easy_reset(kept.easy);
    prepare(h, r, kept.easy);
  }
  fog_http_profile_unref(kept.profile);
  return kept.easy;
}

static bool uses_tls(const struct fog_http_request *r) { return strncasecmp(r->url, "https:", 6) == 0; }

/* With HTTP/2 one connection carries all, so those that come while it is being made wait for it instead of making their
 * own. Not without TLS, where only the first reply tells which version the server speaks, and not once one has shown
 * that it does not: then each would wait for the one before (traps: C7). */
static void prefer_waiting(struct fog_http *h, const struct fog_http_request *r, CURL *easy) {
  bool wait = !h->one_each && uses_tls(r);
  (void)curl_easy_setopt(easy, CURLOPT_PIPEWAIT, wait ? 1L : 0L);
}

static void note_version(struct fog_http *h, const struct fog_http_request *r) {
  long version = 0;
  (void)curl_easy_getinfo(r->easy, CURLINFO_HTTP_VERSION, &version);
  if (uses_tls(r) && version != 0 && version < CURL_HTTP_VERSION_2_0) h->one_each = true;
}

static void start(struct fog_http *h, struct fog_http_request *r) {
  CURL *easy = take_handle(h, r);
  if (easy == NULL) {
    fail_to_start(h, r, "libcurl gave no handle");
    return;
  }
  fog_http_request_start(r, easy);
  prefer_waiting(h, r, easy);
  CURLMcode code = curl_multi_add_handle(h->multi, easy);
  if (code != CURLM_OK) {
    curl_easy_cleanup(easy);
    fail_to_start(h, r, curl_multi_strerror(code));
    return;
  }
  link_running(h, r);
}

static void cancel_running(struct fog_http *h, uint64_t id) {
  for (struct fog_http_request *r = h->running; r != NULL; r = r->next) {
    if (r->event.id != id) continue;
    detach(h, r);
    r->event.release(&r->event);
    return;
  }
}

static bool cancelled_early(struct fog_http *h, const struct fog_http_request *r, const uint64_t *ids, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (ids[i] == r->event.id) {
      atomic_fetch_sub(&h->in_flight, 1);
      return true;
    }
  }
  return false;
}

/* Moves the inbox into curl. True when the owner wants the thread to end. */
static bool take_inbox(struct fog_http *h) {
  (void)pthread_mutex_lock(&h->lock);
  struct fog_http_request *list = h->submitted;
  uint64_t *ids = h->cancels;
  size_t count = h->cancel_count;
  bool stop = h->stop;
  h->submitted = NULL;
  h->submitted_tail = &h->submitted;
  h->cancels = NULL;
  h->cancel_count = h->cancel_cap = 0;
  (void)pthread_mutex_unlock(&h->lock);
  for (size_t i = 0; i < count; i++) cancel_running(h, ids[i]);
  while (list != NULL) {
    struct fog_http_request *r = list;
    list = r->next;
    if (cancelled_early(h, r, ids, count))
      r->event.release(&r->event);
    else
      start(h, r);
  }
  free(ids);
  return stop;
}

/* Turns what ended into events. */
static bool harvest(struct fog_http *h) {
  bool any = false;
  int left;
  CURLMsg *msg;
  while ((msg = curl_multi_info_read(h->multi, &left)) != NULL) {
    if (msg->msg != CURLMSG_DONE) continue;
    struct fog_http_request *r = NULL;
    CURLcode code = msg->data.result; /* msg dies with remove_handle */
    (void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&r);
    fog_http_request_finish(r, code);
    note_version(h, r);
    detach(h, r);
    if (h->threaded)
      fog_queue_push(h->events, &r->event);
    else
      fog_queue_push_own(h->events, &r->event);
    any = true;
  }
  return any;
}

static bool perform(struct fog_http *h) {
  int running;
  (void)curl_multi_perform(h->multi, &running);
  if (h->signals_blocked) fog_process_signals_restore(&h->saved_signals);
  h->signals_blocked = false;
  return harvest(h);
}

/* curl_multi_poll that does not return at once, again and again, when it cannot wait (no memory, no descriptors). */
static void wait_for(struct fog_http *h, struct curl_waitfd *extra, unsigned count, int timeout_ms) {
  const struct timespec pause = {.tv_sec = 0, .tv_nsec = 10000000};
  if (curl_multi_poll(h->multi, extra, count, timeout_ms, NULL) != CURLM_OK) (void)nanosleep(&pause, NULL);
}

static void *drive(void *arg) {
  struct fog_http *h = arg;
  while (!take_inbox(h)) {
    (void)perform(h);
    wait_for(h, NULL, 0, 60000);
  }
  return NULL;
}

int fog_http_background(struct fog_http *h) {
  if (h->threaded) return 0;
  h->threaded = true;
  if (fog_process_thread(&h->thread, drive, h) == 0) return 0;
  h->threaded = false;
  return FOG_ENOTHREAD;
}

void fog_http_wait(struct fog_http *h, int timeout_ms) {
  struct fog_wake *wake = fog_queue_wake(h->events);
  if (h->threaded || atomic_load(&h->in_flight) == 0) {
    if (timeout_ms != 0) fog_wake_wait(wake, timeout_ms); /* else there is nothing to ask the kernel: take looks */
    return;
  }
  double end = timeout_ms < 0 ? 0 : fog_process_now() + timeout_ms / 1e3;
  for (;;) {
    (void)take_inbox(h);
    if (perform(h) || fog_queue_pending(h->events)) return;
    int left_ms = 60000;
    if (timeout_ms >= 0) {
      double left = (end - fog_process_now()) * 1e3;
      if (left <= 0) return;
      left_ms = left < 60000 ? (int)left + 1 : 60000;
    }
    struct curl_waitfd extra = {.fd = wake->read_fd, .events = CURL_WAIT_POLLIN, .revents = 0};
    wait_for(h, &extra, 1, left_ms);
  }
}

static void release_list(struct fog_http_request *r) {
  while (r != NULL) {
    struct fog_http_request *next = r->next;
    r->event.release(&r->event);
    r = next;
  }
}

void fog_http_free(struct fog_http *h) {
  if (h->threaded) {
    (void)pthread_mutex_lock(&h->lock);
    h->stop = true;
    (void)pthread_mutex_unlock(&h->lock);
    (void)curl_multi_wakeup(h->multi);
    (void)pthread_join(h->thread, NULL);
  }
  while (h->running != NULL) { /* handles leave the multi before it goes (traps: C9) */
    struct fog_http_request *r = h->running;
    detach(h, r);
    r->event.release(&r->event);
  }
  release_list(h->submitted);
  while (h->pooled > 0) {
    struct kept_handle *kept = &h->pool[--h->pooled];
    curl_easy_cleanup(kept->easy);
    fog_http_profile_unref(kept->profile);
  }
  fog_http_profiles_clear(&h->profiles);
  (void)curl_multi_cleanup(h->multi);
  fog_queue_unref(h->events);
  (void)pthread_mutex_destroy(&h->lock);
  free(h->cancels);
  free(h);
}

const char *fog_http_curl_version(void) { return curl_version_info(CURLVERSION_NOW)->version; }

bool fog_http_async_dns(void) { return (curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_ASYNCHDNS) != 0; }

const char *fog_http_tls_version(void) {
  const char *tls = curl_version_info(CURLVERSION_NOW)->ssl_version;
  return tls == NULL ? "none" : tls;
}

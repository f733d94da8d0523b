/* SPDX-License-Identifier: MIT
 *
 * The owner's thread puts requests and cancellations into an inbox; whoever drives (the owner itself, or the one
 * thread) takes the inbox, moves the requests into the multi handle, performs, and turns what ended into events. Only
 * the driver touches curl, so curl needs no lock; the inbox has one. Easy handles are pooled (http_handle.h).
 */
#include <pthread.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "../base/process.h"
#include "http_inbox.h"
#include "library.h"

enum { POOL_SIZE = 64, MAX_CONNECTIONS_PER_HOST = 64, MAX_CONNECTIONS = 256 };
enum { LONGEST_WAIT_MS = 60000, LAST_LOOKS = 64, CONNECTING_WAIT_MS = 100 };

struct fog_http {
  struct fog_queue *events;
  CURLM *multi;
  size_t max_requests;
  atomic_size_t in_flight; /* submitted and not ended */
  struct fog_http_inbox inbox;
  bool threaded; /* written by the owner while there is no thread */
  pthread_t thread;
  bool signals_blocked; /* the driver only, as all that follow but the profiles */
  sigset_t saved_signals;
  struct fog_http_request *running;
  size_t connecting;  /* of those, how many have no connection yet */
  double next_expiry; /* nothing that runs is overdue before; 0: never */
  bool looking;       /* something is, and what came in time is still being read */
  struct fog_http_handle *pool[POOL_SIZE];
  size_t pooled;
  bool one_each;                     /* a server took one request at a time per connection */
  struct fog_http_profiles profiles; /* owner's thread only */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode init_result;

/* curl_global_cleanup is never called, for OpenSSL's exit handler is ours to leave out (process_init.c; traps: C3). */
static void init_once(void) {
  char why[1];
  init_result = fog_library_fits(why, sizeof why) ? curl_global_init(CURL_GLOBAL_DEFAULT) : CURLE_FAILED_INIT;
}

struct fog_http *fog_http_new(struct fog_queue *q, size_t max_requests) {
  (void)pthread_once(&once, init_once);
  struct fog_http *h = init_result == CURLE_OK ? calloc(1, sizeof *h) : NULL;
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
  /* Newer ones would size it by the requests in flight, and close what a burst has made (traps: C12). */
  (void)curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)MAX_CONNECTIONS);
  fog_http_inbox_init(&h->inbox);
  h->events = fog_queue_ref(q);
  h->max_requests = max_requests;
  return h;
}

struct fog_http_request *fog_http_request_new(struct fog_http *h, uint64_t id, const struct fog_http_options *o) {
  return fog_http_request_make(id, fog_http_profile_get(&h->profiles, o), o);
}

int fog_http_submit(struct fog_http *h, struct fog_http_request *r) {
  if (atomic_load(&h->in_flight) >= h->max_requests) return FOG_EFULL;
  atomic_fetch_add(&h->in_flight, 1);
  fog_http_inbox_put(&h->inbox, r);
  if (h->threaded) (void)curl_multi_wakeup(h->multi);
  return 0;
}

void fog_http_cancel(struct fog_http *h, uint64_t id) {
  fog_http_inbox_cancel(&h->inbox, id);
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

static void give_handle(struct fog_http *h, struct fog_http_handle *handle) {
  if (h->pooled < POOL_SIZE)
    h->pool[h->pooled++] = handle;
  else
    fog_http_handle_free(handle);
}

/* Takes r out of curl and gives its easy handle back. The request itself stays. */
static void detach(struct fog_http *h, struct fog_http_request *r) {
  CURL *easy = r->handle->easy;
  unlink_running(h, r);
  if (r->connecting != NULL) h->connecting--;
  r->connecting = NULL;
  (void)curl_multi_remove_handle(h->multi, easy);
  (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL); /* r's, and r ends before the handle */
  give_handle(h, r->handle);
  r->handle = NULL;
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
  struct fog_http_request *r = arg;
  struct fog_http *h = r->driver;
  (void)resolver;
  (void)reserved;
  r->resolving = true;
  if (!h->signals_blocked) fog_process_signals_block(&h->saved_signals);
  h->signals_blocked = true;
  return 0;
}

/* A handle that is prepared for r's profile. NULL: libcurl gave none. */
static struct fog_http_handle *take_handle(struct fog_http *h, const struct fog_http_request *r) {
  struct fog_http_handle *handle = h->pooled == 0 ? fog_http_handle_new() : h->pool[--h->pooled];
  if (handle == NULL || handle->profile == r->profile) return handle;
  fog_http_handle_reset(handle, r->profile);
  fog_http_request_prepare(r, handle->easy);
  (void)curl_easy_setopt(handle->easy, CURLOPT_RESOLVER_START_FUNCTION, before_resolving);
  return handle;
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
  (void)curl_easy_getinfo(r->handle->easy, CURLINFO_HTTP_VERSION, &version);
  if (uses_tls(r) && version != 0 && version < CURL_HTTP_VERSION_2_0) h->one_each = true;
}

static void start(struct fog_http *h, struct fog_http_request *r) {
  struct fog_http_handle *handle = take_handle(h, r);
  if (handle == NULL) {
    fail_to_start(h, r, "libcurl gave no handle");
    return;
  }
  CURL *easy = handle->easy;
  r->driver = h;
  fog_http_request_start(r, handle);
  (void)curl_easy_setopt(easy, CURLOPT_RESOLVER_START_DATA, r);
  if (h->next_expiry == 0 || r->deadline < h->next_expiry) h->next_expiry = r->deadline;
  prefer_waiting(h, r, easy);
  CURLMcode code = curl_multi_add_handle(h->multi, easy);
  if (code != CURLM_OK) {
    r->handle = NULL;
    fog_http_handle_free(handle);
    fail_to_start(h, r, curl_multi_strerror(code));
    return;
  }
  link_running(h, r);
  r->connecting = &h->connecting;
  h->connecting++;
}

static void cancel_running(struct fog_http *h, uint64_t id) {
  for (struct fog_http_request *r = h->running; r != NULL; r = r->next) {
    if (r->event.id != id) continue;
    detach(h, r);
    r->event.release(&r->event);
    return;
  }
}

/* Moves the inbox into curl. True when the owner wants the thread to end. */
static bool take_inbox(struct fog_http *h) {
  struct fog_http_delivery d = fog_http_inbox_take(&h->inbox);
  for (size_t i = 0; i < d.cancel_count; i++) cancel_running(h, d.cancels[i]);
  for (struct fog_http_request *r = d.list, *next; r != NULL; r = next) {
    next = r->next;
    if (!fog_http_delivery_cancels(&d, r->event.id)) {
      start(h, r);
      continue;
    }
    atomic_fetch_sub(&h->in_flight, 1);
    r->event.release(&r->event);
  }
  free(d.cancels);
  return d.stop;
}

static void report(struct fog_http *h, struct fog_http_request *r) {
  detach(h, r);
  if (h->threaded)
    fog_queue_push(h->events, &r->event);
  else
    fog_queue_push_own(h->events, &r->event);
}

static void start_again(struct fog_http *h, struct fog_http_request *r) {
  detach(h, r);
  atomic_fetch_add(&h->in_flight, 1);
  start(h, r);
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
    if (fog_http_request_misled(r, code)) {
      start_again(h, r);
      continue;
    }
    fog_http_request_finish(r, code);
    note_version(h, r);
    report(h, r);
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

/* Time-outs are ours and not libcurl's, which looks at its clock before it looks at the socket: a reply that is there
 * in time counts, however long this thread or the whole process has not run since (create_client's cannot be had
 * again). So what is overdue is looked at again, without waiting, as long as something comes of it. */
static bool is_over(struct fog_http_request *r) {
  size_t size = r->event.text_len + r->event.extra_len;
  if (r->overdue > 0 && (size == r->overdue_size || r->overdue >= LAST_LOOKS)) return true;
  r->overdue++;
  r->overdue_size = size;
  return false;
}

/* After perform: ends what is overdue. True when anything was. */
static bool expire(struct fog_http *h) {
  bool any = false;
  double now = h->next_expiry == 0 ? 0 : fog_process_now();
  h->looking = false;
  if (now == 0 || now < h->next_expiry) return false;
  h->next_expiry = 0;
  for (struct fog_http_request *r = h->running, *next; r != NULL; r = next) {
    next = r->next;
    if (r->deadline <= now && is_over(r)) {
      fog_http_request_expire(r);
      report(h, r);
      any = true;
      continue;
    }
    if (r->deadline <= now) h->looking = true;
    if (h->next_expiry == 0 || r->deadline < h->next_expiry) h->next_expiry = r->deadline;
  }
  return any;
}

/* How long to wait at most, of limit_ms. Where a name has several addresses and one has refused, libcurl (7.88) waits
 * for its time-out before it tries the next, and curl_easy_perform gives it a second: less, while anything connects. */
static int until_expiry(const struct fog_http *h, int limit_ms) {
  if (h->looking) return 0;
  if (h->connecting > 0 && limit_ms > CONNECTING_WAIT_MS) limit_ms = CONNECTING_WAIT_MS;
  if (h->next_expiry == 0) return limit_ms;
  double left = (h->next_expiry - fog_process_now()) * 1e3;
  if (left <= 0) return 0;
  return left < limit_ms ? (int)left + 1 : limit_ms;
}

/* curl_multi_poll that does not return at once, again and again, when it cannot wait (no memory, no descriptors). False
 * when nothing is ready: the time is up, or a signal came. */
static bool wait_for(struct fog_http *h, struct curl_waitfd *extra, unsigned count, int timeout_ms) {
  const struct timespec pause = {.tv_sec = 0, .tv_nsec = 10000000};
  int ready = 0;
  if (curl_multi_poll(h->multi, extra, count, timeout_ms, &ready) != CURLM_OK) (void)nanosleep(&pause, NULL);
  return ready > 0;
}

static void *drive(void *arg) {
  struct fog_http *h = arg;
  while (!take_inbox(h)) {
    (void)perform(h);
    (void)expire(h);
    (void)wait_for(h, NULL, 0, until_expiry(h, LONGEST_WAIT_MS));
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

bool fog_http_is_driven(struct fog_http *h) { return !h->threaded && atomic_load(&h->in_flight) > 0; }

void fog_http_wait(struct fog_http *h, int timeout_ms, int other) {
  struct fog_wake *wake = fog_queue_wake(h->events);
  if (!fog_http_is_driven(h)) {
    if (timeout_ms != 0) fog_wake_wait(wake, timeout_ms); /* else there is nothing to ask the kernel: take looks */
    return;
  }
  double end = timeout_ms < 0 ? 0 : fog_process_now() + timeout_ms / 1e3;
  for (bool ready = true; ready || h->looking;) { /* a signal may have something to say to Lua (traps: C14) */
    (void)take_inbox(h);
    bool ended = perform(h);
    if (expire(h) || ended || fog_queue_pending(h->events)) return;
    int left_ms = LONGEST_WAIT_MS;
    if (timeout_ms >= 0 && !h->looking) {
      double left = (end - fog_process_now()) * 1e3;
      if (left <= 0) return;
      left_ms = left < (double)LONGEST_WAIT_MS ? (int)left + 1 : LONGEST_WAIT_MS;
    }
    struct curl_waitfd extra[] = {{.fd = wake->read_fd, .events = CURL_WAIT_POLLIN},
                                  {.fd = other, .events = CURL_WAIT_POLLIN}};
    ready = wait_for(h, extra, other < 0 ? 1 : 2, until_expiry(h, left_ms));
    if (extra[1].revents != 0) return;
  }
}

void fog_http_free(struct fog_http *h) {
  if (h->threaded) {
    fog_http_inbox_stop(&h->inbox);
    (void)curl_multi_wakeup(h->multi);
    (void)pthread_join(h->thread, NULL);
  }
  while (h->running != NULL) { /* handles leave the multi before it goes (traps: C9) */
    struct fog_http_request *r = h->running;
    detach(h, r);
    r->event.release(&r->event);
  }
  fog_http_inbox_clear(&h->inbox);
  while (h->pooled > 0) fog_http_handle_free(h->pool[--h->pooled]);
  fog_http_profiles_clear(&h->profiles);
  (void)curl_multi_cleanup(h->multi);
  fog_queue_unref(h->events);
  free(h);
}

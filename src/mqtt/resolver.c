/* SPDX-License-Identifier: MIT
 *
 * A look-up is owned by the asker and by the pool until one of them lets go: waiting (in the list), running (a thread
 * has it), answered (its errand lies in the loop's mailbox). Whoever comes second frees it. All under one lock, which
 * is never held during getaddrinfo; it is held while an errand is posted, so that a look-up that was cancelled never
 * posts.
 */
#include "resolver.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../base/process.h"

enum { IDLE_SECONDS = 10 };

enum state { WAITING, RUNNING, ANSWERED };

struct fog_lookup {
  struct fog_errand errand; /* first */
  struct fog_lookup *next;
  struct fog_loop *loop;
  enum state state;
  bool cancelled;
  int error, system;
  struct addrinfo *list;
  fog_resolver_answer *answer;
  void *owner;
  char service[8];
  char host[]; /* as long as it is */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;
static pthread_cond_t fewer_idle = PTHREAD_COND_INITIALIZER;
static struct fog_lookup *first, **end = &first;
static int threads, idle, waiting; /* idle: those that have no look-up; waiting: look-ups in the list */
static bool forgetting;
static pthread_t ended[FOG_RESOLVER_THREADS]; /* to be joined */
static int ended_count;

/* The threads stayed behind in the parent, and one of them may have had the lock. */
static void in_child(void) {
  (void)pthread_mutex_init(&lock, NULL);
  (void)pthread_cond_init(&work, NULL);
  (void)pthread_cond_init(&fewer_idle, NULL);
  first = NULL;
  end = &first;
  threads = idle = waiting = ended_count = 0;
  forgetting = false;
}

static void watch_forks(void) { (void)pthread_atfork(NULL, NULL, in_child); }

static void free_lookup(struct fog_lookup *l) {
  if (l->list != NULL) freeaddrinfo(l->list);
  free(l);
}

static void on_answer(struct fog_errand *errand) {
  struct fog_lookup *l = (struct fog_lookup *)errand;
  if (!l->cancelled) { /* set by this thread alone */
    struct addrinfo *list = l->list;
    l->list = NULL;
    l->answer(l->owner, l->error, l->system, list);
  }
  free_lookup(l);
}

static void look_up(struct fog_lookup *l) {
  const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
  l->error = getaddrinfo(l->host, l->service, &hints, &l->list);
  l->system = l->error == EAI_SYSTEM ? errno : 0;
  if (l->error != 0) l->list = NULL;
}

/* The next one, under the lock; NULL: this thread has been idle for long enough, by a clock that may be set meanwhile:
 * then it ends sooner or later. */
static struct fog_lookup *take(void) {
  struct timespec until;
  (void)clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += IDLE_SECONDS;
  for (int rc = 0; first == NULL && !forgetting && rc != ETIMEDOUT;) rc = pthread_cond_timedwait(&work, &lock, &until);
  idle--;
  (void)pthread_cond_signal(&fewer_idle);
  struct fog_lookup *l = first;
  if (l == NULL) return NULL;
  first = l->next;
  if (first == NULL) end = &first;
  waiting--;
  l->state = RUNNING;
  return l;
}

static void *serve(void *arg) {
  (void)arg;
  (void)pthread_mutex_lock(&lock);
  for (struct fog_lookup *l; (l = take()) != NULL;) {
    (void)pthread_mutex_unlock(&lock);
    look_up(l);
    (void)pthread_mutex_lock(&lock);
    idle++;
    l->state = ANSWERED;
    if (l->cancelled) {
      free_lookup(l);
    } else {
      fog_loop_post(l->loop, &l->errand);
    }
  }
  threads--;
  ended[ended_count++] = pthread_self();
  (void)pthread_mutex_unlock(&lock);
  return NULL;
}

/* Under the lock; a thread that has said that it ended holds the lock no more, so this is short. */
static void join_ended(void) {
  while (ended_count > 0) (void)pthread_join(ended[--ended_count], NULL);
}

/* Under the lock. False: there is no thread that will ever take it. */
static bool have_thread(void) {
  pthread_t thread;
  join_ended();
  if (waiting < idle || threads == FOG_RESOLVER_THREADS) return true;
  if (fog_process_thread(&thread, serve, NULL) != 0) return threads > 0;
  threads++;
  idle++;
  return true;
}

struct fog_lookup *fog_resolver_ask(struct fog_loop *loop, const char *host, uint16_t port, fog_resolver_answer *answer,
                                    void *owner) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  size_t len = strlen(host) + 1;
  struct fog_lookup *l = calloc(1, sizeof *l + len);
  if (l == NULL) return NULL;
  (void)pthread_once(&once, watch_forks);
  l->errand.run = on_answer;
  l->loop = loop;
  l->answer = answer;
  l->owner = owner;
  memcpy(l->host, host, len);
  (void)snprintf(l->service, sizeof l->service, "%u", (unsigned)port);
  (void)pthread_mutex_lock(&lock);
  bool taken = have_thread();
  if (taken) {
    *end = l;
    end = &l->next;
    waiting++;
    (void)pthread_cond_signal(&work);
  }
  (void)pthread_mutex_unlock(&lock);
  if (taken) return l;
  free(l);
  return NULL;
}

static void unlist(struct fog_lookup *l) {
  struct fog_lookup **at = &first;
  while (*at != l) at = &(*at)->next;
  *at = l->next;
  if (l->next == NULL) end = at;
  waiting--;
}

void fog_resolver_cancel(struct fog_lookup *l) {
  (void)pthread_mutex_lock(&lock);
  enum state state = l->state;
  l->cancelled = true;
  if (state == WAITING) unlist(l);
  (void)pthread_mutex_unlock(&lock);
  if (state == WAITING) free_lookup(l);
}

void fog_resolver_forget(void) {
  (void)pthread_mutex_lock(&lock);
  forgetting = true;
  while (idle > 0) {
    (void)pthread_cond_broadcast(&work);
    (void)pthread_cond_wait(&fewer_idle, &lock);
  }
  join_ended();
  forgetting = false;
  (void)pthread_mutex_unlock(&lock);
}

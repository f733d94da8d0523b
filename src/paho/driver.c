/* SPDX-License-Identifier: MIT
 *
 * The one thread that calls Paho: commands under a lock that is never held around a call of Paho's. It starts with the
 * first session and ends with the last.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../base/error.h"
#include "../base/process.h"
#include "paho.h"

enum { EXIT_WAIT_S = 1 };

struct command {
  struct command *next;
  void (*run)(struct command *c);
  struct paho *to;
  struct fog_link_options *options;
  struct fog_event *up, *down;
  struct paho_ask *ask;
  struct fog_subscription how;
  bool goodbye;
  char filter[]; /* then its properties */
};

static struct {
  pthread_mutex_t lock;
  pthread_cond_t work, ended;
  struct command *head, **tail;
  struct paho *fed, **fed_tail;
  size_t sessions, ending;
  bool running, joinable, at_exit;
  pthread_t thread;
  pid_t pid;
} d = {.lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};

static void run_connect(struct command *c) { paho_link_connect(c->to, c->options, c->up, c->down); }

static void run_subscribe(struct command *c) {
  c->how.properties = c->filter + strlen(c->filter) + 1;
  paho_link_subscribe(c->to, c->ask, c->filter, &c->how);
}

static void run_leave(struct command *c) { paho_link_end(c->to, c->goodbye); }

static void run_end(struct command *c) {
  struct paho *p = c->to;
  struct fog_session *s = p->session;
  paho_link_end(p, c->goodbye);
  (void)pthread_mutex_lock(&p->lock);
  fog_outbox_take(&s->outbox, &p->waiting);
  while (p->waiting.head != NULL) {
    struct fog_message *m = p->waiting.head;
    fog_message_remove(&p->waiting, m);
    paho_end_message(p, m, 0, true);
  }
  (void)pthread_mutex_unlock(&p->lock);
  fog_queue_push(s->events, p->closed);
  (void)pthread_mutex_lock(&d.lock);
  struct paho **at = &d.fed; /* it may still stand there */
  while (*at != NULL && *at != p) at = &(*at)->next;
  if (*at != NULL) *at = p->next;
  for (d.fed_tail = &d.fed; *d.fed_tail != NULL;) d.fed_tail = &(*d.fed_tail)->next;
  d.sessions--;
  d.ending--;
  (void)pthread_cond_broadcast(&d.ended);
  (void)pthread_mutex_unlock(&d.lock);
  (void)pthread_mutex_destroy(&p->lock);
  free(p);
  fog_session_unref(s);
}

/* Under the lock: the next thing to do. False when the last session is gone. */
static bool next(struct command **c, struct paho **p) {
  while (d.head == NULL && d.fed == NULL && d.sessions > 0) (void)pthread_cond_wait(&d.work, &d.lock);
  *c = d.head;
  *p = NULL;
  if (*c != NULL) {
    d.head = (*c)->next;
    if (d.head == NULL) d.tail = &d.head;
  } else if (d.fed != NULL) {
    *p = d.fed;
    d.fed = d.fed->next;
    if (d.fed == NULL) d.fed_tail = &d.fed;
  }
  return *c != NULL || *p != NULL;
}

static void *dispatch(void *arg) {
  struct command *c;
  struct paho *p;
  (void)arg;
  (void)pthread_mutex_lock(&d.lock);
  while (next(&c, &p)) {
    (void)pthread_mutex_unlock(&d.lock);
    if (c != NULL) {
      c->run(c);
      free(c);
    } else {
      atomic_store(&p->fed, false); /* before feeding: what comes from now on puts it on the list again */
      paho_link_feed(p);
    }
    (void)pthread_mutex_lock(&d.lock);
  }
  d.running = false;
  (void)pthread_mutex_unlock(&d.lock);
  return NULL;
}

void paho_wake(struct paho *p) {
  if (atomic_exchange(&p->fed, true)) return;
  (void)pthread_mutex_lock(&d.lock);
  p->next = NULL;
  *d.fed_tail = p;
  d.fed_tail = &p->next;
  (void)pthread_cond_signal(&d.work);
  (void)pthread_mutex_unlock(&d.lock);
}

static struct command *new_command(struct fog_session *s, void (*run)(struct command *), size_t more) {
  struct command *c = calloc(1, sizeof *c + more);
  if (c == NULL) return NULL;
  c->run = run;
  c->to = s->of_driver;
  return c;
}

static int submit(struct command *c) {
  (void)pthread_mutex_lock(&d.lock);
  if (c->run == run_end) d.ending++;
  *d.tail = c;
  d.tail = &c->next;
  (void)pthread_cond_signal(&d.work);
  (void)pthread_mutex_unlock(&d.lock);
  return FOG_OK;
}

/* Gives goodbyes that are under way a moment. */
static void finish_at_exit(void) {
  struct timespec end;
  if (fog_process_forked(d.pid)) return;
  (void)clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += EXIT_WAIT_S;
  (void)pthread_mutex_lock(&d.lock);
  while (d.ending > 0) {
    if (pthread_cond_timedwait(&d.ended, &d.lock, &end) == ETIMEDOUT) break;
  }
  (void)pthread_mutex_unlock(&d.lock);
}

/* Under the lock. */
static int start_thread(void) {
  if (d.joinable) (void)pthread_join(d.thread, NULL);
  d.joinable = false;
  d.tail = &d.head;
  d.fed_tail = &d.fed;
  if (fog_process_thread(&d.thread, dispatch, NULL) != 0) return FOG_ENOTHREAD;
  d.running = d.joinable = true;
  if (!d.at_exit) d.at_exit = atexit(finish_at_exit) == 0;
  return FOG_OK;
}

static int paho_open(struct fog_session *s) {
  if (d.pid != 0 && fog_process_forked(d.pid)) return FOG_EFORKED;
  struct paho *p = calloc(1, sizeof *p);
  if (p != NULL) p->closed = fog_event_new(FOG_EV_CLOSED, s->id);
  if (p == NULL || p->closed == NULL) {
    free(p);
    return FOG_ENOMEMORY;
  }
  (void)pthread_mutex_init(&p->lock, NULL);
  (void)pthread_mutex_lock(&d.lock);
  d.pid = getpid();
  d.sessions++;
  int rc = d.running ? FOG_OK : start_thread();
  if (rc != FOG_OK) d.sessions--;
  (void)pthread_mutex_unlock(&d.lock);
  if (rc != FOG_OK) {
    p->closed->release(p->closed);
    free(p);
    return rc;
  }
  p->session = fog_session_ref(s);
  s->of_driver = p;
  return FOG_OK;
}

static int paho_connect(struct fog_session *s, struct fog_link_options *o) {
  struct command *c = new_command(s, run_connect, 0);
  struct fog_event *up = fog_event_new(FOG_EV_UP, s->id), *down = fog_event_new(FOG_EV_DOWN, s->id);
  if (c == NULL || up == NULL || down == NULL) {
    if (up != NULL) up->release(up);
    if (down != NULL) down->release(down);
    free(c);
    fog_link_options_free(o);
    return FOG_ENOMEMORY;
  }
  c->options = o;
  c->up = up;
  c->down = down;
  return submit(c);
}

static int paho_subscribe(struct fog_session *s, uint64_t token, const char *filter,
                          const struct fog_subscription *how) {
  size_t len = strlen(filter);
  struct command *c = new_command(s, run_subscribe, len + 1 + how->properties_len);
  struct paho_ask *ask = c == NULL ? NULL : calloc(1, sizeof *ask);
  if (ask != NULL) ask->event = fog_event_new(FOG_EV_SUBSCRIBED, s->id);
  if (ask == NULL || ask->event == NULL) {
    free(ask);
    free(c);
    return FOG_ENOMEMORY;
  }
  ask->of = s->of_driver;
  ask->event->id = token;
  c->ask = ask;
  c->how = *how;
  memcpy(c->filter, filter, len + 1);
  if (how->properties_len > 0) memcpy(c->filter + len + 1, how->properties, how->properties_len);
  return submit(c);
}

static void paho_feed(struct fog_session *s) { paho_wake(s->of_driver); }

static int paho_authenticate(struct fog_session *s, const char *properties, size_t len) {
  (void)s, (void)properties, (void)len;
  return FOG_OK; /* refused before: can.authenticate is false */
}

static int paho_leave(struct fog_session *s, enum fog_leave how, const struct fog_goodbye *goodbye) {
  (void)goodbye; /* can.goodbye is false */
  if (fog_process_forked(d.pid)) return FOG_EFORKED;
  struct command *c = new_command(s, how == FOG_LEAVE ? run_leave : run_end, 0);
  if (c == NULL) return FOG_ENOMEMORY;
  c->goodbye = how != FOG_END_SILENTLY;
  return submit(c);
}

static const char *paho_version(void) {
  for (const MQTTAsync_nameValue *v = MQTTAsync_getVersionInfo(); v->name != NULL; v++) {
    if (strcmp(v->name, "Version") == 0) return v->value;
  }
  return "unknown";
}

const struct fog_driver fog_paho = {
    .name = "paho",
    .can = {.why_not = "driver 'paho' (Eclipse Paho as packaged)"},
    .version = paho_version,
    .open = paho_open,
    .connect = paho_connect,
    .subscribe = paho_subscribe,
    .feed = paho_feed,
    .authenticate = paho_authenticate,
    .leave = paho_leave,
};

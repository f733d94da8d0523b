/* SPDX-License-Identifier: MIT
 *
 * The one thread that calls Paho: commands under a lock that is never held around a call of Paho's. It starts with the
 * first session and ends with the last.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/error.h"
#include "../base/process.h"
#include "../mqtt/driver_thread.h"
#include "paho.h"

struct command {
  struct command *next;
  void (*run)(struct command *c);
  struct paho *to;
  struct fog_link_options *options;
  struct fog_ask *ask;
  bool goodbye;
};

static struct fog_driver_thread own_thread = FOG_DRIVER_THREAD;

/* What waits for the thread, under its lock. */
static struct {
  pthread_cond_t work;
  struct command *head, **tail;
  struct paho *fed, **fed_tail;
} d = {.work = PTHREAD_COND_INITIALIZER, .tail = &d.head, .fed_tail = &d.fed};

static void lock(void) { (void)pthread_mutex_lock(&own_thread.lock); }
static void unlock(void) { (void)pthread_mutex_unlock(&own_thread.lock); }

static void run_connect(struct command *c) { paho_link_connect(c->to, c->options); }

static void run_subscribe(struct command *c) { paho_link_subscribe(c->to, c->ask); }

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
  lock();
  struct paho **at = &d.fed; /* it may still stand there */
  while (*at != NULL && *at != p) at = &(*at)->next;
  if (*at != NULL) *at = p->next;
  for (d.fed_tail = &d.fed; *d.fed_tail != NULL;) d.fed_tail = &(*d.fed_tail)->next;
  unlock();
  fog_driver_thread_leave(&own_thread);
  (void)pthread_mutex_destroy(&p->lock);
  free(p);
  fog_session_unref(s);
}

/* Under the lock: the next thing to do. False when the last session is gone. */
static bool next(struct command **c, struct paho **p) {
  while (d.head == NULL && d.fed == NULL) {
    if (fog_driver_thread_over(&own_thread)) return false;
    (void)pthread_cond_wait(&d.work, &own_thread.lock);
  }
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
  return true;
}

static void *dispatch(void *arg) {
  struct command *c;
  struct paho *p;
  (void)arg;
  lock();
  while (next(&c, &p)) {
    unlock();
    if (c != NULL) {
      c->run(c);
      free(c);
    } else {
      atomic_store(&p->fed, false); /* before feeding: what comes from now on puts it on the list again */
      paho_link_feed(p);
    }
    lock();
  }
  unlock();
  return NULL;
}

void paho_wake(struct paho *p) {
  if (atomic_exchange(&p->fed, true)) return;
  lock();
  p->next = NULL;
  *d.fed_tail = p;
  d.fed_tail = &p->next;
  (void)pthread_cond_signal(&d.work);
  unlock();
}

static struct command *new_command(struct fog_session *s, void (*run)(struct command *)) {
  struct command *c = calloc(1, sizeof *c);
  if (c == NULL) return NULL;
  c->run = run;
  c->to = s->of_driver;
  return c;
}

static int submit(struct command *c) {
  lock();
  if (c->run == run_end) own_thread.ending++;
  *d.tail = c;
  d.tail = &c->next;
  (void)pthread_cond_signal(&d.work);
  unlock();
  return FOG_OK;
}

static void finish_at_exit(void) { fog_driver_thread_finish(&own_thread); }

static int start_thread(pthread_t *thread) {
  return fog_process_thread(thread, dispatch, NULL) == 0 ? FOG_OK : FOG_ENOTHREAD;
}

static int paho_open(struct fog_session *s) {
  struct paho *p = calloc(1, sizeof *p);
  struct fog_event *closed = fog_event_new(FOG_EV_CLOSED, s->id);
  int rc =
      p == NULL || closed == NULL ? FOG_ENOMEMORY : fog_driver_thread_enter(&own_thread, start_thread, finish_at_exit);
  if (rc != FOG_OK) {
    if (closed != NULL) closed->release(closed);
    free(p);
    return rc;
  }
  (void)pthread_mutex_init(&p->lock, NULL);
  p->closed = closed;
  p->session = fog_session_ref(s);
  s->of_driver = p;
  return FOG_OK;
}

static int paho_connect(struct fog_session *s, struct fog_link_options *o) {
  struct command *c = new_command(s, run_connect);
  if (c == NULL || !fog_link_options_prepare(o, s->id)) {
    free(c);
    fog_link_options_free(o);
    return FOG_ENOMEMORY;
  }
  c->options = o;
  return submit(c);
}

static int paho_subscribe(struct fog_session *s, uint64_t token, const char *filter,
                          const struct fog_subscription *how) {
  struct command *c = new_command(s, run_subscribe);
  if (c != NULL) c->ask = fog_ask_new(s, token, filter, how);
  if (c == NULL || c->ask == NULL) {
    free(c);
    return FOG_ENOMEMORY;
  }
  c->ask->owner = s->of_driver;
  return submit(c);
}

static void paho_feed(struct fog_session *s) { paho_wake(s->of_driver); }

static int paho_authenticate(struct fog_session *s, const char *properties, size_t len) {
  (void)s, (void)properties, (void)len;
  return FOG_OK; /* refused before: can.authenticate is false */
}

static int paho_leave(struct fog_session *s, enum fog_leave how, const struct fog_goodbye *goodbye) {
  (void)goodbye; /* can.goodbye is false */
  if (fog_process_forked(own_thread.pid)) return FOG_EFORKED;
  struct command *c = new_command(s, how == FOG_LEAVE ? run_leave : run_end);
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

/* SPDX-License-Identifier: MIT
 *
 * An inbox of commands and a list of sessions whose outbox may be fed, both under one lock that is never held around a
 * Paho call. The thread is one per process; it ends by itself when the last session is closed, so that a program that
 * is done with MQTT has no thread left, and at exit the process waits a moment for goodbyes that are under way.
 */
#include "dispatcher.h"

#include <MQTTAsync.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../base/memory_file.h"
#include "../base/process.h"
#include "link.h"

enum { EXIT_WAIT_MS = 1000, REST_NS = 50000 };

enum command_type { CONNECT, SUBSCRIBE, LEAVE, CLOSE };

struct fog_command {
  struct fog_command *next;
  enum command_type type;
  struct fog_session *session; /* a reference */
  struct fog_link_options *options;
  struct fog_event *event, *down;
  char *filter, *properties;
  struct fog_subscription how;
};

static struct {
  pthread_mutex_t lock;
  pthread_cond_t work, ended;
  struct fog_command *head, **tail;
  struct fog_session *ready, **ready_tail; /* each holds a reference */
  size_t sessions;
  size_t closing; /* CLOSE commands not carried out yet */
  bool running;
  bool joinable; /* a thread that ended, or will, and was not joined */
  pthread_t thread;
  bool at_exit;
  pid_t pid;                                 /* where Paho was first used; 0: nowhere */
  const struct fog_session *over_websockets; /* the one that may be; NULL: none is */
} d = {.lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};

void fog_link_options_free(struct fog_link_options *o) {
  if (o == NULL) return;
  if (o->ca_file != NULL) fog_memory_file_close(o->ca_fd, o->ca_file);
  if (o->password != NULL) explicit_bzero(o->password, o->password_len);
  if (o->key_password != NULL) explicit_bzero(o->key_password, strlen(o->key_password));
  char *texts[] = {o->uri,          o->client_id,  o->username,       o->password,     o->ca_file,
                   o->ca_path,      o->cert_file,  o->key_file,       o->key_password, o->will_topic,
                   o->will_payload, o->properties, o->will_properties};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) free(texts[i]);
  free(o);
}

static void command_free(struct fog_command *c) {
  if (c->event != NULL) c->event->release(c->event);
  if (c->down != NULL) c->down->release(c->down);
  if (c->session != NULL) fog_session_unref(c->session);
  fog_link_options_free(c->options);
  free(c->filter);
  free(c->properties);
  free(c);
}

static struct fog_command *command_new(enum command_type type, struct fog_session *s, enum fog_event_type event) {
  struct fog_command *c = calloc(1, sizeof *c);
  if (c == NULL) return NULL;
  c->type = type;
  c->event = fog_event_new(event, s->id);
  if (c->event == NULL) {
    free(c);
    return NULL;
  }
  c->session = fog_session_ref(s);
  return c;
}

static void run_connect(struct fog_command *c) {
  fog_link_connect(c->session, c->options, c->event, c->down);
  c->options = NULL;
  c->event = c->down = NULL;
}

static void run_subscribe(struct fog_command *c) {
  struct fog_subscribing *sub = malloc(sizeof *sub);
  if (sub == NULL) {
    c->event->code = MQTTASYNC_FAILURE;
    fog_queue_push(c->session->events, c->event);
  } else {
    sub->session = fog_session_ref(c->session);
    sub->event = c->event;
    fog_link_subscribe(c->session, sub, c->filter, &c->how);
  }
  c->event = NULL;
}

static void run_close(struct fog_command *c) {
  struct fog_session *s = c->session;
  struct fog_message *m;
  fog_link_end(s);
  while ((m = fog_outbox_drop(&s->outbox)) != NULL) {
    m->event.code = MQTTASYNC_DISCONNECTED;
    m->event.flag = true; /* dropped, not failed */
    fog_queue_push(s->events, &m->event);
  }
  fog_queue_push(s->events, c->event);
  c->event = NULL;
  (void)pthread_mutex_lock(&d.lock);
  d.sessions--;
  d.closing--;
  if (d.over_websockets == s) d.over_websockets = NULL;
  (void)pthread_cond_broadcast(&d.ended);
  (void)pthread_mutex_unlock(&d.lock);
}

static void run(struct fog_command *c) {
  switch (c->type) {
    case CONNECT:
      run_connect(c);
      break;
    case SUBSCRIBE:
      run_subscribe(c);
      break;
    case LEAVE:
      fog_link_end(c->session);
      break;
    case CLOSE:
      run_close(c);
      break;
  }
  command_free(c);
}

/* True: one of them sends a stream of messages, and stands on the list again. */
static bool feed_all(struct fog_session *list) {
  bool stream = false;
  while (list != NULL) {
    struct fog_session *s = list;
    list = s->next_ready;
    atomic_store(&s->ready, false); /* before feeding: what comes from now on puts it on the list again */
    if (fog_link_feed(s)) {
      fog_dispatcher_feed(s);
      stream = true;
    }
    fog_session_unref(s);
  }
  return stream;
}

/* In a stream of messages: lets some come together, which then take one write instead of one each, and saves the
 * publisher a wake-up for each. */
static void rest(void) {
  static const struct timespec moment = {.tv_nsec = REST_NS};
  (void)nanosleep(&moment, NULL);
}

/* Under the lock: waits for work and takes it. False when the last session is gone. */
static bool take_work(struct fog_command **commands, struct fog_session **ready) {
  while (d.head == NULL && d.ready == NULL && d.sessions > 0) (void)pthread_cond_wait(&d.work, &d.lock);
  *commands = d.head;
  d.head = NULL;
  d.tail = &d.head;
  *ready = d.ready;
  d.ready = NULL;
  d.ready_tail = &d.ready;
  return *commands != NULL || *ready != NULL || d.sessions > 0;
}

static void *dispatch(void *arg) {
  struct fog_command *commands;
  struct fog_session *ready;
  MQTTAsync anchor = fog_link_anchor();
  (void)arg;
  (void)pthread_mutex_lock(&d.lock);
  for (;;) {
    while (take_work(&commands, &ready)) {
      (void)pthread_mutex_unlock(&d.lock);
      while (commands != NULL) {
        struct fog_command *c = commands;
        commands = c->next;
        run(c);
      }
      if (feed_all(ready)) rest();
      (void)pthread_mutex_lock(&d.lock);
    }
    if (anchor == NULL) break;
    (void)pthread_mutex_unlock(&d.lock);
    fog_link_anchor_free(
        anchor); /* stops Paho's threads, which takes a moment: somebody may open a session meanwhile */
    anchor = NULL;
    (void)pthread_mutex_lock(&d.lock);
  }
  d.running = false;
  (void)pthread_cond_broadcast(&d.ended);
  (void)pthread_mutex_unlock(&d.lock);
  return NULL;
}

/* Gives goodbyes that are under way a moment, so that the broker hears DISCONNECT and not a broken link. */
static void finish_at_exit(void) {
  struct timespec end;
  if (fog_process_forked(d.pid)) return;
  (void)clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += EXIT_WAIT_MS / 1000;
  (void)pthread_mutex_lock(&d.lock);
  while (d.running && (d.closing > 0 || d.sessions == 0)) {
    if (pthread_cond_timedwait(&d.ended, &d.lock, &end) == ETIMEDOUT) break;
  }
  bool ended = !d.running && d.joinable;
  (void)pthread_mutex_unlock(&d.lock);
  if (ended) (void)pthread_join(d.thread, NULL);
}

/* Under the lock. */
static int start_thread(void) {
  if (d.joinable) (void)pthread_join(d.thread, NULL); /* it has ended but for its return */
  d.joinable = false;
  d.tail = &d.head;
  d.ready_tail = &d.ready;
  if (fog_process_thread(&d.thread, dispatch, NULL) != 0) return FOG_ENOTHREAD;
  d.running = d.joinable = true;
  if (!d.at_exit) d.at_exit = atexit(finish_at_exit) == 0;
  return FOG_OK;
}

int fog_dispatcher_open(struct fog_session *s) {
  int rc = FOG_OK;
  if (d.pid != 0 && fog_process_forked(d.pid)) return FOG_EFORKED;
  s->goodbye = command_new(CLOSE, s, FOG_EV_CLOSED); /* now, so that closing cannot fail */
  if (s->goodbye == NULL) return FOG_ENOMEMORY;
  (void)pthread_mutex_lock(&d.lock);
  d.pid = getpid();
  if (!d.running) rc = start_thread();
  if (rc == FOG_OK) d.sessions++;
  (void)pthread_mutex_unlock(&d.lock);
  if (rc != FOG_OK) {
    command_free(s->goodbye);
    s->goodbye = NULL;
  }
  return rc;
}

bool fog_dispatcher_claim_websockets(const struct fog_session *s) {
  (void)pthread_mutex_lock(&d.lock);
  bool mine = d.over_websockets == NULL || d.over_websockets == s;
  if (mine) d.over_websockets = s;
  (void)pthread_mutex_unlock(&d.lock);
  return mine;
}

static int submit(struct fog_command *c) {
  (void)pthread_mutex_lock(&d.lock);
  if (c->type == CLOSE) d.closing++;
  *d.tail = c;
  d.tail = &c->next;
  (void)pthread_cond_signal(&d.work);
  (void)pthread_mutex_unlock(&d.lock);
  return FOG_OK;
}

int fog_dispatcher_connect(struct fog_session *s, struct fog_link_options *o) {
  struct fog_command *c = command_new(CONNECT, s, FOG_EV_CONNECTED);
  if (c != NULL) c->down = fog_event_new(FOG_EV_LOST, s->id);
  if (c == NULL || c->down == NULL) {
    fog_link_options_free(o);
    if (c != NULL) command_free(c);
    return FOG_ENOMEMORY;
  }
  c->options = o;
  return submit(c);
}

/* False without memory. */
static bool copy_subscription(struct fog_command *c, const char *filter, const struct fog_subscription *how) {
  c->how = *how;
  c->filter = strdup(filter);
  if (how->properties_len == 0) return c->filter != NULL;
  c->properties = malloc(how->properties_len);
  if (c->properties != NULL) memcpy(c->properties, how->properties, how->properties_len);
  c->how.properties = c->properties;
  return c->filter != NULL && c->properties != NULL;
}

int fog_dispatcher_subscribe(struct fog_session *s, uint64_t token, const char *filter,
                             const struct fog_subscription *how) {
  struct fog_command *c = command_new(SUBSCRIBE, s, FOG_EV_SUBSCRIBED);
  if (c == NULL || !copy_subscription(c, filter, how)) {
    if (c != NULL) command_free(c);
    return FOG_ENOMEMORY;
  }
  c->event->id = token;
  return submit(c);
}

int fog_dispatcher_leave(struct fog_session *s) {
  struct fog_command *c = command_new(LEAVE, s, FOG_EV_LOST);
  return c == NULL ? FOG_ENOMEMORY : submit(c);
}

void fog_dispatcher_close(struct fog_session *s) {
  struct fog_command *c = s->goodbye;
  if (c == NULL || fog_process_forked(d.pid)) return;
  s->goodbye = NULL;
  (void)submit(c);
}

void fog_dispatcher_feed(struct fog_session *s) {
  if (atomic_exchange(&s->ready, true)) return;
  (void)fog_session_ref(s);
  (void)pthread_mutex_lock(&d.lock);
  s->next_ready = NULL;
  *d.ready_tail = s;
  d.ready_tail = &s->next_ready;
  (void)pthread_cond_signal(&d.work);
  (void)pthread_mutex_unlock(&d.lock);
}

bool fog_dispatcher_flushed(struct fog_session *s) { return fog_direct_flushed(s); }

const char *fog_dispatcher_paho_version(void) {
  for (const MQTTAsync_nameValue *v = MQTTAsync_getVersionInfo(); v->name != NULL; v++) {
    if (strcmp(v->name, "Version") == 0) return v->value;
  }
  return "unknown";
}

bool fog_dispatcher_paho_guarded(void) {
#ifdef FOG_PAHO_LEAN
  return true;
#else
  return false;
#endif
}

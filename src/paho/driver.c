/* SPDX-License-Identifier: MIT
 *
 * Commands travel as errands to the one thread that calls Paho (thread_loop.c): each is made by Lua's thread and freed
 * by that one. What a session needs to be fed and to be closed is made when it is opened, so that neither can fail.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "../base/error.h"
#include "../mqtt/thread_loop.h"
#include "paho.h"

#define OWNER(errand, type, member) ((type *)(void *)((char *)(errand) - (offsetof(type, member))))

struct command {
  struct fog_errand errand;
  struct paho *to;
  struct fog_link_options *options;
  struct fog_ask *ask;
};

/* The thread -------------------------------------------------------------------------------------------------------*/

static void run_connect(struct fog_errand *errand) {
  struct command *c = OWNER(errand, struct command, errand);
  paho_link_connect(c->to, c->options);
  free(c);
}

static void run_subscribe(struct fog_errand *errand) {
  struct command *c = OWNER(errand, struct command, errand);
  paho_link_subscribe(c->to, c->ask);
  free(c);
}

static void run_leave(struct fog_errand *errand) {
  struct command *c = OWNER(errand, struct command, errand);
  paho_link_end(c->to, true);
  free(c);
}

static void run_feed(struct fog_errand *errand) {
  struct paho *p = OWNER(errand, struct paho, feed);
  atomic_store(&p->fed, false); /* before feeding: what comes from now on posts it again */
  paho_link_feed(p);
}

static void drop_waiting(struct paho *p) {
  (void)pthread_mutex_lock(&p->lock);
  fog_outbox_take(&p->session->outbox, &p->waiting);
  while (p->waiting.head != NULL) {
    struct fog_message *m = p->waiting.head;
    fog_message_remove(&p->waiting, m);
    paho_end_message(p, m, 0, true);
  }
  (void)pthread_mutex_unlock(&p->lock);
}

/* Nothing of Paho's knows the session any more, and a feed that was posted before has run. */
static void let_go(struct fog_errand *errand) {
  struct paho *p = OWNER(errand, struct paho, end);
  struct fog_session *s = p->session;
  drop_waiting(p);
  fog_queue_push(s->events, p->closed);
  fog_thread_loop_leave();
  (void)pthread_mutex_destroy(&p->lock);
  free(p);
  fog_session_unref(s);
}

static void run_end(struct fog_errand *errand) {
  struct paho *p = OWNER(errand, struct paho, end);
  paho_link_end(p, !p->silently);
  p->end.run = let_go;
  fog_loop_post(p->loop, &p->end); /* behind the last feed */
}

void paho_wake(struct paho *p) {
  if (!atomic_exchange(&p->fed, true)) fog_loop_post(p->loop, &p->feed);
}

/* Commands ---------------------------------------------------------------------------------------------------------*/

static struct command *new_command(struct fog_session *s, void (*run)(struct fog_errand *)) {
  struct command *c = calloc(1, sizeof *c);
  if (c == NULL) return NULL;
  c->errand.run = run;
  c->to = s->of_driver;
  return c;
}

static int post(struct command *c) {
  fog_loop_post(c->to->loop, &c->errand);
  return FOG_OK;
}

static int paho_open(struct fog_session *s) {
  struct paho *p = calloc(1, sizeof *p);
  struct fog_event *closed = fog_event_new(FOG_EV_CLOSED, s->id);
  int rc = p == NULL || closed == NULL ? FOG_ENOMEMORY : fog_thread_loop_enter(&p->loop, NULL);
  if (rc != FOG_OK) {
    if (closed != NULL) closed->release(closed);
    free(p);
    return rc;
  }
  (void)pthread_mutex_init(&p->lock, NULL);
  p->feed.run = run_feed;
  p->end.run = run_end;
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
  return post(c);
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
  return post(c);
}

static void paho_feed(struct fog_session *s) { paho_wake(s->of_driver); }

static int paho_authenticate(struct fog_session *s, const char *properties, size_t len) {
  (void)s, (void)properties, (void)len;
  return FOG_OK; /* refused before: can.authenticate is false */
}

static int paho_leave(struct fog_session *s, enum fog_leave how, const struct fog_goodbye *goodbye) {
  struct paho *p = s->of_driver;
  (void)goodbye; /* can.goodbye is false */
  if (fog_thread_loop_forked()) return FOG_EFORKED;
  if (how == FOG_LEAVE) {
    struct command *c = new_command(s, run_leave);
    return c == NULL ? FOG_ENOMEMORY : post(c);
  }
  p->silently = how == FOG_END_SILENTLY;
  fog_thread_loop_end(&p->end);
  return FOG_OK;
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

/* SPDX-License-Identifier: MIT
 *
 * Commands travel to the session's loop as errands: each is made by Lua's thread and freed by the loop's, which is one
 * of its own (thread_loop.c) or Lua's itself, later (caller_loop.c). What a session needs to be fed and to be closed is
 * made when it is opened, so that neither can fail.
 */
#include "native.h"

#include <openssl/crypto.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/error.h"
#include "../base/process.h"
#include "caller_loop.h"
#include "link.h"
#include "thread_loop.h"

enum { LINGER_MS = 200 };

/* The driver's state of a session: freed by the loop's thread once the session has ended. */
struct native {
  struct fog_link link;
  struct fog_errand feed, end;
  atomic_bool fed; /* stands in the mailbox */
  bool silently;
  struct fog_event *closed;
  struct fog_caller_loop *caller; /* whose loop it is; NULL: the thread's */
};

static atomic_int used_by; /* the process that opened a session first; 0: none has */

#define OWNER(errand, type, member) ((type *)(void *)((char *)(errand) - (offsetof(type, member))))

/* The loop's thread ------------------------------------------------------------------------------------------------*/

static void run_feed(struct fog_errand *errand) {
  struct native *s = OWNER(errand, struct native, feed);
  atomic_store(&s->fed, false); /* before feeding: what comes from now on posts it again */
  fog_link_feed(&s->link);
}

/* After the turn in which the link has ended: nobody calls into it any more. */
static void let_go(struct fog_errand *errand) {
  struct native *s = OWNER(errand, struct native, end);
  struct fog_session *session = s->link.session;
  struct fog_caller_loop *caller = s->caller;
  fog_link_destroy(&s->link);
  fog_queue_push(session->events, s->closed);
  if (caller != NULL)
    fog_caller_loop_leave(caller);
  else
    fog_thread_loop_leave();
  fog_session_unref(session);
  free(s);
}

/* Waits, in further turns, until a DISCONNECT is out; the link's own bound ends that. */
static void run_end(struct fog_errand *errand) {
  static const struct fog_goodbye NORMAL = {0, NULL, 0};
  struct native *s = OWNER(errand, struct native, end);
  if (!s->silently) fog_link_leave(&s->link, &NORMAL);
  if (s->silently || s->link.state == FOG_NONE) {
    s->end.run = let_go;
    fog_loop_defer(s->link.loop, &s->end);
  } else {
    s->link.after_leaving = &s->end; /* called again once it is out */
  }
}

/* Commands ---------------------------------------------------------------------------------------------------------*/

/* One that was sent to the loop. */
struct command {
  struct fog_errand errand;
  struct native *to;
  struct fog_link_options *options;
  struct fog_ask *ask;
  size_t len;
  uint8_t reason;
  char bytes[];
};

static struct command *new_command(struct fog_session *s, void (*run)(struct fog_errand *), const char *bytes,
                                   size_t len) {
  struct command *c = calloc(1, sizeof *c + len);
  if (c == NULL) return NULL;
  c->errand.run = run;
  c->to = s->of_driver;
  c->len = len;
  if (len > 0) memcpy(c->bytes, bytes, len);
  return c;
}

static int post(struct command *c) {
  fog_loop_post(c->to->link.loop, &c->errand);
  return FOG_OK;
}

static void run_connect(struct fog_errand *errand) {
  struct command *c = OWNER(errand, struct command, errand);
  fog_link_connect(&c->to->link, c->options);
  free(c);
}

static int native_connect(struct fog_session *s, struct fog_link_options *o) {
  struct command *c = new_command(s, run_connect, NULL, 0);
  if (c == NULL || !fog_link_options_prepare(o, s->id)) {
    free(c);
    fog_link_options_free(o);
    return FOG_ENOMEMORY;
  }
  c->options = o;
  return post(c);
}

static void run_subscribe(struct fog_errand *errand) {
  struct command *c = OWNER(errand, struct command, errand);
  fog_link_subscribe(&c->to->link, c->ask);
  free(c);
}

static int native_subscribe(struct fog_session *s, uint64_t token, const char *filter,
                            const struct fog_subscription *how) {
  struct command *c = new_command(s, run_subscribe, NULL, 0);
  if (c != NULL) c->ask = fog_ask_new(s, token, filter, how);
  if (c == NULL || c->ask == NULL) {
    free(c);
    return FOG_ENOMEMORY;
  }
  return post(c);
}

static void run_authenticate(struct fog_errand *errand) {
  struct command *c = OWNER(errand, struct command, errand);
  fog_link_authenticate(&c->to->link, (struct fog_bytes){c->bytes, c->len});
  explicit_bzero(c->bytes, c->len);
  free(c);
}

static int native_authenticate(struct fog_session *s, const char *properties, size_t len) {
  struct command *c = new_command(s, run_authenticate, properties, len);
  return c == NULL ? FOG_ENOMEMORY : post(c);
}

static void native_feed(struct fog_session *s) {
  struct native *own = s->of_driver;
  if (!atomic_exchange(&own->fed, true)) fog_loop_post(own->link.loop, &own->feed);
}

static void run_leave(struct fog_errand *errand) {
  struct command *c = OWNER(errand, struct command, errand);
  fog_link_leave(&c->to->link, &(struct fog_goodbye){c->reason, c->bytes, c->len});
  free(c);
}

static void post_end(struct native *own, bool silently) {
  own->silently = silently;
  if (own->caller != NULL)
    fog_caller_loop_end(own->caller, &own->end);
  else
    fog_thread_loop_end(&own->end);
}

static int native_leave(struct fog_session *s, enum fog_leave how, const struct fog_goodbye *goodbye) {
  if (fog_process_forked(atomic_load(&used_by))) return FOG_EFORKED;
  if (how == FOG_LEAVE || goodbye != NULL) {
    size_t len = goodbye == NULL ? 0 : goodbye->properties_len;
    struct command *c = new_command(s, run_leave, goodbye == NULL ? NULL : goodbye->properties, len);
    if (c == NULL && how == FOG_LEAVE) return FOG_ENOMEMORY;
    if (c != NULL) {
      c->reason = goodbye == NULL ? 0 : goodbye->reason;
      (void)post(c);
    }
  }
  if (how != FOG_LEAVE) post_end(s->of_driver, how == FOG_END_SILENTLY);
  return FOG_OK;
}

/* Opening ----------------------------------------------------------------------------------------------------------*/

/* The thread's last call. What the other sides have not read yet, of goodbyes, has a short bounded while; whoever opens
 * a session meanwhile waits as long. */
static void tidy(struct fog_loop *loop) {
  int64_t began = fog_loop_now(loop);
  while (fog_loop_watched(loop) > 0 && fog_loop_now(loop) - began < LINGER_MS)
    (void)fog_loop_turn(loop, LINGER_MS / 10);
  fog_connection_forget();
  OPENSSL_thread_stop();
}

/* Counts it in, where it is to be served. */
static int enter(struct fog_session *s, struct fog_loop **loop) {
  pid_t pid = atomic_load(&used_by);
  if (pid != 0 && fog_process_forked(pid)) return FOG_EFORKED;
  atomic_store(&used_by, getpid());
  if (s->caller == NULL) return fog_thread_loop_enter(loop, tidy);
  *loop = fog_caller_loop_enter(s->caller);
  return FOG_OK;
}

static int native_open(struct fog_session *s) {
  struct native *own = calloc(1, sizeof *own);
  struct fog_event *closed = fog_event_new(FOG_EV_CLOSED, s->id);
  struct fog_loop *loop = NULL;
  int rc = own == NULL || closed == NULL ? FOG_ENOMEMORY : enter(s, &loop);
  if (rc != FOG_OK) {
    if (closed != NULL) closed->release(closed);
    free(own);
    return rc;
  }
  fog_link_init(&own->link, loop, fog_session_ref(s));
  own->feed.run = run_feed;
  own->end.run = run_end;
  own->closed = closed;
  own->caller = s->caller;
  s->of_driver = own;
  return FOG_OK;
}

static const char *native_version(void) { return "0.2"; }

const struct fog_driver fog_native = {
    .name = "native",
    .can = {true, true, true, true, true, true, true, true, NULL},
    .version = native_version,
    .open = native_open,
    .connect = native_connect,
    .subscribe = native_subscribe,
    .feed = native_feed,
    .authenticate = native_authenticate,
    .leave = native_leave,
};

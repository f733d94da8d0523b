/* SPDX-License-Identifier: MIT
 *
 * The core without memory: its n-th allocation fails, for each n until a run needs no more. A run makes an engine, a
 * request, a session that connects, subscribes, publishes and receives, and closes all. Whatever fails, every call ends
 * with an error or a result, what was promised as an event comes, and nothing stays allocated.
 */
#include "../../src/base/error.h"
#include "../../src/binding/engine.h"
#include "../../src/mqtt/native.h"
#include "alloc_table.h"
#include "tiny_server.h"

static void check_now(bool ok, const char *what, long n) { check_at(ok, what, n, ""); }

static double now(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Takes events until one is of the first or second type. False: it did not come in 20 s, which is for ever. */
static bool await(struct fog_engine *e, enum fog_event_type one, enum fog_event_type other, enum fog_event_type *got) {
  for (double end = now() + 20; now() < end;) {
    struct fog_event *ev = fog_engine_next(e);
    if (ev == NULL) {
      fog_engine_wait(e, 100);
      continue;
    }
    *got = ev->type;
    ev->release(ev);
    if (*got == one || *got == other) return true;
  }
  return false;
}

static void request(struct fog_engine *e, long n) {
  char url[64];
  enum fog_event_type got;
  (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/", tiny_port);
  struct fog_http_options o = {.method = "POST",
                               .url = strdup(url),
                               .body = strdup("a=b"),
                               .body_len = 3,
                               .content_type = "Content-Type: text/plain",
                               .authorization = "Authorization: Bearer t",
                               .request_id = "X-Request-Id: 1",
                               .timeout_ms = 5000,
                               .connect_timeout_ms = 5000,
                               .max_body = 100};
  struct fog_http *h = fog_engine_http(e);
  if (h == NULL) fog_http_options_free(&o);
  if (h == NULL) return;
  struct fog_http_request *r = fog_http_request_new(h, fog_engine_new_id(e), &o);
  if (r == NULL) return;
  if (fog_http_submit(h, r) != 0)
    fog_http_request_free(r);
  else
    check_now(await(e, FOG_EV_REPLY, FOG_EV_FAILURE, &got), "a request that was taken over ends", n);
}

static struct fog_link_options *link_options(void) {
  struct fog_link_options *o = calloc(1, sizeof *o);
  o->to = calloc(1, sizeof *o->to);
  o->to->host = strdup("127.0.0.1");
  o->to->port = (uint16_t)tiny_port;
  o->client_id = strdup("c");
  o->username = strdup("u");
  o->password = strdup("p");
  o->password_len = 1;
  o->clean = true;
  o->version = 4;
  o->number = 1;
  o->keepalive_s = 60;
  o->connect_timeout_ms = 2000;
  return o;
}

static void publish(struct fog_session *s, uint8_t qos) {
  bool feed;
  uint64_t id;
  struct fog_message *m =
      fog_message_new((struct fog_bytes){"t", 1}, (struct fog_bytes){"payload", 7}, (struct fog_bytes){NULL, 0});
  if (m == NULL) return;
  m->event.session = s->id;
  m->qos = qos;
  m->notify = true;
  if (fog_outbox_add(&s->outbox, m, &id, &feed) != FOG_ROOM) m->event.release(&m->event);
}

/* Until nothing is queued or the link is lost; a message on its way to a dead link stays queued, which is right. */
static void settle(struct fog_engine *e, struct fog_session *s) {
  struct fog_outbox_stats stats;
  struct fog_message_view v;
  for (double end = now() + 20; now() < end;) {
    struct fog_event *ev = fog_engine_next(e);
    bool lost = ev != NULL && ev->type == FOG_EV_DOWN;
    if (ev != NULL) ev->release(ev);
    while (fog_inbox_next(&s->inbox, &v)) continue;
    fog_outbox_stats(&s->outbox, &stats);
    if (lost || stats.queued == 0 || !atomic_load(&s->up)) return;
    if (ev == NULL) fog_engine_wait(e, 20);
  }
}

static bool callers_thread; /* the sessions have no thread */

static void session(struct fog_engine *e, long n) {
  struct fog_session_limits limits = {.in_count = 100,
                                      .in_bytes = 100000,
                                      .out_count = 100,
                                      .out_bytes = 100000,
                                      .window = 16,
                                      .callers_thread = callers_thread};
  struct fog_subscription how = {.qos = 1};
  enum fog_event_type got = FOG_EV_CLOSED;
  int error;
  struct fog_session *s = fog_engine_session(e, &fog_native, &limits, &error);
  if (s == NULL) return;
  for (uint8_t qos = 0; qos < 3; qos++) publish(s, qos);
  if (s->driver->connect(s, link_options()) == FOG_OK)
    check_now(await(e, FOG_EV_UP, FOG_EV_DOWN, &got), "an attempt to connect ends", n);
  if (got == FOG_EV_UP) {
    bool asked = s->driver->subscribe(s, 1, "t", &how) == FOG_OK;
    if (asked) check_now(await(e, FOG_EV_SUBSCRIBED, FOG_EV_SUBSCRIBED, &got), "a subscription ends", n);
    atomic_store(&s->sending, 1);
    s->driver->feed(s);
    settle(e, s);
  }
  (void)s->driver->leave(s, FOG_END, NULL);
  check_now(await(e, FOG_EV_CLOSED, FOG_EV_CLOSED, &got), "closing ends", n);
  struct fog_outbox_stats stats;
  fog_outbox_stats(&s->outbox, &stats);
  check_now(stats.accepted == stats.acknowledged + stats.failed + stats.dropped + stats.queued, "the identity holds",
            n);
  fog_session_unref(s);
}

static void run(long n) {
  int error = FOG_OK;
  struct fog_engine *e = fog_engine_new(10, &error);
  if (e == NULL) return;
  request(e, n);
  session(e, n);
  fog_engine_free(e);
}

static void fail_each(const char *how) {
  run(0); /* what is allocated once for the process */
  (void)all_freed(0);
  long baseline = live_blocks(), n = 0, need = table.count;
  for (bool more = true; more && n < 10000 && failed == 0;) {
    fail_at(++n);
    run(n);
    more = has_failed();
    fail_at(0);
    check_now(all_freed(baseline), "everything is freed", n);
    passed++;
  }
  printf("%s: %ld allocations failed, one after the other (a run makes about %ld)\n", how, n - 1, need);
  check_now(n > 20, "they were tried", n);
}

int main(void) {
  tiny_server_start();
  fail_each("sessions on their thread");
  callers_thread = true;
  fail_each("sessions on the caller's");
  return finish();
}

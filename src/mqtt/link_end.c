/* SPDX-License-Identifier: MIT
 *
 * The one way out of every state of a link, and what leads there.
 */
#include <stdlib.h>

#include "link.h"

void fog_link_settle(struct fog_link *link) {
  const struct fog_outcome *o = &link->outgoing.outcome;
  if (o->acknowledged + o->failed + o->dropped == 0) return;
  if (fog_outbox_settle(&link->session->outbox, &link->outgoing.outcome, NULL, NULL))
    fog_session_announce(link->session, &link->session->drained);
}

static void clear(struct fog_chunk *c) {
  free(c->data);
  *c = (struct fog_chunk){NULL, 0, 0, 0};
}

static void report_down(struct fog_link *link, const struct fog_loss *loss) {
  struct fog_link_options *o = link->options;
  struct fog_report report = {.link = o->number,
                              .code = loss->code,
                              .flag = o->up == NULL,
                              .kind = loss->kind,
                              .text = loss->text,
                              .properties = loss->properties,
                              .waited_ms = link->tried_ms == 0 ? 0 : fog_loop_now(link->loop) - link->tried_ms,
                              .suspect = fog_outgoing_suspect(&link->outgoing)};
  struct fog_event *down = o->down;
  if (o->up != NULL) o->up->release(o->up);
  o->up = o->down = NULL;
  atomic_store(&link->session->up, 0);
  atomic_store(&link->session->resting, false);
  fog_session_report_down(link->session, down, &report);
}

void fog_link_down(struct fog_link *link, const struct fog_loss *loss) {
  if (link->state == FOG_NONE) return;
  bool linger = link->state == FOG_LEAVING || link->state == FOG_UP;
  link->state = FOG_NONE;
  fog_loop_clear_timer(link->loop, &link->timer);
  fog_loop_clear_timer(link->loop, &link->proof_timer);
  if (link->connection != NULL) fog_connection_close(link->connection, linger);
  link->connection = NULL;
  report_down(link, loss); /* first: it names what had no answer */
  fog_outgoing_lost(&link->outgoing);
  fog_incoming_lost(&link->incoming);
  fog_asks_lost(&link->asks, link->session);
  fog_writer_clear(&link->writer);
  clear(&link->in);
  fog_link_settle(link);
  if (link->after_leaving != NULL) fog_loop_defer(link->loop, link->after_leaving);
  link->after_leaving = NULL;
}

static const char *const KINDS[] = {
    [FOG_CONNECTION_CLOSED] = "closed", [FOG_CONNECTION_NETWORK] = "network",     [FOG_CONNECTION_TLS] = "tls",
    [FOG_CONNECTION_PROXY] = "proxy",   [FOG_CONNECTION_WEBSOCKET] = "websocket", [FOG_CONNECTION_LOCAL] = "local"};

void fog_link_lost(struct fog_link *link, const struct fog_connection_error *error) {
  bool left = link->state == FOG_LEAVING;
  fog_link_down(link, &(struct fog_loss){.kind = left ? "left" : KINDS[error->kind], .text = error->text});
}

void fog_link_no_memory(struct fog_link *link) {
  fog_link_down(link, &(struct fog_loss){.kind = "local", .text = "not enough memory"});
}

/* SPDX-License-Identifier: MIT
 *
 * Bytes out: what has come together is written at once, and the outgoing messages are fed while the system takes it.
 */
#include <stdio.h>

#include "link.h"

enum { BOUND = 65536, ROUNDS = 4 };

bool fog_link_append(struct fog_link *link, const struct fog_packet *p) {
  size_t size = fog_packet_size(link->options->version, p, NULL);
  char *to = size == 0 ? NULL : fog_writer_room(&link->writer, size);
  if (to == NULL) {
    fog_link_no_memory(link);
    return false;
  }
  fog_writer_add(&link->writer, fog_packet_encode(link->options->version, p, to, size));
  return true;
}

/* Writes what the writer has. 1: all of it; 0: the system takes no more now; -1: the stream is at its end. */
static int try_write(struct fog_link *link, struct fog_connection_error *error) {
  struct iovec parts[FOG_WRITER_PARTS];
  while (fog_writer_unsent(&link->writer) > 0) {
    int count = fog_writer_parts(&link->writer, parts);
    size_t unsent = fog_writer_unsent(&link->writer);
    ssize_t n = fog_connection_write(link->connection, parts, count, error);
    if (n < 0) return -1;
    if (n > 0) {
      fog_writer_sent(&link->writer, (size_t)n);
      link->written_ms = fog_loop_now(link->loop);
      fog_outgoing_written(&link->outgoing, &link->writer);
    }
    if ((size_t)n < unsent) return 0;
  }
  return 1;
}

/* The same. False: the system takes no more now, or the link has ended. */
static bool write_out(struct fog_link *link) {
  struct fog_connection_error error;
  int how = try_write(link, &error);
  if (how < 0) fog_link_lost(link, &error);
  return how > 0;
}

/* How many that were sent over this link want an answer. */
static size_t unanswered(const struct fog_link *link) { return link->asks.open.count + link->outgoing.here_count; }

/* Something has gone out that wants an answer. */
static void tried(struct fog_link *link) {
  if (link->proof == FOG_PROOF_LIFTED) return; /* it is what went out alone that is asked after */
  link->tried_ms = fog_loop_now(link->loop);
  if (!link->outgoing.probe) return;
  link->proof = FOG_PROOF_SENT;
  (void)fog_loop_set_timer(link->loop, &link->proof_timer, link->tried_ms + link->options->quiet_ms);
}

/* Appends what may go now. False: no memory. */
static bool feed(struct fog_link *link) {
  size_t before = unanswered(link);
  if (!fog_asks_feed(&link->asks, link->session, &link->outgoing, &link->writer)) return false;
  bool alone = !link->outgoing.probe || fog_asks_idle(&link->asks);
  if (!alone || !fog_session_may_send(link->session))
    fog_link_store(link); /* fed again once it may */
  else if (!fog_outgoing_feed(&link->outgoing, &link->writer, BOUND, fog_loop_now(link->loop)))
    return false;
  if (unanswered(link) > before) tried(link);
  return true;
}

void fog_link_flush(struct fog_link *link) {
  bool more = true;
  for (int round = 0; more && link->state == FOG_UP; round++) {
    if (round == ROUNDS) { /* the others' turn */
      if (!link->again_posted) fog_loop_defer(link->loop, &link->again);
      link->again_posted = true;
      break;
    }
    if (!feed(link)) {
      fog_link_no_memory(link);
      return;
    }
    more = fog_kept_safe(&link->kept) && fog_writer_unsent(&link->writer) > 0 && write_out(link);
  }
  fog_link_settle(link);
  fog_link_retry(link);
  if (link->state == FOG_GREETING || link->state == FOG_LEAVING) {
    bool all = (link->state == FOG_GREETING || fog_kept_safe(&link->kept)) && write_out(link);
    if (all && link->state == FOG_LEAVING)
      fog_link_down(link, &(struct fog_loss){.kind = "left", .text = "left the broker"});
  }
}

void fog_link_fault(struct fog_link *link, enum fog_packet_type type, const struct fog_packet_fault *fault) {
  char text[256];
  struct fog_packet goodbye = {.type = FOG_DISCONNECT, .reason = (uint8_t)fault->reason};
  (void)snprintf(text, sizeof text, "the broker sent a %s that must not be: %s", fog_packet_name(type), fault->text);
  if (link->state == FOG_UP && link->options->version == FOG_MQTT_5) { /* 4.13.1: a DISCONNECT, then the end */
    struct fog_connection_error unheard; /* whether the broker hears of it or not, this is why the link ends */
    if (!fog_link_append(link, &goodbye)) return;
    if (fog_kept_safe(&link->kept)) (void)try_write(link, &unheard);
  }
  fog_link_down(link, &(struct fog_loss){.kind = "protocol", .code = (int)fault->reason, .text = text});
}

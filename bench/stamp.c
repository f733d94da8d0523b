/* SPDX-License-Identifier: MIT
 *
 * Linked into a core for bench/latency.lua only (-Wl,--wrap=…): writes into the payload of a message when it passes two
 * places, so that the handler can tell where the time went. A payload has three moments, MOMENT bytes each: when it was
 * sent, when it was put into the inbox, and when the driver wrote it. Shorter ones stay as they
 * are.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../src/mqtt/inbox.h"
#include "../src/mqtt/publish.h"

enum { MOMENT = 20, INBOX_AT = MOMENT, OUTBOX_AT = 2 * MOMENT };

static void stamp(char *to) {
  char text[MOMENT + 1];
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  (void)snprintf(text, sizeof text, "%010u.%09u", (unsigned)t.tv_sec, (unsigned)t.tv_nsec);
  memcpy(to, text, MOMENT);
}

enum fog_inbox_result __real_fog_inbox_push(struct fog_inbox *b, const struct fog_message_view *m);
enum fog_inbox_result __wrap_fog_inbox_push(struct fog_inbox *b, const struct fog_message_view *m);
enum fog_inbox_result __wrap_fog_inbox_push(struct fog_inbox *b, const struct fog_message_view *m) {
  if (m->payload_len >= INBOX_AT + MOMENT) stamp((char *)(uintptr_t)m->payload + INBOX_AT);
  return __real_fog_inbox_push(b, m);
}

bool __real_fog_publish_write(struct fog_outgoing *o, struct fog_message *m, struct fog_writer *out, int64_t now_ms);
bool __wrap_fog_publish_write(struct fog_outgoing *o, struct fog_message *m, struct fog_writer *out, int64_t now_ms);
bool __wrap_fog_publish_write(struct fog_outgoing *o, struct fog_message *m, struct fog_writer *out, int64_t now_ms) {
  if (m->event.extra_len >= OUTBOX_AT + MOMENT) stamp(m->event.extra + OUTBOX_AT);
  return __real_fog_publish_write(o, m, out, now_ms);
}

/* SPDX-License-Identifier: MIT
 *
 * Makes a journal: journal_maker FILE COUNT. Message n has QoS 1 or 2 in turn; the first is sent, the second released,
 * the third set aside, the fourth expires; the last has bytes that are no text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/durable/store.h"

int main(int argc, char **argv) {
  struct fog_durable *d = NULL;
  struct fog_durable_error error;
  const struct fog_durable_options o = {.full = false};
  if (argc != 3 || fog_durable_open(argv[1], &o, &d, NULL, &error) != FOG_DURABLE_OK) return 1;
  const struct fog_durable_ops *ops = d->head.ops;
  int64_t count = atoll(argv[2]);
  for (int64_t seq = 1; seq <= count; seq++) {
    char payload[32];
    int len = snprintf(payload, sizeof payload, seq == count ? "\xFF%d" : "payload %d", (int)seq);
    struct fog_durable_message m = {.seq = seq, .qos = seq % 2 == 0 ? 2 : 1, .accepted_ms = 1700000000000 + 1000 * seq};
    m.packet_id = (uint16_t)(seq <= 2 ? seq + 10 : 0);
    m.expires_ms = seq == 4 ? m.accepted_ms + 60000 : 0;
    m.topic = (struct fog_bytes){"c2d/dev1/commands", 17};
    m.payload = (struct fog_bytes){payload, (size_t)len};
    if (ops->add(d, &m) != FOG_DURABLE_OK) return 1;
    if (ops->commit(d, &error) != FOG_DURABLE_OK) return 1;
  }
  bool ok =
      ops->released(d, 2) == FOG_DURABLE_OK && ops->set_aside(d, 3, 0x99, "payload format invalid") == FOG_DURABLE_OK;
  ok = ok && ops->commit(d, &error) == FOG_DURABLE_OK;
  ops->release(d);
  return ok ? 0 : 1;
}

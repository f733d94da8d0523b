/* SPDX-License-Identifier: MIT
 *
 * The sandbox's view of MQTT packets: with rules that spoil nothing, what goes in comes out, however it is cut into
 * pieces; with any rules the output stays within its bounds, and no more passes than cut_bytes says.
 * Input: a byte of switches, a byte of rules, then the bytes of the connection.
 */
#include "../src/sandbox/relay_flow.h"
#include "fuzz.h"

static struct fog_relay_rules rules_of(uint8_t b) {
  struct fog_relay_rules r = {.connack = -1, .cut_packets = -1, .cut_bytes = -1};
  if (b & 1) r.cut_packets = b >> 4;
  if (b & 2) r.cut_bytes = b >> 2;
  if (b & 4) r.connack = 5;
  r.mid = (b & 8) != 0;
  r.puback = (enum fog_relay_puback)((b >> 4) % 3);
  return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct fog_flow flow;
  struct input in = {data, size};
  uint8_t switches = take_byte(&in), rule = take_byte(&in);
  struct fog_relay_rules rules = rules_of(rule);
  if ((switches & 1) != 0) rules.puback_delay_ms = 5;
  bool spoils = (rule & 7) != 0 || rules.puback != FOG_PUBACK_PASS || rules.puback_delay_ms > 0;
  double now = 1;
  memset(&flow, 0, sizeof flow);
  flow.from_client = (switches & 2) != 0;
  while (in.left > 0 && !flow.cut && !flow.refuse_login) {
    size_t n = switches >> 2 == 63 ? FOG_FLOW_READ : 1u + (switches >> 2);
    const uint8_t *bytes = take_bytes(&in, &n);
    flow.out_len = 0;
    fog_flow_feed(&flow, bytes, n, now += 0.001, &rules);
    (void)fog_flow_release(&flow, now);
    must(flow.out_len <= sizeof flow.out && flow.head_len <= sizeof flow.head);
    must(flow.connect_len <= sizeof flow.connect);
    if (!spoils) must(flow.out_len == n && memcmp(flow.out, bytes, n) == 0);
    if (rules.puback == FOG_PUBACK_SWALLOW) must(flow.out_len <= n);
    if (rules.cut_bytes >= 0)
      must(flow.passed <= rules.cut_bytes && (flow.cut || flow.refuse_login || flow.passed < rules.cut_bytes));
    if (switches >> 2 == 62) now += 1;
  }
  if (!spoils) must(!flow.cut && !flow.refuse_login);
  (void)fog_flow_version(&flow);
  static char name[FOG_FLOW_CONNECT + 1]; /* longer than the room for it */
  memset(name, 'x', sizeof name - 1);
  must(!fog_flow_is(&flow, name));
  fog_flow_free(&flow);
  return 0;
}

/* SPDX-License-Identifier: MIT
 *
 * Every packet of MQTT 3.1.1 and 5.0 both ways: what is written is what the samples say, byte for byte, and what is
 * read from it are the facts again; cut anywhere it is refused; it goes into no buffer that is too small.
 */
#include "packet_samples.h"

static void writes_and_reads(const struct sample *s) {
  char to[512];
  const char *why = "";
  struct exact wire = from_text(s->wire);
  struct fog_packet p;
  struct fog_packet_fault fault;
  size_t n = fog_packet_encode(s->version, &s->facts, to, sizeof to);
  bool size = fog_packet_size(s->version, &s->facts, &why) == wire.len;
  if (!size) printf("# %s\n", why);
  bool length = fog_packet_length(wire.data, wire.len) == (int64_t)wire.len;
  bool written = n == wire.len && memcmp(to, wire.data, n) == 0;
  bool read = fog_packet_decode(s->version, s->from, wire.data, wire.len, &p, &fault);
  if (!read) printf("# %s\n", fault.text);
  check(size && length && written && read && same_facts(s->version, &p, &s->facts), s->name);
  free(wire.data);
}

/* Refused without a byte read beyond the end: as it was cut, and with a fixed header that fits what is left. Whether a
 * shorter one with the right length may be a whole packet (a payload is a byte shorter), the facts must say. */
static bool cut_is_refused(const struct sample *s, const struct exact *wire, size_t len) {
  struct exact cut = exact_copy(wire->data, len);
  struct fog_packet p;
  struct fog_packet_fault fault;
  bool fine = fog_packet_length(cut.data, len) == (len < 2 ? 0 : (int64_t)wire->len) &&
              !fog_packet_decode(s->version, s->from, cut.data, len, &p, &fault);
  if (len >= 2) {
    cut.data[1] = (char)(len - 2);
    if (fog_packet_decode(s->version, s->from, cut.data, len, &p, &fault))
      fine &= !same_facts(s->version, &p, &s->facts);
  }
  free(cut.data);
  return fine;
}

static void cut_anywhere(void) {
  bool fine = true;
  for (size_t i = 0; i < SAMPLE_COUNT; i++) {
    struct exact wire = from_text(SAMPLES[i].wire);
    for (size_t len = 0; len < wire.len; len++) {
      if (cut_is_refused(&SAMPLES[i], &wire, len)) continue;
      fine = false;
      printf("# %s, cut to %zu\n", SAMPLES[i].name, len);
    }
    free(wire.data);
  }
  check(fine, "a packet cut at any place is refused and not read beyond its end");
}

int main(void) {
  for (size_t i = 0; i < SAMPLE_COUNT; i++) writes_and_reads(&SAMPLES[i]);
  cut_anywhere();
  return finish();
}

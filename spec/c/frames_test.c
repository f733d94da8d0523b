/* SPDX-License-Identifier: MIT
 *
 * Frames of WebSockets, as bytes: any cut of a stream into frames, and of frames into reads; each thing that a server
 * must not send; lengths at their limits.
 */
#include "../../src/mqtt/frames.h"

#include <stdlib.h>
#include <string.h>

#include "tap.h"

enum { ROOM = 400000 };
static char wire[ROOM], got[ROOM], payload[ROOM];
static size_t wire_len, got_len;

static void add(unsigned first, const void *bytes, size_t len) {
  unsigned char head[10] = {(unsigned char)first, (unsigned char)len};
  size_t head_len = 2;
  if (len > 125) {
    bool is_long = len > 65535;
    head[1] = is_long ? 127 : 126;
    head_len = is_long ? 10 : 4;
    for (size_t i = head_len, rest = len; i > 2; rest >>= 8) head[--i] = (unsigned char)rest;
  }
  memcpy(wire + wire_len, head, head_len);
  memcpy(wire + wire_len + head_len, bytes, len);
  wire_len += head_len + len;
}

/* Feeds the wire in pieces of at most `piece` bytes. */
static struct fog_frames feed(size_t piece) {
  struct fog_frames f = {0};
  char *room = malloc(piece);
  if (room == NULL) exit(1);
  got_len = 0;
  for (size_t at = 0; at < wire_len; at += piece) {
    size_t n = piece < wire_len - at ? piece : wire_len - at;
    memcpy(room, wire + at, n);
    size_t len = fog_frames_read(&f, room, n);
    memcpy(got + got_len, room, len);
    got_len += len;
  }
  free(room);
  return f;
}

static void any_framing(void) {
  unsigned seed = 7;
  bool same = true;
  for (size_t i = 0; i < sizeof payload; i++) payload[i] = (char)(i * 31 + i / 251);
  for (int round = 0; round < 300; round++) {
    size_t len = 0, frames = 1 + (size_t)rand_r(&seed) % 12;
    bool inside = false;
    wire_len = 0;
    for (size_t i = 0; i < frames; i++) {
      static const size_t sizes[] = {0, 1, 2, 124, 125, 126, 127, 200, 3000};
      size_t n = sizes[rand_r(&seed) % 9];
      bool fin = rand_r(&seed) % 2 == 0;
      if (rand_r(&seed) % 3 == 0) add(0x89, "are you there?", 14);
      if (rand_r(&seed) % 5 == 0) add(0x8a, "", 0);
      add((fin ? 0x80u : 0) | (inside ? 0 : 2), payload + len, n);
      inside = !fin;
      len += n;
    }
    for (size_t piece = 1; piece < 20; piece += 3) {
      struct fog_frames f = feed(round % 2 == 0 ? piece : piece * 97);
      same = same && f.why == NULL && !f.closed && got_len == len && memcmp(got, payload, len) == 0;
    }
  }
  check(same, "the payload is the same, however it was cut into fragments, frames and reads, with pings between");
}

static void lengths(void) {
  static const size_t sizes[] = {0, 1, 125, 126, 65535, 65536, 300000};
  bool same = true;
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    wire_len = 0;
    add(0x82, payload, sizes[i]);
    struct fog_frames f = feed(4096);
    same = same && f.why == NULL && !f.in_payload && got_len == sizes[i] && memcmp(got, payload, got_len) == 0;
  }
  check(same, "lengths of 7, 16 and 64 bits");
}

static void wrong(const char *bytes, size_t len, const char *why) {
  bool right = true;
  for (size_t piece = 1; piece <= len; piece++) {
    wire_len = 0;
    add(0x82, "first", 5);
    memcpy(wire + wire_len, bytes, len);
    wire_len += len;
    struct fog_frames f = feed(piece);
    bool said = f.why != NULL && strstr(f.why, why) != NULL;
    if (!said) printf("# in pieces of %zu: %s\n", piece, f.why == NULL ? "nothing" : f.why);
    right = right && said && got_len == 5 && memcmp(got, "first", 5) == 0;
    char more[] = "\x82\x01x";
    right = right && fog_frames_read(&f, more, 3) == 0;
  }
  check(right, why);
}

static void refusals(void) {
  wrong("\xc2\x01x", 3, "reserved bits");
  wrong("\xa2\x01x", 3, "reserved bits");
  wrong("\x92\x01x", 3, "reserved bits");
  wrong("\x82\x81mask", 6, "masked");
  wrong("\x81\x01x", 3, "of text");
  wrong("\x83\x01x", 3, "reserved kind");
  wrong("\x87\x01x", 3, "reserved kind");
  wrong("\x8b\x01x", 3, "reserved kind");
  wrong("\x8f\x01x", 3, "reserved kind");
  wrong("\x09\x01x", 3, "in fragments");
  wrong("\x89\x7e\x00\x7e", 4, "more than 125 bytes");
  wrong("\x88\x01x", 3, "close frame of one byte");
  wrong("\x80\x01x", 3, "fragment of no message");
  wrong("\x02\x00\x82\x01x", 5, "message inside another");
  wrong("\x82\x7e\x00\x7d", 4, "shortest form");
  wrong("\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", 10, "shortest form");
  wrong("\x82\x7f\x00\x00\x00\x00\x40\x00\x00\x01", 10, "more than 1 GiB");
  wrong("\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", 10, "more than 1 GiB");
  wrong("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10, "more than 1 GiB");
}

static void controls(void) {
  const char *reason;
  size_t len;
  wire_len = 0;
  add(0x89, "one", 3);
  add(0x89, payload, 125);
  struct fog_frames f = feed(3);
  check(f.ping && f.ping_len == 125 && memcmp(f.pinged, payload, 125) == 0, "the last ping is the one to answer");
  wire_len = 0;
  add(0x02, "abc", 3);
  add(0x88, "\x03\xe9going away", 12);
  add(0x80, "never", 5);
  f = feed(5);
  check(f.closed && got_len == 3 && fog_frames_close_code(&f, &reason, &len) == 1001 && len == 10 &&
            memcmp(reason, "going away", 10) == 0,
        "a close with code and reason; nothing is read behind it");
  wire_len = 0;
  add(0x88, "", 0);
  f = feed(1);
  check(f.closed && fog_frames_close_code(&f, &reason, &len) == 1005 && len == 0, "a close without");
}

/* A frame of ours, read by the letter of RFC 6455, 5.2. */
static void written(void) {
  static const size_t sizes[] = {0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 125, 126, 127, 1000, 16376, 65535};
  const unsigned char mask[4] = {0x12, 0xab, 0x00, 0xff};
  bool right = true;
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    size_t len = sizes[i];
    char *at = wire + FOG_FRAME_HEAD;
    char *head = fog_frames_head(at, FOG_FRAME_BINARY, len, mask);
    fog_frames_mask(at, payload, len, mask, 0);
    const unsigned char *h = (const unsigned char *)head;
    size_t said = h[1] & 0x7fu;
    if (said == 126) said = (size_t)h[2] << 8 | h[3];
    right = right && h[0] == 0x82 && (h[1] & 0x80) && said == len && at - head == (len < 126 ? 6 : 8) &&
            memcmp(at - 4, mask, 4) == 0;
    for (size_t j = 0; j < len; j++) right = right && (char)((unsigned char)at[j] ^ mask[j % 4]) == payload[j];
    for (size_t from = 0; from < len && from < 9; from++) { /* in two steps, in place */
      memcpy(got, payload, len);
      fog_frames_mask(got, got, from, mask, 0);
      fog_frames_mask(got + from, got + from, len - from, mask, from);
      right = right && memcmp(got, at, len) == 0;
    }
  }
  check(right, "frames of ours are masked, with their length in its shortest form");
}

int main(void) {
  any_framing();
  lengths();
  refusals();
  controls();
  written();
  return finish();
}

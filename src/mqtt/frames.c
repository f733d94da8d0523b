/* SPDX-License-Identifier: MIT */
#include "frames.h"

#include <string.h>

enum { FIN = 0x80, RESERVED = 0x70, OPCODE = 0x0f, MASKED = 0x80, LENGTH = 0x7f, CONTINUED = 0, TEXT = 1 };
enum { NO_CODE = 1005 };

static bool is_control(const struct fog_frames *f) { return (f->head[0] & 8) != 0; }

/* What the first two bytes must not be; NULL: nothing. */
static const char *wrong(const struct fog_frames *f) {
  unsigned opcode = f->head[0] & OPCODE, len = f->head[1] & LENGTH;
  bool fin = (f->head[0] & FIN) != 0;
  if (f->head[0] & RESERVED) return "a WebSocket frame with reserved bits";
  if (f->head[1] & MASKED) return "a masked WebSocket frame from the server";
  if (opcode == TEXT) return "a WebSocket frame of text";
  if (opcode != CONTINUED && opcode != FOG_FRAME_BINARY && (opcode < FOG_FRAME_CLOSE || opcode > FOG_FRAME_PONG))
    return "a WebSocket frame of a reserved kind";
  if (is_control(f)) {
    if (!fin) return "a WebSocket control frame in fragments";
    if (len > FOG_FRAME_CONTROL) return "a WebSocket control frame of more than 125 bytes";
    if (opcode == FOG_FRAME_CLOSE && len == 1) return "a WebSocket close frame of one byte";
    return NULL;
  }
  if (opcode == CONTINUED && !f->in_message) return "a WebSocket fragment of no message";
  if (opcode != CONTINUED && f->in_message) return "a WebSocket message inside another";
  return NULL;
}

static size_t head_size(const struct fog_frames *f) {
  if (f->head_len < 2) return 2;
  unsigned len = f->head[1] & LENGTH;
  return len == 126 ? 4 : len == 127 ? 10 : 2;
}

static void end_frame(struct fog_frames *f) {
  unsigned opcode = f->head[0] & OPCODE;
  f->in_payload = false;
  f->head_len = 0;
  if (opcode == FOG_FRAME_CLOSE) f->closed = true;
  if (opcode == FOG_FRAME_PING) {
    f->ping = true;
    f->ping_len = f->control_len;
    memcpy(f->pinged, f->control, f->control_len);
  }
  if (!is_control(f)) f->in_message = (f->head[0] & FIN) == 0;
}

/* The head is whole. */
static void begin_frame(struct fog_frames *f) {
  uint64_t len = f->head[1] & LENGTH;
  if (len >= 126) {
    bool is_long = len == 127;
    len = 0;
    for (size_t i = 2; i < head_size(f); i++) len = len << 8 | f->head[i];
    if (len > FOG_FRAME_MAX) f->why = "a WebSocket frame of more than 1 GiB";
    if (len < 126 || (is_long && len <= 65535)) f->why = "a WebSocket length that is not in its shortest form";
  }
  f->left = len;
  f->control_len = 0;
  f->in_payload = true;
  if (len == 0) end_frame(f);
}

static void take_head(struct fog_frames *f, unsigned char byte) {
  f->head[f->head_len++] = byte;
  if (f->head_len == 2) f->why = wrong(f);
  if (f->why == NULL && f->head_len >= 2 && f->head_len == head_size(f)) begin_frame(f);
}

size_t fog_frames_read(struct fog_frames *f, char *bytes, size_t len) {
  size_t out = 0;
  for (size_t at = 0; at < len && f->why == NULL && !f->closed;) {
    if (!f->in_payload) {
      take_head(f, (unsigned char)bytes[at++]);
      continue;
    }
    size_t n = f->left < len - at ? (size_t)f->left : len - at;
    if (is_control(f)) {
      memcpy(f->control + f->control_len, bytes + at, n);
      f->control_len = (uint8_t)(f->control_len + n);
    } else {
      if (out != at) memmove(bytes + out, bytes + at, n);
      out += n;
    }
    at += n;
    f->left -= n;
    if (f->left == 0) end_frame(f);
  }
  return out;
}

unsigned fog_frames_close_code(const struct fog_frames *f, const char **reason, size_t *len) {
  *reason = (const char *)f->control + 2;
  *len = f->control_len < 2 ? 0 : f->control_len - 2u;
  return f->control_len < 2 ? NO_CODE : (unsigned)f->control[0] << 8 | f->control[1];
}

char *fog_frames_head(char *end, unsigned opcode, size_t len, const unsigned char mask[4]) {
  bool is_short = len < 126;
  char *head = end - (is_short ? 6 : 8);
  head[0] = (char)(FIN | opcode);
  head[1] = (char)(MASKED | (is_short ? len : 126));
  if (!is_short) {
    head[2] = (char)(len >> 8);
    head[3] = (char)len;
  }
  memcpy(end - 4, mask, 4);
  return head;
}

/* Eight bytes at a time. */
void fog_frames_mask(char *to, const char *from, size_t len, const unsigned char mask[4], size_t at) {
  unsigned char turned[8];
  uint64_t wide, word;
  size_t i = 0;
  for (size_t j = 0; j < sizeof turned; j++) turned[j] = mask[(at + j) % 4];
  memcpy(&wide, turned, sizeof wide);
  for (; i + sizeof word <= len; i += sizeof word) {
    memcpy(&word, from + i, sizeof word);
    word ^= wide;
    memcpy(to + i, &word, sizeof word);
  }
  for (; i < len; i++) to[i] = (char)((unsigned char)from[i] ^ turned[i % 4]);
}

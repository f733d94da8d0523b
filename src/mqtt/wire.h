/* SPDX-License-Identifier: MIT
 *
 * The numbers and strings of the wire (MQTT 5.0, 1.5): the one reader and the one writer of each. Bytes are shifted, so
 * that nothing depends on the machine. A reader never goes beyond its end.
 */
#ifndef FOG_WIRE_H
#define FOG_WIRE_H

#include <stdbool.h>
#include <string.h>

#include "bytes.h"

struct fog_reader {
  const char *at, *end;
};

static inline struct fog_reader fog_reader_of(struct fog_bytes b) {
  return (struct fog_reader){b.data, b.len > 0 ? b.data + b.len : b.data}; /* no sum with NULL */
}

static inline size_t fog_left(const struct fog_reader *r) { return (size_t)(r->end - r->at); }

/* A number of 1, 2 or 4 bytes. False: cut short; nothing is taken then. */
static inline bool fog_read_number(struct fog_reader *r, int bytes, uint32_t *n) {
  if (r->end - r->at < bytes) return false;
  *n = 0;
  while (bytes-- > 0) *n = *n << 8 | (unsigned char)*r->at++;
  return true;
}

/* A variable byte integer. > 0: the bytes that it took; 0: cut short; -1: longer than four bytes. Nothing is taken
 * then. It is in its shortest form where it is one byte long or its last byte is not 0 (fog_varint_size compares). */
static inline int fog_read_varint(struct fog_reader *r, uint32_t *n) {
  *n = 0;
  for (int i = 0; i < 4; i++) {
    if (r->end - r->at <= i) return 0;
    unsigned char byte = (unsigned char)r->at[i];
    *n |= (uint32_t)(byte & 127) << (7 * i);
    if (byte < 128) {
      r->at += i + 1;
      return i + 1;
    }
  }
  return -1;
}

/* So many bytes as they are. */
static inline bool fog_read_slice(struct fog_reader *r, size_t len, struct fog_bytes *b) {
  if (fog_left(r) < len) return false;
  *b = (struct fog_bytes){r->at, len};
  r->at += len;
  return true;
}

/* A string or binary data: a length of two bytes before it. */
static inline bool fog_read_bytes(struct fog_reader *r, struct fog_bytes *b) {
  uint32_t len;
  return fog_read_number(r, 2, &len) && fog_read_slice(r, len, b);
}

static inline int fog_varint_size(uint32_t n) { return n < 128 ? 1 : n < 16384 ? 2 : n < 2097152 ? 3 : 4; }

/* Each returns the end of what it wrote. */
static inline char *fog_write_number(char *to, uint32_t n, int bytes) {
  while (bytes-- > 0) *to++ = (char)(unsigned char)(n >> (8 * bytes));
  return to;
}

static inline char *fog_write_varint(char *to, uint32_t n) {
  for (; n > 127; n >>= 7) *to++ = (char)(unsigned char)(n | 128);
  *to++ = (char)n;
  return to;
}

static inline char *fog_write_slice(char *to, struct fog_bytes b) {
  if (b.len > 0) memcpy(to, b.data, b.len);
  return to + b.len;
}

/* At most 65,535 bytes. */
static inline char *fog_write_bytes(char *to, struct fog_bytes b) {
  return fog_write_slice(fog_write_number(to, (uint32_t)b.len, 2), b);
}

#endif

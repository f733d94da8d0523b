/* SPDX-License-Identifier: MIT
 *
 * What the tests of the codec share: bytes written down as text, and exact copies.
 */
#ifndef FOG_PACKETS_H
#define FOG_PACKETS_H

#include <stdlib.h>
#include <string.h>

#include "../../src/mqtt/properties.h"
#include "packet_facts.h"
#include "tap.h"

/* A slice of a literal. Versions of clang-format write it in different ways. */
/* clang-format off */
#define B(literal) {literal, sizeof(literal) - 1}
/* clang-format on */

/* Bytes in an allocation of just their size, so that a sanitizer sees whoever reads beyond it. */
struct exact {
  char *data;
  size_t len;
};

static inline struct exact exact_copy(const char *data, size_t len) {
  struct exact e = {malloc(len), len};
  if (len > 0) memcpy(e.data, data, len);
  return e;
}

/* "10 0004'MQTT'": hexadecimal digits, two a byte, and characters between apostrophes. */
static inline struct exact from_text(const char *text) {
  char bytes[512];
  size_t n = 0;
  for (const char *p = text; *p != '\0'; p++) {
    if (*p == ' ') continue;
    if (*p == '\'') {
      for (p++; *p != '\''; p++) bytes[n++] = *p;
      continue;
    }
    char two[3] = {p[0], p[1], '\0'};
    bytes[n++] = (char)strtoul(two, NULL, 16);
    p++;
  }
  return exact_copy(bytes, n);
}

#endif

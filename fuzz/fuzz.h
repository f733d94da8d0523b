/* SPDX-License-Identifier: MIT
 *
 * What the targets share: an input read piece by piece, and a claim that ends the run when it is false. A target is
 * one file; its header comment says what it claims.
 * It takes what it needs out of the archives that the Makefile makes of the sources.
 */
#ifndef FOG_FUZZ_H
#define FOG_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(claim)                                                       \
  do {                                                                    \
    if (!(claim)) {                                                       \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim); \
      abort();                                                            \
    }                                                                     \
  } while (0)

struct input {
  const uint8_t *at;
  size_t left;
};

/* The next byte; 0 after the end. */
static inline uint8_t take_byte(struct input *in) {
  if (in->left == 0) return 0;
  in->left--;
  return *in->at++;
}

/* At most n bytes; *n becomes what there are. */
static inline const uint8_t *take_bytes(struct input *in, size_t *n) {
  const uint8_t *at = in->at;
  if (*n > in->left) *n = in->left;
  in->at += *n;
  in->left -= *n;
  return at;
}

/* The bytes up to the next newline, which is taken too, as a malloc'ed C string of *n bytes. */
static inline char *take_line(struct input *in, size_t *n) {
  const uint8_t *end = in->left == 0 ? NULL : memchr(in->at, '\n', in->left);
  *n = end == NULL ? in->left : (size_t)(end - in->at);
  char *line = malloc(*n + 1);
  must(line != NULL);
  if (*n > 0) memcpy(line, take_bytes(in, n), *n);
  line[*n] = '\0';
  (void)take_byte(in);
  return line;
}

#endif

/* SPDX-License-Identifier: MIT */
#include "handled.h"

#include <stdlib.h>

enum { FIRST_CAP = 256 };

static bool get(const struct fog_handled *h, uint64_t number) {
  size_t bit = (size_t)(number & (h->cap - 1));
  return (h->bits[bit / 8] >> (bit % 8) & 1) != 0;
}

static void put(struct fog_handled *h, uint64_t number, bool on) {
  size_t bit = (size_t)(number & (h->cap - 1));
  uint8_t mask = (uint8_t)(1u << (bit % 8));
  h->bits[bit / 8] = (uint8_t)(on ? h->bits[bit / 8] | mask : h->bits[bit / 8] & ~mask);
}

static bool grow(struct fog_handled *h) {
  struct fog_handled larger = {h->taken, h->watermark, NULL, h->cap == 0 ? FIRST_CAP : h->cap * 2};
  larger.bits = calloc(larger.cap / 8, 1);
  if (larger.bits == NULL) return false;
  for (uint64_t n = h->watermark + 1; n <= h->taken; n++) put(&larger, n, get(h, n));
  free(h->bits);
  *h = larger;
  return true;
}

bool fog_handled_reserve(struct fog_handled *h) { return h->taken + 1 - h->watermark <= h->cap || grow(h); }

uint64_t fog_handled_take(struct fog_handled *h) { return ++h->taken; }

bool fog_handled_done(struct fog_handled *h, uint64_t number) {
  if (number <= h->watermark || number > h->taken) return false;
  put(h, number, true);
  if (number != h->watermark + 1) return false;
  while (h->watermark < h->taken && get(h, h->watermark + 1)) put(h, ++h->watermark, false);
  return true;
}

void fog_handled_free(struct fog_handled *h) {
  free(h->bits);
  *h = (struct fog_handled){0, 0, NULL, 0};
}

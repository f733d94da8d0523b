/* SPDX-License-Identifier: MIT
 *
 * Which of the messages of QoS 1 and 2 the program has handled. They are numbered as they are taken from the inbox, end
 * in any order, since handlers wait and overlap, and count as handled only together with all before them: so what the
 * driver is told is one number that grows. Lua's thread only.
 */
#ifndef FOG_HANDLED_H
#define FOG_HANDLED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fog_handled {
  uint64_t taken;     /* the number of the last one that was taken */
  uint64_t watermark; /* all up to here are handled */
  uint8_t *bits;      /* a ring: those after the watermark that are handled, one bit each */
  size_t cap;         /* bits; a power of two */
};

/* Makes room for one more, which take then needs. False: no memory. */
bool fog_handled_reserve(struct fog_handled *h);

/* The number of the message that is taken now. */
uint64_t fog_handled_take(struct fog_handled *h);

/* That one is handled. True: the watermark has moved. A number that is not open is ignored. */
bool fog_handled_done(struct fog_handled *h, uint64_t number);

void fog_handled_free(struct fog_handled *h);

#endif

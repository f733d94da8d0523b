/* SPDX-License-Identifier: MIT
 *
 * The bytes of one link that wait to be written. Small packets are copied together, so that many go out with one write;
 * a large payload is written from where it lies. Pure: who writes is link.c.
 *
 *   head | payload | tail: `head` goes first, then what is left of the payload, then `tail`, which becomes the head.
 */
#ifndef FOG_WRITER_H
#define FOG_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct fog_chunk {
  char *data;
  size_t from, len, cap; /* what is unsent stands at data + from, `len` bytes */
};

struct fog_writer {
  struct fog_chunk head, tail;
  const char *payload; /* NULL: none; its owner keeps it until `sent` has passed it */
  size_t payload_len;
  uint64_t accepted, sent; /* bytes so far, of the link */
};

enum { FOG_WRITER_PARTS = 3, FOG_WRITER_LARGE = 16384 };

/* Room for `len` bytes, to be written by the caller and then counted by fog_writer_add. NULL: no memory. */
char *fog_writer_room(struct fog_writer *s, size_t len);
void fog_writer_add(struct fog_writer *s, size_t len);

/* Appends a payload without a copy. Only while fog_writer_may_borrow. */
bool fog_writer_may_borrow(const struct fog_writer *s);
void fog_writer_borrow(struct fog_writer *s, const char *payload, size_t len);

/* How many bytes wait to be written. */
size_t fog_writer_unsent(const struct fog_writer *s);

/* What to write next; the number of parts. */
int fog_writer_parts(const struct fog_writer *s, struct iovec parts[FOG_WRITER_PARTS]);

/* n bytes of that were taken. */
void fog_writer_sent(struct fog_writer *s, size_t n);

/* Forgets all, for the next link; frees what is large. */
void fog_writer_clear(struct fog_writer *s);

#endif

/* SPDX-License-Identifier: MIT
 *
 * The inside of a slot, for paho_lean_sock.c and paho_lean_tls.c only: who may touch what is said in the former.
 */
#ifndef FOG_PAHO_LEAN_SLOT_H
#define FOG_PAHO_LEAN_SLOT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include "paho_lean.h"
#include "paho_lean_guard.h"

#define READ_FIRST ((size_t)4096)    /* grows fourfold when a read fills it: a quiet session stays small */
#define READ_MOST ((size_t)65536)    /* a larger buffer is no faster on loopback */
#define READ_DIRECT ((size_t)8192)   /* a reader who wants this much gets it from the kernel without a copy */
#define WRITE_MOST ((size_t)65536)   /* held while the kernel takes nothing; beyond it Paho is told to wait */
#define WRITE_FLUSH ((size_t)32768)  /* held before a write is made without waiting for the thread to sleep */
#define WRITE_DIRECT ((size_t)16384) /* a packet this large goes out without a copy when nothing is before it */

struct fog_lean {
  _Atomic bool ours, more, stuck, established, connecting, announce;
  _Atomic bool waiting; /* Paho holds a write that was refused or cut short */
  _Atomic int error;    /* errno of a write that failed after it was promised; the next read reports it */
  _Atomic size_t held;  /* bytes of the read buffer from `next` on */
  unsigned char *in;
  size_t in_size, next;
  bool full;         /* the last read filled the buffer */
  size_t part, left; /* paho_lean_sift.c; part: bytes at the front of the read buffer that are held back */
  time_t shown;      /* the second in which Paho got a packet last */
  fog_lean_sink *sink;
  void *context;
  struct fog_guard *guard; /* made with the first write; reads and writes are made under Paho's mutex */
  pthread_mutex_t lock;    /* all that follows */
  int fd;
  uint64_t number;  /* of this connection; 0: no packets of ours any more */
  bool cut;         /* the kernel took a part of a packet, and Paho holds the rest */
  SSL *_Atomic ssl; /* written under the lock; read without it to tell whether a remembered slot is still right */
  bool want_read;   /* OpenSSL must read before it can write on (renegotiation) */
  unsigned char *out;
  size_t out_size, out_from, out_to;
};

/* The read buffer; the reader only. in_ready makes room, more than before where the last read filled it; false
 * without memory. */
/* What the guard says to bytes that came: how many may be handed over. Where that is not all, the next read fails. */
size_t fog_lean_admit(struct fog_lean *s, const unsigned char *bytes, size_t n);

/* Tells the guard of bytes that were taken over for sending. */
void fog_lean_note_sent(struct fog_lean *s, const void *bytes, size_t n);

size_t fog_lean_take(struct fog_lean *s, void *buf, size_t len);

/* Gives the sink what is its own at the front of what is held. True: the rest begins with what Paho should get. False
 * with bytes held: they stay until there is room for an answer. */
bool fog_lean_sift(struct fog_lean *s);

bool fog_lean_in_ready(struct fog_lean *s);
bool fog_lean_in_grow(struct fog_lean *s, size_t size);
void fog_lean_in_filled(struct fog_lean *s, size_t n);

/* Has the kernel acknowledge what was read at once. */
void fog_lean_acknowledge(const struct fog_lean *s);

/* The write buffer; under the lock. accepts makes room for len bytes, by writing where they do not fit: false when Paho
 * has to wait. */
void fog_lean_flush_locked(struct fog_lean *s);
void fog_lean_leave_locked(struct fog_lean *s);
bool fog_lean_accepts(struct fog_lean *s, size_t len);
void fog_lean_append(struct fog_lean *s, const void *data, size_t len);

/* -1 and EAGAIN; notes that Paho waits. */
ssize_t fog_lean_refuse(struct fog_lean *s);

#endif

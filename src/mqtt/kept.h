/* SPDX-License-Identifier: MIT
 *
 * What of a session outlives the process: stands between outgoing.c and incoming.c, which say what happens, and the
 * journal (durable/durable.h), which says when it is on the disk. Without a journal every function does nothing. The
 * driver's thread only.
 *
 *   outbox -> arriving -> (committed) -> waiting, or parked -> waiting
 *
 * A message of QoS 1 or 2 is on the disk before it is sent, and the state that a packet tells the broker of before that
 * packet is written: the link asks fog_kept_safe before it writes. What waits beyond some hundreds of messages is
 * parked: it is on the disk alone, and read back in order as there is room, so a backlog needs no memory. QoS 0 is
 * never on the disk, and does not wait for what is parked.
 *
 * Where the journal cannot be written, what arrives waits, new messages are refused (the journal's own check), and the
 * same is tried again; exchanges under way go on for as long as at least their state can be written.
 */
#ifndef FOG_KEPT_H
#define FOG_KEPT_H

#include "../durable/durable.h"
#include "idmap.h"
#include "outbox.h"

struct fog_kept {
  struct fog_durable *journal; /* a reference; NULL: none */
  const struct fog_durable_ops *ops;
  struct fog_message_list arriving; /* taken from the outbox, not on the disk yet */
  uint64_t parked;                  /* how many are on the disk alone: all of a number above `last` */
  int64_t last;                     /* the number of the last one that is or was in memory */
  size_t held, held_bytes;          /* of QoS 1 and 2 that wait in memory: what is in flight the window bounds */
  size_t most;                      /* of them, from which on others are parked */
  size_t lost;                      /* parked ones that could not be read back, since the last time somebody looked */
  bool urgent;                      /* something must be on the disk before more is written to the broker */
  size_t removed;                   /* what need not, but is to be some day */
  enum fog_durable_code trouble;    /* of the last commit or reading */
  void (*complain)(void *owner, const struct fog_durable_error *error); /* once for each trouble */
  void *owner;
};

void fog_kept_init(struct fog_kept *k, struct fog_durable *journal, size_t window);

/* Commits what can be, and lets go of the journal. What is arriving is appended to `rest`. */
void fog_kept_destroy(struct fog_kept *k, struct fog_message_list *rest);

/* Whose session the journal is of: a malloc'ed client id; NULL: nobody's yet, or no memory. */
char *fog_kept_client(const struct fog_kept *k);
void fog_kept_set_client(struct fog_kept *k, const char *id);

/* Takes what waits in the outbox, brings it to the disk, and appends to `waiting` what is to be in memory. Without a
 * journal it only takes. */
void fog_kept_arrive(struct fog_kept *k, struct fog_outbox *outbox, struct fog_message_list *waiting, int64_t now_ms);

/* Appends parked messages to `to`, where there are some and there is room, or in any case (`anyway`): those that an
 * earlier process had sent have their packet id and what is known of them. False: nothing was appended. */
bool fog_kept_more(struct fog_kept *k, struct fog_message_list *to, bool anyway, int64_t now_ms);

/* Of m, where it is in the journal. False: no memory, and nothing was noted. */
bool fog_kept_sent(struct fog_kept *k, struct fog_message *m);
bool fog_kept_released(struct fog_kept *k, const struct fog_message *m);

/* m is at its end: done, or refused with that code and those properties of the broker's, which sets it aside. */
void fog_kept_done(struct fog_kept *k, struct fog_message *m);
void fog_kept_refused(struct fog_kept *k, struct fog_message *m, int code, struct fog_bytes properties);

/* The broker has forgotten the session: what was in flight is new again. */
void fog_kept_forget(struct fog_kept *k);

/* The ids of messages that were received: as incoming.c has them. False: no memory. */
bool fog_kept_received(struct fog_kept *k, uint16_t id);
bool fog_kept_finished(struct fog_kept *k, uint16_t id);
void fog_kept_clear_received(struct fog_kept *k);
bool fog_kept_load_received(struct fog_kept *k, struct fog_idmap *to);

/* Whether all that the bytes in the writer tell the broker of is on the disk; brings it there. */
bool fog_kept_safe(struct fog_kept *k);

#endif

/* SPDX-License-Identifier: MIT
 *
 * What a session must know after its process has died: a file per session, an SQLite database. Here nothing knows of
 * MQTT's packets, of Lua or of the engine; the engine knows only this header and calls through the table of functions
 * below, so that it is not linked with SQLite. The module fogcloud.durable opens the file and hands the handle over.
 *
 * The messages. One has a number (`seq`), given by whoever publishes, growing; that is the order of sending. A message
 * is queued (on the disk, no packet id), sent (it has an id, and its PUBLISH may have gone out), released (its PUBREL
 * may have gone out) or set aside (the broker does not take it; it waits for a person). Removed ones are forgotten.
 *
 *     add -> queued -> sent -> released -> remove
 *               ^-- forget_ids --+         (or set_aside, from queued and sent)
 *
 * Batches. Every change is taken down in memory and is on the disk once `commit` says so: one transaction for all that
 * came since the last. Nothing that a change stands for may be told to the broker before that. In this order, whatever
 * write the process dies at, the next one goes on with the same exchange:
 *
 *     sent (or add with an id)  before PUBLISH   the next process repeats it with the same id and DUP
 *     released                  before PUBREL    the next process repeats PUBREL and never the message
 *     remove                    after PUBACK, PUBCOMP, in any later batch; before its id is given to another message
 *     received_add              before PUBREC    a repeated PUBLISH is known as one
 *     received_remove           before PUBCOMP   the broker may give the id to a new message from then on
 *
 * A batch that cannot be committed stays: the same commit is tried again later, with whatever came meanwhile. Changes
 * that need no room (all but `add`) are then committed before the rest, so a full disk becomes less full by itself as
 * messages are acknowledged.
 *
 * What is promised. Committed is safe from the death of the process at any moment. From a power cut it is safe with
 * `full` (a sync per commit); without, a power cut may take the last commits away, the file stays whole all the same.
 *
 * Threads. Any thread, one at a time: there is a lock, which is held while the disk is written. `check` takes no lock
 * and never waits for the disk. In a forked child every function fails with FOG_DURABLE_FORKED, and none writes.
 */
#ifndef FOG_DURABLE_H
#define FOG_DURABLE_H

#include <stdbool.h>

#include "../mqtt/bytes.h"

enum fog_durable_code {
  FOG_DURABLE_OK = 0,
  FOG_DURABLE_FULL,   /* no room on the disk, a quota, a limit on the size of files; what is there stays */
  FOG_DURABLE_IO,     /* the system cannot read or write; what was committed stays */
  FOG_DURABLE_MEMORY, /* no memory */
  FOG_DURABLE_GONE,   /* the file was deleted, moved or replaced while it was in use: what is written is lost with us */
  FOG_DURABLE_DAMAGED, /* SQLite finds the file damaged while it is in use; the next opening saves what it can */
  FOG_DURABLE_FORKED,  /* it was opened by the process that this one was forked from */
  FOG_DURABLE_CLOSED,  /* it was closed, or the process is about to exit */
  /* Of opening alone: */
  FOG_DURABLE_IN_USE,  /* another process has it, or this one has it already */
  FOG_DURABLE_FOREIGN, /* no journal, another user's, a folder, a symbolic link: it is left as it is */
  FOG_DURABLE_NEWER    /* written by a later version */
};

/* A code in a word, as Lua has it. */
static inline const char *fog_durable_code_name(int code) {
  static const char *const NAMES[] = {"ok",     "full",   "io",     "memory",  "gone", "damaged",
                                      "forked", "closed", "in_use", "foreign", "newer"};
  return NAMES[code];
}

struct fog_durable_error {
  enum fog_durable_code code;
  bool rest_is_there; /* with FOG_DURABLE_FULL of a commit: all changes but new messages are on the disk */
  char text[512];     /* one line that names the file */
};

enum fog_durable_state { FOG_DURABLE_QUEUED, FOG_DURABLE_SENT, FOG_DURABLE_RELEASED, FOG_DURABLE_SET_ASIDE };

struct fog_durable_message {
  int64_t seq; /* from 1 */
  enum fog_durable_state state;
  uint16_t packet_id; /* of one that is sent or released; else 0 */
  uint8_t qos;        /* 1 or 2 */
  bool retained;
  int64_t accepted_ms; /* when it was published, in ms since 1970 */
  int64_t expires_ms;  /* when it is worth nothing any more; 0: never */
  struct fog_bytes topic, payload, properties;
  uint8_t reason;               /* of one that is set aside: the broker's reason code, 0 where it said none */
  struct fog_bytes reason_text; /* and why, in words */
};

struct fog_durable_counts {
  int64_t last_seq;                /* the largest that is, or was since opening; 0: none */
  uint64_t waiting, waiting_bytes; /* queued, sent and released ones, with what was added and not committed; bytes of
                                      topics, payloads and properties */
  uint64_t in_flight, set_aside;   /* of `waiting` those sent or released; and those set aside, not among them */
  uint64_t received;               /* ids of received messages */
  uint64_t uncommitted;            /* changes that are not on the disk yet */
};

struct fog_durable;

/* Sees one message while a portion is read; its bytes are good until it returns. It must not call into the same handle.
 * False: enough. */
typedef bool (*fog_durable_visit)(void *ctx, const struct fog_durable_message *message);

struct fog_durable_ops {
  /* A reference more, or less; the last closes the file. Release never fails: what is uncommitted then is tried once.
   */
  void (*retain)(struct fog_durable *d);
  void (*release)(struct fog_durable *d);

  /* Whether `publish` may say yes to a message of so many bytes: not where the file is gone or replaced, the process is
   * a forked one, or the disk was full and has no room yet. Any thread, some microseconds, no lock. *error may be NULL
   * here and below. */
  enum fog_durable_code (*check)(struct fog_durable *d, size_t bytes, struct fog_durable_error *error);

  void (*counts)(struct fog_durable *d, struct fog_durable_counts *counts);

  /* Changes. They return FOG_DURABLE_OK, _MEMORY, _FORKED or _CLOSED, and nothing has changed but with the first.
   * add: queued, or sent where packet_id is not 0; the state and the reason in *m do not count. m's bytes stay the
   *   caller's and must stay where they are until a commit succeeds; seq is larger than every one before.
   * sent, released, remove, set_aside: of a seq that is there or was added; of another, harmless.
   * forget_ids: the broker has no session: what was sent is queued again; what was released is done with and removed,
   *   or with `released_too` queued again as well (it may then arrive twice). */
  enum fog_durable_code (*add)(struct fog_durable *d, const struct fog_durable_message *m);
  enum fog_durable_code (*sent)(struct fog_durable *d, int64_t seq, uint16_t packet_id);
  enum fog_durable_code (*released)(struct fog_durable *d, int64_t seq);
  enum fog_durable_code (*remove)(struct fog_durable *d, int64_t seq);
  enum fog_durable_code (*set_aside)(struct fog_durable *d, int64_t seq, uint8_t reason, const char *text);
  enum fog_durable_code (*forget_ids)(struct fog_durable *d, bool released_too);
  enum fog_durable_code (*received_add)(struct fog_durable *d, uint16_t packet_id);
  enum fog_durable_code (*received_remove)(struct fog_durable *d, uint16_t packet_id);
  enum fog_durable_code (*received_clear)(struct fog_durable *d);

  /* Whose session it is: the client id, terminated, "" where none was noted (or it needs more than `room`). set_client
   * is a change like the others. */
  void (*client)(struct fog_durable *d, char *id, size_t room);
  enum fog_durable_code (*set_client)(struct fog_durable *d, const char *id);

  /* Writes down all changes since the last commit that succeeded. FOG_DURABLE_OK: they are there, all of them, and the
   * bytes of added messages may go. Anything else: they wait, see above; a part of them may be there, which makes no
   * difference as nothing was told to anybody. Without changes it does nothing. */
  enum fog_durable_code (*commit)(struct fog_durable *d, struct fog_durable_error *error);

  /* Visits committed messages with seq > after, in order, without those set aside: at most max_count and, but for the
   * first, at most max_bytes (as in waiting_bytes). Changes that are not committed are not seen. A message whose bytes
   * were changed on the disk (each has a check sum) is set aside instead. */
  enum fog_durable_code (*read)(struct fog_durable *d, int64_t after, size_t max_count, size_t max_bytes,
                                fog_durable_visit visit, void *ctx, struct fog_durable_error *error);

  /* The ids that were received, at most `room` of them (65,535 are all there can be); *count says how many. */
  enum fog_durable_code (*received)(struct fog_durable *d, uint16_t *ids, size_t room, size_t *count,
                                    struct fog_durable_error *error);
};

/* Every handle begins with this. What the module's userdata (metatable FOG_DURABLE_CLASS) holds is a pointer to it,
 * NULL once closed; `version` is compared before anything is called. */
enum { FOG_DURABLE_VERSION = 1 };
#define FOG_DURABLE_CLASS "fogcloud.durable"
struct fog_durable_head {
  uint32_t version;
  const struct fog_durable_ops *ops;
};

#endif

/* SPDX-License-Identifier: MIT
 *
 * What the files of this folder share: one open journal. Outside of it nobody but the binding and the tests include it.
 */
#ifndef FOG_DURABLE_STORE_H
#define FOG_DURABLE_STORE_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "file.h"

enum fog_statement {
  FOG_SQL_BEGIN,
  FOG_SQL_COMMIT,
  FOG_SQL_ROLLBACK,
  FOG_SQL_ADD,
  FOG_SQL_SENT,
  FOG_SQL_RELEASED,
  FOG_SQL_ASIDE,
  FOG_SQL_MEASURE, /* how many of a range are there, with how many bytes */
  FOG_SQL_REMOVE,
  FOG_SQL_REMOVE_FLIGHT,
  FOG_SQL_REMOVE_ASIDE,
  FOG_SQL_DONE, /* the next message that is released */
  FOG_SQL_FORGET,
  FOG_SQL_RECEIVED,
  FOG_SQL_RECEIVED_REMOVE,
  FOG_SQL_RECEIVED_CLEAR,
  FOG_SQL_READ, /* without those set aside */
  FOG_SQL_LIST, /* all */
  FOG_SQL_RECEIVED_ALL,
  FOG_SQL_CLIENT,
  FOG_SQL_SET_CLIENT,
  FOG_SQL_PAGES,
  FOG_SQL_UNUSED, /* pages */
  FOG_SQL_ROWS,   /* of zeroes: room.c */
  FOG_SQL_KEEP_ROW,
  FOG_SQL_GIVE_ROW,
  FOG_SQL_RENUMBER,
  FOG_STATEMENTS
};

/* A change of something that is on the disk. */
struct fog_change {
  enum fog_statement kind; /* SENT, RELEASED, ASIDE, FORGET, RECEIVED, RECEIVED_REMOVE, RECEIVED_CLEAR, SET_CLIENT */
  int64_t seq;
  uint16_t id; /* a packet id, a reason code; FORGET: whether released ones are queued again */
  char *text;  /* ASIDE, SET_CLIENT: malloc'ed, or NULL */
};

/* What was not committed yet. */
struct fog_batch {
  struct fog_durable_message *adds;      /* seq ascending; qos FOG_VOID: removed before it came to the disk */
  size_t add_first, add_count, add_room; /* those before add_first are on the disk */
  struct fog_change *changes;
  size_t change_count, change_room;
  int64_t *removed; /* seqs */
  size_t removed_count, removed_room;
};

enum { FOG_VOID = 255 };

struct fog_durable {
  struct fog_durable_head head; /* first: who has a pointer to it has one to this */
  atomic_int references;
  pthread_mutex_t lock; /* over all that follows but claim, which does not change, and full */
  struct fog_claim claim;
  char *wal_path;
  dev_t wal_dev;
  ino_t wal_ino;
  sqlite3 *db; /* NULL: closed */
  sqlite3_stmt *statements[FOG_STATEMENTS];
  int64_t held;     /* pages that the database's file has room for */
  int wal_frames;   /* that were not copied into the database yet */
  int rows, moved;  /* room.c: rows of zeroes; pages to move at once */
  bool lacks_pages; /* the file system had no room for another page of the database */
  bool tight;       /* the last commit found no room: the next one is squeezed from the start */
  struct fog_batch batch;
  struct fog_durable_counts counts; /* of what is on the disk; last_seq of all */
  atomic_int full;         /* 0: no; 1: the last commit found no room; 2: though the system says that there is some */
  atomic_size_t new_bytes; /* of what was added and is not on the disk */
  atomic_llong within;     /* fog_room_within, of when the disk was full */
};

struct fog_durable_options {
  bool full;       /* a sync per commit */
  bool existing;   /* no file is made */
  const char *vfs; /* NULL: SQLite's own */
};

/* What opening found that its user should be told of. */
struct fog_durable_found {
  char damaged[1024]; /* where the damaged file was set aside; "": it was whole */
  uint64_t rescued;   /* messages that were taken over from it */
};

/* Opens or makes the journal at path. FOG_DURABLE_OK: *d is a handle with one reference. found may be NULL. */
enum fog_durable_code fog_durable_open(const char *path, const struct fog_durable_options *options,
                                       struct fog_durable **d, struct fog_durable_found *found,
                                       struct fog_durable_error *error);

/* As ops->read, of all messages, also those set aside. */
enum fog_durable_code fog_durable_list(struct fog_durable *d, int64_t after, size_t max_count, fog_durable_visit visit,
                                       void *ctx, struct fog_durable_error *error);

/* Queues one that was set aside again, behind all others and with a new number, *now. Committed when it returns.
 * FOG_DURABLE_CLOSED with the text "no such message": there is none of that number that is set aside. */
enum fog_durable_code fog_durable_resend(struct fog_durable *d, int64_t seq, int64_t *now,
                                         struct fog_durable_error *error);

/* Closes now, whoever holds a reference: what is uncommitted is tried once. Again: harmless. */
void fog_durable_close(struct fog_durable *d);

/* Inside of this folder ------------------------------------------------------------------------------------------- */

/* gate.c. OK: the lock is held and d is open in this process. Else it is not held. */
enum fog_durable_code fog_durable_enter(struct fog_durable *d, struct fog_durable_error *error);
void fog_durable_leave(struct fog_durable *d);

/* The code and the text of what db failed with. */
enum fog_durable_code fog_durable_sqlite(sqlite3 *db, const char *path, struct fog_durable_error *error);

/* schema.c: settings, tables, statements, counts. false: ask fog_durable_sqlite. */
bool fog_schema_set(sqlite3 *db, bool full);
bool fog_schema_make(sqlite3 *db);
bool fog_schema_prepare(sqlite3 *db, sqlite3_stmt **statements);
bool fog_schema_count(sqlite3 *db, struct fog_durable_counts *counts);
bool fog_schema_count_states(sqlite3 *db, struct fog_durable_counts *counts); /* in_flight, set_aside, received */
bool fog_schema_is_whole(sqlite3 *db, bool *whole); /* *whole means something where true is returned */
/* Gives room back that is not needed any more, so many pages at most. 1: there may be more; 0: no; -1: no room for it
 */
int fog_schema_shrink(sqlite3 *db, int pages);
void fog_schema_limit_wal(sqlite3 *db, int64_t bytes); /* what its file is cut to when it begins anew */

/* Binds, steps and resets; the last result's code. */
int fog_sql_run(struct fog_durable *d, enum fog_statement which);
void fog_sql_bind(struct fog_durable *d, enum fog_statement which, int at, int64_t value);
void fog_sql_bind_bytes(sqlite3_stmt *statement, int at, struct fog_bytes bytes);
/* A row of READ or LIST: what is of the message, and whether it is what was written; then its state. */
bool fog_sql_message(sqlite3_stmt *statement, struct fog_durable_message *m);
void fog_sql_state(sqlite3_stmt *statement, struct fog_durable_message *m);
int64_t fog_message_sum(const struct fog_durable_message *m);

/* notes.c: notes a change (FOG_SQL_REMOVE, too; `text` is copied) or a new message; set_aside is for who has the lock.
 */
enum fog_durable_code fog_batch_note(struct fog_durable *d, const struct fog_change *c, const char *text);
enum fog_durable_code fog_batch_add(struct fog_durable *d, const struct fog_durable_message *m);
enum fog_durable_code fog_batch_set_aside(struct fog_durable *d, int64_t seq, uint8_t reason, const char *text);
void fog_batch_drop(struct fog_batch *batch, size_t changes,
                    size_t removals);          /* the first ones: they are on the disk */
void fog_batch_empty(struct fog_batch *batch); /* all is */
void fog_batch_free(struct fog_batch *batch);

/* batch.c: writes all down. Under the lock. */
enum fog_durable_code fog_batch_commit(struct fog_durable *d, struct fog_durable_error *error);

/* room.c: room on the disk. Under the lock. */
void fog_room_open(struct fog_durable *d);
bool fog_room_close(struct fog_durable *d);      /* whether the next one may need room: fog_claim_reserve_behind */
void fog_room_checkpoint(struct fog_durable *d); /* the WAL is copied, and begins anew */
void fog_room_shrink(struct fog_durable *d);
void fog_room_tighten(struct fog_durable *d, bool tight);
/* Has the pages set aside that the transaction under way will have made the database of. FULL: it must not be made. */
enum fog_durable_code fog_room_hold(struct fog_durable *d, struct fog_durable_error *error);
enum fog_durable_code fog_room_keep(struct fog_durable *d, struct fog_durable_error *error); /* all rows of zeroes */
bool fog_room_give(struct fog_durable *d); /* one less; false: there is none, or it cannot be removed */
int64_t fog_room_within(struct fog_durable *d);
int fog_room_wal(void *d, sqlite3 *db, const char *name, int frames); /* SQLite's hook after a commit */

/* read.c */
enum fog_durable_code fog_durable_read(struct fog_durable *d, int64_t after, size_t max_count, size_t max_bytes,
                                       fog_durable_visit visit, void *ctx, struct fog_durable_error *error);
void fog_durable_client(struct fog_durable *d, char *id, size_t room);
enum fog_durable_code fog_durable_received(struct fog_durable *d, uint16_t *ids, size_t room, size_t *count,
                                           struct fog_durable_error *error);

/* rescue.c: sets the claimed file aside and puts another in its place, with what could be read of it. */
enum fog_durable_code fog_durable_rescue(struct fog_claim *claim, const char *vfs, struct fog_durable_found *found,
                                         struct fog_durable_error *error);
/* What a process left that died in there. Before the file is opened, and under its claim. */
enum fog_durable_code fog_durable_sweep(struct fog_claim *claim, struct fog_durable_error *error);

#endif

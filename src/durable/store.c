/* SPDX-License-Identifier: MIT
 *
 * One journal: opened, asked, closed.
 *
 * A process that ends by exit() (os.exit, the end of main) closes its journals on the way, so that what was taken down
 * is written and no WAL stays behind; one that is killed leaves the WAL, which the next opening reads. In a forked
 * child nothing is closed: SQLite's way of closing would write into the parent's file.
 */
#include "store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

/* What is to be left of the disk for a message to be taken; one that is smaller finds room in the least WAL. */
enum { ROOM_BYTES = 64 * 1024, SMALL_BYTES = 128 * 1024, EXIT_WAIT_S = 2 };

static void count_new(const struct fog_durable *d, struct fog_durable_counts *counts) {
  const struct fog_batch *b = &d->batch;
  for (size_t i = b->add_first; i < b->add_count; i++) {
    const struct fog_durable_message *m = &b->adds[i];
    if (m->qos == FOG_VOID) continue;
    counts->waiting++;
    counts->waiting_bytes += m->topic.len + m->payload.len + m->properties.len;
  }
  counts->uncommitted = b->change_count + b->removed_count + (b->add_count - b->add_first);
}

static void counts(struct fog_durable *d, struct fog_durable_counts *result) {
  *result = (struct fog_durable_counts){0};
  if (fog_durable_enter(d, NULL) != FOG_DURABLE_OK) return;
  *result = d->counts;
  (void)fog_schema_count_states(d->db, result);
  count_new(d, result);
  fog_durable_leave(d);
}

/* Checking ----------------------------------------------------------------------------------------------------------
 */

/* Of the disk, or of what is unused within the file. */
static bool has_room(struct fog_durable *d, size_t bytes) {
  struct statvfs fs;
  if (fstatvfs(d->claim.fd, &fs) != 0) return true; /* the next commit will tell */
  int64_t unused = (int64_t)(fs.f_bavail * (fs.f_frsize != 0 ? fs.f_frsize : fs.f_bsize));
  int64_t wanted = (int64_t)(bytes + atomic_load(&d->new_bytes) + ROOM_BYTES);
  return unused + atomic_load(&d->within) >= wanted && (unused >= wanted || bytes <= SMALL_BYTES);
}

static bool wal_stands(const struct fog_durable *d) {
  struct stat st;
  return lstat(d->wal_path, &st) == 0 && st.st_dev == d->wal_dev && st.st_ino == d->wal_ino;
}

static enum fog_durable_code check(struct fog_durable *d, size_t bytes, struct fog_durable_error *error) {
  const char *path = d->claim.path;
  if (d->claim.pid != getpid()) return fog_durable_enter(d, error);
  if (!fog_claim_stands(&d->claim)) {
    return fog_durable_fail(error, FOG_DURABLE_GONE, "%s was deleted or replaced while it was in use", path);
  }
  if (!wal_stands(d)) {
    return fog_durable_fail(error, FOG_DURABLE_GONE, "%s was deleted or replaced while it was in use", d->wal_path);
  }
  int full = atomic_load(&d->full);
  if (full == 0 || (full == 1 && has_room(d, bytes))) return FOG_DURABLE_OK;
  return fog_durable_fail(error, FOG_DURABLE_FULL, "there is no room on the disk for %s", path);
}

static enum fog_durable_code commit(struct fog_durable *d, struct fog_durable_error *error) {
  enum fog_durable_code code = fog_durable_enter(d, error);
  if (code != FOG_DURABLE_OK) return code;
  code = fog_batch_commit(d, error);
  if (code == FOG_DURABLE_OK) atomic_store(&d->new_bytes, 0);
  if (code == FOG_DURABLE_FULL) atomic_store(&d->within, fog_room_within(d));
  int full = 0;
  if (code == FOG_DURABLE_FULL) full = has_room(d, 0) ? 2 : 1;
  atomic_store(&d->full, full);
  fog_durable_leave(d);
  return code;
}

/* The table ------------------------------------------------------------------------------------------------------- */

static void retain(struct fog_durable *d) { (void)atomic_fetch_add(&d->references, 1); }

static enum fog_durable_code sent(struct fog_durable *d, int64_t seq, uint16_t packet_id) {
  return fog_batch_note(d, &(struct fog_change){.kind = FOG_SQL_SENT, .seq = seq, .id = packet_id}, NULL);
}

static enum fog_durable_code released(struct fog_durable *d, int64_t seq) {
  return fog_batch_note(d, &(struct fog_change){.kind = FOG_SQL_RELEASED, .seq = seq}, NULL);
}

static enum fog_durable_code removed(struct fog_durable *d, int64_t seq) {
  return fog_batch_note(d, &(struct fog_change){.kind = FOG_SQL_REMOVE, .seq = seq}, NULL);
}

static enum fog_durable_code set_aside(struct fog_durable *d, int64_t seq, uint8_t reason, const char *text) {
  return fog_batch_note(d, &(struct fog_change){.kind = FOG_SQL_ASIDE, .seq = seq, .id = reason}, text);
}

static enum fog_durable_code forget_ids(struct fog_durable *d, bool released_too) {
  return fog_batch_note(d, &(struct fog_change){.kind = FOG_SQL_FORGET, .id = released_too}, NULL);
}

static enum fog_durable_code received_add(struct fog_durable *d, uint16_t packet_id) {
  return fog_batch_note(d, &(struct fog_change){.kind = FOG_SQL_RECEIVED, .id = packet_id}, NULL);
}

static enum fog_durable_code received_remove(struct fog_durable *d, uint16_t packet_id) {
  return fog_batch_note(d, &(struct fog_change){.kind = FOG_SQL_RECEIVED_REMOVE, .id = packet_id}, NULL);
}

static enum fog_durable_code received_clear(struct fog_durable *d) {
  return fog_batch_note(d, &(struct fog_change){.kind = FOG_SQL_RECEIVED_CLEAR}, NULL);
}

static enum fog_durable_code set_client(struct fog_durable *d, const char *id) {
  return fog_batch_note(d, &(struct fog_change){.kind = FOG_SQL_SET_CLIENT}, id);
}

static void release(struct fog_durable *d) {
  if (atomic_fetch_sub(&d->references, 1) != 1) return;
  fog_durable_close(d);
  bool ours = d->claim.pid == getpid();
  fog_batch_free(&d->batch);
  if (ours) (void)pthread_mutex_destroy(&d->lock);
  fog_claim_drop(&d->claim);
  free(d->wal_path);
  free(d);
}

static const struct fog_durable_ops OPS = {
    .retain = retain,
    .release = release,
    .check = check,
    .counts = counts,
    .add = fog_batch_add,
    .sent = sent,
    .released = released,
    .remove = removed,
    .set_aside = set_aside,
    .forget_ids = forget_ids,
    .received_add = received_add,
    .received_remove = received_remove,
    .received_clear = received_clear,
    .client = fog_durable_client,
    .set_client = set_client,
    .commit = commit,
    .read = fog_durable_read,
    .received = fog_durable_received,
};

/* Closing --------------------------------------------------------------------------------------------------------- */

static void finalize(struct fog_durable *d) {
  for (int i = 0; i < FOG_STATEMENTS; i++) {
    (void)sqlite3_finalize(d->statements[i]);
    d->statements[i] = NULL;
  }
}

static void close_database(struct fog_durable *d) {
  bool waits = fog_room_close(d);
  finalize(d);
  bool closed = sqlite3_close(d->db) == SQLITE_OK;
  if (closed && waits) fog_claim_reserve_behind(&d->claim);
  d->db = NULL;
}

void fog_durable_close(struct fog_durable *d) {
  if (fog_durable_enter(d, NULL) != FOG_DURABLE_OK) return;
  (void)fog_batch_commit(d, NULL);
  close_database(d);
  fog_durable_leave(d);
}

/* The I/O thread may be at work: what it is in the middle of is waited for, but not for ever. */
static void close_at_exit(struct fog_claim *claim) {
  struct fog_durable *d = (struct fog_durable *)((char *)claim - offsetof(struct fog_durable, claim));
  struct timespec until;
  if (claim->pid != getpid() || clock_gettime(CLOCK_REALTIME, &until) != 0) return;
  until.tv_sec += EXIT_WAIT_S;
  if (pthread_mutex_timedlock(&d->lock, &until) != 0) return;
  if (d->db != NULL) {
    (void)fog_batch_commit(d, NULL);
    close_database(d);
    fog_claim_unnote(claim);
  }
  (void)pthread_mutex_unlock(&d->lock);
}

__attribute__((destructor)) static void at_exit(void) { fog_claim_each(close_at_exit); }

/* Opening --------------------------------------------------------------------------------------------------------- */

static enum fog_durable_code connect(struct fog_durable *d, const struct fog_durable_options *o,
                                     struct fog_durable_error *error) {
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
  bool whole = false;
  if (sqlite3_open_v2(d->claim.path, &d->db, flags, o->vfs) != SQLITE_OK || !fog_schema_set(d->db, o->full) ||
      !fog_schema_make(d->db) || !fog_schema_is_whole(d->db, &whole)) {
    return fog_durable_sqlite(d->db, d->claim.path, error);
  }
  if (!whole) return fog_durable_fail(error, FOG_DURABLE_DAMAGED, "%s is damaged", d->claim.path);
  if (!fog_schema_prepare(d->db, d->statements) || !fog_schema_count(d->db, &d->counts)) {
    return fog_durable_sqlite(d->db, d->claim.path, error);
  }
  return FOG_DURABLE_OK;
}

static void disconnect(struct fog_durable *d) {
  finalize(d);
  (void)sqlite3_close(d->db);
  d->db = NULL;
}

/* The WAL is there from the first look into the database on. */
static enum fog_durable_code watch_wal(struct fog_durable *d, struct fog_durable_error *error) {
  struct stat st;
  if (lstat(d->wal_path, &st) != 0) {
    return fog_durable_fail(error, FOG_DURABLE_IO, "%s: %s", d->wal_path, strerror(errno));
  }
  d->wal_dev = st.st_dev;
  d->wal_ino = st.st_ino;
  return FOG_DURABLE_OK;
}

static enum fog_durable_code open_claimed(struct fog_durable *d, const struct fog_durable_options *o,
                                          struct fog_durable_found *found, struct fog_durable_error *error) {
  enum fog_durable_code code = fog_durable_sweep(&d->claim, error);
  if (code == FOG_DURABLE_OK) code = connect(d, o, error);
  if (code == FOG_DURABLE_DAMAGED) {
    disconnect(d);
    code = fog_durable_rescue(&d->claim, o->vfs, found, error);
    if (code == FOG_DURABLE_OK) code = connect(d, o, error);
  }
  if (code == FOG_DURABLE_OK) {
    fog_room_open(d);
    code = watch_wal(d, error);
  }
  if (code == FOG_DURABLE_OK && !fog_claim_stands(&d->claim)) {
    code = fog_durable_fail(error, FOG_DURABLE_GONE, "%s was replaced while it was opened", d->claim.path);
  }
  if (code != FOG_DURABLE_OK) disconnect(d);
  return code;
}

enum fog_durable_code fog_durable_open(const char *path, const struct fog_durable_options *options,
                                       struct fog_durable **handle, struct fog_durable_found *found,
                                       struct fog_durable_error *error) {
  struct fog_durable_found ignored;
  if (found == NULL) found = &ignored;
  *found = (struct fog_durable_found){.rescued = 0};
  struct fog_durable *d = calloc(1, sizeof *d);
  if (d == NULL) return fog_durable_fail(error, FOG_DURABLE_MEMORY, "%s: no memory", path);
  d->head = (struct fog_durable_head){FOG_DURABLE_VERSION, &OPS};
  atomic_init(&d->references, 1);
  (void)pthread_mutex_init(&d->lock, NULL);
  enum fog_durable_code code = fog_claim_file(path, options->existing, &d->claim, error);
  if (code == FOG_DURABLE_OK) {
    d->wal_path = fog_beside(d->claim.path, "-wal");
    code = d->wal_path != NULL ? open_claimed(d, options, found, error)
                               : fog_durable_fail(error, FOG_DURABLE_MEMORY, "%s: no memory", path);
  }
  if (code == FOG_DURABLE_OK) {
    *handle = d;
  } else {
    release(d);
  }
  return code;
}

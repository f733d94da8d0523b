/* SPDX-License-Identifier: MIT
 *
 * A damaged journal is set aside under another name, and what SQLite can read of it becomes a new one in its place.
 *
 * The steps, so that a process may die between any two of them and the next one loses nothing:
 *
 *   1. FILE.rescuing is made and filled; when it is whole and on the disk it is renamed to FILE.rescued
 *   2. FILE gets a second name, FILE.damaged-<time>
 *   3. FILE-wal is renamed to go with it
 *   4. FILE.rescued is renamed to FILE
 *
 * An opening that finds FILE.rescuing removes it. One that finds FILE.rescued does step 4 where FILE has its second
 * name and no WAL (or, on a file system without hard links, is gone): all else has been done by then. Where not, it
 * begins anew. A WAL is never left beside a database that it does not belong to, since SQLite would take it for its
 * own.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store.h"

/* Places where reading fails are stepped over, one number at a time; from so many on in ever longer steps. */
enum { PATIENCE = 50000, PER_TRANSACTION = 1000, MESSAGE_COLUMNS = 9, NAMES = 100, PRIVATE_MODE = 0600 };

static enum fog_durable_code failed(const struct fog_claim *claim, const char *what, struct fog_durable_error *error) {
  int number = errno;
  return fog_durable_fail(error, fog_durable_code_of(number), "%s is damaged, and %s: %s", claim->path, what,
                          strerror(number));
}

/* Copying --------------------------------------------------------------------------------------------------------- */

struct table {
  const char *read, *write;
  int columns;
};

static const struct table TABLES[] = {
    {"SELECT seq, qos, retained, accepted_ms, expires_ms, topic, properties, payload, sum FROM message WHERE seq > ?1"
     " ORDER BY seq",
     "INSERT OR IGNORE INTO message VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)", 9},
    {"SELECT seq, packet_id, released FROM flight WHERE seq > ?1 ORDER BY seq",
     "INSERT OR IGNORE INTO flight SELECT ?1, ?2, ?3 WHERE EXISTS(SELECT 1 FROM message WHERE seq = ?1)", 3},
    {"SELECT seq, reason, why FROM aside WHERE seq > ?1 ORDER BY seq",
     "INSERT OR IGNORE INTO aside SELECT ?1, ?2, ?3 WHERE EXISTS(SELECT 1 FROM message WHERE seq = ?1)", 3},
    {"SELECT name, value FROM session WHERE name > ?1 ORDER BY name", "INSERT OR IGNORE INTO session VALUES(?1, ?2)",
     2},
    {"SELECT packet_id FROM received WHERE packet_id > ?1 ORDER BY packet_id",
     "INSERT OR IGNORE INTO received VALUES(?1)", 1},
};

struct copying {
  sqlite3 *from, *to;
  sqlite3_stmt *read, *write;
  int columns;
  uint64_t rows; /* of this table */
  bool failed;   /* the new file cannot be written */
};

static bool run_text(sqlite3 *db, const char *sql) { return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK; }

/* A message whose bytes were changed is not taken over: nobody could tell whoever gets it. */
static void copy_row(struct copying *c) {
  struct fog_durable_message m;
  if (c->columns == MESSAGE_COLUMNS && !fog_sql_message(c->read, &m)) return;
  for (int i = 0; i < c->columns; i++) (void)sqlite3_bind_value(c->write, i + 1, sqlite3_column_value(c->read, i));
  int code = sqlite3_step(c->write);
  (void)sqlite3_reset(c->write);
  if (code == SQLITE_CONSTRAINT) return; /* a row that makes no sense */
  c->failed = code != SQLITE_DONE;
  if (!c->failed && ++c->rows % PER_TRANSACTION == 0) c->failed = !run_text(c->to, "COMMIT; BEGIN");
}

/* All rows behind `at`, which becomes the last one's number. True: the end was met, not damage. */
static bool copy_behind(struct copying *c, int64_t *at) {
  (void)sqlite3_bind_int64(c->read, 1, *at);
  int code = SQLITE_ROW;
  while (!c->failed && (code = sqlite3_step(c->read)) == SQLITE_ROW) {
    *at = sqlite3_column_int64(c->read, 0);
    copy_row(c);
  }
  (void)sqlite3_reset(c->read);
  return code == SQLITE_DONE;
}

static void copy_table(struct copying *c) {
  int64_t at = INT64_MIN, step = 1;
  for (int failures = 0; !copy_behind(c, &at) && !c->failed; failures++) {
    if (at == INT64_MIN) at = 0;
    if (failures > PATIENCE) step = step > INT64_MAX / 2 ? INT64_MAX / 2 : 2 * step;
    if (at > INT64_MAX - step) return;
    at += step;
  }
}

static bool copy_all(sqlite3 *from, sqlite3 *to, uint64_t *messages) {
  for (size_t i = 0; i < sizeof TABLES / sizeof *TABLES; i++) {
    struct copying c = {.from = from, .to = to, .columns = TABLES[i].columns};
    bool readable = sqlite3_prepare_v2(from, TABLES[i].read, -1, &c.read, NULL) == SQLITE_OK;
    c.failed = !run_text(to, "BEGIN") || sqlite3_prepare_v2(to, TABLES[i].write, -1, &c.write, NULL) != SQLITE_OK;
    if (readable && !c.failed) copy_table(&c);
    (void)sqlite3_finalize(c.read);
    (void)sqlite3_finalize(c.write);
    if (c.failed || !run_text(to, "COMMIT")) return false;
    if (i == 0) *messages = c.rows;
  }
  return true;
}

/* Steps ----------------------------------------------------------------------------------------------------------- */

/* The damaged one keeps its WAL, as it was found. */
static sqlite3 *open_damaged(const char *path, const char *vfs) {
  sqlite3 *db = NULL;
  if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, vfs) == SQLITE_OK) {
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    (void)run_text(db, "PRAGMA locking_mode=EXCLUSIVE");
  }
  return db;
}

static enum fog_durable_code fill(const struct fog_claim *claim, const char *path, const char *vfs, uint64_t *messages,
                                  struct fog_durable_error *error) {
  sqlite3 *from = open_damaged(claim->path, vfs), *to = NULL;
  enum fog_durable_code code = FOG_DURABLE_OK;
  bool ok = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, vfs) == SQLITE_OK &&
            fog_schema_set(to, true) && fog_schema_make(to) && copy_all(from, to, messages);
  if (!ok) code = fog_durable_sqlite(to, path, error);
  (void)sqlite3_close(from);
  if (sqlite3_close(to) != SQLITE_OK && code == FOG_DURABLE_OK) code = fog_durable_sqlite(to, path, error);
  return code;
}

static void remove_with(const char *path, const char *suffix) {
  char *name = fog_beside(path, suffix);
  if (name != NULL) (void)unlink(name);
  free(name);
}

static void remove_all(const char *path) {
  remove_with(path, "-wal");
  remove_with(path, "-journal");
  remove_with(path, "");
}

static bool is_there(const char *path) {
  struct stat st;
  return lstat(path, &st) == 0;
}

/* Step 1. */
static enum fog_durable_code make_rescued(struct fog_claim *claim, const char *rescued, const char *vfs,
                                          uint64_t *messages, struct fog_durable_error *error) {
  char *path = fog_beside(claim->path, ".rescuing");
  if (path == NULL) return fog_durable_fail(error, FOG_DURABLE_MEMORY, "%s: no memory", claim->path);
  enum fog_durable_code code = FOG_DURABLE_OK;
  errno = EEXIST;
  int fd = is_there(rescued) ? -1 : open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, PRIVATE_MODE);
  if (fd < 0) code = failed(claim, "another cannot be made beside it", error);
  if (fd >= 0) (void)close(fd);
  if (fd >= 0) {
    code = fill(claim, path, vfs, messages, error);
    if (code == FOG_DURABLE_OK && rename(path, rescued) != 0) code = failed(claim, "another cannot be named", error);
    if (code != FOG_DURABLE_OK) remove_all(path);
    fog_sync_folder(path);
  }
  free(path);
  return code;
}

/* An empty one, as this opening makes it, goes. */
static bool move_wal(const char *wal, const char *name) {
  struct stat st;
  if (lstat(wal, &st) != 0) return errno == ENOENT;
  return (st.st_size == 0 ? unlink(wal) : rename(wal, name)) == 0;
}

/* Steps 2 and 3. The name is told in found->damaged. */
static enum fog_durable_code name_damaged(const struct fog_claim *claim, struct fog_durable_found *found,
                                          struct fog_durable_error *error) {
  char stamp[32], suffix[48];
  time_t now = time(NULL);
  struct tm tm;
  (void)strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", gmtime_r(&now, &tm));
  for (int i = 1; i <= NAMES; i++) {
    (void)snprintf(suffix, sizeof suffix, i == 1 ? ".damaged-%s" : ".damaged-%s-%d", stamp, i);
    char *name = fog_beside(claim->path, suffix), *wal = NULL, *wal_name = NULL;
    if (name == NULL) break;
    bool named = link(claim->path, name) == 0 || (errno != EEXIST && !is_there(name) && rename(claim->path, name) == 0);
    if (named) {
      wal = fog_beside(claim->path, "-wal");
      wal_name = fog_beside(name, "-wal");
      named = wal != NULL && wal_name != NULL && move_wal(wal, wal_name);
      (void)snprintf(found->damaged, sizeof found->damaged, "%s", name);
    }
    bool taken = !named && found->damaged[0] == '\0' && errno == EEXIST;
    free(name);
    free(wal);
    free(wal_name);
    if (named) return FOG_DURABLE_OK;
    if (!taken) break;
  }
  return failed(claim, "it cannot be set aside", error);
}

/* Step 4. */
static enum fog_durable_code put_in_place(struct fog_claim *claim, const char *rescued,
                                          struct fog_durable_error *error) {
  int fd = open(rescued, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  bool ok = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && rename(rescued, claim->path) == 0;
  if (!ok) {
    enum fog_durable_code code = failed(claim, "what was saved cannot be put in its place", error);
    if (fd >= 0) (void)close(fd);
    return code;
  }
  fog_claim_move(claim, fd);
  fog_sync_folder(claim->path);
  return FOG_DURABLE_OK;
}

enum fog_durable_code fog_durable_rescue(struct fog_claim *claim, const char *vfs, struct fog_durable_found *found,
                                         struct fog_durable_error *error) {
  char *rescued = fog_beside(claim->path, ".rescued");
  if (rescued == NULL) return fog_durable_fail(error, FOG_DURABLE_MEMORY, "%s: no memory", claim->path);
  enum fog_durable_code code = make_rescued(claim, rescued, vfs, &found->rescued, error);
  if (code == FOG_DURABLE_OK) code = name_damaged(claim, found, error);
  if (code == FOG_DURABLE_OK) code = put_in_place(claim, rescued, error);
  free(rescued);
  return code;
}

/* Whether a process died between steps 2 and 4. */
static bool is_half_done(const struct fog_claim *claim) {
  struct stat st;
  char *wal = fog_beside(claim->path, "-wal");
  bool bare = wal != NULL && !is_there(wal);
  free(wal);
  return bare && fstat(claim->fd, &st) == 0 && (claim->empty || st.st_nlink > 1);
}

enum fog_durable_code fog_durable_sweep(struct fog_claim *claim, struct fog_durable_error *error) {
  char *rescuing = fog_beside(claim->path, ".rescuing"), *rescued = fog_beside(claim->path, ".rescued");
  enum fog_durable_code code = FOG_DURABLE_OK;
  if (rescuing == NULL || rescued == NULL) {
    code = fog_durable_fail(error, FOG_DURABLE_MEMORY, "%s: no memory", claim->path);
  } else {
    if (fog_is_journal(rescuing)) remove_all(rescuing);
    if (fog_is_journal(rescued)) {
      if (is_half_done(claim)) {
        code = put_in_place(claim, rescued, error);
      } else {
        remove_all(rescued);
      }
    }
  }
  free(rescuing);
  free(rescued);
  return code;
}

/* SPDX-License-Identifier: MIT
 *
 * Room on the disk, for the day on which there is none.
 *
 * A change of what is in the journal needs some pages twice: in the WAL, and in the database, into which the WAL must
 * be copied before it can begin anew. A disk is filled by others at any moment, so what changes need is ours
 * beforehand:
 *
 *   of the WAL        the file system sets room aside for some dozens of pages when the journal is opened
 *   of a commit       the pages that the database will have are set aside before it is made, so that the WAL can be
 * copied of the database   rows of zeroes take up some pages. Where a change needs one more and the disk has none, such
 * a row is removed and its pages are used; the rows are back before another message is taken
 *
 * A closed journal has no WAL. Where something waits in it, the same room is set aside behind the end of its file, and
 * the next opening gives that to the WAL. A file system that cannot set room aside (see fog_claim_reserve) leaves only
 * the rows.
 */
#include <string.h>

#include "store.h"

enum { PAGE_BYTES = 4096, BEYOND_PAGES = 64 };

/* The rows of zeroes; a row is this many pages, and comes and goes in a transaction that the least WAL has room for. */
enum { ROWS = 2, ROW_PAGES = 16 };

/* Pages that are moved in one transaction to make the file smaller; and how many such transactions follow a commit. */
enum { MOST_MOVED = 512, LEAST_MOVED = 16, SHRINKS = 4, SHRINKS_APART = 4096 };

/* The WAL's file is cut to this when it begins anew: its usual length, or what was set aside for it. */
enum { WAL_USUAL_BYTES = 1600000 };

static int64_t ask(struct fog_durable *d, enum fog_statement which) {
  sqlite3_stmt *statement = d->statements[which];
  int64_t value = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
  (void)sqlite3_reset(statement);
  return value;
}

int fog_room_wal(void *d, sqlite3 *db, const char *name, int frames) {
  (void)db, (void)name;
  ((struct fog_durable *)d)->wal_frames = frames;
  return SQLITE_OK;
}

/* SQLite cuts the file to what is in it afterwards: what was set aside beyond is given back. */
void fog_room_checkpoint(struct fog_durable *d) {
  if (d->wal_frames > 0) (void)sqlite3_wal_checkpoint_v2(d->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
  d->wal_frames = 0;
  int64_t pages = ask(d, FOG_SQL_PAGES);
  if (d->held > pages) d->held = pages;
}

enum fog_durable_code fog_room_hold(struct fog_durable *d, struct fog_durable_error *error) {
  int64_t pages = ask(d, FOG_SQL_PAGES);
  d->lacks_pages = false;
  if (pages <= d->held) return FOG_DURABLE_OK;
  int64_t wanted = pages + BEYOND_PAGES;
  if (fog_claim_reserve(&d->claim, d->held * PAGE_BYTES, wanted * PAGE_BYTES) != 0) {
    wanted = pages;
    int number = fog_claim_reserve(&d->claim, d->held * PAGE_BYTES, wanted * PAGE_BYTES);
    d->lacks_pages = number != 0;
    if (d->lacks_pages) return fog_durable_fail(error, FOG_DURABLE_FULL, "%s: %s", d->claim.path, strerror(number));
  }
  d->held = wanted;
  return FOG_DURABLE_OK;
}

/* One statement that adds or removes a row of zeroes, by itself. */
static enum fog_durable_code run(struct fog_durable *d, enum fog_statement which, struct fog_durable_error *error) {
  enum fog_durable_code code = FOG_DURABLE_OK;
  bool ok = fog_sql_run(d, FOG_SQL_BEGIN) == SQLITE_DONE && fog_sql_run(d, which) == SQLITE_DONE;
  if (ok) code = fog_room_hold(d, error);
  if (ok && code == FOG_DURABLE_OK) ok = fog_sql_run(d, FOG_SQL_COMMIT) == SQLITE_DONE;
  if (!ok) code = fog_durable_sqlite(d->db, d->claim.path, error);
  if (sqlite3_get_autocommit(d->db) == 0) (void)fog_sql_run(d, FOG_SQL_ROLLBACK);
  return code;
}

enum fog_durable_code fog_room_keep(struct fog_durable *d, struct fog_durable_error *error) {
  enum fog_durable_code code = FOG_DURABLE_OK;
  while (code == FOG_DURABLE_OK && d->rows < ROWS) {
    if (d->tight) fog_room_checkpoint(d);
    code = run(d, FOG_SQL_KEEP_ROW, error);
    d->rows += code == FOG_DURABLE_OK;
  }
  return code;
}

bool fog_room_give(struct fog_durable *d) {
  if (d->rows == 0) return false;
  fog_room_checkpoint(d);
  if (run(d, FOG_SQL_GIVE_ROW, NULL) != FOG_DURABLE_OK) return false;
  d->rows--;
  return true;
}

/* What a message may take before the file has to grow; less than nothing where rows are to come back first. */
int64_t fog_room_within(struct fog_durable *d) {
  return (ask(d, FOG_SQL_UNUSED) - (ROWS - d->rows) * (int64_t)ROW_PAGES) * PAGE_BYTES;
}

static void shrink_apart(struct fog_durable *d) {
  for (int i = 0; i < SHRINKS_APART && fog_schema_shrink(d->db, MOST_MOVED) > 0; i++) continue;
}

void fog_room_open(struct fog_durable *d) {
  d->rows = (int)ask(d, FOG_SQL_ROWS);
  d->moved = MOST_MOVED;
  (void)sqlite3_wal_hook(d->db, fog_room_wal, d);
  fog_room_tighten(d, false);
  d->wal_frames = 1; /* a process that was killed may have left a WAL */
  fog_claim_reserve_wal(&d->claim, d->wal_path);
  shrink_apart(d);
}

bool fog_room_close(struct fog_durable *d) {
  struct fog_durable_counts counts;
  shrink_apart(d);
  return fog_schema_count_states(d->db, &counts) && d->counts.waiting + counts.set_aside + counts.received > 0;
}

void fog_room_tighten(struct fog_durable *d, bool tight) {
  d->tight = tight;
  fog_schema_limit_wal(d->db, tight ? FOG_WAL_BYTES : WAL_USUAL_BYTES);
}

void fog_room_shrink(struct fog_durable *d) {
  int how = 1;
  for (int i = 0; i < SHRINKS && how > 0; i++) {
    how = fog_schema_shrink(d->db, d->moved);
    if (how > 0 && d->moved < MOST_MOVED) d->moved *= 2;
    if (how < 0 && d->moved > LEAST_MOVED) d->moved /= 2; /* no room to move so many at once */
    if (how > 0) fog_room_checkpoint(d);
  }
}

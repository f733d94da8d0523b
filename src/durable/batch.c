/* SPDX-License-Identifier: MIT
 *
 * How a batch comes to the disk.
 *
 * Removals are sorted and taken out in ranges, which is what acknowledgements in order come to: one statement for
 * hundreds. New messages go in portions, a transaction each; the first one takes all changes along. Where there is no
 * room for a portion, the batch is squeezed through what room.c holds for that: changes alone, in portions that fit,
 * the WAL beginning anew before each of them; then new messages one at a time.
 */
#include <stdlib.h>
#include <string.h>

#include "store.h"

enum { PORTION_BYTES = 256 * 1024 };

/* Pages of the WAL from which on it is copied into the database: with a portion the bound of its length. */
enum { CHECKPOINT_PAGES = 256 };

static size_t bytes_of(const struct fog_durable_message *m) {
  return m->topic.len + m->payload.len + m->properties.len;
}

static bool is_done(int code) { return code == SQLITE_DONE || code == SQLITE_ROW; }

/* How many of the range wait, and their bytes, less or more. */
static bool measure(struct fog_durable *d, struct fog_durable_counts *counts, int64_t from, int64_t to, bool more) {
  sqlite3_stmt *statement = d->statements[FOG_SQL_MEASURE];
  fog_sql_bind(d, FOG_SQL_MEASURE, 1, from);
  fog_sql_bind(d, FOG_SQL_MEASURE, 2, to);
  bool ok = sqlite3_step(statement) == SQLITE_ROW;
  if (ok) {
    uint64_t count = (uint64_t)sqlite3_column_int64(statement, 0);
    uint64_t bytes = (uint64_t)sqlite3_column_double(statement, 1);
    counts->waiting += more ? count : -count;
    counts->waiting_bytes += more ? bytes : -bytes;
  }
  (void)sqlite3_reset(statement);
  return ok;
}

static bool remove_range(struct fog_durable *d, struct fog_durable_counts *counts, int64_t from, int64_t to) {
  static const enum fog_statement each[] = {FOG_SQL_REMOVE, FOG_SQL_REMOVE_FLIGHT, FOG_SQL_REMOVE_ASIDE};
  if (!measure(d, counts, from, to, false)) return false;
  for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
    fog_sql_bind(d, each[i], 1, from);
    fog_sql_bind(d, each[i], 2, to);
    if (fog_sql_run(d, each[i]) != SQLITE_DONE) return false;
  }
  return true;
}

static int by_number(const void *a, const void *b) {
  int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
  return (left > right) - (left < right);
}

/* The first `count` of them, by their numbers. */
static bool write_removals(struct fog_durable *d, struct fog_durable_counts *counts, size_t count) {
  struct fog_batch *b = &d->batch;
  if (count == 0) return true;
  qsort(b->removed, b->removed_count, sizeof *b->removed, by_number);
  size_t from = 0;
  for (size_t i = 1; i <= count; i++) {
    if (i < count && b->removed[i] <= b->removed[i - 1] + 1) continue;
    if (!remove_range(d, counts, b->removed[from], b->removed[i - 1])) return false;
    from = i;
  }
  return true;
}

static bool write_forget(struct fog_durable *d, struct fog_durable_counts *counts, bool released_too) {
  sqlite3_stmt *done = d->statements[FOG_SQL_DONE];
  int code = released_too ? SQLITE_DONE : SQLITE_ROW;
  while (code == SQLITE_ROW) {
    code = sqlite3_step(done);
    int64_t seq = code == SQLITE_ROW ? sqlite3_column_int64(done, 0) : 0;
    (void)sqlite3_reset(done);
    if (code == SQLITE_ROW && !remove_range(d, counts, seq, seq)) return false;
  }
  return code == SQLITE_DONE && fog_sql_run(d, FOG_SQL_FORGET) == SQLITE_DONE;
}

static bool write_aside(struct fog_durable *d, struct fog_durable_counts *counts, int64_t seq, uint8_t reason,
                        const char *text) {
  if (!measure(d, counts, seq, seq, false)) return false;
  (void)sqlite3_bind_text(d->statements[FOG_SQL_ASIDE], 3, text, -1, SQLITE_STATIC);
  fog_sql_bind(d, FOG_SQL_ASIDE, 1, seq);
  fog_sql_bind(d, FOG_SQL_ASIDE, 2, reason);
  if (fog_sql_run(d, FOG_SQL_ASIDE) != SQLITE_DONE) return false;
  fog_sql_bind(d, FOG_SQL_REMOVE_FLIGHT, 1, seq);
  fog_sql_bind(d, FOG_SQL_REMOVE_FLIGHT, 2, seq);
  return fog_sql_run(d, FOG_SQL_REMOVE_FLIGHT) == SQLITE_DONE;
}

static bool write_changes(struct fog_durable *d, struct fog_durable_counts *counts, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const struct fog_change *c = &d->batch.changes[i];
    bool ok;
    if (c->kind == FOG_SQL_FORGET) {
      ok = write_forget(d, counts, c->id != 0);
    } else if (c->kind == FOG_SQL_ASIDE) {
      ok = write_aside(d, counts, c->seq, (uint8_t)c->id, c->text);
    } else if (c->kind == FOG_SQL_SET_CLIENT) {
      (void)sqlite3_bind_text(d->statements[c->kind], 3, c->text, -1, SQLITE_STATIC);
      ok = fog_sql_run(d, c->kind) == SQLITE_DONE;
    } else {
      fog_sql_bind(d, c->kind, 1, c->seq);
      fog_sql_bind(d, c->kind, 2, c->id);
      ok = is_done(fog_sql_run(d, c->kind));
    }
    if (!ok) return false;
  }
  return true;
}

static bool write_add(struct fog_durable *d, struct fog_durable_counts *counts, const struct fog_durable_message *m) {
  sqlite3_stmt *statement = d->statements[FOG_SQL_ADD];
  const int64_t numbers[] = {m->seq, m->qos, m->retained, m->accepted_ms, m->expires_ms};
  for (int i = 0; i < 5; i++) fog_sql_bind(d, FOG_SQL_ADD, i + 1, numbers[i]);
  fog_sql_bind_bytes(statement, 6, m->topic);
  fog_sql_bind_bytes(statement, 7, m->properties);
  fog_sql_bind_bytes(statement, 8, m->payload);
  fog_sql_bind(d, FOG_SQL_ADD, 9, fog_message_sum(m));
  if (fog_sql_run(d, FOG_SQL_ADD) != SQLITE_DONE) return false;
  counts->waiting++;
  counts->waiting_bytes += bytes_of(m);
  if (m->state == FOG_DURABLE_SET_ASIDE) return write_aside(d, counts, m->seq, m->reason, m->reason_text.data);
  if (m->state == FOG_DURABLE_QUEUED) return true;
  fog_sql_bind(d, FOG_SQL_SENT, 1, m->seq);
  fog_sql_bind(d, FOG_SQL_SENT, 2, m->packet_id);
  if (fog_sql_run(d, FOG_SQL_SENT) != SQLITE_DONE) return false;
  if (m->state == FOG_DURABLE_SENT) return true;
  fog_sql_bind(d, FOG_SQL_RELEASED, 1, m->seq);
  return fog_sql_run(d, FOG_SQL_RELEASED) == SQLITE_DONE;
}

/* At least one, and no more than a portion. *next: the first that is left. */
static bool write_adds(struct fog_durable *d, struct fog_durable_counts *counts, size_t portion, size_t *next) {
  const struct fog_batch *b = &d->batch;
  size_t bytes = 0, i = b->add_first;
  for (; i < b->add_count && bytes < portion; i++) {
    const struct fog_durable_message *m = &b->adds[i];
    if (m->qos == FOG_VOID) continue;
    if (!write_add(d, counts, m)) return false;
    bytes += bytes_of(m) + sizeof *m;
  }
  *next = i;
  return true;
}

/* What one transaction takes of a batch: its first changes, then its first removals, then new messages of about so many
 * bytes. */
struct portion {
  size_t changes, removals, bytes;
};

static enum fog_durable_code write_all(struct fog_durable *d, struct fog_durable_counts *counts, struct portion p,
                                       size_t *next, struct fog_durable_error *error) {
  bool ok = fog_sql_run(d, FOG_SQL_BEGIN) == SQLITE_DONE && write_changes(d, counts, p.changes) &&
            write_removals(d, counts, p.removals) && write_adds(d, counts, p.bytes, next);
  enum fog_durable_code code = ok ? fog_room_hold(d, error) : FOG_DURABLE_OK;
  if (code != FOG_DURABLE_OK) return code;
  ok = ok && fog_sql_run(d, FOG_SQL_COMMIT) == SQLITE_DONE;
  return ok ? FOG_DURABLE_OK : fog_durable_sqlite(d->db, d->claim.path, error);
}

static enum fog_durable_code transact(struct fog_durable *d, struct portion p, struct fog_durable_error *error) {
  struct fog_batch *b = &d->batch;
  struct fog_durable_counts counts = d->counts;
  size_t next = b->add_first;
  d->lacks_pages = false;
  enum fog_durable_code code = write_all(d, &counts, p, &next, error);
  if (code != FOG_DURABLE_OK) {
    if (sqlite3_get_autocommit(d->db) == 0) (void)fog_sql_run(d, FOG_SQL_ROLLBACK);
    return code;
  }
  d->counts = counts;
  b->add_first = next;
  fog_batch_drop(b, p.changes, p.removals);
  if (d->wal_frames >= CHECKPOINT_PAGES) fog_room_checkpoint(d);
  if (p.removals > 0) fog_room_shrink(d);
  return FOG_DURABLE_OK;
}

static size_t changes_of(const struct fog_batch *b) { return b->change_count + b->removed_count; }
static bool is_empty(const struct fog_batch *b) { return changes_of(b) == 0 && b->add_first == b->add_count; }

/* The first `count` of its changes and removals. */
static struct portion first(const struct fog_batch *b, size_t count) {
  size_t changes = count < b->change_count ? count : b->change_count;
  size_t removals = count - changes < b->removed_count ? count - changes : b->removed_count;
  return (struct portion){.changes = changes, .removals = removals};
}

/* Half as many, until they fit into the WAL; a row of zeroes less, where the database has no page for them. */
static enum fog_durable_code squeeze_changes(struct fog_durable *d, struct fog_durable_error *error) {
  size_t count = changes_of(&d->batch);
  while (changes_of(&d->batch) > 0) {
    fog_room_checkpoint(d);
    enum fog_durable_code code = transact(d, first(&d->batch, count), error);
    if (code == FOG_DURABLE_OK) continue;
    if (code != FOG_DURABLE_FULL) return code;
    if (count > 1 && !d->lacks_pages) {
      if (count > changes_of(&d->batch)) count = changes_of(&d->batch);
      count -= count / 2;
    } else if (!fog_room_give(d)) {
      return code;
    }
  }
  return FOG_DURABLE_OK;
}

static enum fog_durable_code squeeze(struct fog_durable *d, struct fog_durable_error *error) {
  if (!d->tight) fog_room_tighten(d, true);
  enum fog_durable_code code = squeeze_changes(d, error);
  if (error != NULL) error->rest_is_there = code == FOG_DURABLE_OK;
  while (code == FOG_DURABLE_OK && !is_empty(&d->batch)) {
    code = fog_room_keep(d, error);
    fog_room_checkpoint(d);
    if (code == FOG_DURABLE_OK) code = transact(d, (struct portion){.bytes = 1}, error);
  }
  if (code == FOG_DURABLE_OK) fog_room_tighten(d, false);
  return code;
}

static enum fog_durable_code write_down(struct fog_durable *d, struct fog_durable_error *error) {
  const struct fog_batch *b = &d->batch;
  enum fog_durable_code code = FOG_DURABLE_OK;
  while (code == FOG_DURABLE_OK && !is_empty(b)) {
    if (b->add_first < b->add_count) code = fog_room_keep(d, error);
    struct portion all = {b->change_count, b->removed_count, PORTION_BYTES};
    if (code == FOG_DURABLE_OK) code = transact(d, all, error);
  }
  return code;
}

enum fog_durable_code fog_batch_commit(struct fog_durable *d, struct fog_durable_error *error) {
  enum fog_durable_code code = d->tight ? FOG_DURABLE_FULL : write_down(d, error);
  if (code == FOG_DURABLE_FULL) code = squeeze(d, error);
  if (code == FOG_DURABLE_OK) fog_batch_empty(&d->batch);
  return code;
}

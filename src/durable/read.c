/* SPDX-License-Identifier: MIT
 *
 * Reading back: in order, in portions, nothing kept between two calls.
 */
#include <stdio.h>
#include <string.h>

#include "store.h"

static enum fog_durable_code visit_rows(struct fog_durable *d, enum fog_statement which, size_t max_count,
                                        size_t max_bytes, fog_durable_visit visit, void *ctx,
                                        struct fog_durable_error *error) {
  sqlite3_stmt *statement = d->statements[which];
  size_t count = 0, bytes = 0;
  int code = SQLITE_DONE;
  for (bool more = max_count > 0; more;) {
    struct fog_durable_message m;
    code = sqlite3_step(statement);
    if (code != SQLITE_ROW) break;
    bool intact = fog_sql_message(statement, &m);
    fog_sql_state(statement, &m);
    if (!intact && which == FOG_SQL_READ) {
      (void)fog_batch_set_aside(d, m.seq, 0, "its bytes were changed on the disk");
      continue;
    }
    bytes += m.topic.len + m.payload.len + m.properties.len;
    if (count++ > 0 && bytes > max_bytes) break;
    more = visit(ctx, &m) && count < max_count;
  }
  enum fog_durable_code result = FOG_DURABLE_OK;
  if (code != SQLITE_ROW && code != SQLITE_DONE) result = fog_durable_sqlite(d->db, d->claim.path, error);
  (void)sqlite3_reset(statement);
  return result;
}

static enum fog_durable_code read_from(struct fog_durable *d, enum fog_statement which, int64_t after, size_t max_count,
                                       size_t max_bytes, fog_durable_visit visit, void *ctx,
                                       struct fog_durable_error *error) {
  enum fog_durable_code code = fog_durable_enter(d, error);
  if (code != FOG_DURABLE_OK) return code;
  fog_sql_bind(d, which, 1, after);
  code = visit_rows(d, which, max_count, max_bytes, visit, ctx, error);
  fog_durable_leave(d);
  return code;
}

enum fog_durable_code fog_durable_read(struct fog_durable *d, int64_t after, size_t max_count, size_t max_bytes,
                                       fog_durable_visit visit, void *ctx, struct fog_durable_error *error) {
  return read_from(d, FOG_SQL_READ, after, max_count, max_bytes, visit, ctx, error);
}

enum fog_durable_code fog_durable_list(struct fog_durable *d, int64_t after, size_t max_count, fog_durable_visit visit,
                                       void *ctx, struct fog_durable_error *error) {
  return read_from(d, FOG_SQL_LIST, after, max_count, SIZE_MAX, visit, ctx, error);
}

enum fog_durable_code fog_durable_received(struct fog_durable *d, uint16_t *ids, size_t room, size_t *count,
                                           struct fog_durable_error *error) {
  *count = 0;
  enum fog_durable_code result = fog_durable_enter(d, error);
  if (result != FOG_DURABLE_OK) return result;
  sqlite3_stmt *statement = d->statements[FOG_SQL_RECEIVED_ALL];
  int code = SQLITE_DONE;
  while (*count < room && (code = sqlite3_step(statement)) == SQLITE_ROW) {
    ids[(*count)++] = (uint16_t)sqlite3_column_int64(statement, 0);
  }
  if (code != SQLITE_ROW && code != SQLITE_DONE) result = fog_durable_sqlite(d->db, d->claim.path, error);
  (void)sqlite3_reset(statement);
  fog_durable_leave(d);
  return result;
}

void fog_durable_client(struct fog_durable *d, char *id, size_t room) {
  id[0] = '\0';
  if (fog_durable_enter(d, NULL) != FOG_DURABLE_OK) return;
  sqlite3_stmt *statement = d->statements[FOG_SQL_CLIENT];
  if (sqlite3_step(statement) == SQLITE_ROW) {
    const char *text = (const char *)sqlite3_column_text(statement, 0);
    if (text != NULL && strlen(text) < room) (void)snprintf(id, room, "%s", text);
  }
  (void)sqlite3_reset(statement);
  fog_durable_leave(d);
}

/* Behind all others: a new number is what puts it there. What waits to be committed goes first. */
static enum fog_durable_code renumber(struct fog_durable *d, int64_t seq, int64_t *now,
                                      struct fog_durable_error *error) {
  *now = d->counts.last_seq + 1;
  fog_sql_bind(d, FOG_SQL_RENUMBER, 1, seq);
  fog_sql_bind(d, FOG_SQL_RENUMBER, 2, *now);
  bool ok = fog_sql_run(d, FOG_SQL_BEGIN) == SQLITE_DONE && fog_sql_run(d, FOG_SQL_RENUMBER) == SQLITE_DONE;
  bool found = ok && sqlite3_changes(d->db) > 0;
  fog_sql_bind(d, FOG_SQL_REMOVE_ASIDE, 1, seq);
  fog_sql_bind(d, FOG_SQL_REMOVE_ASIDE, 2, seq);
  ok = ok && fog_sql_run(d, FOG_SQL_REMOVE_ASIDE) == SQLITE_DONE && fog_sql_run(d, FOG_SQL_COMMIT) == SQLITE_DONE;
  if (ok && !found) return fog_durable_fail(error, FOG_DURABLE_CLOSED, "no message %lld is set aside", (long long)seq);
  if (ok) return fog_schema_count(d->db, &d->counts) ? FOG_DURABLE_OK : fog_durable_sqlite(d->db, d->claim.path, error);
  enum fog_durable_code code = fog_durable_sqlite(d->db, d->claim.path, error);
  if (sqlite3_get_autocommit(d->db) == 0) (void)fog_sql_run(d, FOG_SQL_ROLLBACK);
  return code;
}

enum fog_durable_code fog_durable_resend(struct fog_durable *d, int64_t seq, int64_t *now,
                                         struct fog_durable_error *error) {
  enum fog_durable_code code = fog_durable_enter(d, error);
  if (code != FOG_DURABLE_OK) return code;
  code = fog_batch_commit(d, error);
  if (code == FOG_DURABLE_OK) code = renumber(d, seq, now, error);
  fog_durable_leave(d);
  return code;
}

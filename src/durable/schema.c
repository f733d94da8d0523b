/* SPDX-License-Identifier: MIT
 *
 * The tables, and all SQL. A message is written once and never changed: what is in flight, and what was set aside, are
 * rows of their own, so that a state costs some bytes however large the payload is.
 *
 * Exclusive locking keeps SQLite's index of the WAL in this process' memory: there is no -shm file, and nothing is
 * mapped that a full disk could take away. Nothing is sorted into temporary files; the WAL itself is the only other
 * file.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store.h"

/* Unused pages from which on they are given back. */
enum { UNUSED_PAGES = 512 };

static const char SETTINGS[] =
    "PRAGMA page_size=4096;"
    "PRAGMA locking_mode=EXCLUSIVE;"
    "PRAGMA temp_store=MEMORY;"
    "PRAGMA mmap_size=0;"
    "PRAGMA cache_size=-4096;"
    "PRAGMA trusted_schema=OFF;"
    "PRAGMA cell_size_check=ON;"
    "PRAGMA secure_delete=FAST;"; /* else each page that becomes free is written once more, where there may be no room
                                   */

static const char TABLES[] =
    "BEGIN;" /* no more, or auto_vacuum could not be set any more */
    "PRAGMA auto_vacuum=INCREMENTAL;"
    "PRAGMA application_id=1179600714;" /* FOG_JOURNAL_ID */
    "PRAGMA user_version=1;"            /* FOG_JOURNAL_VERSION */
    "CREATE TABLE message(seq INTEGER PRIMARY KEY, qos INTEGER NOT NULL, retained INTEGER NOT NULL,"
    " accepted_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, topic BLOB NOT NULL, properties BLOB NOT NULL,"
    " payload BLOB NOT NULL, sum INTEGER NOT NULL);"
    "CREATE TABLE flight(seq INTEGER PRIMARY KEY, packet_id INTEGER NOT NULL, released INTEGER NOT NULL);"
    "CREATE TABLE aside(seq INTEGER PRIMARY KEY, reason INTEGER NOT NULL, why TEXT NOT NULL);"
    "CREATE TABLE received(packet_id INTEGER PRIMARY KEY);"
    "CREATE TABLE session(name INTEGER PRIMARY KEY, value TEXT NOT NULL);" /* 1: the client id; others: room.c */
    "COMMIT;";

#define COLUMNS                                                                                     \
  "m.seq, m.qos, m.retained, m.accepted_ms, m.expires_ms, m.topic, m.properties, m.payload, m.sum," \
  " f.packet_id, f.released, a.reason, a.why FROM message m"                                        \
  " LEFT JOIN flight f ON f.seq = m.seq LEFT JOIN aside a ON a.seq = m.seq WHERE m.seq > ?1"
#define BYTES "length(topic) + length(properties) + length(payload)"

static const char MEASURE[] = "SELECT count(*), total(" BYTES
                              ") FROM message"
                              " WHERE seq BETWEEN ?1 AND ?2 AND seq NOT IN (SELECT seq FROM aside)";

static const char *const SQL[FOG_STATEMENTS] = {
    [FOG_SQL_BEGIN] = "BEGIN",
    [FOG_SQL_COMMIT] = "COMMIT",
    [FOG_SQL_ROLLBACK] = "ROLLBACK",
    [FOG_SQL_ADD] = "INSERT INTO message VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [FOG_SQL_SENT] =
        "INSERT OR REPLACE INTO flight SELECT ?1, ?2, 0 WHERE EXISTS(SELECT 1 FROM message WHERE seq = ?1)",
    [FOG_SQL_RELEASED] = "UPDATE flight SET released = 1 WHERE seq = ?1",
    [FOG_SQL_ASIDE] =
        "INSERT OR REPLACE INTO aside SELECT ?1, ?2, ?3 WHERE EXISTS(SELECT 1 FROM message WHERE seq = ?1)",
    [FOG_SQL_MEASURE] = MEASURE,
    [FOG_SQL_REMOVE] = "DELETE FROM message WHERE seq BETWEEN ?1 AND ?2",
    [FOG_SQL_REMOVE_FLIGHT] = "DELETE FROM flight WHERE seq BETWEEN ?1 AND ?2",
    [FOG_SQL_REMOVE_ASIDE] = "DELETE FROM aside WHERE seq BETWEEN ?1 AND ?2",
    [FOG_SQL_DONE] = "SELECT seq FROM flight WHERE released <> 0 LIMIT 1",
    [FOG_SQL_FORGET] = "DELETE FROM flight",
    [FOG_SQL_RECEIVED] = "INSERT OR IGNORE INTO received VALUES(?2)",
    [FOG_SQL_RECEIVED_REMOVE] = "DELETE FROM received WHERE packet_id = ?2",
    [FOG_SQL_RECEIVED_CLEAR] = "DELETE FROM received",
    [FOG_SQL_READ] = "SELECT " COLUMNS " AND a.seq IS NULL ORDER BY m.seq",
    [FOG_SQL_LIST] = "SELECT " COLUMNS " ORDER BY m.seq",
    [FOG_SQL_RECEIVED_ALL] = "SELECT packet_id FROM received",
    [FOG_SQL_CLIENT] = "SELECT value FROM session WHERE name = 1",
    [FOG_SQL_SET_CLIENT] = "INSERT OR REPLACE INTO session VALUES(1, ?3)",
    [FOG_SQL_PAGES] = "PRAGMA page_count",
    [FOG_SQL_UNUSED] = "PRAGMA freelist_count",
    [FOG_SQL_ROWS] = "SELECT count(*) FROM session WHERE name > 1",
    [FOG_SQL_KEEP_ROW] = "INSERT INTO session SELECT max(1, ifnull(max(name), 1)) + 1, zeroblob(64000) FROM session",
    [FOG_SQL_GIVE_ROW] = "DELETE FROM session WHERE name > 1 AND name = (SELECT max(name) FROM session)",
    [FOG_SQL_RENUMBER] = "UPDATE message SET seq = ?2 WHERE seq = ?1 AND EXISTS(SELECT 1 FROM aside WHERE seq = ?1)",
};

static int run_text(sqlite3 *db, const char *sql) { return sqlite3_exec(db, sql, NULL, NULL, NULL); }

bool fog_schema_set(sqlite3 *db, bool full) {
  if (run_text(db, SETTINGS) != SQLITE_OK) return false;
  return run_text(db, full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL") == SQLITE_OK;
}

/* The one integer that a query gives. */
static bool ask(sqlite3 *db, const char *sql, int64_t *value) {
  sqlite3_stmt *statement = NULL;
  if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) return false;
  *value = 0;
  bool ok = sqlite3_step(statement) == SQLITE_ROW;
  if (ok) *value = sqlite3_column_int64(statement, 0);
  return sqlite3_finalize(statement) == SQLITE_OK && ok;
}

/* The one text that a query gives is this one. */
static bool answers(sqlite3 *db, const char *sql, const char *expected, bool *same) {
  sqlite3_stmt *statement = NULL;
  if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) return false;
  *same = false;
  if (sqlite3_step(statement) == SQLITE_ROW) {
    const char *text = (const char *)sqlite3_column_text(statement, 0);
    *same = text != NULL && strcmp(text, expected) == 0;
  }
  return sqlite3_finalize(statement) == SQLITE_OK;
}

/* In one transaction of a rollback journal, so that the first bytes of the file say what it is from then on. */
bool fog_schema_make(sqlite3 *db) {
  int64_t tables = 0;
  bool wal = false;
  if (!ask(db, "SELECT count(*) FROM sqlite_master", &tables)) return false;
  if (tables == 0 && run_text(db, TABLES) != SQLITE_OK) return false;
  return answers(db, "PRAGMA journal_mode=WAL", "wal", &wal) && wal;
}

bool fog_schema_prepare(sqlite3 *db, sqlite3_stmt **statements) {
  for (int i = 0; i < FOG_STATEMENTS; i++) {
    if (sqlite3_prepare_v3(db, SQL[i], -1, SQLITE_PREPARE_PERSISTENT, &statements[i], NULL) != SQLITE_OK) return false;
  }
  return true;
}

static bool is_damage(int code) { return (code & 0xFF) == SQLITE_CORRUPT || (code & 0xFF) == SQLITE_NOTADB; }

bool fog_schema_is_whole(sqlite3 *db, bool *whole) {
  *whole = false;
  int64_t others = 0; /* triggers and views, which would run with our statements */
  if (!answers(db, "PRAGMA quick_check(1)", "ok", whole)) return is_damage(sqlite3_errcode(db));
  if (!ask(db, "SELECT count(*) FROM sqlite_master WHERE type <> 'table'", &others)) return false;
  *whole = *whole && others == 0;
  return true;
}

bool fog_schema_count_states(sqlite3 *db, struct fog_durable_counts *counts) {
  int64_t in_flight = 0, aside = 0, received = 0;
  if (!ask(db, "SELECT count(*) FROM flight", &in_flight) || !ask(db, "SELECT count(*) FROM aside", &aside) ||
      !ask(db, "SELECT count(*) FROM received", &received)) {
    return false;
  }
  counts->in_flight = (uint64_t)in_flight;
  counts->set_aside = (uint64_t)aside;
  counts->received = (uint64_t)received;
  return true;
}

bool fog_schema_count(sqlite3 *db, struct fog_durable_counts *counts) {
  sqlite3_stmt *statement = NULL;
  static const char WAITING[] = "SELECT count(*), total(" BYTES
                                ") FROM message"
                                " WHERE seq NOT IN (SELECT seq FROM aside)";
  if (!fog_schema_count_states(db, counts) || !ask(db, "SELECT max(seq) FROM message", &counts->last_seq)) return false;
  if (sqlite3_prepare_v2(db, WAITING, -1, &statement, NULL) != SQLITE_OK) return false;
  if (sqlite3_step(statement) == SQLITE_ROW) {
    counts->waiting = (uint64_t)sqlite3_column_int64(statement, 0);
    counts->waiting_bytes = (uint64_t)sqlite3_column_double(statement, 1);
  }
  return sqlite3_finalize(statement) == SQLITE_OK;
}

/* Where more than half of some megabytes is free; some at a time, since what is moved goes through the WAL. */
int fog_schema_shrink(sqlite3 *db, int pages) {
  int64_t unused = 0, all = 0;
  char text[64];
  bool known = ask(db, "PRAGMA freelist_count", &unused) && ask(db, "PRAGMA page_count", &all);
  if (!known || unused <= UNUSED_PAGES || unused <= all / 2) return 0;
  (void)snprintf(text, sizeof text, "PRAGMA incremental_vacuum(%d)", pages);
  bool ok = run_text(db, text) == SQLITE_OK;
  return ok && sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) == SQLITE_OK ? 1 : -1;
}

void fog_schema_limit_wal(sqlite3 *db, int64_t bytes) {
  char text[64];
  (void)snprintf(text, sizeof text, "PRAGMA journal_size_limit=%" PRId64, bytes);
  (void)run_text(db, text);
}

static uint64_t mix(uint64_t sum, uint64_t word) {
  sum = (sum ^ word) * 0x9E3779B97F4A7C15U;
  return sum ^ sum >> 32;
}

static uint64_t mix_bytes(uint64_t sum, struct fog_bytes bytes) {
  const unsigned char *p = (const unsigned char *)bytes.data;
  sum = mix(sum, bytes.len);
  for (size_t left = bytes.len; left > 0;) {
    uint64_t word = 0;
    size_t n = left < 8 ? left : 8;
    for (size_t i = 0; i < n; i++) word |= (uint64_t)p[i] << 8 * i;
    sum = mix(sum, word);
    p += n;
    left -= n;
  }
  return sum;
}

/* Of all that is sent: SQLite sees damage in how a file is built, not in what is in it. */
int64_t fog_message_sum(const struct fog_durable_message *m) {
  uint64_t sum = mix(m->qos, m->retained);
  sum = mix(mix(sum, (uint64_t)m->accepted_ms), (uint64_t)m->expires_ms);
  return (int64_t)mix_bytes(mix_bytes(mix_bytes(sum, m->topic), m->properties), m->payload);
}

int fog_sql_run(struct fog_durable *d, enum fog_statement which) {
  int code = sqlite3_step(d->statements[which]);
  (void)sqlite3_reset(d->statements[which]);
  return code;
}

void fog_sql_bind(struct fog_durable *d, enum fog_statement which, int at, int64_t value) {
  (void)sqlite3_bind_int64(d->statements[which], at, value);
}

/* The bytes stay where they are until the statement has run. Absent ones are empty: no column is NULL. */
void fog_sql_bind_bytes(sqlite3_stmt *statement, int at, struct fog_bytes bytes) {
  (void)sqlite3_bind_blob64(statement, at, bytes.data == NULL ? "" : bytes.data, bytes.len, SQLITE_STATIC);
}

static struct fog_bytes column(sqlite3_stmt *statement, int at) {
  const char *data = sqlite3_column_blob(statement, at); /* before its length; NULL where that is 0 */
  return (struct fog_bytes){data == NULL ? "" : data, (size_t)sqlite3_column_bytes(statement, at)};
}

bool fog_sql_message(sqlite3_stmt *statement, struct fog_durable_message *m) {
  *m = (struct fog_durable_message){
      .seq = sqlite3_column_int64(statement, 0),
      .qos = sqlite3_column_int64(statement, 1) == 2 ? 2 : 1,
      .retained = sqlite3_column_int64(statement, 2) != 0,
      .accepted_ms = sqlite3_column_int64(statement, 3),
      .expires_ms = sqlite3_column_int64(statement, 4),
      .topic = column(statement, 5),
      .properties = column(statement, 6),
      .payload = column(statement, 7),
  };
  return sqlite3_column_int64(statement, 8) == fog_message_sum(m);
}

void fog_sql_state(sqlite3_stmt *statement, struct fog_durable_message *m) {
  m->packet_id = (uint16_t)sqlite3_column_int64(statement, 9);
  if (m->packet_id != 0) m->state = sqlite3_column_int64(statement, 10) != 0 ? FOG_DURABLE_RELEASED : FOG_DURABLE_SENT;
  if (sqlite3_column_type(statement, 11) == SQLITE_NULL) return;
  m->state = FOG_DURABLE_SET_ASIDE;
  m->reason = (uint8_t)sqlite3_column_int64(statement, 11);
  m->reason_text = column(statement, 12);
}

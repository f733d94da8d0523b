/* SPDX-License-Identifier: MIT
 *
 * The plugin's rules while SQLite has no memory: they say no, whichever of its requests for memory is the one that
 * fails, and do not remember that as an answer. And whose a client id is.
 */
#include "../../src/sandbox/plugin_rules.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../src/sandbox/password.h"
#include "tap.h"

static sqlite3_mem_methods real;
static int left = -1, refused; /* left: requests until the one that fails, -1: none does */
static bool for_good;          /* all after it fail, too */

/* SQLite says where it gets along without, with a smaller cache for one. */
static int harmless;
static void begin_harmless(void) { harmless++; }
static void end_harmless(void) { harmless--; }

static bool fails(void) {
  if (left < 0 || harmless > 0) return false;
  if (left > 0) {
    left--;
    return false;
  }
  if (!for_good) left = -1;
  refused++;
  return true;
}

static void *spoilt_malloc(int n) { return fails() ? NULL : real.xMalloc(n); }
static void *spoilt_realloc(void *p, int n) { return fails() ? NULL : real.xRealloc(p, n); }

static void spoil_memory(void) {
  sqlite3_mem_methods spoilt;
  if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real) != SQLITE_OK) abort();
  spoilt = real;
  spoilt.xMalloc = spoilt_malloc;
  spoilt.xRealloc = spoilt_realloc;
  if (sqlite3_config(SQLITE_CONFIG_MALLOC, &spoilt) != SQLITE_OK) abort();
  (void)sqlite3_test_control(SQLITE_TESTCTRL_BENIGN_MALLOC_HOOKS, begin_harmless, end_harmless);
}

static void make_store(const char *path) {
  sqlite3 *db;
  const char *sql =
      "PRAGMA journal_mode = WAL;"
      "CREATE TABLE clients (clientid TEXT, loginname TEXT, password TEXT);"
      "CREATE TABLE devices (id TEXT, password TEXT);"
      "CREATE TABLE grants (clientid TEXT, device_id TEXT);"
      "INSERT INTO grants VALUES ('c1', 'dev1');";
  char hash[FOG_PASSWORD_TEXT], rows[512];
  if (!fog_password_hash("secret", 6, hash)) abort();
  (void)snprintf(rows, sizeof rows,
                 "INSERT INTO clients VALUES ('c1', 'login', '%s');"
                 "INSERT INTO devices VALUES ('dev1', '%s');",
                 hash, hash);
  if (sqlite3_open(path, &db) != SQLITE_OK || sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK ||
      sqlite3_exec(db, rows, NULL, NULL, NULL) != SQLITE_OK)
    abort();
  (void)sqlite3_close(db);
}

static void remove_store(const char *path) {
  const char *const ends[] = {"", "-wal", "-shm"};
  char name[96];
  for (size_t i = 0; i < 3; i++) {
    (void)snprintf(name, sizeof name, "%s%s", path, ends[i]);
    (void)unlink(name);
  }
}

static bool client_logs_in(struct fog_rules *r) { return fog_rules_login(r, "login", "secret", "c1"); }
static bool device_logs_in(struct fog_rules *r) { return fog_rules_login(r, "dev1", "secret", "device-1"); }
static bool device_takes_id(struct fog_rules *r) { return fog_rules_login(r, "dev1", "secret", "c1"); }
static bool client_reads(struct fog_rules *r) { return fog_rules_allow(r, "login", FOG_READ, "d2c/dev1/status"); }
static bool client_writes(struct fog_rules *r) { return fog_rules_allow(r, "login", FOG_WRITE, "c2d/dev1/x"); }
static bool client_sees_all(struct fog_rules *r) { return fog_rules_allow(r, "login", FOG_SUBSCRIBE, "d2c/+/status"); }
static bool device_writes(struct fog_rules *r) { return fog_rules_allow(r, "dev1", FOG_WRITE, "d2c/dev1/status"); }
static bool device_reads(struct fog_rules *r) { return fog_rules_allow(r, "dev1", FOG_READ, "c2d/dev1/x"); }
static bool device_sees_all(struct fog_rules *r) { return fog_rules_allow(r, "dev1", FOG_SUBSCRIBE, "d2c/+/status"); }

static const struct question {
  const char *text;
  bool (*ask)(struct fog_rules *r);
  bool yes;
} questions[] = {
    {"a client logs in", client_logs_in, true},
    {"a device logs in", device_logs_in, true},
    {"a device logs in with a client's id", device_takes_id, false},
    {"a client reads from its device", client_reads, true},
    {"a client writes to its device", client_writes, true},
    {"a client subscribes to all its devices", client_sees_all, true},
    {"a device writes for itself", device_writes, true},
    {"a device reads its commands", device_reads, true},
    {"a device subscribes to all devices", device_sees_all, false},
};

enum { QUESTIONS = sizeof questions / sizeof *questions, MOST = 400 };

/* Each request for memory that a question makes fails once, of a store that is opened anew: what was remembered, or is
 * in SQLite's cache, would hide some. */
static void spoil_each(const char *path, const struct question *q) {
  char text[128];
  bool always_no = true;
  int n = 0;
  for (; n < MOST; n++) {
    struct fog_rules *rules = fog_rules_open(path);
    if (rules == NULL) abort();
    left = n;
    refused = 0;
    bool answer = q->ask(rules);
    bool failed = refused > 0;
    left = -1;
    if (failed && answer) always_no = false;
    bool again = q->ask(rules);
    if (again != q->yes) always_no = false;
    fog_rules_close(rules);
    if (!failed) break;
  }
  (void)snprintf(text, sizeof text, "%s: no without memory, %s", q->text, for_good ? "from then on" : "once");
  check(always_no && n > 0 && n < MOST, text);
}

static void spoil_all(const char *path) {
  struct fog_rules *rules = fog_rules_open(path);
  if (rules == NULL) abort();
  sqlite3_int64 before = sqlite3_hard_heap_limit64(1);
  for (size_t i = 0; i < QUESTIONS; i++) check(!questions[i].ask(rules), questions[i].text);
  (void)sqlite3_hard_heap_limit64(before);
  for (size_t i = 0; i < QUESTIONS; i++) check(questions[i].ask(rules) == questions[i].yes, questions[i].text);
  fog_rules_close(rules);
}

int main(void) {
  char path[64];
  spoil_memory();
  (void)snprintf(path, sizeof path, "/tmp/fogcloud-rules-%ld.db", (long)getpid());
  make_store(path);
  spoil_all(path);
  for (size_t i = 0; i < 2 * QUESTIONS; i++) {
    for_good = i >= QUESTIONS;
    spoil_each(path, &questions[i % QUESTIONS]);
  }
  remove_store(path);
  return finish();
}

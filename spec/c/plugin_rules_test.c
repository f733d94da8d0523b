/* SPDX-License-Identifier: MIT
 *
 * The plugin's rules while SQLite has no memory: it says no, and does not remember that as an answer.
 * link: src/sandbox/plugin_rules.c src/sandbox/password.c -lsqlite3
 */
#include "../../src/sandbox/plugin_rules.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tap.h"

static void make_store(const char *path) {
  sqlite3 *db;
  const char *sql =
      "PRAGMA journal_mode = WAL;"
      "CREATE TABLE clients (clientid TEXT, loginname TEXT, password TEXT);"
      "CREATE TABLE devices (id TEXT, password TEXT);"
      "CREATE TABLE grants (clientid TEXT, device_id TEXT);"
      "INSERT INTO clients VALUES ('c1', 'login', '');"
      "INSERT INTO devices VALUES ('dev1', '');"
      "INSERT INTO grants VALUES ('c1', 'dev1');";
  if (sqlite3_open(path, &db) != SQLITE_OK || sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) abort();
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

int main(void) {
  char path[64];
  (void)snprintf(path, sizeof path, "/tmp/fogcloud-rules-%ld.db", (long)getpid());
  make_store(path);
  struct fog_rules *rules = fog_rules_open(path);
  if (rules == NULL) abort();

  sqlite3_int64 before = sqlite3_hard_heap_limit64(1);
  check(!fog_rules_allow(rules, "login", FOG_READ, "d2c/dev1/status"), "no memory: a permission is not seen");
  check(!fog_rules_allow(rules, "dev1", FOG_WRITE, "d2c/dev1/status"), "no memory: a device is not seen");
  check(!fog_rules_allow(rules, "dev1", FOG_SUBSCRIBE, "d2c/+/status"), "no memory: a device gets no wildcard");
  (void)sqlite3_hard_heap_limit64(before);
  check(fog_rules_allow(rules, "login", FOG_READ, "d2c/dev1/status"), "memory again: the permission is there");
  check(fog_rules_allow(rules, "dev1", FOG_WRITE, "d2c/dev1/status"), "memory again: the device is there");

  fog_rules_close(rules);
  remove_store(path);
  return finish();
}

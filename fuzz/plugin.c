/* SPDX-License-Identifier: MIT
 *
 * What a broker passes to the plugin: nobody but the two known accounts logs in, and nobody reads, writes or subscribes
 * to anything but what the one permission in the store allows, whatever the names and topics. Only, a wildcard in the
 * device's place may be subscribed to by all but devices: reading is asked again.
 * Input: lines: user name, password, client id, topic.
 */
#include <sqlite3.h>
#include <unistd.h>

#include "../src/sandbox/password.h"
#include "../src/sandbox/plugin_rules.h"
#include "fuzz.h"

static char path[64];

static void remove_store(void) {
  char name[80];
  const char *const ends[] = {"", "-wal", "-shm"};
  for (size_t i = 0; i < 3; i++) {
    (void)snprintf(name, sizeof name, "%s%s", path, ends[i]);
    (void)unlink(name);
  }
}

static void run(sqlite3 *db, const char *sql) { must(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK); }

/* Login names "login" and "other", a device "dev1" that only "login" has permission for, a device "dev2". */
static struct fog_rules *make_store(void) {
  sqlite3 *db;
  (void)snprintf(path, sizeof path, "/tmp/fogcloud-fuzz-%ld.db", (long)getpid());
  must(sqlite3_open(path, &db) == SQLITE_OK);
  run(db, "PRAGMA journal_mode = WAL");
  run(db, "CREATE TABLE clients (clientid TEXT, loginname TEXT, password TEXT)");
  run(db, "CREATE TABLE devices (id TEXT, password TEXT)");
  run(db, "CREATE TABLE grants (clientid TEXT, device_id TEXT)");
  run(db, "INSERT INTO clients VALUES ('c1', 'login', 'not a hash'), ('c2', 'other', '')");
  run(db, "INSERT INTO devices VALUES ('dev1', ''), ('dev2', 'sha256$')");
  run(db, "INSERT INTO grants VALUES ('c1', 'dev1')");
  must(sqlite3_close(db) == SQLITE_OK);
  (void)atexit(remove_store);
  struct fog_rules *rules = fog_rules_open(path);
  must(rules != NULL);
  return rules;
}

static bool begins(const char *s, const char *with) { return strncmp(s, with, strlen(with)) == 0; }

static const char *unshared(const char *topic) {
  const char *slash = begins(topic, "$share/") ? strchr(topic + 7, '/') : NULL;
  return slash == NULL ? topic : slash + 1;
}

/* At least what the page of the sandbox says; true where it allows. */
static bool may(const char *user, enum fog_access access, const char *topic) {
  bool client = strcmp(user, "login") == 0 || strcmp(user, "other") == 0;
  if (strlen(topic) < 4) return false;
  bool dev1 = begins(topic, "d2c/dev1/") || begins(topic, "c2d/dev1/") || strcmp(topic + 3, "/dev1") == 0;
  if (access == FOG_SUBSCRIBE && begins(topic, "d2c/") && (begins(topic + 4, "+/") || strcmp(topic + 4, "#") == 0))
    return strcmp(user, "dev1") != 0 && strcmp(user, "dev2") != 0;
  bool down = begins(topic, "c2d/"), up = begins(topic, "d2c/");
  if (client) return strcmp(user, "login") == 0 && dev1 && (access == FOG_WRITE ? down : up);
  bool own = begins(topic + 4, user) && strlen(user) == 4 && (topic[8] == '/' || topic[8] == '\0') &&
             (strcmp(user, "dev1") == 0 || strcmp(user, "dev2") == 0);
  return own && (access == FOG_WRITE ? up : down);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct fog_rules *rules;
  if (rules == NULL) rules = make_store();
  struct input in = {data, size};
  size_t n;
  char *user = take_line(&in, &n), *password = take_line(&in, &n), *client = take_line(&in, &n);
  char *topic = take_line(&in, &n);
  must(!fog_rules_login(rules, user, password, client)); /* no stored password is a hash of anything */
  (void)fog_password_matches(password, strlen(password), client);
  for (int access = FOG_SUBSCRIBE; access <= FOG_WRITE; access++) {
    bool allowed = fog_rules_allow(rules, user, (enum fog_access)access, topic);
    must(!allowed || may(user, (enum fog_access)access, unshared(topic)));
    must(allowed == fog_rules_allow(rules, user, (enum fog_access)access, topic)); /* now from memory */
  }
  free(user);
  free(password);
  free(client);
  free(topic);
  return 0;
}

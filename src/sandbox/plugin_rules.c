/* SPDX-License-Identifier: MIT
 *
 * A message costs two checks, so answers are remembered in a direct-mapped table, each with the number of the store's
 * state it was true for: SQLite's data_version, which changes with every commit of another connection. A grant or
 * revoke is thus seen by the next message.
 */
#include "plugin_rules.h"

#include <sqlite3.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "password.h"

enum { SLOTS = 8192, MAX_ID = 256, BUSY_MS = 2000 };

struct answer {
  int64_t version;
  char *key; /* username, NUL, device */
  size_t key_len;
  bool yes;
};

struct fog_rules {
  sqlite3 *db;
  sqlite3_stmt *version, *client, *device, *grant;
  struct answer answers[SLOTS];
};

static bool prepare(struct fog_rules *r, sqlite3_stmt **stmt, const char *sql) {
  return sqlite3_prepare_v3(r->db, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL) == SQLITE_OK;
}

struct fog_rules *fog_rules_open(const char *path) {
  struct fog_rules *r = calloc(1, sizeof *r);
  if (r == NULL) return NULL;
  bool ok = sqlite3_open_v2(path, &r->db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK;
  if (ok) (void)sqlite3_busy_timeout(r->db, BUSY_MS);
  ok =
      ok && prepare(r, &r->version, "PRAGMA data_version") &&
      prepare(r, &r->client, "SELECT password, clientid FROM clients WHERE loginname = ?") &&
      prepare(r, &r->device, "SELECT password FROM devices WHERE id = ?") &&
      prepare(
          r, &r->grant,
          "SELECT 1 FROM grants g JOIN clients c ON c.clientid = g.clientid WHERE c.loginname = ? AND g.device_id = ?");
  if (ok) return r;
  fog_rules_close(r);
  return NULL;
}

void fog_rules_close(struct fog_rules *r) {
  (void)sqlite3_finalize(r->version);
  (void)sqlite3_finalize(r->client);
  (void)sqlite3_finalize(r->device);
  (void)sqlite3_finalize(r->grant);
  (void)sqlite3_close(r->db);
  for (size_t i = 0; i < SLOTS; i++) free(r->answers[i].key);
  free(r);
}

static int64_t version(struct fog_rules *r) {
  int64_t v = sqlite3_step(r->version) == SQLITE_ROW ? sqlite3_column_int64(r->version, 0) : -1;
  (void)sqlite3_reset(r->version);
  return v;
}

static bool find(sqlite3_stmt *stmt, const char *first, const char *second, size_t second_len) {
  (void)sqlite3_reset(stmt);
  (void)sqlite3_bind_text(stmt, 1, first, -1, SQLITE_STATIC);
  if (second != NULL) (void)sqlite3_bind_text(stmt, 2, second, (int)second_len, SQLITE_STATIC);
  return sqlite3_step(stmt) == SQLITE_ROW;
}

static const char *text(sqlite3_stmt *stmt, int column) {
  const unsigned char *t = sqlite3_column_text(stmt, column);
  return t == NULL ? "" : (const char *)t;
}

bool fog_rules_login(struct fog_rules *r, const char *username, const char *password, const char *client_id) {
  bool ok = false;
  if (find(r->client, username, NULL, 0)) {
    ok = strcmp(text(r->client, 1), client_id) == 0 &&
         fog_password_matches(password, strlen(password), text(r->client, 0));
  } else if (find(r->device, username, NULL, 0)) {
    ok = fog_password_matches(password, strlen(password), text(r->device, 0));
  }
  (void)sqlite3_reset(r->client);
  (void)sqlite3_reset(r->device);
  return ok;
}

static struct answer *slot_of(struct fog_rules *r, const char *key, size_t len) {
  uint64_t h = 1469598103934665603u; /* FNV-1a */
  for (size_t i = 0; i < len; i++) h = (h ^ (unsigned char)key[i]) * 1099511628211u;
  return &r->answers[(h ^ (h >> 32)) % SLOTS];
}

static void remember(struct answer *a, const char *key, size_t len, int64_t v, bool yes) {
  if (a->key_len != len || a->key == NULL || memcmp(a->key, key, len) != 0) {
    char *copy = realloc(a->key, len);
    if (copy == NULL) return;
    memcpy(copy, key, len);
    a->key = copy;
    a->key_len = len;
  }
  a->version = v;
  a->yes = yes;
}

static bool permitted(struct fog_rules *r, const char *username, const char *device, size_t device_len) {
  char key[2 * MAX_ID];
  size_t user_len = strlen(username) + 1;
  if (user_len > MAX_ID || device_len > MAX_ID) return false;
  memcpy(key, username, user_len);
  memcpy(key + user_len, device, device_len);
  int64_t v = version(r);
  struct answer *a = slot_of(r, key, user_len + device_len);
  if (a->key != NULL && a->version == v && a->key_len == user_len + device_len && memcmp(a->key, key, a->key_len) == 0)
    return a->yes;
  bool is_self = strlen(username) == device_len && memcmp(username, device, device_len) == 0;
  bool yes = is_self ? find(r->device, username, NULL, 0) : find(r->grant, username, device, device_len);
  (void)sqlite3_reset(r->device);
  (void)sqlite3_reset(r->grant);
  remember(a, key, user_len + device_len, v, yes);
  return yes;
}

static const char *without_share(const char *topic) {
  if (strncmp(topic, "$share/", 7) != 0) return topic;
  const char *group_end = strchr(topic + 7, '/');
  return group_end == NULL ? topic : group_end + 1;
}

/* Devices write d2c and read c2d, clients the other way round. */
static bool right_direction(bool is_device, enum fog_access access, bool is_d2c) {
  bool writes = access == FOG_WRITE;
  return is_device == (writes == is_d2c);
}

bool fog_rules_allow(struct fog_rules *r, const char *username, enum fog_access access, const char *topic) {
  topic = without_share(topic);
  bool is_d2c = strncmp(topic, "d2c/", 4) == 0;
  if (!is_d2c && strncmp(topic, "c2d/", 4) != 0) return false;
  const char *device = topic + 4, *end = strchr(device, '/');
  size_t len = end == NULL ? strlen(device) : (size_t)(end - device);
  bool is_device = find(r->device, username, NULL, 0);
  (void)sqlite3_reset(r->device);
  if (!right_direction(is_device, access, is_d2c)) return false;
  bool wildcard = (len == 1 && *device == '+' && end != NULL) || strcmp(device, "#") == 0;
  if (access == FOG_SUBSCRIBE && wildcard) return !is_device;
  bool self = strlen(username) == len && memcmp(username, device, len) == 0;
  return (!is_device || self) && permitted(r, username, device, len);
}

/* SPDX-License-Identifier: MIT
 *
 * A message costs two checks, so answers are remembered in a direct-mapped table, each with the number of the store's
 * state it was true for. That number is read from memory: in WAL mode SQLite keeps an index file beside the store whose
 * header counts transactions ("iChange", https://sqlite.org/walformat.html, 2.1), changed before a commit returns. A
 * grant or revoke is thus seen by the next message, and a message costs no system call. Where the file cannot be
 * mapped, PRAGMA data_version says the same more slowly.
 */
#include "plugin_rules.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "password.h"

enum { SLOTS = 8192, MAX_ID = 256, BUSY_MS = 2000, INDEX_SIZE = 32, CHANGE = 2, LAST_FRAME = 4 };

struct answer {
  int64_t version;
  char *key; /* username, NUL, device */
  size_t key_len;
  bool yes;
};

struct fog_rules {
  sqlite3 *db;
  sqlite3_stmt *version, *client, *device, *owner, *grant;
  const volatile uint32_t *index; /* the mapped header of the WAL index, or NULL */
  struct answer answers[SLOTS];
};

static bool prepare(struct fog_rules *r, sqlite3_stmt **stmt, const char *sql) {
  return sqlite3_prepare_v3(r->db, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL) == SQLITE_OK;
}

/* The index file is there once the store was read; it lives as long as a connection does, and ours does. */
static void map_index(struct fog_rules *r, const char *path) {
  char name[4096];
  int n = snprintf(name, sizeof name, "%s-shm", path);
  int fd = n > 0 && (size_t)n < sizeof name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void *map = mmap(NULL, INDEX_SIZE, PROT_READ, MAP_SHARED, fd, 0);
  (void)close(fd);
  if (map != MAP_FAILED) r->index = map;
}

/* False: the store could not be asked. */
static bool version(struct fog_rules *r, int64_t *v) {
  bool ok = true;
  if (r->index != NULL) {
    *v = (int64_t)((uint64_t)r->index[CHANGE] << 32 | r->index[LAST_FRAME]);
    return true;
  }
  ok = sqlite3_step(r->version) == SQLITE_ROW;
  if (ok) *v = sqlite3_column_int64(r->version, 0);
  (void)sqlite3_reset(r->version);
  return ok;
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
      prepare(r, &r->owner, "SELECT 1 FROM clients WHERE clientid = ?") &&
      prepare(
          r, &r->grant,
          "SELECT 1 FROM grants g JOIN clients c ON c.clientid = g.clientid WHERE c.loginname = ? AND g.device_id = ?");
  int64_t v;
  if (ok) {
    (void)version(r, &v); /* reads the store */
    map_index(r, path);
    return r;
  }
  fog_rules_close(r);
  return NULL;
}

void fog_rules_close(struct fog_rules *r) {
  (void)sqlite3_finalize(r->version);
  (void)sqlite3_finalize(r->client);
  (void)sqlite3_finalize(r->device);
  (void)sqlite3_finalize(r->owner);
  (void)sqlite3_finalize(r->grant);
  (void)sqlite3_close(r->db);
  if (r->index != NULL) (void)munmap((void *)(uintptr_t)r->index, INDEX_SIZE);
  for (size_t i = 0; i < SLOTS; i++) free(r->answers[i].key);
  free(r);
}

/* Whether a statement with these texts gives a row. A store that cannot be asked says neither yes nor no, and nobody is
 * let in by it. So memory is tried first: which questions SQLite can answer without any differs from one version of it
 * to the next, and between those that share a connection's cache. */
enum found { FOUND, NONE, UNKNOWN };

enum { TRIED = 4096 };

static enum found find(sqlite3_stmt *stmt, const char *first, const char *second, size_t second_len) {
  void *tried = sqlite3_malloc(TRIED);
  bool ok = tried != NULL;
  sqlite3_free(tried);
  (void)sqlite3_reset(stmt);
  ok = ok && sqlite3_bind_text(stmt, 1, first, -1, SQLITE_STATIC) == SQLITE_OK;
  if (second != NULL) ok = ok && sqlite3_bind_text(stmt, 2, second, (int)second_len, SQLITE_STATIC) == SQLITE_OK;
  int rc = ok ? sqlite3_step(stmt) : SQLITE_NOMEM;
  return rc == SQLITE_ROW ? FOUND : rc == SQLITE_DONE ? NONE : UNKNOWN;
}

/* The same, when nothing of the row is read. */
static enum found exists(sqlite3_stmt *stmt, const char *first, const char *second, size_t second_len) {
  enum found found = find(stmt, first, second, second_len);
  (void)sqlite3_reset(stmt);
  return found;
}

static bool matches(sqlite3_stmt *stmt, const char *password) {
  const char *hash = (const char *)sqlite3_column_text(stmt, 0);
  return hash != NULL && fog_password_matches(password, strlen(password), hash);
}

static bool is_client(sqlite3_stmt *stmt, const char *client_id) {
  const char *own = (const char *)sqlite3_column_text(stmt, 1);
  return own != NULL && strcmp(own, client_id) == 0;
}

bool fog_rules_login(struct fog_rules *r, const char *username, const char *password, const char *client_id) {
  enum found client = find(r->client, username, NULL, 0);
  bool ok = client == FOUND && is_client(r->client, client_id) && matches(r->client, password);
  (void)sqlite3_reset(r->client);
  if (client != NONE) return ok;
  ok = find(r->device, username, NULL, 0) == FOUND && matches(r->device, password);
  (void)sqlite3_reset(r->device);
  return ok && exists(r->owner, client_id, NULL, 0) == NONE;
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

/* Whether a device may speak for itself, or a client has permission for a device. */
static bool permitted(struct fog_rules *r, bool as_device, const char *username, const char *device,
                      size_t device_len) {
  char key[1 + 2 * MAX_ID];
  size_t user_len = strlen(username) + 1, len = 1 + user_len + device_len;
  if (user_len > MAX_ID || device_len > MAX_ID) return false;
  key[0] = as_device ? 'd' : 'c';
  memcpy(key + 1, username, user_len);
  memcpy(key + 1 + user_len, device, device_len);
  int64_t v;
  if (!version(r, &v)) return false;
  struct answer *a = slot_of(r, key, len);
  if (a->key != NULL && a->version == v && a->key_len == len && memcmp(a->key, key, len) == 0) return a->yes;
  enum found found = as_device ? exists(r->device, username, NULL, 0) : exists(r->grant, username, device, device_len);
  if (found != UNKNOWN) remember(a, key, len, v, found == FOUND);
  return found == FOUND;
}

static const char *without_share(const char *topic) {
  if (strncmp(topic, "$share/", 7) != 0) return topic;
  const char *group_end = strchr(topic + 7, '/');
  return group_end == NULL ? topic : group_end + 1;
}

bool fog_rules_allow(struct fog_rules *r, const char *username, enum fog_access access, const char *topic) {
  topic = without_share(topic);
  bool is_d2c = strncmp(topic, "d2c/", 4) == 0;
  if (!is_d2c && strncmp(topic, "c2d/", 4) != 0) return false;
  const char *device = topic + 4, *end = strchr(device, '/');
  size_t len = end == NULL ? strlen(device) : (size_t)(end - device);
  if ((access == FOG_WRITE) == is_d2c) { /* what only the device itself may do */
    bool self = strlen(username) == len && memcmp(username, device, len) == 0;
    return self && permitted(r, true, username, device, len);
  }
  bool wildcard = (len == 1 && *device == '+' && end != NULL) || strcmp(device, "#") == 0;
  if (access == FOG_SUBSCRIBE && wildcard) return exists(r->device, username, NULL, 0) == NONE;
  return permitted(r, false, username, device, len);
}

/* SPDX-License-Identifier: MIT
 *
 * A life of a journal in numbered steps, each one commit, with every kind of change in it; and what is in a journal, as
 * one text. For the tests that interrupt such a life.
 */
#ifndef FOG_DURABLE_SCRIPT_H
#define FOG_DURABLE_SCRIPT_H

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../src/durable/store.h"
#include "tap.h"

enum { STEPS = 14, LARGE = 32000, DUMP_BYTES = 1 << 16 };

static char large[LARGE];

static struct fog_bytes bytes(const char *text) { return (struct fog_bytes){text, strlen(text)}; }

/* One of 32 KB, as every third is, needs pages of its own: all steps together make more than one checkpoint. */
static struct fog_durable_message message(int64_t seq, uint16_t packet_id) {
  memset(large, 'x', sizeof large);
  struct fog_durable_message m = {.seq = seq,
                                  .packet_id = packet_id,
                                  .qos = seq % 2 == 0 ? 2 : 1,
                                  .retained = seq % 5 == 0,
                                  .accepted_ms = 1000 + seq,
                                  .expires_ms = seq % 7 == 0 ? 9000 + seq : 0,
                                  .topic = bytes("c2d/dev/commands"),
                                  .properties = bytes(seq % 3 == 0 ? "\x02" : ""),
                                  .payload = seq % 3 == 0 ? (struct fog_bytes){large, sizeof large} : bytes("{}")};
  return m;
}

/* All that step `n`, from 1, changes. The first error, and what follows is not done. */
static enum fog_durable_code note_step(struct fog_durable *d, int n) {
  const struct fog_durable_ops *o = d->head.ops;
  int64_t base = 10 * (int64_t)n;
  enum fog_durable_code code = FOG_DURABLE_OK;
  for (int i = 0; i < 8 && code == FOG_DURABLE_OK; i++) {
    struct fog_durable_message m = message(base + i, (uint16_t)(i < 4 ? base + i : 0));
    code = o->add(d, &m);
  }
  if (code == FOG_DURABLE_OK) code = o->sent(d, base + 5, (uint16_t)(base + 5));
  if (code == FOG_DURABLE_OK) code = o->received_add(d, (uint16_t)n);
  if (code == FOG_DURABLE_OK && n > 1) code = o->released(d, base - 10);
  if (code == FOG_DURABLE_OK && n > 1) code = o->remove(d, base - 9);
  if (code == FOG_DURABLE_OK && n > 1) code = o->remove(d, base - 7);
  if (code == FOG_DURABLE_OK && n > 2) code = o->remove(d, base - 20);
  if (code == FOG_DURABLE_OK && n > 2) code = o->set_aside(d, base - 14, 0x97, "quota");
  if (code == FOG_DURABLE_OK && n > 3) code = o->received_remove(d, (uint16_t)(n - 3));
  if (code == FOG_DURABLE_OK && n % 10 == 0) code = o->forget_ids(d, n % 20 == 0);
  if (code == FOG_DURABLE_OK && n % 13 == 0) code = o->received_clear(d);
  char client[32];
  (void)snprintf(client, sizeof client, "client-%d", n / 4);
  if (code == FOG_DURABLE_OK && n % 4 == 0) code = o->set_client(d, client);
  return code;
}

struct dump {
  char text[DUMP_BYTES];
  size_t len;
  int64_t last;
  int count;
  bool ordered;
};

static bool dump_one(void *ctx, const struct fog_durable_message *m) {
  struct dump *dump = ctx;
  dump->ordered = dump->ordered && m->seq > dump->last;
  dump->last = m->seq;
  dump->count++;
  const struct fog_durable_message right = message(m->seq, 0);
  bool same = m->qos == right.qos && m->retained == right.retained && m->expires_ms == right.expires_ms &&
              m->accepted_ms == right.accepted_ms && m->payload.len == right.payload.len &&
              memcmp(m->payload.data, right.payload.data, right.payload.len) == 0 && m->topic.len == right.topic.len &&
              m->properties.len == right.properties.len;
  if (dump->len < sizeof dump->text) {
    dump->len += (size_t)snprintf(dump->text + dump->len, sizeof dump->text - dump->len, "%lld:%d:%d:%d:%.*s%s ",
                                  (long long)m->seq, m->state, m->packet_id, m->reason, (int)m->reason_text.len,
                                  m->reason_text.data == NULL ? "" : m->reason_text.data, same ? "" : "!");
  }
  return true;
}

static bool dump_all(struct fog_durable *d, struct dump *dump) {
  uint16_t ids[64];
  size_t count = 0;
  *dump = (struct dump){.ordered = true};
  if (fog_durable_list(d, 0, SIZE_MAX, dump_one, dump, NULL) != FOG_DURABLE_OK) return false;
  if (d->head.ops->received(d, ids, 64, &count, NULL) != FOG_DURABLE_OK) return false;
  for (size_t i = 0; i < count && dump->len < sizeof dump->text; i++) {
    dump->len += (size_t)snprintf(dump->text + dump->len, sizeof dump->text - dump->len, "r%d ", ids[i]);
  }
  char client[32];
  d->head.ops->client(d, client, sizeof client);
  if (dump->len < sizeof dump->text)
    (void)snprintf(dump->text + dump->len, sizeof dump->text - dump->len, "%s", client);
  return dump->ordered;
}

/* What is there after each step, of a life that nothing interrupts. */
static char *expected[STEPS + 1];

static inline bool has_dump(struct fog_durable *d, int step) {
  static struct dump dump;
  return dump_all(d, &dump) && strcmp(dump.text, expected[step]) == 0;
}

/* A folder of the test's own, in memory where there is such a place, and a path in it. */
static char folder[48], path[64];

static void empty_folder(void) {
  DIR *dir = opendir(folder);
  for (struct dirent *entry = dir == NULL ? NULL : readdir(dir); entry != NULL; entry = readdir(dir)) {
    char name[512];
    (void)snprintf(name, sizeof name, "%s/%s", folder, entry->d_name);
    (void)unlink(name);
  }
  if (dir != NULL) (void)closedir(dir);
}

/* How many files lie in it, and in *first the name of one whose name holds `part`. */
static inline int files(const char *part, char *first, size_t room) {
  int count = 0;
  DIR *dir = opendir(folder);
  for (struct dirent *entry = dir == NULL ? NULL : readdir(dir); entry != NULL; entry = readdir(dir)) {
    if (entry->d_name[0] == '.' || strstr(entry->d_name, part) == NULL) continue;
    if (first != NULL) (void)snprintf(first, room, "%s/%s", folder, entry->d_name);
    count++;
  }
  if (dir != NULL) (void)closedir(dir);
  return count;
}

static struct fog_durable *open_with(const char *vfs, struct fog_durable_found *found,
                                     struct fog_durable_error *error) {
  struct fog_durable *d = NULL;
  const struct fog_durable_options o = {.vfs = vfs};
  return fog_durable_open(path, &o, &d, found, error) == FOG_DURABLE_OK ? d : NULL;
}

static inline struct fog_durable *open_plain(void) {
  struct fog_durable_error error;
  struct fog_durable *d = open_with(NULL, NULL, &error);
  if (d == NULL) printf("# %s\n", error.text);
  return d;
}

/* The folder, and what is expected. */
static void prepare(void) {
  static struct dump dump;
  (void)snprintf(folder, sizeof folder, "%s/fogcloud-journal-XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
  if (mkdtemp(folder) == NULL) abort();
  (void)snprintf(path, sizeof path, "%s/journal", folder);
  struct fog_durable *d = open_plain();
  for (int n = 0; n <= STEPS && d != NULL; n++) {
    if (n > 0 && (note_step(d, n) != FOG_DURABLE_OK || d->head.ops->commit(d, NULL) != FOG_DURABLE_OK)) abort();
    if (!dump_all(d, &dump)) abort();
    expected[n] = strdup(dump.text);
  }
  if (d == NULL) abort();
  d->head.ops->release(d);
  empty_folder();
}

static void clean_up(void) {
  empty_folder();
  (void)rmdir(folder);
  for (int n = 0; n <= STEPS; n++) free(expected[n]);
}

#endif

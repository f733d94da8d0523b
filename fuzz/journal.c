/* SPDX-License-Identifier: MIT
 *
 * Any bytes of a journal's file are changed, and its WAL is any bytes: it opens, whatever can be read is read, and what
 * is written then is there when it is opened again; or it is an error that names the file. The input is a list of
 * places (two bytes each) with a byte for each, and behind 0xFFFF the WAL.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../src/durable/store.h"
#include "fuzz.h"

enum { MOST = 1 << 16, LEAVE = 0xFFFF, NUMBER = 1000000 };

static char folder[] = "/tmp/fogcloud-fuzz-XXXXXX", path[64], wal[64], whole[MOST], text[MOST];
static size_t whole_len;

static struct fog_durable *open_it(struct fog_durable_found *found, struct fog_durable_error *error) {
  struct fog_durable *d = NULL;
  const struct fog_durable_options o = {.full = false};
  if (fog_durable_open(path, &o, &d, found, error) != FOG_DURABLE_OK) return NULL;
  return d;
}

static void add(struct fog_durable *d, int64_t seq) {
  struct fog_durable_message m = {.seq = seq, .qos = 1, .packet_id = (uint16_t)(seq % 3)};
  m.topic = (struct fog_bytes){"a/b", 3};
  m.payload = (struct fog_bytes){text, (size_t)(seq % 5) * 1500};
  must(d->head.ops->add(d, &m) == FOG_DURABLE_OK);
}

static void write_file(const char *name, const void *data, size_t len) {
  int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  must(fd >= 0 && write(fd, data, len) == (ssize_t)len && close(fd) == 0);
}

static void make(void) {
  must(mkdtemp(folder) != NULL);
  (void)snprintf(path, sizeof path, "%s/journal", folder);
  (void)snprintf(wal, sizeof wal, "%s/journal-wal", folder);
  struct fog_durable *d = open_it(NULL, NULL);
  must(d != NULL);
  for (int64_t seq = 1; seq <= 10; seq++) add(d, seq);
  must(d->head.ops->received_add(d, 7) == FOG_DURABLE_OK && d->head.ops->commit(d, NULL) == FOG_DURABLE_OK);
  d->head.ops->release(d);
  int fd = open(path, O_RDONLY);
  ssize_t n = read(fd, whole, sizeof whole);
  must(n > 0 && close(fd) == 0);
  whole_len = (size_t)n;
}

static bool see(void *ctx, const struct fog_durable_message *m) {
  int64_t *last = ctx;
  must(m->seq > *last && m->qos >= 1 && m->qos <= 2);
  *last = m->seq;
  return true;
}

static void use(struct fog_durable *d, bool again) {
  int64_t last = INT64_MIN;
  enum fog_durable_code code = fog_durable_list(d, INT64_MIN, SIZE_MAX, see, &last, NULL);
  must(code == FOG_DURABLE_OK || code == FOG_DURABLE_DAMAGED);
  if (again) must(last >= NUMBER);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (whole_len == 0) make();
  memcpy(text, whole, whole_len);
  size_t at = 0;
  for (; at + 3 <= size && (data[at] << 8 | data[at + 1]) != LEAVE; at += 3) {
    size_t place = (size_t)(data[at] << 8 | data[at + 1]);
    if (place < whole_len) text[place] = (char)data[at + 2];
  }
  write_file(path, text, whole_len);
  if (at + 2 < size) write_file(wal, data + at + 2, size - at - 2);
  struct fog_durable_found found = {.damaged = ""};
  struct fog_durable_error error = {.code = FOG_DURABLE_OK};
  struct fog_durable *d = open_it(&found, &error);
  if (d == NULL) must(error.code != FOG_DURABLE_OK && strstr(error.text, path) != NULL);
  if (d != NULL) {
    struct fog_durable_counts counts;
    use(d, false);
    d->head.ops->counts(d, &counts);
    bool room = counts.last_seq < NUMBER;
    if (room) add(d, NUMBER);
    bool written = d->head.ops->commit(d, NULL) == FOG_DURABLE_OK;
    d->head.ops->release(d);
    d = open_it(NULL, &error);
    if (d != NULL) {
      use(d, room && written);
      d->head.ops->release(d);
    }
  }
  (void)unlink(path);
  (void)unlink(wal);
  if (found.damaged[0] != '\0') (void)unlink(found.damaged);
  return 0;
}

/* SPDX-License-Identifier: MIT
 *
 * The journal on a disk of some megabytes that others fill to the last byte: what is new is refused, what changes
 * messages that are there always gets through, and it goes on when there is room.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "durable_script.h"

enum { DISK_BYTES = 4 << 20, MANY = 2000, TEN_K = 10000 };

static struct fog_durable_error error;
static char payload[TEN_K];

static void write_text(const char *name, const char *text) {
  int fd = open(name, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) printf("# %s: %s\n", name, strerror(errno));
  if (fd >= 0) (void)close(fd);
}

/* The folder is a disk of its own, for this process and its children alone. */
static bool mount_disk(void) {
  char map[64], size[32];
  int user = geteuid() == 0 ? 0 : CLONE_NEWUSER;
  (void)snprintf(map, sizeof map, "%d %d 1", (int)geteuid(), (int)geteuid());
  (void)snprintf(size, sizeof size, "size=%d", DISK_BYTES);
  if (unshare(CLONE_NEWNS | user) != 0) return false;
  if (user != 0) write_text("/proc/self/uid_map", map);
  return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && mount("tmpfs", folder, "tmpfs", 0, size) == 0;
}

static long room(void) {
  struct statvfs fs;
  return statvfs(folder, &fs) == 0 ? (long)(fs.f_bavail * fs.f_frsize) : -1;
}

/* What others put there: all that is left, or all but so much. */
static void fill_disk(long but) {
  char name[128];
  static const char zeroes[4096];
  (void)snprintf(name, sizeof name, "%s/ballast", folder);
  int fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  while (room() > but && write(fd, zeroes, sizeof zeroes) > 0) continue;
  (void)close(fd);
}

static void empty_disk(void) {
  char name[128];
  (void)snprintf(name, sizeof name, "%s/ballast", folder);
  (void)unlink(name);
}

static struct fog_durable_message of_ten_k(int64_t seq) {
  memset(payload, 'k', sizeof payload);
  return (struct fog_durable_message){.seq = seq,
                                      .qos = seq % 2 == 0 ? 2 : 1,
                                      .topic = bytes("t"),
                                      .accepted_ms = seq,
                                      .payload = {payload, sizeof payload}};
}

/* Adds messages, a commit each, until the disk is full to its last byte; how many are on it. The next one waits. */
static int64_t fill_journal(struct fog_durable *d) {
  const struct fog_durable_ops *o = d->head.ops;
  enum fog_durable_code code = FOG_DURABLE_OK;
  int64_t seq = 0;
  while (code == FOG_DURABLE_OK && seq < MANY) {
    struct fog_durable_message m = of_ten_k(++seq);
    code = o->add(d, &m);
    if (code == FOG_DURABLE_OK) code = o->commit(d, &error);
  }
  bool ok = code == FOG_DURABLE_FULL && error.rest_is_there;
  fill_disk(0);
  return ok ? seq - 1 : -1;
}

/* Whether all but a new message is on the disk; what a journal gives back of its own may have been room for that. */
static bool commit_changes(struct fog_durable *d) {
  enum fog_durable_code code = d->head.ops->commit(d, &error);
  bool ok = code == FOG_DURABLE_OK || (code == FOG_DURABLE_FULL && error.rest_is_there);
  if (!ok) printf("# %d: %s\n", (int)code, error.text);
  fill_disk(0);
  return ok;
}

struct seen {
  int64_t count, last;
  bool whole;
};

static bool see(void *ctx, const struct fog_durable_message *m) {
  struct seen *seen = ctx;
  seen->whole = seen->whole && m->seq > seen->last && m->payload.len == TEN_K && m->state != FOG_DURABLE_SET_ASIDE;
  seen->last = m->seq;
  seen->count++;
  return true;
}

static bool holds(struct fog_durable *d, int64_t count) {
  struct seen seen = {.whole = true};
  bool ok = d->head.ops->read(d, 0, SIZE_MAX, SIZE_MAX, see, &seen, NULL) == FOG_DURABLE_OK;
  if (!ok || seen.count != count || !seen.whole) printf("# %lld of %lld\n", (long long)seen.count, (long long)count);
  return ok && seen.whole && seen.count == count;
}

static struct fog_durable *start(void) {
  empty_folder();
  return open_plain();
}

static void test_removals(const char *what, int64_t step) {
  struct fog_durable *d = start();
  const struct fog_durable_ops *o = d->head.ops;
  int64_t there = fill_journal(d), left = there;
  check(there > 200 && o->commit(d, &error) == FOG_DURABLE_FULL && error.rest_is_there && room() == 0, "a full disk");
  check(o->check(d, 10, NULL) == FOG_DURABLE_FULL, "takes nothing new");
  for (int64_t seq = 1; seq <= there * 2 / 3; seq += step, left--) (void)o->remove(d, seq);
  enum fog_durable_code code = o->commit(d, &error);
  check(code == FOG_DURABLE_OK && holds(d, left + 1), what); /* with the one that waited */
  check(o->check(d, 10, NULL) == FOG_DURABLE_OK, "and make room for new ones");
  o->release(d);
  d = open_plain();
  check(d != NULL && holds(d, left + 1), "nothing else is lost");
  if (d != NULL) d->head.ops->release(d);
}

/* All that a session may want to note of messages that are there. */
static void test_exchanges(void) {
  struct fog_durable *d = start();
  const struct fog_durable_ops *o = d->head.ops;
  int64_t there = fill_journal(d);
  bool ok = there > 200;
  for (int64_t seq = there; seq > 0; seq--) ok = ok && o->sent(d, seq, (uint16_t)seq) == FOG_DURABLE_OK;
  for (int id = 1; id <= 5000; id++) ok = ok && o->received_add(d, (uint16_t)(id * 7919)) == FOG_DURABLE_OK;
  check(ok && room() == 0 && commit_changes(d), "packet ids are noted where there is no room at all");
  for (int64_t seq = 2; seq <= there; seq += 2) ok = ok && o->released(d, seq) == FOG_DURABLE_OK;
  for (int id = 1; id <= 5000; id++) ok = ok && o->received_remove(d, (uint16_t)(id * 7919)) == FOG_DURABLE_OK;
  ok = ok && o->set_client(d, "client") == FOG_DURABLE_OK &&
       o->set_aside(d, 7, 0x87, "not authorized") == FOG_DURABLE_OK;
  check(ok && room() == 0 && commit_changes(d), "and all that follows in an exchange");
  for (int64_t seq = 1; seq <= there; seq++) ok = ok && o->remove(d, seq) == FOG_DURABLE_OK;
  check(ok && o->commit(d, &error) == FOG_DURABLE_OK && holds(d, 1), "to its end");
  o->release(d);
}

/* The next process finds no room either. */
static void test_restart(bool killed) {
  int64_t there = -1;
  int pipes[2];
  if (pipe(pipes) != 0) return;
  pid_t child = fork();
  if (child == 0) {
    struct fog_durable *d = start();
    there = fill_journal(d);
    (void)!write(pipes[1], &there, sizeof there);
    if (killed) (void)kill(getpid(), SIGKILL);
    d->head.ops->release(d);
    fill_disk(0);
    _exit(0);
  }
  (void)waitpid(child, NULL, 0);
  bool ok = read(pipes[0], &there, sizeof there) == (ssize_t)sizeof there;
  (void)close(pipes[0]);
  (void)close(pipes[1]);
  struct fog_durable *d = open_plain();
  check(ok && d != NULL && there > 200 && room() == 0 && holds(d, there),
        killed ? "one that finds a killed one's journal" : "one that finds a journal that was closed");
  if (d == NULL) return;
  const struct fog_durable_ops *o = d->head.ops;
  for (int64_t seq = 1; seq <= 9; seq++) ok = ok && o->sent(d, seq, (uint16_t)seq) == FOG_DURABLE_OK;
  check(ok && o->commit(d, &error) == FOG_DURABLE_OK, "can note what it sends, though the disk is full");
  for (int64_t seq = 1; seq <= there; seq++) ok = ok && o->remove(d, seq) == FOG_DURABLE_OK;
  check(ok && o->commit(d, &error) == FOG_DURABLE_OK && holds(d, 0), "and that it was acknowledged");
  o->release(d);
}

/* Nothing is asked of it but to try again, as the I/O thread does. */
static void test_room_again(void) {
  struct fog_durable *d = start();
  const struct fog_durable_ops *o = d->head.ops;
  int64_t there = fill_journal(d);
  check(o->commit(d, NULL) == FOG_DURABLE_FULL && o->check(d, 10, NULL) == FOG_DURABLE_FULL, "as long as it is full");
  for (int64_t seq = 1; seq < 20; seq++) (void)o->remove(d, seq);
  check(o->commit(d, NULL) == FOG_DURABLE_OK && holds(d, there - 19 + 1), "some acknowledgements are room for one");
  struct fog_durable_message m = of_ten_k(there + 2);
  for (fill_disk(0); o->commit(d, NULL) == FOG_DURABLE_OK && m.seq < MANY; m.seq++) (void)o->add(d, &m);
  check(o->check(d, 10, NULL) == FOG_DURABLE_FULL, "then it is full again");
  empty_disk();
  check(o->check(d, 10, &error) == FOG_DURABLE_OK, "until there is room");
  check(o->commit(d, &error) == FOG_DURABLE_OK, "for what waited, too");
  o->release(d);
}

/* What a file is large for is given back to others, too. */
static void test_given_back(void) {
  struct fog_durable *d = start();
  const struct fog_durable_ops *o = d->head.ops;
  int64_t there = fill_journal(d);
  for (int64_t seq = 1; seq < there; seq++) (void)o->remove(d, seq);
  for (int i = 0; i < 200 && room() < DISK_BYTES / 4; i++) {
    struct fog_durable_message m = of_ten_k(there + 10 + i);
    (void)o->add(d, &m);
    (void)o->commit(d, NULL);
    (void)o->remove(d, there + 10 + i);
    (void)o->commit(d, NULL);
  }
  printf("# %ld bytes\n", room());
  check(room() >= DISK_BYTES / 4, "what was acknowledged makes room for others, too");
  o->release(d);
}

int main(void) {
  (void)setvbuf(stdout, NULL, _IOLBF, 0);
  prepare();
  bool mounted = mount_disk();
  check(mounted, "a small disk");
  if (mounted) {
    test_removals("acknowledgements in order get through", 1);
    test_removals("and those out of order", 2);
    test_exchanges();
    test_restart(true);
    test_restart(false);
    test_room_again();
    test_given_back();
    empty_folder();
    (void)umount(folder);
  }
  clean_up();
  return finish();
}

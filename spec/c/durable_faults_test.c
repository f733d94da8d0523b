/* SPDX-License-Identifier: MIT
 *
 * The life of a journal, interrupted at each of its writes and syncs in turn: once by a failure, once by the death of
 * the process before, in the middle of and after it. Whatever was committed is there afterwards, exactly, and in order.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include "durable_script.h"
#include "failing_vfs.h"

static struct fog_durable *open_failing(void) {
  struct fog_durable *d = NULL;
  for (int i = 0; i < 3 && d == NULL; i++) d = open_with("failing", NULL, NULL);
  return d;
}

/* A whole life; a commit that fails is tried again. */
static bool live(void) {
  struct fog_durable *d = open_failing();
  if (d == NULL) return false;
  bool ok = true;
  for (int n = 1; n <= STEPS && ok; n++) {
    ok = note_step(d, n) == FOG_DURABLE_OK;
    enum fog_durable_code code = FOG_DURABLE_IO;
    for (int i = 0; i < 3 && code != FOG_DURABLE_OK; i++) code = d->head.ops->commit(d, NULL);
    ok = ok && code == FOG_DURABLE_OK && has_dump(d, n);
  }
  d->head.ops->release(d);
  return ok;
}

static bool is_kept(int step) {
  struct fog_durable *d = open_plain();
  if (d == NULL) return false;
  bool ok = has_dump(d, step);
  d->head.ops->release(d);
  return ok;
}

static long count_writes(void) {
  empty_folder();
  set_fault(VFS_FAILS, 0, false);
  return live() ? faults.count : 0;
}

static void fail_at_each(enum vfs_event event, long writes, long every, const char *what) {
  long wrong = 0;
  for (long at = 1; at <= writes; at += every) {
    empty_folder();
    set_fault(event, at, false);
    bool ok = live() && is_kept(STEPS);
    if (!ok && wrong++ == 0) printf("# at write %ld of %ld\n", at, writes);
  }
  check(wrong == 0, what);
}

/* Of the child: how many steps were committed. */
static volatile int *committed;

static void die_at(enum vfs_event event, long at) {
  set_fault(event, at, false);
  struct fog_durable *d = open_with("failing", NULL, NULL);
  for (int n = 1; n <= STEPS && d != NULL; n++) {
    if (note_step(d, n) != FOG_DURABLE_OK || d->head.ops->commit(d, NULL) != FOG_DURABLE_OK) _exit(3);
    *committed = n;
  }
  if (d == NULL) _exit(4);
  d->head.ops->release(d);
  _exit(0);
}

/* What the step under way changed is there whole or not at all. */
static bool survives(enum vfs_event event, long at) {
  empty_folder();
  *committed = 0;
  pid_t child = fork();
  if (child == 0) die_at(event, at);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 9) return false;
  struct fog_durable *d = open_plain();
  if (d == NULL) return false;
  bool ok = has_dump(d, *committed) || (*committed < STEPS && has_dump(d, *committed + 1));
  ok = ok && note_step(d, STEPS + 5) == FOG_DURABLE_OK && d->head.ops->commit(d, NULL) == FOG_DURABLE_OK;
  d->head.ops->release(d);
  return ok && files("", NULL, 0) == 1;
}

static void die_at_each(enum vfs_event event, long writes, long every, const char *what) {
  long wrong = 0;
  for (long at = 1; at <= writes; at += every) {
    if (!survives(event, at) && wrong++ == 0) printf("# at write %ld of %ld, %d committed\n", at, writes, *committed);
  }
  check(wrong == 0, what);
}

/* A disk that is full from some write on, then not any more. */
static bool lives_through_full_disk(long at) {
  empty_folder();
  set_fault(VFS_IS_FULL, 0, false);
  struct fog_durable *d = open_failing();
  if (d == NULL) return false;
  bool ok = true;
  set_fault(VFS_IS_FULL, at, true);
  int n = 1;
  for (; n <= STEPS && ok; n++) {
    ok = note_step(d, n) == FOG_DURABLE_OK;
    struct fog_durable_error error;
    enum fog_durable_code code = d->head.ops->commit(d, &error);
    if (code == FOG_DURABLE_OK) continue;
    ok = ok && code == FOG_DURABLE_FULL && strstr(error.text, path) != NULL;
    ok = ok && d->head.ops->commit(d, NULL) == FOG_DURABLE_FULL;
    set_fault(VFS_IS_FULL, 0, false);
    ok = ok && d->head.ops->commit(d, NULL) == FOG_DURABLE_OK && has_dump(d, n);
  }
  d->head.ops->release(d);
  return ok && is_kept(STEPS);
}

int main(void) {
  register_failing_vfs();
  committed = mmap(NULL, sizeof *committed, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  prepare();
  long writes = count_writes();
  check(writes > 500 && is_kept(STEPS), "a life without faults is kept");
  fail_at_each(VFS_FAILS, writes, 1, "each write and sync may fail once");
  fail_at_each(VFS_IS_FULL, writes, 3, "and may find the disk full once");
  die_at_each(VFS_DIES_BEFORE, writes, 1, "a process may die before each");
  die_at_each(VFS_DIES_WITHIN, writes, 2, "in the middle of it");
  die_at_each(VFS_DIES_AFTER, writes, 5, "and after it");
  long wrong = 0;
  for (long at = 1; at < 200; at += 3) wrong += !lives_through_full_disk(at);
  check(wrong == 0, "a full disk is waited out: what was committed stays, what waits is written when there is room");
  clean_up();
  return finish();
}

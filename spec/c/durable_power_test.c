/* SPDX-License-Identifier: MIT
 *
 * The power fails. Below SQLite lies a file system that knows what was synced: at the cut, of what was written since a
 * file's last sync, nothing is left, or all of it in one file and nothing in another, or some pages. With `full` all
 * that was committed is there afterwards; without, the journal is whole all the same, as it was after one of its
 * commits.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "durable_script.h"
#include "random.h"

enum { PAGE = 4096, SAMPLES = 120 };
enum left { NOTHING, DATABASE, WAL, SOME, HOWS }; /* what is left of what was not synced */

static struct {
  long count, at; /* of writes, syncs, truncations and removals; at 0: never */
  sqlite3_vfs vfs, *real;
} power;

struct powered_file {
  sqlite3_file base;
  const char *name;
  sqlite3_file *real; /* behind this struct */
};

static uint64_t chance = 7;

static struct powered_file *of(sqlite3_file *file) { return (struct powered_file *)file; }

static void cut(void) {
  if (++power.count == power.at) _exit(9);
}

static void copy(const char *from, const char *to) {
  char bytes[16 * PAGE];
  int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  for (ssize_t n = 1; in >= 0 && n > 0;) {
    n = read(in, bytes, sizeof bytes);
    if (n > 0 && write(out, bytes, (size_t)n) != n) abort();
  }
  if (in >= 0) (void)close(in);
  (void)close(out);
}

static int powered_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at) {
  cut();
  return of(file)->real->pMethods->xWrite(of(file)->real, data, len, at);
}

static int powered_truncate(sqlite3_file *file, sqlite3_int64 size) {
  cut();
  return of(file)->real->pMethods->xTruncate(of(file)->real, size);
}

/* NAME.safe is what is on the disk. */
static int powered_sync(sqlite3_file *file, int flags) {
  char safe[256];
  (void)flags;
  cut();
  (void)snprintf(safe, sizeof safe, "%s.safe", of(file)->name);
  copy(of(file)->name, safe);
  return SQLITE_OK;
}

static int powered_delete(sqlite3_vfs *vfs, const char *name, int sync) {
  char safe[256];
  (void)vfs;
  cut();
  (void)snprintf(safe, sizeof safe, "%s.safe", name);
  (void)unlink(safe);
  return power.real->xDelete(power.real, name, sync);
}

#define PASS_ON(name, parameters, ...) \
  static int pass_##name parameters { return of(file)->real->pMethods->name(of(file)->real, ##__VA_ARGS__); }
PASS_ON(xClose, (sqlite3_file * file))
PASS_ON(xRead, (sqlite3_file * file, void *to, int len, sqlite3_int64 at), to, len, at)
PASS_ON(xFileSize, (sqlite3_file * file, sqlite3_int64 *size), size)
PASS_ON(xLock, (sqlite3_file * file, int level), level)
PASS_ON(xUnlock, (sqlite3_file * file, int level), level)
PASS_ON(xCheckReservedLock, (sqlite3_file * file, int *out), out)
PASS_ON(xFileControl, (sqlite3_file * file, int op, void *arg), op, arg)
PASS_ON(xSectorSize, (sqlite3_file * file))

static int no_characteristics(sqlite3_file *file) {
  (void)file;
  return 0;
}

static const sqlite3_io_methods METHODS = {
    .iVersion = 1,
    .xClose = pass_xClose,
    .xRead = pass_xRead,
    .xWrite = powered_write,
    .xTruncate = powered_truncate,
    .xSync = powered_sync,
    .xFileSize = pass_xFileSize,
    .xLock = pass_xLock,
    .xUnlock = pass_xUnlock,
    .xCheckReservedLock = pass_xCheckReservedLock,
    .xFileControl = pass_xFileControl,
    .xSectorSize = pass_xSectorSize,
    .xDeviceCharacteristics = no_characteristics,
};

static int powered_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out) {
  struct powered_file *f = (struct powered_file *)file;
  (void)vfs;
  f->name = name;
  f->real = (sqlite3_file *)(f + 1);
  f->base.pMethods = NULL;
  int code = power.real->xOpen(power.real, name, f->real, flags, out);
  if (code == SQLITE_OK) f->base.pMethods = &METHODS;
  return code;
}

static void register_powered(void) {
  power.real = sqlite3_vfs_find(NULL);
  power.vfs = *power.real;
  power.vfs.zName = "powered";
  power.vfs.szOsFile = (int)sizeof(struct powered_file) + power.real->szOsFile;
  power.vfs.xOpen = powered_open;
  power.vfs.xDelete = powered_delete;
  (void)sqlite3_vfs_register(&power.vfs, 0);
}

/* After the cut --------------------------------------------------------------------------------------------------- */

static bool read_page(int fd, off_t at, char *page, ssize_t *len) {
  *len = pread(fd, page, PAGE, at);
  return *len > 0;
}

/* Each page of the file as it was written last, or as it is on the disk. */
static void mix_pages(const char *name, const char *safe) {
  char mixed[256], page[PAGE], older[PAGE];
  (void)snprintf(mixed, sizeof mixed, "%s.mixed", name);
  int now = open(name, O_RDONLY | O_CLOEXEC), was = open(safe, O_RDONLY | O_CLOEXEC);
  int out = open(mixed, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  ssize_t len = 0, older_len = 0;
  for (off_t at = 0; read_page(now, at, page, &len); at += len) {
    bool lost = random_below(&chance, 2) == 0;
    if (lost && !read_page(was, at, older, &older_len)) memset(older, 0, sizeof older);
    if (write(out, lost ? older : page, (size_t)len) != len) abort();
  }
  (void)close(now);
  if (was >= 0) (void)close(was);
  (void)close(out);
  (void)rename(mixed, name);
}

static void lose(const char *name, enum left how) {
  char safe[256];
  bool is_wal = strstr(name, "-wal") != NULL;
  (void)snprintf(safe, sizeof safe, "%s.safe", name);
  if (access(name, F_OK) != 0) return;
  if (how == SOME)
    mix_pages(name, safe);
  else if (how == NOTHING || is_wal != (how == WAL))
    copy(safe, name);
}

/* All files of the journal; what is on the disk is what a test leaves there. */
static void lose_power(enum left how) {
  static const char *const suffixes[] = {"", "-wal", "-journal"};
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
    char name[128], safe[160];
    (void)snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
    (void)snprintf(safe, sizeof safe, "%s.safe", name);
    lose(name, how);
    (void)unlink(safe);
  }
}

static struct fog_durable *open_powered(bool full, struct fog_durable_found *found) {
  struct fog_durable *d = NULL;
  struct fog_durable_error error;
  const struct fog_durable_options o = {.vfs = "powered", .full = full};
  if (fog_durable_open(path, &o, &d, found, &error) == FOG_DURABLE_OK) return d;
  printf("# %s\n", error.text);
  return NULL;
}

static volatile int *committed;

static void live_until(long at, bool full) {
  power.at = at;
  struct fog_durable *d = open_powered(full, NULL);
  for (int n = 1; n <= STEPS && d != NULL; n++) {
    if (note_step(d, n) != FOG_DURABLE_OK || d->head.ops->commit(d, NULL) != FOG_DURABLE_OK) _exit(3);
    *committed = n;
  }
  *committed = STEPS;
  if (d != NULL) d->head.ops->release(d);
  _exit(0);
}

/* The step that it is as it was after, -1: none; 0 where nothing had been made of it yet. */
static int step_of(bool full) {
  struct fog_durable_found found;
  power.at = 0;
  struct fog_durable *d = open_powered(full, &found);
  if (d == NULL || found.damaged[0] != '\0') return -1;
  int step = STEPS;
  while (step >= 0 && !has_dump(d, step)) step--;
  d->head.ops->release(d);
  return step;
}

/* False: the process lived to its end. */
static bool cut_at(long at, bool full, enum left how, long *wrong) {
  empty_folder();
  *committed = 0;
  power.count = 0;
  pid_t child = fork();
  if (child == 0) live_until(at, full);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 9) return false;
  int done = *committed;
  lose_power(how);
  int step = step_of(full);
  bool ok = step >= (full ? done : 0) && step <= done + 1;
  if (!ok && (*wrong)++ == 0) printf("# cut at %ld, %d committed: as after %d\n", at, done, step);
  return true;
}

static void cut_everywhere(bool full, enum left how, const char *what) {
  long wrong = 0, cuts = 0, most = 4000, step = 1;
  for (long at = 1; at < most && cut_at(at, full, how, &wrong); at += step) {
    cuts++;
    step = cuts < SAMPLES / 4 ? 1 : 1 + (long)random_below(&chance, 11);
  }
  check(cuts > 50 && wrong == 0, what);
}

int main(void) {
  static const char *const words[2][HOWS] = {
      {"normal: whole where nothing is left that was not synced", "where the database alone is left",
       "where the WAL alone is left", "where some pages are"},
      {"full: all that was committed, where nothing else is left", "where the database alone is",
       "where the WAL alone is", "where some pages are"},
  };
  register_powered();
  committed = mmap(NULL, sizeof *committed, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  prepare();
  for (int full = 0; full < 2; full++) {
    for (int how = 0; how < HOWS; how++) cut_everywhere(full != 0, (enum left)how, words[full][how]);
  }
  clean_up();
  return finish();
}

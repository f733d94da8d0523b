/* SPDX-License-Identifier: MIT
 *
 * A VFS of SQLite's that counts every write, sync, truncation and removal, and at the one that is chosen fails, or ends
 * the process before it, in the middle of it or after it.
 */
#ifndef FOG_FAILING_VFS_H
#define FOG_FAILING_VFS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum vfs_event { VFS_FAILS, VFS_IS_FULL, VFS_DIES_BEFORE, VFS_DIES_WITHIN, VFS_DIES_AFTER };

static struct {
  long count, at; /* at 0: never */
  enum vfs_event event;
  bool lasting; /* it fails from then on, too */
  sqlite3_vfs vfs, *real;
} faults;

struct failing_file {
  sqlite3_file base;
  sqlite3_file *real; /* behind this struct */
};

static sqlite3_file *real_of(sqlite3_file *file) { return ((struct failing_file *)file)->real; }

/* The code to fail with; SQLITE_OK: go on. */
static int meets_fault(bool *within, bool *after) {
  *within = *after = false;
  faults.count++;
  bool now = faults.at != 0 && (faults.count == faults.at || (faults.lasting && faults.count > faults.at));
  if (!now) return SQLITE_OK;
  if (faults.event == VFS_DIES_BEFORE) _exit(9);
  *within = faults.event == VFS_DIES_WITHIN;
  *after = faults.event == VFS_DIES_AFTER;
  if (*within || *after) return SQLITE_OK;
  return faults.event == VFS_IS_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int failing_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at) {
  bool within, after;
  int code = meets_fault(&within, &after);
  if (code != SQLITE_OK) return code;
  code = real_of(file)->pMethods->xWrite(real_of(file), data, within ? len / 2 : len, at);
  if (within || after) _exit(9);
  return code;
}

static int failing_truncate(sqlite3_file *file, sqlite3_int64 size) {
  bool within, after;
  int code = meets_fault(&within, &after);
  if (code != SQLITE_OK) return code;
  code = real_of(file)->pMethods->xTruncate(real_of(file), size);
  if (within || after) _exit(9);
  return code;
}

static int failing_sync(sqlite3_file *file, int flags) {
  bool within, after;
  int code = meets_fault(&within, &after);
  if (code != SQLITE_OK) return code == SQLITE_FULL ? SQLITE_FULL : SQLITE_IOERR_FSYNC;
  if (within || after) _exit(9);
  (void)file, (void)flags; /* nothing here loses its power: it would only take time */
  return SQLITE_OK;
}

static int failing_delete(sqlite3_vfs *vfs, const char *name, int sync) {
  bool within, after;
  (void)vfs;
  int code = meets_fault(&within, &after);
  if (code != SQLITE_OK) return SQLITE_IOERR_DELETE;
  code = faults.real->xDelete(faults.real, name, sync);
  if (within || after) _exit(9);
  return code;
}

#define PASS_ON(name, parameters, ...) \
  static int pass_##name parameters { return real_of(file)->pMethods->name(real_of(file), ##__VA_ARGS__); }
PASS_ON(xClose, (sqlite3_file * file))
PASS_ON(xRead, (sqlite3_file * file, void *to, int len, sqlite3_int64 at), to, len, at)
PASS_ON(xFileSize, (sqlite3_file * file, sqlite3_int64 *size), size)
PASS_ON(xLock, (sqlite3_file * file, int level), level)
PASS_ON(xUnlock, (sqlite3_file * file, int level), level)
PASS_ON(xCheckReservedLock, (sqlite3_file * file, int *out), out)
PASS_ON(xFileControl, (sqlite3_file * file, int op, void *arg), op, arg)
PASS_ON(xSectorSize, (sqlite3_file * file))
PASS_ON(xDeviceCharacteristics, (sqlite3_file * file))

static const sqlite3_io_methods METHODS = {
    .iVersion = 1, /* without shared memory, as exclusive locking needs none */
    .xClose = pass_xClose,
    .xRead = pass_xRead,
    .xWrite = failing_write,
    .xTruncate = failing_truncate,
    .xSync = failing_sync,
    .xFileSize = pass_xFileSize,
    .xLock = pass_xLock,
    .xUnlock = pass_xUnlock,
    .xCheckReservedLock = pass_xCheckReservedLock,
    .xFileControl = pass_xFileControl,
    .xSectorSize = pass_xSectorSize,
    .xDeviceCharacteristics = pass_xDeviceCharacteristics,
};

static int failing_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out) {
  struct failing_file *f = (struct failing_file *)file;
  (void)vfs;
  f->real = (sqlite3_file *)(f + 1);
  f->base.pMethods = NULL;
  int code = faults.real->xOpen(faults.real, name, f->real, flags, out);
  if (code == SQLITE_OK) f->base.pMethods = &METHODS;
  return code;
}

/* Registers it as "failing". */
static void register_failing_vfs(void) {
  faults.real = sqlite3_vfs_find(NULL);
  faults.vfs = *faults.real;
  faults.vfs.zName = "failing";
  faults.vfs.szOsFile = (int)sizeof(struct failing_file) + faults.real->szOsFile;
  faults.vfs.xOpen = failing_open;
  faults.vfs.xDelete = failing_delete;
  (void)sqlite3_vfs_register(&faults.vfs, 0);
}

static void set_fault(enum vfs_event event, long at, bool lasting) {
  faults.event = event;
  faults.count = 0;
  faults.at = at;
  faults.lasting = lasting;
}

#endif

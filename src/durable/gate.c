/* SPDX-License-Identifier: MIT
 *
 * Who comes in, and with what words somebody is sent away.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store.h"

enum fog_durable_code fog_durable_fail(struct fog_durable_error *error, enum fog_durable_code code, const char *format,
                                       ...) {
  if (error == NULL) return code;
  error->code = code; /* rest_is_there is batch.c's */
  va_list args;
  va_start(args, format);
  (void)vsnprintf(error->text, sizeof error->text, format, args);
  va_end(args);
  return code;
}

enum fog_durable_code fog_durable_code_of(int number) {
  switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return FOG_DURABLE_FULL;
    case ENOMEM:
      return FOG_DURABLE_MEMORY;
    default:
      return FOG_DURABLE_IO;
  }
}

/* Why the system said no. COMMIT does not tell the connection, but the files know. */
static int system_errno(sqlite3 *db) {
  int number = sqlite3_system_errno(db);
  sqlite3_file *wal = NULL;
  if (number == 0) (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_LAST_ERRNO, &number);
  if (number == 0) (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
  if (wal != NULL && wal->pMethods != NULL) {
    (void)wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &number);
  }
  return number;
}

static enum fog_durable_code code_of(sqlite3 *db, int number) {
  switch (sqlite3_errcode(db)) {
    case SQLITE_FULL:
      return FOG_DURABLE_FULL;
    case SQLITE_NOMEM:
      return FOG_DURABLE_MEMORY;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      return sqlite3_extended_errcode(db) == SQLITE_IOERR_NOMEM ? FOG_DURABLE_MEMORY : fog_durable_code_of(number);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: /* a table is missing */
      return FOG_DURABLE_DAMAGED;
    case SQLITE_BUSY:
      return FOG_DURABLE_IN_USE;
    default:
      return FOG_DURABLE_IO;
  }
}

enum fog_durable_code fog_durable_sqlite(sqlite3 *db, const char *path, struct fog_durable_error *error) {
  const char *text = sqlite3_errmsg(db);
  int kind = sqlite3_errcode(db);
  int number = kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN ? system_errno(db) : 0;
  return fog_durable_fail(error, code_of(db, number), "%s: %s%s%s", path, text, number != 0 ? ": " : "",
                          number != 0 ? strerror(number) : "");
}

enum fog_durable_code fog_durable_enter(struct fog_durable *d, struct fog_durable_error *error) {
  if (d->claim.pid != getpid()) {
    return fog_durable_fail(error, FOG_DURABLE_FORKED, "%s belongs to process %ld, which this one was forked from",
                            d->claim.path, (long)d->claim.pid);
  }
  (void)pthread_mutex_lock(&d->lock);
  if (d->db != NULL) return FOG_DURABLE_OK;
  (void)pthread_mutex_unlock(&d->lock);
  return fog_durable_fail(error, FOG_DURABLE_CLOSED, "%s is closed", d->claim.path);
}

void fog_durable_leave(struct fog_durable *d) { (void)pthread_mutex_unlock(&d->lock); }

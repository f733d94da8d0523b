/* SPDX-License-Identifier: MIT
 *
 * Every allocation of the journal, ours and SQLite's, fails once. Nothing is lost, nothing leaks: what failed for want
 * of memory succeeds when it is tried again.
 */
#include "alloc_table.h"
#include "durable_script.h"

enum { LIFE = 3, TRIES = 4 };

static sqlite3_mem_methods real;
static long sqlite_count, sqlite_at; /* as in alloc_table.h */

static bool sqlite_fails(void) { return ++sqlite_count == sqlite_at; }
static void *failing_malloc(int n) { return sqlite_fails() ? NULL : real.xMalloc(n); }
static void *failing_realloc(void *p, int n) { return sqlite_fails() ? NULL : real.xRealloc(p, n); }

static void use_failing_memory(void) {
  (void)sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real);
  sqlite3_mem_methods failing = real;
  failing.xMalloc = failing_malloc;
  failing.xRealloc = failing_realloc;
  (void)sqlite3_config(SQLITE_CONFIG_MALLOC, &failing);
}

/* A change that could not be noted is told, and ends it: it might be noted again, but which ones were is the caller's
 * to know. */
static bool live(bool *noted) {
  struct fog_durable_error error;
  struct fog_durable *d = NULL;
  for (int i = 0; i < TRIES && d == NULL; i++) d = open_with(NULL, NULL, &error);
  if (d == NULL) return false;
  bool ok = true;
  for (int n = 1; n <= LIFE && ok && *noted; n++) {
    enum fog_durable_code code = note_step(d, n);
    *noted = code == FOG_DURABLE_OK;
    if (!*noted) {
      ok = code == FOG_DURABLE_MEMORY;
      break;
    }
    code = FOG_DURABLE_MEMORY;
    for (int i = 0; i < TRIES && code == FOG_DURABLE_MEMORY; i++) code = d->head.ops->commit(d, NULL);
    ok = code == FOG_DURABLE_OK && (has_dump(d, n) || has_dump(d, n)); /* reading needs memory, too */
  }
  d->head.ops->release(d);
  return ok;
}

static bool is_kept(void) {
  struct fog_durable *d = open_plain();
  bool ok = d != NULL && has_dump(d, LIFE);
  if (d != NULL) d->head.ops->release(d);
  return ok;
}

/* False: there are not so many. */
static bool fail_once(bool ours, long n, long *refused) {
  bool noted = true;
  long before = live_blocks();
  empty_folder();
  fail_at(ours ? n : 0);
  sqlite_count = 0;
  sqlite_at = ours ? 0 : n;
  bool ok = live(&noted);
  bool fell = ours ? has_failed() : sqlite_count >= n;
  fail_at(0);
  sqlite_at = 0;
  *refused += !noted;
  check_at(ok && (!noted || is_kept()), "a life goes on", n, ours ? "of ours" : "of SQLite's");
  check_at(live_blocks() == before, "nothing is left allocated", n, ours ? "of ours" : "of SQLite's");
  return fell;
}

int main(void) {
  (void)setvbuf(stdout, NULL, _IOLBF, 0);
  use_failing_memory();
  prepare();
  long ours = 1, theirs = 1, refused = 0;
  while (fail_once(true, ours, &refused)) ours++;
  check(ours > 15 && refused > 0, "each of our allocations failed once");
  while (fail_once(false, theirs, &refused)) theirs += 3;
  check(theirs > 1000, "and every third of SQLite's");
  empty_folder();
  clean_up();
  return finish();
}

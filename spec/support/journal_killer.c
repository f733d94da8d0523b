/* SPDX-License-Identifier: MIT
 *
 * Loaded before a program (LD_PRELOAD): counts what it writes, syncs, cuts and removes of files whose names hold
 * "journal", and kills it at the one whose number JOURNAL_KILL says; in the middle of it where that is a write and
 * JOURNAL_TEAR is set.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long count;

static int is_journal(int fd) {
  char link[64], path[512] = "";
  (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  return readlink(link, path, sizeof path - 1) > 0 && strstr(path, "journal") != NULL && strstr(path, ".lock") == NULL;
}

static void die(void) {
  (void)kill(getpid(), SIGKILL);
  for (;;) (void)pause();
}

/* Whether it is this one's turn. */
static int meets(void) {
  const char *at = getenv("JOURNAL_KILL");
  return at != NULL && atomic_fetch_add(&count, 1) + 1 == atol(at);
}

#define REAL(name, type) ((type)(void *)dlsym(RTLD_NEXT, name))

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at) {
  ssize_t (*real)(int, const void *, size_t, off64_t) =
      REAL("pwrite64", ssize_t(*)(int, const void *, size_t, off64_t));
  if (is_journal(fd) && meets()) {
    if (getenv("JOURNAL_TEAR") != NULL) (void)!real(fd, data, len / 2, at);
    die();
  }
  return real(fd, data, len, at);
}

int fdatasync(int fd) {
  if (is_journal(fd) && meets()) die();
  return REAL("fdatasync", int (*)(int))(fd);
}

int ftruncate64(int fd, off64_t len) {
  if (is_journal(fd) && meets()) die();
  return REAL("ftruncate64", int (*)(int, off64_t))(fd, len);
}

int unlink(const char *path) {
  if (strstr(path, "journal-") != NULL && meets()) die();
  return REAL("unlink", int (*)(const char *))(path);
}

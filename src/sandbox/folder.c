/* SPDX-License-Identifier: MIT */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "fogcloud-sandbox."
#define FALLBACK "/tmp" /* where TMPDIR is not set, not there, or cannot be written to */
#define LOCK "lock"
#define DATA_LOCK "data.lock" /* another name: a user's folder is never swept */

static const char *root(void) {
  const char *tmp = getenv("TMPDIR");
  return tmp != NULL && tmp[0] == '/' ? tmp : FALLBACK;
}

/* Only regular files, directly in it: nothing else is ever put there, and what is not ours we leave. */
static void empty(int folder) {
  int copy = dup(folder);
  DIR *dir = copy < 0 ? NULL : fdopendir(copy);
  if (dir == NULL) {
    if (copy >= 0) (void)close(copy);
    return;
  }
  for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    struct stat st;
    bool file = fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
    if (file) (void)unlinkat(folder, entry->d_name, 0);
  }
  (void)closedir(dir);
}

static bool is_mine(int fd) {
  struct stat st;
  return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

/* A folder without a lock is just being made, or is somebody else's idea. */
static void sweep_one(int parent, const char *name) {
  int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (folder < 0) return;
  int lock = is_mine(folder) ? openat(folder, LOCK, O_RDWR | O_NOFOLLOW | O_CLOEXEC) : -1;
  if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0) {
    empty(folder);
    (void)unlinkat(parent, name, AT_REMOVEDIR);
  }
  if (lock >= 0) (void)close(lock);
  (void)close(folder);
}

static void sweep(const char *in) {
  DIR *dir = opendir(in);
  if (dir == NULL) return;
  int parent = dirfd(dir);
  for (const struct dirent *entry; parent >= 0 && (entry = readdir(dir)) != NULL;) {
    if (strncmp(entry->d_name, PREFIX, sizeof PREFIX - 1) == 0) sweep_one(parent, entry->d_name);
  }
  (void)closedir(dir);
}

static int make_in(const char *in, char *path, size_t size) {
  sweep(in);
  if (snprintf(path, size, "%s/" PREFIX "XXXXXX", in) >= (int)size) return ENAMETOOLONG;
  return mkdtemp(path) == NULL ? errno : 0;
}

int fog_folder_make(char *path, size_t size) {
  int made = make_in(root(), path, size);
  if (made != 0) made = make_in(FALLBACK, path, size);
  if (made != 0) return made;
  int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return errno;
  /* Locked before it has its name, so that no sweep finds it free; held until the process ends. */
  int lock = openat(folder, LOCK ".new", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (lock >= 0) (void)flock(lock, LOCK_EX | LOCK_NB);
  int rc = lock < 0 || renameat(folder, LOCK ".new", folder, LOCK) != 0 ? errno : 0;
  (void)close(folder);
  return rc;
}

int fog_folder_take(const char *path) {
  if (mkdir(path, 0700) != 0 && errno != EEXIST) return errno;
  int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return errno;
  int lock = openat(folder, DATA_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  int rc = lock < 0 || flock(lock, LOCK_EX | LOCK_NB) != 0 ? errno : 0;
  if (rc != 0 && lock >= 0) (void)close(lock);
  (void)close(folder);
  return rc;
}

int fog_folder_remove(const char *path) {
  int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (folder < 0) return errno;
  empty(folder);
  (void)close(folder);
  return rmdir(path) == 0 ? 0 : errno;
}

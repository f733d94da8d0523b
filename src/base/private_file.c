/* SPDX-License-Identifier: MIT */
#include "private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HOLDER_SIZE = 24 }; /* a process id as text */

enum { PRIVATE_MODE = 0600, FOLDER_MODE = 0700, OTHERS = 077, OTHERS_WRITE = 022 };

const char *fog_private_file_text(int rc) {
  switch (rc) {
    case FOG_FILE_FOREIGN:
      return "it belongs to another user";
    case FOG_FILE_LOOSE:
      return "others may read or write it (chmod 600 for a file, 700 for a folder)";
    case FOG_FILE_SPECIAL:
    case ELOOP: /* a link in its place */
      return "it is not a regular file or folder (no link is followed)";
    case FOG_FILE_LARGE:
      return "it is too large";
    default:
      return strerror(rc);
  }
}

/* A folder may be read by others: what lies in it must not. */
static int judge_folder(int fd) {
  struct stat st;
  if (fstat(fd, &st) != 0) return errno;
  if (st.st_uid != geteuid()) return FOG_FILE_FOREIGN;
  return (st.st_mode & OTHERS_WRITE) != 0 ? FOG_FILE_LOOSE : 0;
}

static int judge(int fd, size_t max, bool secret, size_t *size) {
  struct stat st;
  if (fstat(fd, &st) != 0) return errno;
  if (!S_ISREG(st.st_mode)) return FOG_FILE_SPECIAL;
  if (secret && st.st_uid != geteuid()) return FOG_FILE_FOREIGN;
  if (secret && (st.st_mode & OTHERS) != 0) return FOG_FILE_LOOSE;
  if (st.st_size < 0 || (size_t)st.st_size > max) return FOG_FILE_LARGE;
  *size = (size_t)st.st_size;
  return 0;
}

/* Up to `size` bytes; fewer when the file shrank meanwhile. */
static int read_all(int fd, char *data, size_t size, size_t *len) {
  *len = 0;
  while (*len < size) {
    ssize_t n = read(fd, data + *len, size - *len);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) break;
    *len += (size_t)n;
  }
  return 0;
}

/* O_NONBLOCK: a FIFO in the file's place must not hold us up. */
int fog_private_file_read(const char *path, size_t max, bool secret, char **data, size_t *len) {
  size_t size = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return errno;
  int rc = judge(fd, max, secret, &size);
  char *bytes = NULL;
  if (rc == 0) {
    bytes = malloc(size + 1);
    rc = bytes == NULL ? ENOMEM : read_all(fd, bytes, size, len);
  }
  (void)close(fd);
  if (rc != 0) {
    free(bytes);
    return rc;
  }
  *data = bytes;
  return 0;
}

static int write_all(int fd, const char *data, size_t len) {
  while (len > 0) {
    ssize_t n = write(fd, data, len);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    data += n;
    len -= (size_t)n;
  }
  return 0;
}

/* The rename itself is on the disk only once its folder is. A file system that cannot do that is none of our caller's
 * business: the bytes are safe by then. */
static void sync_folder(const char *path) {
  char *folder = strdup(path);
  if (folder == NULL) return;
  char *slash = strrchr(folder, '/');
  if (slash != NULL) slash[slash == folder ? 1 : 0] = '\0';
  int fd = open(slash == NULL ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    (void)fsync(fd);
    (void)close(fd);
  }
  free(folder);
}

static int fill(int fd, const char *data, size_t len) {
  int rc = fchmod(fd, PRIVATE_MODE) != 0 ? errno : write_all(fd, data, len);
  if (rc == 0 && fsync(fd) != 0) rc = errno;
  if (close(fd) != 0 && rc == 0) rc = errno;
  return rc;
}

int fog_private_file_write(const char *path, const char *data, size_t len) {
  static const char suffix[] = ".XXXXXX";
  size_t size = strlen(path) + sizeof suffix;
  char *temporary = malloc(size);
  if (temporary == NULL) return ENOMEM;
  (void)snprintf(temporary, size, "%s%s", path, suffix);
  int fd = mkostemp(temporary, O_CLOEXEC);
  int rc = fd < 0 ? errno : fill(fd, data, len);
  if (rc == 0 && rename(temporary, path) != 0) rc = errno;
  if (rc != 0 && fd >= 0) (void)unlink(temporary);
  if (rc == 0) sync_folder(path);
  free(temporary);
  return rc;
}

int fog_private_file_append(const char *path, const char *data, size_t len) {
  int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, PRIVATE_MODE);
  if (fd < 0) return errno;
  size_t size = 0;
  int rc = judge(fd, (size_t)-1, false, &size);
  if (rc == 0) rc = write_all(fd, data, len);
  if (close(fd) != 0 && rc == 0) rc = errno;
  return rc;
}

int fog_private_file_folder(const char *path) {
  if (mkdir(path, FOLDER_MODE) == 0) return 0;
  if (errno != EEXIST) return errno;
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return errno == ENOTDIR || errno == ELOOP ? FOG_FILE_SPECIAL : errno;
  int rc = judge_folder(fd);
  (void)close(fd);
  return rc;
}

/* For a person to read, and on a full disk nobody's loss: the lock is what counts. */
static void note_holder(int fd) {
  char text[HOLDER_SIZE];
  int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
  if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)len, 0) < 0) return;
}

/* flock and not fcntl's locks: those do not hold between two locks of one process, and end when anybody there closes
 * the file. */
int fog_private_file_lock(const char *path, int *fd) {
  int opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, PRIVATE_MODE);
  if (opened < 0) return errno;
  size_t size = 0;
  int rc = judge(opened, (size_t)-1, true, &size);
  if (rc == 0 && flock(opened, LOCK_EX | LOCK_NB) != 0) rc = errno;
  if (rc != 0) {
    (void)close(opened);
    return rc;
  }
  note_holder(opened);
  *fd = opened;
  return 0;
}

pid_t fog_private_file_holder(const char *path) {
  char text[HOLDER_SIZE] = "";
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return 0;
  size_t len = 0;
  int rc = read_all(fd, text, sizeof text - 1, &len);
  (void)close(fd);
  long pid = rc == 0 ? strtol(text, NULL, 10) : 0;
  return pid > 0 && pid <= INT_MAX ? (pid_t)pid : 0;
}

void fog_private_file_unlock(int fd) {
  (void)flock(fd, LOCK_UN);
  (void)close(fd);
}

/* SPDX-License-Identifier: MIT */
#include "memory_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef MFD_CLOEXEC
static int create(char path[FOG_MEMORY_FILE_PATH]) {
  int fd = memfd_create("fogcloud", MFD_CLOEXEC);
  if (fd >= 0) (void)snprintf(path, FOG_MEMORY_FILE_PATH, "/proc/self/fd/%d", fd);
  return fd;
}
#else
static int create(char path[FOG_MEMORY_FILE_PATH]) {
  (void)snprintf(path, FOG_MEMORY_FILE_PATH, "/tmp/fogcloud.XXXXXX");
  return mkstemp(path); /* mode 0600 */
}
#endif

int fog_memory_file_open(const char *text, size_t len, char path[FOG_MEMORY_FILE_PATH]) {
  int fd = create(path);
  if (fd < 0) return -1;
  for (size_t done = 0; done < len;) {
    ssize_t n = write(fd, text + done, len - done);
    if (n <= 0) {
      fog_memory_file_close(fd, path);
      return -1;
    }
    done += (size_t)n;
  }
  return fd;
}

void fog_memory_file_close(int fd, const char *path) {
  if (fd < 0) return;
  if (strncmp(path, "/tmp/", 5) == 0) (void)unlink(path);
  (void)close(fd);
}

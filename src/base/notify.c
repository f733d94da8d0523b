/* SPDX-License-Identifier: MIT */
#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int fog_notify(const char *path, const char *text, size_t len) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t path_len = strlen(path);
  if (path_len < 2 || (path[0] != '/' && path[0] != '@')) return EINVAL;
  if (path_len >= sizeof address.sun_path) return ENAMETOOLONG;
  memcpy(address.sun_path, path, path_len);
  if (path[0] == '@') address.sun_path[0] = '\0'; /* the name is the rest, to its last byte */
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  if (fd < 0) return errno;
  (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_len + (path[0] == '/' ? 1 : 0));
  int err = 0;
  if (sendto(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&address, size) < 0) err = errno;
  (void)close(fd);
  return err;
}

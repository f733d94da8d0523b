/* SPDX-License-Identifier: MIT */
#include "mirror.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char FOLDER[] = "/fogcloud.XXXXXX", NAME[] = "/wake";

static void set_flags(int fd) {
  (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  (void)fcntl(fd, F_SETFL, O_NONBLOCK);
}

static int make_folder(char path[FOG_MIRROR_PATH]) {
  const char *base = getenv("TMPDIR");
  if (base == NULL || base[0] != '/' || strlen(base) + sizeof FOLDER + sizeof NAME > FOG_MIRROR_PATH) base = "/tmp";
  (void)snprintf(path, FOG_MIRROR_PATH, "%s%s", base, FOLDER);
  return mkdtemp(path) == NULL ? errno : 0; /* mode 0700 */
}

static int bind_at(struct fog_mirror *m) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", m->path);
  if (bind(m->fd, (const struct sockaddr *)&address, sizeof address) != 0) return errno;
  return listen(m->fd, 1) == 0 ? 0 : errno;
}

int fog_mirror_listen(struct fog_mirror *m) {
  int err = make_folder(m->path);
  m->fd = -1;
  if (err != 0) return err;
  (void)strncat(m->path, NAME, sizeof m->path - strlen(m->path) - 1);
  m->fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (m->fd < 0) err = errno;
  if (err == 0) set_flags(m->fd);
  if (err == 0) err = bind_at(m);
  if (err != 0) fog_mirror_close(m);
  return err;
}

int fog_mirror_accept(struct fog_mirror *m) {
  int fd = accept(m->fd, NULL, NULL);
  int err = errno;
  if (fd >= 0) set_flags(fd);
  fog_mirror_close(m);
  errno = err;
  return fd;
}

void fog_mirror_close(struct fog_mirror *m) {
  if (m->path[0] != '\0') {
    (void)unlink(m->path);
    m->path[strlen(m->path) - strlen(NAME)] = '\0';
    (void)rmdir(m->path);
    m->path[0] = '\0';
  }
  if (m->fd >= 0) (void)close(m->fd);
  m->fd = -1;
}

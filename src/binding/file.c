/* SPDX-License-Identifier: MIT
 *
 * core.file, what Lua lacks for keeping secrets on disk:
 *   file.read(path, max) -> text, of at most max bytes (1 MiB); nil, "absent"; or nil, why, text of it
 *   file.read(path, max, "regular")  the same of a file that holds no secrets and may be anybody's
 *   file.readable(path) -> true where it can be opened for reading, by links too; or nil, text of why not
 *   file.append(path, text) -> true; to a file of that kind. Or nil, why, text of it
 *   file.write(path, text), file.folder(path), file.remove(path) -> true; or nil, why, text of it
 *   file.home()        -> the user's folder by the user database; nil where it has none
 *   file.lock(path)    -> a lock with unlock(); nil, "busy", text, the holder's process id where it is known; or nil,
 *                         why, text. Never waits.
 * why is one of absent, busy, foreign, loose, special, large, io.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/private_file.h"
#include "../base/process.h"
#include "util.h"

#define FOG_LOCK_CLASS "fogcloud.FileLock"

static const size_t MAX_SIZE = 1048576;

struct lock {
  int fd; /* -1 when given up */
  pid_t pid;
};

static const char *check_path(lua_State *L, int arg) {
  size_t len = 0;
  const char *path = luaL_checklstring(L, arg, &len);
  luaL_argcheck(L, len > 0 && strlen(path) == len, arg, "a path without NUL bytes expected");
  return path;
}

static const char *why(int rc) {
  switch (rc) {
    case ENOENT:
      return "absent";
    case EWOULDBLOCK:
      return "busy";
    case FOG_FILE_FOREIGN:
      return "foreign";
    case FOG_FILE_LOOSE:
      return "loose";
    case ELOOP: /* a symbolic link in the file's place */
    case FOG_FILE_SPECIAL:
      return "special";
    case FOG_FILE_LARGE:
      return "large";
    default:
      return "io";
  }
}

static int result(lua_State *L, int rc) {
  if (rc == 0) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, why(rc));
  lua_pushstring(L, fog_private_file_text(rc));
  return 3;
}

/* The bytes are anchored in a userdata while they are pushed, for pushing may raise. */
static int l_free(lua_State *L) {
  char **anchor = lua_touserdata(L, 1);
  free(*anchor);
  *anchor = NULL;
  return 0;
}

static char **new_anchor(lua_State *L) {
  char **anchor = lua_newuserdatauv(L, sizeof *anchor, 0);
  *anchor = NULL;
  if (luaL_newmetatable(L, "fogcloud.Bytes") != 0) {
    lua_pushcfunction(L, l_free);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return anchor;
}

static int l_read(lua_State *L) {
  const char *path = check_path(L, 1);
  size_t max = (size_t)luaL_optnumber(L, 2, (lua_Number)MAX_SIZE), len = 0;
  static const char *const kinds[] = {"secret", "regular", NULL};
  bool secret = luaL_checkoption(L, 3, "secret", kinds) == 0;
  char **anchor = new_anchor(L);
  int rc = fog_private_file_read(path, max, secret, anchor, &len);
  if (rc != 0) return result(L, rc);
  lua_pushlstring(L, *anchor, len);
  free(*anchor);
  *anchor = NULL;
  return 1;
}

/* O_NONBLOCK: a FIFO in the file's place must not hold us up. */
static int l_readable(lua_State *L) {
  int fd = open(check_path(L, 1), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd >= 0) {
    (void)close(fd);
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, strerror(errno));
  return 2;
}

static int l_write(lua_State *L) {
  size_t len = 0;
  const char *path = check_path(L, 1);
  const char *data = luaL_checklstring(L, 2, &len);
  return result(L, fog_private_file_write(path, data, len));
}

static int l_append(lua_State *L) {
  size_t len = 0;
  const char *path = check_path(L, 1);
  const char *data = luaL_checklstring(L, 2, &len);
  return result(L, fog_private_file_append(path, data, len));
}

static int l_folder(lua_State *L) { return result(L, fog_private_file_folder(check_path(L, 1))); }

static int l_lock(lua_State *L) {
  const char *path = check_path(L, 1);
  struct lock *lock = lua_newuserdatauv(L, sizeof *lock, 0);
  *lock = (struct lock){.fd = -1, .pid = getpid()};
  luaL_getmetatable(L, FOG_LOCK_CLASS);
  lua_setmetatable(L, -2);
  int rc = fog_private_file_lock(path, &lock->fd);
  if (rc == 0) return 1;
  int results = result(L, rc);
  if (rc != EWOULDBLOCK) return results;
  pid_t pid = fog_private_file_holder(path);
  if (pid == 0) return results;
  lua_pushinteger(L, (lua_Integer)pid);
  return results + 1;
}

/* A forked child that collects its copy must not give up its parent's lock. */
static int l_unlock(lua_State *L) {
  struct lock *lock = luaL_checkudata(L, 1, FOG_LOCK_CLASS);
  int fd = lock->fd;
  lock->fd = -1;
  if (fd < 0) return 0;
  if (fog_process_forked(lock->pid))
    (void)close(fd);
  else
    fog_private_file_unlock(fd);
  return 0;
}

static int l_tostring(lua_State *L) {
  const struct lock *lock = luaL_checkudata(L, 1, FOG_LOCK_CLASS);
  lua_pushstring(L, lock->fd < 0 ? FOG_LOCK_CLASS " (given up)" : FOG_LOCK_CLASS " (held)");
  return 1;
}

static int l_remove(lua_State *L) { return result(L, unlink(check_path(L, 1)) == 0 ? 0 : errno); }

/* file.home(): the user's folder by the user database; nil where it has none. */
static int l_home(lua_State *L) {
  char buffer[4096];
  struct passwd entry, *found = NULL;
  if (getpwuid_r(geteuid(), &entry, buffer, sizeof buffer, &found) != 0 || found == NULL || found->pw_dir == NULL ||
      found->pw_dir[0] != '/') {
    lua_pushnil(L);
    return 1;
  }
  lua_pushstring(L, found->pw_dir);
  return 1;
}

int fog_open_file(lua_State *L) {
  static const luaL_Reg functions[] = {{"read", l_read},     {"write", l_write},       {"append", l_append},
                                       {"folder", l_folder}, {"lock", l_lock},         {"home", l_home},
                                       {"remove", l_remove}, {"readable", l_readable}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"unlock", l_unlock}, {NULL, NULL}};
  fog_class(L, FOG_LOCK_CLASS, methods, l_unlock, l_tostring);
  lua_newtable(L);
  fog_setfuncs(L, functions);
  return 1;
}

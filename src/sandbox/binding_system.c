/* SPDX-License-Identifier: MIT
 *
 * What the sandbox needs of the system and Lua has not: waiting on descriptors, free ports, clocks, certificates,
 * folders.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "binding.h"
#include "certs.h"
#include "folder.h"

#define LOOPBACK "127.0.0.1"

enum { MAX_FDS = 16, READ_SIZE = 4096 };

static int failure(lua_State *L, int err) {
  lua_pushnil(L);
  lua_pushstring(L, strerror(err));
  return 2;
}

/* die_with_parent(): SIGTERM comes when the process that started us dies. */
static int l_die_with_parent(lua_State *L) {
  lua_pushboolean(L, prctl(PR_SET_PDEATHSIG, SIGTERM) == 0);
  return 1;
}

/* pid() -> of this process */
static int l_pid(lua_State *L) {
  lua_pushinteger(L, getpid());
  return 1;
}

/* many_files(): as many open descriptors as the system lets us have, and what we start: a connection is one. */
static int l_many_files(lua_State *L) {
  struct rlimit limit;
  bool ok = getrlimit(RLIMIT_NOFILE, &limit) == 0;
  limit.rlim_cur = limit.rlim_max;
  lua_pushboolean(L, ok && setrlimit(RLIMIT_NOFILE, &limit) == 0);
  return 1;
}

/* poll(fds, timeout) -> { [fd] = true } of those that can be read; timeout in seconds, nil: for ever. */
static int l_poll(lua_State *L) {
  struct pollfd fds[MAX_FDS];
  nfds_t n = 0;
  luaL_checktype(L, 1, LUA_TTABLE);
  for (; n < MAX_FDS; n++) {
    lua_rawgeti(L, 1, (int)n + 1);
    if (lua_isnil(L, -1)) break;
    fds[n] = (struct pollfd){.fd = (int)lua_tointeger(L, -1), .events = POLLIN, .revents = 0};
    lua_pop(L, 1);
  }
  double timeout = luaL_optnumber(L, 2, -1);
  if (timeout > 3600) timeout = 3600;
  (void)poll(fds, n, timeout < 0 ? -1 : (int)(timeout * 1e3 + 0.999));
  lua_newtable(L);
  for (nfds_t i = 0; i < n; i++) {
    if (fds[i].revents == 0) continue;
    lua_pushboolean(L, 1);
    lua_rawseti(L, -2, fds[i].fd);
  }
  return 1;
}

/* read(fd) -> text, "" at the end; nil, text when there is nothing or an error. */
static int l_read(lua_State *L) {
  char buf[READ_SIZE];
  ssize_t n = read((int)luaL_checkinteger(L, 1), buf, sizeof buf);
  if (n < 0) return failure(L, errno);
  lua_pushlstring(L, buf, (size_t)n);
  return 1;
}

static int l_close_fd(lua_State *L) {
  (void)close((int)luaL_checkinteger(L, 1));
  return 0;
}

/* A TCP socket and the address to use it with; -1: none, or that is no IPv4 address. */
static int tcp(struct sockaddr_in *in, const char *address, lua_Integer port) {
  *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  if (inet_pton(AF_INET, address, &in->sin_addr) == 1) return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  errno = EINVAL;
  return -1;
}

/* free_port(address) -> a TCP port there that nobody listened on a moment ago; address: 127.0.0.1. */
static int l_free_port(lua_State *L) {
  struct sockaddr_in in;
  socklen_t len = sizeof in;
  int fd = tcp(&in, luaL_optstring(L, 1, LOOPBACK), 0);
  bool ok =
      fd >= 0 && bind(fd, (struct sockaddr *)&in, sizeof in) == 0 && getsockname(fd, (struct sockaddr *)&in, &len) == 0;
  int err = errno;
  if (fd >= 0) (void)close(fd);
  if (!ok) return failure(L, err);
  lua_pushinteger(L, ntohs(in.sin_port));
  return 1;
}

/* listens(port, address) -> whether something accepts connections there; address: 127.0.0.1. */
static int l_listens(lua_State *L) {
  struct sockaddr_in in;
  int fd = tcp(&in, luaL_optstring(L, 2, LOOPBACK), luaL_checkinteger(L, 1));
  lua_pushboolean(L, fd >= 0 && connect(fd, (struct sockaddr *)&in, sizeof in) == 0);
  if (fd >= 0) (void)close(fd);
  return 1;
}

/* certs(days, host, address, ca, ca_key) -> { ca, ca_key, cert, key, client_cert, client_key } of certs.h, or nil. */
static int l_certs(lua_State *L) {
  struct fog_certs certs;
  struct fog_certs_wish wish = {.days = (int)luaL_optinteger(L, 1, 3650),
                                .host = luaL_optstring(L, 2, NULL),
                                .address = luaL_optstring(L, 3, NULL),
                                .ca = luaL_optstring(L, 4, NULL),
                                .ca_key = luaL_optstring(L, 5, NULL)};
  luaL_argcheck(L, wish.ca == NULL || wish.ca_key != NULL, 5, "the key of the authority expected");
  if (!fog_certs_make(&certs, &wish)) return 0;
  const struct {
    const char *name, *text;
  } fields[] = {{"ca", certs.ca},   {"ca_key", certs.ca_key},           {"cert", certs.cert},
                {"key", certs.key}, {"client_cert", certs.client_cert}, {"client_key", certs.client_key}};
  lua_newtable(L);
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    lua_pushstring(L, fields[i].text);
    lua_setfield(L, -2, fields[i].name);
  }
  fog_certs_free(&certs);
  return 1;
}

/* make_folder() -> the path of a new temporary one */
static int l_make_folder(lua_State *L) {
  char path[PATH_MAX];
  int rc = fog_folder_make(path, sizeof path);
  if (rc != 0) return failure(L, rc);
  lua_pushstring(L, path);
  return 1;
}

/* take_folder(path) -> true: it is there, and ours alone. */
static int l_take_folder(lua_State *L) {
  int rc = fog_folder_take(luaL_checkstring(L, 1));
  if (rc == EWOULDBLOCK) {
    lua_pushnil(L);
    lua_pushliteral(L, "another sandbox has this folder");
    return 2;
  }
  if (rc != 0) return failure(L, rc);
  lua_pushboolean(L, 1);
  return 1;
}

static int l_remove_folder(lua_State *L) {
  lua_pushboolean(L, fog_folder_remove(luaL_checkstring(L, 1)) == 0);
  return 1;
}

/* umask(mask) -> the one that was; 077 (63): what this process makes from now on nobody else can read. */
static int l_umask(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)umask((mode_t)luaL_checkinteger(L, 1)));
  return 1;
}

/* private(path): the same for a file that is there. */
static int l_private(lua_State *L) {
  lua_pushboolean(L, chmod(luaL_checkstring(L, 1), 0600) == 0);
  return 1;
}

static int push_clock(lua_State *L, clockid_t clock) {
  struct timespec t;
  (void)clock_gettime(clock, &t);
  lua_pushnumber(L, (lua_Number)t.tv_sec + (lua_Number)t.tv_nsec / 1e9);
  return 1;
}

static int l_now(lua_State *L) { return push_clock(L, CLOCK_MONOTONIC); }
static int l_wall(lua_State *L) { return push_clock(L, CLOCK_REALTIME); }

/* executable() -> the file that this process runs, nil where the system does not say */
static int l_executable(lua_State *L) {
  char path[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path);
  if (n <= 0 || (size_t)n == sizeof path) return 0;
  lua_pushlstring(L, path, (size_t)n);
  return 1;
}

static int l_is_root(lua_State *L) {
  lua_pushboolean(L, geteuid() == 0);
  return 1;
}

void fog_open_system(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"die_with_parent", l_die_with_parent},
      {"pid", l_pid},
      {"many_files", l_many_files},
      {"poll", l_poll},
      {"read", l_read},
      {"free_port", l_free_port},
      {"listens", l_listens},
      {"certs", l_certs},
      {"close_fd", l_close_fd},
      {"make_folder", l_make_folder},
      {"take_folder", l_take_folder},
      {"remove_folder", l_remove_folder},
      {"umask", l_umask},
      {"private", l_private},
      {"now", l_now},
      {"wall", l_wall},
      {"executable", l_executable},
      {"is_root", l_is_root},
      {NULL, NULL},
  };
  fog_setfuncs(L, functions);
}

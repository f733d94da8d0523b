/* SPDX-License-Identifier: MIT
 *
 * Children, and the signals that come meanwhile: core.spawn, run, kill, wait, signals, read_signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "binding.h"

enum { MAX_ARGS = 64, MOST_ARGS = 8192, MAX_VARIABLES = 32 };

static int failure(lua_State *L, int err) {
  lua_pushnil(L);
  lua_pushstring(L, strerror(err));
  return 2;
}

static size_t read_argv(lua_State *L, char **argv) {
  size_t n = 0;
  luaL_checktype(L, 1, LUA_TTABLE);
  for (; n < MAX_ARGS; n++) {
    lua_rawgeti(L, 1, (int)n + 1);
    argv[n] = (char *)(uintptr_t)lua_tostring(L, -1);
    lua_pop(L, 1); /* the table keeps it */
    if (argv[n] == NULL) break;
  }
  argv[n] = NULL;
  luaL_argcheck(L, n > 0 && n < MAX_ARGS, 1, "1 to 63 arguments expected");
  return n;
}

/* What the rest of this process has left without CLOEXEC; before glibc 2.34 the child has it too. */
static void close_others(posix_spawn_file_actions_t *files) {
#if defined(__GLIBC__) && defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 34)
  (void)posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);
#endif
#endif
  (void)files;
}

/* Signals as a fresh program expects them. */
static void reset_signals(posix_spawnattr_t *attributes) {
  sigset_t none, defaults;
  (void)sigemptyset(&none);
  (void)sigemptyset(&defaults);
  (void)sigaddset(&defaults, SIGPIPE);
  (void)posix_spawnattr_init(attributes);
  (void)posix_spawnattr_setsigmask(attributes, &none);
  (void)posix_spawnattr_setsigdefault(attributes, &defaults);
  (void)posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

/* Descriptors of the child: ours for 0 and 1, the log for 2. */
static int start_child(char *const *argv, int in, int out, const char *log, pid_t *pid) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  if (argv[0] == NULL) return EINVAL;
  (void)posix_spawn_file_actions_init(&files);
  (void)posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
  (void)posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
  (void)posix_spawn_file_actions_addopen(&files, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
  close_others(&files);
  reset_signals(&attributes);
  int err = posix_spawnp(pid, argv[0], &files, &attributes, argv, environ);
  (void)posix_spawnattr_destroy(&attributes);
  (void)posix_spawn_file_actions_destroy(&files);
  return err;
}

/* spawn(argv, log) -> pid, stdin_fd, stdout_fd. Standard error goes to the file log, or nowhere. Nothing else of ours
 * is open in the child. It is for the child to see that it dies with us: die_with_parent, or the broker's plugin. */
static int l_spawn(lua_State *L) {
  char *argv[MAX_ARGS + 1];
  int to_child[2], from_child[2];
  pid_t pid;
  (void)read_argv(L, argv);
  const char *log = luaL_optstring(L, 2, "/dev/null");
  if (pipe2(to_child, O_CLOEXEC) != 0) return failure(L, errno);
  if (pipe2(from_child, O_CLOEXEC) != 0) {
    int err = errno;
    (void)close(to_child[0]);
    (void)close(to_child[1]);
    return failure(L, err);
  }
  int err = start_child(argv, to_child[0], from_child[1], log, &pid);
  (void)close(to_child[0]);
  (void)close(from_child[1]);
  if (err != 0) {
    (void)close(to_child[1]);
    (void)close(from_child[0]);
    return failure(L, err);
  }
  lua_pushinteger(L, pid);
  lua_pushinteger(L, to_child[1]);
  lua_pushinteger(L, from_child[0]);
  return 3;
}

/* The texts of a list, which keeps them; NULL behind the last. max: with that. */
static size_t read_list(lua_State *L, int t, const char **texts, size_t max) {
  size_t n = 0;
  for (; n < max - 1; n++) {
    lua_rawgeti(L, t, (int)n + 1);
    texts[n] = lua_tostring(L, -1);
    lua_pop(L, 1);
    if (texts[n] == NULL) break;
  }
  texts[n] = NULL;
  return n;
}

/* Our environment, with the variables ("NAME=value") in the place of those of the same names. Freed by the caller. */
static const char **environment_with(const char *const *variables, size_t count) {
  size_t n = 0, kept = 0;
  while (environ[n] != NULL) n++;
  const char **all = calloc(n + count + 1, sizeof *all);
  if (all == NULL) return NULL;
  for (size_t i = 0; i < n; i++) {
    bool replaced = false;
    for (size_t k = 0; k < count; k++) {
      size_t name = strcspn(variables[k], "=") + 1;
      if (strncmp(environ[i], variables[k], name) == 0) replaced = true;
    }
    if (!replaced) all[kept++] = environ[i];
  }
  memcpy(all + kept, variables, count * sizeof *all);
  return all;
}

/* As a shell would start it: our descriptors 0 to 2 and working folder, no signal blocked. */
static int run_child(const char *const *argv, const char *const *env, pid_t *pid) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  if (argv[0] == NULL) return EINVAL;
  (void)posix_spawn_file_actions_init(&files);
  close_others(&files);
  reset_signals(&attributes);
  int err =
      posix_spawnp(pid, argv[0], &files, &attributes, (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)env);
  (void)posix_spawnattr_destroy(&attributes);
  (void)posix_spawn_file_actions_destroy(&files);
  return err;
}

/* run(argv, variables, umask) -> pid, or nil, text, errno. In the foreground of this process' terminal. */
static int l_run(lua_State *L) {
  const char *variables[MAX_VARIABLES + 1];
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  mode_t mask = (mode_t)luaL_checkinteger(L, 3);
  size_t count = read_list(L, 2, variables, MAX_VARIABLES + 1);
  const char **argv = lua_newuserdatauv(L, MOST_ARGS * sizeof *argv, 0);
  size_t n = read_list(L, 1, argv, MOST_ARGS);
  luaL_argcheck(L, n > 0 && n < MOST_ARGS - 1, 1, "1 to 8190 arguments expected");
  const char **env = environment_with(variables, count);
  pid_t pid;
  mode_t ours = umask(mask);
  int err = env == NULL ? ENOMEM : run_child(argv, env, &pid);
  (void)umask(ours);
  free(env);
  if (err != 0) {
    (void)failure(L, err);
    lua_pushinteger(L, err);
    return 3;
  }
  lua_pushinteger(L, pid);
  return 1;
}

/* kill(pid, signal) */
static int l_kill(lua_State *L) {
  lua_pushboolean(L, kill((pid_t)luaL_checkinteger(L, 1), (int)luaL_checkinteger(L, 2)) == 0);
  return 1;
}

/* wait(pid, hang) -> exit code (128 + signal when killed), or nil while it runs. */
static int l_wait(lua_State *L) {
  int status;
  pid_t pid = (pid_t)luaL_checkinteger(L, 1);
  pid_t got;
  do {
    got = waitpid(pid, &status, lua_toboolean(L, 2) ? 0 : WNOHANG);
  } while (got < 0 && errno == EINTR);
  if (got == 0) return 0;
  lua_pushinteger(L, got < 0 ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  return 1;
}

/* signals() -> fd that is readable once SIGINT, SIGTERM, SIGHUP or SIGCHLD came; they no longer end the process.
 * SIGPIPE is ignored. */
static int l_signals(lua_State *L) {
  const int wanted[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};
  sigset_t set;
  (void)sigemptyset(&set);
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) (void)sigaddset(&set, wanted[i]);
  (void)sigprocmask(SIG_BLOCK, &set, NULL);
  (void)signal(SIGPIPE, SIG_IGN);
  lua_pushinteger(L, signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  return 1;
}

/* read_signal(fd) -> number, whether the terminal sent it (to all in its foreground, then), whether it is of a child;
 * nil: none is there. */
static int l_read_signal(lua_State *L) {
  struct signalfd_siginfo info;
  if (read((int)luaL_checkinteger(L, 1), &info, sizeof info) != sizeof info) return 0;
  lua_pushinteger(L, (lua_Integer)info.ssi_signo);
  lua_pushboolean(L, info.ssi_code == SI_KERNEL);
  lua_pushboolean(L, info.ssi_signo == SIGCHLD);
  return 3;
}

void fog_open_child(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"spawn", l_spawn}, {"run", l_run},         {"kill", l_kill},
      {"wait", l_wait},   {"signals", l_signals}, {"read_signal", l_read_signal},
      {NULL, NULL},
  };
  fog_setfuncs(L, functions);
}

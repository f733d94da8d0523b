/* SPDX-License-Identifier: MIT
 *
 * core.terminal, what Lua lacks for a command line. Nothing here touches the process until it is called.
 *   terminal.is_terminal(fd)       -> boolean
 *   terminal.columns()             -> the width of the terminal at standard output or error; nil when neither is one
 *   terminal.read_secret(prompt)   -> a line from the terminal without echo; nil at its end or without a terminal
 *   terminal.catch_interrupts()       SIGINT and SIGTERM end the program the second time only, the first is noted
 *   terminal.interrupted()         -> boolean
 *   terminal.read(fd, seconds)     -> what is there; "" when nothing came in time; nil at the end
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

enum { SECRET_MAX = 1024, CHUNK = 4096 };

static volatile sig_atomic_t interrupted;
static struct timespec first; /* when; written before `interrupted` */

static double since_first(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)(now.tv_sec - first.tv_sec) + (double)(now.tv_nsec - first.tv_nsec) * 1e-9;
}

/* The first is noted. One that comes at once is the same one again: timeout(1) sends it to the process and to its
 * group. A later one ends the program, as if nobody had caught it. */
static void on_interrupt(int number) {
  if (!interrupted) {
    (void)clock_gettime(CLOCK_MONOTONIC, &first);
    interrupted = 1;
  } else if (since_first() > 0.3) {
    (void)signal(number, SIG_DFL);
    (void)raise(number);
  }
}

/* Without SA_RESTART, so that a read which waits ends too. */
static int l_catch_interrupts(lua_State *L) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_interrupt;
  (void)sigemptyset(&action.sa_mask);
  (void)sigaction(SIGINT, &action, NULL);
  (void)sigaction(SIGTERM, &action, NULL);
  (void)L;
  return 0;
}

static int l_interrupted(lua_State *L) {
  lua_pushboolean(L, interrupted != 0);
  return 1;
}

static int l_is_terminal(lua_State *L) {
  lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
  return 1;
}

static int l_columns(lua_State *L) {
  struct winsize size;
  for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
      lua_pushinteger(L, size.ws_col);
      return 1;
    }
  }
  lua_pushnil(L);
  return 1;
}

/* The length of the line, without its end; -1 when there is none. What is over the buffer is dropped. */
static ssize_t read_line(int tty, char *line) {
  size_t len = 0;
  for (;;) {
    char c = 0;
    ssize_t n = read(tty, &c, 1);
    if (n < 0 || (n == 0 && len == 0)) return -1; /* interrupted, or at the end */
    if (n == 0) return (ssize_t)len;
    if (c == '\n') return (ssize_t)len;
    if (len < SECRET_MAX) line[len++] = c;
  }
}

static int l_read_secret(lua_State *L) {
  const char *prompt = luaL_checkstring(L, 1);
  char line[SECRET_MAX];
  struct termios shown;
  int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  if (tty < 0 || tcgetattr(tty, &shown) != 0) {
    if (tty >= 0) (void)close(tty);
    lua_pushnil(L);
    return 1;
  }
  struct termios hidden = shown;
  hidden.c_lflag &= (tcflag_t) ~(tcflag_t)ECHO;
  (void)tcsetattr(tty, TCSAFLUSH, &hidden);
  (void)!write(tty, prompt, strlen(prompt));
  ssize_t len = read_line(tty, line);
  (void)tcsetattr(tty, TCSAFLUSH, &shown);
  (void)!write(tty, "\n", 1);
  (void)close(tty);
  if (len < 0)
    lua_pushnil(L);
  else
    lua_pushlstring(L, line, (size_t)len);
  explicit_bzero(line, sizeof line);
  return 1;
}

static int l_read(lua_State *L) {
  struct pollfd waiting = {.fd = (int)luaL_checkinteger(L, 1), .events = POLLIN};
  char chunk[CHUNK];
  ssize_t n = 0;
  int ready = poll(&waiting, 1, fog_check_timeout_ms(L, 2));
  if (ready > 0) n = read(waiting.fd, chunk, sizeof chunk);
  bool later = ready <= 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
  if (later || n > 0)
    lua_pushlstring(L, chunk, later ? 0 : (size_t)n);
  else
    lua_pushnil(L);
  return 1;
}

int fog_open_terminal(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"is_terminal", l_is_terminal},
      {"columns", l_columns},
      {"read_secret", l_read_secret},
      {"catch_interrupts", l_catch_interrupts},
      {"interrupted", l_interrupted},
      {"read", l_read},
      {NULL, NULL},
  };
  lua_newtable(L);
  fog_setfuncs(L, functions);
  return 1;
}

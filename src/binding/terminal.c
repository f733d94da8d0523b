/* SPDX-License-Identifier: MIT
 *
 * core.terminal, what Lua lacks for a command line. Nothing here touches the process until it is called.
 *   terminal.is_terminal(fd)       -> boolean
 *   terminal.size()                -> columns, rows of the terminal at standard output or error; nil if neither is one
 *   terminal.width(text)           -> how many columns a line of UTF-8 takes
 *   terminal.read_secret(prompt)   -> a line from the terminal without echo; nil at its end, without a terminal, or
 *                                     when interrupted; nil, why when it is too long
 *   terminal.catch_interrupts()       SIGINT and SIGTERM end the program the second time only, the first is noted
 *   terminal.interrupted()         -> boolean
 *   terminal.read(fd, seconds)     -> what is there; "" when nothing came in time; nil at the end
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "util.h"

enum { SECRET_MAX = 1024, CHUNK = 4096 };

static volatile sig_atomic_t interrupted;
static struct timespec first; /* when; written before `interrupted` */

/* A terminal whose echo is off, and how it was; -1 for none. */
static volatile sig_atomic_t hidden_tty = -1;
static struct termios shown;

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
    if (hidden_tty >= 0) (void)tcsetattr((int)hidden_tty, TCSAFLUSH, &shown);
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

static int l_size(lua_State *L) {
  struct winsize size;
  for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
      lua_pushinteger(L, size.ws_col);
      lua_pushinteger(L, size.ws_row);
      return 2;
    }
  }
  lua_pushnil(L);
  return 1;
}

/* The length of the character at `text`, and its columns: those of the C library, 1 for what is none. */
static size_t measure(const char *text, size_t left, size_t *columns) {
  wchar_t character = 0;
  mbstate_t state;
  memset(&state, 0, sizeof state);
  size_t len = mbrtowc(&character, text, left, &state);
  bool whole = len > 0 && len <= left;
  int width = whole ? wcwidth(character) : 1;
  *columns = width < 0 ? 1 : (size_t)width;
  return whole ? len : 1;
}

/* Made by the first who asks, and kept: making one reads files. 0: the system has none. */
static locale_t utf8_locale(void) {
  static _Atomic(locale_t) kept;
  locale_t known = atomic_load(&kept);
  if (known) return known;
  locale_t made = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
  if (!made || atomic_compare_exchange_strong(&kept, &known, made)) return made;
  freelocale(made); /* another thread was faster */
  return known;
}

/* In a UTF-8 locale of this thread alone, for a library does not change its process's. */
static int l_width(lua_State *L) {
  size_t len = 0, width = 0;
  const char *text = luaL_checklstring(L, 1, &len);
  locale_t utf8 = utf8_locale();
  locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
  for (size_t at = 0; at < len;) {
    size_t columns = 0;
    at += measure(text + at, len - at, &columns);
    width += columns;
  }
  if (utf8) (void)uselocale(before);
  lua_pushinteger(L, (lua_Integer)width);
  return 1;
}

/* The length of the line, without its end, of which `line` gets SECRET_MAX bytes at most; -1 when there is none. */
static ssize_t read_line(int tty, char *line) {
  ssize_t len = 0;
  while (!interrupted) {
    char c = 0;
    ssize_t n = read(tty, &c, 1);
    if (n < 0 || (n == 0 && len == 0)) return -1; /* interrupted, or at the end */
    if (n == 0 || c == '\n') break;
    if (len < SECRET_MAX) line[len] = c;
    len++;
  }
  return interrupted ? -1 : len;
}

/* Without echo, and without Ctrl-Z, which would leave the terminal so; on_interrupt gives the echo back as well. */
static ssize_t read_hidden(int tty, const char *prompt, char *line) {
  struct termios hidden = shown;
  hidden.c_lflag &= (tcflag_t) ~(tcflag_t)ECHO;
  hidden.c_cc[VSUSP] = _POSIX_VDISABLE;
  hidden_tty = tty;
  (void)tcsetattr(tty, TCSAFLUSH, &hidden);
  (void)!write(tty, prompt, strlen(prompt));
  ssize_t len = read_line(tty, line);
  (void)tcsetattr(tty, TCSAFLUSH, &shown);
  hidden_tty = -1;
  (void)!write(tty, "\n", 1);
  return len;
}

static int l_read_secret(lua_State *L) {
  const char *prompt = luaL_checkstring(L, 1);
  char line[SECRET_MAX];
  int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  ssize_t len = tty >= 0 && tcgetattr(tty, &shown) == 0 ? read_hidden(tty, prompt, line) : -1;
  if (tty >= 0) (void)close(tty);
  if (len >= 0 && len <= SECRET_MAX)
    lua_pushlstring(L, line, (size_t)len);
  else
    lua_pushnil(L);
  explicit_bzero(line, sizeof line);
  if (len <= SECRET_MAX) return 1;
  lua_pushliteral(L, "it is longer than 1024 bytes");
  return 2;
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
      {"size", l_size},
      {"width", l_width},
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

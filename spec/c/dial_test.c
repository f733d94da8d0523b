/* SPDX-License-Identifier: MIT
 *
 * From a name to a connection: names that are not there, slow, or have many addresses; addresses that refuse or do not
 * answer. The resolver is the test's; the sockets are real.
 */
#include "../../src/mqtt/dial.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "../../src/mqtt/resolver.h"
#include "link.h"
#include "names.h"

/* --- names and addresses --- */

static void refusals(void) {
  check(fails("localhost", 1) && says(&me, "localhost:1 (") && says(&me, "127.0.0.1): Connection refused"),
        "a port where nobody listens: the host and the addresses are named");
  check(fails("127.0.0.1", 1) && strcmp(me.error.text, "127.0.0.1:1: Connection refused") == 0,
        "an address is named once");
  check(me.error.kind == FOG_CONNECTION_NETWORK && !me.error.final, "and may be there later");
  check(fails("::1", 1) && strcmp(me.error.text, "[::1]:1: Connection refused") == 0, "an IPv6 address in brackets");
  check(fails("none.test", 1) && says(&me, "none.test: the name does not exist (") && me.error.final,
        "a name that does not exist is named as such, and is final");
  check(fails("later.test", 1) && says(&me, "later.test: the name could not be looked up (") && !me.error.final,
        "a resolver without an answer is not");
  check(fails("system.test", 1) && says(&me, "(Cannot allocate memory)"), "what the system said is said");
  check(fails("mixed.test", 1) && strcmp(me.error.text,
                                         "mixed.test:1 (127.0.0.2, ::1, 127.0.0.3, 127.0.0.4): "
                                         "Connection refused") == 0,
        "all addresses are tried, the families in turn");
  check(fails("reasons.test", 1) && strcmp(me.error.text,
                                           "reasons.test:1 (127.0.0.2): Connection refused; "
                                           "(224.0.0.1): Network is unreachable; "
                                           "(127.0.0.3): Connection refused") == 0,
        "each reason stands with its addresses");
  check(fails("forty.test", 1) && says(&me, "(127.0.1.0, ") && says(&me, ", 127.0.1.31): Connection refused"),
        "of very many, 32 are tried");
}

static void second_address(void) {
  int port = 0, listener = listen_at("127.0.0.1", &port, 8);
  int peer = open_to(listener, port, "two.test");
  check(peer >= 0, "the first address refuses, the second has it");
  check(does("connected to two.test:") && does(" (127.0.0.1)"), "and is the one that is named");
  link_close(&me, false);
  (void)close(peer);
  (void)close(listener);
}

/* A listener whose queue is full: the system answers nobody there. */
static int deaf_listener(const char *address, int *port, int *filling, int fillings) {
  int listener = listen_at(address, port, 0);
  struct sockaddr_in a;
  socklen_t len = sizeof a;
  (void)getsockname(listener, (struct sockaddr *)&a, &len);
  for (int i = 0; i < fillings; i++) {
    filling[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)connect(filling[i], (struct sockaddr *)&a, sizeof a);
  }
  return listener;
}

static void hanging_address(void) {
  enum { FILLINGS = 4 };
  int port = 0, listener = listen_at("127.0.0.1", &port, 8), filling[FILLINGS];
  int deaf = deaf_listener("127.0.0.3", &port, filling, FILLINGS);
  options = (struct fog_connection_options){.host = (char *)(uintptr_t)("hung-first.test"), .port = (uint16_t)port};
  link_open(&me, &options);
  check(does("looking up hung-first.test"), "what it does is told: looking up");
  check(UNTIL(does("connecting to hung-first.test:")) && does("(127.0.0.3)"), "connecting, and where to");
  check(UNTIL(me.opened) && fog_loop_watched(loop) == 1,
        "an address that does not answer holds up the next for a moment, and is dropped when that connects");
  int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  link_close(&me, false);
  options.host = (char *)(uintptr_t)("127.0.0.3");
  link_open(&me, &options);
  for (int i = 0; i < 3; i++) fog_loop_turn(loop, 10);
  check(fog_loop_watched(loop) == 1 && !me.opened && !me.failed, "alone it is waited for");
  link_close(&me, false);
  check(fog_loop_watched(loop) == 0, "and can be given up");
  for (int i = 0; i < FILLINGS; i++) (void)close(filling[i]);
  (void)close(peer);
  (void)close(deaf);
  (void)close(listener);
}

/* The first does not answer yet, and the second refuses. */
static void late_address(void) {
  enum { FILLINGS = 4 };
  int port = 0, filling[FILLINGS];
  int deaf = deaf_listener("127.0.0.3", &port, filling, FILLINGS);
  options = (struct fog_connection_options){.host = (char *)(uintptr_t)("late.test"), .port = (uint16_t)port};
  link_open(&me, &options);
  check(UNTIL(does("(127.0.0.3)")), "the first address is tried");
  int64_t since = fog_loop_now(loop);
  (void)UNTIL(me.failed || fog_loop_now(loop) > since + 2 * FOG_DIAL_STAGGER_MS);
  (void)fcntl(deaf, F_SETFL, O_NONBLOCK);
  for (double end = now_s() + 20; !me.opened && !me.failed && now_s() < end; fog_loop_turn(loop, 20)) {
    int fd = accept(deaf, NULL, NULL); /* makes room in its queue, for which others wait too */
    if (fd >= 0) (void)close(fd);
  }
  check(me.opened, "an attempt goes on though those after it have failed");
  link_close(&me, false);
  for (int i = 0; i < FILLINGS; i++) (void)close(filling[i]);
  (void)close(deaf);
}

static void slow_names(void) {
  enum { ALL = FOG_RESOLVER_THREADS };
  static struct link slow[ALL];
  static struct fog_connection_options o = {.host = (char *)(uintptr_t)("hang.test"), .port = 1};
  names_set_hang(true);
  for (int i = 0; i < ALL - 1; i++) link_open(&slow[i], &o);
  check(UNTIL(names_that_hang() == ALL - 1), "seven names hang in the resolver");
  check(fails("two.test", 1) && says(&me, "Connection refused"), "an eighth is looked up all the same");
  link_open(&slow[ALL - 1], &o);
  (void)UNTIL(names_that_hang() == ALL);
  options = (struct fog_connection_options){.host = (char *)(uintptr_t)("two.test"), .port = 1};
  link_open(&me, &options);
  for (int i = 0; i < 5; i++) fog_loop_turn(loop, 10);
  check(!me.failed && names_that_hang() == ALL, "a ninth waits for one of eight threads");
  link_close(&me, false);
  link_open(&me, &options);
  for (int i = 0; i < ALL / 2; i++) link_close(&slow[i], false);
  names_set_hang(false);
  check(UNTIL(me.failed) && says(&me, "Connection refused"), "until one is free");
  bool told = true;
  for (int i = ALL / 2; i < ALL; i++) told = told && UNTIL(slow[i].failed);
  check(told, "answers come late, and come");
  for (int i = 0; i < ALL / 2; i++) told = told && slow[i].failed == 0;
  check(told, "but for those who have gone");
  for (int i = ALL / 2; i < ALL; i++) link_close(&slow[i], false);
  link_close(&me, false);
}

/* The answer lies in the loop's mailbox when the connection is closed. */
static void answered_and_gone(void) {
  options = (struct fog_connection_options){.host = (char *)(uintptr_t)("hang.test"), .port = 1};
  names_set_hang(true);
  link_open(&me, &options);
  (void)UNTIL(names_that_hang() == 1);
  names_set_hang(false);
  while (names_that_hang() > 0) (void)usleep(1000);
  fog_resolver_forget(); /* waits for the thread, which has posted then */
  link_close(&me, false);
  for (int i = 0; i < 3; i++) fog_loop_turn(loop, 0);
  check(me.failed == 0 && me.opened == 0, "an answer that is on its way when the connection goes is dropped");
}

static void late_answer(void) {
  struct fog_loop *before = loop;
  loop = fog_loop_new();
  options = (struct fog_connection_options){.host = (char *)(uintptr_t)("hang.test"), .port = 1};
  names_set_hang(true);
  link_open(&me, &options);
  (void)UNTIL(names_that_hang() == 1);
  fog_connection_close(me.c, false);
  fog_loop_free(loop);
  names_set_hang(false);
  loop = before;
  (void)UNTIL(names_that_hang() == 0);
  fog_connection_forget();
  check(true, "an answer that comes when the loop has gone is dropped");
}

static void no_descriptors(void) {
  struct rlimit limit, none;
  (void)getrlimit(RLIMIT_NOFILE, &limit);
  none = limit;
  none.rlim_cur = 0;
  options = (struct fog_connection_options){.host = (char *)(uintptr_t)("127.0.0.1"), .port = 1};
  link_open(&me, &options);
  (void)setrlimit(RLIMIT_NOFILE, &none);
  bool failed = UNTIL(me.failed);
  (void)setrlimit(RLIMIT_NOFILE, &limit);
  check(failed && says(&me, "Too many open files"), "no descriptor: an error that says so");
  link_close(&me, false);
}

static void in_a_child(void) {
#if !defined(__SANITIZE_THREAD__) /* which starts no thread in a child */
  names_set_hang(true);
  options = (struct fog_connection_options){.host = (char *)(uintptr_t)("hang.test"), .port = 1};
  link_open(&me, &options);
  (void)UNTIL(names_that_hang() == 1);
  pid_t pid = fork();
  if (pid == 0) {
    loop = fog_loop_new();
    _exit(fails("none.test", 1) && strstr(me.error.text, "does not exist") != NULL ? 0 : 1);
  }
  int status = 1;
  (void)waitpid(pid, &status, 0);
  names_set_hang(false);
  check(status == 0, "a child of fork looks names up with threads of its own");
  (void)UNTIL(me.failed);
  link_close(&me, false);
#endif
}

int main(void) {
  char forty[40 * 12] = "";
  for (int i = 0; i < 40; i++) (void)snprintf(forty + strlen(forty), sizeof forty - strlen(forty), "127.0.1.%d,", i);
  const struct name table[] = {{"later.test", "", EAI_AGAIN},
                               {"system.test", "", EAI_SYSTEM},
                               {"hang.test", "127.0.0.2", 0},
                               {"two.test", "127.0.0.2,127.0.0.1", 0},
                               {"late.test", "127.0.0.3,127.0.0.2", 0},
                               {"hung-first.test", "127.0.0.3,127.0.0.1", 0},
                               {"mixed.test", "127.0.0.2,127.0.0.3,127.0.0.4,::1", 0},
                               {"reasons.test", "127.0.0.2,224.0.0.1,127.0.0.3", 0},
                               {"forty.test", forty, 0},
                               {NULL, NULL, 0}};
  names = table;
  loop = fog_loop_new();
  refusals();
  second_address();
  hanging_address();
  late_address();
  slow_names();
  answered_and_gone();
  late_answer();
  no_descriptors();
  in_a_child();
  fog_connection_forget();
  fog_loop_free(loop);
  return finish();
}

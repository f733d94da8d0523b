/* SPDX-License-Identifier: MIT
 *
 * One connection, plain: over real sockets of both families, with a peer in a thread.
 */
#include "link.h"

static void echo(int fd, void *arg) {
  char bytes[4096];
  (void)arg;
  for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) > 0;) {
    if (send(fd, bytes, (size_t)n, MSG_NOSIGNAL) != n) break;
  }
  (void)close(fd);
}

static void refusals(void) {
  struct link l = {0};
  struct fog_connection_options o = {.host = "localhost", .port = 1};
  link_open(&l, &o);
  check(UNTIL(l.failed) && says(&l, "localhost:1 (") && says(&l, "127.0.0.1): Connection refused"),
        "a port where nobody listens: the host and the addresses are named");
  link_close(&l, false);
  o.host = "127.0.0.1";
  link_open(&l, &o);
  check(UNTIL(l.failed) && strcmp(l.error.text, "127.0.0.1:1: Connection refused") == 0, "an address is named once");
  check(l.error.kind == FOG_CONNECTION_NETWORK && !l.error.final, "and may be there later");
  link_close(&l, false);
  o.host = "::1";
  link_open(&l, &o);
  check(UNTIL(l.failed) && says(&l, "[::1]:1: Connection refused"), "an IPv6 address in brackets");
  link_close(&l, false);
}

static void carry(const char *address) {
  enum { LEN = 3000000 };
  struct peer p;
  struct link l = {0};
  struct fog_connection_options o = {.host = (char *)(uintptr_t)address};
  char *bytes = malloc(LEN);
  if (bytes == NULL) exit(1);
  for (int i = 0; i < LEN; i++) bytes[i] = (char)(i * 7 + i / 256);
  peer_start(&p, address, echo, NULL);
  o.port = (uint16_t)p.port;
  link_open(&l, &o);
  check(UNTIL(l.opened), "opens");
  check(link_write(&l, bytes, LEN) && UNTIL(l.len == LEN) && memcmp(l.got, bytes, LEN) == 0,
        "carries 3 MB there and back, as they were");
  link_close(&l, false);
  peer_end(&p);
  free(bytes);
}

int main(void) {
  loop = fog_loop_new();
  refusals();
  carry("127.0.0.1");
  carry("::1");
  fog_connection_forget();
  fog_loop_free(loop);
  return finish();
}

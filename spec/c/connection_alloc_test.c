/* SPDX-License-Identifier: MIT
 *
 * Connections without memory: the n-th allocation of ours fails, for each n until none is left, then of OpenSSL's, in
 * growing steps. Each time a WebSocket over TLS is opened, written to, read from and closed: it ends with an error that
 * has words, or with what was said, and nothing of ours stays allocated.
 */
#include <sys/wait.h>

#include "alloc_table.h"
#include "web_peer.h"

static _Atomic bool ssl_fails; /* OpenSSL's allocations count, and ours do not */

static void *ssl_malloc(size_t n, const char *file, int line) {
  (void)file;
  (void)line;
  return ssl_fails && fails_now() ? NULL : malloc(n);
}

static void *ssl_realloc(void *p, size_t n, const char *file, int line) {
  (void)file;
  (void)line;
  if (n == 0) {
    free(p);
    return NULL;
  }
  return ssl_fails && fails_now() ? NULL : realloc(p, n);
}

static void ssl_free(void *p, const char *file, int line) {
  (void)file;
  (void)line;
  free(p);
}

/* In a process of its own, which has all the memory. */
static pid_t serve(int listener) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  (void)signal(SIGPIPE, SIG_IGN);
  SSL_CTX *context = server_context(&certs);
  demand_client(context);
  for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; (void)close(fd)) {
    SSL *ssl = SSL_new(context);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){2, 0}, sizeof(struct timeval));
    (void)SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) web_over_tls(ssl);
    SSL_free(ssl);
  }
  _exit(0);
}

static void run(const struct fog_connection_options *o, long n) {
  static const struct fog_connection_owner events = {link_opened, link_readable, link_writable, link_failed};
  me = (struct link){0};
  loop = fog_loop_new();
  if (loop == NULL) return;
  me.c = fog_connection_open(loop, o, &events, &me);
  if (me.c != NULL) {
    check_at(UNTIL(me.opened || me.failed), "it ends", n, "");
    if (me.opened)
      check_at(link_write(&me, "hello", 5) ? UNTIL(me.len == 5 || me.ended) : me.error.text[0] != '\0',
               "what is written comes back, or an error", n, me.error.text);
    check_at((me.len == 5 && memcmp(me.got, "hello", 5) == 0) || strlen(me.error.text) > 10, "an error has words", n,
             me.error.text);
    link_close(&me, n % 2 == 0);
  }
  fog_connection_forget();
  fog_loop_free(loop);
}

static void without(const struct fog_connection_options *o, bool of_ssl) {
  long before = live_blocks(), n = 1, runs = 0;
  bool fails = true;
  for (; fails; n += of_ssl ? 1 + n / 30 : 1) {
    ssl_fails = of_ssl;
    fail_at(n);
    run(o, n);
    fails = has_failed();
    fail_at(0);
    ssl_fails = false;
    runs++;
    check_at(all_freed(before), "nothing stays allocated", n, "");
  }
  printf("# %ld of %ld allocations\n", runs, n);
  check(runs > 10 && me.opened == 1 && me.len == 5 && failed == 0,
        of_ssl ? "without memory for OpenSSL every connection ends with an error or works"
               : "without memory every connection ends with an error or works");
}

int main(void) {
  if (CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free) != 1) return 1;
  tls_setup();
  int port = 0, listener = listen_at("127.0.0.1", &port, 64);
  pid_t server = serve(listener);
  const struct fog_connection_options o = {.host = (char *)(uintptr_t)("127.0.0.1"),
                                           .port = (uint16_t)port,
                                           .tls = true,
                                           .ca_pem = certs.ca,
                                           .cert_file = (char *)(uintptr_t)file("client.pem", certs.client_cert),
                                           .key_file = (char *)(uintptr_t)locked_key("open"),
                                           .key_password = (char *)(uintptr_t)("open"),
                                           .alpn = (char *)(uintptr_t)("mqtt"),
                                           .websocket = true};
  struct fog_connection_options by_name = o;
  by_name.host = (char *)(uintptr_t)("localhost");
  without(&o, false);
  without(&by_name, false);
  without(&o, true);
  (void)kill(server, SIGKILL);
  (void)waitpid(server, NULL, 0);
  tls_teardown();
  return finish();
}

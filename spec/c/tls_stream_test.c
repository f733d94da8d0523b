/* SPDX-License-Identifier: MIT
 *
 * TLS: what goes through it, in any pieces and both ways at once; keys that change; sessions that are resumed; the end
 * in each state; and what an idle link takes.
 */
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "relay.h"
#include "tls_peer.h"

static SSL_CTX *context;
static struct server server;
static struct fog_connection_options o;

static bool start(SSL_CTX *with, void (*talk)(SSL *)) {
  server_start(&server, "127.0.0.1", with, talk);
  o = over_tls("localhost", &server);
  return opens(&o);
}

static void stop(void) {
  link_close(&me, false);
  server_end(&server);
}

/* --- any pieces --- */

static void carry(size_t len, size_t write_piece, size_t read_piece) {
  char *bytes = pattern(len);
  bool carried = start(context, NULL);
  me.piece = read_piece;
  for (size_t at = 0; carried && at < len; at += write_piece)
    carried = link_write(&me, bytes + at, write_piece < len - at ? write_piece : len - at);
  check(carried && UNTIL(me.len == len) && memcmp(me.got, bytes, len) == 0, "bytes go there and back as they were");
  me.piece = 0;
  stop();
  free(bytes);
}

static void parts(void) {
  enum { PARTS = 500 };
  static struct iovec many[PARTS];
  char *bytes = pattern(PARTS * 200);
  size_t all = 0;
  for (size_t i = 0; i < PARTS; i++) {
    many[i] = (struct iovec){.iov_base = bytes + all, .iov_len = i == 250 ? 40000 : i % 100};
    all += many[i].iov_len;
  }
  (void)start(context, NULL);
  ssize_t n = fog_connection_write(me.c, many, PARTS, &me.error);
  check(n == (ssize_t)all && UNTIL(me.len == all) && memcmp(me.got, bytes, all) == 0,
        "small parts and a large one, in their order");
  stop();
  free(bytes);
}

static void through(size_t piece) {
  enum { LEN = 20000 };
  struct relay r;
  char *bytes = pattern(LEN);
  server_start(&server, "127.0.0.1", context, NULL);
  relay_start(&r, server.peer.port, piece, -1, false);
  o = over_tls("localhost", &server);
  o.port = (uint16_t)r.peer.port;
  check(opens(&o) && link_write(&me, bytes, LEN) && UNTIL(me.len == LEN) && memcmp(me.got, bytes, LEN) == 0,
        "records and handshake may come in pieces of any size");
  link_close(&me, false);
  peer_end(&r.peer);
  server_end(&server);
  free(bytes);
}

/* The server says something at every turn of ours, and reads nothing until it is done with that. */
static void talks_first(SSL *ssl) {
  char *bytes = pattern(3000000), sink[16384];
  if (write_all(ssl, bytes, 3000000)) {
    for (int n, left = 3000000; left > 0 && (n = SSL_read(ssl, sink, sizeof sink)) > 0;) left -= n;
    (void)write_all(ssl, "x", 1);
  }
  (void)SSL_shutdown(ssl);
  free(bytes);
}

static void both_ways(void) {
  char *bytes = pattern(3000000);
  check(start(context, talks_first) && link_write(&me, bytes, 3000000) && UNTIL(me.len == 3000001) &&
            memcmp(me.got, bytes, 3000000) == 0,
        "both sides write at once, more than there is room for");
  check(UNTIL(me.ended) && me.error.kind == FOG_CONNECTION_CLOSED && says(&me, "the other side closed the connection"),
        "close_notify is the end in order");
  stop();
  free(bytes);
}

static void says_much(SSL *ssl) {
  char *bytes = pattern(200000);
  (void)write_all(ssl, bytes, 200000);
  free(bytes);
  tls_echo(ssl);
}

/* What OpenSSL has read from the socket is told of though the socket says nothing. */
static void small_reads(void) {
  me.piece = 100;
  check(start(context, says_much) && UNTIL(me.len >= 200000),
        "records that were read are told of until nothing is left");
  fog_connection_reading(me.c, false);
  int before = me.readable;
  (void)link_write(&me, "0123456789", 10);
  for (int i = 0; i < 5; i++) fog_loop_turn(loop, 5);
  check(me.readable == before, "and while reading rests nothing is");
  fog_connection_reading(me.c, true);
  check(UNTIL(me.len == 200010), "until it goes on");
  me.piece = 0;
  stop();
}

static void rests_in_a_record(void) {
  me.piece = 100;
  (void)start(context, says_much);
  (void)UNTIL(me.len >= 100);
  fog_connection_reading(me.c, false);
  int before = me.readable;
  for (int i = 0; i < 5; i++) fog_loop_turn(loop, 5);
  check(me.readable == before, "reading rests in the middle of a record");
  fog_connection_reading(me.c, true);
  check(UNTIL(me.len == 200000), "and goes on there");
  me.piece = 0;
  stop();
}

/* --- keys that change --- */

static void changes_keys(SSL *ssl) {
  char bytes[4096];
  for (int n, count = 0; (n = SSL_read(ssl, bytes, sizeof bytes)) > 0;) {
    if (count++ % 4 == 0 && SSL_version(ssl) == TLS1_3_VERSION) (void)SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
    if (count % 4 == 0 && SSL_version(ssl) == TLS1_2_VERSION) (void)SSL_renegotiate(ssl);
    if (!write_all(ssl, bytes, n)) break;
  }
  (void)SSL_shutdown(ssl);
}

static void new_keys(int version, size_t len) {
  SSL_CTX *with = server_context(&certs);
  char *bytes = pattern(len);
  (void)SSL_CTX_set_max_proto_version(with, version);
  bool carried = start(with, changes_keys);
  for (size_t at = 0; carried && at < len; at += 1000) {
    carried = link_write(&me, bytes + at, 1000);
    if (version == TLS1_2_VERSION) carried = carried && UNTIL(me.len == at + 1000);
  }
  check(carried && UNTIL(me.len == len) && memcmp(me.got, bytes, len) == 0,
        version == TLS1_3_VERSION ? "keys are changed while bytes go both ways" : "a server renegotiates");
  stop();
  SSL_CTX_free(with);
  free(bytes);
}

/* Each asks for an answer, and none is read. */
static void asks_for_keys(SSL *ssl) {
  for (int i = 0; i < 1000000; i++) {
    if (SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) != 1 || SSL_do_handshake(ssl) != 1) break;
  }
}

static void flood_of_keys(void) {
  const int room = 16384; /* so that the system is soon full */
  server_start(&server, "127.0.0.1", context, asks_for_keys);
  (void)setsockopt(server.peer.listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  o = over_tls("localhost", &server);
  bool opened = opens(&o);
  (void)setsockopt(find_socket(server.peer.port), SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  check(opened && UNTIL(me.ended) && (me.error.kind == FOG_CONNECTION_NETWORK || me.error.kind == FOG_CONNECTION_TLS),
        "a server that changes keys all the time and reads nothing is left before much is kept for it");
  printf("# %s\n", me.error.text);
  stop();
}

/* --- sessions --- */

static bool resumes(SSL_CTX *with, int port) {
  struct relay r; /* on the same port every time: a session is its server's */
  server_start(&server, "127.0.0.1", with, NULL);
  r = (struct relay){.to = server.peer.port, .piece = 65536, .cut_after = -1, .peer = {.port = port}};
  r.peer.listener = listen_at("127.0.0.1", &r.peer.port, 4);
  r.peer.run = relay_run;
  r.peer.arg = &r;
  if (pthread_create(&r.peer.thread, NULL, peer_thread, &r.peer) != 0) exit(1);
  o = over_tls("localhost", &server);
  o.port = (uint16_t)r.peer.port;
  bool talked = opens(&o) && link_write(&me, "x", 1) && UNTIL(me.len == 1); /* tickets come behind the handshake */
  link_close(&me, true);
  peer_end(&r.peer);
  server_end(&server);
  return talked && server.resumed;
}

static int free_port(void) {
  int port = 0;
  (void)close(listen_at("127.0.0.1", &port, 1));
  return port;
}

static void sessions(int version) {
  SSL_CTX *with = server_context(&certs), *other = server_context(&certs);
  int port = free_port();
  (void)SSL_CTX_set_max_proto_version(with, version);
  (void)SSL_CTX_set_max_proto_version(other, version);
  check(!resumes(with, port), "the first handshake is a whole one");
  check(resumes(with, port) && resumes(with, port), "the next ones resume its session");
  check(!resumes(with, free_port()), "another server's is not tried");
  check(!resumes(other, port) && me.error.text[0] == '\0', "a server that has forgotten it shakes hands anew");
  check(resumes(other, port), "and is resumed then");
  fog_connection_forget();
  check(!resumes(other, port), "what is forgotten is not used");
  SSL_CTX_free(with);
  SSL_CTX_free(other);
}

static void many_sessions(void) {
  SSL_CTX *with = server_context(&certs);
  int port = free_port();
  (void)resumes(with, port);
  for (int i = 0; i < 70; i++) (void)resumes(with, free_port());
  check(!resumes(with, port), "sessions are kept in a bounded number");
  SSL_CTX_free(with);
}

/* --- the end --- */

static void cut_anywhere(bool resets) {
  bool right = true;
  long last = 0;
  for (long after = 0; after < 6000 && right; after += after < 100 ? 7 : 211) {
    struct relay r;
    server_start(&server, "127.0.0.1", context, NULL);
    relay_start(&r, server.peer.port, 1, after, resets);
    o = over_tls("localhost", &server);
    o.port = (uint16_t)r.peer.port;
    link_open(&me, &o);
    right = UNTIL(me.failed || me.ended);
    right = right && (me.error.kind == FOG_CONNECTION_TLS || me.error.kind == FOG_CONNECTION_NETWORK ||
                      (me.opened && me.error.kind == FOG_CONNECTION_CLOSED));
    if (!right) printf("# cut after %ld: %d %s\n", after, me.error.kind, me.error.text);
    bool opened = me.opened == 1;
    link_close(&me, false);
    peer_end(&r.peer);
    server_end(&server);
    last = after;
    if (opened) break;
  }
  check(right && last > 500, resets ? "reset anywhere in the handshake: an error" : "closed anywhere in it: an error");
}

static void says_and_cuts(SSL *ssl) {
  (void)write_all(ssl, "last", 4);
  SSL_set_quiet_shutdown(ssl, 1);
}

static void ends(void) {
  check(start(context, says_and_cuts) && UNTIL(me.ended) && me.len == 4 && me.error.kind == FOG_CONNECTION_CLOSED,
        "an end without close_notify: what came, then the end");
  char byte;
  check(fog_connection_read(me.c, &byte, 1, &me.error) == -1 && me.error.kind == FOG_CONNECTION_CLOSED,
        "which is told again");
  stop();
}

static void garbage(SSL *ssl) {
  (void)write_all(ssl, "first", 5);
  (void)send(SSL_get_fd(ssl), "\x17\x03\x03\x00\x20 this is no record of these keys!", 37, MSG_NOSIGNAL);
}

static void wrong_records(void) {
  check(start(context, garbage) && UNTIL(me.ended) && me.len == 5 && me.error.kind == FOG_CONNECTION_TLS,
        "a record that is not the server's ends the connection, after what was");
  struct fog_connection_error first = me.error;
  char byte;
  check(fog_connection_read(me.c, &byte, 1, &me.error) == -1 && strcmp(first.text, me.error.text) == 0,
        "with the same reason as often as it is asked");
  stop();
}

static void close_anywhere(void) {
  for (int turns = 0; turns < 12; turns++) {
    server_start(&server, "127.0.0.1", context, NULL);
    o = over_tls(turns % 2 == 0 ? "127.0.0.1" : "localhost", &server);
    link_open(&me, &o);
    for (int i = 0; i < turns; i++) fog_loop_turn(loop, 2);
    link_close(&me, turns % 3 == 0);
    (void)close(connect_to(server.peer.port)); /* if it was closed before the server could accept */
    (void)UNTIL(fog_loop_watched(loop) == 0);
    server_end(&server);
  }
  check(fog_loop_watched(loop) == 0, "closed anywhere on the way");
}

/* --- an idle link --- */

enum { IDLE = 100 };

/* In a process of its own, so that the heap that is measured has one side alone. */
static void serve_idle(int listener) {
  static SSL *held[IDLE];
  for (int i = 0; i < IDLE; i++) {
    int fd = accept(listener, NULL, NULL);
    held[i] = SSL_new(context);
    (void)SSL_set_fd(held[i], fd);
    if (SSL_accept(held[i]) != 1 || SSL_write(held[i], "x", 1) != 1) _exit(1);
  }
  char byte;
  (void)SSL_read(held[0], &byte, 1);
  _exit(0);
}

static void idle(void) {
  static struct link links[IDLE];
  static struct fog_connection_options to;
  int port = 0, listener = listen_at("127.0.0.1", &port, IDLE), opened = 0;
  pid_t pid = fork();
  if (pid == 0) serve_idle(listener);
  to = (struct fog_connection_options){
      .host = (char *)(uintptr_t)("127.0.0.1"), .port = (uint16_t)port, .tls = true, .ca_pem = certs.ca};
  link_open(&me, &to); /* has made what all share, and fails: nobody waits for a hundred and first */
  link_close(&me, false);
  size_t before = mallinfo2().uordblks;
  for (int i = 0; i < IDLE; i++) {
    link_open(&links[i], &to);
    opened += UNTIL(links[i].opened && links[i].len == 1);
  }
  size_t each = (mallinfo2().uordblks - before) / IDLE;
  printf("# an idle link over TLS takes %zu bytes of the heap\n", each);
  check(opened == IDLE, "a hundred links over TLS");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  /* OpenSSL 3.5 keeps its share of a post-quantum key exchange. */
  size_t most = OPENSSL_VERSION_NUMBER >= 0x30500000L ? 36 * 1024 : 28 * 1024;
  check(each > 0 && each <= most, "an idle one takes no more than OpenSSL needs and a little");
#endif
  for (int i = 0; i < IDLE; i++) link_close(&links[i], false);
  (void)close(listener);
  (void)waitpid(pid, &opened, 0);
}

int main(void) {
  tls_setup();
  loop = fog_loop_new();
  context = server_context(&certs);
  idle();
  carry(3000000, 3000000, 0);
  carry(300000, 1000, 777);
  carry(3000, 1, 1);
  parts();
  through(1);
  through(1000);
  both_ways();
  small_reads();
  rests_in_a_record();
  new_keys(TLS1_3_VERSION, 400000);
  new_keys(TLS1_2_VERSION, 20000);
  flood_of_keys();
  sessions(TLS1_3_VERSION);
  sessions(TLS1_2_VERSION);
  many_sessions();
  cut_anywhere(false);
  cut_anywhere(true);
  ends();
  wrong_records();
  close_anywhere();
  SSL_CTX_free(context);
  fog_connection_forget();
  fog_loop_free(loop);
  tls_teardown();
  return finish();
}

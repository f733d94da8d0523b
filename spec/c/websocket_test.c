/* SPDX-License-Identifier: MIT
 *
 * WebSockets: the request as it goes out, each answer that is none, frames both ways over TCP and TLS, ping and close.
 * The server is the test's own, by the letter of RFC 6455.
 */
#include <stdatomic.h>

#include "web_peer.h"

static struct web web;
static atomic_bool may_read;
static size_t late_len, late_sum;
static struct fog_connection_options o;

static bool start(const char *answer, void (*talk)(struct web *)) {
  web_start(&web, answer, talk);
  o = (struct fog_connection_options){
      .host = (char *)(uintptr_t)("127.0.0.1"), .port = (uint16_t)web.peer.port, .websocket = true};
  return opens(&o);
}

static void stop(void) {
  link_close(&me, false);
  peer_end(&web.peer);
}

/* --- the request --- */

static bool asks(const char *text) {
  bool found = strstr(web.request, text) != NULL;
  if (!found) printf("# the request: %s\n", web.request);
  return found;
}

static void request(void) {
  char host[64], first_key[64];
  check(start(NULL, NULL), "opens");
  (void)snprintf(host, sizeof host, "\r\nHost: 127.0.0.1:%d\r\n", web.peer.port);
  stop();
  check(strncmp(web.request, "GET /mqtt HTTP/1.1\r\n", 20) == 0 && asks(host) && asks("\r\nUpgrade: websocket\r\n") &&
            asks("\r\nConnection: Upgrade\r\n") && asks("\r\nSec-WebSocket-Version: 13\r\n") &&
            asks("\r\nSec-WebSocket-Protocol: mqtt\r\n") && !strstr(web.request, "Sec-WebSocket-Extensions"),
        "the request is what RFC 6455 asks for, at /mqtt");
  (void)snprintf(first_key, sizeof first_key, "%s", web.key);
  check(start(NULL, NULL), "opens again");
  stop();
  check(strlen(web.key) == 24 && strcmp(web.key + 22, "==") == 0, "with a key of 16 bytes");
  check(strcmp(first_key, web.key) != 0, "another one each time");

  web_start(&web, NULL, NULL);
  o.port = (uint16_t)web.peer.port;
  o.path = (char *)(uintptr_t)("/a/b?c=d");
  o.headers = (char *)(uintptr_t)("Authorization: Bearer abc\r\nX-More: 1 2\r\n");
  check(opens(&o), "opens with more");
  stop();
  check(strncmp(web.request, "GET /a/b?c=d HTTP/1.1\r\n", 23) == 0 &&
            asks("\r\nAuthorization: Bearer abc\r\nX-More: 1 2\r\n\r\n"),
        "a path and headers of the user's");
  web_start(&web, NULL, NULL);
  o.port = (uint16_t)web.peer.port;
  o.headers = (char *)(uintptr_t)("host: other.example\r\n");
  check(opens(&o), "opens with a host");
  stop();
  check(strstr(web.request, "Host: 127") == NULL && asks("\r\nhost: other.example\r\n"),
        "a Host of his own stands alone");
}

static bool option_fails(const char *path, const char *headers, const char *text) {
  web_start(&web, NULL, NULL);
  o = (struct fog_connection_options){.host = (char *)(uintptr_t)("127.0.0.1"),
                                      .port = (uint16_t)web.peer.port,
                                      .websocket = true,
                                      .path = (char *)(uintptr_t)path,
                                      .headers = (char *)(uintptr_t)headers};
  bool failed = !opens(&o) && me.error.kind == FOG_CONNECTION_LOCAL && me.error.final && says(&me, text);
  stop();
  return failed && web.request[0] == '\0';
}

static void options_that_fail(void) {
  static const char *const paths[] = {"", "mqtt", "/a b", "/a\r\nX: y", "/\x7f"};
  static const char *const headers[] = {"X",          "X: y",       "X: y\n", ": y\r\n", "X: a\r\n\r\nGET /",
                                        "X y: z\r\n", "X: \x01\r\n"};
  bool all = true;
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) all = all && option_fails(paths[i], NULL, "path: ");
  check(all, "a path that would be something else in the request is refused before anything is sent");
  for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
    all = all && option_fails(NULL, headers[i], "headers: ");
  check(all, "so are headers");
  static char much[20000];
  memset(much, 'x', sizeof much - 1);
  much[1] = ':';
  memcpy(much + sizeof much - 3, "\r\n", 3);
  check(option_fails(NULL, much, "headers: longer than 16 KiB"), "and very many of them");
}

/* --- the answer --- */

static bool refused(const char *answer, bool final, const char *text) {
  bool failed = !start(answer, NULL) && me.error.kind == FOG_CONNECTION_WEBSOCKET && me.error.final == final &&
                says(&me, text) && says(&me, "127.0.0.1:");
  stop();
  if (!failed) printf("# %d %d %s\n", me.error.kind, me.error.final, me.error.text);
  return failed;
}

static void answers(void) {
  static char much[9000];
  (void)snprintf(much, sizeof much, "HTTP/1.1 101 Switching Protocols\r\nX: %08000d", 0);
  memset(much + strlen(much), 'y', sizeof much - 1 - strlen(much));
  check(refused("HTTP/1.1 403 Forbidden\r\n\r\n", true, "the WebSocket was refused: 403 Forbidden"), "403");
  check(refused("HTTP/1.1 404\r\n\r\n", true, "refused: 404"), "404 without words");
  check(refused("HTTP/1.0 200 OK\r\n\r\n<html>", true, "refused: 200 OK"), "a web page");
  check(refused("HTTP/1.1 503 Busy \x1b[31m\r\n\r\n", false, "refused: 503 Busy ?[31m"),
        "503 may be over later; control characters are not repeated");
  check(refused("HTTP/1.1 429 Slow\r\n\r\n", false, "refused: 429"), "429, too");
  check(refused(UPGRADES "Sec-WebSocket-Accept: wrong\r\n\r\n", true, "the WebSocket's key is wrong"), "a wrong key");
  check(refused(UPGRADES "\r\n", true, "the WebSocket's key is wrong"), "no key");
  check(refused("HTTP/1.1 101 OK\r\nConnection: upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", true, "does not upgrade"),
        "no upgrade");
  check(refused("HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n", true, "does not upgrade"),
        "no connection");
  check(refused("HTTP/1.1 101 OK\r\nUpgrade: websockets\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                true, "does not upgrade"),
        "an upgrade to something else");
  check(refused(ACCEPTS "Sec-WebSocket-Protocol: mqttv3.1\r\n\r\n", true, "another subprotocol"),
        "another subprotocol");
  check(refused(ACCEPTS "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", true, "an extension"), "an extension");
  check(refused("SSH-2.0-OpenSSH_9.2\r\n", true, "the answer is not HTTP"), "another protocol");
  check(refused("HTTP/2 101 OK\r\n\r\n", true, "the answer is not HTTP"), "another HTTP");
  check(refused("HTTP/1.1-101 OK\r\n\r\n", true, "the answer is not HTTP"), "no blank");
  check(refused("HTTP/1.1 abc OK\r\n\r\n", true, "the answer is not HTTP"), "no status");
  check(refused("HTTP/1.1 1012 OK\r\n\r\n", true, "the answer is not HTTP"), "a status of four digits");
  check(refused("HTTP/1.1 101", false, "closed instead of answering"), "the end in the middle");
  check(refused("", false, "closed instead of answering"), "nothing");
  check(refused(much, false, "longer than 8192 bytes"), "a head without an end");
  check(start("HTTP/1.1 101 OK\nupgrade:websocket\nCONNECTION: keep-alive , Upgrade\nsec-websocket-ACCEPT:\t%s \n\n",
              NULL),
        "other ways to write the right one");
  stop();
}

/* --- frames --- */

static void echoes(struct web *w) {
  static char bytes[300000];
  for (ssize_t n; (n = web_read_frame(w, bytes, sizeof bytes)) >= 0;) web_write_frame(w, 0x82, bytes, (size_t)n);
}

static void carry(size_t len, size_t write_piece, size_t read_piece) {
  char *bytes = pattern(len);
  bool carried = start(NULL, echoes);
  me.piece = read_piece;
  for (size_t at = 0; carried && at < len; at += write_piece)
    carried = link_write(&me, bytes + at, write_piece < len - at ? write_piece : len - at);
  check(carried && UNTIL(me.len == len) && memcmp(me.got, bytes, len) == 0, "bytes go there and back as they were");
  me.piece = 0;
  stop();
  check(web.unmasked == 0 && web.same_masks == 0, "each frame is masked, with another mask");
  free(bytes);
}

static void in_all_ways(struct web *w) {
  static const char all[] =
      "\x02\x03"
      "abc"
      "\x00\x00"
      "\x89\x02hi"
      "\x80\x02"
      "de"
      "\x82\x00"
      "\x8a\x01x"
      "\x82\x01"
      "f"
      "\x82\x7e\x00\x80";
  static char long_one[128], pong[128];
  memset(long_one, 'g', sizeof long_one);
  for (int piecewise = 0; piecewise < 2; piecewise++) {
    for (size_t at = 0, n = piecewise ? 1 : sizeof all - 1; at < sizeof all - 1; at += n) {
      (void)send(w->fd, all + at, n, MSG_NOSIGNAL);
      if (piecewise) (void)usleep(300);
    }
    (void)send(w->fd, long_one, sizeof long_one, MSG_NOSIGNAL);
    (void)web_read_frame(w, pong,
                         sizeof pong); /* before the next ping: one answer may stand for both (RFC 6455, 5.5.3) */
  }
  web_write_frame(w, 0x82, "!", 1);
  (void)web_read_frame(w, long_one, sizeof long_one);
}

static void any_framing(void) {
  char expected[269];
  memset(expected, 'g', sizeof expected);
  memcpy(expected, "abcdef", 6);
  memcpy(expected + 134, "abcdef", 6);
  expected[268] = '!';
  check(start(NULL, in_all_ways) && UNTIL(me.len == sizeof expected) && memcmp(me.got, expected, sizeof expected) == 0,
        "fragments, several frames in a segment, one in several: the payload is read");
  stop();
  check(web.pongs == 2 && strcmp(web.pong, "hi") == 0, "each ping is answered with what it said");
}

static void says_nothing(struct web *w) {
  char bytes[200];
  while (web_read_frame(w, bytes, sizeof bytes) >= 0) continue;
}

/* Frames come in the same segment as the answer. */
static void at_once(void) {
  check(start(ACCEPTS "\r\n\x82\x03"
                      "abc\x89",
              NULL) &&
            UNTIL(me.len == 3) && memcmp(me.got, "abc", 3) == 0,
        "frames behind the answer are read");
  stop();
  me.piece = 1;
  check(start(ACCEPTS "\r\n\x82\x03"
                      "abc\x82\x01x",
              says_nothing) &&
            UNTIL(me.len == 4) && memcmp(me.got, "abcx", 4) == 0,
        "also byte by byte");
  me.piece = 0;
  stop();
}

static void pings_and_reads_nothing(struct web *w) {
  char payload[125] = "";
  for (int i = 0; i < 200000; i++) web_write_frame(w, 0x89, payload, sizeof payload);
  web_write_frame(w, 0x82, "x", 1);
  while (web_read_frame(w, payload, sizeof payload) >= 0) continue;
}

static void flood(void) {
  check(start(NULL, pings_and_reads_nothing) && UNTIL(me.len == 1),
        "200,000 pings of a server that does not read the answers are survived, and what follows is read");
  stop();
  check(web.pongs > 0 && web.pongs < 200000, "while there is no room one answer stands for many");
}

/* --- the end --- */

static void closes(struct web *w) {
  char bytes[200];
  web_write_frame(w, 0x82, "last", 4);
  web_write_frame(w, 0x88, "\x03\xe9going\x07 away", 13);
  while (web_read_frame(w, bytes, sizeof bytes) >= 0) continue;
}

static void wrong_frame(struct web *w) {
  web_write_frame(w, 0x82, "last", 4);
  (void)send(w->fd, "\x81\x01x", 3, MSG_NOSIGNAL);
  says_nothing(w);
}

static void ends(void) {
  struct iovec part = {.iov_base = (void *)(uintptr_t)("x"), .iov_len = 1};
  check(start(NULL, closes) && UNTIL(me.ended) && me.len == 4 && me.error.kind == FOG_CONNECTION_CLOSED &&
            says(&me, "the other side closed the WebSocket: 1001 going? away"),
        "a close of the server's: what came before, then its code and its words");
  check(fog_connection_write(me.c, &part, 1, &me.error) == -1, "and nothing is written any more");
  stop();
  check(web.closes == 1 && web.close_code == 1000, "it is answered, once");

  check(start(NULL, wrong_frame) && UNTIL(me.ended) && me.len == 4 && me.error.kind == FOG_CONNECTION_WEBSOCKET &&
            says(&me, "a WebSocket frame of text"),
        "a frame that must not be: what came before, then why");
  stop();
  check(web.closes == 1 && web.close_code == 1002, "the server is told that it was wrong");

  check(start(NULL, says_nothing), "opens");
  link_close(&me, true);
  peer_end(&web.peer);
  check(web.closes == 1 && web.close_code == 1000, "our close says goodbye");
  (void)UNTIL(fog_loop_watched(loop) == 0);

  check(start(NULL, NULL) && UNTIL(me.ended) && me.error.kind == FOG_CONNECTION_CLOSED, "an end without a close");
  stop();
}

static void reads_late(struct web *w) {
  char room[20000];
  char go;
  size_t all = 0;
  (void)recv(w->fd, &go, 1, MSG_PEEK);
  while (!atomic_load(&may_read)) (void)usleep(1000);
  for (ssize_t n; (n = web_read_frame(w, room, sizeof room)) >= 0; all += (size_t)n)
    for (ssize_t i = 0; i < n; i++) late_sum += (unsigned char)room[i] * ((all + (size_t)i) % 251 + 1);
  late_len = all;
}

/* A close frame goes behind a part of a frame that the system has not taken yet. */
static void close_when_full(void) {
  enum { LEN = 20000000 };
  char *bytes = pattern(LEN);
  struct iovec part = {.iov_base = bytes, .iov_len = LEN};
  atomic_store(&may_read, false);
  (void)start(NULL, reads_late);
  size_t taken = 0, sum = 0;
  for (ssize_t n; (n = fog_connection_write(me.c, &part, 1, &me.error)) > 0;) {
    taken += (size_t)n;
    part = (struct iovec){.iov_base = bytes + taken, .iov_len = LEN - taken};
  }
  for (size_t i = 0; i < taken; i++) sum += (unsigned char)bytes[i] * (i % 251 + 1);
  check(taken > 0 && taken < LEN && !fog_connection_flushed(me.c, NULL), "a server that does not read");
  fog_connection_close(me.c, true);
  me.c = NULL;
  atomic_store(&may_read, true);
  check(UNTIL(fog_loop_watched(loop) == 0), "is left");
  link_close(&me, false);
  peer_end(&web.peer);
  check(late_len == taken && late_sum == sum && web.closes == 1, "all that was taken is read, and then the close");
  free(bytes);
}

static void close_anywhere(void) {
  for (int turns = 0; turns < 6; turns++) {
    web_start(&web, NULL, says_nothing);
    o = (struct fog_connection_options){
        .host = (char *)(uintptr_t)("127.0.0.1"), .port = (uint16_t)web.peer.port, .websocket = true};
    link_open(&me, &o);
    for (int i = 0; i < turns; i++) fog_loop_turn(loop, 2);
    link_close(&me, turns % 2 == 0);
    (void)UNTIL(fog_loop_watched(loop) == 0);
    peer_end(&web.peer);
  }
  check(fog_loop_watched(loop) == 0, "closed anywhere on the way");
}

/* --- over TLS --- */

static void over_tls_too(void) {
  static struct server s;
  enum { LEN = 500000 };
  char *bytes = pattern(LEN);
  SSL_CTX *context = server_context(&certs);
  server_start(&s, "127.0.0.1", context, web_over_tls);
  o = over_tls("localhost", &s);
  o.websocket = true;
  check(opens(&o) && link_write(&me, bytes, LEN) && UNTIL(me.len == LEN) && memcmp(me.got, bytes, LEN) == 0,
        "over TLS bytes go there and back as they were");
  fog_connection_reading(me.c, false);
  int before = me.readable;
  (void)link_write(&me, bytes, 10);
  for (int i = 0; i < 5; i++) fog_loop_turn(loop, 5);
  check(me.readable == before, "reading rests there as well");
  fog_connection_reading(me.c, true);
  check(UNTIL(me.len == LEN + 10), "and goes on");
  link_close(&me, true);
  server_end(&s);
  (void)UNTIL(fog_loop_watched(loop) == 0);
  SSL_CTX_free(context);
  free(bytes);
}

int main(void) {
  tls_setup();
  loop = fog_loop_new();
  request();
  options_that_fail();
  answers();
  carry(1000000, 1000000, 0);
  carry(100000, 777, 100);
  carry(2000, 1, 1);
  any_framing();
  at_once();
  flood();
  ends();
  close_when_full();
  close_anywhere();
  over_tls_too();
  fog_connection_forget();
  fog_loop_free(loop);
  tls_teardown();
  return finish();
}

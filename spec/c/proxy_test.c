/* SPDX-License-Identifier: MIT
 *
 * Through a proxy, by HTTP CONNECT: what it is asked, what it may answer, and what then goes through it. The proxy is
 * the test's own.
 */
#include "relay.h"
#include "web_peer.h"

struct proxy {
  struct peer peer;
  const char *answer; /* NULL: connects, and says 200 */
  int to;             /* where it connects, whatever it is asked for */
  char request[4096];
};

static struct proxy proxy;
static struct fog_connection_options o;

static void proxy_run(int fd, void *arg) {
  struct proxy *p = arg;
  struct relay r = {.to = p->to, .piece = 65536, .cut_after = -1};
  const char *answer = p->answer == NULL ? "HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n" : p->answer;
  for (size_t len = 0; strstr(p->request, "\r\n\r\n") == NULL && len + 1 < sizeof p->request; len++) {
    if (recv(fd, p->request + len, 1, 0) != 1) break;
  }
  (void)send(fd, answer, strlen(answer), MSG_NOSIGNAL);
  if (p->answer == NULL && p->to != 0) {
    relay_run(fd, &r);
    return;
  }
  (void)shutdown(fd, SHUT_WR);
  for (char sink[1024]; recv(fd, sink, sizeof sink, 0) > 0;) continue;
  (void)close(fd);
}

static void start(const char *answer, int to) {
  proxy = (struct proxy){.answer = answer, .to = to};
  peer_start(&proxy.peer, "127.0.0.1", proxy_run, &proxy);
  o.proxy_host = (char *)(uintptr_t)("127.0.0.1");
  o.proxy_port = (uint16_t)proxy.peer.port;
}

static void stop(void) {
  link_close(&me, false);
  peer_end(&proxy.peer);
}

static bool refused(const char *answer, bool final, const char *text) {
  o = (struct fog_connection_options){.host = (char *)(uintptr_t)("broker.example"), .port = 8883};
  start(answer, 0);
  bool failed = !opens(&o) && me.error.kind == FOG_CONNECTION_PROXY && me.error.final == final && says(&me, text) &&
                says(&me, "proxy 127.0.0.1:");
  stop();
  if (!failed) printf("# %d %d %s\n", me.error.kind, me.error.final, me.error.text);
  return failed;
}

static bool asked(const char *request) {
  bool same = strcmp(proxy.request, request) == 0;
  if (!same) printf("# it was asked: %s\n", proxy.request);
  return same;
}

static void answers(void) {
  static char much[9000] = "HTTP/1.1 200 OK\r\nX: ";
  memset(much + strlen(much), 'y', sizeof much - 1 - strlen(much));
  check(refused("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n", true,
                "407 Proxy Authentication Required: the proxy wants a user and password"),
        "407 names what is missing");
  check(asked("CONNECT broker.example:8883 HTTP/1.1\r\nHost: broker.example:8883\r\n\r\n"),
        "the proxy is asked for the broker by name, and is told nothing else");
  check(refused("HTTP/1.1 403 Forbidden\r\n\r\n", true, "the proxy refused the connection: 403 Forbidden"), "403");
  check(refused("HTTP/1.1 502 Bad Gateway\r\n\r\n", false, "502 Bad Gateway"), "502 may be over later");
  check(refused("HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n", true, "301 Moved"), "a redirect is none");
  check(refused("HTTP/1.1 101 Switching Protocols\r\n\r\n", true, "101"), "101 neither");
  check(refused("\x20\x02\x01\x05", true, "the answer is not HTTP"), "a broker where a proxy should be");
  check(refused("", false, "closed the connection without an answer"), "nothing");
  check(refused("HTTP/1.1 20", false, "closed the connection without an answer"), "half an answer");
  check(refused("HTTP/1.1 200 OK\r\n\r\nmore", false, "bytes that nobody asked for"), "bytes behind the answer");
  check(refused(much, false, "longer than 8192 bytes"), "a head without an end");
}

static void credentials(void) {
  static char secret[1100];
  o = (struct fog_connection_options){.host = (char *)(uintptr_t)("::1"),
                                      .port = 1883,
                                      .proxy_user = (char *)(uintptr_t)("Aladdin"),
                                      .proxy_password = (char *)(uintptr_t)("open sesame")};
  start("HTTP/1.1 407 No\r\n\r\n", 0);
  check(!opens(&o) && me.error.final && says(&me, "407 No: the proxy wants another user and password") &&
            strstr(me.error.text, "sesame") == NULL,
        "407 in spite of a password, which no error repeats");
  stop();
  check(asked("CONNECT [::1]:1883 HTTP/1.1\r\nHost: [::1]:1883\r\n"
              "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"),
        "credentials as RFC 7617 has them; an IPv6 address in brackets");
  o.proxy_password = NULL;
  start("HTTP/1.1 407 No\r\n\r\n", 0);
  check(!opens(&o), "refused again");
  stop();
  check(strstr(proxy.request, "Basic QWxhZGRpbjo=\r\n") != NULL, "a user without a password");
  memset(secret, 'x', sizeof secret - 1);
  o.proxy_password = secret;
  start(NULL, 0);
  check(!opens(&o) && me.error.kind == FOG_CONNECTION_LOCAL && says(&me, "proxy: "), "credentials that are too long");
  stop();
}

static void no_proxy(void) {
  o = (struct fog_connection_options){.host = (char *)(uintptr_t)("127.0.0.1"), .port = 1883};
  o.proxy_host = (char *)(uintptr_t)("localhost");
  o.proxy_port = 1;
  check(!opens(&o) && me.error.kind == FOG_CONNECTION_NETWORK && says(&me, "proxy localhost:1 (") &&
            says(&me, "Connection refused"),
        "a proxy that is not there is named as the proxy");
  link_close(&me, false);
  o.proxy_host = (char *)(uintptr_t)("no-such-name.invalid");
  check(!opens(&o) && says(&me, "proxy no-such-name.invalid: "), "so is one whose name is not");
  link_close(&me, false);
}

static void say_nothing(int fd, void *arg) {
  char sink[64];
  (void)arg;
  while (recv(fd, sink, sizeof sink, 0) > 0) continue;
  (void)close(fd);
}

static void environment(void) {
  struct peer p;
  (void)setenv("http_proxy", "http://127.0.0.1:1", 1);
  (void)setenv("https_proxy", "http://127.0.0.1:1", 1);
  (void)setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
  peer_start(&p, "127.0.0.1", say_nothing, NULL);
  o = (struct fog_connection_options){.host = (char *)(uintptr_t)("127.0.0.1"), .port = (uint16_t)p.port};
  check(opens(&o), "no variable of the environment diverts a connection");
  link_close(&me, false);
  peer_end(&p);
}

static void plain_echo(int fd, void *arg) {
  char bytes[4096];
  (void)arg;
  for (ssize_t n; (n = recv(fd, bytes, sizeof bytes, 0)) > 0;) {
    if (send(fd, bytes, (size_t)n, MSG_NOSIGNAL) != n) break;
  }
  (void)close(fd);
}

static void web_echo(struct web *w) {
  static char bytes[70000];
  for (ssize_t n; (n = web_read_frame(w, bytes, sizeof bytes)) >= 0;)
    if (n > 0) web_write_frame(w, 0x82, bytes, (size_t)n);
}

static void through(bool tls, bool websocket) {
  static struct server s;
  static struct web w;
  enum { LEN = 300000 };
  static char bytes[LEN];
  SSL_CTX *context = server_context(&certs);
  for (int i = 0; i < LEN; i++) bytes[i] = (char)(i * 7 + i / 256);
  if (tls)
    server_start(&s, "127.0.0.1", context, websocket ? web_over_tls : NULL);
  else if (websocket)
    web_start(&w, NULL, web_echo);
  else
    peer_start(&w.peer, "127.0.0.1", plain_echo, NULL);
  int port = tls ? s.peer.port : w.peer.port;
  o = (struct fog_connection_options){.host = (char *)(uintptr_t)("localhost"),
                                      .port = (uint16_t)port,
                                      .tls = tls,
                                      .ca_pem = certs.ca,
                                      .websocket = websocket};
  start(NULL, port);
  check(opens(&o) && link_write(&me, bytes, LEN) && UNTIL(me.len == LEN) && memcmp(me.got, bytes, LEN) == 0,
        websocket ? (tls ? "a WebSocket over TLS through a proxy" : "a WebSocket through a proxy")
                  : (tls ? "TLS through a proxy" : "TCP through a proxy"));
  stop();
  peer_end(tls ? &s.peer : &w.peer);
  SSL_CTX_free(context);
}

static void usual_ports(void) {
  static struct web w;
  web_start(&w, NULL, NULL);
  o = (struct fog_connection_options){.host = (char *)(uintptr_t)("broker.example"), .port = 80, .websocket = true};
  start(NULL, w.peer.port);
  check(opens(&o), "a WebSocket at port 80, as the proxy is told");
  stop();
  peer_end(&w.peer);
  check(strstr(w.request, "\r\nHost: broker.example\r\n") != NULL, "which goes without saying in the request");
}

static void certificate_behind(void) {
  static struct server s;
  SSL_CTX *context = server_context(&certs);
  server_start(&s, "127.0.0.1", context, NULL);
  o = (struct fog_connection_options){
      .host = (char *)(uintptr_t)("broker.example"), .port = 8883, .tls = true, .ca_pem = certs.ca};
  start(NULL, s.peer.port);
  check(!opens(&o) && me.error.kind == FOG_CONNECTION_TLS &&
            says(&me, "broker.example:8883: certificate verify failed: hostname mismatch"),
        "behind a proxy the broker's certificate is checked, and the broker named, without an address");
  stop();
  server_end(&s);
  SSL_CTX_free(context);
}

int main(void) {
  tls_setup();
  loop = fog_loop_new();
  answers();
  credentials();
  no_proxy();
  through(false, false);
  through(true, false);
  through(false, true);
  through(true, true);
  usual_ports();
  certificate_behind();
  environment();
  fog_connection_forget();
  fog_loop_free(loop);
  tls_teardown();
  return finish();
}

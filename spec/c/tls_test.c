/* SPDX-License-Identifier: MIT
 *
 * TLS: whom a connection trusts, who it is itself, what it says where either is wrong. Servers are OpenSSL's.
 */
#include <fcntl.h>
#include <sys/wait.h>

#include "tls_peer.h"

static SSL_CTX *context;
static const char *program;

/* One connection to a server of this context; as it comes, the options may be changed by `change`. */
static bool meets(const char *host, const char *address, SSL_CTX *with,
                  void (*change)(struct fog_connection_options *)) {
  static struct server s;
  static struct fog_connection_options o; /* used until close */
  server_start(&s, address, with, NULL);
  o = over_tls(host, &s);
  if (change != NULL) change(&o);
  bool opened = opens(&o) && link_write(&me, "hello", 5) && UNTIL(me.len == 5 || me.ended) && me.len == 5;
  link_close(&me, false);
  server_end(&s);
  return opened;
}

static bool refused(const char *text, bool final) {
  bool right = me.error.kind == FOG_CONNECTION_TLS && me.error.final == final;
  return says(&me, text) && right;
}

/* --- whom it trusts --- */

static void no_authority(struct fog_connection_options *o) { o->ca_pem = NULL; }
static void other_name(struct fog_connection_options *o) { o->server_name = (char *)(uintptr_t)("broker.example"); }
static void other_address(struct fog_connection_options *o) { o->server_name = (char *)(uintptr_t)("127.0.0.9"); }
static void name_for_address(struct fog_connection_options *o) { o->server_name = (char *)(uintptr_t)("localhost"); }
static void six(struct fog_connection_options *o) { o->server_name = (char *)(uintptr_t)("0:0:0:0:0:0:0:1"); }
static void other_six(struct fog_connection_options *o) { o->server_name = (char *)(uintptr_t)("::2"); }
static void itself(struct fog_connection_options *o) { o->ca_pem = certs.cert; }
static void dotted(struct fog_connection_options *o) { o->server_name = (char *)(uintptr_t)("localhost."); }

static void ca_file(struct fog_connection_options *o) {
  o->ca_pem = NULL;
  o->ca_file = (char *)(uintptr_t)file("ca.pem", certs.ca);
}

static void trust(void) {
  check(meets("localhost", "127.0.0.1", context, NULL), "a name that is the certificate's");
  check(meets("127.0.0.1", "127.0.0.1", context, NULL), "an IPv4 address that is");
  check(meets("::1", "::1", context, NULL), "an IPv6 address that is");
  check(meets("::1", "::1", context, six), "in another notation");
  check(meets("127.0.0.1", "127.0.0.1", context, name_for_address), "a server name in place of the host");
  check(meets("localhost", "127.0.0.1", context, dotted), "a name with its dot at the end");
  check(meets("localhost", "127.0.0.1", context, ca_file), "an authority from a file");
  check(meets("localhost", "127.0.0.1", context, itself), "the broker's own certificate as the authority");
  check(!meets("localhost", "127.0.0.1", context, other_name) &&
            refused("certificate verify failed: hostname mismatch", true),
        "another name is refused");
  check(!meets("127.0.0.1", "127.0.0.1", context, other_address) && refused("IP address mismatch", true),
        "another IPv4 address is refused");
  check(!meets("::1", "::1", context, other_six) && refused("IP address mismatch", true),
        "another IPv6 address is refused");
  check(!meets("localhost", "127.0.0.1", context, no_authority) &&
            refused("certificate verify failed: unable to get local issuer certificate", true),
        "an authority that nobody named is refused: what is named replaces the system's");
  check(says(&me, "localhost:") && says(&me, " (127.0.0.1): "), "and the error names host and address");
}

static void expired(void) {
  struct fog_certs old;
  if (!fog_certs_make(&old, &(struct fog_certs_wish){.days = -1, .ca = certs.ca, .ca_key = certs.ca_key})) exit(1);
  SSL_CTX *with = server_context(&old);
  check(!meets("localhost", "127.0.0.1", with, NULL) && refused("certificate has expired", true),
        "a certificate that has expired is refused as such");
  SSL_CTX_free(with);
  fog_certs_free(&old);
}

static void self_signed(void) {
  struct fog_certs other;
  if (!fog_certs_make(&other, &(struct fog_certs_wish){.days = 1})) exit(1);
  SSL_CTX *with = server_context(&other);
  X509 *ca = read_cert(other.ca);
  (void)SSL_CTX_add1_chain_cert(with, ca);
  X509_free(ca);
  check(!meets("localhost", "127.0.0.1", with, no_authority) && refused("certificate in certificate chain", true) &&
            (says(&me, "self-signed") || says(&me, "self signed")),
        "a chain up to an authority that nobody named is refused as such");
  SSL_CTX_free(with);
  fog_certs_free(&other);
}

/* --- who it is --- */

static const char *client_cert, *client_key, *phrase;

static void as_client(struct fog_connection_options *o) {
  o->cert_file = (char *)(uintptr_t)client_cert;
  o->key_file = (char *)(uintptr_t)client_key;
  o->key_password = (char *)(uintptr_t)phrase;
}

static void client(int version) {
  SSL_CTX *with = server_context(&certs);
  demand_client(with);
  (void)SSL_CTX_set_max_proto_version(with, version);
  client_cert = file("client.pem", certs.client_cert);
  client_key = file("client-key.pem", certs.client_key);
  phrase = NULL;
  check(meets("localhost", "127.0.0.1", with, as_client), "a broker that demands a certificate gets it");
  check(
      !meets("localhost", "127.0.0.1", with, NULL) &&
          refused(version == TLS1_2_VERSION ? "handshake failure" : "certificate required", version != TLS1_2_VERSION),
      "without one its alert is the error");
  client_key = locked_key("open sesame");
  phrase = "open sesame";
  check(meets("localhost", "127.0.0.1", with, as_client), "a key that is locked is opened by its pass phrase");
  phrase = "open sesame?";
  check(!meets("localhost", "127.0.0.1", with, as_client) && says(&me, "key_password: "),
        "not by another one, though the file is the same");
  client_key = locked_key_in("old", true);
  phrase = "old";
  check(meets("localhost", "127.0.0.1", with, as_client), "a key in the old form is opened by its own");
  phrase = "new";
  check(!meets("localhost", "127.0.0.1", with, as_client) && says(&me, "key_password: "), "and no other");
  SSL_CTX_free(with);
}

static bool option_fails(void (*change)(struct fog_connection_options *), const char *text) {
  return !meets("localhost", "127.0.0.1", context, change) && me.error.kind == FOG_CONNECTION_LOCAL && me.error.final &&
         says(&me, text) && strncmp(me.error.text, text, strcspn(text, " ")) == 0;
}

static void ca_from_nowhere(struct fog_connection_options *o) {
  o->ca_pem = NULL;
  o->ca_file = (char *)(uintptr_t)("/nowhere/ca.pem");
}
static void ca_of_nothing(struct fog_connection_options *o) {
  o->ca_pem = NULL;
  o->ca_file = (char *)(uintptr_t)file("empty.pem", "nothing\n");
}
static void path_from_nowhere(struct fog_connection_options *o) {
  o->ca_pem = NULL;
  o->ca_path = (char *)(uintptr_t)("/nowhere");
}
static void pem_of_nothing(struct fog_connection_options *o) { o->ca_pem = (char *)(uintptr_t)("nothing"); }
static void pem_cut(struct fog_connection_options *o) {
  o->ca_pem = (char *)(uintptr_t)("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
}
static void no_name(struct fog_connection_options *o) { o->server_name = (char *)(uintptr_t)(""); }
static void only_zone(struct fog_connection_options *o) { o->server_name = (char *)(uintptr_t)("%eth0"); }
static void long_name(struct fog_connection_options *o) {
  static char name[1000];
  memset(name, 'x', sizeof name - 1);
  o->server_name = name;
}
static void bad_alpn(struct fog_connection_options *o) { o->alpn = (char *)(uintptr_t)("mqtt,,x"); }

/* With a terminal at hand, which must not be asked: the test's standard input and the controlling one. */
static void options_that_fail(void) {
  client_cert = file("client.pem", certs.client_cert);
  client_key = locked_key("right");
  phrase = NULL;
  check(option_fails(as_client, "key_password: ") && says(&me, "locked.pem: the key is encrypted, and no pass phrase"),
        "no pass phrase: an error that names the option and the file, and no question");
  phrase = "wrong";
  check(option_fails(as_client, "key_password: ") && says(&me, "does not open the key"),
        "a wrong one: an error as well");
  phrase = "";
  check(option_fails(as_client, "key_password: ") && says(&me, "does not open the key"), "an empty one: likewise");
  client_key = file("other-key.pem", certs.key);
  check(option_fails(as_client, "key_file: ") && says(&me, "key values mismatch"), "a key of another certificate");
  client_key = file("no-key.pem", "nothing");
  check(option_fails(as_client, "key_file: "), "a key that is none");
  client_key = "/nowhere/key.pem";
  check(option_fails(as_client, "key_file: /nowhere/key.pem: No such file or directory"), "a key that is not there");
  client_cert = "/nowhere/client.pem";
  check(option_fails(as_client, "cert_file: /nowhere/client.pem: No such file or directory"),
        "a certificate that is not there");
  check(option_fails(ca_from_nowhere, "ca_file: /nowhere/ca.pem: No such file or directory"), "an authority neither");
  check(option_fails(ca_of_nothing, "ca_file: "), "a file without one");
  check(option_fails(path_from_nowhere, "ca_path: /nowhere: no such folder"), "a folder that is not there");
  check(option_fails(pem_of_nothing, "ca_pem: there is no certificate in it"), "text without one");
  check(option_fails(pem_cut, "ca_pem: "), "text with one that is damaged");
  check(option_fails(no_name, "server_name: is empty") && option_fails(only_zone, "server_name: is empty"),
        "no name, which would be any name");
  check(!meets("localhost", "127.0.0.1", context, long_name), "a name that is longer than names are");
  check(option_fails(bad_alpn, "alpn: "), "names of protocols that are none");
}

/* A folder of authorities by their hashes. */
static char authorities[64];
static void ca_path(struct fog_connection_options *o) {
  o->ca_pem = NULL;
  o->ca_path = authorities;
}

static void folder_of_authorities(void) {
  char path[128];
  X509 *ca = read_cert(certs.ca);
  (void)snprintf(authorities, sizeof authorities, "%s/authorities", folder);
  (void)mkdir(authorities, 0700);
  check(!meets("localhost", "127.0.0.1", context, ca_path) && refused("unable to get local issuer certificate", true),
        "an empty folder of authorities trusts nobody");
  (void)snprintf(path, sizeof path, "authorities/%08lx.0", X509_subject_name_hash(ca));
  (void)file(path, certs.ca);
  check(meets("localhost", "127.0.0.1", context, ca_path), "one with the authority in it does");
  X509_free(ca);
}

/* A file that is replaced is read again, for connections that come after. */
static void renewed(void) {
  struct fog_certs other;
  if (!fog_certs_make(&other, &(struct fog_certs_wish){.days = 1})) exit(1);
  client_cert = client_key = phrase = NULL;
  const char *path = file("ca.pem", other.ca);
  check(!meets("localhost", "127.0.0.1", context, ca_file) == false, "the right authority in the file");
  (void)file("ca.pem", other.ca);
  static struct server s;
  static struct fog_connection_options o;
  for (int i = 0; i < 2; i++) {
    server_start(&s, "127.0.0.1", context, NULL);
    o = over_tls("localhost", &s);
    o.ca_pem = NULL;
    o.ca_file = (char *)(uintptr_t)path;
    check(opens(&o) == (i == 1), "what the file says when the connection is made counts");
    link_close(&me, false);
    server_end(&s);
    (void)file("ca.pem", certs.ca);
  }
  fog_certs_free(&other);
}

/* --- what is said before the protocol --- */

static int choose(SSL *ssl, const unsigned char **out, unsigned char *len, const unsigned char *in, unsigned in_len,
                  void *arg) {
  (void)ssl;
  (void)arg;
  return SSL_select_next_proto((unsigned char **)(uintptr_t)out, len, (const unsigned char *)"\4mqtt", 5, in, in_len) ==
                 OPENSSL_NPN_NEGOTIATED
             ? SSL_TLSEXT_ERR_OK
             : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void hello(void) {
  static struct server s;
  static struct fog_connection_options o;
  static const char *const names[][3] = {
      {"localhost", "localhost", "mqtt"}, {"127.0.0.1", "", ""}, {"127.0.0.1", "localhost", "http/1.1,mqtt"}};
  SSL_CTX *with = server_context(&certs);
  SSL_CTX_set_alpn_select_cb(with, choose, NULL);
  for (int i = 0; i < 3; i++) {
    server_start(&s, "127.0.0.1", with, NULL);
    o = over_tls(names[i][0], &s);
    if (i == 2) o.server_name = (char *)(uintptr_t)("localhost");
    if (i != 1) o.alpn = (char *)(uintptr_t)names[i][2];
    check(opens(&o), "opens");
    link_close(&me, false);
    server_end(&s);
    check(strcmp(s.name, names[i][1]) == 0, "the server's name is sent, an address never");
    check(strcmp(s.protocol, i == 1 ? "" : "mqtt") == 0, "the protocol that was asked for is chosen");
  }
  server_start(&s, "127.0.0.1", with, NULL);
  o = over_tls("localhost", &s);
  o.alpn = (char *)(uintptr_t)("other");
  check(!opens(&o) && refused("no application protocol", true), "a server that wants another protocol says so");
  link_close(&me, false);
  server_end(&s);
  SSL_CTX_free(with);
}

/* --- who speaks no TLS --- */

static void say_http(int fd, void *arg) {
  char bytes[1024];
  const char *answer = arg;
  if (recv(fd, bytes, sizeof bytes, 0) > 0 && answer != NULL) (void)send(fd, answer, strlen(answer), MSG_NOSIGNAL);
  (void)shutdown(fd, SHUT_WR);
  while (recv(fd, bytes, sizeof bytes, 0) > 0) continue;
  (void)close(fd);
}

static void no_tls(void) {
  static struct fog_connection_options o;
  static const struct {
    const char *answer, *text;
    bool final;
  } cases[] = {{"HTTP/1.1 400 Bad Request\r\n\r\n", "wrong version number", true},
               {"\x20\x02\x00\x01", "the other side closed during the TLS handshake", false},
               {NULL, "the other side closed during the TLS handshake", false}};
  for (int i = 0; i < 3; i++) {
    struct peer p;
    struct server s;
    peer_start(&p, "127.0.0.1", say_http, (void *)(uintptr_t)cases[i].answer);
    s.peer.port = p.port;
    o = over_tls("localhost", &s);
    check(!opens(&o) && refused(cases[i].text, cases[i].final), "a port that speaks no TLS");
    link_close(&me, false);
    peer_end(&p);
  }
}

/* OpenSSL's configuration is read once in a process: a child has the one that the test names. */
static void configured(const char *text, const char *expected, const char *what) {
  const char *path = file("openssl.cnf", text);
  int out[2];
  char said[1024] = "";
  if (pipe(out) != 0) exit(1);
  pid_t pid = fork();
  if (pid == 0) {
    (void)setenv("OPENSSL_CONF", path, 1);
    (void)dup2(out[1], 1);
    (void)execl(program, program, "configured", (char *)NULL);
    _exit(127);
  }
  (void)close(out[1]);
  for (ssize_t n, at = 0; (n = read(out[0], said + at, sizeof said - 1 - (size_t)at)) > 0; at += n) said[at + n] = '\0';
  (void)close(out[0]);
  int status = -1;
  (void)waitpid(pid, &status, 0);
  check(status == 0 && strstr(said, expected) != NULL, what);
  if (strstr(said, expected) == NULL) printf("# status %x, it says: %s\n", (unsigned)status, said);
}

static int as_configured(void) {
  loop = fog_loop_new();
  int port = 0, listener = listen_at("127.0.0.1", &port, 1);
  struct fog_connection_options o = {.host = (char *)(uintptr_t)("127.0.0.1"), .port = (uint16_t)port, .tls = true};
  bool opened = opens(&o);
  printf("%s\n", opened ? "opened" : me.error.text);
  link_close(&me, false);
  fog_connection_forget();
  fog_loop_free(loop);
  (void)close(listener);
  return 0;
}

#define CONFIGURED(section) "openssl_conf = init\n[init]\n" section

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "configured") == 0) return as_configured();
  program = argv[0];
  tls_setup();
  loop = fog_loop_new();
  context = server_context(&certs);
  configured(CONFIGURED("providers = list\n[list]\nnowhere = missing\n[missing]\nactivate = 1\nmodule = /nowhere.so\n"),
             "TLS: OpenSSL", "a configuration that names a missing provider is an error, not a crash");
  configured(
      CONFIGURED("ssl_conf = list\n[list]\nsystem_default = none\n[none]\nCipherString = NOTHING\nCiphersuites =\n"
                 "MaxProtocol = TLSv1.1\n"),
      "", "one that leaves nothing to agree on neither");
  trust();
  expired();
  self_signed();
  client(TLS1_3_VERSION);
  client(TLS1_2_VERSION);
  options_that_fail();
  folder_of_authorities();
  renewed();
  hello();
  no_tls();
  SSL_CTX_free(context);
  fog_connection_forget();
  fog_loop_free(loop);
  tls_teardown();
  return finish();
}

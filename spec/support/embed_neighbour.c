/* SPDX-License-Identifier: MIT
 * A host of the archive that uses Paho, libcurl, OpenSSL and sockets itself, all at once, while fogcloud works:
 *   neighbour BASE_URL CLIENT_ID CLIENT_SECRET APP_ID CA_PEM MQTT_PORT TLS_PORT
 * Prints what each got done: bytes over its own sockets (and how many were not what was sent), transfers of its own
 * libcurl, handshakes of its own OpenSSL, messages that its own Paho and fogcloud had from each other. */
#include <MQTTAsync.h>
#include <curl/curl.h>
#include <fogcloud_embed.h>
#include <lauxlib.h>
#include <lualib.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGES = 200 };

static atomic_int stop, subscribed, heard;
static atomic_long bytes, wrong, transfers, handshakes;
static char **args;

/* Its own sockets: a stream of numbers, each byte of which is looked at. */
static void *write_stream(void *arg) {
  unsigned char chunk[4096];
  for (unsigned long at = 0; !stop;) {
    for (size_t i = 0; i < sizeof chunk; i++) chunk[i] = (unsigned char)((at + i) * 31 >> 3);
    ssize_t n = write(*(int *)arg, chunk, sizeof chunk);
    if (n <= 0) break;
    at += (unsigned long)n;
  }
  (void)shutdown(*(int *)arg, SHUT_WR);
  return NULL;
}

static void *read_stream(void *arg) {
  unsigned char chunk[1000];
  ssize_t n = 0;
  for (unsigned long at = 0; (n = recv(*(int *)arg, chunk, sizeof chunk, 0)) > 0; at += (unsigned long)n) {
    for (ssize_t i = 0; i < n; i++) wrong += chunk[i] != (unsigned char)((at + (unsigned long)i) * 31 >> 3);
    bytes += n;
  }
  return NULL;
}

static size_t ignore(char *data, size_t size, size_t count, void *arg) {
  (void)data;
  (void)arg;
  return size * count;
}

static void *transfer(void *arg) {
  while (!stop) {
    CURL *curl = curl_easy_init();
    (void)curl_easy_setopt(curl, CURLOPT_URL, args[1]);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
    transfers += curl_easy_perform(curl) == CURLE_OK;
    curl_easy_cleanup(curl);
  }
  return arg;
}

static void *shake_hands(void *arg) {
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;
  if (getaddrinfo("localhost", args[7], &hints, &found) != 0) return NULL;
  while (!stop) {
    int fd = socket(found->ai_family, SOCK_STREAM, 0);
    SSL *ssl = SSL_new(context);
    (void)SSL_set_fd(ssl, fd);
    if (connect(fd, found->ai_addr, found->ai_addrlen) == 0) handshakes += SSL_connect(ssl) == 1;
    SSL_free(ssl);
    (void)close(fd);
  }
  freeaddrinfo(found);
  SSL_CTX_free(context);
  return arg;
}

/* Its own Paho plays the device. */
static int on_message(void *client, char *topic, int len, MQTTAsync_message *message) {
  (void)client;
  (void)len;
  heard++;
  MQTTAsync_freeMessage(&message);
  MQTTAsync_free(topic);
  return 1;
}

static void on_subscribed(void *client, MQTTAsync_successData *data) {
  (void)data;
  (void)client;
  subscribed = 1;
}

static void on_connected(void *client, MQTTAsync_successData *data) {
  MQTTAsync_responseOptions how = MQTTAsync_responseOptions_initializer;
  (void)data;
  how.onSuccess = on_subscribed;
  how.context = client;
  (void)MQTTAsync_subscribe(client, "c2d/dev1/#", 1, &how);
}

static MQTTAsync start_paho(void) {
  char address[64];
  MQTTAsync client = NULL;
  MQTTAsync_connectOptions how = MQTTAsync_connectOptions_initializer;
  (void)snprintf(address, sizeof address, "tcp://localhost:%s", args[6]);
  (void)MQTTAsync_create(&client, address, "device-dev1", MQTTCLIENT_PERSISTENCE_NONE, NULL);
  (void)MQTTAsync_setCallbacks(client, client, NULL, on_message, NULL);
  how.username = "dev1";
  how.password = "dev1-secret";
  how.onSuccess = on_connected;
  how.context = client;
  (void)MQTTAsync_connect(client, &how);
  return client;
}

static int l_subscribed(lua_State *L) {
  lua_pushboolean(L, subscribed);
  return 1;
}

static int l_heard(lua_State *L) {
  lua_pushinteger(L, heard);
  return 1;
}

static int l_speak(lua_State *L) {
  for (int i = 0; i < MESSAGES; i++) {
    MQTTAsync_responseOptions how = MQTTAsync_responseOptions_initializer;
    (void)MQTTAsync_send(*(MQTTAsync *)lua_touserdata(L, lua_upvalueindex(1)), "d2c/dev1/n", 1, "x", 1, 0, &how);
  }
  return 0;
}

static const char job[] =
    "local subscribed, heard, speak, count, base_url, client_id, client_secret, app_id, ca_pem = ...\n"
    "local fogcloud = require 'fogcloud'\n"
    "local cloud = fogcloud.new { base_url = base_url, client_id = client_id, client_secret = client_secret,\n"
    "  ca_pem = ca_pem, environment = false }\n"
    "fogcloud.spawn(function()\n"
    "  local session, got = assert(cloud:open { app_id = app_id, devices = { 'dev1' } }), 0\n"
    "  assert(session:subscribe('d2c/dev1/n', 1, function() got = got + 1 end))\n"
    "  while not subscribed() do fogcloud.sleep(0.01) end\n"
    "  speak()\n"
    "  for _ = 1, count do assert(session:publish('c2d/dev1/n', ('y'):rep(500), { qos = 1 })) end\n"
    "  for _ = 1, 20 do assert(cloud:products()) end\n"
    "  local deadline = 1000\n"
    "  while (got < count or heard() < count) and deadline > 0 do\n"
    "    fogcloud.sleep(0.01)\n"
    "    deadline = deadline - 1\n"
    "  end\n"
    "  session:close()\n"
    "  print('fogcloud', got)\n"
    "  print('paho', heard())\n"
    "end)\n"
    "fogcloud.run()\n";

static int run_job(MQTTAsync *client) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  fogcloud_preload(L);
  int failed = luaL_loadbuffer(L, job, sizeof job - 1, "=job") != 0;
  lua_pushcfunction(L, l_subscribed);
  lua_pushcfunction(L, l_heard);
  lua_pushlightuserdata(L, client);
  lua_pushcclosure(L, l_speak, 1);
  lua_pushinteger(L, MESSAGES);
  for (int i = 1; i <= 5; i++) lua_pushstring(L, args[i]);
  if (failed || lua_pcall(L, 9, 0, 0) != 0) {
    puts(lua_tostring(L, -1));
    failed = 1;
  }
  lua_close(L);
  return failed;
}

int main(int argc, char **argv) {
  int ends[2];
  if (argc < 8 || curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
    return 2;
  args = argv;
  void *(*const work[])(void *) = {write_stream, read_stream, transfer, shake_hands};
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) (void)pthread_create(&threads[i], NULL, work[i], &ends[i % 2]);
  MQTTAsync client = start_paho();
  int failed = run_job(&client);
  stop = 1;
  for (int i = 0; i < 4; i++) (void)pthread_join(threads[i], NULL);
  MQTTAsync_destroy(&client);
  printf("bytes\t%ld\nwrong\t%ld\ntransfers\t%ld\nhandshakes\t%ld\n", bytes, wrong, transfers, handshakes);
  return failed;
}

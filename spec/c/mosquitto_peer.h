/* SPDX-License-Identifier: MIT
 *
 * A client of libmosquitto's that takes the test for its broker, over a loopback socket.
 */
#ifndef FOG_MOSQUITTO_PEER_H
#define FOG_MOSQUITTO_PEER_H

#include <mosquitto.h>
#include <mqtt_protocol.h>

#include "loopback.h"
#include "packets.h"

/* What the client's callbacks were told. */
struct heard {
  int connected, disconnected, reason, flags, granted[4], grants, acked, left;
  char topic[64], payload[64];
  int len, qos, retained, messages;
  uint32_t expiry;
  char key[16], value[16];
};

struct peer {
  struct mosquitto *client;
  struct heard heard;
  int version, fd;
  char in[4096];
  size_t len, taken; /* what has come, and what of it the last packet was */
};

static inline void on_connect(struct mosquitto *m, void *user, int reason, int flags, const mosquitto_property *p) {
  struct heard *h = user;
  (void)m;
  (void)p;
  h->connected++;
  h->reason = reason;
  h->flags = flags;
}

static inline void on_message(struct mosquitto *m, void *user, const struct mosquitto_message *msg,
                              const mosquitto_property *properties) {
  struct heard *h = user;
  char *key = NULL, *value = NULL;
  (void)m;
  h->messages++;
  snprintf(h->topic, sizeof h->topic, "%s", msg->topic);
  h->len = msg->payloadlen;
  if (h->len > 0) memcpy(h->payload, msg->payload, (size_t)h->len);
  h->qos = msg->qos;
  h->retained = msg->retain;
  h->expiry = 0;
  (void)mosquitto_property_read_int32(properties, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, &h->expiry, false);
  if (mosquitto_property_read_string_pair(properties, MQTT_PROP_USER_PROPERTY, &key, &value, false) != NULL) {
    snprintf(h->key, sizeof h->key, "%s", key);
    snprintf(h->value, sizeof h->value, "%s", value);
  }
  free(key);
  free(value);
}

static inline void on_subscribe(struct mosquitto *m, void *user, int id, int count, const int *granted,
                                const mosquitto_property *p) {
  struct heard *h = user;
  (void)m;
  (void)id;
  (void)p;
  h->grants = count;
  for (int i = 0; i < count && i < 4; i++) h->granted[i] = granted[i];
}

static inline void on_publish(struct mosquitto *m, void *user, int id, int reason, const mosquitto_property *p) {
  struct heard *h = user;
  (void)m;
  (void)id;
  (void)p;
  h->acked++;
  h->reason = reason;
}

static inline void on_unsubscribe(struct mosquitto *m, void *user, int id, const mosquitto_property *p) {
  (void)m;
  (void)id;
  (void)p;
  ((struct heard *)user)->left++;
}

static inline void on_disconnect(struct mosquitto *m, void *user, int reason, const mosquitto_property *p) {
  (void)m;
  (void)p;
  ((struct heard *)user)->disconnected++;
  ((struct heard *)user)->reason = reason;
}

/* The packet that the client sends next; false: none comes, or it is none. The same bytes come out of our encoder. */
static inline bool next(struct peer *peer, struct fog_packet *p) {
  struct fog_packet_fault fault;
  struct fog_filter list[4];
  char again[1024];
  memmove(peer->in, peer->in + peer->taken, peer->len -= peer->taken);
  peer->taken = 0;
  for (int turn = 0; turn < 500; turn++) {
    int64_t whole = fog_packet_length(peer->in, peer->len);
    if (whole > 0 && (size_t)whole <= peer->len) {
      peer->taken = (size_t)whole;
      break;
    }
    if (peer->client != NULL) (void)mosquitto_loop(peer->client, 0, 1);
    ssize_t n = recv(peer->fd, peer->in + peer->len, sizeof peer->in - peer->len, MSG_DONTWAIT);
    if (n > 0) peer->len += (size_t)n;
    if (n < 0) (void)usleep(1000);
  }
  if (peer->taken == 0 || !fog_packet_decode(peer->version, FOG_FROM_CLIENT, peer->in, peer->taken, p, &fault))
    return false;
  struct fog_bytes rest = p->filters;
  for (p->list = list; p->list_len < 4; p->list_len++)
    if (!fog_packet_next_filter(peer->version, p->type, &rest, &list[p->list_len])) break;
  size_t n = fog_packet_encode(peer->version, p, again, sizeof again);
  p->list = NULL;
  return n == peer->taken && memcmp(again, peer->in, n) == 0;
}

static inline void tell(struct peer *peer, struct fog_packet p) {
  char wire[1024];
  size_t n = fog_packet_encode(peer->version, &p, wire, sizeof wire);
  if (n == 0 || send(peer->fd, wire, n, MSG_NOSIGNAL) != (ssize_t)n) printf("# nothing was sent\n");
}

/* Has the client read what was told: until it has heard it, for 5 s at most. */
static inline bool until(struct peer *peer, const int *count, int many) {
  for (int turn = 0; turn < 500 && *count < many; turn++) (void)mosquitto_loop(peer->client, 10, 1);
  return *count >= many;
}

static inline void open_peer(struct peer *peer, int version) {
  int port, listener = listen_somewhere(&port);
  memset(peer, 0, sizeof *peer);
  peer->version = version;
  peer->client = mosquitto_new("client", true, &peer->heard);
  (void)mosquitto_int_option(peer->client, MOSQ_OPT_PROTOCOL_VERSION, version);
  mosquitto_connect_v5_callback_set(peer->client, on_connect);
  mosquitto_message_v5_callback_set(peer->client, on_message);
  mosquitto_subscribe_v5_callback_set(peer->client, on_subscribe);
  mosquitto_unsubscribe_v5_callback_set(peer->client, on_unsubscribe);
  mosquitto_publish_v5_callback_set(peer->client, on_publish);
  mosquitto_disconnect_v5_callback_set(peer->client, on_disconnect);
  (void)mosquitto_username_pw_set(peer->client, "me", "secret");
  mosquitto_property *expiry = NULL, *delay = NULL;
  if (version == FOG_MQTT_5) {
    (void)mosquitto_property_add_int32(&expiry, MQTT_PROP_SESSION_EXPIRY_INTERVAL, 0xFFFFFFFF);
    (void)mosquitto_property_add_int32(&delay, MQTT_PROP_WILL_DELAY_INTERVAL, 7);
  }
  (void)mosquitto_will_set_v5(peer->client, "w", 4, "gone", 2, true, delay);
  (void)mosquitto_connect_bind_v5(peer->client, "127.0.0.1", port, 60, NULL, expiry);
  mosquitto_property_free_all(&expiry);
  peer->fd = accept(listener, NULL, NULL);
  (void)close(listener);
}

static inline void close_peer(struct peer *peer) {
  mosquitto_destroy(peer->client);
  (void)close(peer->fd);
}

#endif

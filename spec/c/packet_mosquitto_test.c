/* SPDX-License-Identifier: MIT
 *
 * The codec beside libmosquitto's: its client takes us for its broker. What it sends is read, with the facts that it
 * was asked to send, and written again as the same bytes; what we write it reads, with the facts that we gave. And what
 * it refuses of a broker's packets we refuse too: we are the stricter of the two.
 */
#include <sys/wait.h>

#include "mosquitto_peer.h"
#include "packet_forms.h"
#include "packet_samples.h"

static void say(const struct peer *peer, bool fine, const char *what) {
  char text[120];
  snprintf(text, sizeof text, "%s, %s", what, peer->version == FOG_MQTT_5 ? "5.0" : "3.1.1");
  check(fine, text);
}

static struct fog_bytes only_5(const struct peer *peer, struct fog_bytes block) {
  return peer->version == FOG_MQTT_5 ? block : (struct fog_bytes){NULL, 0};
}

static void connects(struct peer *peer) {
  const struct fog_connect_facts want = {.clean = true,
                                         .keepalive_s = 60,
                                         .client_id = B("client"),
                                         .username = B("me"),
                                         .password = B("secret"),
                                         .will_topic = B("w"),
                                         .will_payload = B("gone"),
                                         .will_properties = only_5(peer, (struct fog_bytes)B("\x18\0\0\0\7")),
                                         .will_qos = 2,
                                         .will_retained = true};
  struct fog_packet p;
  bool fine = next(peer, &p) && p.type == FOG_CONNECT && same_connect(&p.connect, &want);
  /* It adds a Receive Maximum of its own. */
  struct fog_property expiry;
  if (peer->version == FOG_MQTT_5)
    fine &= fog_properties_find(p.properties, 17, &expiry) && expiry.number == 0xFFFFFFFF;
  say(peer, fine, "its CONNECT is read");
  tell(peer,
       (struct fog_packet){.type = FOG_CONNACK,
                           .session_present = true,
                           .properties = only_5(peer, (struct fog_bytes)B("\x21\0\x14\x22\0\x0a\x26\0\1k\0\1v"))});
  fine = until(peer, &peer->heard.connected, 1) && peer->heard.reason == 0 && peer->heard.flags == 1;
  say(peer, fine, "our CONNACK is read");
}

static void subscribes(struct peer *peer) {
  char *filters[] = {"a/+", "#"};
  int id = 0;
  (void)mosquitto_subscribe_multiple(peer->client, &id, 2, filters, 1, 0, NULL);
  struct fog_packet p;
  bool fine = next(peer, &p) && p.type == FOG_SUBSCRIBE && p.id == id;
  static const struct fog_filter WANT[] = {{.filter = B("a/+"), .qos = 1}, {.filter = B("#"), .qos = 1}};
  struct fog_packet want = {.list = WANT, .list_len = 2};
  say(peer, fine && same_filters(peer->version, &p, &want), "its SUBSCRIBE is read");
  tell(peer, (struct fog_packet){.type = FOG_SUBACK, .id = (uint16_t)id, .codes = B("\x01\x80")});
  fine = until(peer, &peer->heard.grants, 2) && peer->heard.granted[0] == 1 && peer->heard.granted[1] == 0x80;
  say(peer, fine, "our SUBACK is read");
  (void)mosquitto_unsubscribe(peer->client, &id, "a/+");
  fine = next(peer, &p) && p.type == FOG_UNSUBSCRIBE && p.id == id;
  static const struct fog_filter NAME[] = {{.filter = B("a/+")}};
  want = (struct fog_packet){.list = NAME, .list_len = 1};
  say(peer, fine && same_filters(peer->version, &p, &want), "its UNSUBSCRIBE is read");
  tell(peer, (struct fog_packet){
                 .type = FOG_UNSUBACK, .id = (uint16_t)id, .codes = only_5(peer, (struct fog_bytes)B("\x11"))});
  say(peer, until(peer, &peer->heard.left, 1), "our UNSUBACK is read");
}

static void publishes(struct peer *peer, int qos) {
  mosquitto_property *properties = NULL;
  int id = 0, before = peer->heard.acked;
  if (peer->version == FOG_MQTT_5)
    (void)mosquitto_property_add_int32(&properties, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, 3000000000);
  (void)mosquitto_publish_v5(peer->client, &id, "t/\xc3\xa9", 3, "a\0b", qos, qos == 1, properties);
  mosquitto_property_free_all(&properties);
  struct fog_packet p, want = {.type = FOG_PUBLISH,
                               .id = (uint16_t)(qos > 0 ? id : 0),
                               .qos = (uint8_t)qos,
                               .retained = qos == 1,
                               .topic = B("t/\xc3\xa9"),
                               .payload = B("a\0b"),
                               .properties = only_5(peer, (struct fog_bytes)B("\x02\xb2\xd0\x5e\x00"))};
  bool fine = next(peer, &p) && same_facts(peer->version, &p, &want);
  if (qos == 1) tell(peer, (struct fog_packet){.type = FOG_PUBACK, .id = p.id});
  if (qos == 2) {
    tell(peer, (struct fog_packet){.type = FOG_PUBREC, .id = p.id});
    fine &= next(peer, &p) && p.type == FOG_PUBREL && p.id == id && p.reason == 0;
    tell(peer, (struct fog_packet){.type = FOG_PUBCOMP, .id = p.id});
  }
  char what[60];
  snprintf(what, sizeof what, "its PUBLISH of QoS %d and what follows", qos);
  say(peer, fine && until(peer, &peer->heard.acked, before + 1) && peer->heard.reason == 0, what);
}

static void receives(struct peer *peer, int qos) {
  const struct heard *h = &peer->heard;
  int before = h->messages;
  bool fine = true, five = peer->version == FOG_MQTT_5;
  struct fog_packet p = {.type = FOG_PUBLISH,
                         .id = (uint16_t)(qos > 0 ? 65535 : 0),
                         .qos = (uint8_t)qos,
                         .dup = qos == 1,
                         .retained = qos == 0,
                         .topic = B("t/\xc3\xa9"),
                         .payload = B("a\0b"),
                         .properties = only_5(peer, (struct fog_bytes)B("\x02\xb2\xd0\x5e\x00\x26\0\1k\0\2vv"))};
  tell(peer, p);
  if (qos == 1) fine = next(peer, &p) && p.type == FOG_PUBACK && p.id == 65535;
  if (qos == 2) {
    fine = next(peer, &p) && p.type == FOG_PUBREC && p.id == 65535;
    tell(peer, (struct fog_packet){.type = FOG_PUBREL, .id = 65535});
    fine &= next(peer, &p) && p.type == FOG_PUBCOMP && p.id == 65535;
  }
  fine &= until(peer, &h->messages, before + 1) && strcmp(h->topic, "t/\xc3\xa9") == 0 && h->len == 3 &&
          memcmp(h->payload, "a\0b", 3) == 0 && h->qos == qos && h->retained == (qos == 0);
  if (five) fine &= h->expiry == 3000000000 && strcmp(h->key, "k") == 0 && strcmp(h->value, "vv") == 0;
  char what[60];
  snprintf(what, sizeof what, "our PUBLISH of QoS %d and what follows", qos);
  say(peer, fine, what);
}

static void talk(int version) {
  struct peer peer;
  struct fog_packet p;
  open_peer(&peer, version);
  connects(&peer);
  subscribes(&peer);
  for (int qos = 0; qos <= 2; qos++) publishes(&peer, qos);
  for (int qos = 0; qos <= 2; qos++) receives(&peer, qos);
  (void)mosquitto_disconnect_v5(peer.client, version == FOG_MQTT_5 ? 4 : 0, NULL);
  bool fine = next(&peer, &p) && p.type == FOG_DISCONNECT && p.reason == (version == FOG_MQTT_5 ? 4 : 0);
  say(&peer, fine, "its DISCONNECT is read");
  close_peer(&peer);
}

/* In a child, which exits with 0 where libmosquitto goes on. */
static void read_as_client(int version, const struct exact *wire) {
  struct peer peer;
  struct fog_packet p;
  open_peer(&peer, version);
  bool fine = next(&peer, &p);
  if ((unsigned char)wire->data[0] >> 4 != FOG_CONNACK) {
    tell(&peer, (struct fog_packet){.type = FOG_CONNACK});
    fine &= until(&peer, &peer.heard.connected, 1);
  }
  if (!fine || send(peer.fd, wire->data, wire->len, MSG_NOSIGNAL) != (ssize_t)wire->len) _exit(2);
  int rc = MOSQ_ERR_SUCCESS;
  for (int turn = 0; turn < 4 && rc == MOSQ_ERR_SUCCESS; turn++) rc = mosquitto_loop_read(peer.client, 1);
  _exit(rc == MOSQ_ERR_SUCCESS ? 0 : 1);
}

/* What libmosquitto makes of a broker's bytes: false where it gives the link up, or itself: 2.0.11 aborts at a property
 * that it does not know. */
static bool it_takes(int version, const struct exact *wire) {
  int status;
  (void)fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    (void)close(STDERR_FILENO);
    read_as_client(version, wire);
  }
  (void)waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 2) check(false, "the bytes were handed over");
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* What it refuses for a reason that is not in the bytes: a DISCONNECT and a refusing CONNACK end the link by what they
 * say, AUTH and topic aliases it has not asked for. 2.0.11 does not know that subscription identifiers may repeat
 * [MQTT-3.3.4-4]. And 2.0.21 refuses a response topic with wildcards, which binds the client that sends it
 * [MQTT-3.3.2-14], and codes of failure that the specification does not list for an acknowledgement: we take both. */
static bool refused_by_itself(const struct fog_packet *p) {
  struct fog_property found;
  if (p->type == FOG_PUBLISH) {
    bool wild = fog_properties_find(p->properties, 8, &found) &&
                (memchr(found.text, '#', found.text_len) != NULL || memchr(found.text, '+', found.text_len) != NULL);
    return wild || p->topic.len == 0 || fog_properties_find(p->properties, 11, &found);
  }
  if (p->type >= FOG_PUBACK && p->type <= FOG_PUBCOMP) return p->reason >= 0x80;
  return p->type == FOG_DISCONNECT || p->type == FOG_AUTH || (p->type == FOG_CONNACK && p->reason != FOG_SUCCESS);
}

/* False where we take what it refuses; *looser counts what it takes and we refuse. */
static bool no_looser(int version, const struct exact *wire, int *looser) {
  struct fog_packet p;
  struct fog_packet_fault fault;
  bool ours = fog_packet_decode(version, FOG_FROM_BROKER, wire->data, wire->len, &p, &fault);
  bool theirs = it_takes(version, wire);
  *looser += theirs && !ours;
  return theirs || !ours || refused_by_itself(&p);
}

static void forms(void) {
  bool fine = true;
  int looser = 0;
  for (size_t i = 0; i < FORM_COUNT; i++) {
    if (FORMS[i].from == FOG_FROM_CLIENT) continue;
    struct exact wire = from_text(FORMS[i].wire);
    if (!no_looser(FORMS[i].version, &wire, &looser)) {
      printf("# %s\n", FORMS[i].name);
      fine = false;
    }
    free(wire.data);
  }
  check(fine, "what libmosquitto refuses of a broker's malformed packets we refuse");
  printf("# it takes %d that we refuse\n", looser);
}

/* A byte of each sample changed in several ways, the same ones in every run. (None of them puts a control character
 * into a text: 1.5.4 leaves those to the receiver, libmosquitto refuses them, and we take them.) */
static void changed(void) {
  unsigned seed = 16;
  bool fine = true;
  int looser = 0;
  for (int round = 0; round < 8; round++) {
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
      if (SAMPLES[i].from == FOG_FROM_CLIENT) continue;
      struct exact wire = from_text(SAMPLES[i].wire);
      if (round > 0) {
        seed = seed * 1103515245u + 12345u;
        wire.data[seed / 65536 % wire.len] = (char)(seed >> 8);
      }
      if (fog_packet_length(wire.data, wire.len) == (int64_t)wire.len &&
          !no_looser(SAMPLES[i].version, &wire, &looser)) {
        printf("# %s, round %d:", SAMPLES[i].name, round);
        for (size_t k = 0; k < wire.len; k++) printf(" %02x", (unsigned char)wire.data[k]);
        printf("\n");
        fine = false;
      }
      free(wire.data);
    }
  }
  check(fine, "nor do we take another packet that it refuses");
  printf("# it takes %d that we refuse\n", looser);
}

int main(void) {
  (void)mosquitto_lib_init();
  talk(FOG_MQTT_3);
  talk(FOG_MQTT_5);
  forms();
  changed();
  (void)mosquitto_lib_cleanup();
  return finish();
}

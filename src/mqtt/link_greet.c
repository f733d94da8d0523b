/* SPDX-License-Identifier: MIT
 *
 * CONNECT and CONNACK: what is said when a link begins, and what follows from it for the link.
 */
#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "properties.h"

enum {
  ASSIGNED_CLIENT_IDENTIFIER = 18,
  SERVER_KEEP_ALIVE = 19,
  RECEIVE_MAXIMUM = 33,
  TOPIC_ALIAS_MAXIMUM = 34,
  MAXIMUM_QOS = 36,
  RETAIN_AVAILABLE = 37,
  MAXIMUM_PACKET_SIZE = 39
};

static struct fog_bytes text_of(const char *text) { return (struct fog_bytes){text, text == NULL ? 0 : strlen(text)}; }

void fog_link_greet(struct fog_link *link) {
  const struct fog_link_options *o = link->options;
  struct fog_packet p = {.type = FOG_CONNECT,
                         .properties = {o->properties, o->properties_len},
                         .connect = {.clean = o->clean,
                                     .keepalive_s = (uint16_t)o->keepalive_s,
                                     .client_id = {o->client_id == NULL ? "" : o->client_id,
                                                   o->client_id == NULL ? 0 : strlen(o->client_id)},
                                     .username = text_of(o->username),
                                     .password = {o->password, o->password_len}}};
  if (o->will.topic != NULL) {
    p.connect.will_topic = text_of(o->will.topic);
    p.connect.will_payload = (struct fog_bytes){o->will.payload, o->will.payload_len};
    p.connect.will_properties = (struct fog_bytes){o->will.properties, o->will.properties_len};
    p.connect.will_qos = (uint8_t)o->will.qos;
    p.connect.will_retained = o->will.retained;
  }
  const char *why = NULL;
  size_t size = fog_packet_size(o->version, &p, &why);
  if (size == 0) {
    fog_link_down(link, &(struct fog_loss){.kind = "local", .text = why});
    return;
  }
  if (fog_link_append(link, &p)) fog_link_flush(link);
}

/* A broker that knows no MQTT 5 may answer with the CONNACK of 3.1.1 (traps: B8): two bytes, and no properties. */
static bool is_old_connack(const char *bytes, size_t len) {
  return len == 4 && (unsigned char)bytes[0] == FOG_CONNACK << 4 && bytes[1] == 2;
}

bool fog_link_decode(struct fog_link *link, const char *bytes, size_t len, struct fog_packet *p,
                     struct fog_packet_fault *fault) {
  int version = link->options->version;
  uint32_t most = link->options->maximum_packet_size;
  if (most > 0 && len > most) {
    *fault = (struct fog_packet_fault){FOG_PACKET_TOO_LARGE, "larger than the Maximum Packet Size that was asked for"};
    return false;
  }
  if (link->state == FOG_GREETING && is_old_connack(bytes, len)) {
    if (version == FOG_MQTT_5 && bytes[3] == 0) {
      *fault = (struct fog_packet_fault){FOG_PROTOCOL_ERROR, "it is one of MQTT 3.1.1"};
      return false;
    }
    version = FOG_MQTT_3;
  }
  return fog_packet_decode(version, FOG_FROM_BROKER, bytes, len, p, fault);
}

static uint32_t number(struct fog_bytes properties, int id, uint32_t otherwise) {
  struct fog_property p;
  return properties.len > 0 && fog_properties_find(properties, id, &p) ? p.number : otherwise;
}

static struct fog_broker_limits limits_of(struct fog_bytes properties) {
  return (struct fog_broker_limits){
      .receive_maximum = (uint16_t)number(properties, RECEIVE_MAXIMUM, 65535),
      .maximum_qos = (uint8_t)number(properties, MAXIMUM_QOS, 2),
      .retain_available = number(properties, RETAIN_AVAILABLE, 1) != 0,
      .maximum_packet_size = number(properties, MAXIMUM_PACKET_SIZE, 0),
      .topic_alias_maximum = (uint16_t)number(properties, TOPIC_ALIAS_MAXIMUM, 0),
  };
}

static bool same(const char *a, const char *b) { return a != NULL && b != NULL && strcmp(a, b) == 0; }

/* Whether the state that we have belongs to the session that the broker says it has. What was sent to be forgotten, or
 * under another client id, does not. */
static bool continues(const struct fog_link *link, bool present) {
  return present && (link->client_id == NULL || same(link->client_id, link->options->client_id));
}

/* Whose session it is from now on: the id that we gave, or that the broker did (MQTT 5.0, 3.2.2.3.7). */
static bool remember(struct fog_link *link, struct fog_bytes properties) {
  struct fog_property assigned;
  const char *id = link->options->client_id;
  struct fog_bytes name = text_of(id);
  if (name.len == 0 && properties.len > 0 && fog_properties_find(properties, ASSIGNED_CLIENT_IDENTIFIER, &assigned))
    name = (struct fog_bytes){assigned.text, assigned.text_len};
  char *copy = strndup(name.data == NULL ? "" : name.data, name.len);
  if (copy == NULL) return false;
  if (!same(link->client_id, copy)) fog_kept_set_client(&link->kept, copy);
  free(link->client_id);
  link->client_id = copy;
  return true;
}

static void refused(struct fog_link *link, const struct fog_packet *p) {
  int code = p->reason;
  fog_link_down(link, &(struct fog_loss){.code = code, .properties = p->properties});
}

static void greeted(struct fog_link *link, const struct fog_packet *p) {
  struct fog_report report = {.link = link->options->number,
                              .code = link->options->version,
                              .flag = p->session_present,
                              .properties = p->properties};
  struct fog_event *up = link->options->up;
  link->state = FOG_UP;
  link->options->up = NULL;
  link->received_ms = link->written_ms = fog_loop_now(link->loop);
  if (link->keepalive_ms > 0)
    (void)fog_loop_set_timer(link->loop, &link->timer, link->received_ms + link->keepalive_ms);
  else
    fog_loop_clear_timer(link->loop, &link->timer);
  atomic_store(&link->session->up, link->options->number);
  fog_session_report_up(link->session, up, &report);
}

enum fog_step fog_link_connack(struct fog_link *link, const struct fog_packet *p, struct fog_packet_fault *fault) {
  const struct fog_link_options *o = link->options;
  if (p->reason != 0) {
    refused(link, p);
    return FOG_STEP_ON;
  }
  if (o->clean && p->session_present) { /* MQTT-3.2.2-2 (3.1.1), MQTT-3.2.2-4 (5.0) */
    *fault = (struct fog_packet_fault){FOG_PROTOCOL_ERROR, "it speaks of a session where a clean start was asked for"};
    return FOG_STEP_FAULT;
  }
  bool present = continues(link, p->session_present);
  struct fog_broker_limits limits = limits_of(p->properties);
  if (!remember(link, p->properties)) {
    *fault = (struct fog_packet_fault){FOG_UNSPECIFIED, "not enough memory"};
    return FOG_STEP_FAULT;
  }
  link->keepalive_ms = 1000 * (int64_t)number(p->properties, SERVER_KEEP_ALIVE, (uint32_t)o->keepalive_s);
  /* While reading rests, no answer can be read: then the system finds a dead peer. */
  fog_connection_user_timeout(link->connection, (unsigned)(link->keepalive_ms * 3 / 2));
  fog_outgoing_begin(&link->outgoing, o->version, present, &limits, o->quiet_ms > 0);
  fog_incoming_begin(&link->incoming, o->version, present, o->topic_alias_maximum, o->receive_maximum);
  greeted(link, p);
  if (o->quiet_ms == 0 || !fog_link_append(link, &(struct fog_packet){.type = FOG_PINGREQ})) return FOG_STEP_ON;
  link->pinged = true;
  link->proof = FOG_PROOF_FIRST;
  return FOG_STEP_ON;
}

/* SPDX-License-Identifier: MIT */
#include "packet_rules.h"
#include "properties.h"
#include "text.h"

static bool malformed(struct fog_packet_fault *fault, const char *text) {
  return fog_refuse(fault, FOG_MALFORMED_PACKET, text);
}

static bool against_protocol(struct fog_packet_fault *fault, const char *text) {
  return fog_refuse(fault, FOG_PROTOCOL_ERROR, text);
}

/* 3.1.1 has no properties: a block can only come from the side that encodes. */
static bool properties_fit(int version, enum fog_sender from, enum fog_packet_type type, struct fog_bytes block,
                           struct fog_packet_fault *fault) {
  if (block.len == 0) return true;
  if (version < FOG_MQTT_5) return malformed(fault, "properties, which MQTT 3.1.1 does not have");
  return fog_properties_check(type, from, block, fault);
}

/* 4.7: at least one character, no wildcards. */
static bool topic_fits(struct fog_bytes topic, struct fog_packet_fault *fault) {
  enum fog_text kind = fog_text_kind(topic);
  if (kind == FOG_TEXT_BAD) return malformed(fault, "the topic is not UTF-8");
  if (kind == FOG_TEXT_WILD) return fog_refuse(fault, FOG_TOPIC_NAME_INVALID, "the topic has wildcards");
  return topic.len > 0 || malformed(fault, "the topic is empty");
}

static bool publish_fits(int version, const struct fog_packet *p, struct fog_packet_fault *fault) {
  struct fog_property alias;
  if (p->qos > 2) return malformed(fault, "QoS 3");
  if (p->qos == 0 && p->dup) return malformed(fault, "DUP with QoS 0");
  if (p->qos > 0 && p->id == 0) return against_protocol(fault, "the packet id is 0");
  if (p->topic.len > 0 || version < FOG_MQTT_5) return topic_fits(p->topic, fault);
  return fog_properties_find(p->properties, FOG_TOPIC_ALIAS, &alias) ||
         against_protocol(fault, "neither a topic nor an alias");
}

static bool will_fits(int version, enum fog_sender from, const struct fog_connect_facts *c,
                      struct fog_packet_fault *fault) {
  if (c->will_topic.data == NULL) {
    bool none = c->will_qos == 0 && !c->will_retained && c->will_payload.len == 0 && c->will_properties.len == 0;
    return none || malformed(fault, "parts of a will without a will");
  }
  if (c->will_qos > 2) return malformed(fault, "a will with QoS 3");
  return topic_fits(c->will_topic, fault) && properties_fit(version, from, FOG_WILL, c->will_properties, fault);
}

static bool connect_fits(int version, enum fog_sender from, const struct fog_packet *p,
                         struct fog_packet_fault *fault) {
  const struct fog_connect_facts *c = &p->connect;
  if (!fog_text_valid(c->client_id)) return malformed(fault, "the client id is not UTF-8");
  if (c->username.data != NULL && !fog_text_valid(c->username)) return malformed(fault, "the username is not UTF-8");
  if (version < FOG_MQTT_5) {
    if (c->client_id.len == 0 && !c->clean)
      return fog_refuse(fault, FOG_CLIENT_ID_INVALID, "an empty client id without a clean session");
    if (c->password.data != NULL && c->username.data == NULL) return malformed(fault, "a password without a username");
  }
  return will_fits(version, from, c, fault);
}

static bool connack_fits(const struct fog_packet *p, struct fog_packet_fault *fault) {
  return !p->session_present || p->reason == FOG_SUCCESS || against_protocol(fault, "a session present in a refusal");
}

/* 3.15.2.2.2: the method stands in each, but for a success that was cut down to nothing (3.15.2.1). */
static bool auth_fits(const struct fog_packet *p, struct fog_packet_fault *fault) {
  return p->reason == FOG_SUCCESS || p->properties.len > 0 || against_protocol(fault, "no authentication method");
}

static bool codes_fit(int version, enum fog_sender from, const struct fog_packet *p, struct fog_packet_fault *fault) {
  if (p->type == FOG_UNSUBACK && version < FOG_MQTT_5)
    return p->codes.len == 0 || malformed(fault, "codes, which an UNSUBACK of MQTT 3.1.1 does not have");
  if (p->codes.len == 0) return against_protocol(fault, "no reason code");
  for (size_t i = 0; i < p->codes.len; i++) {
    if (!fog_reason_fits(version, from, p->type, (uint8_t)p->codes.data[i]))
      return against_protocol(fault, "a reason code that this packet cannot have");
  }
  return true;
}

static bool facts_fit(int version, enum fog_sender from, const struct fog_packet *p, struct fog_packet_fault *fault) {
  switch (p->type) {
    case FOG_CONNECT:
      return connect_fits(version, from, p, fault);
    case FOG_CONNACK:
      return connack_fits(p, fault);
    case FOG_PUBLISH:
      return publish_fits(version, p, fault);
    case FOG_SUBACK:
    case FOG_UNSUBACK:
      return codes_fit(version, from, p, fault);
    case FOG_AUTH:
      return auth_fits(p, fault);
    default:
      return true;
  }
}

static bool has_reason(enum fog_packet_type type) {
  return type == FOG_CONNACK || (type >= FOG_PUBACK && type <= FOG_PUBCOMP) || type >= FOG_DISCONNECT;
}

bool fog_packet_check(int version, enum fog_sender from, const struct fog_packet *p, struct fog_packet_fault *fault) {
  const struct fog_packet_rule *rule = fog_packet_rule(p->type);
  if (rule == NULL || (p->type == FOG_AUTH && version < FOG_MQTT_5)) return malformed(fault, "a reserved type");
  if (rule->has_id && p->id == 0) return against_protocol(fault, "the packet id is 0");
  if (has_reason(p->type) && !fog_reason_fits(version, from, p->type, p->reason))
    return against_protocol(fault, "a reason code that this packet cannot have");
  return properties_fit(version, from, p->type, p->properties, fault) && facts_fit(version, from, p, fault);
}

bool fog_packet_check_filter(int version, enum fog_packet_type type, const struct fog_filter *f,
                             struct fog_packet_fault *fault) {
  bool shared = version >= FOG_MQTT_5 && fog_filter_shared(f->filter);
  if (!fog_text_valid(f->filter)) return malformed(fault, "a filter is not UTF-8");
  if (!fog_filter_valid(f->filter, shared))
    return fog_refuse(fault, FOG_TOPIC_FILTER_INVALID, "a filter is empty or has wildcards where none may stand");
  if (type != FOG_SUBSCRIBE) return true;
  if (f->qos > 2) return against_protocol(fault, "a filter with QoS 3");
  if (version < FOG_MQTT_5) {
    bool plain = !f->no_local && !f->retain_as_published && f->retain_handling == 0;
    return plain || malformed(fault, "options that MQTT 3.1.1 does not have");
  }
  if (f->retain_handling > 2) return against_protocol(fault, "retain handling 3");
  if (f->no_local && shared) return against_protocol(fault, "no local on a shared subscription");
  return true;
}

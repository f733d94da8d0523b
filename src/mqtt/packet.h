/* SPDX-License-Identifier: MIT
 *
 * The packets of MQTT 3.1.1 and 5.0 as facts, and the way from bytes to facts and back. Pure: no socket, no state, no
 * allocation. Both directions of every packet, so that tests can play the broker.
 *
 * One packet is one struct fog_packet: `type` says which of its fields mean something. Texts and blocks of properties
 * are slices of the bytes that were decoded, or of whatever the encoder was given. Properties travel as the block that
 * stands on the wire without its length (properties.h reads and writes it).
 */
#ifndef FOG_PACKET_H
#define FOG_PACKET_H

#include <stdbool.h>

#include "bytes.h"

enum fog_packet_type {
  FOG_WILL = 0, /* no packet: the will's block of properties in a CONNECT */
  FOG_CONNECT,
  FOG_CONNACK,
  FOG_PUBLISH,
  FOG_PUBACK,
  FOG_PUBREC,
  FOG_PUBREL,
  FOG_PUBCOMP,
  FOG_SUBSCRIBE,
  FOG_SUBACK,
  FOG_UNSUBSCRIBE,
  FOG_UNSUBACK,
  FOG_PINGREQ,
  FOG_PINGRESP,
  FOG_DISCONNECT,
  FOG_AUTH
};

/* The reason codes that this code names itself (MQTT 5.0, 2.4). */
enum fog_reason {
  FOG_SUCCESS = 0x00,
  FOG_DISCONNECT_WITH_WILL = 0x04,
  FOG_NO_MATCHING_SUBSCRIBERS = 0x10,
  FOG_CONTINUE_AUTHENTICATION = 0x18,
  FOG_REAUTHENTICATE = 0x19,
  FOG_UNSPECIFIED = 0x80,
  FOG_MALFORMED_PACKET = 0x81,
  FOG_PROTOCOL_ERROR = 0x82,
  FOG_UNSUPPORTED_PROTOCOL_VERSION = 0x84,
  FOG_CLIENT_ID_INVALID = 0x85,
  FOG_TOPIC_FILTER_INVALID = 0x8F,
  FOG_TOPIC_NAME_INVALID = 0x90,
  FOG_PACKET_ID_NOT_FOUND = 0x92,
  FOG_RECEIVE_MAXIMUM_EXCEEDED = 0x93,
  FOG_TOPIC_ALIAS_INVALID = 0x94,
  FOG_PACKET_TOO_LARGE = 0x95,
  FOG_RETAIN_NOT_SUPPORTED = 0x9A,
  FOG_QOS_NOT_SUPPORTED = 0x9B
};

enum { FOG_MQTT_3 = 4, FOG_MQTT_5 = 5 };             /* the protocol levels */
enum { FOG_MAX_REMAINING = 268435455 };              /* 2.1.4 (5.0), 2.2.3 (3.1.1) */
enum { FOG_MAX_TEXT = 65535, FOG_PUBLISH_HEAD = 5 }; /* the longest fixed header */

/* One filter of SUBSCRIBE or UNSUBSCRIBE. In UNSUBSCRIBE only `filter` means something; in 3.1.1 only `qos` beside it.
 */
struct fog_filter {
  struct fog_bytes filter;
  uint8_t qos;
  bool no_local, retain_as_published;
  uint8_t retain_handling; /* 0 to 2 */
};

struct fog_connect_facts {
  bool clean;
  uint16_t keepalive_s;
  struct fog_bytes client_id;  /* may be empty */
  struct fog_bytes username;   /* data NULL: none */
  struct fog_bytes password;   /* data NULL: none; any bytes. In 3.1.1 not without a username */
  struct fog_bytes will_topic; /* data NULL: no will */
  struct fog_bytes will_payload, will_properties;
  uint8_t will_qos;
  bool will_retained;
};

struct fog_packet {
  enum fog_packet_type type;
  uint16_t id;                   /* PUBLISH with QoS 1 or 2, PUBACK to PUBCOMP, SUBSCRIBE to UNSUBACK: 1 to 65535 */
  uint8_t qos;                   /* PUBLISH */
  bool dup, retained;            /* PUBLISH */
  bool session_present;          /* CONNACK */
  uint8_t reason;                /* CONNACK (the return code in 3.1.1), PUBACK to PUBCOMP, DISCONNECT, AUTH; 0 where it
                                    was left out, as the specification says */
  struct fog_bytes topic;        /* PUBLISH; empty with a topic alias */
  struct fog_bytes payload;      /* PUBLISH */
  struct fog_bytes properties;   /* 5.0: every packet but PINGREQ and PINGRESP; empty where there are none */
  struct fog_bytes codes;        /* SUBACK, UNSUBACK (5.0): a reason code per filter */
  struct fog_bytes filters;      /* decoded SUBSCRIBE and UNSUBSCRIBE: for fog_packet_next_filter */
  const struct fog_filter *list; /* encoded SUBSCRIBE and UNSUBSCRIBE: list_len of them, at least one */
  size_t list_len;
  struct fog_connect_facts connect; /* CONNECT; in any other packet the decoder leaves it as it was */
};

/* Whose packets are expected: a client must not get a CONNECT, a broker no CONNACK. FOG_ANYBODY takes all. */
enum fog_sender { FOG_FROM_BROKER, FOG_FROM_CLIENT, FOG_ANYBODY };

/* What is wrong with a packet: the reason code that the specification names, and why in words (static text). */
struct fog_packet_fault {
  enum fog_reason reason;
  const char *text;
};

static inline bool fog_refuse(struct fog_packet_fault *fault, enum fog_reason reason, const char *text) {
  *fault = (struct fog_packet_fault){reason, text};
  return false;
}

/* How many bytes the packet at the beginning of `bytes` takes, its fixed header included.
 * > 0: so many, whether they are all there or not; 0: more bytes are needed to tell; -1: the length is malformed (more
 * than four bytes). One that is not in its shortest form, which 5.0 asks for, is fog_packet_decode's to refuse. */
int64_t fog_packet_length(const char *bytes, size_t len);

/* Reads one whole packet of `len` bytes (fog_packet_length). False: *fault says why, and the link must end with that
 * reason. Checks everything that the specification calls malformed or a protocol error of one packet by itself: flags,
 * lengths, UTF-8, packet ids, topic names, which property may stand where and how often, values of properties and
 * reason codes. What depends on the state of the session (an alias that is not known, a packet id that is not) is the
 * caller's. A PUBLISH costs no more than one walk over its topic and properties. After a refusal the facts that were
 * read before it stand in *p. A CONNACK of 3.1.1 that refuses the version, where 5.0 was asked for, is refused with
 * FOG_UNSUPPORTED_PROTOCOL_VERSION. */
bool fog_packet_decode(int version, enum fog_sender from, const char *bytes, size_t len, struct fog_packet *p,
                       struct fog_packet_fault *fault);

/* The next filter of a decoded SUBSCRIBE or UNSUBSCRIBE: moves *rest on (begin with p->filters). False at the end. */
bool fog_packet_next_filter(int version, enum fog_packet_type type, struct fog_bytes *rest, struct fog_filter *filter);

/* The bytes that p takes on the wire; 0: it cannot be sent (a text over 65,535 bytes, more than FOG_MAX_REMAINING, a
 * packet id of 0, …), *why (may be NULL) then says it in words (static text). */
size_t fog_packet_size(int version, const struct fog_packet *p, const char **why);

/* Writes p whole, or without the payload of a PUBLISH (fog_packet_encode_head), which then follows by itself. Returns
 * the bytes written; 0: `capacity` is too small, or fog_packet_size gives 0; nothing is written then. */
size_t fog_packet_encode(int version, const struct fog_packet *p, char *to, size_t capacity);
size_t fog_packet_encode_head(int version, const struct fog_packet *p, char *to, size_t capacity);

/* The name of a type ("PUBLISH"), for errors. Static text. */
const char *fog_packet_name(enum fog_packet_type type);

#endif

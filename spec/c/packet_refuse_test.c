/* SPDX-License-Identifier: MIT
 *
 * Every malformed form and protocol error of a single packet that MQTT 3.1.1 and 5.0 name: refused, with the reason
 * code of 5.0 for it. Beside each stands its neighbour that is taken, where there is one.
 *
 * link: src/mqtt/packet*.c src/mqtt/properties.c src/mqtt/text.c
 */
#include "packets.h"

enum { BROKER = FOG_FROM_BROKER, CLIENT = FOG_FROM_CLIENT, ANY = FOG_ANYBODY, TAKEN = FOG_SUCCESS };

/* clang-format off: a line for each */
static const struct {
  const char *name;
  int version, from, reason;
  const char *wire; /* as from_text reads it */
} CASES[] = {
    /* The fixed header */
    {"packet type 0", 4, ANY, 0x81, "00 00"},
    {"packet type 0 of 5.0", 5, ANY, 0x81, "00 00"},
    {"packet type 15 in 3.1.1", 4, ANY, 0x81, "f0 00"},
    {"CONNECT with a reserved flag", 4, ANY, 0x81, "11 0c 0004'MQTT' 04 02 0000 0000"},
    {"CONNACK with a reserved flag in its header", 5, ANY, 0x81, "28 03 00 00 00"},
    {"PUBACK with a reserved flag", 5, ANY, 0x81, "42 02 0001"},
    {"PUBREC with a reserved flag", 5, ANY, 0x81, "54 02 0001"},
    {"PUBREL without its flag", 5, ANY, 0x81, "60 02 0001"},
    {"PUBREL without its flag in 3.1.1", 4, ANY, 0x81, "60 02 0001"},
    {"PUBREL with one flag more", 5, ANY, 0x81, "63 02 0001"},
    {"PUBCOMP with a reserved flag", 4, ANY, 0x81, "71 02 0001"},
    {"SUBSCRIBE without its flag", 5, ANY, 0x81, "80 07 0001 00 0001'a' 00"},
    {"SUBACK with a reserved flag", 5, ANY, 0x81, "92 04 0001 00 00"},
    {"UNSUBSCRIBE without its flag", 4, ANY, 0x81, "a0 05 0001 0001'a'"},
    {"UNSUBACK with a reserved flag", 4, ANY, 0x81, "b2 02 0001"},
    {"PINGREQ with a reserved flag", 4, ANY, 0x81, "c1 00"},
    {"PINGRESP with a reserved flag", 4, ANY, 0x81, "d8 00"},
    {"DISCONNECT with a reserved flag", 5, ANY, 0x81, "e1 00"},
    {"AUTH with a reserved flag", 5, ANY, 0x81, "f2 00"},
    {"a length of five bytes", 5, ANY, 0x81, "30 8080808001"},
    {"a length of five bytes in 3.1.1", 4, ANY, 0x81, "30 ffffffff7f"},
    {"a length that is not the shortest", 5, ANY, 0x81, "40 8200 0001"},
    {"a length of four bytes for 2", 5, ANY, 0x81, "40 82808000 0001"},
    {"a length that is not the shortest in 3.1.1, which allows it", 4, ANY, TAKEN, "40 82808000 0001"},
    {"a length beyond the bytes", 5, ANY, 0x81, "40 03 0001"},
    {"a length short of the bytes", 5, ANY, 0x81, "40 01 0001"},
    {"PINGREQ with a body", 4, ANY, 0x81, "c0 01 00"},
    {"PINGRESP with a body", 5, ANY, 0x81, "d0 01 00"},
    {"DISCONNECT of 3.1.1 with a body", 4, ANY, 0x81, "e0 01 00"},

    /* Whose packet it is */
    {"CONNECT from a broker", 5, BROKER, 0x82, "10 0d 0004'MQTT' 05 02 0000 00 0000"},
    {"CONNACK from a client", 5, CLIENT, 0x82, "20 03 00 00 00"},
    {"SUBSCRIBE from a broker", 5, BROKER, 0x82, "82 07 0001 00 0001'a' 00"},
    {"SUBACK from a client", 4, CLIENT, 0x82, "90 03 0001 00"},
    {"UNSUBSCRIBE from a broker", 4, BROKER, 0x82, "a2 05 0001 0001'a'"},
    {"UNSUBACK from a client", 4, CLIENT, 0x82, "b0 02 0001"},
    {"PINGREQ from a broker", 4, BROKER, 0x82, "c0 00"},
    {"PINGRESP from a client", 4, CLIENT, 0x82, "d0 00"},
    {"DISCONNECT from a broker of 3.1.1", 4, BROKER, 0x82, "e0 00"},
    {"DISCONNECT from a broker of 5.0", 5, BROKER, TAKEN, "e0 00"},

    /* CONNECT */
    {"CONNECT of another protocol", 4, CLIENT, 0x84, "10 0e 0006'MQIsdp' 03 02 0000 0000"},
    {"CONNECT of another version", 4, CLIENT, 0x84, "10 0d 0004'MQTT' 05 02 0000 00 0000"},
    {"CONNECT of a version to come", 5, CLIENT, 0x84, "10 0d 0004'MQTT' 06 02 0000 00 0000"},
    {"CONNECT with the reserved connect flag", 4, CLIENT, 0x81, "10 0c 0004'MQTT' 04 03 0000 0000"},
    {"a will of QoS 3", 5, CLIENT, 0x81, "10 13 0004'MQTT' 05 1e 0000 00 0000 00 0001'w' 0000"},
    {"will QoS without a will", 4, CLIENT, 0x81, "10 0c 0004'MQTT' 04 0a 0000 0000"},
    {"will retain without a will", 5, CLIENT, 0x81, "10 0d 0004'MQTT' 05 22 0000 00 0000"},
    {"a will without its topic", 5, CLIENT, 0x81, "10 0e 0004'MQTT' 05 06 0000 00 0000 00"},
    {"a will without its payload", 4, CLIENT, 0x81, "10 0f 0004'MQTT' 04 06 0000 0000 0001'w'"},
    {"a will topic with wildcards", 5, CLIENT, 0x90, "10 13 0004'MQTT' 05 06 0000 00 0000 00 0001'#' 0000"},
    {"an empty will topic", 4, CLIENT, 0x81, "10 10 0004'MQTT' 04 06 0000 0000 0000 0000"},
    {"a username flag without a username", 5, CLIENT, 0x81, "10 0d 0004'MQTT' 05 82 0000 00 0000"},
    {"a username without its flag", 5, CLIENT, 0x81, "10 10 0004'MQTT' 05 02 0000 00 0000 0001'u'"},
    {"a password flag without a password", 5, CLIENT, 0x81, "10 0d 0004'MQTT' 05 42 0000 00 0000"},
    {"a password without a username in 3.1.1", 4, CLIENT, 0x81, "10 0f 0004'MQTT' 04 42 0000 0000 0001'p'"},
    {"no client id", 5, CLIENT, 0x81, "10 0b 0004'MQTT' 05 02 0000 00"},
    {"an empty client id of a kept session in 3.1.1", 4, CLIENT, 0x85, "10 0c 0004'MQTT' 04 00 0000 0000"},
    {"an empty client id of a kept session in 5.0", 5, CLIENT, TAKEN, "10 0d 0004'MQTT' 05 00 0000 00 0000"},
    {"a client id that is not UTF-8", 4, CLIENT, 0x81, "10 0d 0004'MQTT' 04 02 0000 0001 ff"},
    {"a username that is not UTF-8", 4, CLIENT, 0x81, "10 0f 0004'MQTT' 04 82 0000 0000 0001 c0"},
    {"a username with NUL", 5, CLIENT, 0x81, "10 10 0004'MQTT' 05 82 0000 00 0000 0001 00"},

    /* CONNACK */
    {"CONNACK with a reserved flag", 4, BROKER, 0x81, "20 02 02 00"},
    {"CONNACK with all flags", 5, BROKER, 0x81, "20 03 ff 00 00"},
    {"session present in a refusal", 4, BROKER, 0x82, "20 02 01 05"},
    {"session present in a refusal of 5.0", 5, BROKER, 0x82, "20 03 01 87 00"},
    {"return code 6", 4, BROKER, 0x82, "20 02 00 06"},
    {"return code 5", 4, BROKER, TAKEN, "20 02 00 05"},
    {"CONNACK with a code below 0x80", 5, BROKER, 0x82, "20 03 00 01 00"},
    {"CONNACK without properties", 5, BROKER, 0x81, "20 02 00 00"},
    {"CONNACK of 3.1.1 that refuses 5.0", 5, BROKER, 0x84, "20 02 00 01"},
    {"CONNACK of two bytes with 0x84", 5, BROKER, 0x84, "20 02 00 84"},
    {"CONNACK of 3.1.1 with properties", 4, BROKER, 0x81, "20 03 00 00 00"},
    {"CONNACK cut to a byte", 4, BROKER, 0x81, "20 01 00"},

    /* PUBLISH */
    {"QoS 3", 4, ANY, 0x81, "36 05 0001't' 0001"},
    {"QoS 3 of 5.0", 5, ANY, 0x81, "36 06 0001't' 0001 00"},
    {"DUP with QoS 0", 4, ANY, 0x81, "38 03 0001't'"},
    {"DUP with QoS 0 of 5.0", 5, ANY, 0x81, "38 04 0001't' 00"},
    {"packet id 0 of a PUBLISH", 4, ANY, 0x82, "32 05 0001't' 0000"},
    {"packet id 0 of a PUBLISH with QoS 2", 5, ANY, 0x82, "34 06 0001't' 0000 00"},
    {"a wildcard in a topic", 4, ANY, 0x90, "30 05 0003'a/+'"},
    {"a wildcard in a topic of 5.0", 5, ANY, 0x90, "30 04 0001'#' 00"},
    {"an empty topic", 4, ANY, 0x81, "30 02 0000"},
    {"an empty topic without an alias", 5, ANY, 0x82, "30 03 0000 00"},
    {"a topic longer than the packet", 5, ANY, 0x81, "30 03 0004't'"},
    {"a topic cut in its length", 4, ANY, 0x81, "30 01 00"},
    {"QoS 1 without a packet id", 4, ANY, 0x81, "32 03 0001't'"},
    {"PUBLISH of 5.0 without properties", 5, ANY, 0x81, "30 03 0001't'"},
    {"topic alias 0", 5, ANY, 0x94, "30 07 0001't' 03 23 0000"},
    {"topic alias 65535", 5, ANY, TAKEN, "30 07 0001't' 03 23 ffff"},
    {"topic alias twice", 5, ANY, 0x82, "30 0a 0001't' 06 23 0001 23 0001"},
    {"a subscription identifier from a client", 5, CLIENT, 0x82, "30 06 0001't' 02 0b 01"},
    {"a subscription identifier from a broker", 5, BROKER, TAKEN, "30 06 0001't' 02 0b 01"},
    {"subscription identifier 0", 5, BROKER, 0x82, "30 06 0001't' 02 0b 00"},
    {"a response topic with wildcards", 5, CLIENT, 0x90, "30 08 0001't' 04 08 0001'#'"},
    {"a response topic with wildcards that a broker hands on", 5, BROKER, TAKEN, "30 08 0001't' 04 08 0001'#'"},
    {"payload format 2", 5, ANY, 0x82, "30 06 0001't' 02 01 02"},

    /* Acknowledgements */
    {"packet id 0 of a PUBACK", 4, ANY, 0x82, "40 02 0000"},
    {"packet id 0 of a PUBREC", 5, ANY, 0x82, "50 02 0000"},
    {"packet id 0 of a PUBREL", 5, ANY, 0x82, "62 02 0000"},
    {"packet id 0 of a PUBCOMP", 4, ANY, 0x82, "70 02 0000"},
    {"PUBACK cut to a byte", 4, ANY, 0x81, "40 01 00"},
    {"PUBACK without an id", 5, ANY, 0x81, "40 00"},
    {"PUBACK of 3.1.1 with a code", 4, ANY, 0x81, "40 03 0001 00"},
    {"PUBACK with a code of PUBREL", 5, CLIENT, 0x82, "40 03 0001 92"},
    {"PUBACK with a code that is not listed, from a client", 5, CLIENT, 0x82, "40 03 0001 95"},
    {"PUBACK with a code that is not listed, from a broker", 5, BROKER, TAKEN, "40 03 0001 95"},
    {"PUBACK with a success that is none", 5, BROKER, 0x82, "40 03 0001 01"},
    {"PUBREC with 0x18", 5, BROKER, 0x82, "50 03 0001 18"},
    {"PUBREL with 0x10", 5, BROKER, 0x82, "62 03 0001 10"},
    {"PUBREL with a code of PUBACK", 5, CLIENT, 0x82, "62 03 0001 80"},
    {"PUBCOMP with 0x7f", 5, BROKER, 0x82, "70 03 0001 7f"},
    {"PUBACK with bytes after its properties", 5, ANY, 0x81, "40 05 0001 00 00 00"},
    {"PUBACK whose properties are cut short", 5, ANY, 0x81, "40 04 0001 00 01"},

    /* Subscriptions */
    {"SUBSCRIBE without a filter", 4, CLIENT, 0x82, "82 02 0001"},
    {"SUBSCRIBE of 5.0 without a filter", 5, CLIENT, 0x82, "82 03 0001 00"},
    {"UNSUBSCRIBE without a filter", 4, CLIENT, 0x82, "a2 02 0001"},
    {"UNSUBSCRIBE of 5.0 without a filter", 5, CLIENT, 0x82, "a2 03 0001 00"},
    {"packet id 0 of a SUBSCRIBE", 4, CLIENT, 0x82, "82 06 0000 0001'a' 00"},
    {"packet id 0 of an UNSUBSCRIBE", 5, CLIENT, 0x82, "a2 06 0000 00 0001'a'"},
    {"a filter with QoS 3", 5, CLIENT, 0x82, "82 07 0001 00 0001'a' 03"},
    {"a filter with QoS 3 in 3.1.1", 4, CLIENT, 0x82, "82 06 0001 0001'a' 03"},
    {"a reserved option in 3.1.1", 4, CLIENT, 0x81, "82 06 0001 0001'a' 04"},
    {"a reserved option, bit 6", 5, CLIENT, 0x81, "82 07 0001 00 0001'a' 40"},
    {"a reserved option, bit 7", 5, CLIENT, 0x81, "82 07 0001 00 0001'a' 80"},
    {"retain handling 3", 5, CLIENT, 0x82, "82 07 0001 00 0001'a' 30"},
    {"retain handling 2", 5, CLIENT, TAKEN, "82 07 0001 00 0001'a' 20"},
    {"no local on a shared subscription", 5, CLIENT, 0x82, "82 10 0001 00 000a'$share/g/a' 04"},
    {"a shared subscription", 5, CLIENT, TAKEN, "82 10 0001 00 000a'$share/g/a' 02"},
    {"a share without a name", 5, CLIENT, 0x8f, "82 0f 0001 00 0009'$share//a' 00"},
    {"a share without a filter", 5, CLIENT, 0x8f, "82 0f 0001 00 0009'$share/g/' 00"},
    {"a share without an end of its name", 5, CLIENT, 0x8f, "82 0e 0001 00 0008'$share/g' 00"},
    {"a share with a wildcard in its name", 5, CLIENT, 0x8f, "82 11 0001 00 000b'$share/g+/a' 00"},
    {"$share in 3.1.1, a topic like any other", 4, CLIENT, TAKEN, "82 0d 0001 0008'$share/g' 00"},
    {"an empty filter", 4, CLIENT, 0x8f, "82 05 0001 0000 00"},
    {"a '#' that is not last", 5, CLIENT, 0x8f, "82 09 0001 00 0003'#/a' 00"},
    {"a '#' that is not a level of its own", 4, CLIENT, 0x8f, "82 07 0001 0002'a#' 00"},
    {"a '+' that is not a level of its own", 5, CLIENT, 0x8f, "82 08 0001 00 0002'+a' 00"},
    {"a '+' at the end of a level", 5, CLIENT, 0x8f, "a2 09 0001 00 0004'a+/b'"},
    {"levels of '+' and a '#'", 5, CLIENT, TAKEN, "82 0b 0001 00 0005'+/+/#' 00"},
    {"a filter that is not UTF-8", 5, CLIENT, 0x81, "82 07 0001 00 0001 80 00"},
    {"a filter without its options", 5, CLIENT, 0x81, "82 06 0001 00 0001'a'"},
    {"a filter cut short", 4, CLIENT, 0x81, "82 05 0001 0002'a'"},
    {"SUBACK with QoS 3 granted", 4, BROKER, 0x82, "90 03 0001 03"},
    {"SUBACK with a code that 3.1.1 has not", 4, BROKER, 0x82, "90 03 0001 81"},
    {"SUBACK with 0x80", 4, BROKER, TAKEN, "90 03 0001 80"},
    {"SUBACK of 5.0 with QoS 3 granted", 5, BROKER, 0x82, "90 04 0001 00 03"},
    {"SUBACK without a code", 4, BROKER, 0x82, "90 02 0001"},
    {"packet id 0 of a SUBACK", 4, BROKER, 0x82, "90 03 0000 00"},
    {"UNSUBACK without a code", 5, BROKER, 0x82, "b0 03 0001 00"},
    {"UNSUBACK of 3.1.1 with a code", 4, BROKER, 0x81, "b0 03 0001 00"},
    {"UNSUBACK with 0x10", 5, BROKER, 0x82, "b0 04 0001 00 10"},
    {"packet id 0 of an UNSUBACK", 4, BROKER, 0x82, "b0 02 0000"},

    /* DISCONNECT and AUTH */
    {"DISCONNECT with 0x04 from a broker", 5, BROKER, 0x82, "e0 01 04"},
    {"DISCONNECT with a code of a broker's from a client", 5, CLIENT, 0x82, "e0 01 8b"},
    {"DISCONNECT with 0x10", 5, BROKER, 0x82, "e0 01 10"},
    {"a session expiry in a broker's DISCONNECT", 5, BROKER, 0x82, "e0 07 00 05 11 00000000"},
    {"a server reference in a client's DISCONNECT", 5, CLIENT, 0x82, "e0 06 00 04 1c 0001's'"},
    {"AUTH without its properties", 5, BROKER, 0x81, "f0 01 18"},
    {"AUTH without a method", 5, BROKER, 0x82, "f0 02 18 00"},
    {"AUTH with data alone", 5, BROKER, 0x82, "f0 06 18 04 16 0001 00"},
    {"AUTH with 0x19 from a broker", 5, BROKER, 0x82, "f0 06 19 04 15 0001'm'"},
    {"AUTH with 0x00 from a client", 5, CLIENT, 0x82, "f0 06 00 04 15 0001'm'"},
    {"AUTH with a failure that is none", 5, CLIENT, 0x82, "f0 06 80 04 15 0001'm'"},

    /* The form of properties; place, number and range are property_test.c's */
    {"a length of properties that is not the shortest", 5, ANY, 0x81, "30 05 0001't' 8000"},
    {"a length of properties of five bytes", 5, ANY, 0x81, "30 08 0001't' 8080808000"},
    {"a length of properties beyond the packet", 5, ANY, 0x81, "30 04 0001't' 01"},
    {"an unknown property", 5, ANY, 0x81, "30 06 0001't' 02 04 00"},
    {"property 0", 5, ANY, 0x81, "30 06 0001't' 02 00 00"},
    {"property 127", 5, ANY, 0x81, "30 06 0001't' 02 7f 00"},
    {"a property cut short", 5, ANY, 0x81, "30 07 0001't' 03 02 0000"},
    {"a property's text beyond the block", 5, ANY, 0x81, "30 08 0001't' 03 03 0001 'x'"},
    {"a pair without its value", 5, ANY, 0x81, "30 08 0001't' 04 26 0001'k'"},
    {"a property's number that is not the shortest", 5, BROKER, 0x81, "30 07 0001't' 03 0b 8100"},
    {"a property's number of five bytes", 5, BROKER, 0x81, "30 0a 0001't' 06 0b 8080808001"},
};
/* clang-format on */

int main(void) {
  for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
    struct exact wire = from_text(CASES[i].wire);
    struct fog_packet p;
    struct fog_packet_fault fault = {FOG_SUCCESS, "taken"};
    bool taken = fog_packet_decode(CASES[i].version, (enum fog_sender)CASES[i].from, wire.data, wire.len, &p, &fault);
    bool fine = taken == (CASES[i].reason == TAKEN) && (int)fault.reason == CASES[i].reason;
    /* So that none is refused for a slip of this file. */
    bool whole =
        fog_packet_length(wire.data, wire.len) == (int64_t)wire.len || strstr(CASES[i].name, "a length") != NULL;
    fine &= whole;
    if (!fine) printf("# 0x%02x, %s\n", (unsigned)fault.reason, fault.text);
    check(fine, CASES[i].name);
    free(wire.data);
  }
  return finish();
}

/* SPDX-License-Identifier: MIT
 *
 * What each packet of the broker's does in each state of a link, beside a table that is written here a second time; and
 * what is in neither ends a real link, whose broker is this test's socket, with a protocol error.
 */
#include "link_broker.h"

/* g greeted, H authenticate, r receive, a answered, l release, s asked, p pong, d disconnected, i ignored, . an error.
 * A column each for CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK, UNSUBSCRIBE,
 * UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH; before them the will, which is no packet. */
static const char *const TABLE[FOG_LINK_STATES] = {
    [FOG_NONE] = "................",     /* no link: nobody reads */
    [FOG_OPENING] = "................",  /* nor here */
    [FOG_GREETING] = "..g............H", /* its word, and what comes before it */
    [FOG_UP] = "...raala.s.s.pdH",       /* what a client gets */
    [FOG_LEAVING] = "...iaiia.s.s.iii",  /* what ends something of ours still counts; the rest comes too late */
};
static const char *const STATES[] = {"NONE", "OPENING", "GREETING", "UP", "LEAVING"};

static const char *word(char letter) {
  switch (letter) {
    case 'g':
      return "greeted";
    case 'H':
      return "authenticate";
    case 'r':
      return "receive";
    case 'a':
      return "answered";
    case 'l':
      return "release";
    case 's':
      return "asked";
    case 'p':
      return "pong";
    case 'd':
      return "disconnected";
    case 'i':
      return "ignored";
    default:
      return NULL;
  }
}

static void cells(void) {
  for (int state = 0; state < FOG_LINK_STATES; state++) {
    bool same = strlen(TABLE[state]) == FOG_AUTH + 1;
    for (int type = 0; same && type <= FOG_AUTH; type++) {
      const char *is = fog_link_expects((enum fog_link_state)state, (enum fog_packet_type)type);
      const char *should = word(TABLE[state][type]);
      if ((is == NULL) == (should == NULL) && (is == NULL || strcmp(is, should) == 0)) continue;
      printf("# %s is %s\n", fog_packet_name((enum fog_packet_type)type), is == NULL ? "an error" : is);
      same = false;
    }
    check(same, STATES[state]);
  }
}

/* One of each, without a fault of its own: 3.1.1, then 5.0. */
static const char *const PACKETS[FOG_AUTH + 1][2] = {
    [FOG_CONNECT] = {"10 0C 0004'MQTT' 04 02 003C 0000", "10 0D 0004'MQTT' 05 02 003C 00 0000"},
    [FOG_CONNACK] = {"20 02 0000", "20 03 0000 00"},
    [FOG_PUBLISH] = {"30 05 0001't' 'ab'", "30 06 0001't' 00 'ab'"},
    [FOG_PUBACK] = {"40 02 0001", "40 02 0001"},
    [FOG_PUBREC] = {"50 02 0001", "50 02 0001"},
    [FOG_PUBREL] = {"62 02 0001", "62 02 0001"},
    [FOG_PUBCOMP] = {"70 02 0001", "70 02 0001"},
    [FOG_SUBSCRIBE] = {"82 06 0001 0001't' 00", "82 07 0001 00 0001't' 00"},
    [FOG_SUBACK] = {"90 03 0001 00", "90 04 0001 00 00"},
    [FOG_UNSUBSCRIBE] = {"A2 05 0001 0001't'", "A2 06 0001 00 0001't'"},
    [FOG_UNSUBACK] = {"B0 02 0001", "B0 04 0001 00 00"},
    [FOG_PINGREQ] = {"C0 00", "C0 00"},
    [FOG_PINGRESP] = {"D0 00", "D0 00"},
    [FOG_DISCONNECT] = {"E0 00", "E0 00"},
    [FOG_AUTH] = {"F0 00", "F0 06 18 04 15 0001'm'"},
};

/* More than the system takes, then the goodbye: it waits behind that. */
static void start_leaving(void) {
  static char payload[60000];
  struct fog_packet p = {.type = FOG_PUBLISH, .topic = {"t", 1}, .payload = {payload, sizeof payload}};
  for (int i = 0; i < 200; i++) (void)fog_link_append(&me, &p);
  fog_link_leave(&me, &(struct fog_goodbye){0, NULL, 0});
  fog_loop_clear_timer(loop, &me.timer); /* however long this takes */
}

/* A link in that state. */
static bool reach(enum fog_link_state state, int version) {
  if (!reach_greeting(version)) return false;
  if (state == FOG_GREETING) return true;
  say(PACKETS[FOG_CONNACK][version == FOG_MQTT_5]);
  if (!UNTIL(me.state == FOG_UP)) return false;
  if (state == FOG_LEAVING) start_leaving();
  return me.state == state;
}

/* "down" names the packet, and calls it a protocol error. */
static bool told(enum fog_packet_type type) {
  char text[80];
  bool right = false;
  (void)snprintf(text, sizeof text, "the broker sent a %s that must not be: ", fog_packet_name(type));
  for (struct fog_event *ev = fog_queue_take(events), *next; ev != NULL; ev = next) {
    next = ev->next;
    if (ev->type == FOG_EV_DOWN) {
      right = strcmp(ev->name, "protocol") == 0 && ev->code == FOG_PROTOCOL_ERROR && ev->text != NULL &&
              strncmp(ev->text, text, strlen(text)) == 0;
      if (!right) printf("# %s, %d: %s\n", ev->name, ev->code, ev->text == NULL ? "" : ev->text);
    }
    ev->release(ev);
  }
  return right;
}

/* The last that the broker reads: an MQTT 5 broker is told why where the link was up, and no other is (4.13.1). */
static bool said_why(bool why) {
  static char bytes[65536];
  char last[3] = {0};
  for (ssize_t n; (n = recv(broker, bytes, sizeof bytes, 0)) > 0;) {
    if (n >= 3) memcpy(last, bytes + n - 3, 3);
  }
  return (memcmp(last, "\xE0\x01\x82", 3) == 0) == why;
}

static bool refuses(enum fog_link_state state, enum fog_packet_type type, int version) {
  bool right = reach(state, version);
  if (right) say(PACKETS[type][version == FOG_MQTT_5]);
  right = right && UNTIL(me.state == FOG_NONE) && told(type);
  fog_link_destroy(&me);
  (void)UNTIL(fog_loop_watched(loop) == 0 || state == FOG_UP);
  right = (state == FOG_LEAVING || said_why(version == FOG_MQTT_5 && state == FOG_UP)) && right;
  (void)close(broker);
  (void)UNTIL(fog_loop_watched(loop) == 0);
  fog_session_unref(session);
  if (!right) printf("# %s in %s, level %d\n", fog_packet_name(type), STATES[state], version);
  return right;
}

/* What the table does not hold, sent for real. */
static void strangers(enum fog_link_state state, int version) {
  char what[80];
  bool right = true;
  for (int type = FOG_CONNECT; type <= FOG_AUTH; type++) {
    if (TABLE[state][type] == '.') right = refuses(state, (enum fog_packet_type)type, version) && right;
  }
  (void)snprintf(what, sizeof what, "what must not come ends a link that is %s, MQTT %s", STATES[state],
                 version == FOG_MQTT_5 ? "5.0" : "3.1.1");
  check(right, what);
}

/* What is open is found in pages of ids, which an idle session does without. */
static void keeps_no_ids(void) {
  const struct fog_subscription how = {.qos = 1};
  check(reach(FOG_UP, FOG_MQTT_3), "a link is up");
  fog_link_subscribe(&me, fog_ask_new(session, 1, "t", &how));
  check(me.asks.open.count == 1, "a SUBSCRIBE is open");
  say(PACKETS[FOG_SUBACK][0]);
  check(UNTIL(fog_asks_idle(&me.asks)) && me.asks.open.pages == NULL, "once it is answered, nothing is kept of it");
  fog_link_destroy(&me);
  (void)close(broker);
  (void)UNTIL(fog_loop_watched(loop) == 0);
  fog_session_unref(session);
}

int main(void) {
  cells();
  if (!start_broker()) return 1;
  for (int state = FOG_GREETING; state <= FOG_LEAVING; state++) {
    strangers((enum fog_link_state)state, FOG_MQTT_3);
    strangers((enum fog_link_state)state, FOG_MQTT_5);
  }
  keeps_no_ids();
  return finish_broker();
}

/* SPDX-License-Identifier: MIT
 *
 * What the broker's plugin sees, for the sandbox to show, and what the sandbox orders there: two bounded rings in a
 * file that both map. No system call, no lock: each ring has one writer and one reader. A writer never waits; what
 * finds no room is counted and gone. A message finds none in the last quarter, which is for logins and what ends them.
 */
#ifndef FOG_BROKER_TAP_H
#define FOG_BROKER_TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fog_tap;

enum {
  FOG_TAP_PAYLOAD = 4096, /* bytes of a payload that are kept, at most */
  FOG_TAP_TURN = 50000,   /* more is not read at once, however fast it comes */
};

enum fog_tap_kind {
  FOG_TAP_LOGIN = 1,
  FOG_TAP_LOGIN_REFUSED,
  FOG_TAP_BYE,
  FOG_TAP_MESSAGE,
  FOG_TAP_MESSAGE_REFUSED,
  FOG_TAP_SUBSCRIBE,
  FOG_TAP_SUBSCRIBE_REFUSED,
  FOG_TAP_WITHHELD, /* a message that a subscriber has no permission for */
  /* orders */
  FOG_TAP_KICK,    /* client; "" for all */
  FOG_TAP_PUBLISH, /* topic, payload, qos, retain */
};

/* Of those that floods consist of. */
bool fog_tap_is_message(enum fog_tap_kind kind);

struct fog_tap_note {
  enum fog_tap_kind kind;
  uint8_t qos;
  bool retain;
  double time;                                  /* on the wall clock */
  uint32_t size;                                /* of the whole payload */
  size_t payload_len;                           /* of what is kept of it */
  const char *client, *login, *topic, *payload; /* texts end with NUL; never NULL */
};

/* What the plugin has seen since it was started, counted whether it found room or not. */
struct fog_tap_counts {
  uint64_t messages, bytes, dropped;
};

/* The file for both; `create` makes it anew. NULL: it cannot be. */
struct fog_tap *fog_tap_open(const char *path, bool create);
void fog_tap_close(struct fog_tap *t);

/* The plugin's side. A note may name NULL texts; time is set here. */
void fog_tap_note(struct fog_tap *t, struct fog_tap_note note);
bool fog_tap_take_order(struct fog_tap *t, struct fog_tap_note *order);

/* The sandbox's side: what was noted, until the next call of the kind; false: no more. */
bool fog_tap_next(struct fog_tap *t, struct fog_tap_note *note);
bool fog_tap_order(struct fog_tap *t, struct fog_tap_note order);
struct fog_tap_counts fog_tap_counts(const struct fog_tap *t);

#endif

/* SPDX-License-Identifier: MIT
 *
 * What stands between a session and the code that speaks MQTT for it. Above this nobody knows which driver it is;
 * below, nobody knows of Lua.
 *
 * A driver takes five commands and makes five reports.
 *
 *   command       what it asks for                                      ends in
 *   connect       a new link, after the old one is gone                 up, or down
 *   subscribe     SUBSCRIBE or UNSUBSCRIBE over the link that is up     subscribed, once, whatever happens
 *   feed          look: messages wait in the outbox, the inbox has      -
 *                 room again, or the program has handled some
 *   authenticate  the answer to an "authenticate" report                -
 *   leave         the end of the link, with or without a goodbye, and   down where a link was up; closed once all
 *                 (`end`) of the session                                is over
 *
 *   report        fog_session_report_…                                  what may follow
 *   up            the broker has taken us in                            all others
 *   down          the attempt failed, or the link is gone               up of a later connect
 *   subscribed    the broker's word on one filter                       -
 *   published     the end of one message                                -
 *   messages      fog_inbox_…, and fog_session_announce                 -
 *
 * "Acknowledge" is part of feed: the program says what it has handled by moving session->handled, which only grows.
 *
 * Threads: commands come from the one thread that owns the session's Lua state, and never wait. Reports may come from
 * any thread of the driver's; they take one short lock, and never fail, since the event of each was made beforehand.
 * No command may follow a leave with `end`. A session with a `caller` has no thread: all of it is done while Lua's
 * waits, but for a leave with `end`, which does at once what it can without waiting.
 *
 * Order: reports of a link come in the order up, (subscribed, published, messages)*, down. After down nothing comes of
 * that link. Messages are sent in the order in which the outbox accepted them; acknowledgements of what was received go
 * out in the order of arrival (MQTT 3.1.1 and 5.0, 4.6).
 *
 * Messages: the outbox accepts; the driver takes all that waits there (fog_outbox_take), owns it from then on, and ends
 * each one by fog_session_report_published. QoS 1 and 2 survive a lost link in the driver, in order.
 */
#ifndef FOG_DRIVER_H
#define FOG_DRIVER_H

#include "link_options.h"
#include "session.h"

/* What a driver cannot do, it says here; the face refuses such an option with `why_not`. */
struct fog_capabilities {
  bool qos2;           /* exactly once */
  bool hold;           /* back-pressure by not reading, and acknowledge = "handled" */
  bool durable;        /* continues what a dead process had in flight */
  bool connection;     /* proxy, ALPN, server name, the headers and path of WebSockets, several WebSocket sessions */
  bool authenticate;   /* AUTH */
  bool exact;          /* every value that MQTT allows goes out as given (four-byte properties, long texts) */
  bool goodbye;        /* DISCONNECT with a reason and properties; leaving without one */
  bool callers_thread; /* sessions on a loop that Lua's thread turns */
  const char *why_not; /* "driver 'paho' (Paho 1.3.12 as packaged)", the subject of the refusal */
};

enum fog_leave {
  FOG_LEAVE,       /* the link, with a DISCONNECT */
  FOG_END,         /* the link with a DISCONNECT, then the session */
  FOG_END_SILENTLY /* the session; the broker sees a broken link and sends the will */
};

/* A DISCONNECT's facts (MQTT 5.0, 3.14); all zero is the normal one. */
struct fog_goodbye {
  uint8_t reason;
  const char *properties; /* as on the wire; copied */
  size_t properties_len;
};

struct fog_driver {
  const char *name;
  struct fog_capabilities can;

  /* The version of what it stands on; static text. Starts nothing. */
  const char *(*version)(void);

  /* Counts s in, and starts what it needs. FOG_OK, FOG_ENOMEMORY, FOG_ENOTHREAD, FOG_EFORKED. */
  int (*open)(struct fog_session *s);

  /* o becomes the driver's, on failure too. FOG_OK or FOG_ENOMEMORY. */
  int (*connect)(struct fog_session *s, struct fog_link_options *o);

  /* Copies filter and how. FOG_OK or FOG_ENOMEMORY. `token` comes back with the report. */
  int (*subscribe)(struct fog_session *s, uint64_t token, const char *filter, const struct fog_subscription *how);

  void (*feed)(struct fog_session *s);

  /* Sends AUTH (MQTT 5.0, 3.15) with these properties, as on the wire, which are copied. FOG_OK or FOG_ENOMEMORY. */
  int (*authenticate)(struct fog_session *s, const char *properties, size_t len);

  /* Cannot fail for FOG_END and FOG_END_SILENTLY: their memory was taken by open. goodbye may be NULL. */
  int (*leave)(struct fog_session *s, enum fog_leave how, const struct fog_goodbye *goodbye);
};

#endif

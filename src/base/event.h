/* SPDX-License-Identifier: MIT
 *
 * What the core tells Lua. An event is made before the work whose end it reports is started, so that
 * reporting never has to allocate: a request, a command and a message each carry theirs.
 */
#ifndef FOG_EVENT_H
#define FOG_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fog_event_type {
  FOG_EV_REPLY,      /* an HTTP reply: id, code = status, text = body, extra = header block */
  FOG_EV_FAILURE,    /* an HTTP failure: id, name = kind, text = message, flag = a byte may have been sent, code = how
                        the proxy refused to connect, or 0 */
  FOG_EV_CONNECTED,  /* session, id = link, flag = the broker had our session, code = MQTT version, properties */
  FOG_EV_REFUSED,    /* session, id = link, code = CONNACK code or Paho's, text = what is known */
  FOG_EV_LOST,       /* session, id = link, code = reason code (MQTT 5) or 0, text, properties */
  FOG_EV_SUBSCRIBED, /* session, id = token, code = granted QoS or >= 0x80, text */
  FOG_EV_MESSAGES,   /* session: its inbox is no longer empty */
  FOG_EV_PUBLISHED,  /* session, id = message, code = 0 acknowledged, else why; text = topic, extra = payload */
  FOG_EV_DRAINED,    /* session: its outbox is empty, or has room again, and somebody waits for that */
  FOG_EV_CLOSED      /* session: its broker link is gone and Paho's handle freed */
};

/* How one HTTP transfer spent its time, seconds from its start. */
struct fog_timings {
  double resolve, connect, tls, first_byte, total;
};

struct fog_event {
  struct fog_event *next;
  enum fog_event_type type;
  uint32_t session;
  uint64_t id;
  int code;
  bool flag;
  const char *name; /* static text, never freed */
  char *text;       /* owned by whoever owns the event, as is extra */
  size_t text_len;
  char *extra;
  size_t extra_len;
  char *properties; /* MQTT 5, as on the wire; owned as text is */
  size_t properties_len;
  struct fog_timings timings;
  void (*release)(struct fog_event *ev); /* frees the event and what carries it; never NULL */
};

/* A heap event with nothing in it, freed by its release together with text and extra. NULL: no memory. */
struct fog_event *fog_event_new(enum fog_event_type type, uint32_t session);

/* Copies a C string into ev->text; without memory the event goes without text. NULL is no text. */
void fog_event_set_text(struct fog_event *ev, const char *text);

#endif

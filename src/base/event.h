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
  FOG_EV_REPLY,   /* an HTTP reply: id, code = status, text = body, extra = header block */
  FOG_EV_FAILURE, /* an HTTP failure: id, name = kind, text = message, flag = a byte may have been sent */
  FOG_EV_UP,      /* session, id = link, flag = the broker had our session, code = MQTT version, properties */
  FOG_EV_DOWN,    /* session, id = link, flag = it was up; code = CONNACK's or DISCONNECT's, else 0; name = kind, text,
                     properties; suspect, suspect_len and extra = topic of what was sent first and has no answer */
  FOG_EV_SUBSCRIBED,   /* session, id = token, code = granted QoS or >= 0x80, -1 without an answer; text, properties */
  FOG_EV_AUTHENTICATE, /* session, id = link, properties: the broker's AUTH (MQTT 5) */
  FOG_EV_MESSAGES,     /* session: its inbox is no longer empty */
  FOG_EV_PUBLISHED,    /* session, id = message, code = 0 acknowledged, else why; text = topic, extra = payload */
  FOG_EV_JOURNAL,      /* session: its journal cannot be written or read; code = enum fog_durable_code, text */
  FOG_EV_DRAINED,      /* session: its outbox is empty, or has room again, and somebody waits for that */
  FOG_EV_CLOSED        /* session: the driver has let go of it */
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
  uint64_t suspect; /* FOG_EV_DOWN: the number of a message; 0: none */
  size_t suspect_len;
  int64_t waited_ms; /* FOG_EV_DOWN: since the last thing went out that wants an answer; 0: nothing has */
  struct fog_timings timings;
  void (*release)(struct fog_event *ev); /* frees the event and what carries it; never NULL */
};

/* A heap event with nothing in it, freed by its release together with text and extra. NULL: no memory. */
struct fog_event *fog_event_new(enum fog_event_type type, uint32_t session);

/* Copies a C string into ev->text; without memory the event goes without text. NULL is no text. */
void fog_event_set_text(struct fog_event *ev, const char *text);

/* The same for bytes, of any kind; none with len 0. */
void fog_event_set_extra(struct fog_event *ev, const char *bytes, size_t len);
void fog_event_set_properties(struct fog_event *ev, const char *bytes, size_t len);

#endif

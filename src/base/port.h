/* SPDX-License-Identifier: MIT
 *
 * What a module of its own (fogcloud.redis) needs of an engine: where to report, and threads that are good guests. It
 * goes from one shared library to the other as a table of functions, for the core exports no symbol.
 */
#ifndef FOG_PORT_H
#define FOG_PORT_H

#include <pthread.h>

#include "event.h"

#define FOG_PORT_CLASS "fogcloud.Port"

/* Raised with every change of this struct or of fog_event: both libraries must come from one version. */
enum { FOG_PORT_VERSION = 1 };

struct fog_queue;

/* The userdata behind FOG_PORT_CLASS. It holds a reference on the queue, as must whoever keeps a copy. */
struct fog_port {
  int version;
  struct fog_queue *queue; /* may outlive its engine: what is pushed then is released */
  void (*push)(struct fog_queue *q, struct fog_event *ev);
  struct fog_queue *(*ref)(struct fog_queue *q);
  void (*unref)(struct fog_queue *q);
  int (*thread)(pthread_t *thread, void *(*run)(void *), void *arg); /* as fog_process_thread */
};

#endif

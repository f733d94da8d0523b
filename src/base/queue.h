/* SPDX-License-Identifier: MIT
 *
 * The one way from any thread to Lua: many producers append events, the Lua thread takes the whole list and works
 * through it unlocked. It is bounded by construction: every event was paid for by a request, a command or a message
 * whose numbers are bounded.
 */
#ifndef FOG_QUEUE_H
#define FOG_QUEUE_H

#include "error.h"
#include "event.h"
#include "wake.h"

struct fog_queue;

/* NULL: no memory or no descriptor, errno says which. The caller holds one reference. */
struct fog_queue *fog_queue_new(void);

struct fog_queue *fog_queue_ref(struct fog_queue *q);
void fog_queue_unref(struct fog_queue *q);

/* Hands ev over and wakes the reader. Any thread; never waits, never fails: on a closed queue ev is released at once.
 */
void fog_queue_push(struct fog_queue *q, struct fog_event *ev);

/* The same for the reader's own thread, which will take anyway before it waits: saves writing to the descriptor. */
void fog_queue_push_own(struct fog_queue *q, struct fog_event *ev);

/* Between begin and end the calling thread, the reader, works on what pushes events, and looks before it waits: what it
 * pushes itself does not write to the descriptor. */
void fog_queue_begin_own(struct fog_queue *q);
void fog_queue_end_own(struct fog_queue *q);

/* Wakes the reader without an event. Any thread. */
void fog_queue_poke(struct fog_queue *q);

/* All that has come, oldest first, now the caller's; NULL when there is nothing. The reader's thread only. Clears the
 * wake-up. */
struct fog_event *fog_queue_take(struct fog_queue *q);

/* True while taking would give something. */
bool fog_queue_pending(struct fog_queue *q);

/* The reader is gone: releases what waits and, from now on, whatever is pushed. */
void fog_queue_close(struct fog_queue *q);

/* Wake-ups go to this socket too, from now on, and to none before it. Takes fd over. */
void fog_queue_mirror(struct fog_queue *q, int fd);

struct fog_wake *fog_queue_wake(struct fog_queue *q);

#endif

/* SPDX-License-Identifier: MIT
 *
 * A loop without a thread (the session option thread = false): the engine that owns the sessions turns it while it
 * waits. It does what thread_loop.c's does, by the same code below; but between two waits nothing is read, nothing is
 * sent, and no ping goes out. One for an engine. Lua's thread alone, but for what fog_loop_post lets any thread do.
 */
#ifndef FOG_CALLER_LOOP_H
#define FOG_CALLER_LOOP_H

#include "../base/queue.h"
#include "loop.h"

struct fog_caller_loop;

/* Takes a reference to q, whose events end each wait. NULL: no memory or no descriptor, errno says which. */
struct fog_caller_loop *fog_caller_loop_new(struct fog_queue *q);

/* The engine's end. Goodbyes that are under way have a second here. A session that is still open is served no more; it
 * may be ended later, and the last one takes the loop along. NULL is harmless. */
void fog_caller_loop_close(struct fog_caller_loop *c);

/* Counts a session in. Its loop, which lives until that session has left. */
struct fog_loop *fog_caller_loop_enter(struct fog_caller_loop *c);

/* Runs the errand that ends a session, and what of it needs no waiting: as a rule, all of it. The rest is for the next
 * waits; after close, it is waited for here. Not from within a turn. */
void fog_caller_loop_end(struct fog_caller_loop *c, struct fog_errand *end);

/* Counts it out. From within a turn. */
void fog_caller_loop_leave(struct fog_caller_loop *c);

/* Whether waiting has to turn it: there is a session, or a connection that lingers. NULL is not. */
bool fog_caller_loop_busy(const struct fog_caller_loop *c);

/* Sends what the program has asked for, as each wait does first; does not wait. */
void fog_caller_loop_send(struct fog_caller_loop *c);

/* Turns it until its queue has an event or was woken, a signal came, or timeout_ms (-1: for ever) has passed. */
void fog_caller_loop_wait(struct fog_caller_loop *c, int timeout_ms);

/* For a wait elsewhere, after a turn: as fog_loop_doze and fog_loop_fd. Where the system has no such descriptor, the
 * wait is short. */
int fog_caller_loop_doze(struct fog_caller_loop *c, int timeout_ms, int *fd);

#endif

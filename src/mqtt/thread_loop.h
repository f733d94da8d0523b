/* SPDX-License-Identifier: MIT
 *
 * The loop of all sessions of a driver that do not ask for another one, on a thread of its own. The thread starts with
 * the first session and ends by itself after the last, so that a program that is done with MQTT has no thread left; and
 * at exit the process waits a moment for goodbyes that are under way. One per module, since each module has one driver.
 */
#ifndef FOG_THREAD_LOOP_H
#define FOG_THREAD_LOOP_H

#include "loop.h"

/* Counts a session in. *loop runs from here on, until that session has left. `last`, or NULL, is the thread's last call
 * before the loop is freed. FOG_OK, FOG_ENOMEMORY, FOG_ENOTHREAD, FOG_EFORKED. */
int fog_thread_loop_enter(struct fog_loop **loop, void (*last)(struct fog_loop *loop));

/* Posts the errand that ends a session. Any thread but the loop's. */
void fog_thread_loop_end(struct fog_errand *end);

/* Counts it out, after its end was posted. The loop's thread. */
void fog_thread_loop_leave(void);

/* Whether this is a forked child of the process that has the thread. */
bool fog_thread_loop_forked(void);

#endif

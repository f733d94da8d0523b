/* SPDX-License-Identifier: MIT
 *
 * The loop of all sessions of the process that do not ask for another one, on a thread of its own (driver_thread.h),
 * which ends by itself when the last of them has left.
 */
#ifndef FOG_THREAD_LOOP_H
#define FOG_THREAD_LOOP_H

#include "loop.h"

/* Counts a session in. *loop runs from here on, until that session has left. FOG_OK, FOG_ENOMEMORY, FOG_ENOTHREAD,
 * FOG_EFORKED. */
int fog_thread_loop_enter(struct fog_loop **loop);

/* Posts the errand that ends a session. Any thread but the loop's. */
void fog_thread_loop_end(struct fog_errand *end);

/* Counts it out, after its end was posted. The loop's thread. */
void fog_thread_loop_leave(void);

#endif

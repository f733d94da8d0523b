/* SPDX-License-Identifier: MIT
 *
 * SIGTERM and SIGINT as a word to the program: for as long as they are caught, they are kept in mind instead of ending
 * the process, and interrupt whatever the receiving thread waits in. Of the whole process, like signals are.
 */
#ifndef FOG_SIGNALS_H
#define FOG_SIGNALS_H

#include <stdbool.h>

/* False: they are caught already. What they did before comes back with release. */
bool fog_signals_catch(void);

/* The number of the last one that came, once; 0: none has. */
int fog_signals_caught(void);

/* Harmless where nothing is caught. */
void fog_signals_release(void);

#endif

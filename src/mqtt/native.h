/* SPDX-License-Identifier: MIT
 *
 * The driver of our own: one thread for all sessions of the process, which starts with the first and ends with the
 * last.
 */
#ifndef FOG_NATIVE_H
#define FOG_NATIVE_H

#include "driver.h"

extern const struct fog_driver fog_native;

#endif

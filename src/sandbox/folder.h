/* SPDX-License-Identifier: MIT
 *
 * The temporary folder of one sandbox. A file in it is locked for as long as the process lives, so that the next
 * sandbox can tell what a killed one has left behind, and take it away.
 */
#ifndef FOG_FOLDER_H
#define FOG_FOLDER_H

#include <stddef.h>

/* Makes one, mode 0700, under $TMPDIR or /tmp, after sweeping. 0, or errno. */
int fog_folder_make(char *path, size_t size);

#endif

/* SPDX-License-Identifier: MIT
 *
 * The folder of one sandbox. A file in it is locked for as long as the process lives: in a temporary one so that the
 * next sandbox can tell what a killed one has left behind, and take it away, in a user's one so that two never share
 * it.
 */
#ifndef FOG_FOLDER_H
#define FOG_FOLDER_H

#include <stddef.h>

/* Makes one, mode 0700, under $TMPDIR or /tmp, after sweeping. 0, or errno. */
int fog_folder_make(char *path, size_t size);

/* Makes the user's folder, mode 0700, unless it is there, and locks it. 0, EWOULDBLOCK: another sandbox has it; or
 * errno. */
int fog_folder_take(const char *path);

/* Removes the files directly in a folder of fog_folder_make, and it. 0, or errno. */
int fog_folder_remove(const char *path);

#endif

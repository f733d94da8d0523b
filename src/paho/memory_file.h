/* SPDX-License-Identifier: MIT
 *
 * A text that a library wants to read from a file by name (Paho's certificates: traps P12), without leaving it on a
 * disk.
 */
#ifndef FOG_MEMORY_FILE_H
#define FOG_MEMORY_FILE_H

#include <stddef.h>

enum { FOG_MEMORY_FILE_PATH = 64 };

/* Puts text into a file that only this process's user can read and writes its name into path. The descriptor,
 * close-on-exec, keeps it alive; -1: errno says why. */
int fog_memory_file_open(const char *text, size_t len, char path[FOG_MEMORY_FILE_PATH]);

/* Ends it. -1 is harmless. */
void fog_memory_file_close(int fd, const char *path);

#endif

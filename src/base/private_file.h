/* SPDX-License-Identifier: MIT
 *
 * Files that hold secrets: readable by their owner only, replaced in one step, locked among processes. Every function
 * is safe against a path that somebody else prepared: a symbolic link in its place is not followed, and what is judged
 * is the open file or folder, not its name. The folders above are the caller's choice.
 */
#ifndef FOG_PRIVATE_FILE_H
#define FOG_PRIVATE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What can go wrong beyond errno; all negative. */
enum {
  FOG_FILE_FOREIGN = -1, /* it belongs to another user */
  FOG_FILE_LOOSE = -2,   /* its mode lets others read or write it */
  FOG_FILE_SPECIAL = -3, /* it is not a regular file (or, for a folder, not a folder, or a link to one) */
  FOG_FILE_LARGE = -4    /* it is larger than the limit */
};

/* Text for an errno or one of the above; static or the C library's, never NULL. */
const char *fog_private_file_text(int rc);

/* The whole file; `secret`: only one that is its owner's alone, which is ours. 0: *data is malloc'ed, *len its length.
 * Else errno or one of the above, and nothing is allocated. */
int fog_private_file_read(const char *path, size_t max, bool secret, char **data, size_t *len);

/* Replaces the file by these bytes in one step, mode 0600, on the disk when this returns: readers see the old bytes or
 * the new ones, after a power cut too. 0, or errno; then the old file is as it was. */
int fog_private_file_write(const char *path, const char *data, size_t len);

/* Adds bytes to a regular file, which is made with mode 0600 when it is not there; it may be anybody's. 0, errno or one
 * of the above; then a part of the bytes may be there. */
int fog_private_file_append(const char *path, const char *data, size_t len);

/* Makes the folder with mode 0700; one that is there must be ours and closed to others' writing. 0, errno or one of
 * the above. */
int fog_private_file_folder(const char *path);

/* Takes the lock that `path` stands for, or fails at once with EWOULDBLOCK when somebody holds it: another process, or
 * another lock of this one. The file is made if need be and stays. 0: *fd holds the lock. */
int fog_private_file_lock(const char *path, int *fd);

/* The process that has the lock, or had it last, as it noted in the file; 0 where that cannot be told. For texts only.
 */
pid_t fog_private_file_holder(const char *path);

/* Gives the lock up, also where a forked child inherited the descriptor. */
void fog_private_file_unlock(int fd);

#endif

/* SPDX-License-Identifier: MIT
 *
 * The journal's file as one of the file system: whose it is, what it is, and that one process has it.
 *
 * The lock (flock) is on the database itself. It is ours for as long as its descriptor is open, whoever removes what
 * lies beside it, and whoever in this process opens and closes the file (which takes the locks of fcntl away, SQLite's
 * among them). A forked child gives its copy of the descriptor up, so that it holds nothing when its parent has died.
 * FILE.lock is a note of the process id, for the text of an error; nothing depends on it.
 */
#ifndef FOG_DURABLE_FILE_H
#define FOG_DURABLE_FILE_H

#include <stdarg.h>
#include <sys/types.h>

#include "durable.h"

struct fog_claim {
  char *path; /* absolute, without symbolic links */
  int fd;
  dev_t dev;
  ino_t ino;
  bool empty;             /* there is nothing in it: it was made, or was empty */
  pid_t pid;              /* who claimed it */
  struct fog_claim *next; /* file.c's */
};

enum { FOG_JOURNAL_ID = 0x464f474a, FOG_JOURNAL_VERSION = 1 }; /* application_id "FOGJ" and user_version */

/* Makes the file (mode 0600; not with `existing`) or takes the one that is there, unless it is no journal, somebody
 * else's, of a later version or in use; nothing is changed then, and *error names it. */
enum fog_durable_code fog_claim_file(const char *path, bool existing, struct fog_claim *claim,
                                     struct fog_durable_error *error);

/* Gives it up, and removes the note. A claim of zeroes is harmless; in a forked child it only frees. */
void fog_claim_drop(struct fog_claim *claim);

/* The claim's path again names a new file: the rescued one, whose descriptor `fd` is locked. Takes fd. */
void fog_claim_move(struct fog_claim *claim, int fd);

/* Removes the note alone. At the process' exit, under fog_claim_each. */
void fog_claim_unnote(const struct fog_claim *claim);

/* Whether a file of this name belongs to us and is a journal by its first bytes, or empty. */
bool fog_is_journal(const char *path);

/* The name's folder comes to the disk, as far as the file system can do that. */
void fog_sync_folder(const char *path);

/* Has the file system set the bytes between the two aside for the file, which does not become larger by that. 0, or the
 * errno of a full disk, a quota, a limit; where the file system cannot do it (none but Linux' own can), 0. */
int fog_claim_reserve(const struct fog_claim *claim, int64_t from, int64_t to);

/* The same for the WAL, so that the changes of some acknowledgements find room there; and for the next one, behind the
 * end of a file that is about to be let go. */
enum { FOG_WAL_BYTES = 64 * 4120 };
void fog_claim_reserve_wal(const struct fog_claim *claim, const char *path);
void fog_claim_reserve_behind(const struct fog_claim *claim);

/* Whether the path still names the file that is claimed. Any thread. */
bool fog_claim_stands(const struct fog_claim *claim);

/* Calls fn with every claim of this process. At its exit. */
void fog_claim_each(void (*fn)(struct fog_claim *claim));

/* path with something behind it, malloc'ed; NULL: no memory. */
char *fog_beside(const char *path, const char *suffix);

/* gate.c: notes a failure and returns its code. error may be NULL. */
__attribute__((format(printf, 3, 4))) enum fog_durable_code fog_durable_fail(struct fog_durable_error *error,
                                                                             enum fog_durable_code code,
                                                                             const char *format, ...);

/* The code that an errno stands for. */
enum fog_durable_code fog_durable_code_of(int number);

#endif

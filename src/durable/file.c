/* SPDX-License-Identifier: MIT */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PRIVATE_MODE = 0600, OTHERS = 077, HEAD_BYTES = 100, VERSION_AT = 60, ID_AT = 68, TRIES = 20, NOTE_BYTES = 16 };

char *fog_beside(const char *path, const char *suffix) {
  size_t room = strlen(path) + strlen(suffix) + 1;
  char *joined = malloc(room);
  if (joined != NULL) (void)snprintf(joined, room, "%s%s", path, suffix);
  return joined;
}

/* All claims of this process. The lock is held over a fork, so that the list is whole in the child. */
static struct {
  pthread_mutex_t lock;
  pthread_once_t once;
  struct fog_claim *first;
} claims = {.lock = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT};

static void before_fork(void) { (void)pthread_mutex_lock(&claims.lock); }
static void after_fork(void) { (void)pthread_mutex_unlock(&claims.lock); }

static void in_child(void) {
  for (struct fog_claim *c = claims.first; c != NULL; c = c->next) {
    if (c->fd >= 0) (void)close(c->fd);
    c->fd = -1;
  }
  claims.first = NULL;
  after_fork();
}

static void watch_forks(void) { (void)pthread_atfork(before_fork, after_fork, in_child); }

static bool is_same(const struct stat *st, const struct fog_claim *c) {
  return st->st_dev == c->dev && st->st_ino == c->ino;
}

/* Opening the file once more and closing it would take SQLite's locks away: it is found here before. */
static bool is_claimed(const struct stat *st) {
  (void)pthread_mutex_lock(&claims.lock);
  const struct fog_claim *c = claims.first;
  while (c != NULL && !is_same(st, c)) c = c->next;
  (void)pthread_mutex_unlock(&claims.lock);
  return c != NULL;
}

static void enlist(struct fog_claim *claim) {
  (void)pthread_once(&claims.once, watch_forks);
  (void)pthread_mutex_lock(&claims.lock);
  claim->next = claims.first;
  claims.first = claim;
  (void)pthread_mutex_unlock(&claims.lock);
}

static void strike_out(const struct fog_claim *claim) {
  (void)pthread_mutex_lock(&claims.lock);
  for (struct fog_claim **at = &claims.first; *at != NULL; at = &(*at)->next) {
    if (*at != claim) continue;
    *at = claim->next;
    break;
  }
  (void)pthread_mutex_unlock(&claims.lock);
}

void fog_claim_each(void (*fn)(struct fog_claim *claim)) {
  (void)pthread_mutex_lock(&claims.lock);
  for (struct fog_claim *c = claims.first; c != NULL; c = c->next) fn(c);
  (void)pthread_mutex_unlock(&claims.lock);
}

/* The folder's real path and the file's name in it; NULL: errno says why. */
static char *absolute(const char *path) {
  const char *slash = strrchr(path, '/');
  const char *name = slash == NULL ? path : slash + 1;
  if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
    errno = *path == '\0' ? ENOENT : EISDIR;
    return NULL;
  }
  char *folder = slash == NULL ? strdup(".") : slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
  char *real = folder == NULL ? NULL : realpath(folder, NULL);
  int number = errno;
  free(folder);
  errno = number;
  if (real == NULL) return NULL;
  char *with_slash = strcmp(real, "/") == 0 ? strdup(real) : fog_beside(real, "/");
  char *joined = with_slash == NULL ? NULL : fog_beside(with_slash, name);
  free(with_slash);
  free(real);
  if (joined == NULL) errno = ENOMEM;
  return joined;
}

static enum fog_durable_code foreign(struct fog_durable_error *error, const char *path, const char *why) {
  return fog_durable_fail(error, FOG_DURABLE_FOREIGN, "%s %s: it was left as it is", path, why);
}

/* What a file may be that lies where the journal or something of its own is to be. */
static enum fog_durable_code judge(const char *path, const struct stat *st, struct fog_durable_error *error) {
  if (S_ISLNK(st->st_mode)) return foreign(error, path, "is a symbolic link");
  if (S_ISDIR(st->st_mode)) return foreign(error, path, "is a folder");
  if (!S_ISREG(st->st_mode)) return foreign(error, path, "is no regular file");
  if (st->st_uid != geteuid()) return foreign(error, path, "belongs to another user");
  return FOG_DURABLE_OK;
}

static uint32_t big_endian(const unsigned char *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool is_ours(const unsigned char *head, ssize_t n) {
  return n == HEAD_BYTES && memcmp(head, "SQLite format 3", 16) == 0 && big_endian(head + ID_AT) == FOG_JOURNAL_ID;
}

/* Whether the power failed while SQLite made the file: it holds zeroes where its first page was not written, and the
 * rollback journal beside it says that it was empty before, which is what SQLite will make of it. */
static bool is_unmade(const struct fog_claim *claim, const unsigned char *head) {
  enum { PAGES_AT = 16 }; /* how many pages the database had */
  static const unsigned char MAGIC[] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
  static const unsigned char ZEROES[HEAD_BYTES];
  unsigned char start[PAGES_AT + 4] = {0};
  if (memcmp(head, ZEROES, sizeof ZEROES) != 0) return false;
  char *path = fog_beside(claim->path, "-journal");
  int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  bool is = fd >= 0 && read(fd, start, sizeof start) == (ssize_t)sizeof start &&
            memcmp(start, MAGIC, sizeof MAGIC) == 0 && big_endian(start + PAGES_AT) == 0;
  if (fd >= 0) (void)close(fd);
  free(path);
  return is;
}

/* By the first bytes, before SQLite sees the file: it would write into any database. */
static enum fog_durable_code judge_head(struct fog_claim *claim, struct fog_durable_error *error) {
  unsigned char head[HEAD_BYTES];
  ssize_t n = pread(claim->fd, head, sizeof head, 0);
  if (n < 0) return fog_durable_fail(error, FOG_DURABLE_IO, "%s cannot be read: %s", claim->path, strerror(errno));
  claim->empty = n == 0;
  if (n == 0 || (n == HEAD_BYTES && is_unmade(claim, head))) return FOG_DURABLE_OK;
  if (!is_ours(head, n)) return foreign(error, claim->path, "is no journal");
  if (big_endian(head + VERSION_AT) <= FOG_JOURNAL_VERSION) return FOG_DURABLE_OK;
  return fog_durable_fail(error, FOG_DURABLE_NEWER,
                          "%s was written by a later version of fogcloud (format %" PRIu32 ")", claim->path,
                          big_endian(head + VERSION_AT));
}

/* SQLite's own lock tells which process has the file, else the note does. 0: nobody knows. */
static long holder(const struct fog_claim *claim) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  if (fcntl(claim->fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK && lock.l_pid > 0) return (long)lock.l_pid;
  char *path = fog_beside(claim->path, ".lock"), text[NOTE_BYTES] = "";
  int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd >= 0 && read(fd, text, sizeof text - 1) < 0) text[0] = '\0';
  if (fd >= 0) (void)close(fd);
  free(path);
  return strtol(text, NULL, 10);
}

static enum fog_durable_code in_use(const struct fog_claim *claim, struct fog_durable_error *error) {
  long pid = holder(claim);
  if (pid > 0) return fog_durable_fail(error, FOG_DURABLE_IN_USE, "%s is in use by process %ld", claim->path, pid);
  return fog_durable_fail(error, FOG_DURABLE_IN_USE, "%s is in use by another process", claim->path);
}

/* Whether a note of ours may be written over what is there: nothing, or a number. */
static bool is_note(int fd) {
  struct stat st;
  char text[NOTE_BYTES] = "";
  if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_size >= NOTE_BYTES) return false;
  return read(fd, text, sizeof text - 1) >= 0 && text[strspn(text, "0123456789\n")] == '\0';
}

static void write_note(const struct fog_claim *claim) {
  char *path = fog_beside(claim->path, ".lock"), text[NOTE_BYTES];
  int fd = path == NULL ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, PRIVATE_MODE);
  free(path);
  if (fd < 0) return;
  int len = snprintf(text, sizeof text, "%ld\n", (long)claim->pid);
  if (is_note(fd) && ftruncate(fd, 0) == 0) (void)!pwrite(fd, text, (size_t)len, 0);
  (void)close(fd);
}

/* Under the lock of the database, so nobody else's note can be there. */
void fog_claim_unnote(const struct fog_claim *claim) {
  if (!fog_claim_stands(claim)) return;
  char *path = fog_beside(claim->path, ".lock");
  int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd >= 0 && is_note(fd)) (void)unlink(path);
  if (fd >= 0) (void)close(fd);
  free(path);
}

/* Opens, or makes, what the path names. OK with fd -1: it came or went meanwhile. */
static enum fog_durable_code open_file(struct fog_claim *claim, bool existing, struct fog_durable_error *error) {
  struct stat st;
  int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  if (lstat(claim->path, &st) == 0) {
    enum fog_durable_code code = judge(claim->path, &st, error);
    if (code != FOG_DURABLE_OK) return code;
    if (is_claimed(&st)) {
      return fog_durable_fail(error, FOG_DURABLE_IN_USE, "%s is in use by this process (%ld) already", claim->path,
                              (long)getpid());
    }
  } else if (existing) {
    return fog_durable_fail(error, FOG_DURABLE_IO, "%s: %s", claim->path, strerror(errno));
  } else {
    flags |= O_CREAT | O_EXCL;
  }
  claim->fd = open(claim->path, flags, PRIVATE_MODE);
  if (claim->fd >= 0 || errno == EEXIST || errno == ENOENT || errno == ELOOP) {
    bool passing = claim->fd >= 0 || errno != ENOENT || (flags & O_CREAT) == 0;
    if (passing) return FOG_DURABLE_OK;
  }
  int number = errno;
  return fog_durable_fail(error, fog_durable_code_of(number), "%s cannot be %s: %s", claim->path,
                          (flags & O_CREAT) != 0 ? "made" : "opened", strerror(number));
}

/* Locks what was opened. OK with fd -1: another process put another file there meanwhile. */
static enum fog_durable_code lock_file(struct fog_claim *claim, struct fog_durable_error *error) {
  struct stat st, named;
  if (fstat(claim->fd, &st) != 0)
    return fog_durable_fail(error, FOG_DURABLE_IO, "%s: %s", claim->path, strerror(errno));
  enum fog_durable_code code = judge(claim->path, &st, error);
  if (code != FOG_DURABLE_OK) return code;
  if (flock(claim->fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return in_use(claim, error);
    return fog_durable_fail(error, FOG_DURABLE_IO, "%s cannot be locked: %s", claim->path, strerror(errno));
  }
  claim->dev = st.st_dev;
  claim->ino = st.st_ino;
  if (lstat(claim->path, &named) != 0 || !is_same(&named, claim)) {
    (void)close(claim->fd);
    claim->fd = -1;
    return FOG_DURABLE_OK;
  }
  code = judge_head(claim, error);
  if (code == FOG_DURABLE_OK && (st.st_mode & OTHERS) != 0) (void)fchmod(claim->fd, PRIVATE_MODE);
  return code;
}

/* SQLite would follow what lies under these names. */
static enum fog_durable_code judge_companions(const struct fog_claim *claim, struct fog_durable_error *error) {
  static const char *const suffixes[] = {"-wal", "-journal", "-shm"};
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
    struct stat st;
    char *path = fog_beside(claim->path, suffixes[i]);
    if (path == NULL) return fog_durable_fail(error, FOG_DURABLE_MEMORY, "%s: no memory", claim->path);
    enum fog_durable_code code = lstat(path, &st) == 0 ? judge(path, &st, error) : FOG_DURABLE_OK;
    free(path);
    if (code != FOG_DURABLE_OK) return code;
  }
  return FOG_DURABLE_OK;
}

enum fog_durable_code fog_claim_file(const char *path, bool existing, struct fog_claim *claim,
                                     struct fog_durable_error *error) {
  *claim = (struct fog_claim){.fd = -1, .pid = getpid()};
  claim->path = absolute(path);
  if (claim->path == NULL) {
    enum fog_durable_code code = errno == EISDIR ? FOG_DURABLE_FOREIGN : fog_durable_code_of(errno);
    return fog_durable_fail(error, code, "%s: %s", path, errno == EISDIR ? "it is a folder" : strerror(errno));
  }
  enum fog_durable_code code = FOG_DURABLE_OK;
  for (int i = 0; i < TRIES && code == FOG_DURABLE_OK && claim->fd < 0; i++) {
    code = open_file(claim, existing, error);
    if (code == FOG_DURABLE_OK && claim->fd >= 0) code = lock_file(claim, error);
  }
  if (code == FOG_DURABLE_OK && claim->fd < 0) {
    code = fog_durable_fail(error, FOG_DURABLE_IO, "%s comes and goes", claim->path);
  }
  if (code == FOG_DURABLE_OK) code = judge_companions(claim, error);
  if (code != FOG_DURABLE_OK) {
    if (claim->fd >= 0) (void)close(claim->fd);
    free(claim->path);
    *claim = (struct fog_claim){.fd = -1};
    return code;
  }
  enlist(claim);
  write_note(claim);
  return FOG_DURABLE_OK;
}

void fog_claim_drop(struct fog_claim *claim) {
  if (claim->path == NULL) return;
  if (claim->pid == getpid()) {
    fog_claim_unnote(claim);
    strike_out(claim);
    if (claim->fd >= 0) (void)close(claim->fd);
  }
  free(claim->path);
  *claim = (struct fog_claim){.fd = -1};
}

void fog_claim_move(struct fog_claim *claim, int fd) {
  struct stat st;
  (void)pthread_mutex_lock(&claims.lock);
  (void)close(claim->fd);
  claim->fd = fd;
  if (fstat(fd, &st) == 0) {
    claim->dev = st.st_dev;
    claim->ino = st.st_ino;
  }
  (void)pthread_mutex_unlock(&claims.lock);
}

bool fog_claim_stands(const struct fog_claim *claim) {
  struct stat st;
  return lstat(claim->path, &st) == 0 && is_same(&st, claim);
}

bool fog_is_journal(const char *path) {
  struct stat st;
  unsigned char head[HEAD_BYTES];
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return false;
  bool ours = fstat(fd, &st) == 0 && judge(path, &st, NULL) == FOG_DURABLE_OK;
  ssize_t n = ours ? pread(fd, head, sizeof head, 0) : -1;
  ours = n == 0 || is_ours(head, n);
  (void)close(fd);
  return ours;
}

void fog_sync_folder(const char *path) {
  char *folder = strdup(path);
  char *slash = folder == NULL ? NULL : strrchr(folder, '/');
  if (slash != NULL) {
    slash[slash == folder ? 1 : 0] = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
      (void)fsync(fd);
      (void)close(fd);
    }
  }
  free(folder);
}

static int reserve(int fd, int64_t from, int64_t to) {
#ifdef FALLOC_FL_KEEP_SIZE
  if (fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(to - from)) != 0 &&
      fog_durable_code_of(errno) == FOG_DURABLE_FULL) {
    return errno;
  }
#else
  (void)fd, (void)from, (void)to;
#endif
  return 0;
}

int fog_claim_reserve(const struct fog_claim *claim, int64_t from, int64_t to) {
  struct rlimit limit;
  bool limited = getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
  if (limited && (uint64_t)to > (uint64_t)limit.rlim_cur) return EFBIG;
  return reserve(claim->fd, from, to);
}

/* Cutting a file to the length that it has gives back what lies behind its end. */
void fog_claim_reserve_wal(const struct fog_claim *claim, const char *path) {
  struct stat st;
  int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return;
  bool full = reserve(fd, 0, FOG_WAL_BYTES) != 0;
  if (full && fstat(claim->fd, &st) == 0 && ftruncate(claim->fd, st.st_size) == 0) (void)reserve(fd, 0, FOG_WAL_BYTES);
  (void)close(fd);
}

void fog_claim_reserve_behind(const struct fog_claim *claim) {
  struct stat st;
  if (fstat(claim->fd, &st) == 0) (void)reserve(claim->fd, st.st_size, st.st_size + FOG_WAL_BYTES);
}

/* SPDX-License-Identifier: MIT
 *
 * The journal: whose file it takes, what it keeps, what it says when its file is gone, full, damaged or forked.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "durable_script.h"

static struct fog_durable_error error;

static void write_file(const char *name, const char *text, mode_t mode) {
  FILE *file = fopen(name, "wb");
  if (file == NULL) abort();
  (void)fputs(text, file);
  (void)fclose(file);
  (void)chmod(name, mode);
}

static char *beside(const char *suffix) {
  static char names[4][128];
  static int last;
  char *name = names[last++ % 4];
  (void)snprintf(name, 128, "%s%s", path, suffix);
  return name;
}

static off_t size_of(const char *name) {
  struct stat st;
  return stat(name, &st) == 0 ? st.st_size : -1;
}

/* With the path in the text. */
static bool refused(enum fog_durable_code code, const char *words) {
  struct fog_durable *d = open_with(NULL, NULL, &error);
  if (d != NULL) d->head.ops->release(d);
  bool ok = d == NULL && error.code == code && strstr(error.text, path) != NULL && strstr(error.text, words) != NULL;
  if (!ok) printf("# %s\n", d == NULL ? error.text : "opened");
  return ok;
}

static void test_refusals(void) {
  static const char KEY[] = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
  empty_folder();
  write_file(path, KEY, 0644);
  struct stat st;
  check(refused(FOG_DURABLE_FOREIGN, "is no journal") && size_of(path) == (off_t)strlen(KEY),
        "a file that is no journal");
  check(stat(path, &st) == 0 && (st.st_mode & 0777) == 0644 && files("", NULL, 0) == 1, "is left as it is");
  empty_folder();
  sqlite3 *db = NULL;
  bool made =
      sqlite3_open(path, &db) == SQLITE_OK && sqlite3_exec(db, "CREATE TABLE t(x)", NULL, NULL, NULL) == SQLITE_OK;
  (void)sqlite3_close(db);
  check(made && refused(FOG_DURABLE_FOREIGN, "is no journal"), "another's database");
  empty_folder();
  write_file(beside("-other"), "", 0600);
  check(symlink(beside("-other"), path) == 0 && refused(FOG_DURABLE_FOREIGN, "symbolic link"), "a symbolic link");
  empty_folder();
  write_file(path, "", 0600);
  check(truncate(path, 4096) == 0 && refused(FOG_DURABLE_FOREIGN, "is no journal") && size_of(path) == 4096,
        "a file of zeroes, beside which nothing says that it was to be a database");
  empty_folder();
  check(mkdir(path, 0700) == 0 && refused(FOG_DURABLE_FOREIGN, "folder") && rmdir(path) == 0, "a folder");
  check(mkfifo(path, 0600) == 0 && refused(FOG_DURABLE_FOREIGN, "regular"), "a pipe");
  empty_folder();
  write_file(beside("-other"), "", 0600);
  check(symlink(beside("-other"), beside("-wal")) == 0 && refused(FOG_DURABLE_FOREIGN, "-wal"),
        "a symbolic link where its WAL will be");
  empty_folder();
  if (geteuid() == 0) {
    write_file(path, "", 0600);
    check(chown(path, 65534, 65534) == 0 && refused(FOG_DURABLE_FOREIGN, "another user"), "another user's file");
  }
  empty_folder();
}

static void test_folder(void) {
  static const char *const wrong[] = {"", "/", ".", "..", "/tmp/", "/nowhere/at/all"};
  bool ok = true;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    struct fog_durable *d = NULL;
    const struct fog_durable_options o = {.full = false};
    ok = ok && fog_durable_open(wrong[i], &o, &d, NULL, &error) != FOG_DURABLE_OK &&
         strstr(error.text, wrong[i]) != NULL;
  }
  check(ok, "a path that names no file, or lies in no folder");
}

static void test_newer(void) {
  struct fog_durable *d = open_plain();
  d->head.ops->release(d);
  sqlite3 *db = NULL;
  (void)sqlite3_open(path, &db);
  (void)sqlite3_exec(db, "PRAGMA user_version=2", NULL, NULL, NULL);
  (void)sqlite3_close(db);
  check(refused(FOG_DURABLE_NEWER, "format 2"), "a later format");
  empty_folder();
}

static void test_modes(void) {
  struct stat st, wal;
  write_file(path, "", 0666);
  struct fog_durable *d = open_plain();
  check(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "an empty file becomes a journal, for its owner alone");
  check(stat(beside("-wal"), &wal) == 0 && (wal.st_mode & 0777) == 0600, "its WAL, too");
  d->head.ops->release(d);
  check(files("", NULL, 0) == 1, "closed it is one file");
  empty_folder();
}

/* In a child of its own: what it says of the path. */
static bool other_process_says(const char *words) {
  int status = 0;
  pid_t child = fork();
  if (child == 0) {
    char *const args[] = {"durable_test", path, (char *)words, NULL};
    (void)execv("/proc/self/exe", args);
    _exit(2);
  }
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int say(const char *name, const char *words) {
  struct fog_durable *d = NULL;
  const struct fog_durable_options o = {.full = false};
  (void)snprintf(path, sizeof path, "%s", name);
  if (fog_durable_open(path, &o, &d, NULL, &error) == FOG_DURABLE_OK) {
    d->head.ops->release(d);
    return strcmp(words, "opened") != 0;
  }
  return strstr(error.text, words) == NULL;
}

static void test_one_process(void) {
  char mine[64];
  struct fog_durable *d = open_plain();
  (void)snprintf(mine, sizeof mine, "in use by process %ld", (long)getpid());
  check(other_process_says(mine), "a second process is told who has it");
  check(refused(FOG_DURABLE_IN_USE, "this process"), "and so is the same one");
  check(other_process_says(mine), "which does not cost the lock");
  FILE *file = fopen(path, "rb");
  check(file != NULL && fclose(file) == 0 && other_process_says("in use by"), "nor does reading the file");
  check(unlink(beside(".lock")) == 0 && other_process_says("in use by"), "nor the loss of the note");
  write_file(beside(".lock"), "a poem\n", 0600);
  int pipes[2] = {-1, -1};
  char one = 0;
  bool piped = pipe(pipes) == 0;
  pid_t child = fork();
  if (child == 0) {
    (void)!write(pipes[1], "x", 1); /* it has run, and given up what it had of ours */
    for (;;) (void)pause();
  }
  piped = piped && read(pipes[0], &one, 1) == 1;
  d->head.ops->release(d);
  check(piped && other_process_says("opened"), "a forked child holds nothing once its parent has let go");
  (void)kill(child, SIGKILL);
  (void)waitpid(child, NULL, 0);
  (void)close(pipes[0]);
  (void)close(pipes[1]);
  check(size_of(beside(".lock")) == 7, "a file of that name which is no note is left alone");
  empty_folder();
}

static void test_fork(void) {
  struct fog_durable *d = open_plain();
  struct fog_durable_message m = message(1, 1);
  const struct fog_durable_ops *o = d->head.ops;
  bool ok = o->add(d, &m) == FOG_DURABLE_OK && o->commit(d, &error) == FOG_DURABLE_OK;
  m = message(2, 2);
  ok = ok && o->add(d, &m) == FOG_DURABLE_OK;
  pid_t child = fork();
  if (child == 0) {
    struct fog_durable_message other = message(3, 3);
    bool forked = o->check(d, 1, &error) == FOG_DURABLE_FORKED && strstr(error.text, "forked") != NULL;
    forked = forked && o->add(d, &other) == FOG_DURABLE_FORKED && o->commit(d, NULL) == FOG_DURABLE_FORKED;
    static sqlite3 *parents; /* its memory stays, for closing it would write: no leak of ours */
    parents = d->db;
    o->release(d);
    exit(forked && parents != NULL ? 0 : 1); /* by exit(): what runs there must leave the parent's file alone, too */
  }
  int status = 0;
  check(child > 0 && waitpid(child, &status, 0) == child && status == 0, "a forked child is told so by every function");
  struct fog_durable_counts counts;
  ok = ok && o->commit(d, NULL) == FOG_DURABLE_OK;
  o->counts(d, &counts);
  check(ok && counts.waiting == 2 && o->check(d, 1, NULL) == FOG_DURABLE_OK, "and its parent goes on");
  o->release(d);
  empty_folder();
}

static void test_gone(void) {
  static const char *const suffixes[] = {"", "-wal"};
  for (int i = 0; i < 2; i++) {
    struct fog_durable *d = open_plain();
    bool ok = d->head.ops->check(d, 10, &error) == FOG_DURABLE_OK;
    (void)unlink(beside(suffixes[i]));
    ok = ok && d->head.ops->check(d, 10, &error) == FOG_DURABLE_GONE && strstr(error.text, "was deleted") != NULL;
    check(ok, i == 0 ? "a deleted file is noticed by the next check" : "and so is a deleted WAL");
    write_file(beside(suffixes[i]), "", 0600);
    check(d->head.ops->check(d, 10, NULL) == FOG_DURABLE_GONE, "another in its place is not taken for it");
    d->head.ops->release(d);
    empty_folder();
  }
}

/* A limit on the size of files is what a full disk is to SQLite, but that the system says that there is room. */
static void test_full(void) {
  struct rlimit limit, was;
  struct fog_durable *d = open_plain();
  const struct fog_durable_ops *o = d->head.ops;
  (void)signal(SIGXFSZ, SIG_IGN);
  (void)getrlimit(RLIMIT_FSIZE, &was);
  limit = (struct rlimit){400000, was.rlim_max};
  (void)setrlimit(RLIMIT_FSIZE, &limit);
  int64_t seq = 0, written = 0;
  while (o->commit(d, &error) == FOG_DURABLE_OK && seq < 1000) {
    written = seq;
    struct fog_durable_message m = message(3 * ++seq, 0);
    (void)o->add(d, &m);
  }
  check(error.rest_is_there, "a disk that is full for new messages takes what it knows of others");
  check(error.code == FOG_DURABLE_FULL && written > 5 && o->check(d, 1, &error) == FOG_DURABLE_FULL,
        "a full disk is told");
  for (int64_t i = 1; i < written; i++) (void)o->remove(d, 3 * i);
  check(o->commit(d, NULL) == FOG_DURABLE_OK, "what is acknowledged makes room by itself");
  check(o->check(d, 1, NULL) == FOG_DURABLE_OK, "and new messages are taken again");
  struct fog_durable_counts counts;
  o->counts(d, &counts);
  check(counts.waiting == 2 && counts.waiting_bytes == 2 * (LARGE + 17), "nothing that was taken is lost");
  (void)setrlimit(RLIMIT_FSIZE, &was);
  o->release(d);
  empty_folder();
}

static bool count_one(void *ctx, const struct fog_durable_message *m) {
  int64_t *last = ctx;
  *last = m->seq;
  return true;
}

static void test_portions(void) {
  struct fog_durable *d = open_plain();
  const struct fog_durable_ops *o = d->head.ops;
  int64_t last = 0;
  for (int64_t seq = 1; seq <= 30; seq++) {
    struct fog_durable_message m = message(seq, 0);
    (void)o->add(d, &m);
  }
  bool ok = o->read(d, 0, 10, 1 << 20, count_one, &last, NULL) == FOG_DURABLE_OK && last == 0;
  check(ok && o->commit(d, NULL) == FOG_DURABLE_OK, "what is not committed is not read");
  check(o->read(d, 0, 10, 1 << 20, count_one, &last, NULL) == FOG_DURABLE_OK && last == 10, "a portion by its count");
  check(o->read(d, 3, 10, LARGE + 100, count_one, &last, NULL) == FOG_DURABLE_OK && last == 8, "and by its bytes");
  check(o->read(d, 5, 10, 1, count_one, &last, NULL) == FOG_DURABLE_OK && last == 6, "but at least one");
  struct fog_durable_message again = message(30, 0);
  check(o->add(d, &again) == FOG_DURABLE_IO, "a number that is not larger is refused");
  (void)o->set_aside(d, 4, 0x95, "too large");
  int64_t now = 0;
  check(o->commit(d, NULL) == FOG_DURABLE_OK && o->read(d, 3, 1, 1, count_one, &last, NULL) == FOG_DURABLE_OK &&
            last == 5,
        "one that is set aside is stepped over");
  check(fog_durable_resend(d, 5, &now, &error) != FOG_DURABLE_OK, "one that is not cannot be sent again");
  check(fog_durable_resend(d, 4, &now, &error) == FOG_DURABLE_OK && now == 31 &&
            o->read(d, 30, 9, 1, count_one, &last, NULL) == FOG_DURABLE_OK && last == 31,
        "one that is comes behind all others");
  o->release(d);
  empty_folder();
}

/* What a batch changes twice. */
static void test_new_ones(void) {
  struct fog_durable *d = open_plain();
  const struct fog_durable_ops *o = d->head.ops;
  for (int64_t seq = 1; seq <= 6; seq++) {
    struct fog_durable_message m = message(seq, (uint16_t)(seq < 5 ? seq : 0));
    (void)o->add(d, &m);
  }
  (void)o->released(d, 2);
  (void)o->remove(d, 3);
  (void)o->forget_ids(d, false);
  (void)o->sent(d, 5, 50);
  (void)o->set_aside(d, 6, 1, "first");
  (void)o->set_aside(d, 6, 2, NULL);
  static struct dump dump;
  check(o->commit(d, NULL) == FOG_DURABLE_OK && dump_all(d, &dump) &&
            strcmp(dump.text, "1:0:0:0: 4:0:0:0: 5:1:50:0: 6:3:0:2: ") == 0,
        "changes of messages that are not on the disk yet");
  (void)o->remove(d, 4);
  (void)o->remove(d, 1);
  (void)o->remove(d, 6);
  (void)o->remove(d, 99);
  struct fog_durable_counts counts;
  (void)o->commit(d, NULL);
  o->counts(d, &counts);
  check(counts.waiting == 1 && counts.in_flight == 1 && counts.set_aside == 0 && counts.last_seq == 6, "counts");
  o->release(d);
  empty_folder();
}

/* By exit() alone: nobody closes it. */
static void test_exit(void) {
  pid_t child = fork();
  if (child == 0) {
    struct fog_durable *d = open_plain();
    (void)note_step(d, 1);
    exit(0);
  }
  (void)waitpid(child, NULL, 0);
  check(files("", NULL, 0) == 1, "the end of a process leaves one file");
  struct fog_durable *d = open_plain();
  check(has_dump(d, 1), "with all that was taken down");
  d->head.ops->release(d);
  empty_folder();
}

int main(int argc, char **argv) {
  if (argc == 3) return say(argv[1], argv[2]);
  (void)setvbuf(stdout, NULL, _IOLBF, 0); /* what a forked child holds would be written twice */
  prepare();
  test_refusals();
  test_folder();
  test_newer();
  test_modes();
  test_one_process();
  test_fork();
  test_gone();
  test_full();
  test_portions();
  test_new_ones();
  test_exit();
  clean_up();
  return finish();
}

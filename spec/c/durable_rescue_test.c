/* SPDX-License-Identifier: MIT
 *
 * A damaged journal: set aside under a name that is told, as it was, and what can be read of it taken over; also where
 * the process that does so dies at any of its writes, or between its steps.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "durable_script.h"
#include "failing_vfs.h"

enum { PAGE = 4096, MOST = 2 << 20 };

static char whole[MOST], changed[MOST];
static size_t whole_len;
static struct fog_durable_error error;
static struct fog_durable_found found;

static char *beside(const char *suffix) {
  static char names[4][1100];
  static int last;
  char *name = names[last++ % 4];
  (void)snprintf(name, sizeof names[0], "%s%s", path, suffix);
  return name;
}

static size_t read_file(const char *name, char *to) {
  FILE *file = fopen(name, "rb");
  if (file == NULL) return 0;
  size_t len = fread(to, 1, MOST, file);
  (void)fclose(file);
  return len;
}

static void write_file(const char *name, const char *data, size_t len) {
  FILE *file = fopen(name, "wb");
  if (file == NULL || fwrite(data, 1, len, file) != len) abort();
  (void)fclose(file);
  (void)chmod(name, 0600);
}

static bool holds(const char *name, const char *data, size_t len) {
  static char text[MOST];
  return read_file(name, text) == len && memcmp(text, data, len) == 0;
}

/* The file of a whole life, in `whole`; what a damaged one is made of. */
static void make_whole(void) {
  struct fog_durable *d = open_plain();
  for (int n = 1; n <= STEPS; n++) {
    if (note_step(d, n) != FOG_DURABLE_OK || d->head.ops->commit(d, NULL) != FOG_DURABLE_OK) abort();
  }
  d->head.ops->release(d);
  whole_len = read_file(path, whole);
  empty_folder();
}

/* With the n-th page, from 1, full of nonsense behind its first bytes. */
static void damage_page(size_t n) {
  memcpy(changed, whole, whole_len);
  memset(changed + (n - 1) * PAGE + (n == 1 ? 100 : 0), 0xA5, PAGE - 100);
}

/* Every message that is told is one of those that were there, as it was. */
static bool is_part(const char *text, const char *all) {
  char one[64];
  for (const char *at = text; *at != '\0'; at += strcspn(at, " ") + 1) {
    (void)snprintf(one, sizeof one, "%.*s", (int)strcspn(at, " ") + 1, at);
    size_t numbers = strcspn(one, ":");
    if (one[0] != 'r' && strstr(all, one) == NULL) {
      one[numbers + 1] = '\0'; /* its state may have been what was damaged */
      if (strstr(all, one) == NULL || strchr(at, '!') != NULL) return false;
    }
  }
  return true;
}

static struct dump dump;

/* Opens; true where it was damaged, set aside and named, and the new one works. */
static bool is_saved(void) {
  struct fog_durable *d = open_with(NULL, &found, &error);
  if (d == NULL) return false;
  bool ok = dump_all(d, &dump) && is_part(dump.text, expected[STEPS]) && (uint64_t)dump.count == found.rescued;
  struct fog_durable_message m = message(100000, 0);
  ok = ok && d->head.ops->add(d, &m) == FOG_DURABLE_OK && d->head.ops->commit(d, NULL) == FOG_DURABLE_OK;
  d->head.ops->release(d);
  return ok && found.damaged[0] != '\0' && holds(found.damaged, changed, whole_len);
}

static void test_pages(void) {
  size_t pages = whole_len / PAGE, saved = 0, noticed = 0, most = 0;
  for (size_t n = 1; n <= pages; n++) {
    empty_folder();
    damage_page(n);
    write_file(path, changed, whole_len);
    struct fog_durable *d = open_with(NULL, &found, &error);
    if (d == NULL) continue;
    bool damaged = found.damaged[0] != '\0';
    d->head.ops->release(d);
    empty_folder();
    write_file(path, changed, whole_len);
    noticed += damaged;
    saved += damaged && is_saved();
    if (damaged && found.rescued > most) most = found.rescued;
  }
  printf("# %zu pages, %zu noticed, %zu saved, at most %zu messages\n", pages, noticed, saved, most);
  check(noticed > 5 && saved == noticed, "whichever page is damaged, what can be read is taken over");
  check(most > 40, "most of it");
  empty_folder();
}

static void test_cut(void) {
  bool ok = true;
  for (size_t len = PAGE; len < whole_len; len += 9 * PAGE) {
    empty_folder();
    memcpy(changed, whole, whole_len);
    write_file(path, changed, len);
    struct fog_durable *d = open_with(NULL, &found, &error);
    ok = ok && d != NULL && found.damaged[0] != '\0' && dump_all(d, &dump) && is_part(dump.text, expected[STEPS]);
    if (d != NULL) d->head.ops->release(d);
  }
  check(ok, "one that was cut off, too");
  empty_folder();
}

/* SQLite has nothing against another byte in a payload. */
static void test_changed_byte(void) {
  memcpy(changed, whole, whole_len);
  char *payload = memmem(changed, whole_len, "xxxxxxxx", 8);
  if (payload == NULL) abort();
  *payload = 'y';
  write_file(path, changed, whole_len);
  struct fog_durable *d = open_with(NULL, &found, &error);
  struct fog_durable_counts before, after;
  if (d == NULL) abort();
  d->head.ops->counts(d, &before);
  bool ok = found.damaged[0] == '\0' &&
            d->head.ops->read(d, 0, SIZE_MAX, SIZE_MAX, dump_one, &dump, NULL) == FOG_DURABLE_OK &&
            d->head.ops->commit(d, NULL) == FOG_DURABLE_OK;
  d->head.ops->counts(d, &after);
  ok = ok && after.set_aside == before.set_aside + 1 && after.waiting == before.waiting - 1;
  check(ok && dump_all(d, &dump) && strstr(dump.text, "its bytes were changed on the disk") != NULL,
        "a message whose bytes were changed is set aside instead of being sent");
  d->head.ops->release(d);
  empty_folder();
}

/* A page in the middle, of which a part can be read; *text is what of it. */
static void choose(char *text) {
  size_t best = 0, best_page = 0;
  for (size_t n = 2; n <= whole_len / PAGE; n++) {
    empty_folder();
    damage_page(n);
    write_file(path, changed, whole_len);
    struct fog_durable *d = open_with(NULL, &found, &error);
    if (d == NULL) continue;
    bool damaged = found.damaged[0] != '\0';
    if (damaged && found.rescued > best && dump_all(d, &dump) && is_part(dump.text, expected[STEPS])) {
      best = found.rescued;
      best_page = n;
      (void)snprintf(text, DUMP_BYTES, "%s", dump.text);
    }
    d->head.ops->release(d);
  }
  damage_page(best_page);
  empty_folder();
}

static bool is_saved_as(const char *text) {
  struct fog_durable *d = open_with(NULL, &found, &error);
  if (d == NULL) return false;
  bool ok = dump_all(d, &dump) && strcmp(dump.text, text) == 0;
  d->head.ops->release(d);
  char name[512] = "";
  ok = ok && files(".rescu", NULL, 0) == 0 && files(".damaged", name, sizeof name) >= 1;
  return ok && holds(name, changed, whole_len);
}

static void test_deaths(const char *text) {
  long wrong = 0, deaths = 0;
  for (long at = 1;; at++) {
    empty_folder();
    write_file(path, changed, whole_len);
    pid_t child = fork();
    if (child == 0) {
      set_fault(at % 2 == 0 ? VFS_DIES_WITHIN : VFS_DIES_BEFORE, at, false);
      (void)open_with("failing", NULL, NULL);
      _exit(0);
    }
    int status = 0;
    (void)waitpid(child, &status, 0);
    if (WEXITSTATUS(status) != 9) break;
    deaths++;
    wrong += !is_saved_as(text);
  }
  check(deaths > 20 && wrong == 0, "a process may die at any write of it");
}

/* The file that it becomes, in *to. */
static size_t rescued_file(char *to) {
  empty_folder();
  write_file(path, changed, whole_len);
  struct fog_durable *d = open_plain();
  d->head.ops->release(d);
  size_t len = read_file(path, to);
  empty_folder();
  return len;
}

static void test_steps(const char *text) {
  static char rescued[MOST];
  size_t len = rescued_file(rescued);
  write_file(path, changed, whole_len);
  write_file(beside(".rescuing"), rescued, len / 2);
  write_file(beside(".rescuing-wal"), rescued, len / 2);
  check(is_saved_as(text), "or before the new one is whole");
  empty_folder();
  write_file(path, changed, whole_len);
  write_file(beside(".rescued"), whole, whole_len);
  check(is_saved_as(text), "or before the damaged one has its second name");
  empty_folder();
  write_file(path, changed, whole_len);
  write_file(beside(".rescued"), rescued, len);
  check(link(path, beside(".damaged-x")) == 0 && is_saved_as(text), "or before the new one is in its place");
  empty_folder();
  write_file(beside(".damaged-x"), changed, whole_len);
  write_file(beside(".rescued"), rescued, len);
  check(is_saved_as(text), "or, where there are no hard links, when none is");
  empty_folder();
  write_file(path, changed, whole_len);
  write_file(beside(".rescued"), "mine", 4);
  struct fog_durable *d = open_with(NULL, &found, &error);
  check(d == NULL && holds(path, changed, whole_len) && holds(beside(".rescued"), "mine", 4),
        "a file of others in the way is left alone, and so is the journal");
  if (d != NULL) d->head.ops->release(d);
  empty_folder();
}

int main(void) {
  static char text[DUMP_BYTES];
  (void)setvbuf(stdout, NULL, _IOLBF, 0);
  register_failing_vfs();
  prepare();
  make_whole();
  test_pages();
  test_cut();
  test_changed_byte();
  choose(text);
  test_deaths(text);
  test_steps(text);
  clean_up();
  return finish();
}

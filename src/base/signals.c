/* SPDX-License-Identifier: MIT */
#include "signals.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>

static volatile sig_atomic_t came;
static atomic_flag caught = ATOMIC_FLAG_INIT;
static struct sigaction before_term, before_int;

static void on_signal(int number) { came = number; }

bool fog_signals_catch(void) {
  struct sigaction action;
  if (atomic_flag_test_and_set(&caught)) return false;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal; /* without SA_RESTART: a wait returns */
  (void)sigemptyset(&action.sa_mask);
  came = 0;
  (void)sigaction(SIGTERM, &action, &before_term);
  (void)sigaction(SIGINT, &action, &before_int);
  return true;
}

int fog_signals_caught(void) {
  int number = came;
  if (number != 0) came = 0;
  return number;
}

void fog_signals_release(void) {
  if (!atomic_flag_test_and_set(&caught)) { /* nothing was caught */
    atomic_flag_clear(&caught);
    return;
  }
  (void)sigaction(SIGTERM, &before_term, NULL);
  (void)sigaction(SIGINT, &before_int, NULL);
  atomic_flag_clear(&caught);
}

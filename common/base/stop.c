/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/stop.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

static atomic_bool stop_flag;
static sigset_t awaited;

/* One request may come as several signals: timeout(1) sends its own to the process and to its
 * group. */
static void take_twins(void)
{
    static const struct timespec now = {0}, moment = {.tv_nsec = 200000000};
    nanosleep(&moment, NULL);
    while (sigtimedwait(&awaited, NULL, &now) > 0)
        ;
}

/* A thread that waits, not a handler: the frame of a handler is written below the stack pointer of
 * whichever thread is struck, and oneDNN's matrix products point that into the heap. */
static void *await_signals(void *unused)
{
    (void)unused;
    for (;;) {
        int number;
        if (sigwait(&awaited, &number) != 0)
            continue;
        if (atomic_exchange(&stop_flag, true)) {
            pthread_sigmask(SIG_UNBLOCK, &awaited, NULL);
            raise(number);
        }
        take_twins();
    }
    return NULL;
}

/* Whoever started us with a signal ignored (nohup, a shell's `&`) meant it. */
static void choose_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    sigemptyset(&awaited);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction now;
        if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            sigaddset(&awaited, numbers[i]);
    }
}

void stop_install(void)
{
    pthread_t thread;
    choose_signals();
    pthread_sigmask(SIG_BLOCK, &awaited, NULL);
    if (pthread_create(&thread, NULL, await_signals, NULL) == 0)
        pthread_detach(thread);
    else
        pthread_sigmask(SIG_UNBLOCK, &awaited, NULL); /* then the first one kills */
}

bool stop_requested(void)
{
    return atomic_load_explicit(&stop_flag, memory_order_relaxed);
}

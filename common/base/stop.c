/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/stop.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

static atomic_bool stop_flag;

static void on_signal(int number)
{
    if (atomic_exchange(&stop_flag, true)) {
        signal(number, SIG_DFL);
        raise(number); /* blocked in here: it strikes when the handler returns */
    }
}

void stop_install(void)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction before, ours = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
        sigemptyset(&ours.sa_mask);
        /* Whoever started us with the signal ignored (nohup, a shell's `&`) meant it. */
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &ours, NULL);
    }
}

bool stop_requested(void)
{
    return atomic_load_explicit(&stop_flag, memory_order_relaxed);
}

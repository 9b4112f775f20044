/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which operations a backend spends its time on: its table is replaced by one that waits before and
 * after each operation of a training step and adds the time up by family. Waiting costs: what an
 * operation that does next to nothing takes is subtracted of each.
 *
 *     timed_backend_wrap(b, &e);                  before convolutions are made
 *     ... a step ...
 *     timed_backend_print(stdout);                one line a family: "family<tab>calls<tab>..."
 */
#ifndef TEG_TESTS_BENCH_TIMED_BACKEND_H
#define TEG_TESTS_BENCH_TIMED_BACKEND_H

#include <stdio.h>

#include "kernels/backend.h"

int timed_backend_wrap(struct backend *b, struct err *e);
void timed_backend_unwrap(struct backend *b);
void timed_backend_reset(void);

/*
 * Lines of seven fields with tabs between: "# FAMILY", calls, milliseconds, share of all in per
 * cent, 1e12 operations a second, 1e9 bytes a second that have to be read or written, "-" where
 * there are none. The family that takes most comes first.
 */
void timed_backend_print(FILE *to);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* How backend.c opens and closes the CPU implementation. */
#ifndef TEG_KERNELS_CPU_BACKEND_CPU_H
#define TEG_KERNELS_CPU_BACKEND_CPU_H

#include "kernels/backend.h"

int cpu_open(struct backend *b, struct err *e); /* fills ops, name, state; n_threads is set */
void cpu_close(struct backend *b);

#endif

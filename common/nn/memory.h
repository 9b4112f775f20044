/* SPDX-License-Identifier: Apache-2.0 */
/* A run that needs more memory than there is would end by the system's hand, without a word. */
#ifndef TEG_NN_MEMORY_H
#define TEG_NN_MEMORY_H

#include <stddef.h>

#include "common/base/err.h"
#include "kernels/backend.h"

/* Fails where `bytes` are more than the memory of the device. `remedy` names the options that help.
 */
int memory_check(const struct backend *b, size_t bytes, const char *remedy, struct err *e);

#endif

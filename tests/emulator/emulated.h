/* SPDX-License-Identifier: Apache-2.0 */
/* What the stand-ins for libraries share: loud checks of every call, elements of both types. */
#ifndef TEG_TESTS_EMULATOR_EMULATED_H
#define TEG_TESTS_EMULATOR_EMULATED_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/elem.h"

/* A call that the real library would refuse, or that makes no sense, ends the test. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static inline double emulated_load(const void *p, bool bf16, size_t i)
{
    return bf16 ? (double)bf16_to_f32(((const uint16_t *)p)[i]) : (double)((const float *)p)[i];
}

static inline void emulated_store(void *p, bool bf16, size_t i, double v)
{
    if (bf16)
        ((uint16_t *)p)[i] = f32_to_bf16((float)v);
    else
        ((float *)p)[i] = (float)v;
}

#endif

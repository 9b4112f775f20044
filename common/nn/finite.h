/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that are not finite end a training: which tensor they are in. */
#ifndef TEG_NN_FINITE_H
#define TEG_NN_FINITE_H

#include "common/nn/model.h"

/* Whether all of n numbers in the device's memory are finite. Of a trainable model; waits. */
bool finite_values(const struct model *m, const float *values, size_t n);
/* Fails, naming the first bad parameter, where one is not finite. */
int finite_params(const struct model *m, struct err *e);
/* What model_end_grads found, once it has: fails, naming the first bad gradient. */
int finite_grads(const struct model *m, struct err *e);

#endif

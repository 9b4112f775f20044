/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that are not finite end a training: which tensor they are in. */
#ifndef TEG_NN_FINITE_H
#define TEG_NN_FINITE_H

#include "common/nn/model.h"

/* Whether all of n numbers in the device's memory are finite. */
bool finite_values(const struct model *m, const float *values, size_t n);
/* Fails, naming the first bad parameter, where one is not finite. */
int finite_params(const struct model *m, struct err *e);
/* Fails, naming the first bad gradient, where one is not finite. */
int finite_grads(const struct model *m, struct err *e);

#endif

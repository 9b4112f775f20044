/* SPDX-License-Identifier: Apache-2.0 */
/* The device that an output is computed on. */
#ifndef TEG_NN_NN_DEVICE_H
#define TEG_NN_NN_DEVICE_H

#include "common/base/ui.h"
#include "kernels/backend.h"

extern const char *const nn_device_names[];    /* of --device, NULL-ended */
extern const char *const nn_precision_names[]; /* in the order of enum dtype, NULL-ended */

/* How a network computes: --precision of teg-train and teg-extract, f32, bf16 or tf32 (float32
 * whose products a GPU may round). */
extern const char *const nn_compute_names[];                      /* NULL-ended */
void nn_compute_parse(int choice, enum dtype *dtype, bool *tf32); /* a position in these */
const char *nn_compute_name(enum dtype dtype, bool tf32);

/*
 * Opens it; what it measures is kept in OUT.plans, beside the output `out`. While it measures, the
 * progress that is shown says so, and a request to stop is heeded.
 */
int nn_device_open(struct backend **b, const struct backend_options *options, const char *out,
                   struct ui *ui, struct err *e);

/* Tells what the device has to say to the user, once. */
void nn_device_tell(struct backend *b, struct ui *ui);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums over the steps since the last record of the training log, and the record made of them. They
 * go into checkpoints, so that an interrupted run's records are those of one that was not.
 */
#ifndef TEG_NN_TRAIN_WINDOW_H
#define TEG_NN_TRAIN_WINDOW_H

#include <stddef.h>

#include "common/base/json.h"

enum { TRAIN_MAX_VALUES = 24 };

struct train_window {
    size_t n_steps;
    double loss;
    double
        value[TRAIN_MAX_VALUES]; /* what else the task says of a step; n_values of them are used */
    /* Of this process alone: when it began, its steps, seconds that they waited for the loader. */
    double began, waited;
    size_t n_timed;
};

void train_window_reset(struct train_window *w);
void train_window_add(struct train_window *w, double loss, const double *value, size_t n_values);

/* As a list of numbers: n_steps, loss, the values. */
struct json *train_window_to_json(const struct train_window *w, size_t n_values);
int train_window_from_json(struct train_window *w, const struct json *j, size_t n_values,
                           struct err *e);

#endif

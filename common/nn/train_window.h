/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums over the steps since the last record of the training log, and the record made of them. They
 * go into checkpoints, so that an interrupted run's records are those of one that was not.
 */
#ifndef TEG_NN_TRAIN_WINDOW_H
#define TEG_NN_TRAIN_WINDOW_H

#include <stddef.h>

#include "common/base/json.h"
#include "common/nn/objective.h"

struct train_window {
    size_t n_steps;
    double loss;
    struct loss_part part[OBJECTIVE_MAX];
    /* Of this process alone: when it began, its steps, seconds that they waited for the loader. */
    double began, waited;
    size_t n_timed;
};

void train_window_reset(struct train_window *w);
void train_window_add(struct train_window *w, double loss, const struct loss_part *part,
                      int n_parts);

/* As a list of numbers: n_steps, loss, and the three of each part. */
struct json *train_window_to_json(const struct train_window *w, int n_parts);
int train_window_from_json(struct train_window *w, const struct json *j, int n_parts,
                           struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Predictions of AVA from the scores of an embeddings store (teg-extract of a model of task
 * localize): the rows of a CSV file, "video,timestamp,x1,y1,x2,y2,class,score", with the
 * probability of the action times the certainty of the box as the score (RECIPE section 4).
 */
#ifndef TEG_EVAL_AVA_SCORES_H
#define TEG_EVAL_AVA_SCORES_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/eval/ava_labels.h"

/*
 * Appends the rows of all people and of all classes that the label map has too, by their names; a
 * class "action 12" is the one with this number. Fails where the store holds no scores of people,
 * or no class of the map.
 */
int ava_scores_to_csv(const char *path, const struct ava_labels *labels, struct buf *csv,
                      struct err *e);

#endif

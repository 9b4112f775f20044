/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of several raters' annotations count (Kinetics-GEBD): those of the one who agrees best with
 * the others.
 *
 *     const struct json *times = json_at(raters, agreement_best(consistency, json_len(raters)));
 */
#ifndef TEG_SAMPLING_AGREEMENT_H
#define TEG_SAMPLING_AGREEMENT_H

#include <stddef.h>

#include "common/base/json.h"

/*
 * Position of the first maximum among the first n numbers of an array, as numpy.argmax has it: the
 * first NaN, which an index holds as null, is the maximum. 0 where there are none.
 */
size_t agreement_best(const struct json *consistency, size_t n);

#endif

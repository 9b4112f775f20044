/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sampling/agreement.h"

#include <math.h>

static double number(const struct json *v)
{
    return json_kind(v) == JSON_NULL ? NAN : json_f64(v);
}

size_t agreement_best(const struct json *consistency, size_t n)
{
    size_t best = 0, len = json_len(consistency);
    for (size_t i = 0; i < n && i < len; i++) {
        double x = number(json_at(consistency, i)), most = number(json_at(consistency, best));
        if (!isnan(most) && (x > most || isnan(x)))
            best = i;
    }
    return best;
}

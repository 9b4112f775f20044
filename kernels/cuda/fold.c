/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/fold.h"

enum { WIDE_BF16 = 8, WIDE_F32 = 4 }; /* channels that engines take: 16 bytes */

static size_t unit_of(const struct conv_desc *d)
{
    return d->dtype == DTYPE_BF16 ? WIDE_BF16 : WIDE_F32;
}

bool conv_is_narrow(const struct conv_desc *d)
{
    return !conv_is_product(d) && d->c_in < unit_of(d);
}

struct conv_fold conv_fold_of(const struct conv_desc *narrow)
{
    struct conv_fold f = {.narrow = *narrow, .wide = *narrow};
    struct conv_desc *w = &f.wide;
    size_t unit = unit_of(narrow);
    w->n = narrow->n * conv_out(narrow, 0);
    f.used = narrow->kernel[0] * narrow->c_in;
    for (int i = 0; i < 3; i++) {
        w->kernel[i] = i ? (narrow->kernel[i] + narrow->stride[i] - 1) / narrow->stride[i] : 1;
        w->in[i] = i ? conv_out(narrow, i) + w->kernel[i] - 1 : 1;
        w->stride[i] = 1;
        w->pad[i] = 0;
    }
    for (int i = 0; i < 2; i++) {
        size_t kernel = narrow->kernel[i + 1], stride = narrow->stride[i + 1];
        f.step[i] = kernel < stride ? kernel : stride;
        f.used *= f.step[i];
    }
    w->c_in = (f.used + unit - 1) / unit * unit;
    w->share = NULL;
    w->with_apply = w->with_sums = w->with_first =
        false; /* what is around it is of the narrow one */
    w->then = THEN_NOTHING;
    return f;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the contrastive loss that is no matrix product: rows of the similarity matrix. */
#ifndef TEG_KERNELS_CUDA_CONTRAST_ROWS_H
#define TEG_KERNELS_CUDA_CONTRAST_ROWS_H

#include "kernels/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of one anchor; in the order of CONTRAST_LOSS and so on. */
struct contrast_sums {
    double loss, positive, negative;
};

struct contrast_rows {
    float *sim;              /* [n, n_keys]: cosines; with `gradient` their gradients afterwards */
    size_t first, n, n_keys; /* anchors first .. first + n - 1 */
    const uint32_t *positive, *anchor_video, *key_video; /* of all; device memory */
    bool other_only, gradient;
    float temperature, scale;
    struct contrast_sums *result; /* of all anchors; device memory */
};
int contrast_rows_run(struct backend *b, const struct contrast_rows *a);

/* sums [CONTRAST_SUMS]: over n anchors. */
int contrast_rows_total(struct backend *b, const struct contrast_sums *rows, size_t n,
                        double *sums);

#ifdef __cplusplus
}
#endif

#endif

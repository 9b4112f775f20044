/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A convolution of few channels (of pictures) seen as one of many: the libraries' fast engines want
 * 8 or 64 channels, and zeros for the missing ones would be multiplied too. The channels of
 * everything that a window reads in one step of its stride are put side by side:
 *
 *     wide x [n * out[0], 1, h', w', c']    plane (n, t), place (h, w): for every tap k in time and
 *                                           every place (rh, rw) of the step from
 *                                           (h, w) * stride - pad on, the c channels of x there
 *     wide w [O, 1, kh', kw', c']           the same places of the window
 *
 * with kh' = ceil(kernel / stride), and zeros beyond the edges, beyond the kernel and up to c'.
 * What is left is a 2-D convolution with stride 1 and no padding, whose y is the same memory. The
 * stem of R3D, 5x7x7 of 3 channels, becomes 4x4 of 64: 1024 products a sum instead of 735, or of
 * 1960 with 8 channels.
 */
#ifndef TEG_KERNELS_CUDA_FOLD_H
#define TEG_KERNELS_CUDA_FOLD_H

#include "kernels/cuda/conv_view.h"

#ifdef __cplusplus
extern "C" {
#endif

struct conv_fold {
    struct conv_desc narrow, wide;
    size_t step[2]; /* places of a step, down and across: of the stride, those that are read */
    size_t used;    /* channels of c' that hold something */
};

/* Whether it has too few channels for fast engines. */
bool conv_is_narrow(const struct conv_desc *d);
struct conv_fold conv_fold_of(const struct conv_desc *narrow);

/* x and wide x are of the convolution's dtype. Unfolding one, a gradient, adds up its copies. */
int cuda_fold_input(struct backend *b, const struct conv_fold *f, const void *x, void *wide);
int cuda_unfold_input(struct backend *b, const struct conv_fold *f, const void *wide, void *x);

/* w is float32; wide w is of the convolution's dtype, or a gradient of `type`. */
int cuda_fold_weights(struct backend *b, const struct conv_fold *f, const float *w, void *wide);
struct unfold_weights {
    const void *wide;
    enum dtype type;
    float *w;
    bool add; /* to what is there */
};
int cuda_unfold_weights(struct backend *b, const struct conv_fold *f,
                        const struct unfold_weights *u);

#ifdef __cplusplus
}
#endif

#endif

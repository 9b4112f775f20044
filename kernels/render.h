/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every implementation of the operation `render` prepares on the host: arguments checked once,
 * constants derived once, so that devices differ only in their loops. The chain, for each picture
 * of a clip (RECIPE section 3, "Augmentation"):
 *
 *  1. NV12 -> RGB in float, clipped to [0, 1], never rounded to 8 bits. The four luma samples of a
 * 2x2 block share its chroma sample (no chroma interpolation, as common converters of NV12 do).
 *  2. crop; bilinear resize to size x size with half-pixel centres, edges clamped to the crop box,
 * no antialias. A crop box of size x size copies the converted pixels exactly.
 *  3. mirror left-right.
 *  4. colour jitter: brightness x * f; contrast (x - m) * f + m, m the channel's mean over all
 * pixels of the whole clip as they are at this point; saturation and hue in HSV; in the given
 * order, clipped after each.
 *  5. greyscale.
 *  6. Gaussian blur, rows then columns: 2 * floor(size / 20) + 1 taps exp(-d^2 / (2 sigma^2)) with
 * sum 1, sigma in output pixels at every output size, zeros outside of the picture (as in the
 * public CVRL code). Sizes below 20 have one tap: no blur.
 *  7. solarise.
 */
#ifndef TEG_KERNELS_RENDER_H
#define TEG_KERNELS_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "kernels/backend.h"
#include "kernels/elem.h"

enum { RENDER_MAX_SIZE = 2048, RENDER_MAX_RADIUS = RENDER_MAX_SIZE / 20 };
enum render_op { RENDER_BRIGHTNESS, RENDER_CONTRAST, RENDER_SATURATION, RENDER_HUE, RENDER_N_OPS };

struct render_plan {
    struct elem_yuv yuv;
    enum render_op op[RENDER_N_OPS]; /* the order of the jitter */
    size_t n_ops;                    /* 0: no jitter */
    size_t contrast_at;         /* position of RENDER_CONTRAST in op; n_ops where there is none */
    float factor[RENDER_N_OPS]; /* by enum render_op; hue in sixths of the circle, [0, 6) */
    size_t radius;              /* of the blur; 0 none */
    float tap[RENDER_MAX_RADIUS + 1]; /* weight at distance 0 .. radius */
};

/* Refuses impossible arguments (sizes, crop box, factors, order); fills `plan`. */
int render_prepare(struct render_plan *plan, const struct render_args *args, struct err *e);

/* Where output position i of a resize from n_in to n_out pixels lies: between low and high, at `t`
 * of the way. */
struct render_position {
    int low, high;
    float t;
};
struct render_position render_position(size_t i, size_t n_in, size_t n_out);

/*
 * Picture `frame` as people look at it: the true size, 8 bits, colours converted as in step 1 and
 * rounded. rgb is [height, width, 3].
 */
int render_picture(const struct clip_pixels *pixels, size_t frame, uint8_t *rgb, struct err *e);

#endif

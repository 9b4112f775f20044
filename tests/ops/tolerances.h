/* SPDX-License-Identifier: Apache-2.0 */
/* The tolerances of the operation tests: one table, a reason per line. All are absolute unless the
 * name says so. */
#ifndef TEG_TESTS_OPS_TOLERANCES_H
#define TEG_TESTS_OPS_TOLERANCES_H

/* pixels in [0, 1]: a chain of some 20 float32 roundings, 6e-8 each */
#define TOLERANCE_PIXEL 1e-5f
/* half a unit in the last place of bfloat16 below 1: 2^-9 */
#define TOLERANCE_PIXEL_BF16 0.002f
/* published 8-bit Y'CbCr is rounded in all three components */
#define TOLERANCE_COLOUR_BAR (2.0f / 255.0f)

/* tensors, relative to the norm of the right answer: sums of up to 1e5 float32 products */
#define TOLERANCE_F32 2e-6
/* one rounding of the result to bfloat16: 2^-9 at most, each element */
#define TOLERANCE_BF16 4e-3

/* a weight gradient of bfloat16 factors on a GPU: cuDNN may have no engine that leaves it in
 * float32
 */
#define TOLERANCE_BF16_GRADIENT TOLERANCE_BF16

/* products whose factors have 10 bits: 2^-10 each, on one side, where they are cut off and not
 * rounded */
#define TOLERANCE_TF32 2e-3

/* an objective and its gradient in float32 against float64: the bar set for them */
#define TOLERANCE_OBJECTIVE 1e-5
/* central differences of a float32 objective */
#define TOLERANCE_FINITE_DIFFERENCE 2e-3

/* outputs and gradients of a whole backbone: the bars set for them */
#define TOLERANCE_BACKBONE_F32  1e-5
#define TOLERANCE_BACKBONE_BF16 2e-2

/* a probability in float32: exp within 6e-8, a division, a factor */
#define TOLERANCE_SOFTMAX 1e-6
/* the loss of a row: its sum in float32, then float64 */
#define TOLERANCE_LOSS 1e-6
/* central differences with step 1/64: a third derivative < 1 */
#define TOLERANCE_DIFFERENCE 1e-3

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The tolerances of the operation tests: one table, a reason per line. All are absolute unless the
 * name says so. */
#ifndef TEG_TESTS_OPS_TOLERANCES_H
#define TEG_TESTS_OPS_TOLERANCES_H

/* pixels in [0, 1] */
#define TOLERANCE_PIXEL 1e-5f /* float32 against float64: a chain of some 20 roundings, 6e-8 each  \
                               */
#define TOLERANCE_PIXEL_BF16 0.002f /* half a unit in the last place of bfloat16 below 1: 2^-9 */
#define TOLERANCE_COLOUR_BAR                                                                       \
    (2.0f / 255.0f) /* published 8-bit Y'CbCr is rounded in all three components */

#endif

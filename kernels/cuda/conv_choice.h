/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How one pass of a convolution is computed, as it is kept in a plan file:
 *
 *     product 0 algorithm 21 in 0.31 ms
 *     graph 2 1 engine 65 knobs 811c9dc5 bf16 in 0.42 ms
 *     fused after in 0.55 ms, apart in 0.71
 */
#ifndef TEG_KERNELS_CUDA_CONV_CHOICE_H
#define TEG_KERNELS_CUDA_CONV_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/cuda/conv_plan.h"

enum { CONV_CHOICE_NAME = 96, CONV_CHOICE_TEXT = 160 }; /* bytes */

enum conv_way { WAY_PLAIN, WAY_PRODUCT, WAY_GRAPH, WAY_FUSED };

/* What was chosen, as it can be found again. */
struct conv_choice {
    enum conv_way way;
    int n_spatial, index; /* of the graph's view; in the list of choices */
    long number;          /* what the library calls it, and its settings: the list is the same */
    uint32_t knobs;
    enum dtype w_type;
    enum conv_fusion fusion; /* where fused.h computes it */
    float ms, apart_ms;      /* measured; and with what is around it, where fused.h computes it */
};

/* What was chosen, without what was measured. */
void conv_choice_name(const struct conv_choice *c, char name[CONV_CHOICE_NAME]);
/* With it, for who reads the file. */
void conv_choice_write(const struct conv_choice *c, char text[CONV_CHOICE_TEXT]);
/* False where it says something else: the choice is made again. */
bool conv_choice_read(struct conv_choice *c, const char *text);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How alike the clips of one video are, against clips of other videos (paper, appendix B): cosine
 * similarity between the mean features of different moments. Exact over all pairs, by sums of unit
 * vectors.
 *
 *     similarity_new(&s, C, n_moments, n_full, &e);
 *     similarity_add(s, &video, &e);                once a video
 *     similarity_within(s, &cosine), similarity_between(s, &cosine), similarity_mean(s)
 */
#ifndef TEG_EVAL_SIMILARITY_H
#define TEG_EVAL_SIMILARITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum { SIMILARITY_MAX_MOMENTS = 32, SIMILARITY_EXAMPLES = 6 };

struct similarity_example {
    char *id;
    double *cosine; /* [n_moments, n_moments] */
};

struct similarity;

/*
 * Matrices are kept of videos with exactly n_moments different clip numbers (2 ..
 * SIMILARITY_MAX_MOMENTS; 0: none are); n_full such videos will come, of which some, evenly spread,
 * become examples.
 */
int similarity_new(struct similarity **s, size_t n_channels, size_t n_moments, size_t n_full,
                   struct err *e);
void similarity_free(struct similarity *s); /* NULL allowed */

/* One row a clip. Rows of equal clip number are views of one moment and are averaged. */
struct similarity_video {
    const char *id;
    size_t n;               /* rows, at least 1 */
    const uint32_t *moment; /* [n] clip number; the moments are put in ascending order */
    const float *x;         /* [n, C] */
};
int similarity_add(struct similarity *s, const struct similarity_video *video, struct err *e);

/* Mean over videos of the mean cosine between different moments; false where no video has two. */
bool similarity_within(const struct similarity *s, double *cosine);
/* Mean cosine over all pairs of moments of different videos; false where there is one video. */
bool similarity_between(const struct similarity *s, double *cosine);

size_t similarity_n_moments(const struct similarity *s);
size_t similarity_n_full(const struct similarity *s); /* matrices so far */
/* [n_moments, n_moments], mean of the matrices; borrowed. NULL where there are none. */
const double *similarity_mean(const struct similarity *s);
size_t similarity_n_examples(const struct similarity *s);
const struct similarity_example *similarity_example(const struct similarity *s, size_t i);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A source for the loader: batches of pairs of a long and a short clip, drawn from a frames store
 * without a sample table.
 *
 *     random_pairs_open(&p, path, &(struct random_pairs_options){64, {32, 16}, 20, NULL}, &e);
 *     struct loader_options o = {.backend = b, .clips = {224, DTYPE_BF16}};
 *     random_pairs_load(p, &o, &loader, &e);
 *     ... loader_next, loader_free ...
 *     random_pairs_close(p);
 */
#ifndef TEG_TESTS_BENCH_RANDOM_PAIRS_H
#define TEG_TESTS_BENCH_RANDOM_PAIRS_H

#include "common/nn/loader.h"
#include "common/sampling/augment.h"

struct random_pairs_options {
    size_t batch;
    size_t length[CLIP_N_ROLES]; /* frames of a clip, by role; every 4th and every 2nd of a video */
    size_t n_batches;
    const struct augment *augment; /* copied; NULL: always 4/5 of the picture, jitter and blur */
};

struct random_pairs;
int random_pairs_open(struct random_pairs **p, const char *frames,
                      const struct random_pairs_options *o, struct err *e);
void random_pairs_close(struct random_pairs *p);

/* A loader of these; of `o`, what is not said by the pairs. */
int random_pairs_load(struct random_pairs *p, const struct loader_options *o, struct loader **l,
                      struct err *e);

#endif

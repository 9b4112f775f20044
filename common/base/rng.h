/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random numbers from (seed, stream, item): every work item owns a generator, so results never
 * depend on the number of threads or on what was drawn before. Philox 4x32-10 (Salmon et al. 2011)
 * in counter mode.
 *
 *     struct rng r;
 *     rng_init(&r, seed, RNG_STREAM_CLIP, item);
 *     double u = rng_f64(&r);
 */
#ifndef TEG_BASE_RNG_H
#define TEG_BASE_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t block[4];
    unsigned used; /* words of block already handed out */
};

/* `stream` separates uses of one seed; `item` numbers the work items inside a use. */
void rng_init(struct rng *r, uint64_t seed, uint32_t stream, uint64_t item);

uint32_t rng_u32(struct rng *r);
uint64_t rng_u64(struct rng *r);
double rng_f64(struct rng *r);                           /* uniform in [0, 1), 53 bits */
double rng_uniform(struct rng *r, double lo, double hi); /* uniform in [lo, hi) */
uint64_t rng_below(struct rng *r, uint64_t n);           /* uniform in [0, n), unbiased; n > 0 */
double rng_normal(struct rng *r);                        /* mean 0, deviation 1 (Box-Muller) */
bool rng_chance(struct rng *r, double p); /* true with probability p; always draws one number */
void rng_shuffle_u32(struct rng *r, uint32_t *v, uint64_t n);

#endif

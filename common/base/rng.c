/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/rng.h"

#include <math.h>

#include "common/base/philox.h"

/* The counter is (block number, stream, item): 2^34 numbers an item before the first repeats. */
void rng_init(struct rng *r, uint64_t seed, uint32_t stream, uint64_t item)
{
    *r = (struct rng){
        .key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
        .counter = {0, stream, (uint32_t)item, (uint32_t)(item >> 32)},
        .used = 4,
    };
}

uint32_t rng_u32(struct rng *r)
{
    if (r->used == 4) {
        philox_block(r->counter, r->key, r->block);
        r->counter[0]++;
        r->used = 0;
    }
    return r->block[r->used++];
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t low = rng_u32(r);
    return (uint64_t)rng_u32(r) << 32 | low;
}

double rng_f64(struct rng *r)
{
    return (double)(rng_u64(r) >> 11) * 0x1p-53;
}

double rng_uniform(struct rng *r, double lo, double hi)
{
    double x = lo + (hi - lo) * rng_f64(r);
    return x < hi ? x : nextafter(hi, lo); /* the sum may have been rounded up */
}

/* Lemire 2019: the high half of a product, low halves that would favour some results thrown away.
 */
uint64_t rng_below(struct rng *r, uint64_t n)
{
    uint64_t unfair = -n % n;
    unsigned __int128 product;
    do
        product = (unsigned __int128)rng_u64(r) * n;
    while ((uint64_t)product < unfair);
    return (uint64_t)(product >> 64);
}

double rng_normal(struct rng *r)
{
    double radius = sqrt(-2 * log(1 - rng_f64(r)));
    return radius * cos(2 * M_PI * rng_f64(r));
}

bool rng_chance(struct rng *r, double p)
{
    return rng_f64(r) < p;
}

void rng_shuffle_u32(struct rng *r, uint32_t *v, uint64_t n)
{
    for (; n > 1; n--) {
        uint64_t i = rng_below(r, n);
        uint32_t last = v[n - 1];
        v[n - 1] = v[i];
        v[i] = last;
    }
}

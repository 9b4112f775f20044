/* SPDX-License-Identifier: Apache-2.0 */
/* Embeddings (mean over k steps, unit length) and the contrastive loss of equations 2 and 3. */
#include <math.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/onednn.h"

/* Below this length a mean is treated as having it, so that a zero vector has a finite gradient. */
static const double min_norm = 1e-12;

int cpu_embed(struct backend *b, const struct embed_args *a)
{
    (void)b;
    size_t per_clip = a->steps / a->k, d = a->dim;
    for (size_t i = 0; i < a->n * per_clip; i++) {
        const float *z = a->z + (i / per_clip * a->steps + i % per_clip * a->k) * d;
        float *u = a->u + i * d;
        double square = 0.0;
        for (size_t c = 0; c < d; c++) {
            double sum = 0.0;
            for (size_t s = 0; s < a->k; s++)
                sum += (double)z[s * d + c];
            u[c] = (float)(sum / (double)a->k);
            square += (double)u[c] * (double)u[c];
        }
        double norm = sqrt(square);
        a->inv_norm[i] = (float)(1.0 / (norm > min_norm ? norm : min_norm));
        for (size_t c = 0; c < d; c++)
            u[c] *= a->inv_norm[i];
    }
    return 0;
}

/* u = m / |m|: dm = (du - u (u . du)) / |m|, and each of the k steps gets dm / k. */
int cpu_embed_grad(struct backend *b, const struct embed_grad_args *a)
{
    (void)b;
    size_t per_clip = a->steps / a->k, d = a->dim;
    if (!a->accumulate)
        memset(a->dz, 0, a->n * a->steps * d * sizeof *a->dz);
    for (size_t i = 0; i < a->n * per_clip; i++) {
        const float *u = a->u + i * d, *du = a->du + i * d;
        float *dz = a->dz + (i / per_clip * a->steps + i % per_clip * a->k) * d;
        double along = 0.0;
        for (size_t c = 0; c < d; c++)
            along += (double)u[c] * (double)du[c];
        float factor = a->inv_norm[i] / (float)a->k;
        for (size_t c = 0; c < d; c++) {
            float dm = (float)((double)du[c] - (double)u[c] * along) * factor;
            for (size_t s = 0; s < a->k; s++)
                dz[s * d + c] += dm;
        }
    }
    return 0;
}

/* -- the loss: anchors in blocks of rows, so that the similarity matrix never exists as a whole --
 */

enum { ANCHOR_BLOCK = 256 };

struct row_result {
    double loss, positive, negative;
};

static bool allowed(const struct contrast_args *a, size_t anchor, size_t key)
{
    return !a->other_only || key == a->positive[anchor] ||
           a->key_video[key] != a->anchor_video[anchor];
}

/* Similarities of one anchor in, gradient of scale * loss with respect to them out. */
static struct row_result contrast_row(const struct contrast_args *a, size_t anchor, float *sim)
{
    double inv_t = 1.0 / (double)a->temperature, top = -1e30, total = 0.0, others = 0.0;
    size_t positive = a->positive[anchor], n_candidates = 0;
    struct row_result r = {.positive = (double)sim[positive]};
    for (size_t j = 0; j < a->n_keys; j++)
        if (allowed(a, anchor, j)) {
            top = (double)sim[j] > top ? (double)sim[j] : top;
            others += (double)sim[j];
            n_candidates++;
        }
    for (size_t j = 0; j < a->n_keys; j++)
        if (allowed(a, anchor, j))
            total += exp(((double)sim[j] - top) * inv_t);
    r.loss = log(total) + (top - r.positive) * inv_t;
    r.negative = n_candidates > 1 ? (others - r.positive) / (double)(n_candidates - 1) : 0.0;
    double factor = (double)a->scale * inv_t;
    for (size_t j = 0; j < a->n_keys; j++) {
        double p = allowed(a, anchor, j) ? exp(((double)sim[j] - top) * inv_t) / total : 0.0;
        sim[j] = (float)(factor * (p - (j == positive ? 1.0 : 0.0)));
    }
    return r;
}

static int contrast_block(struct backend *b, const struct contrast_args *a, size_t begin, size_t n,
                          float *sim, struct err *e)
{
    const float *anchors = a->anchors + begin * a->dim;
    struct sgemm similarity = {.m = n,
                               .n = a->n_keys,
                               .k = a->dim,
                               .a = anchors,
                               .lda = a->dim,
                               .b = a->keys,
                               .ldb = a->dim,
                               .b_transposed = 1,
                               .c = sim,
                               .ldc = a->n_keys};
    if (onednn_sgemm(&similarity, e) < 0)
        return ERR_FAIL;
    struct row_result row[ANCHOR_BLOCK];
#pragma omp parallel for num_threads(b->n_threads) schedule(static)
    for (size_t i = 0; i < n; i++)
        row[i] = contrast_row(a, begin + i, sim + i * a->n_keys);
    for (size_t i = 0; i < n; i++) {
        a->sums[CONTRAST_LOSS] += row[i].loss;
        a->sums[CONTRAST_POSITIVE] += row[i].positive;
        a->sums[CONTRAST_NEGATIVE] += row[i].negative;
    }
    if (!a->d_anchors)
        return 0;
    struct sgemm to_anchors = {.m = n,
                               .n = a->dim,
                               .k = a->n_keys,
                               .a = sim,
                               .lda = a->n_keys,
                               .b = a->keys,
                               .ldb = a->dim,
                               .beta = 1.0f,
                               .c = a->d_anchors + begin * a->dim,
                               .ldc = a->dim};
    struct sgemm to_keys = {.m = a->n_keys,
                            .n = a->dim,
                            .k = n,
                            .a = sim,
                            .lda = a->n_keys,
                            .a_transposed = 1,
                            .b = anchors,
                            .ldb = a->dim,
                            .beta = 1.0f,
                            .c = a->d_keys,
                            .ldc = a->dim};
    return onednn_sgemm(&to_anchors, e) < 0 ? ERR_FAIL : onednn_sgemm(&to_keys, e);
}

int cpu_contrast(struct backend *b, const struct contrast_args *a, struct err *e)
{
    memset(a->sums, 0, CONTRAST_SUMS * sizeof *a->sums);
    float *sim = cpu_scratch(b, (size_t)ANCHOR_BLOCK * a->n_keys * sizeof *sim);
    if (!sim)
        return err_set(e, "not enough memory for %zu similarities", ANCHOR_BLOCK * a->n_keys);
    for (size_t begin = 0; begin < a->n_anchors; begin += ANCHOR_BLOCK) {
        size_t left = a->n_anchors - begin, n = left < ANCHOR_BLOCK ? left : ANCHOR_BLOCK;
        if (contrast_block(b, a, begin, n, sim, e) < 0)
            return ERR_FAIL;
    }
    return 0;
}

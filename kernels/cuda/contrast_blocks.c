/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contrastive loss of equations 2 and 3: anchors in blocks of rows, so that the similarity
 * matrix never exists as a whole. The products are exact float32, whatever the precision.
 */
#include "kernels/cuda/contrast_rows.h"
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/gemm.h"

enum { ANCHOR_BLOCK = 256 };

/* The products of one block, and where their temporaries lie in the scratch memory. */
struct block_plan {
    struct gemm *similarity, *to_anchors, *to_keys;
    size_t workspace_bytes;
};

static int plan_block(struct backend *b, const struct contrast_args *a, size_t n,
                      struct block_plan *p, struct err *e)
{
    const struct gemm_desc similarity = {.m = n, .n = a->n_keys, .k = a->dim, .b_transposed = true};
    const struct gemm_desc to_anchors = {.m = n, .n = a->dim, .k = a->n_keys};
    const struct gemm_desc to_keys = {.m = a->n_keys, .n = a->dim, .k = n, .a_transposed = true};
    struct gemm **gemm[] = {&p->similarity, &p->to_anchors, &p->to_keys};
    const struct gemm_desc *desc[] = {&similarity, &to_anchors, &to_keys};
    p->workspace_bytes = 0;
    for (int i = 0; i < (a->d_anchors ? 3 : 1); i++) {
        *gemm[i] = gemm_cached(b, desc[i], e);
        if (!*gemm[i])
            return ERR_FAIL;
        size_t bytes = gemm_workspace_bytes(*gemm[i]);
        p->workspace_bytes = bytes > p->workspace_bytes ? bytes : p->workspace_bytes;
    }
    return 0;
}

static int run_block(struct backend *b, const struct contrast_args *a, struct contrast_rows *rows,
                     void *workspace, struct err *e)
{
    struct block_plan p;
    const float *anchors = a->anchors + rows->first * a->dim;
    if (plan_block(b, a, rows->n, &p, e) < 0)
        return ERR_FAIL;
    struct gemm_data similarity = {anchors, a->keys, rows->sim, workspace, 0.0f};
    if (gemm_run(p.similarity, &similarity, e) < 0)
        return ERR_FAIL;
    if (contrast_rows_run(b, rows) < 0)
        return err_set(e, "the contrastive loss failed");
    if (!a->d_anchors)
        return 0;
    struct gemm_data to_anchors = {rows->sim, a->keys, a->d_anchors + rows->first * a->dim,
                                   workspace, 1.0f};
    struct gemm_data to_keys = {rows->sim, anchors, a->d_keys, workspace, 1.0f};
    return gemm_run(p.to_anchors, &to_anchors, e) < 0 ? ERR_FAIL : gemm_run(p.to_keys, &to_keys, e);
}

/* The largest workspace of a whole block and of the last one. */
static int workspace_for(struct backend *b, const struct contrast_args *a, size_t step,
                         size_t *bytes, struct err *e)
{
    struct block_plan whole, last;
    size_t rest = a->n_anchors % step;
    if (plan_block(b, a, step, &whole, e) < 0 || plan_block(b, a, rest ? rest : step, &last, e) < 0)
        return ERR_FAIL;
    *bytes =
        whole.workspace_bytes > last.workspace_bytes ? whole.workspace_bytes : last.workspace_bytes;
    return 0;
}

int cuda_contrast(struct backend *b, const struct contrast_args *a, struct err *e)
{
    if (a->n_anchors == 0)
        return cuda_zero(b, a->sums, CONTRAST_SUMS * sizeof *a->sums, e);
    size_t step = a->n_anchors < ANCHOR_BLOCK ? a->n_anchors : ANCHOR_BLOCK, workspace_bytes;
    if (workspace_for(b, a, step, &workspace_bytes, e) < 0)
        return ERR_FAIL;
    size_t sim = cuda_align(step * a->n_keys * sizeof(float));
    size_t result = cuda_align(a->n_anchors * sizeof(struct contrast_sums));
    char *scratch = cuda_scratch(b, sim + result + workspace_bytes);
    struct contrast_rows rows = {.sim = (float *)scratch,
                                 .n_keys = a->n_keys,
                                 .positive = a->positive,
                                 .anchor_video = a->anchor_video,
                                 .key_video = a->key_video,
                                 .other_only = a->other_only,
                                 .gradient = a->d_anchors != NULL,
                                 .temperature = a->temperature,
                                 .scale = a->scale,
                                 .result = (struct contrast_sums *)(scratch + sim)};
    if (!scratch)
        return err_set(e, "not enough GPU memory for %zu similarities", step * a->n_keys);
    for (; rows.first < a->n_anchors; rows.first += step) {
        size_t left = a->n_anchors - rows.first;
        rows.n = left < step ? left : step;
        if (run_block(b, a, &rows, scratch + sim + result, e) < 0)
            return ERR_FAIL;
    }
    return contrast_rows_total(b, rows.result, a->n_anchors, a->sums) < 0
               ? err_set(e, "the contrastive loss failed")
               : 0;
}

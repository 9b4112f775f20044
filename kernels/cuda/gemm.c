/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cuBLASLt thinks in columns: row-major C[m, n] is its n x m matrix, so it is asked for
 * C^T = op(B)^T op(A)^T, with our B as its first factor.
 */
#include "kernels/cuda/gemm.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/vendor.h"

enum { MAX_CHOICES = 6, WIDE = 16 };
static const uint64_t max_workspace = 32u << 20; /* what NVIDIA advises for Hopper */

struct gemm {
    struct backend *backend;
    struct gemm_desc desc;
    cublasLtMatmulDesc_t product;
    cublasLtMatrixLayout_t layout[3]; /* of our B, A, C */
    cublasLtMatmulHeuristicResult_t choice[MAX_CHOICES];
    int n_choices, chosen; /* n_choices 0: the plain kernel */
    uint32_t alignment[3];
};

enum { FIRST, SECOND, OUTPUT }; /* our B, A, C */

static cudaDataType_t data_type(enum dtype t)
{
    return t == DTYPE_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

static struct vendor *vendor_of(const struct gemm *g)
{
    return cuda_of(g->backend)->vendor;
}

static cublasStatus_t describe(struct gemm *g)
{
    struct vendor *v = vendor_of(g);
    const struct gemm_desc *d = &g->desc;
    bool tf32 = d->tf32 && d->type == DTYPE_F32;
    cublasOperation_t op[2] = {d->b_transposed ? CUBLAS_OP_T : CUBLAS_OP_N,
                               d->a_transposed ? CUBLAS_OP_T : CUBLAS_OP_N};
    size_t rows[3] = {d->b_transposed ? d->k : d->n, d->a_transposed ? d->m : d->k, d->n};
    size_t columns[3] = {d->b_transposed ? d->n : d->k, d->a_transposed ? d->k : d->m, d->m};
    cublasStatus_t rc = v->blas.cublasLtMatmulDescCreate(
        &g->product, tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUDA_R_32F);
    if (rc == CUBLAS_STATUS_SUCCESS)
        rc = v->blas.cublasLtMatmulDescSetAttribute(g->product, CUBLASLT_MATMUL_DESC_TRANSA, &op[0],
                                                    sizeof op[0]);
    if (rc == CUBLAS_STATUS_SUCCESS)
        rc = v->blas.cublasLtMatmulDescSetAttribute(g->product, CUBLASLT_MATMUL_DESC_TRANSB, &op[1],
                                                    sizeof op[1]);
    for (int i = FIRST; i <= OUTPUT && rc == CUBLAS_STATUS_SUCCESS; i++) {
        enum dtype type = i == OUTPUT ? d->c_type : d->type;
        size_t pitch = rows[i] * dtype_bytes(type);
        g->alignment[i] = pitch % WIDE == 0 ? WIDE : (uint32_t)dtype_bytes(type);
        rc = v->blas.cublasLtMatrixLayoutCreate(&g->layout[i], data_type(type), rows[i], columns[i],
                                                (int64_t)rows[i]);
    }
    return rc;
}

static cublasStatus_t prefer(struct gemm *g, cublasLtMatmulPreference_t p)
{
    struct vendor *v = vendor_of(g);
    uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    const struct {
        cublasLtMatmulPreferenceAttributes_t name;
        const void *value;
        size_t bytes;
    } list[] = {
        {CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &max_workspace, sizeof max_workspace},
        {CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reductions, sizeof reductions},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &g->alignment[FIRST], sizeof(uint32_t)},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &g->alignment[SECOND], sizeof(uint32_t)},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &g->alignment[OUTPUT], sizeof(uint32_t)},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &g->alignment[OUTPUT], sizeof(uint32_t)},
    };
    cublasStatus_t rc = CUBLAS_STATUS_SUCCESS;
    for (size_t i = 0; i < sizeof list / sizeof list[0] && rc == CUBLAS_STATUS_SUCCESS; i++)
        rc = v->blas.cublasLtMatmulPreferenceSetAttribute(p, list[i].name, list[i].value,
                                                          list[i].bytes);
    return rc;
}

/* Fills `choice`; a shape for which there is nothing leaves it empty. */
static cublasStatus_t search(struct gemm *g)
{
    struct vendor *v = vendor_of(g);
    cublasLtMatmulPreference_t p = NULL;
    int n = 0;
    cublasStatus_t rc = v->blas.cublasLtMatmulPreferenceCreate(&p);
    if (rc != CUBLAS_STATUS_SUCCESS)
        return rc;
    rc = prefer(g, p);
    if (rc == CUBLAS_STATUS_SUCCESS &&
        v->blas.cublasLtMatmulAlgoGetHeuristic(
            v->blas_handle, g->product, g->layout[FIRST], g->layout[SECOND], g->layout[OUTPUT],
            g->layout[OUTPUT], p, MAX_CHOICES, g->choice, &n) != CUBLAS_STATUS_SUCCESS)
        n = 0;
    v->blas.cublasLtMatmulPreferenceDestroy(p);
    for (int i = 0; i < n; i++)
        if (g->choice[i].state == CUBLAS_STATUS_SUCCESS)
            g->choice[g->n_choices++] = g->choice[i];
    return rc;
}

int gemm_new(struct gemm **out, struct backend *b, const struct gemm_desc *d, struct err *e)
{
    struct gemm *g = mem_new(1, sizeof *g, e);
    if (!g)
        return ERR_FAIL;
    g->backend = b;
    g->desc = *d;
    cublasStatus_t rc = describe(g);
    if (rc == CUBLAS_STATUS_SUCCESS)
        rc = search(g);
    if (rc != CUBLAS_STATUS_SUCCESS) {
        err_set(e, "cuBLASLt: matrix product %zux%zux%zu: %s", d->m, d->n, d->k,
                vendor_of(g)->blas.cublasLtGetStatusString(rc));
        gemm_free(g);
        return ERR_FAIL;
    }
    *out = g;
    return 0;
}

void gemm_free(struct gemm *g)
{
    if (!g)
        return;
    struct vendor *v = vendor_of(g);
    if (g->product)
        v->blas.cublasLtMatmulDescDestroy(g->product);
    for (int i = FIRST; i <= OUTPUT; i++)
        if (g->layout[i])
            v->blas.cublasLtMatrixLayoutDestroy(g->layout[i]);
    free(g);
}

int gemm_n_choices(const struct gemm *g)
{
    return g->n_choices ? g->n_choices : 1;
}

void gemm_choose(struct gemm *g, int i)
{
    g->chosen = i;
}

int gemm_algorithm(const struct gemm *g)
{
    int32_t id = -1;
    size_t written;
    if (g->n_choices)
        vendor_of(g)->blas.cublasLtMatmulAlgoConfigGetAttribute(
            &g->choice[g->chosen].algo, CUBLASLT_ALGO_CONFIG_ID, &id, sizeof id, &written);
    return id;
}

size_t gemm_workspace_bytes(const struct gemm *g)
{
    return g->n_choices ? g->choice[g->chosen].workspaceSize : 0;
}

static bool aligned(const struct gemm *g, const struct gemm_data *data)
{
    const void *pointer[3] = {data->b, data->a, data->c};
    for (int i = FIRST; i <= OUTPUT; i++)
        if ((uintptr_t)pointer[i] % g->alignment[i])
            return false;
    return true;
}

int gemm_run(struct gemm *g, const struct gemm_data *data, struct err *e)
{
    struct vendor *v = vendor_of(g);
    const float alpha = 1.0f;
    if (g->n_choices == 0 || !aligned(g, data))
        return gemm_plain(g->backend, &g->desc, data) < 0
                   ? err_set(e, "the plain matrix product failed")
                   : 0;
    const cublasLtMatmulHeuristicResult_t *choice = &g->choice[g->chosen];
    cublasStatus_t rc = v->blas.cublasLtMatmul(
        v->blas_handle, g->product, &alpha, data->b, g->layout[FIRST], data->a, g->layout[SECOND],
        &data->beta, data->c, g->layout[OUTPUT], data->c, g->layout[OUTPUT], &choice->algo,
        data->workspace, choice->workspaceSize, cuda_stream(g->backend));
    if (rc != CUBLAS_STATUS_SUCCESS)
        return err_set(e, "cuBLASLt: matrix product %zux%zux%zu: %s", g->desc.m, g->desc.n,
                       g->desc.k, v->blas.cublasLtGetStatusString(rc));
    return 0;
}

/* -- the operation -- */

struct matmul {
    struct matmul_desc desc;
    struct gemm *gemm;
};

int cuda_matmul_new(struct backend *b, const struct matmul_desc *desc, struct matmul **out,
                    struct err *e)
{
    struct matmul *m = mem_new(1, sizeof *m, e);
    if (!m)
        return ERR_FAIL;
    m->desc = *desc;
    struct gemm_desc d = {.m = desc->m,
                          .n = desc->n,
                          .k = desc->k,
                          .a_transposed = desc->a_transposed,
                          .b_transposed = desc->b_transposed,
                          .type = desc->dtype,
                          .c_type = DTYPE_F32,
                          .tf32 = cuda_of(b)->tf32};
    if (gemm_new(&m->gemm, b, &d, e) < 0 || cuda_reserve(b, gemm_workspace_bytes(m->gemm), e) < 0) {
        cuda_matmul_free(b, m);
        return ERR_FAIL;
    }
    *out = m;
    return 0;
}

int cuda_matmul_free(struct backend *b, struct matmul *m)
{
    (void)b;
    if (m)
        gemm_free(m->gemm);
    free(m);
    return 0;
}

int cuda_matmul_run(struct backend *b, struct matmul *m, const void *a_data, const void *b_data,
                    float *c_data, struct err *e)
{
    struct gemm_data data = {.a = a_data,
                             .b = b_data,
                             .c = c_data,
                             .workspace = cuda_scratch(b, gemm_workspace_bytes(m->gemm)),
                             .beta = m->desc.accumulate ? 1.0f : 0.0f};
    return data.workspace ? gemm_run(m->gemm, &data, e) : err_set(e, "out of GPU memory");
}

/* -- products that operations make for themselves -- */

struct gemm_cache {
    struct gemm **list;
    size_t n;
};

struct gemm *gemm_cached(struct backend *b, const struct gemm_desc *d, struct err *e)
{
    struct cuda_state *s = cuda_of(b);
    if (!s->gemms && !(s->gemms = mem_new(1, sizeof *s->gemms, e)))
        return NULL;
    for (size_t i = 0; i < s->gemms->n; i++) {
        const struct gemm_desc *have = &s->gemms->list[i]->desc;
        if (have->m == d->m && have->n == d->n && have->k == d->k &&
            have->a_transposed == d->a_transposed && have->b_transposed == d->b_transposed &&
            have->type == d->type && have->c_type == d->c_type && have->tf32 == d->tf32)
            return s->gemms->list[i];
    }
    struct gemm **grown = mem_grow(s->gemms->list, s->gemms->n + 1, sizeof *grown, e);
    if (!grown)
        return NULL;
    s->gemms->list = grown;
    if (gemm_new(&grown[s->gemms->n], b, d, e) < 0)
        return NULL;
    return grown[s->gemms->n++];
}

void gemm_cache_free(struct backend *b)
{
    struct gemm_cache *c = cuda_of(b)->gemms;
    for (size_t i = 0; c && i < c->n; i++)
        gemm_free(c->list[i]);
    if (c)
        free(c->list);
    free(c);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Stand-in for cuBLASLt: column-major products by plain loops. Of three algorithms that it
 * proposes, one turns out not to be supported; each insists on its alignments and workspace. */
#include <cublasLt.h>

#include "tests/emulator/emulated.h"

enum { FIRST_ALGORITHM = 100, N_ALGORITHMS = 3, REFUSED = 1, WORKSPACE_STEP = 1000 };

struct product {
    int transposed[2];
};

struct matrix {
    bool bf16;
    uint64_t rows, columns;
    int64_t pitch;
};

struct preference {
    uint32_t alignment[4]; /* A, B, C, D */
    int n_set;
};

size_t cublasLtGetVersion(void)
{
    return CUBLAS_VERSION;
}

const char *cublasLtGetStatusString(cublasStatus_t s)
{
    return s == CUBLAS_STATUS_SUCCESS ? "success" : "refused by the emulator";
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t *h)
{
    *h = malloc(1);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t h)
{
    free(h);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *d, cublasComputeType_t compute,
                                        cudaDataType_t scale)
{
    CHECK(compute == CUBLAS_COMPUTE_32F || compute == CUBLAS_COMPUTE_32F_FAST_TF32);
    CHECK(scale == CUDA_R_32F);
    *d = calloc(1, sizeof(struct product));
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t d)
{
    free(d);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t d,
                                              cublasLtMatmulDescAttributes_t name,
                                              const void *value, size_t bytes)
{
    struct product *p = (void *)d;
    cublasOperation_t op;
    CHECK(bytes == sizeof op);
    CHECK(name == CUBLASLT_MATMUL_DESC_TRANSA || name == CUBLASLT_MATMUL_DESC_TRANSB);
    memcpy(&op, value, sizeof op);
    p->transposed[name == CUBLASLT_MATMUL_DESC_TRANSB] = op == CUBLAS_OP_T;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *l, cudaDataType type,
                                          uint64_t rows, uint64_t columns, int64_t pitch)
{
    struct matrix *m = malloc(sizeof *m);
    CHECK(type == CUDA_R_32F || type == CUDA_R_16BF);
    CHECK(rows > 0 && columns > 0 && pitch >= (int64_t)rows);
    *m = (struct matrix){type == CUDA_R_16BF, rows, columns, pitch};
    *l = (void *)m;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t l)
{
    free(l);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *p)
{
    *p = calloc(1, sizeof(struct preference));
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t p)
{
    free(p);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t pref,
                                                    cublasLtMatmulPreferenceAttributes_t name,
                                                    const void *value, size_t bytes)
{
    struct preference *p = (void *)pref;
    p->n_set++;
    if (name == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) {
        CHECK(bytes == sizeof(uint64_t));
        return CUBLAS_STATUS_SUCCESS;
    }
    CHECK(bytes == sizeof(uint32_t));
    if (name == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK)
        return CUBLAS_STATUS_SUCCESS;
    CHECK(name >= CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES &&
          name <= CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
    memcpy(&p->alignment[name - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

/* Sizes of C[m, n] = op(A)[m, k] op(B)[k, n], which the three layouts must agree on. */
struct sizes {
    uint64_t m, n, k;
};

static struct sizes sizes_of(const struct product *p, const struct matrix *a,
                             const struct matrix *b, const struct matrix *c)
{
    struct sizes s = {c->rows, c->columns, p->transposed[0] ? a->rows : a->columns};
    CHECK(s.m == (p->transposed[0] ? a->columns : a->rows));
    CHECK(s.n == (p->transposed[1] ? b->rows : b->columns));
    CHECK(s.k == (p->transposed[1] ? b->columns : b->rows));
    CHECK(a->bf16 == b->bf16);
    return s;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t h, cublasLtMatmulDesc_t d,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t out,
                                              cublasLtMatmulPreference_t preference, int n_wanted,
                                              cublasLtMatmulHeuristicResult_t results[], int *n)
{
    const struct preference *p = (void *)preference;
    CHECK(h && c == out && p->n_set == 6 && n_wanted >= N_ALGORITHMS);
    sizes_of((void *)d, (void *)a, (void *)b, (void *)c);
    *n = N_ALGORITHMS;
    for (int i = 0; i < N_ALGORITHMS; i++) {
        cublasLtMatmulHeuristicResult_t *r = &results[i];
        memset(r, 0, sizeof *r);
        r->algo.data[0] = (uint64_t)(FIRST_ALGORITHM + i);
        for (int k = 0; k < 4; k++)
            r->algo.data[1 + k] = p->alignment[k];
        r->workspaceSize = (size_t)i * WORKSPACE_STEP;
        r->state = i == REFUSED ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS;
    }
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t *algo,
                                                    cublasLtMatmulAlgoConfigAttributes_t name,
                                                    void *value, size_t bytes, size_t *written)
{
    int32_t id = (int32_t)algo->data[0];
    CHECK(name == CUBLASLT_ALGO_CONFIG_ID && bytes == sizeof id);
    memcpy(value, &id, sizeof id);
    *written = sizeof id;
    return CUBLAS_STATUS_SUCCESS;
}

/* Element (i, j) of a column-major matrix, or of its transpose. */
static double at(const void *p, const struct matrix *m, bool transposed, uint64_t i, uint64_t j)
{
    uint64_t pitch = (uint64_t)m->pitch;
    return emulated_load(p, m->bf16, transposed ? j + i * pitch : i + j * pitch);
}

struct job {
    const struct product *p;
    const struct matrix *a, *b, *c;
    const void *a_data, *b_data;
    void *out, *workspace;
    float factor, keep;
    size_t workspace_bytes;
};

static void multiply(const void *data)
{
    const struct job *j = data;
    struct sizes s = sizes_of(j->p, j->a, j->b, j->c);
    if (j->workspace_bytes)
        memset(j->workspace, 0xee, j->workspace_bytes);
    for (uint64_t n = 0; n < s.n; n++)
        for (uint64_t m = 0; m < s.m; m++) {
            double sum = 0.0;
            for (uint64_t k = 0; k < s.k; k++)
                sum += at(j->a_data, j->a, j->p->transposed[0], m, k) *
                       at(j->b_data, j->b, j->p->transposed[1], k, n);
            sum *= (double)j->factor;
            if (j->keep != 0.0f)
                sum += (double)j->keep * at(j->out, j->c, false, m, n);
            emulated_store(j->out, j->c->bf16, m + n * (uint64_t)j->c->pitch, sum);
        }
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t h, cublasLtMatmulDesc_t d, const void *alpha,
                              const void *a_data, cublasLtMatrixLayout_t a_layout,
                              const void *b_data, cublasLtMatrixLayout_t b_layout, const void *beta,
                              const void *c_data, cublasLtMatrixLayout_t c_layout, void *out,
                              cublasLtMatrixLayout_t out_layout, const cublasLtMatmulAlgo_t *algo,
                              void *workspace, size_t workspace_bytes, cudaStream_t stream)
{
    const struct job job = {.p = (void *)d,
                            .a = (void *)a_layout,
                            .b = (void *)b_layout,
                            .c = (void *)c_layout,
                            .a_data = a_data,
                            .b_data = b_data,
                            .out = out,
                            .workspace = workspace,
                            .factor = *(const float *)alpha,
                            .keep = *(const float *)beta,
                            .workspace_bytes = workspace_bytes};
    CHECK(h && stream && c_data == out && c_layout == out_layout);
    CHECK(algo->data[0] != FIRST_ALGORITHM + REFUSED);
    CHECK(workspace_bytes == (algo->data[0] - FIRST_ALGORITHM) * WORKSPACE_STEP);
    CHECK((uintptr_t)a_data % algo->data[1] == 0 && (uintptr_t)b_data % algo->data[2] == 0 &&
          (uintptr_t)out % algo->data[4] == 0);
    sizes_of(job.p, job.a, job.b, job.c); /* looks at them */
    emulated_enqueue(stream, multiply, &job, sizeof job);
    return CUBLAS_STATUS_SUCCESS;
}

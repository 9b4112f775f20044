/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution passes and matrix products from their definitions, sums in float64; and samples. */
#include "kernels/cuda/conv_index.h"
#include "kernels/cuda/conv_plain.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/gemm.h"

/* A pass with its two factors and its result named. */
struct plain_job {
    struct conv_view view;
    enum conv_pass pass;
    const void *first, *second;
    void *result;
    enum dtype first_type, second_type, result_type;
    size_t n_samples, n_elements;
    double
        *sample; /* [n_samples]: receives what they should be; NULL: every element, into result */
};

static struct plain_job plain_job(const struct conv_problem *p)
{
    const struct conv_tensors *t = &p->t;
    struct plain_job j = {};
    j.view = p->view;
    j.pass = p->pass;
    j.first = p->pass == CONV_BACKWARD_DATA ? t->y : t->x;
    j.first_type = p->pass == CONV_BACKWARD_DATA ? t->y_type : t->x_type;
    j.second = p->pass == CONV_BACKWARD_WEIGHTS ? t->y : t->w;
    j.second_type = p->pass == CONV_BACKWARD_WEIGHTS ? t->y_type : t->w_type;
    j.result = p->pass == CONV_FORWARD ? t->y : p->pass == CONV_BACKWARD_DATA ? t->x : t->w;
    j.result_type = p->pass == CONV_FORWARD         ? t->y_type
                    : p->pass == CONV_BACKWARD_DATA ? t->x_type
                                                    : t->w_type;
    j.n_elements = conv_n_elements(&p->view, p->pass);
    return j;
}

/* A block an element. */
__global__ void __launch_bounds__(CUDA_BLOCK) plain_kernel(struct plain_job j)
{
    __shared__ double room[CUDA_BLOCK];
    size_t element = blockIdx.x, n = conv_n_terms(&j.view, j.pass);
    double sum = 0.0;
    if (j.sample)
        element = conv_sample_element(element, j.n_samples, j.n_elements);
    for (size_t i = threadIdx.x; i < n; i += CUDA_BLOCK) {
        struct conv_term t = conv_term(&j.view, j.pass, element, i);
        if (t.inside)
            sum += (double)load_one(j.first, t.first, j.first_type) *
                   (double)load_one(j.second, t.second, j.second_type);
    }
    sum = block_sum(sum, room);
    if (threadIdx.x > 0)
        return;
    if (j.sample)
        j.sample[blockIdx.x] = sum;
    else
        store_one(j.result, element, (float)sum, j.result_type);
}

/* The samples of a result that is there. */
__global__ void __launch_bounds__(CUDA_BLOCK) pick_kernel(struct plain_job j)
{
    size_t s = blockIdx.x * (size_t)CUDA_BLOCK + threadIdx.x;
    if (s < j.n_samples)
        j.sample[s] = (double)load_one(j.result, conv_sample_element(s, j.n_samples, j.n_elements),
                                       j.result_type);
}

extern "C" int conv_plain(struct backend *b, const struct conv_problem *p)
{
    struct plain_job j = plain_job(p);
    if (j.n_elements > INT32_MAX) /* more blocks than there may be */
        return ERR_FAIL;
    LAUNCH(plain_kernel, (unsigned)j.n_elements, CUDA_BLOCK, cuda_stream(b), j);
    return cuda_launched(b);
}

/* Weight gradients are long sums: fewer of them are looked at. */
static size_t n_samples_of(const struct plain_job *j)
{
    size_t most = j->pass == CONV_BACKWARD_WEIGHTS ? CONV_MAX_SAMPLES / 4 : CONV_MAX_SAMPLES;
    return j->n_elements < most ? j->n_elements : most;
}

static int samples(struct backend *b, struct plain_job *j, bool want, struct conv_samples *s,
                   struct err *e)
{
    s->n = j->n_samples = n_samples_of(j);
    j->sample = (double *)cuda_scratch(b, s->n * sizeof *j->sample);
    if (!j->sample)
        return err_set(e, "out of GPU memory");
    if (want)
        LAUNCH(plain_kernel, (unsigned)s->n, CUDA_BLOCK, cuda_stream(b), *j);
    else
        LAUNCH(pick_kernel, (unsigned)blocks_for(s->n), CUDA_BLOCK, cuda_stream(b), *j);
    if (cuda_launched(b) < 0)
        return err_set(e, "sampling a convolution failed");
    return cuda_download(b, want ? s->want : s->got, j->sample, s->n * sizeof *j->sample, e);
}

extern "C" int conv_sample_want(struct backend *b, const struct conv_problem *p,
                                struct conv_samples *s, struct err *e)
{
    struct plain_job j = plain_job(p);
    return samples(b, &j, true, s, e);
}

extern "C" int conv_sample_got(struct backend *b, const struct conv_problem *p,
                               struct conv_samples *s, struct err *e)
{
    struct plain_job j = plain_job(p);
    return samples(b, &j, false, s, e);
}

__global__ void __launch_bounds__(CUDA_BLOCK)
    fill_kernel(void *x, enum dtype type, size_t n, uint32_t seed)
{
    size_t i = blockIdx.x * (size_t)CUDA_BLOCK + threadIdx.x;
    if (i < n)
        store_one(x, i, conv_random(i, seed), type);
}

extern "C" int conv_fill(struct backend *b, void *x, enum dtype type, size_t n, uint32_t seed)
{
    LAUNCH(fill_kernel, (unsigned)blocks_for(n), CUDA_BLOCK, cuda_stream(b), x, type, n, seed);
    return cuda_launched(b);
}

/* -- matrix product: a thread an element -- */

__global__ void __launch_bounds__(CUDA_BLOCK) gemm_kernel(struct gemm_desc d, struct gemm_data data)
{
    size_t element = blockIdx.x * (size_t)CUDA_BLOCK + threadIdx.x;
    if (element >= d.m * d.n)
        return;
    size_t i = element / d.n, j = element % d.n;
    double sum = 0.0;
    for (size_t k = 0; k < d.k; k++)
        sum += (double)load_one(data.a, d.a_transposed ? k * d.m + i : i * d.k + k, d.type) *
               (double)load_one(data.b, d.b_transposed ? j * d.k + k : k * d.n + j, d.type);
    if (data.beta != 0.0f)
        sum += (double)load_one(data.c, element, d.c_type);
    store_one(data.c, element, (float)sum, d.c_type);
}

extern "C" int gemm_plain(struct backend *b, const struct gemm_desc *d,
                          const struct gemm_data *data)
{
    LAUNCH(gemm_kernel, (unsigned)blocks_for(d->m * d->n), CUDA_BLOCK, cuda_stream(b), *d, *data);
    return cuda_launched(b);
}

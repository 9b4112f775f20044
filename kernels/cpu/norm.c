/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batch normalisation and what surrounds it, in as few passes over memory as the sums allow. Rows
 * are cut into blocks of a fixed size that does not depend on the number of threads; a block adds
 * up at most FLUSH_ROWS rows in float32 before it goes on in float64, and the blocks are added in
 * order.
 */
#include <math.h>
#include <omp.h>

#include "kernels/cpu/cpu.h"

enum {
    BLOCK_ELEMENTS = 1 << 17, /* of one block: enough to pay for handing it to a thread */
    FLUSH_ROWS = 64,
    FOLD_CHANNELS = 128, /* narrower rows are taken several at a time */
};

/*
 * The same memory with rows joined so that short rows do not make every addition wait for the one
 * before: [rows, C] seen as [rows / fold, fold * C].
 */
static size_t fold_of(size_t rows, size_t channels)
{
    size_t fold = 1;
    while (fold * channels < FOLD_CHANNELS && rows % (2 * fold) == 0)
        fold *= 2;
    return fold;
}

static size_t block_rows(size_t width)
{
    size_t rows = BLOCK_ELEMENTS / width;
    return rows > FLUSH_ROWS ? rows / FLUSH_ROWS * FLUSH_ROWS : FLUSH_ROWS;
}

/* to[c] = from[c % channels] for c < fold * channels; NULL stays NULL. */
static const float *spread(float *to, const float *from, size_t channels, size_t fold)
{
    if (!from)
        return NULL;
    for (size_t f = 0; f < fold; f++)
        memcpy(to + f * channels, from, channels * sizeof *to);
    return to;
}

static void flush(double *sums, float *run, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sums[i] += (double)run[i];
        run[i] = 0.0f;
    }
}

/* -- sums of a convolution's output -- */

/* Sums of x - pivot and its square: a mean far from zero does not cost the variance its digits. */
CPU_INLINE void sums_row(const void *x, size_t at, const float *pivot, size_t width, float *run,
                         enum dtype t)
{
    size_t c = 0;
    for (; c + 16 <= width; c += 16) {
        vec16 v = vec16_load(x, at + c, t) - *(const vec16 *)(pivot + c);
        *(vec16 *)(run + c) += v;
        *(vec16 *)(run + width + c) += v * v;
    }
    for (; c < width; c++) {
        float v = elem_load(x, at + c, t) - pivot[c];
        run[c] += v;
        run[width + c] += v * v;
    }
}

struct sums_args {
    const void *x;
    const float *pivot; /* [width] */
    size_t width;
};

CPU_INLINE void sums_rows(const struct sums_args *a, size_t begin, size_t end, double *sums,
                          float *run, enum dtype t)
{
    memset(sums, 0, 2 * a->width * sizeof *sums);
    memset(run, 0, 2 * a->width * sizeof *run);
    for (size_t r = begin; r < end; r++) {
        sums_row(a->x, r * a->width, a->pivot, a->width, run, t);
        if ((r - begin) % FLUSH_ROWS == FLUSH_ROWS - 1 || r + 1 == end)
            flush(sums, run, 2 * a->width);
    }
}

CPU_CLONES static void sums_f32(const struct sums_args *a, size_t begin, size_t end, double *sums,
                                float *run)
{
    sums_rows(a, begin, end, sums, run, DTYPE_F32);
}

CPU_CLONES static void sums_bf16(const struct sums_args *a, size_t begin, size_t end, double *sums,
                                 float *run)
{
    sums_rows(a, begin, end, sums, run, DTYPE_BF16);
}

/* Scratch of an operation with sums: partial [n_blocks, n_sums, width], run [threads, n_sums,
 * width]. */
struct sums_plan {
    size_t fold, width, rows, step, n_blocks, n_sums;
    double *partial;
    float *run, *spread[4];
};

static int sums_plan(struct sums_plan *p, struct backend *b, size_t rows, size_t channels,
                     size_t n_sums)
{
    p->fold = fold_of(rows, channels);
    p->width = channels * p->fold;
    p->rows = rows / p->fold;
    p->step = block_rows(p->width);
    p->n_blocks = (p->rows + p->step - 1) / p->step;
    p->n_sums = n_sums;
    size_t n_partial = p->n_blocks * n_sums * p->width, n_run = b->n_threads * n_sums * p->width;
    p->partial =
        cpu_scratch(b, n_partial * sizeof *p->partial + (n_run + 4 * p->width) * sizeof *p->run);
    if (!p->partial)
        return ERR_FAIL;
    p->run = (float *)(p->partial + n_partial);
    for (int i = 0; i < 4; i++)
        p->spread[i] = p->run + n_run + (size_t)i * p->width;
    return 0;
}

/* to[C] = sum number `which`, over blocks and folds in order. */
static void gather(double *to, const struct sums_plan *p, size_t which)
{
    size_t channels = p->width / p->fold;
    for (size_t c = 0; c < channels; c++) {
        double sum = 0.0;
        for (size_t i = 0; i < p->n_blocks; i++)
            for (size_t f = 0; f < p->fold; f++)
                sum += p->partial[(i * p->n_sums + which) * p->width + f * channels + c];
        to[c] = sum;
    }
}

/* From sums around a pivot to sums around zero, in float64. */
static void shift_sums(double *sums, const float *pivot, size_t channels, double rows)
{
    for (size_t c = 0; c < channels; c++) {
        double p = (double)pivot[c], sum = sums[c];
        sums[c] = sum + rows * p;
        sums[channels + c] += p * (2.0 * sum + rows * p);
    }
}

int cpu_channel_sums(struct backend *b, const struct row_block *block, const void *x, double *sums)
{
    struct sums_plan p;
    size_t channels = block->channels;
    if (sums_plan(&p, b, block->rows, channels, 2) < 0)
        return ERR_FAIL;
    cpu_convert(b, p.spread[1], DTYPE_F32, x, block->dtype, channels); /* the first row */
    struct sums_args a = {x, spread(p.spread[0], p.spread[1], channels, p.fold), p.width};
#pragma omp parallel for num_threads(b->n_threads) schedule(static)
    for (size_t i = 0; i < p.n_blocks; i++) {
        size_t begin = i * p.step, end = begin + p.step < p.rows ? begin + p.step : p.rows;
        double *to = p.partial + i * 2 * p.width;
        float *run = p.run + (size_t)omp_get_thread_num() * 2 * p.width;
        if (block->dtype == DTYPE_F32)
            sums_f32(&a, begin, end, to, run);
        else
            sums_bf16(&a, begin, end, to, run);
    }
    gather(sums, &p, 0);
    gather(sums + channels, &p, 1);
    shift_sums(sums, a.pivot, channels, (double)block->rows);
    return 0;
}

int cpu_norm_finish(struct backend *b, const struct norm_finish_args *a)
{
    (void)b;
    for (size_t c = 0; c < a->channels; c++) {
        double mean, var;
        if (a->sums) {
            mean = a->sums[c] / a->count;
            var = a->sums[a->channels + c] / a->count - mean * mean;
            var = var > 0.0 ? var : 0.0;
        } else {
            mean = (double)a->running_mean[c];
            var = (double)a->running_var[c];
        }
        double inv_std = 1.0 / sqrt(var + (double)a->eps);
        a->mean[c] = (float)mean;
        a->inv_std[c] = (float)inv_std;
        a->scale[c] = (float)((double)a->gamma[c] * inv_std);
        a->shift[c] = (float)((double)a->beta[c] - mean * (double)a->gamma[c] * inv_std);
        if (a->update && a->sums) {
            double unbiased = a->count > 1.0 ? var * a->count / (a->count - 1.0) : var;
            double keep = (double)a->momentum;
            a->running_mean[c] = (float)(keep * (double)a->running_mean[c] + (1.0 - keep) * mean);
            a->running_var[c] = (float)(keep * (double)a->running_var[c] + (1.0 - keep) * unbiased);
        }
    }
    return 0;
}

/* -- y = relu(c * scale + shift + residual) -- */

CPU_INLINE vec16 residual_vec(const struct norm_apply_args *a, size_t at, size_t c, enum dtype t)
{
    vec16 r = vec16_load(a->residual, at + c, t);
    if (a->residual_scale)
        r = r * *(const vec16 *)(a->residual_scale + c) + *(const vec16 *)(a->residual_shift + c);
    return r;
}

CPU_INLINE void apply_tail(const struct norm_apply_args *a, size_t at, size_t c, enum dtype t)
{
    for (; c < a->channels; c++) {
        float v = elem_affine(elem_load(a->c, at + c, t), a->scale[c], a->shift[c]);
        if (a->residual) {
            float r = elem_load(a->residual, at + c, t);
            v += a->residual_scale ? elem_affine(r, a->residual_scale[c], a->residual_shift[c]) : r;
        }
        elem_store(a->y, at + c, a->relu ? elem_relu(v) : v, t);
    }
}

/* Bits of a row that was just stored. */
CPU_INLINE void mask_row(const struct norm_apply_args *a, size_t at, enum dtype t)
{
    for (size_t c = 0; c < a->channels; c += 8) {
        unsigned bits = 0;
        for (size_t k = 0; k < 8; k++)
            bits |= (unsigned)(elem_load(a->y, at + c + k, t) > 0.0f) << k;
        a->mask[(at + c) / 8] = (uint8_t)bits;
    }
}

CPU_INLINE void apply_rows(const struct norm_apply_args *a, size_t begin, size_t end, enum dtype t)
{
    for (size_t r = begin; r < end; r++) {
        size_t at = r * a->channels, c = 0;
        for (; c + 16 <= a->channels; c += 16) {
            vec16 v = vec16_load(a->c, at + c, t) * *(const vec16 *)(a->scale + c) +
                      *(const vec16 *)(a->shift + c);
            if (a->residual)
                v += residual_vec(a, at, c, t);
            vec16_store(a->y, at + c, a->relu ? vec16_relu(v) : v, t);
        }
        apply_tail(a, at, c, t);
        if (a->mask)
            mask_row(a, at, t);
    }
}

CPU_CLONES static void apply_f32(const struct norm_apply_args *a, size_t begin, size_t end)
{
    apply_rows(a, begin, end, DTYPE_F32);
}

CPU_CLONES static void apply_bf16(const struct norm_apply_args *a, size_t begin, size_t end)
{
    apply_rows(a, begin, end, DTYPE_BF16);
}

/*
 * Rows joined for a pass without sums: `n` channel vectors at `member` are spread over the scratch
 * memory. Returns the fold, 0 when memory is exhausted.
 */
static size_t fold_vectors(struct backend *b, size_t rows, size_t channels,
                           const float **const *member, size_t n)
{
    size_t fold = fold_of(rows, channels);
    if (fold == 1)
        return 1;
    float *memory = cpu_scratch(b, n * fold * channels * sizeof *memory);
    for (size_t i = 0; memory && i < n; i++)
        *member[i] = spread(memory + i * fold * channels, *member[i], channels, fold);
    return memory ? fold : 0;
}

int cpu_norm_apply(struct backend *b, const struct norm_apply_args *args)
{
    struct norm_apply_args folded = *args, *a = &folded;
    const float **member[] = {&a->scale, &a->shift, &a->residual_scale, &a->residual_shift};
    size_t fold = fold_vectors(b, a->rows, a->channels, member, 4);
    if (fold == 0)
        return ERR_FAIL;
    a->rows /= fold;
    a->channels *= fold;
    size_t step = block_rows(a->channels), n_blocks = (a->rows + step - 1) / step;
#pragma omp parallel for num_threads(b->n_threads) schedule(static)
    for (size_t i = 0; i < n_blocks; i++) {
        size_t begin = i * step, end = begin + step < a->rows ? begin + step : a->rows;
        if (a->dtype == DTYPE_F32)
            apply_f32(a, begin, end);
        else
            apply_bf16(a, begin, end);
    }
    return 0;
}

/* -- backward: g = (dy + dy2) masked, with its sums -- */

CPU_INLINE vec16 masked_grad(const struct norm_grad_args *a, size_t at, size_t c, vec16 x,
                             enum dtype t)
{
    vec16 g = vec16_load(a->dy, at + c, t);
    if (a->dy2)
        g += vec16_load(a->dy2, at + c, t);
    if (!a->relu)
        return g;
    if (a->mask) {
        vec16 bit;
        for (size_t k = 0; k < 16; k++)
            bit[k] = (float)elem_bit(a->mask, at + c + k);
        return vec16_where_positive(g, bit);
    }
    vec16 out = a->y ? vec16_load(a->y, at + c, t)
                     : x * *(const vec16 *)(a->scale + c) + *(const vec16 *)(a->shift + c);
    return vec16_where_positive(g, out);
}

CPU_INLINE void grad_tail(const struct norm_grad_args *a, size_t at, size_t c, float *run,
                          enum dtype t)
{
    size_t w = a->channels;
    for (; c < w; c++) {
        float x = elem_load(a->c, at + c, t), g = elem_load(a->dy, at + c, t);
        if (a->dy2)
            g += elem_load(a->dy2, at + c, t);
        if (a->relu)
            g = elem_relu_grad(g, a->mask ? (float)elem_bit(a->mask, at + c)
                                  : a->y  ? elem_load(a->y, at + c, t)
                                          : elem_affine(x, a->scale[c], a->shift[c]));
        run[c] += g;
        run[w + c] += g * (x - a->mean[c]);
        if (a->c2)
            run[2 * w + c] += g * (elem_load(a->c2, at + c, t) - a->mean2[c]);
        if (a->g)
            elem_store(a->g, at + c, g, t);
    }
}

/* `a` with rows and channels already folded. */
CPU_INLINE void grad_rows(const struct norm_grad_args *a, size_t begin, size_t end, double *sums,
                          float *run, enum dtype t)
{
    size_t w = a->channels, n_sums = a->c2 ? 3 : 2;
    memset(sums, 0, n_sums * w * sizeof *sums);
    memset(run, 0, n_sums * w * sizeof *run);
    for (size_t r = begin; r < end; r++) {
        size_t at = r * w, c = 0;
        for (; c + 16 <= w; c += 16) {
            vec16 x = vec16_load(a->c, at + c, t);
            vec16 g = masked_grad(a, at, c, x, t);
            *(vec16 *)(run + c) += g;
            *(vec16 *)(run + w + c) += g * (x - *(const vec16 *)(a->mean + c));
            if (a->c2)
                *(vec16 *)(run + 2 * w + c) +=
                    g * (vec16_load(a->c2, at + c, t) - *(const vec16 *)(a->mean2 + c));
            if (a->g)
                vec16_store(a->g, at + c, g, t);
        }
        grad_tail(a, at, c, run, t);
        if ((r - begin) % FLUSH_ROWS == FLUSH_ROWS - 1 || r + 1 == end)
            flush(sums, run, n_sums * w);
    }
}

CPU_CLONES static void grad_f32(const struct norm_grad_args *a, size_t begin, size_t end,
                                double *sums, float *run)
{
    grad_rows(a, begin, end, sums, run, DTYPE_F32);
}

CPU_CLONES static void grad_bf16(const struct norm_grad_args *a, size_t begin, size_t end,
                                 double *sums, float *run)
{
    grad_rows(a, begin, end, sums, run, DTYPE_BF16);
}

int cpu_norm_grad(struct backend *b, const struct norm_grad_args *args)
{
    struct norm_grad_args a = *args;
    size_t n_sums = a.c2 ? 3 : 2;
    struct sums_plan p;
    if (sums_plan(&p, b, a.rows, a.channels, n_sums) < 0)
        return ERR_FAIL;
    a.rows = p.rows;
    a.channels = p.width;
    a.scale = spread(p.spread[0], args->scale, args->channels, p.fold);
    a.shift = spread(p.spread[1], args->shift, args->channels, p.fold);
    a.mean = spread(p.spread[2], args->mean, args->channels, p.fold);
    a.mean2 = spread(p.spread[3], args->mean2, args->channels, p.fold);
#pragma omp parallel for num_threads(b->n_threads) schedule(static)
    for (size_t i = 0; i < p.n_blocks; i++) {
        size_t begin = i * p.step, end = begin + p.step < p.rows ? begin + p.step : p.rows;
        double *to = p.partial + i * n_sums * p.width;
        float *run = p.run + (size_t)omp_get_thread_num() * n_sums * p.width;
        if (a.dtype == DTYPE_F32)
            grad_f32(&a, begin, end, to, run);
        else
            grad_bf16(&a, begin, end, to, run);
    }
    gather(args->sums, &p, 0);
    gather(args->sums + args->channels, &p, 1);
    if (args->c2) {
        memcpy(args->sums2, args->sums, args->channels * sizeof *args->sums);
        gather(args->sums2 + args->channels, &p, 2);
    }
    return 0;
}

int cpu_norm_grad_finish(struct backend *b, const struct norm_grad_finish_args *a)
{
    (void)b;
    for (size_t c = 0; c < a->channels; c++) {
        double sum_g = a->sums[c], inv_std = (double)a->inv_std[c];
        double sum_gx = a->sums[a->channels + c] * inv_std; /* of g * normalised c */
        if (a->d_gamma) {
            a->d_beta[c] += (float)sum_g;
            a->d_gamma[c] += (float)sum_gx;
        }
        double scale = (double)a->gamma[c] * inv_std;
        double slope = a->frozen ? 0.0 : -scale * inv_std * sum_gx / a->count;
        a->a[c] = (float)scale;
        a->b[c] = (float)slope;
        a->k[c] = (float)(a->frozen ? 0.0 : -scale * sum_g / a->count);
    }
    return 0;
}

CPU_INLINE void grad_apply_rows(const struct norm_grad_apply_args *a, size_t begin, size_t end,
                                enum dtype t)
{
    for (size_t r = begin; r < end; r++) {
        size_t at = r * a->channels, c = 0;
        for (; c + 16 <= a->channels; c += 16) {
            vec16 x = vec16_load(a->c, at + c, t), g = vec16_load(a->g, at + c, t);
            if (a->scale)
                g = vec16_where_positive(g, x * *(const vec16 *)(a->scale + c) +
                                                *(const vec16 *)(a->shift + c));
            vec16 centred = x - *(const vec16 *)(a->mean + c);
            vec16 d = *(const vec16 *)(a->a + c) * g +
                      (*(const vec16 *)(a->b + c) * centred + *(const vec16 *)(a->k + c));
            vec16_store(a->dc, at + c, d, t);
        }
        for (; c < a->channels; c++) {
            float x = elem_load(a->c, at + c, t), g = elem_load(a->g, at + c, t);
            if (a->scale)
                g = elem_relu_grad(g, elem_affine(x, a->scale[c], a->shift[c]));
            elem_store(a->dc, at + c, elem_norm_grad(g, x - a->mean[c], a->a[c], a->b[c], a->k[c]),
                       t);
        }
    }
}

CPU_CLONES static void grad_apply_f32(const struct norm_grad_apply_args *a, size_t begin,
                                      size_t end)
{
    grad_apply_rows(a, begin, end, DTYPE_F32);
}

CPU_CLONES static void grad_apply_bf16(const struct norm_grad_apply_args *a, size_t begin,
                                       size_t end)
{
    grad_apply_rows(a, begin, end, DTYPE_BF16);
}

int cpu_norm_grad_apply(struct backend *b, const struct norm_grad_apply_args *args)
{
    struct norm_grad_apply_args folded = *args, *a = &folded;
    const float **member[] = {&a->scale, &a->shift, &a->mean, &a->a, &a->b, &a->k};
    size_t fold = fold_vectors(b, a->rows, a->channels, member, 6);
    if (fold == 0)
        return ERR_FAIL;
    a->rows /= fold;
    a->channels *= fold;
    size_t step = block_rows(a->channels), n_blocks = (a->rows + step - 1) / step;
#pragma omp parallel for num_threads(b->n_threads) schedule(static)
    for (size_t i = 0; i < n_blocks; i++) {
        size_t begin = i * step, end = begin + step < a->rows ? begin + step : a->rows;
        if (a->dtype == DTYPE_F32)
            grad_apply_f32(a, begin, end);
        else
            grad_apply_bf16(a, begin, end);
    }
    return 0;
}

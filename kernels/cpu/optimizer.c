/* SPDX-License-Identifier: Apache-2.0 */
/* SGD with momentum, with LARS's local rates if wanted, over all parameters at once. */
#include <math.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "kernels/cpu/cpu.h"

enum { SPAN = 1 << 14 }; /* elements handed to a thread at a time */

struct update {
    float lr, momentum, decay;
};

CPU_CLONES static void update_span(const struct optimizer_args *a, size_t begin, size_t end,
                                   struct update u)
{
    float *w = a->params, *v = a->velocity;
    const float *g = a->grads;
    for (size_t i = begin; i < end; i++) {
        v[i] = elem_momentum(v[i], g[i], w[i], u.momentum, u.decay);
        w[i] = elem_sgd(w[i], v[i], u.lr);
    }
}

CPU_CLONES static double square_span(const float *x, size_t begin, size_t end)
{
    float sum[16] = {0};
    size_t i = begin;
    for (; i + 16 <= end; i += 16)
        for (size_t j = 0; j < 16; j++)
            sum[j] += x[i + j] * x[i + j];
    double total = 0.0;
    for (size_t j = 0; j < 16; j++)
        total += (double)sum[j];
    for (; i < end; i++)
        total += (double)x[i] * (double)x[i];
    return total;
}

static double norm(const float *x, const struct param_span *s)
{
    double total = 0.0;
    for (size_t begin = 0; begin < s->len; begin += SPAN) {
        size_t end = begin + SPAN < s->len ? begin + SPAN : s->len;
        total += square_span(x + s->offset, begin, end);
    }
    return sqrt(total);
}

/*
 * LARS (You et al. 2017): the rate of a tensor is trust |w| / (|g| + decay |w|); in the form where
 * it scales the gradient before the momentum, so that the velocity stays in units of the global
 * rate.
 */
static struct update span_update(const struct optimizer_desc *d, const struct optimizer_args *a,
                                 const struct param_span *s, float *grad_factor)
{
    struct update u = {*a->lr, d->momentum, s->decay ? d->weight_decay : 0.0f};
    *grad_factor = 1.0f;
    if (d->lars && s->adapt) {
        double w = norm(a->params, s), g = norm(a->grads, s);
        if (w > 0.0 && g > 0.0)
            *grad_factor = (float)((double)d->trust * w / (g + (double)u.decay * w));
    }
    return u;
}

CPU_CLONES static void scale_span(float *g, const float *w, size_t n, float factor, float decay)
{
    for (size_t i = 0; i < n; i++)
        g[i] = factor * (g[i] + decay * w[i]);
}

struct optimizer {
    struct optimizer_desc desc;
    struct param_span *spans; /* behind desc.spans */
};

int cpu_optimizer_new(struct backend *b, const struct optimizer_desc *desc, struct optimizer **out,
                      struct err *e)
{
    struct optimizer *o = mem_new(1, sizeof *o, e);
    if (!o)
        return ERR_FAIL;
    o->desc = *desc;
    o->spans = mem_new(desc->n_spans, sizeof *o->spans, e);
    if (!o->spans) {
        cpu_optimizer_free(b, o);
        return ERR_FAIL;
    }
    for (size_t s = 0; s < desc->n_spans; s++)
        o->spans[s] = desc->spans[s];
    o->desc.spans = o->spans;
    *out = o;
    return 0;
}

int cpu_optimizer_free(struct backend *b, struct optimizer *o)
{
    (void)b;
    if (o)
        free(o->spans);
    free(o);
    return 0;
}

static void step_span(struct backend *b, const struct optimizer_desc *d,
                      const struct optimizer_args *a, const struct param_span *span)
{
    float factor;
    struct update u = span_update(d, a, span, &factor);
    long n = (long)((span->len + SPAN - 1) / SPAN);
#pragma omp parallel for num_threads(b->n_threads) schedule(static) if (n > 1)
    for (long i = 0; i < n; i++) {
        size_t begin = span->offset + (size_t)i * SPAN, end = span->offset + span->len;
        end = begin + SPAN < end ? begin + SPAN : end;
        struct update mine = u;
        if (d->lars && span->adapt) {
            scale_span(a->grads + begin, a->params + begin, end - begin, factor, u.decay);
            mine.decay = 0.0f;
        }
        update_span(a, begin, end, mine);
    }
}

int cpu_optimizer_step(struct backend *b, struct optimizer *o, const struct optimizer_args *a)
{
    for (size_t s = 0; s < o->desc.n_spans && !(a->skip && *a->skip); s++)
        step_span(b, &o->desc, a, &o->spans[s]);
    return 0;
}

CPU_CLONES static bool span_finite(const float *x, size_t begin, size_t end)
{
    unsigned bad = 0;
    for (size_t i = begin; i < end; i++)
        bad |= !(fabsf(x[i]) <= 3.402823466e38f);
    return bad == 0;
}

int cpu_all_finite(struct backend *b, const float *values, size_t n, uint32_t *bad)
{
    int found = 0;
#pragma omp parallel for num_threads(b->n_threads) schedule(static) reduction(| : found)
    for (size_t begin = 0; begin < n; begin += SPAN)
        found |= !span_finite(values, begin, begin + SPAN < n ? begin + SPAN : n);
    if (found)
        *bad = 1;
    return 0;
}

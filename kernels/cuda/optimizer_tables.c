/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of the optimiser: the host's part. */
#include <stdlib.h>

#include "common/base/buf.h"
#include "kernels/cuda/optimizer_job.h"

struct optimizer {
    struct optimizer_job job; /* but for args and wide */
    size_t n_chunks;
    void *tables;
};

static size_t n_chunks_of(const struct param_span *s)
{
    return (s->len + CHUNK - 1) / CHUNK;
}

/* -- the plan: tables in one piece of memory -- */

struct tables { /* offsets */
    size_t spans, chunks, squares, factor, total;
};

static struct tables lay_out(size_t n_spans, size_t n_chunks, bool lars)
{
    struct tables at = {0};
    at.chunks = cuda_align(n_spans * sizeof(struct span_job));
    at.squares = at.chunks + cuda_align(n_chunks * sizeof(struct chunk));
    at.factor = at.squares + cuda_align(lars ? 2 * n_chunks * sizeof(double) : 0);
    at.total = at.factor + (lars ? n_spans * sizeof(float) : 0);
    return at;
}

static void fill_tables(const struct optimizer_desc *d, struct span_job *spans,
                        struct chunk *chunks)
{
    size_t chunk = 0;
    for (size_t s = 0; s < d->n_spans; s++) {
        const struct param_span *span = &d->spans[s];
        spans[s].first_chunk = chunk;
        spans[s].n_chunks = n_chunks_of(span);
        spans[s].decay = span->decay ? d->weight_decay : 0.0f;
        spans[s].adapt = span->adapt;
        for (size_t done = 0; done < span->len; done += CHUNK, chunk++) {
            size_t left = span->len - done;
            chunks[chunk].offset = span->offset + done;
            chunks[chunk].len = left < CHUNK ? (unsigned)left : (unsigned)CHUNK;
            chunks[chunk].span = (unsigned)s;
        }
    }
}

static int upload_tables(struct backend *b, struct optimizer *o, const struct optimizer_desc *d,
                         struct err *e)
{
    struct tables at = lay_out(d->n_spans, o->n_chunks, d->lars);
    char *host = mem_new(at.squares + 1, 1, e);
    int rc = host ? cuda_alloc(b, at.total, &o->tables, e) : ERR_FAIL;
    if (rc == 0) {
        char *device = o->tables;
        fill_tables(d, (struct span_job *)(host + at.spans), (struct chunk *)(host + at.chunks));
        rc = cuda_upload(b, device, host, at.squares, e);
        o->job.spans = (const struct span_job *)(device + at.spans);
        o->job.chunks = (const struct chunk *)(device + at.chunks);
        o->job.squares = (double *)(device + at.squares);
        o->job.factor = d->lars ? (float *)(device + at.factor) : NULL;
    }
    free(host);
    return rc;
}

int cuda_optimizer_new(struct backend *b, const struct optimizer_desc *d, struct optimizer **out,
                       struct err *e)
{
    struct optimizer *o = mem_new(1, sizeof *o, e);
    if (!o)
        return ERR_FAIL;
    for (size_t s = 0; s < d->n_spans; s++)
        o->n_chunks += n_chunks_of(&d->spans[s]);
    o->job.n_spans = d->n_spans;
    o->job.momentum = d->momentum;
    o->job.trust = d->trust;
    if (upload_tables(b, o, d, e) < 0) {
        cuda_optimizer_free(b, o);
        return ERR_FAIL;
    }
    *out = o;
    return 0;
}

int cuda_optimizer_free(struct backend *b, struct optimizer *o)
{
    if (o)
        cuda_release(b, o->tables);
    free(o);
    return 0;
}

int cuda_optimizer_step(struct backend *b, struct optimizer *o, const struct optimizer_args *a)
{
    struct optimizer_job job = o->job;
    if (o->n_chunks == 0)
        return 0;
    job.args = *a;
    job.wide = (uintptr_t)a->params % 16 == 0 && (uintptr_t)a->grads % 16 == 0 &&
               (uintptr_t)a->velocity % 16 == 0;
    optimizer_launch(&job, o->n_chunks, cuda_stream(b));
    return cuda_launched(b);
}

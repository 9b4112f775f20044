/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matrix products by oneDNN. C is cut into tiles that depend on the shape alone, and each tile is
 * one single-threaded product: no sum is ever split between threads, so the bits of the result do
 * not depend on how many there are. (oneDNN's own parallel products split long sums where C is
 * small.)
 */
#include <omp.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "kernels/cpu/onednn_parts.h"

enum { TILE_STEP = 64, MAX_TILE_ROWS = 512, MIN_TILES = 16 };
enum { A, B, C, SCRATCH, N_MEMORIES };

/* A product of one tile's shape. */
struct tile {
    struct md md[3];
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive;
};

struct matmul {
    struct matmul_desc desc;
    size_t rows, columns;   /* of a tile */
    struct tile tile[2][2]; /* [last rows][last columns] */
    size_t scratch_bytes;   /* of one thread */
};

static size_t div_up(size_t n, size_t by)
{
    return (n + by - 1) / by;
}

static size_t round_up(size_t n)
{
    return div_up(n, TILE_STEP) * TILE_STEP;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/*
 * Tiles of n that leave no single row or column at the end: oneDNN 3.7 mistakes such a view of a
 * wider matrix for a dense vector.
 */
static size_t leave_no_single(size_t n, size_t len)
{
    enum { STEP = 8 };
    while (len < n && n % len == 1)
        len += STEP;
    return smaller(len, n);
}

/* About MIN_TILES tiles or more: of rows where there are enough, else of columns too. */
static void choose_tiles(struct matmul *m)
{
    size_t rows = round_up(m->desc.m / MIN_TILES);
    rows = smaller(rows ? rows : TILE_STEP, MAX_TILE_ROWS);
    m->rows = leave_no_single(m->desc.m, rows);
    size_t wanted = div_up(MIN_TILES, div_up(m->desc.m, m->rows));
    m->columns = leave_no_single(m->desc.n, round_up(div_up(m->desc.n, wanted)));
}

/* Length of a tile, or of the last one, where n is cut into such. */
static size_t tile_len(size_t n, size_t len, bool last)
{
    return last ? n - (div_up(n, len) - 1) * len : len;
}

/* The tile's parts of A, B and C as views of the whole matrices. */
static dnnl_status_t describe(struct md md[3], const struct matmul_desc *d, size_t rows,
                              size_t columns)
{
    dnnl_dim_t m = (dnnl_dim_t)rows, n = (dnnl_dim_t)columns, k = (dnnl_dim_t)d->k;
    dnnl_dim_t whole_m = (dnnl_dim_t)d->m, whole_n = (dnnl_dim_t)d->n;
    dnnl_dims_t dims[3] = {{m, k}, {k, n}, {m, n}};
    dnnl_dims_t strides[3] = {{d->a_transposed ? 1 : k, d->a_transposed ? whole_m : 1},
                              {d->b_transposed ? 1 : whole_n, d->b_transposed ? k : 1},
                              {whole_n, 1}};
    dnnl_status_t rc = dnnl_success;
    for (int i = 0; i < 3 && rc == dnnl_success; i++)
        rc = md_init_strided(&md[i], 2, dims[i], i == C ? dnnl_f32 : data_type(d->dtype),
                             strides[i]);
    return rc;
}

#if DNNL_VERSION_MAJOR >= 3
static dnnl_status_t product_desc(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                  const struct md md[3], dnnl_primitive_attr_t attr)
{
    return dnnl_matmul_primitive_desc_create(pd, engine, md_ref(&md[A]), md_ref(&md[B]), NULL,
                                             md_ref(&md[C]), attr);
}
#else
static dnnl_status_t product_desc(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                  const struct md md[3], dnnl_primitive_attr_t attr)
{
    dnnl_matmul_desc_t d;
    dnnl_status_t rc =
        dnnl_matmul_desc_init(&d, md_ref(&md[A]), md_ref(&md[B]), NULL, md_ref(&md[C]));
    return rc == dnnl_success ? dnnl_primitive_desc_create(pd, &d, attr, engine, NULL) : rc;
}
#endif

static MD_REF scratch_md(const struct tile *t)
{
    return dnnl_primitive_desc_query_md(t->desc, dnnl_query_scratchpad_md, 0);
}

static dnnl_status_t tile_init(struct matmul *m, dnnl_engine_t engine, bool last_rows,
                               bool last_columns)
{
    struct tile *t = &m->tile[last_rows][last_columns];
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t rc = describe(t->md, &m->desc, tile_len(m->desc.m, m->rows, last_rows),
                                tile_len(m->desc.n, m->columns, last_columns));
    if (rc == dnnl_success)
        rc = attr_with_sum(&attr, m->desc.accumulate);
    if (rc == dnnl_success)
        rc = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (rc == dnnl_success)
        rc = product_desc(&t->desc, engine, t->md, attr);
    if (rc == dnnl_success)
        rc = dnnl_primitive_create(&t->primitive, t->desc);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    if (rc != dnnl_success)
        return rc;
    size_t bytes = round_up(dnnl_memory_desc_get_size(scratch_md(t)));
    m->scratch_bytes = bytes > m->scratch_bytes ? bytes : m->scratch_bytes;
    return rc;
}

int cpu_matmul_new(struct backend *b, const struct matmul_desc *desc, struct matmul **out,
                   struct err *e)
{
    struct matmul *m = mem_new(1, sizeof *m, e);
    if (!m)
        return ERR_FAIL;
    m->desc = *desc;
    choose_tiles(m);
    dnnl_status_t rc = dnnl_success;
    int n_threads = omp_get_max_threads();
    omp_set_num_threads(1); /* that is how many the primitives are made for */
    for (int i = 0; i < 4 && rc == dnnl_success; i++)
        rc = tile_init(m, onednn_of(b)->engine, i / 2, i % 2);
    omp_set_num_threads(n_threads);
    if (rc != dnnl_success) {
        cpu_matmul_free(b, m);
        return err_set(e, "oneDNN: matrix product %zux%zux%zu: %s", desc->m, desc->n, desc->k,
                       status_text(rc));
    }
    *out = m;
    return 0;
}

int cpu_matmul_free(struct backend *b, struct matmul *m)
{
    (void)b;
    for (int i = 0; m && i < 4; i++) {
        struct tile *t = &m->tile[i / 2][i % 2];
        if (t->primitive)
            dnnl_primitive_destroy(t->primitive);
        if (t->desc)
            dnnl_primitive_desc_destroy(t->desc);
        for (int k = 0; k < 3; k++)
            md_release(&t->md[k]);
    }
    free(m);
    return 0;
}

/* data: A, B, C from the tile's first elements on, scratch memory. */
static dnnl_status_t tile_run(struct onednn *d, const struct tile *t, void *const data[N_MEMORIES])
{
    dnnl_memory_t memory[N_MEMORIES] = {NULL};
    dnnl_status_t rc = dnnl_success;
    for (int i = 0; i < N_MEMORIES && rc == dnnl_success; i++)
        rc = dnnl_memory_create(&memory[i], i == SCRATCH ? scratch_md(t) : md_ref(&t->md[i]),
                                d->engine, data[i]);
    dnnl_exec_arg_t list[N_MEMORIES] = {{DNNL_ARG_SRC, memory[A]},
                                        {DNNL_ARG_WEIGHTS, memory[B]},
                                        {DNNL_ARG_DST, memory[C]},
                                        {DNNL_ARG_SCRATCHPAD, memory[SCRATCH]}};
    if (rc == dnnl_success)
        rc = dnnl_primitive_execute(t->primitive, d->stream, N_MEMORIES, list);
    for (int i = 0; i < N_MEMORIES; i++)
        if (memory[i])
            dnnl_memory_destroy(memory[i]);
    return rc;
}

int cpu_matmul_run(struct backend *b, struct matmul *m, const void *a_data, const void *b_data,
                   float *c_data, struct err *e)
{
    const struct matmul_desc *d = &m->desc;
    long n_columns = (long)div_up(d->n, m->columns), n = (long)div_up(d->m, m->rows) * n_columns;
    size_t a_step = (d->a_transposed ? 1 : d->k) * dtype_bytes(d->dtype);
    size_t b_step = (d->b_transposed ? d->k : 1) * dtype_bytes(d->dtype);
    char *scratch = cpu_scratch(b, b->n_threads * m->scratch_bytes + 1);
    int worst = dnnl_success;
    if (!scratch)
        return err_set(e, "oneDNN: out of memory");
#pragma omp parallel for num_threads((int)b->n_threads) schedule(dynamic) reduction(max : worst)
    for (long i = 0; i < n; i++) {
        size_t row = (size_t)(i / n_columns) * m->rows,
               column = (size_t)(i % n_columns) * m->columns;
        void *data[N_MEMORIES] = {[A] = (char *)a_data + row * a_step,
                                  [B] = (char *)b_data + column * b_step,
                                  [C] = c_data + row * d->n + column,
                                  [SCRATCH] =
                                      scratch + (size_t)omp_get_thread_num() * m->scratch_bytes};
        const struct tile *t = &m->tile[row + m->rows >= d->m][column + m->columns >= d->n];
        int rc = (int)tile_run(onednn_of(b), t, data);
        worst = rc > worst ? rc : worst;
    }
    TRY((dnnl_status_t)worst);
    return 0;
}

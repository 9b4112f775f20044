/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See fused.h. A block of 8 warps walks down TILES tiles of TILE_M rows in TILE_N columns; each
 * warp computes 32 x 32 of a tile in four fragments of 16 x 16. Tiles of the factors are two deep
 * in shared memory: the next one is on its way from global memory into registers meanwhile. The
 * finished tile goes through shared memory, so that each thread then has 8 channels side by side of
 * a few rows, and adds its own sums in float32 over SUM_DEPTH rows at most.
 */
#include <mma.h>

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/fused.h"

using namespace nvcuda;

enum {
    TILE_M = 128,
    TILE_N = 64,
    TILE_K = 32,
    PAD = 8, /* elements behind each row of a tile, so that rows begin in different banks */
    WIDE = VECTOR_BF16,
    FRAGMENT = 16,
    WARPS_N = 2, /* side by side; 4 below each other */
    TILES = 16,  /* one below the other, of a block */
    SUMS = 3,
    ROWS_APART = CUDA_BLOCK / (TILE_N / WIDE), /* of a thread's rows in the finished tile */
};

/* Elements of a tile's rows in shared memory. */
enum {
    A_PITCH = TILE_K + PAD,
    BT_PITCH = TILE_K + PAD, /* B stored [n, k] */
    B_PITCH = TILE_N + PAD,  /* B stored [k, n] */
    C_PITCH = TILE_N + 8,    /* float32 */
    A_BYTES = TILE_M * A_PITCH * 2,
    B_BYTES =
        TILE_N * BT_PITCH * 2 > TILE_K *B_PITCH * 2 ? TILE_N *BT_PITCH * 2 : TILE_K *B_PITCH * 2,
    C_BYTES = TILE_M * C_PITCH * 4,
    RUN_BYTES = SUMS * WIDE * (CUDA_BLOCK + 1) * 4,
    STAGE_BYTES = A_BYTES + B_BYTES,
};

/* The larger of what is in there at different times. */
enum {
    ROOM_BYTES = 2 * STAGE_BYTES > C_BYTES ? 2 * STAGE_BYTES : C_BYTES,
};
static_assert((int)ROOM_BYTES >= (int)RUN_BYTES && (int)ROOM_BYTES <= 48 * 1024, "shared memory");
static_assert(TILES * TILE_M / ROWS_APART <= SUM_DEPTH, "rows that a thread adds up");

/* What a kernel gets by value. */
struct fused_args {
    struct fused_job job;
    struct norm_apply_args apply;
    struct norm_grad_apply_args first;
    struct norm_grad_args then;
    double *partial; /* [groups, n_sums, n] */
    unsigned n_columns;
    int n_sums;
};

static size_t groups_of(size_t m)
{
    return (m + (size_t)TILE_M * TILES - 1) / ((size_t)TILE_M * TILES);
}

/* -- the factors' tiles -- */

/* A thread's part of the next tiles, in registers. */
struct on_the_way {
    uint4 a[2], b;
    uint4 c[2]; /* where A is made of `a` and this: to data always, forward of a residual */
};

/* 8 elements of row `row`, or zeros outside of the matrix. */
DEVICE uint4 fetch_inside(const void *x, size_t row, size_t rows, unsigned column, unsigned columns)
{
    if (row >= rows || column >= columns)
        return make_uint4(0, 0, 0, 0);
    return *(const uint4 *)((const uint16_t *)x + row * columns + column);
}

/* Where a tile is: its first row of A, column of B, and step along k. */
struct tile_place {
    size_t row;
    unsigned column, k;
};

template <bool BT, bool APPLY>
DEVICE void fetch_tiles(const struct fused_args *f, const struct tile_place *p,
                        struct on_the_way *t)
{
    const struct fused_job *j = &f->job;
    const void *a = !APPLY ? j->a : BT ? f->apply.c : f->first.g;
    const void *c = BT ? f->apply.residual : f->first.c;
    unsigned i = threadIdx.x, k = p->k + i % 4 * WIDE;
    for (int h = 0; h < 2; h++) { /* 64 rows each, 4 threads a row */
        size_t row = p->row + i / 4 + 64 * h;
        t->a[h] = fetch_inside(a, row, j->m, k, j->k);
        if (APPLY && (!BT || c))
            t->c[h] = fetch_inside(c, row, j->m, k, j->k);
    }
    if (BT) /* 64 rows, 4 threads a row */
        t->b = fetch_inside(j->b, p->column + i / 4, j->n, k, j->k);
    else /* 32 rows, 8 threads a row */
        t->b = fetch_inside(j->b, p->k + i / 8, j->k, p->column + i % 8 * WIDE, j->n);
}

DEVICE void unpack_wide(const uint4 *u, float *v)
{
    unpack(u->x, v);
    unpack(u->y, v + 2);
    unpack(u->z, v + 4);
    unpack(u->w, v + 6);
}

DEVICE uint4 pack_wide(const float *v)
{
    return make_uint4(pack(v), pack(v + 2), pack(v + 4), pack(v + 6));
}

enum { PAIR = 2 };
/* Vectors of 2 channels, for both rows of a thread. */
struct apply_vectors {
    float scale[PAIR], shift[PAIR], residual_scale[PAIR], residual_shift[PAIR];
};

struct first_vectors {
    float scale[PAIR], shift[PAIR], mean[PAIR], a[PAIR], b[PAIR], k[PAIR];
};

DEVICE void load_pair(const float *x, unsigned i, float *v)
{
    float2 f = *(const float2 *)(x + i);
    v[0] = f.x;
    v[1] = f.y;
}

DEVICE void load_apply(const struct norm_apply_args *n, unsigned k, struct apply_vectors *v)
{
    load_pair(n->scale, k, v->scale);
    load_pair(n->shift, k, v->shift);
    if (!n->residual_scale)
        return;
    load_pair(n->residual_scale, k, v->residual_scale);
    load_pair(n->residual_shift, k, v->residual_shift);
}

DEVICE void load_first(const struct norm_grad_apply_args *n, unsigned k, struct first_vectors *v)
{
    load_pair(n->mean, k, v->mean);
    load_pair(n->a, k, v->a);
    load_pair(n->b, k, v->b);
    load_pair(n->k, k, v->k);
    if (!n->scale)
        return;
    load_pair(n->scale, k, v->scale);
    load_pair(n->shift, k, v->shift);
}

/* A word of 2 channels: c becomes what norm_apply makes of it; returns their bits. */
DEVICE unsigned normalise_pair(const struct norm_apply_args *n, const struct apply_vectors *by,
                               uint32_t *c, const uint32_t *residual)
{
    float v[PAIR], r[PAIR];
    unsigned positive = 0;
    unpack(c[0], v);
    if (n->residual) {
        unpack(residual[0], r);
    }
    for (int i = 0; i < PAIR; i++) {
        v[i] = elem_affine(v[i], by->scale[i], by->shift[i]);
        if (n->residual)
            v[i] += n->residual_scale
                        ? elem_affine(r[i], by->residual_scale[i], by->residual_shift[i])
                        : r[i];
        if (n->relu)
            v[i] = elem_relu(v[i]);
        positive |= (unsigned)(v[i] > 0.0f) << i;
    }
    c[0] = pack(v);
    return positive;
}

/* Likewise g becomes what norm_grad_apply makes of it. */
DEVICE void norm_grad_pair(const struct norm_grad_apply_args *n, const struct first_vectors *by,
                           uint32_t *g, const uint32_t *c)
{
    float v[PAIR], x[PAIR];
    unpack(g[0], v);
    unpack(c[0], x);
    for (int i = 0; i < PAIR; i++) {
        if (n->scale)
            v[i] = elem_relu_grad(v[i], elem_affine(x[i], by->scale[i], by->shift[i]));
        v[i] = elem_norm_grad(v[i], x[i] - by->mean[i], by->a[i], by->b[i], by->k[i]);
    }
    g[0] = pack(v);
}

/* A's part: those of the first columns' blocks keep it for others. Rows outside stay zeros. */
template <bool BT>
DEVICE void make_a(const struct fused_args *f, const struct tile_place *p, struct on_the_way *t)
{
    unsigned i = threadIdx.x, k = p->k + i % 4 * WIDE, bits[2] = {0, 0};
    typename std::conditional<BT, struct apply_vectors, struct first_vectors>::type by;
    if (k >= f->job.k)
        return;
    for (int part = 0; part < WIDE / PAIR; part++) {
        if constexpr (BT)
            load_apply(&f->apply, k + part * PAIR, &by);
        else
            load_first(&f->first, k + part * PAIR, &by);
        for (int h = 0; h < 2; h++) {
            uint32_t *a = (uint32_t *)&t->a[h] + part, *c = (uint32_t *)&t->c[h] + part;
            if (p->row + i / 4 + 64 * h >= f->job.m)
                continue;
            if constexpr (BT)
                bits[h] |= normalise_pair(&f->apply, &by, a, c) << part * PAIR;
            else
                norm_grad_pair(&f->first, &by, a, c);
        }
    }
    for (int h = 0; h < 2 && p->column == 0; h++) {
        size_t row = p->row + i / 4 + 64 * h, at = row * f->job.k + k;
        if (row >= f->job.m)
            continue;
        __stwb((uint4 *)((uint16_t *)(BT ? f->apply.y : f->first.dc) + at), t->a[h]);
        if (BT && f->apply.mask)
            f->apply.mask[at / WIDE] = (uint8_t)bits[h];
    }
}

template <bool BT, bool APPLY>
DEVICE void store_tiles(const struct fused_args *f, const struct tile_place *p,
                        unsigned char *stage, struct on_the_way *t)
{
    uint16_t *a = (uint16_t *)stage, *b = (uint16_t *)(stage + A_BYTES);
    unsigned i = threadIdx.x;
    if (APPLY)
        make_a<BT>(f, p, t);
    for (int h = 0; h < 2; h++)
        *(uint4 *)(a + (i / 4 + 64 * h) * A_PITCH + i % 4 * WIDE) = t->a[h];
    if (BT)
        *(uint4 *)(b + i / 4 * BT_PITCH + i % 4 * WIDE) = t->b;
    else
        *(uint4 *)(b + i / 8 * B_PITCH + i % 8 * WIDE) = t->b;
}

/* -- products -- */

typedef wmma::fragment<wmma::accumulator, FRAGMENT, FRAGMENT, FRAGMENT, float> sum_fragment;

template <bool BT>
DEVICE void multiply_tiles(const unsigned char *stage, unsigned warp_row, unsigned warp_column,
                           sum_fragment acc[2][2])
{
    typedef typename std::conditional<BT, wmma::col_major, wmma::row_major>::type b_layout;
    const __nv_bfloat16 *a = (const __nv_bfloat16 *)stage;
    const __nv_bfloat16 *b = (const __nv_bfloat16 *)(stage + A_BYTES);
    for (unsigned k = 0; k < TILE_K; k += FRAGMENT) {
        wmma::fragment<wmma::matrix_a, FRAGMENT, FRAGMENT, FRAGMENT, __nv_bfloat16, wmma::row_major>
            fa[2];
        wmma::fragment<wmma::matrix_b, FRAGMENT, FRAGMENT, FRAGMENT, __nv_bfloat16, b_layout> fb[2];
        for (unsigned i = 0; i < 2; i++) {
            unsigned row = warp_row + i * FRAGMENT, column = warp_column + i * FRAGMENT;
            wmma::load_matrix_sync(fa[i], a + row * A_PITCH + k, A_PITCH);
            wmma::load_matrix_sync(fb[i], BT ? b + column * BT_PITCH + k : b + k * B_PITCH + column,
                                   BT ? BT_PITCH : B_PITCH);
        }
        for (unsigned i = 0; i < 2; i++)
            for (unsigned l = 0; l < 2; l++)
                wmma::mma_sync(acc[i][l], fa[i], fb[l], acc[i][l]);
    }
}

/*
 * One tile of C, in float32 in `room` when it returns. `next` holds its first factors' tiles, and
 * then those of the tile at `after`, which are on their way while this one is finished.
 */
template <bool BT, bool APPLY>
DEVICE void compute_tile(const struct fused_args *f, struct tile_place at, struct tile_place after,
                         unsigned char *room, struct on_the_way *next)
{
    unsigned warp = threadIdx.x / 32, end = f->job.k;
    unsigned warp_row = warp / WARPS_N * 2 * FRAGMENT, warp_column = warp % WARPS_N * 2 * FRAGMENT;
    sum_fragment acc[2][2];
    for (int i = 0; i < 2; i++)
        for (int l = 0; l < 2; l++)
            wmma::fill_fragment(acc[i][l], 0.0f);
    store_tiles<BT, APPLY>(f, &at, room, next);
    for (unsigned stage = 0; at.k < end; stage = 1 - stage) {
        at.k += TILE_K; /* of the next tiles */
        const struct tile_place coming = at.k < end ? at : after;
        fetch_tiles<BT, APPLY>(f, &coming, next);
        __syncthreads(); /* this stage is complete, and nobody reads the other one any more */
        multiply_tiles<BT>(room + stage * STAGE_BYTES, warp_row, warp_column, acc);
        if (at.k < end)
            store_tiles<BT, APPLY>(f, &at, room + (1 - stage) * STAGE_BYTES, next);
    }
    __syncthreads(); /* the finished tile takes the place of the factors' */
    float *c = (float *)room;
    for (unsigned i = 0; i < 2; i++)
        for (unsigned l = 0; l < 2; l++)
            wmma::store_matrix_sync(c + (warp_row + i * FRAGMENT) * C_PITCH + warp_column +
                                        l * FRAGMENT,
                                    acc[i][l], C_PITCH, wmma::mem_row_major);
    __syncthreads();
}

/* -- what is done with a tile: a thread has 8 channels of every ROWS_APARTth row -- */

/* Of the block's columns. In shared memory: in registers they would cost a block of its place. */
struct channel_vectors {
    float scale[TILE_N], shift[TILE_N], mean[TILE_N], mean2[TILE_N];
};

DEVICE void load_vectors(const struct fused_args *f, unsigned column, struct channel_vectors *n)
{
    const struct norm_grad_args *a = &f->then;
    unsigned i = threadIdx.x, c = column + i;
    if (i >= TILE_N || c >= f->job.n)
        return;
    n->scale[i] = a->scale ? a->scale[c] : 0.0f;
    n->shift[i] = a->shift ? a->shift[c] : 0.0f;
    n->mean[i] = a->mean[c];
    n->mean2[i] = a->c2 ? a->mean2[c] : 0.0f;
}

/* A thread's channels, numbers of the row that it is at, and sums. */
struct lane {
    unsigned channel; /* the first, counted from the block's columns */
    float v[WIDE], sum[SUMS][WIDE];
};

DEVICE void take_row(const float *c, unsigned row, struct lane *t)
{
    for (int k = 0; k < WIDE; k++)
        t->v[k] = c[row * C_PITCH + t->channel + k];
}

/* C as it is, and sums of what is stored. */
DEVICE void keep_row(const struct fused_job *j, size_t at, struct lane *t)
{
    const uint4 stored = pack_wide(t->v);
    __stwb((uint4 *)((uint16_t *)j->c + at), stored);
    unpack_wide(&stored, t->v);
    for (int k = 0; k < WIDE; k++) {
        t->sum[0][k] += t->v[k];
        t->sum[1][k] += t->v[k] * t->v[k];
    }
}

/* As norm_grad of a row. */
DEVICE void grad_row(const struct fused_args *f, size_t at, const struct channel_vectors *n,
                     struct lane *t)
{
    const struct norm_grad_args *a = &f->then;
    unsigned c = t->channel;
    float x[WIDE], other[WIDE];
    load<DTYPE_BF16, WIDE>(a->c, at, x);
    if (!a->g) /* what is kept is the product alone */
        store<DTYPE_BF16, WIDE>(f->job.c, at, t->v);
    if (a->dy2) {
        load<DTYPE_BF16, WIDE>(a->dy2, at, other);
        for (int k = 0; k < WIDE; k++)
            t->v[k] += other[k];
    }
    if (a->relu) {
        if (a->mask)
            load_bits<WIDE>(a->mask, at, other);
        else if (a->y)
            load<DTYPE_BF16, WIDE>(a->y, at, other);
        for (int k = 0; k < WIDE; k++)
            t->v[k] = elem_relu_grad(
                t->v[k],
                a->mask || a->y ? other[k] : elem_affine(x[k], n->scale[c + k], n->shift[c + k]));
    }
    for (int k = 0; k < WIDE; k++) {
        t->sum[0][k] += t->v[k];
        t->sum[1][k] += t->v[k] * (x[k] - n->mean[c + k]);
    }
    if (a->c2) {
        load<DTYPE_BF16, WIDE>(a->c2, at, other);
        for (int k = 0; k < WIDE; k++)
            t->sum[2][k] += t->v[k] * (other[k] - n->mean2[c + k]);
    }
    if (a->g)
        store<DTYPE_BF16, WIDE>(a->g, at, t->v);
}

/* The block's sums, as those of one group of rows. */
DEVICE void store_partial(const struct fused_args *f, size_t group, unsigned column,
                          const struct lane *mine, unsigned char *room)
{
    float(*run)[CUDA_BLOCK + 1] = (float(*)[CUDA_BLOCK + 1]) room;
    const unsigned lanes = TILE_N / WIDE;
    __syncthreads();
    for (int s = 0; s < SUMS; s++)
        for (int k = 0; k < WIDE; k++)
            run[s * WIDE + k][threadIdx.x] = mine->sum[s][k];
    __syncthreads();
    for (unsigned i = threadIdx.x; i < (unsigned)f->n_sums * TILE_N; i += CUDA_BLOCK) {
        unsigned s = i / TILE_N, channel = i % TILE_N;
        double total = 0.0;
        for (unsigned t = channel / WIDE; t < CUDA_BLOCK; t += lanes)
            total += (double)run[s * WIDE + channel % WIDE][t];
        if (column + channel < f->job.n)
            f->partial[(group * (size_t)f->n_sums + s) * f->job.n + column + channel] = total;
    }
}

template <bool BT, bool APPLY, bool GRAD>
__global__ void __launch_bounds__(CUDA_BLOCK, 2) fused_kernel(struct fused_args f)
{
    __shared__ __align__(32) unsigned char room[ROOM_BYTES];
    const struct fused_job *j = &f.job;
    size_t group = blockIdx.x / f.n_columns;
    unsigned column = blockIdx.x % f.n_columns * TILE_N;
    struct lane mine = {threadIdx.x % (TILE_N / WIDE) * WIDE};
    bool busy = column + mine.channel < j->n;
    __shared__ struct channel_vectors vectors;
    if (GRAD) /* seen by all once the first tile is finished */
        load_vectors(&f, column, &vectors);
    struct tile_place place = {group * TILES * TILE_M, column, 0};
    struct on_the_way next;
    fetch_tiles<BT, APPLY>(&f, &place, &next);
    for (int tile = 0; tile < TILES && place.row < j->m; tile++) {
        size_t row = place.row;
        struct tile_place after = {tile + 1 < TILES ? row + TILE_M : j->m, column, 0};
        compute_tile<BT, APPLY>(&f, place, after, room, &next);
        place = after;
        unsigned end = j->m - row < TILE_M ? (unsigned)(j->m - row) : (unsigned)TILE_M;
        for (unsigned r = threadIdx.x / (TILE_N / WIDE); r < end && busy; r += ROWS_APART) {
            size_t at = (row + r) * j->n + column + mine.channel;
            take_row((const float *)room, r, &mine);
            if (GRAD)
                grad_row(&f, at, &vectors, &mine);
            else
                keep_row(j, at, &mine);
        }
        __syncthreads(); /* the next tile's factors go where this one was */
    }
    if (f.n_sums)
        store_partial(&f, group, column, &mine, room);
}

/* -- running -- */

static int n_sums_of(const struct fused_job *j)
{
    return j->then ? j->then->c2 ? 3 : 2 : j->sums ? 2 : 0;
}

extern "C" bool fused_fits(const struct conv_desc *d, enum conv_pass pass)
{
    return pass != CONV_BACKWARD_WEIGHTS && conv_is_product(d) && d->dtype == DTYPE_BF16 &&
           !d->bias && d->c_in % WIDE == 0 && d->c_out % WIDE == 0 &&
           conv_out_rows(d) < ((size_t)1 << 40) && d->c_in < 65536 && d->c_out < 65536;
}

/* A is made where it is read: blocks of other columns read what it is made of. */
static bool apart_forward(const struct fused_job *j)
{
    const struct norm_apply_args *f = j->apply;
    return !f || (f->scale && f->shift && f->y != f->c && f->y != f->residual && f->y != j->c &&
                  f->c != j->c && f->residual != j->c);
}

static bool apart_to_data(const struct fused_job *j)
{
    const struct norm_grad_apply_args *f = j->first;
    bool alone = j->n <= TILE_N; /* a thread then stores where it alone has read */
    return !f || (f->dc != f->c && f->dc != j->c && f->g != j->c && f->c != j->c &&
                  (f->dc != f->g || alone));
}

extern "C" bool fused_may_run(const struct fused_job *j)
{
    const struct norm_grad_apply_args *f = j->first;
    const struct norm_apply_args *n = j->apply;
    const struct norm_grad_args *t = j->then;
    const void *pointer[] = {
        j->a,
        j->b,
        j->c,
        n ? n->c : NULL,
        n ? n->residual : NULL,
        f ? f->g : NULL,
        f ? f->c : NULL,
        t ? t->dy2 : NULL,
        t ? t->c : NULL,
        t ? t->y : NULL,
        t ? t->g : NULL,
        t ? t->c2 : NULL,
        n ? n->scale : NULL,
        n ? n->shift : NULL,
        n ? n->residual_scale : NULL,
        n ? n->residual_shift : NULL,
        f ? f->mean : NULL,
        f ? f->a : NULL,
        f ? f->b : NULL,
        f ? f->k : NULL,
        f ? f->scale : NULL,
        f ? f->shift : NULL,
    };
    return apart_forward(j) && apart_to_data(j) &&
           all_aligned(pointer, sizeof pointer / sizeof pointer[0]);
}

extern "C" size_t fused_bytes(const struct fused_job *j)
{
    return groups_of(j->m) * SUMS * j->n * sizeof(double);
}

extern "C" int fused_run(struct backend *b, const struct fused_job *j, void *scratch)
{
    struct fused_args f = {};
    f.job = *j;
    if (j->apply)
        f.apply = *j->apply;
    if (j->first)
        f.first = *j->first;
    if (j->then)
        f.then = *j->then;
    f.partial = (double *)scratch;
    f.n_columns = (j->n + TILE_N - 1) / TILE_N;
    f.n_sums = n_sums_of(j);
    unsigned grid = (unsigned)groups_of(j->m) * f.n_columns;
    auto to_data =
        j->first  ? j->then ? fused_kernel<false, true, true> : fused_kernel<false, true, false>
         : j->then ? fused_kernel<false, false, true>
                  : fused_kernel<false, false, false>;
    auto forward = j->apply ? fused_kernel<true, true, false> : fused_kernel<true, false, false>;
    auto kernel = j->b_transposed ? forward : to_data;
    LAUNCH(kernel, grid, CUDA_BLOCK, cuda_stream(b), f);
    if (f.n_sums == 0)
        return cuda_launched(b);
    struct cuda_partial_sums p = {f.partial,
                                  groups_of(j->m),
                                  j->n,
                                  f.n_sums,
                                  j->then ? j->then->sums : j->sums,
                                  j->then && j->then->c2 ? j->then->sums2 : NULL};
    return cuda_gather_sums(b, &p);
}

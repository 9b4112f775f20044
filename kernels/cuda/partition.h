/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How tensors [rows, channels] are cut into the blocks and threads of a kernel. It follows from the
 * shape alone, so sums come out with the same bits on every GPU. Plain C, so that tests can count
 * what is covered.
 *
 *     struct row_cut cut = row_cut(rows, channels / vector, SUM_DEPTH);
 *     dim3 grid(cut.n_tiles, cut.n_columns);                         CUDA_BLOCK threads each
 *     struct row_walk w = row_walk(&cut, &shape, block, thread);     in the kernel
 *     for (size_t row = w.row; row < w.end; row += w.step)
 *         ... elements row * channels + w.channel, `vector` of them; none where !w.busy ...
 */
#ifndef TEG_KERNELS_CUDA_PARTITION_H
#define TEG_KERNELS_CUDA_PARTITION_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/elem.h"

enum {
    CUDA_BLOCK = 256, /* threads */
    CUDA_LANES = 32,  /* threads side by side on one row, at most */
    SUM_DEPTH = 64,   /* rows that one thread adds up in float32 */
    MAP_DEPTH = 16,   /* rows of one thread where nothing is summed */
    WANTED_BLOCKS = 2048,
};

struct row_cut {
    unsigned lanes;   /* threads side by side on a row: a power of 2 */
    unsigned depth;   /* rows of one thread */
    size_t n_tiles;   /* blocks over the rows */
    size_t n_columns; /* blocks over a row */
};

/* Rows of one block. */
TEG_HD size_t row_cut_rows(const struct row_cut *c)
{
    return (size_t)(CUDA_BLOCK / c->lanes) * c->depth;
}

/* About WANTED_BLOCKS blocks where there is enough work for them, none deeper than max_depth. */
static inline struct row_cut row_cut(size_t rows, size_t vectors, unsigned max_depth)
{
    struct row_cut c = {1, 1, 0, 0};
    while (c.lanes < CUDA_LANES && c.lanes < vectors)
        c.lanes *= 2;
    c.n_columns = (vectors + c.lanes - 1) / c.lanes;
    size_t threads = CUDA_BLOCK / c.lanes;
    size_t wanted = WANTED_BLOCKS / c.n_columns ? WANTED_BLOCKS / c.n_columns : 1;
    size_t depth = rows / (threads * wanted);
    c.depth = depth < 1 ? 1 : depth > max_depth ? max_depth : (unsigned)depth;
    c.n_tiles = (rows + threads * c.depth - 1) / (threads * c.depth);
    return c;
}

struct row_shape {
    size_t rows, channels;
    unsigned vector; /* elements that a thread takes at a time */
};

struct row_place {
    unsigned thread;
    size_t tile, column; /* of the block */
};

struct row_walk {
    size_t row, end, channel;
    unsigned step;
    bool busy; /* false: this thread lies outside of the rows' channels */
};

TEG_HD struct row_walk row_walk(const struct row_cut *c, const struct row_shape *s,
                                const struct row_place *at)
{
    struct row_walk w;
    size_t begin = at->tile * row_cut_rows(c), end = begin + row_cut_rows(c);
    w.step = CUDA_BLOCK / c->lanes;
    w.channel = (at->column * c->lanes + at->thread % c->lanes) * s->vector;
    w.busy = w.channel < s->channels;
    w.row = begin + at->thread / c->lanes;
    w.end = !w.busy ? 0 : end < s->rows ? end : s->rows;
    return w;
}

#endif

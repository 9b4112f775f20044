/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/probe_knn.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/stop.h"

enum { TEST_BLOCK = 512, TRAIN_BLOCK = 4096 };

struct neighbour {
    float cosine;
    uint32_t example;
};

struct knn {
    const struct knn_search *search;
    const struct knn_options *options;
    size_t k;
    struct matmul *product; /* for the shape below */
    size_t n_test, n_train; /* rows of a block */
    float *block;           /* [TEST_BLOCK, TRAIN_BLOCK], backend memory */
    float *cosine;          /* the same, host */
    struct neighbour *heap; /* [TEST_BLOCK, k], the farthest first */
    size_t n_found;
};

/* Is `a` farther than `b`? */
static bool is_farther(const struct neighbour *a, const struct neighbour *b)
{
    return a->cosine < b->cosine || (a->cosine == b->cosine && a->example > b->example);
}

static void sift_down(struct neighbour *heap, size_t n, size_t at)
{
    struct neighbour moving = heap[at];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && is_farther(&heap[child + 1], &heap[child]))
            child++;
        if (!is_farther(&heap[child], &moving))
            break;
        heap[at] = heap[child];
    }
    heap[at] = moving;
}

/* Examples come in ascending order, so one that is only equal to the farthest never replaces it. */
static void offer_block(struct knn *s, size_t row, size_t first)
{
    struct neighbour *heap = s->heap + row * s->k;
    const float *cosine = s->cosine + row * s->n_train;
    for (size_t j = 0; j < s->n_train; j++) {
        size_t n = first + j;
        if (n >= s->k && cosine[j] <= heap[0].cosine)
            continue;
        struct neighbour one = {.cosine = cosine[j], .example = (uint32_t)n};
        if (n >= s->k) {
            heap[0] = one;
            sift_down(heap, s->k, 0);
            continue;
        }
        heap[n] = one;
        for (size_t at = s->k / 2; n + 1 == s->k && at-- > 0;)
            sift_down(heap, s->k, at);
    }
}

static int set_shape(struct knn *s, size_t n_test, size_t n_train, struct err *e)
{
    struct backend *b = s->search->b;
    if (s->product && s->n_test == n_test && s->n_train == n_train)
        return 0;
    if (s->product)
        b->ops->matmul_free(b, s->product);
    s->product = NULL;
    s->n_test = n_test;
    s->n_train = n_train;
    struct matmul_desc desc = {.m = n_test,
                               .n = n_train,
                               .k = s->options->width,
                               .b_transposed = true,
                               .dtype = s->options->dtype};
    return b->ops->matmul_new(b, &desc, &s->product, e);
}

static size_t block_len(size_t n, size_t first, size_t block)
{
    return n - first < block ? n - first : block;
}

/* The k nearest of test rows first .. first + n. */
static int find_neighbours(struct knn *s, size_t first, size_t n, struct err *e)
{
    const struct knn_search *q = s->search;
    size_t row_bytes = s->options->width * dtype_bytes(s->options->dtype);
    for (size_t j = 0; j < q->train.n; j += TRAIN_BLOCK) {
        const char *test = (const char *)q->test.x + first * row_bytes;
        const char *train = (const char *)q->train.x + j * row_bytes;
        if (stop_requested())
            return err_code(e, ERR_STOPPED, "stopped");
        if (set_shape(s, n, block_len(q->train.n, j, TRAIN_BLOCK), e) < 0 ||
            q->b->ops->matmul_run(q->b, s->product, test, train, s->block, e) < 0 ||
            q->b->ops->download(q->b, s->cosine, s->block, n * s->n_train * sizeof *s->cosine, e) <
                0)
            return ERR_FAIL;
        for (size_t i = 0; i < n; i++)
            offer_block(s, i, j);
    }
    return 0;
}

static int compare_neighbours(const void *a, const void *b)
{
    return is_farther(a, b) ? 1 : -1;
}

/* Votes relative to the nearest, so that no temperature overflows; nearest first, for one order of
 * the sum. */
static void add_votes(const struct knn *s, struct neighbour *heap, double *scores)
{
    double sum = 0;
    qsort(heap, s->k, sizeof *heap, compare_neighbours);
    for (size_t i = 0; i < s->k; i++)
        sum += exp(((double)heap[i].cosine - heap[0].cosine) / s->options->temperature);
    for (size_t i = 0; i < s->k; i++)
        scores[s->search->label[heap[i].example]] +=
            exp(((double)heap[i].cosine - heap[0].cosine) / s->options->temperature) / sum;
}

static int knn_init(struct knn *s, struct err *e)
{
    size_t cells = (size_t)TEST_BLOCK * TRAIN_BLOCK;
    s->k = s->options->k < s->search->train.n ? s->options->k : s->search->train.n;
    s->cosine = mem_new(cells, sizeof *s->cosine, e);
    s->heap = mem_new(TEST_BLOCK * s->k, sizeof *s->heap, e);
    if (!s->cosine || !s->heap)
        return ERR_FAIL;
    return backend_alloc(s->search->b, &s->block, cells * sizeof *s->block, e);
}

int knn_predict(const struct knn_search *search, const struct knn_options *options, double *scores,
                struct err *e)
{
    struct knn s = {.search = search, .options = options};
    int rc = knn_init(&s, e);
    ui_progress_start(options->ui, "finding neighbours", search->test.n, "clips");
    for (size_t i = 0; rc == 0 && i < search->test.n; i += TEST_BLOCK) {
        size_t n = block_len(search->test.n, i, TEST_BLOCK);
        rc = find_neighbours(&s, i, n, e);
        for (size_t j = 0; rc == 0 && j < n; j++)
            add_votes(&s, s.heap + j * s.k, scores + search->group[i + j] * options->n_classes);
        ui_progress_add(options->ui, n);
    }
    ui_progress_end(options->ui);
    if (s.product)
        search->b->ops->matmul_free(search->b, s.product);
    search->b->ops->release(search->b, s.block);
    free(s.cosine);
    free(s.heap);
    return rc;
}

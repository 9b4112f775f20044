/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compute interface: one table of operations (ops.def), one implementation a device. Everything
 * that computes on tensors goes through it, so that the network, the losses and the probes are
 * written once.
 *
 *     struct backend *b;
 *     backend_open(&b, &(struct backend_options){.device = "cpu", .n_threads = 2}, &e);
 *     b->ops->conv_new(b, &desc, &conv, &e);
 *     b->ops->conv_forward(b, conv, &args, &e);
 *     backend_close(b);
 *
 * Pointers are to device memory unless said otherwise. Layout is channels last everywhere:
 * activations [N, T, H, W, C], convolution weights [O, kt, kh, kw, I] (float32 masters). "rows" are
 * all dimensions but the channels: N*T*H*W. Statistics, losses and weight gradients are float32
 * (sums float64) whatever the precision.
 *
 * Operations take effect in the order of the calls, but a device may still be computing when one
 * returns. Only upload, download, sync and release wait for all before them. `render` waits for
 * itself alone: before it writes over memory, whatever reads that memory must have been waited for.
 *
 * What is the same step after step is given to `repeat`: a device that can records what the
 * function puts on it, and from then on does that again without calling it. What changes from step
 * to step is therefore in device memory, also labels, boxes, learning rates and results.
 */
#ifndef TEG_KERNELS_BACKEND_H
#define TEG_KERNELS_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "kernels/processes.h"
#include "kernels/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

struct backend_ops;

struct backend {
    const struct backend_ops *ops;
    const char *name; /* "cpu", "cuda" */
    size_t n_threads; /* host threads the operations may use */
    size_t memory;    /* bytes of the device */
    bool fuses;    /* would rather have norm_apply_args.mask than read y in the backward pass, and
                      a gradient's dc apart from its g */
    bool is_apart; /* computes on a device of its own: the processors are free */
    bool measures; /* conv_new measures, for up to some seconds a shape */
    /* Set by the caller for a while: conv_new measures nothing, and gives what takes memory but
     * cannot be run. So a run that has no room is found out at once. */
    bool sizing;
    const struct processes *processes; /* NULL: one */
    void *state;                       /* of the implementation */
    struct err note; /* for the user, "" for none: why a GPU that is there is not used, or slow */
};

struct backend_options {
    const char *device; /* "auto", "cpu", "cuda" */
    /* Which of the GPUs that CUDA_VISIBLE_DEVICES lets through, counted on from the last to the
     * first. */
    size_t gpu;
    size_t n_threads;
    /*
     * A text file in which a device keeps which implementation of a convolution it measured as the
     * fastest, read when opened and written when something new was measured: the next run computes
     * the same bits and starts at once. NULL: measured anew by every process. The CPU has none.
     */
    const char *plan_file;
    /* A folder in which what any run measured is looked for before it is measured again; NULL: it
     * is not. */
    const char *plan_cache;
    /*
     * Called before each of these measurements, which take up to some seconds, with how many went
     * before it. Below 0 gives up: the operation that asked fails with `e`. NULL: nobody is told.
     */
    int (*measuring)(void *user, size_t n_before, struct err *e);
    void *user;
    /* Those that compute together, each with its own backend; the processors of the default are
     * then this one's part, "auto" and "cuda" its own GPU. NULL: one. */
    const struct processes *processes;
    bool tf32; /* products of float32 may round their factors to 10 bits, where the device can */
};

/*
 * "auto" takes a usable GPU, else the CPU; "cuda" fails where there is none, and says why.
 */
int backend_open(struct backend **b, const struct backend_options *options, struct err *e);
void backend_close(struct backend *b);

/*
 * Memory of the device; `pointer` is the address of a pointer of any type, which is left alone
 * where there is no such memory. ops->release gives it back.
 */
int backend_alloc(struct backend *b, void *pointer, size_t bytes, struct err *e);
int backend_alloc_zero(struct backend *b, void *pointer, size_t bytes, struct err *e); /* of 0s */
/* Numbers from -1 to 1, unlike each other as in use: zeros draw less power, and run faster on some
 * devices. */
int backend_fill(struct backend *b, void *to, size_t bytes, enum dtype dtype, struct err *e);
/* Peak of multiply-adds * 2 per second of this device at `dtype` as far as it can be measured in
 * part of a second. */
int backend_peak_flops(struct backend *b, enum dtype dtype, double *flops, struct err *e);

/* -- convolution: y[n,to,ho,wo,o] = bias[o] + sum w[o,kt,kh,kw,i] x[n, to*st-pt+kt, ...,i] -- */

struct conv; /* a plan for one shape with its packed weights */

struct conv_desc {
    size_t n, in[3], c_in; /* input [n, in[0], in[1], in[2], c_in] */
    size_t c_out;
    size_t kernel[3], stride[3], pad[3]; /* (t, h, w); padding symmetric */
    enum dtype dtype;                    /* of x, y, dx, dy; weights are packed into it */
    bool bias;
    bool forward_only; /* no backward plans are made */
    bool no_data_grad; /* backward_data will not be called (the first layer) */
    /* What is mostly asked for, so that it is chosen for that: */
    bool with_apply; /* conv_forward_args.apply */
    bool with_sums;  /* conv_forward_args.sums */
    bool with_first; /* conv_data_grad_args.first */
    enum conv_then {
        THEN_NOTHING,
        THEN_MASK,
        THEN_ADD
    } then; /* conv_data_grad_args.then: masked by scale and shift; by y, with dy2 added */
    /*
     * A convolution with the same weights for another input shape, or NULL: where the layouts agree
     * its packed weights serve both, so conv_set_weights must be called on both, on it first. Must
     * live longer.
     */
    struct conv *share;
};

/* Size along dimension d of the output. */
static inline size_t conv_out(const struct conv_desc *d, int i)
{
    return (d->in[i] + 2 * d->pad[i] - d->kernel[i]) / d->stride[i] + 1;
}

struct norm_apply_args;

/* `apply` is norm_apply with y = x, where x is not there yet: a device may do it in the same way
 * through memory. */
struct conv_forward_args {
    const void *x;
    void *y;
    const struct norm_apply_args *apply; /* or NULL */
    double *
        sums; /* [2, c_out]: receives sum and sum of squares of y over the rows; NULL: not wanted */
};

struct norm_grad_args;
struct norm_grad_apply_args;

/*
 * What comes before and after is given too, where there is such: a device may do it in the same way
 * through memory. `first` is norm_grad_apply, with dc = dy. `then` is norm_grad, with dy = dx;
 * where its g is set, only that is left of dx.
 */
struct conv_data_grad_args {
    const void *dy;
    void *dx;
    const struct norm_grad_apply_args *first; /* or NULL */
    const struct norm_grad_args *then;        /* or NULL */
};

struct conv_weight_grad_args {
    const void *x, *dy;
    float *dw;       /* [O, kt, kh, kw, I] float32 */
    float *dbias;    /* [O] or NULL */
    bool accumulate; /* add to dw and dbias instead of overwriting */
};

/* -- matrix product: C[m, n] = op(A)[m, k] op(B)[k, n] (+ C) -- */

struct matmul; /* a plan for one shape */

struct matmul_desc {
    size_t m, n, k;
    bool a_transposed; /* A is stored [k, m] */
    bool b_transposed; /* B is stored [n, k] */
    bool accumulate;   /* add to C */
    enum dtype dtype;  /* of A and B; C is float32 */
};

/* -- batch normalisation (RECIPE section 1, 2), fused with what surrounds it -- */

struct norm_finish_args {
    size_t channels;
    double count; /* rows behind `sums` (of all processes) */
    const double
        *sums; /* [2, C]: sum, sum of squares; NULL: the running statistics are used instead */
    const float *gamma, *beta;
    float eps,
        momentum; /* running = momentum * running + (1 - momentum) * batch (variance unbiased) */
    bool update;  /* update the running statistics */
    float *running_mean, *running_var; /* [C] */
    float *mean, *inv_std;             /* [C] out */
    float *scale, *shift;              /* [C] out: gamma * inv_std, beta - mean * scale */
};

struct norm_apply_args {
    size_t rows, channels;
    enum dtype dtype;
    const void *c;                                /* [rows, C] convolution output */
    const float *scale, *shift;                   /* [C] */
    const void *residual;                         /* [rows, C] or NULL */
    const float *residual_scale, *residual_shift; /* [C] or NULL: residual is added as it is */
    bool relu;
    void *y; /* [rows, C]; may be c */
    /* [rows * C / 8]: bit i % 8 of byte i / 8 becomes whether y[i] > 0; C is a multiple of 8. NULL:
     * not wanted */
    uint8_t *mask;
};

/* How the gradient of a unit's output reaches its normalisation. g = (dy + dy2) * [output > 0]. */
struct norm_grad_args {
    size_t rows, channels;
    enum dtype dtype;
    const void *dy, *dy2;       /* dy2 may be NULL */
    const void *c;              /* what was normalised */
    const float *mean;          /* [C] of c: keeps the second sum free of cancellation */
    const float *scale, *shift; /* give the mask where y is NULL: c * scale + shift > 0 */
    const void *y;              /* mask y > 0; may be NULL */
    const uint8_t *mask;        /* the same as bits, see norm_apply_args; goes before y */
    bool relu;                  /* false: no mask */
    void *g;                    /* [rows, C]: receives g; may be dy; NULL: not kept */
    double *sums;               /* [2, C] out: sum g, sum g * (c - mean) */
    const void *c2; /* a second normalisation fed by the same g (projection shortcut), or NULL */
    const float *mean2; /* [C] of c2 */
    double *sums2;      /* [2, C] out for c2 */
};

struct norm_grad_finish_args {
    size_t channels;
    double count;
    const double *sums; /* [2, C]: sum g, sum g * (c - mean) */
    const float *gamma, *inv_std;
    float *d_gamma, *d_beta; /* accumulated; NULL: not wanted */
    bool frozen;             /* statistics were constants (inference mode): b = k = 0 */
    float *a, *b, *k;        /* [C] out: dc = a * g + b * (c - mean) + k */
};

struct norm_grad_apply_args {
    size_t rows, channels;
    enum dtype dtype;
    const void *g; /* masked gradient, or dy together with scale and shift as the mask */
    const void *c;
    const float *scale, *shift; /* NULL: g is masked already */
    const float *mean, *a, *b, *k;
    void *dc; /* may be g or c */
};

/* BN + ReLU + max pooling 1x3x3, stride (1, 2, 2), padding (0, 1, 1) in one pass. */
struct norm_pool_args {
    size_t planes, height, width, channels; /* c is [planes, height, width, C], planes = N*T */
    enum dtype dtype;
    const void *c;
    const float *scale, *shift;
    void *y;      /* [planes, Ho, Wo, C], Ho = (height - 1) / 2 + 1 */
    uint8_t *arg; /* same shape: position 0..8 in the window of the maximum; 255 where it is not >
                     0; or NULL */
};

struct pool_grad_args {
    size_t planes, height, width, channels;
    enum dtype dtype;
    const void *dy, *dy2; /* [planes, Ho, Wo, C]; dy2 may be NULL */
    const uint8_t *arg;
    void *g; /* [planes, height, width, C], overwritten */
};

/* -- embeddings and the contrastive objective (equations 2, 3; RECIPE section 2) -- */

/* Mean over every k consecutive steps, then L2 normalisation: z [n, steps, D] -> u [n, steps / k,
 * D]. */
struct embed_args {
    size_t n, steps, k, dim;
    const float *z;
    float *u;
    float *inv_norm; /* [n, steps / k]: 1 / |mean|, kept for the backward pass */
};

struct embed_grad_args {
    size_t n, steps, k, dim;
    const float *u, *inv_norm, *du;
    float *dz; /* [n, steps, D] */
    bool accumulate;
};

struct contrast_args {
    size_t n_anchors, n_keys, dim;
    const float *anchors; /* [n_anchors, D], unit length: short-clip embeddings of this process */
    const float *keys;    /* [n_keys, D], unit length: long-clip embeddings of the global batch */
    const uint32_t *positive;                 /* [n_anchors]: key of the matched step */
    const uint32_t *anchor_video, *key_video; /* video number of each */
    bool other_only; /* --negatives other: no key of the anchor's own video but the positive */
    float temperature;
    float scale; /* weight of the loss / number of anchors of the global batch */
    float *d_anchors,
        *d_keys;  /* gradients of scale * sum of the anchors' losses, accumulated; may be NULL */
    double *sums; /* [CONTRAST_SUMS] out: sums over the anchors, in the order below */
};

enum {
    CONTRAST_LOSS,     /* -log p(positive), not scaled */
    CONTRAST_POSITIVE, /* cosine of the positive */
    CONTRAST_NEGATIVE, /* mean cosine of an anchor's other candidates */
    CONTRAST_SUMS
};

/* -- classification -- */

struct softmax_xent_args {
    size_t rows, classes;
    size_t stride;       /* elements from one row to the next, of logits and d_logits; 0: classes */
    const float *logits; /* [rows, classes] */
    const int32_t *target; /* [rows]: 0 .. classes-1; anything else makes the loss NaN */
    const float *weight;   /* [rows] or NULL */
    float scale;           /* of the gradient */
    float *d_logits;       /* [rows, classes], overwritten; may be logits; NULL: not wanted */
    double *sums;          /* [XENT_SUMS] out, in the order below */
};

enum {
    XENT_LOSS,    /* weighted sum over the rows */
    XENT_CORRECT, /* rows whose first maximum is the target */
    XENT_SUMS
};

/* to[i] = from[row[i]] for rows of row_bytes bytes. */
struct gather_rows_args {
    const void *from;
    void *to;
    size_t row_bytes, n_rows;
    const uint32_t *row; /* [n_rows] */
};

/* -- optimiser -- */

struct param_span { /* consecutive elements of the flat parameter vector that make up one tensor */
    size_t offset, len;
    bool decay; /* weight decay applies (convolution and linear kernels) */
    bool adapt; /* LARS's local learning rate applies */
};

struct optimizer; /* a plan for the tensors of one model */

struct optimizer_desc {
    const struct param_span *spans; /* host memory, read by optimizer_new alone */
    size_t n_spans;
    float momentum, weight_decay;
    bool lars;
    float trust; /* LARS coefficient */
};

struct optimizer_args {
    float *params, *grads, *velocity; /* flat vectors; the gradients may be overwritten */
    const float *lr;                  /* [1] */
    const uint32_t *skip;             /* [1]: not 0: nothing is changed; NULL: always a step */
};

/* -- input pixels (RECIPE section 3; kernels/render.h says what exactly is computed) -- */

/* One clip as stored: NV12 pictures [3H/2, W] of equal size. */
struct clip_pixels {
    const uint8_t *const *picture; /* [n_frames], host memory */
    size_t n_frames;
    int width, height;               /* true size; crop boxes refer to it */
    int stored_width, stored_height; /* of the pictures, even */
    int matrix;                      /* 0 BT.601, 1 BT.709, 2 BT.2020 (enum color_matrix) */
    bool full_range;
};

/* One draw for all frames of a clip; the fields of `struct sample` (common/store/samples.h). */
struct clip_augment {
    int crop_x, crop_y, crop_w, crop_h;
    bool flip, jitter, grey, solarise;
    unsigned order; /* 0..23 */
    float brightness, contrast, saturation, hue;
    float blur; /* sigma; 0 none */
};

struct render_args {
    const struct clip_pixels *pixels;
    const struct clip_augment *augment;
    size_t size;      /* output is size x size */
    enum dtype dtype; /* DTYPE_F32, DTYPE_BF16: RGB in [0, 1] */
    void *out;        /* [n_frames, size, size, 3] */
};

/* -- fine-tuning -- */

/*
 * y = x / (1 - rate) where it is kept, 0 where it is dropped. Column c of row r is dropped where
 * the c-th rng_u32 after rng_init(seed, stream, first_item + r) (common/base/rng.h, philox.h) is
 * below rate * 2^32, and nothing else decides. The gradient is the same operation on dy.
 */
struct dropout_args {
    size_t rows, columns;
    const float *x;
    float *y;   /* [rows, columns]; may be x */
    float rate; /* 0 .. less than 1 */
    uint64_t seed;
    uint32_t stream;
    uint64_t first_item;
    const uint64_t *base; /* [1]: added to first_item; NULL: nothing is */
};

/* y = (x - mean) / sqrt(variance + eps) * gamma + beta, of each row over its columns. */
struct layer_norm_args {
    size_t rows, columns;
    const float *x, *gamma, *beta; /* [rows, columns], [columns] */
    float eps;
    float *y;              /* [rows, columns] */
    float *mean, *inv_std; /* [rows] out, for the backward pass */
};

struct layer_norm_grad_args {
    size_t rows, columns;
    const float *x, *gamma, *mean, *inv_std, *dy;
    float *d_gamma, *d_beta; /* accumulated */
    float *dx;               /* may be dy */
};

/*
 * Attention with one head: each query looks at the positions of its own item. p = softmax over the
 * positions of scale q k, y = sum over the positions of p v.
 */
struct attention_args {
    size_t n_queries, n_items, positions, dim;
    const uint32_t *item; /* [n_queries]: below n_items */
    float scale;
    const float *q;     /* [n_queries, D] */
    const float *k, *v; /* [n_items, positions, D] */
    float *p;           /* [n_queries, positions] out, for the backward pass */
    float *y;           /* [n_queries, D] */
};

struct attention_grad_args {
    struct attention_args forward; /* with p as it was left; y is not read */
    const float *dy;               /* [n_queries, D] */
    float *dq, *dk, *dv;           /* overwritten */
};

/*
 * RoIAlign: a grid of ROI_GRID x ROI_GRID cells in each box, one bilinear sample in the middle of
 * each (numbers stand at whole coordinates, beyond the edge is the edge), then the maximum over the
 * grid, the first of equal ones.
 */
enum { ROI_GRID = 4 };

struct roi_max_args {
    size_t n_boxes, n_items, height, width, channels;
    const float *map;     /* [n_items, H, W, C] */
    const uint32_t *item; /* [n_boxes] */
    const float *box;     /* [n_boxes, 4]: left, top, right, bottom as shares 0..1 */
    float *y;             /* [n_boxes, C]; backward: its gradient, read */
    uint8_t *arg;         /* [n_boxes, C]: the cell of the maximum; out, backward: read */
    float *d_map;         /* backward: [n_items, H, W, C], overwritten */
};

/* to[r, c] = from[r, c] */
struct copy_columns_args {
    size_t rows, columns;
    const float *from;
    float *to;
    size_t from_stride, to_stride; /* elements from one row to the next */
};

/* Row r of many is row r / repeat % period of few: each `repeat` times, and all of that again and
 * again. Backward: few is the sum of all its rows' many. */
struct tile_rows_args {
    size_t rows, columns;  /* rows of many: a multiple of repeat * period */
    size_t repeat, period; /* at least 1 */
    float *few;            /* [period, columns]; backward: overwritten */
    float *many;           /* [rows, columns]; forward: overwritten */
    size_t stride;         /* of many: elements from one row to the next */
};

struct sigmoid_xent_args {
    size_t rows, classes;
    const float *logits;   /* [rows, classes] */
    const uint8_t *target; /* [rows, classes]: 0 or 1 */
    const float *weight;   /* [rows] or NULL */
    float scale;           /* of the gradient */
    float *d_logits;       /* [rows, classes], overwritten; may be logits; NULL: not wanted */
    double *loss;          /* [1] out: weighted sum over rows and classes */
};

/* -- the table -- */

/* What a device recorded of a function, see `repeat`; NULL until it has. */
struct recording;

struct backend_ops {
#define OP(name, args) int(*name) args;
#include "kernels/ops.def"
#undef OP
};

#define OP(name, args) int cpu_##name args;
#include "kernels/ops.def"
#undef OP

extern const struct backend_ops cpu_ops;

#ifdef __cplusplus
}
#endif

#endif

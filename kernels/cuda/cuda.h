/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the CUDA backend share. All operations but `render` are put on one stream, in
 * the order of the calls; `render` has streams of its own. The host waits in `alloc` and `release`,
 * `upload`, `download`, `sync`, `render`, `conv_new`, and where a buffer grows; nowhere else.
 * `repeat` records what is put on the stream as a CUDA graph (recording.c).
 *
 *     void *partial = cuda_scratch(b, bytes);
 *     if (!partial)
 *         return ERR_FAIL;
 *     LAUNCH(kernel, grid, CUDA_BLOCK, cuda_stream(b), ...);
 *     return cuda_launched(b);
 */
#ifndef TEG_KERNELS_CUDA_CUDA_H
#define TEG_KERNELS_CUDA_CUDA_H

#include <cuda_runtime_api.h>

#include "kernels/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CUDA_ALIGNMENT = 256, /* of scratch parts */
    CUDA_N_STAGES = 16,   /* host arrays on their way at a time */
};

/* Memory that grows to what the largest user needs. */
struct cuda_buffer {
    void *memory;
    size_t bytes;
};

/* A host array on its way to the device. */
struct cuda_stage {
    struct cuda_buffer host; /* page-locked */
    cudaEvent_t copied;
};

struct vendor;
struct plan_file;
struct plan_cache;
struct conv_plan;
struct gemm_cache;
struct collective;
struct render_lanes;

struct cuda_state {
    int device;
    bool tf32;
    cudaStream_t stream;
    struct cuda_buffer scratch;
    bool recording;   /* the stream records: memory must stay where it is */
    size_t n_convs;   /* that there are: scratch memory goes with the last */
    unsigned n_moves; /* of the scratch memory: what was recorded before one is out of date */
    struct cuda_stage stage[CUDA_N_STAGES];
    unsigned next_stage;
    struct err failure;    /* the first of an operation that has no way to tell */
    struct vendor *vendor; /* cuDNN and cuBLASLt */
    struct plan_file *plan_file;
    struct plan_cache *plan_cache;
    int (*measuring)(void *user, size_t n_before, struct err *e); /* see backend_options */
    void *user;
    size_t n_measured;
    double compiling;             /* seconds that went into engines that had to be compiled */
    struct conv_plan *conv_plans; /* each pass that was asked for, once */
    struct gemm_cache *gemms;
    struct render_lanes *lanes;
    struct collective *collective; /* NULL until processes did something together */
};

static inline struct cuda_state *cuda_of(struct backend *b)
{
    return (struct cuda_state *)b->state;
}

static inline cudaStream_t cuda_stream(struct backend *b)
{
    return cuda_of(b)->stream;
}

static inline size_t cuda_align(size_t bytes)
{
    return (bytes + CUDA_ALIGNMENT - 1) / CUDA_ALIGNMENT * CUDA_ALIGNMENT;
}

/* 0, or "cuda: WHAT: why". */
int cuda_check(cudaError_t rc, const char *what, struct err *e);

/* Whether the launches since the last call were accepted; `failure` keeps why not. */
int cuda_launched(struct backend *b);

/* Grows a buffer of the device, or of page-locked host memory, whatever is under way. */
int cuda_grow(struct cuda_buffer *buffer, size_t bytes, struct err *e);
int cuda_grow_host(struct cuda_buffer *buffer, size_t bytes, struct err *e);

/*
 * Device memory for one operation's temporaries, CUDA_ALIGNMENT aligned: what is launched before
 * the next call may use it. NULL: exhausted, `failure` says so.
 */
void *cuda_scratch(struct backend *b, size_t bytes);
/* So that no call of cuda_scratch for as much has to wait. */
int cuda_reserve(struct backend *b, size_t bytes, struct err *e);
void cuda_free_scratch(struct backend *b);

#define OP(name, args) int cuda_##name args;
#include "kernels/ops.def"
#undef OP

/* -- kernels that several operations use; all on the backend's stream -- */

struct row_block {
    size_t rows, channels;
    enum dtype dtype;
};

/* sums [2, C]: sum and sum of squares of x [rows, C]. */
int cuda_channel_sums(struct backend *b, const struct row_block *block, const void *x,
                      double *sums);
/* Scratch bytes that it takes. */
size_t cuda_channel_sums_bytes(const struct row_block *block);

/* Sums of groups of rows, added up in a fixed order. */
struct cuda_partial_sums {
    const double *partial; /* [n_groups, n_sums, channels] */
    size_t n_groups, channels;
    int n_sums; /* 2, or 3 */
    double *sums,
        *sums2; /* [2, channels]; sums2 gets the first and the third, where it is wanted */
};
int cuda_gather_sums(struct backend *b, const struct cuda_partial_sums *p);

/* y [rows, C] of dtype = from + bias; from is float32 where from_type says so, and may be y. */
struct cuda_bias {
    const void *from;
    enum dtype from_type;
    const float *bias;
    void *y;
    struct row_block y_shape;
};
int cuda_add_bias(struct backend *b, const struct cuda_bias *a);

/* to[c] = sums[c] (+ to[c] where add) */
int cuda_store_sums(struct backend *b, const double *sums, float *to, size_t n, bool add);

#ifdef __cplusplus
}
#endif

#endif

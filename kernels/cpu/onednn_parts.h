/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that call oneDNN share: the switch between versions 2.6 and 3.x, the engine,
 * errors. */
#ifndef TEG_KERNELS_CPU_ONEDNN_PARTS_H
#define TEG_KERNELS_CPU_ONEDNN_PARTS_H

#include <dnnl.h>
#include <stdbool.h>

#include "common/base/err.h"
#include "kernels/cpu/cpu.h"

struct onednn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
};

static inline struct onednn *onednn_of(struct backend *b)
{
    return ((struct cpu_state *)b->state)->onednn;
}

static inline dnnl_data_type_t data_type(enum dtype t)
{
    return t == DTYPE_BF16 ? dnnl_bf16 : dnnl_f32;
}

static inline const char *status_text(dnnl_status_t status)
{
    switch (status) {
    case dnnl_out_of_memory:
        return "out of memory";
    case dnnl_invalid_arguments:
        return "invalid arguments";
    case dnnl_unimplemented:
        return "no implementation for this shape and precision on this processor";
    default:
        return "failed";
    }
}

#define TRY(call)                                                                                  \
    do {                                                                                           \
        dnnl_status_t status_ = (call);                                                            \
        if (status_ != dnnl_success)                                                               \
            return err_set(e, "oneDNN: %s", status_text(status_));                                 \
    } while (0)

/* A description of a tensor: an object of its own since version 3, a value before. */
struct md {
    dnnl_memory_desc_t d;
};

#if DNNL_VERSION_MAJOR >= 3
#define MD_REF const_dnnl_memory_desc_t
static inline MD_REF md_ref(const struct md *m)
{
    return m->d;
}
static inline void md_release(struct md *m)
{
    if (m->d)
        dnnl_memory_desc_destroy(m->d);
    m->d = NULL;
}
static inline dnnl_status_t md_init(struct md *m, int n_dims, const dnnl_dim_t *dims,
                                    dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(&m->d, n_dims, dims, type, tag);
}
static inline dnnl_status_t md_init_strided(struct md *m, int n_dims, const dnnl_dim_t *dims,
                                            dnnl_data_type_t type, const dnnl_dim_t *strides)
{
    return dnnl_memory_desc_create_with_strides(&m->d, n_dims, dims, type, strides);
}
static inline dnnl_status_t append_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1.0f, 0, dnnl_data_type_undef);
}
#else
#define MD_REF const dnnl_memory_desc_t *
static inline MD_REF md_ref(const struct md *m)
{
    return &m->d;
}
static inline void md_release(struct md *m)
{
    (void)m;
}
static inline dnnl_status_t md_init(struct md *m, int n_dims, const dnnl_dim_t *dims,
                                    dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_init_by_tag(&m->d, n_dims, dims, type, tag);
}
static inline dnnl_status_t md_init_strided(struct md *m, int n_dims, const dnnl_dim_t *dims,
                                            dnnl_data_type_t type, const dnnl_dim_t *strides)
{
    return dnnl_memory_desc_init_by_strides(&m->d, n_dims, dims, type, strides);
}
static inline dnnl_status_t append_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1.0f);
}
#endif

/* Attributes with which a primitive adds to its target if `add`. */
static inline dnnl_status_t attr_with_sum(dnnl_primitive_attr_t *attr, bool add)
{
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t rc = dnnl_primitive_attr_create(attr);
    if (rc == dnnl_success)
        rc = dnnl_post_ops_create(&ops);
    if (rc == dnnl_success && add)
        rc = append_sum(ops);
    if (rc == dnnl_success)
        rc = dnnl_primitive_attr_set_post_ops(*attr, ops);
    if (ops)
        dnnl_post_ops_destroy(ops);
    return rc;
}

#endif

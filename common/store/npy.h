/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy .npy arrays (format version 1.0, C order, little endian): the form of every tensor in a
 * store. */
#ifndef TEG_STORE_NPY_H
#define TEG_STORE_NPY_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

enum { NPY_MAX_DIMS = 8, NPY_MAX_DESCR = 1024 };

struct npy {
    char descr[NPY_MAX_DESCR]; /* "|u1", "<f4", "<f2", "<i4" ... or a list of columns "[('video',
                                  '<u4'), ...]" */
    size_t item_bytes;         /* bytes of one element (of one row where descr is a list) */
    int n_dims;
    size_t dim[NPY_MAX_DIMS];
    const void
        *data; /* when parsed: into the given bytes; the header is 64-byte aligned in length */
    size_t data_bytes;
};

/* Appends the header for descr, n_dims, dim (data and data_bytes are not used); the data follows
 * it. */
int npy_put_header(struct buf *out, const struct npy *a, struct err *e);

/* Reads a header and checks that exactly dim[0] * ... * item_bytes bytes follow. Fortran order is
 * refused. */
int npy_parse(struct npy *a, const void *bytes, size_t len, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An array of a store or of a model file, seen alike: elements of one type, or a table whose rows
 * have named columns. For looking at what is there, not for computing.
 */
#ifndef TEG_STORE_ARRAY_H
#define TEG_STORE_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/store/npy.h"
#include "common/store/safetensors.h"
#include "common/store/scalar.h"

enum { ARRAY_MAX_COLUMNS = 128, ARRAY_MAX_NAME = 63 };

struct array_column {
    char name[ARRAY_MAX_NAME + 1];
    struct scalar_type type;
    size_t offset; /* bytes from the start of the row */
    size_t n;      /* elements; 1 unless the column has a shape */
};

struct array {
    char descr[NPY_MAX_DESCR]; /* NumPy's; "" where it has no such type */
    struct scalar_type type;   /* of an element; SCALAR_OTHER where there are columns */
    struct array_column column[ARRAY_MAX_COLUMNS];
    size_t n_columns; /* 0: no table */
    int n_dims;
    size_t dim[NPY_MAX_DIMS];
    size_t n; /* elements or rows */
    const unsigned char *data;
    size_t data_bytes;
};

int array_from_npy(struct array *a, const struct npy *npy, struct err *e);
void array_from_tensor(struct array *a, const struct safetensor *tensor);

/* "[8,2048]"; "float32" or "table". */
int array_shape_text(const struct array *a, struct buf *out, struct err *e);
int array_type_text(const struct array *a, struct buf *out, struct err *e);

/* Element or row i. */
static inline const unsigned char *array_item(const struct array *a, size_t i)
{
    return a->data + i * a->type.bytes;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * .safetensors files: 8 bytes header length, a JSON header, then the tensors' bytes; `__metadata__`
 * is a map of strings. What PyTorch's safetensors package reads and writes. Files that are written
 * here have a hash of their content among those strings (schemas/model.md).
 */
#ifndef TEG_STORE_SAFETENSORS_H
#define TEG_STORE_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/json.h"

enum { SAFETENSORS_MAX_DIMS = 8, SAFETENSORS_MAX_HEADER = 100000000 };

struct safetensor {
    const char *name;
    const char *dtype; /* "F32", "BF16", "F16", "I64", "U8" ... */
    int n_dims;
    size_t dim[SAFETENSORS_MAX_DIMS];
    const void *data; /* little endian, C order; when read it may be unaligned: copy it */
    size_t bytes;
};

/*
 * An open file, memory-mapped, read-only. Nothing of it is trusted: a header that is too long,
 * names that come twice, shapes that do not fit the bytes, bytes of no tensor or of two are
 * refused.
 */
struct safetensors;
int safetensors_open(struct safetensors **s, const char *path, struct err *e);
/* The same on bytes in memory, borrowed until the close. */
int safetensors_view(struct safetensors **s, const void *bytes, size_t len, struct err *e);
void safetensors_close(struct safetensors *s);
/* Bytes of one element of a dtype; 0 for one that is not known. */
size_t safetensors_item_bytes(const char *dtype);
/* Tensors in the order of the header. */
size_t safetensors_n(const struct safetensors *s);
const struct safetensor *safetensors_at(const struct safetensors *s, size_t i);
const struct safetensor *safetensors_find(const struct safetensors *s,
                                          const char *name); /* NULL: absent */
/* The object `__metadata__` (values are strings), never NULL; borrowed. */
const struct json *safetensors_metadata(const struct safetensors *s);

/*
 * Reads all of the content and compares it with the hash: 1 it is what was written, 0 the file has
 * no hash, negative: it is damaged. Errors do not name the file.
 */
int safetensors_check_content(const struct safetensors *s, struct err *e);

/* Writes tensors in the given order, atomically. `metadata`: an object of strings, borrowed, or
 * NULL; its copy in the file has the hash. */
int safetensors_write(const char *path, const struct safetensor *tensors, size_t n,
                      struct json *metadata, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The value of a tensor record: one zstd frame, content size and checksum on, around one .npy
 * array. zstd is included by codec.c alone. A codec owns one context of each direction and is used
 * by one thread.
 */
#ifndef TEG_STORE_CODEC_H
#define TEG_STORE_CODEC_H

#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/store/npy.h"

struct codec;

enum { CODEC_DEFAULT_LEVEL = 1, CODEC_MAX_TENSOR_BYTES = 1 << 30 };

int codec_new(struct codec **c, struct err *e);
void codec_free(struct codec *c);
int codec_set_level(struct codec *c, int level, struct err *e); /* zstd level, 1..19 */

/* Packs header + data into `out` (cleared first). `a->data`, `a->data_bytes` are the source. */
int codec_pack(struct codec *c, const struct npy *a, struct buf *out, struct err *e);

/* Unpacks into the codec's own memory: `a->data` is valid until the next call with this codec. */
int codec_unpack(struct codec *c, const void *value, size_t len, struct npy *a, struct err *e);

#endif

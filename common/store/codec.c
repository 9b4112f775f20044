/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/codec.h"

#include <zstd.h>

struct codec {
    ZSTD_CCtx *compressor;
    ZSTD_DCtx *decompressor;
    struct buf plain; /* header and data, before packing or after unpacking */
};

/* A header is far smaller than this; what it describes is at most CODEC_MAX_TENSOR_BYTES. */
enum { MAX_HEADER_BYTES = 4096 };

int codec_new(struct codec **out, struct err *e)
{
    struct codec *c = mem_new(1, sizeof *c, e);
    if (!c)
        return ERR_FAIL;
    c->compressor = ZSTD_createCCtx();
    c->decompressor = ZSTD_createDCtx();
    int rc = ERR_FAIL;
    if (!c->compressor || !c->decompressor)
        err_set(e, "zstd: out of memory");
    else if (ZSTD_isError(ZSTD_CCtx_setParameter(c->compressor, ZSTD_c_checksumFlag, 1)))
        err_set(e, "zstd: no checksums");
    else
        rc = codec_set_level(c, CODEC_DEFAULT_LEVEL, e);
    if (rc < 0) {
        codec_free(c);
        return rc;
    }
    *out = c;
    return 0;
}

void codec_free(struct codec *c)
{
    if (!c)
        return;
    ZSTD_freeCCtx(c->compressor);
    ZSTD_freeDCtx(c->decompressor);
    buf_release(&c->plain);
    free(c);
}

int codec_set_level(struct codec *c, int level, struct err *e)
{
    if (level < 1 || level > 19)
        return err_set(e, "zstd level %d, not 1..19", level);
    size_t rc = ZSTD_CCtx_setParameter(c->compressor, ZSTD_c_compressionLevel, level);
    return ZSTD_isError(rc) ? err_set(e, "zstd: %s", ZSTD_getErrorName(rc)) : 0;
}

int codec_pack(struct codec *c, const struct npy *a, struct buf *out, struct err *e)
{
    if (a->data_bytes > CODEC_MAX_TENSOR_BYTES)
        return err_set(e, "array of %zu bytes, more than %d", a->data_bytes,
                       CODEC_MAX_TENSOR_BYTES);
    struct npy check;
    buf_clear(&c->plain);
    if (npy_put_header(&c->plain, a, e) < 0 ||
        buf_append(&c->plain, a->data, a->data_bytes, e) < 0 ||
        npy_parse(&check, c->plain.data, c->plain.len, e) < 0)
        return ERR_FAIL;
    size_t bound = ZSTD_compressBound(c->plain.len);
    buf_clear(out);
    if (buf_reserve(out, bound, e) < 0)
        return ERR_FAIL;
    size_t n = ZSTD_compress2(c->compressor, out->data, bound, c->plain.data, c->plain.len);
    if (ZSTD_isError(n))
        return err_set(e, "zstd: %s", ZSTD_getErrorName(n));
    out->len = n;
    return 0;
}

/* Size of what the frame holds, checked before anything is allocated. */
static int content_size(const void *value, size_t len, size_t *out, struct err *e)
{
    unsigned long long size = ZSTD_getFrameContentSize(value, len);
    if (size == ZSTD_CONTENTSIZE_ERROR)
        return err_set(e, "not a zstd frame");
    if (size == ZSTD_CONTENTSIZE_UNKNOWN)
        return err_set(e, "a zstd frame that does not say its size");
    if (size > (unsigned long long)CODEC_MAX_TENSOR_BYTES + MAX_HEADER_BYTES)
        return err_set(e, "a zstd frame of %llu bytes, more than %d", size, CODEC_MAX_TENSOR_BYTES);
    size_t frame = ZSTD_findFrameCompressedSize(value, len);
    if (ZSTD_isError(frame))
        return err_set(e, "zstd: %s", ZSTD_getErrorName(frame));
    if (frame != len)
        return err_set(e, "%zu bytes behind the zstd frame", len - frame);
    *out = (size_t)size;
    return 0;
}

int codec_unpack(struct codec *c, const void *value, size_t len, struct npy *a, struct err *e)
{
    size_t size = 0;
    buf_clear(&c->plain);
    if (content_size(value, len, &size, e) < 0 || buf_reserve(&c->plain, size, e) < 0)
        return ERR_FAIL;
    size_t n = ZSTD_decompressDCtx(c->decompressor, c->plain.data, size, value, len);
    if (ZSTD_isError(n))
        return err_set(e, "zstd: %s", ZSTD_getErrorName(n));
    c->plain.len = n;
    return npy_parse(a, c->plain.data, n, e);
}

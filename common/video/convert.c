/* SPDX-License-Identifier: Apache-2.0 */
#include "common/video/convert.h"

#include <errno.h>
#include <math.h>

#include <libavutil/error.h>
#include <libavutil/frame.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "common/base/buf.h"
#include "common/video/avlog.h"
#include "common/video/nv12.h"

enum { N_SCALERS = 4 };

/* What a scaler was made for. */
struct scaler_key {
    int from_width, from_height, width, height;
    enum AVPixelFormat format;
    int matrix; /* SWS_CS_* of the output, matters for RGB */
    int full_range;
};

struct scaler {
    struct scaler_key key;
    struct SwsContext *sws;
};

struct converter {
    struct scaler scaler[N_SCALERS];
    unsigned next;    /* the scaler to be replaced next */
    uint8_t *scratch; /* owns the planes of a scaled picture */
    size_t scratch_bytes;
    uint8_t *plane[4];
    int stride[4];
    struct buf lying; /* a picture before it is turned */
};

/* -- colours -- */

/* The formats that say "full range" by their name, and the same without that. */
static enum AVPixelFormat plain_format(enum AVPixelFormat format, bool *full_range)
{
    static const enum AVPixelFormat pairs[][2] = {
        {AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUV420P}, {AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUV422P},
        {AV_PIX_FMT_YUVJ444P, AV_PIX_FMT_YUV444P}, {AV_PIX_FMT_YUVJ440P, AV_PIX_FMT_YUV440P},
        {AV_PIX_FMT_YUVJ411P, AV_PIX_FMT_YUV411P},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (format == pairs[i][0]) {
            *full_range = true;
            return pairs[i][1];
        }
    return format;
}

static bool is_rgb(enum AVPixelFormat format)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(format);
    return d && d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL);
}

static bool is_full_range(const AVFrame *frame)
{
    bool full = frame->color_range == AVCOL_RANGE_JPEG;
    enum AVPixelFormat format = plain_format(frame->format, &full);
    return full && !is_rgb(format);
}

/* Where the file does not say: high definition is BT.709, all else BT.601, as players take it. */
static enum color_matrix matrix_of(const AVFrame *frame)
{
    switch (is_rgb(frame->format) ? AVCOL_SPC_UNSPECIFIED : frame->colorspace) {
    case AVCOL_SPC_BT709:
    case AVCOL_SPC_SMPTE240M:
        return COLOR_BT709;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
    case AVCOL_SPC_ICTCP:
    case AVCOL_SPC_CHROMA_DERIVED_NCL:
    case AVCOL_SPC_CHROMA_DERIVED_CL:
        return COLOR_BT2020;
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
    case AVCOL_SPC_FCC:
        return COLOR_BT601;
    default:
        return frame->width >= 1280 || frame->height > 576 ? COLOR_BT709 : COLOR_BT601;
    }
}

void convert_plan(const struct AVFrame *first, int short_side, int rotation,
                  struct frames_info *info)
{
    bool upright = rotation % 180 == 0;
    int width = upright ? first->width : first->height;
    int height = upright ? first->height : first->width;
    int least = width < height ? width : height;
    if (short_side > 0 && least > short_side) {
        double scale = (double)short_side / least;
        int other = 2 * (int)lround((width < height ? height : width) * scale / 2);
        int wide = width >= height;
        width = wide ? other : short_side;
        height = wide ? short_side : other;
    }
    info->width = width;
    info->height = height;
    info->stored_width = nv12_even(width);
    info->stored_height = nv12_even(height);
    info->matrix = matrix_of(first);
    info->full_range = is_full_range(first);
}

/* -- scaling -- */

int converter_new(struct converter **c, struct err *e)
{
    *c = mem_new(1, sizeof **c, e);
    return *c ? 0 : ERR_FAIL;
}

void converter_free(struct converter *c)
{
    if (!c)
        return;
    for (int i = 0; i < N_SCALERS; i++)
        sws_freeContext(c->scaler[i].sws);
    free(c->scratch);
    buf_release(&c->lying);
    free(c);
}

static bool same_key(const struct scaler_key *a, const struct scaler_key *b)
{
    return a->from_width == b->from_width && a->from_height == b->from_height &&
           a->width == b->width && a->height == b->height && a->format == b->format &&
           a->matrix == b->matrix && a->full_range == b->full_range;
}

/* Equal ranges and matrices on both sides keep swscale from converting either. */
static int open_scaler(struct scaler *s, const struct scaler_key *key, struct err *e)
{
    int flags = SWS_BICUBIC | SWS_ACCURATE_RND | SWS_BITEXACT;
    sws_freeContext(s->sws);
    s->key = *key;
    s->sws = sws_getContext(key->from_width, key->from_height, key->format, key->width, key->height,
                            AV_PIX_FMT_YUV420P, flags, NULL, NULL, NULL);
    if (!s->sws)
        return avlog_fail(e, AVERROR(EINVAL), "cannot scale");
    const int *matrix = sws_getCoefficients(key->matrix);
    sws_setColorspaceDetails(s->sws, matrix, key->full_range, matrix, key->full_range, 0, 1 << 16,
                             1 << 16);
    return 0;
}

static struct SwsContext *find_scaler(struct converter *c, const struct scaler_key *key,
                                      struct err *e)
{
    for (int i = 0; i < N_SCALERS; i++)
        if (c->scaler[i].sws && same_key(&c->scaler[i].key, key))
            return c->scaler[i].sws;
    struct scaler *s = &c->scaler[c->next++ % N_SCALERS];
    return open_scaler(s, key, e) < 0 ? NULL : s->sws;
}

static int coefficients_of(enum color_matrix matrix)
{
    return matrix == COLOR_BT709    ? SWS_CS_ITU709
           : matrix == COLOR_BT2020 ? SWS_CS_BT2020
                                    : SWS_CS_ITU601;
}

/* swscale's vector code may write beyond the end of a row, so it gets rows with room. */
static int grow_scratch(struct converter *c, const struct scaler_key *key, struct err *e)
{
    size_t y_stride = (size_t)(key->width + 127) / 64 * 64,
           c_stride = (y_stride / 2 + 127) / 64 * 64;
    size_t height = (size_t)nv12_even(key->height);
    size_t y_bytes = y_stride * height, c_bytes = c_stride * height / 2;
    size_t bytes = y_bytes + 2 * c_bytes + 64;
    if (bytes > c->scratch_bytes) {
        free(c->scratch);
        c->scratch_bytes = 0;
        c->scratch = mem_aligned(bytes, e);
        if (!c->scratch)
            return ERR_FAIL;
        c->scratch_bytes = bytes;
    }
    c->plane[0] = c->scratch;
    c->plane[1] = c->scratch + y_bytes;
    c->plane[2] = c->scratch + y_bytes + c_bytes;
    c->stride[0] = (int)y_stride;
    c->stride[1] = c->stride[2] = (int)c_stride;
    return 0;
}

/* Into c->plane. */
static int scale(struct converter *c, const AVFrame *frame, const struct scaler_key *key,
                 struct err *e)
{
    struct SwsContext *sws = find_scaler(c, key, e);
    if (!sws || grow_scratch(c, key, e) < 0)
        return ERR_FAIL;
    int rc = sws_scale(sws, (const uint8_t *const *)frame->data, frame->linesize, 0, frame->height,
                       c->plane, c->stride);
    return rc < 0 ? avlog_fail(e, rc, "cannot scale") : 0;
}

static struct nv12_planes planes_of(uint8_t *const *plane, const int *stride)
{
    return (struct nv12_planes){plane[0], plane[1], plane[2], stride[0], stride[1], stride[2]};
}

int converter_run(struct converter *c, const struct AVFrame *frame,
                  const struct convert_target *target, uint8_t *picture, struct err *e)
{
    const struct frames_info *info = target->info;
    bool upright = target->rotation % 180 == 0, ignored;
    struct scaler_key key = {
        .from_width = frame->width,
        .from_height = frame->height,
        .width = upright ? info->width : info->height,
        .height = upright ? info->height : info->width,
        .format = plain_format(frame->format, &ignored),
        .matrix = coefficients_of(info->matrix),
        .full_range = info->full_range,
    };
    bool same_size = key.width == frame->width && key.height == frame->height;
    bool as_it_is = same_size && key.format == AV_PIX_FMT_YUV420P;
    avlog_begin();
    if (!as_it_is && scale(c, frame, &key, e) < 0)
        return ERR_FAIL;
    struct nv12_planes planes =
        as_it_is ? planes_of(frame->data, frame->linesize) : planes_of(c->plane, c->stride);
    if (target->rotation == 0) {
        nv12_from_planes(&planes, key.width, key.height, picture);
        return 0;
    }
    buf_clear(&c->lying);
    if (buf_reserve(&c->lying, nv12_bytes(key.width, key.height), e) < 0)
        return ERR_FAIL;
    nv12_from_planes(&planes, key.width, key.height, c->lying.data);
    nv12_rotate(c->lying.data, key.width, key.height, target->rotation, picture);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/video/hardware.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include <libavcodec/avcodec.h>
#include <libavutil/hwcontext.h>

#include "common/base/buf.h"
#include "common/video/avlog.h"
#include "common/video/planar.h"

struct hardware {
    AVBufferRef *device;
    pthread_mutex_t lock; /* of what follows */
    size_t n_left;
    struct err why;
};

int hardware_open(struct hardware **out, struct err *e)
{
    struct hardware *h = mem_new(1, sizeof *h, e);
    if (!h)
        return ERR_FAIL;
    avlog_begin();
    int rc = av_hwdevice_ctx_create(&h->device, AV_HWDEVICE_TYPE_CUDA, NULL, NULL, 0);
    if (rc < 0) {
        struct err why;
        avlog_fail(&why, rc, "device cuda: the GPU's video decoder cannot be opened");
        free(h);
        return err_set(e, "%s; use --device cpu", why.text);
    }
    pthread_mutex_init(&h->lock, NULL);
    *out = h;
    return 0;
}

void hardware_close(struct hardware *h)
{
    if (!h)
        return;
    av_buffer_unref(&h->device);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

static bool takes_part(const AVCodec *codec)
{
    const AVCodecHWConfig *config;
    for (int i = 0; (config = avcodec_get_hw_config(codec, i)); i++)
        if (config->device_type == AV_HWDEVICE_TYPE_CUDA &&
            config->methods & AV_CODEC_HW_CONFIG_METHOD_HW_DEVICE_CTX)
            return true;
    return false;
}

/* Not always the first of the codec: of AV1 that is a decoder of the processor's alone. */
const AVCodec *hardware_decoder(const struct hardware *h, int codec_id)
{
    const AVCodec *codec;
    void *position = NULL;
    while (h && (codec = av_codec_iterate(&position)))
        if (av_codec_is_decoder(codec) && (int)codec->id == codec_id && takes_part(codec))
            return codec;
    return NULL;
}

/* FFmpeg's own choice of a pixel format is the device's where it can decode the stream, else one
 * that the processor can. */
int hardware_use(struct hardware *h, struct AVCodecContext *codec, struct err *e)
{
    codec->hw_device_ctx = av_buffer_ref(h->device);
    return codec->hw_device_ctx ? 0 : err_set(e, "out of memory");
}

/* -- fetching -- */

/* How the formats of a device's frames, chroma samples side by side, are called with planes apart.
 */
static const struct {
    enum AVPixelFormat fetched, planar;
    int shift; /* of the samples: those of more than 8 bits are at the top of 16 */
} formats[] = {
    {AV_PIX_FMT_NV12, AV_PIX_FMT_YUV420P, 0},
    {AV_PIX_FMT_P010LE, AV_PIX_FMT_YUV420P10LE, 6},
    {AV_PIX_FMT_P016LE, AV_PIX_FMT_YUV420P12LE, 4},
};

static void copy_planes(AVFrame *to, const AVFrame *from, int shift)
{
    const struct planar_source source = {.luma = from->data[0],
                                         .chroma = from->data[1],
                                         .luma_stride = from->linesize[0],
                                         .chroma_stride = from->linesize[1],
                                         .width = from->width,
                                         .height = from->height,
                                         .shift = shift};
    const struct planar_planes planes = {{to->data[0], to->data[1], to->data[2]},
                                         {to->linesize[0], to->linesize[1], to->linesize[2]}};
    planar_split(&source, &planes);
}

/* The same picture as the processor's decoders give it, so that what follows makes the same of it.
 * Formats other than those of the table stay as they are. */
static int make_planar(AVFrame *frame, AVFrame *room)
{
    size_t i = 0, n = sizeof formats / sizeof formats[0];
    while (i < n && formats[i].fetched != (enum AVPixelFormat)frame->format)
        i++;
    if (i == n)
        return 0;
    room->format = formats[i].planar;
    room->width = frame->width;
    room->height = frame->height;
    int rc = av_frame_get_buffer(room, 0);
    if (rc >= 0)
        rc = av_frame_copy_props(room, frame);
    if (rc < 0)
        return rc;
    copy_planes(room, frame, formats[i].shift);
    av_frame_unref(frame);
    av_frame_move_ref(frame, room);
    return 0;
}

/* FFmpeg 5.1 gives no error where a copy from the device fails, but says so in its log. */
static int transfer(AVFrame *frame, AVFrame *room)
{
    avlog_begin();
    int rc = av_hwframe_transfer_data(room, frame, 0);
    if (rc >= 0)
        rc = avlog_line()[0] ? AVERROR_EXTERNAL : av_frame_copy_props(room, frame);
    if (rc < 0)
        return rc;
    room->crop_left = frame->crop_left; /* of the device's frames only the rest is cut off */
    room->crop_top = frame->crop_top;
    room->crop_right = room->crop_bottom = 0;
    av_frame_unref(frame);
    av_frame_move_ref(frame, room);
    return 0;
}

int hardware_fetch(struct AVFrame *frame, struct AVFrame *room, struct err *e)
{
    if (!frame->hw_frames_ctx)
        return 0;
    int rc = transfer(frame, room);
    if (rc >= 0)
        rc = make_planar(frame, room);
    if (rc >= 0)
        rc = av_frame_apply_cropping(frame, 0);
    return rc < 0 ? avlog_fail(e, rc, "a frame cannot be fetched from the GPU") : 1;
}

/* -- counting -- */

void hardware_note_left(struct hardware *h, const char *why)
{
    pthread_mutex_lock(&h->lock);
    if (h->n_left++ == 0 || !h->why.text[0])
        err_set(&h->why, "%s", why);
    pthread_mutex_unlock(&h->lock);
}

size_t hardware_n_left(struct hardware *h, struct err *why)
{
    pthread_mutex_lock(&h->lock);
    size_t n = h->n_left;
    *why = h->why;
    pthread_mutex_unlock(&h->lock);
    return n;
}

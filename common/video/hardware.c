/* SPDX-License-Identifier: Apache-2.0 */
#include "common/video/hardware.h"

#include <pthread.h>
#include <stdlib.h>

#include <libavcodec/avcodec.h>
#include <libavutil/hwcontext.h>

#include "common/base/buf.h"
#include "common/video/avlog.h"

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

/* FFmpeg's own choice of a pixel format is the device's where it can decode the stream, else one
 * that the processor can. */
int hardware_use(struct hardware *h, struct AVCodecContext *codec, struct err *e)
{
    if (!h)
        return 0;
    codec->hw_device_ctx = av_buffer_ref(h->device);
    return codec->hw_device_ctx ? 0 : err_set(e, "out of memory");
}

int hardware_fetch(struct AVFrame *frame, struct AVFrame *room, struct err *e)
{
    if (!frame->hw_frames_ctx)
        return 0;
    int rc = av_hwframe_transfer_data(room, frame, 0);
    if (rc >= 0)
        rc = av_frame_copy_props(room, frame);
    if (rc < 0)
        return avlog_fail(e, rc, "a frame cannot be fetched from the GPU");
    av_frame_unref(frame);
    av_frame_move_ref(frame, room);
    return 1;
}

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

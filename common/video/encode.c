/* SPDX-License-Identifier: Apache-2.0 */
#include "common/video/encode.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/video/avlog.h"

struct codec_row {
    const char *encoder; /* FFmpeg's name of the encoder */
    int default_quality, worst_quality;
    bool constant_quantiser;   /* quality is the quantiser, not a private option `crf` */
    const char *options[3][2]; /* private options: name, value */
};

/*
 * Key frames at scene changes are off in both. x264 without them reads costs that were never
 * computed when it weighs blocks by how long they are referred to (mbtree), and then writes other
 * bytes every time: off too.
 */
static const struct codec_row codecs[] = {
    [ENCODE_H264] =
        {"libx264", 18, 51, false, {{"preset", "medium"}, {"x264-params", "scenecut=0:mbtree=0"}}},
    [ENCODE_MPEG4] = {"mpeg4", 3, 31, true, {{"sc_threshold", "1000000000"}}},
    [ENCODE_VP9] = {"libvpx-vp9", 20, 63, false, {{"cpu-used", "5"}, {"row-mt", "0"}}},
};

const char *const encode_codec_names[] = {"h264", "mpeg4", "vp9", NULL};

/* Containers; AVI cannot say in which order the pictures of H.264 are shown. */
static const struct container_row {
    const char *extension;
    const char *muxer; /* FFmpeg's name */
    bool holds[3];     /* by codec */
} containers[] = {
    {"mp4", "mp4", {true, true, true}},
    {"avi", "avi", {[ENCODE_MPEG4] = true}},
    {"webm", "webm", {[ENCODE_VP9] = true}},
};

struct encoder {
    char *path, *part; /* the target, and what is being written */
    AVFormatContext *format;
    AVCodecContext *codec;
    AVFrame *frame;
    AVPacket *packet;
    int64_t n_frames; /* pictures put so far */
};

int encode_default_quality(enum encode_codec codec)
{
    return codecs[codec].default_quality;
}

int encode_worst_quality(enum encode_codec codec)
{
    return codecs[codec].worst_quality;
}

bool encode_available(enum encode_codec codec)
{
    return avcodec_find_encoder_by_name(codecs[codec].encoder) != NULL;
}

/* NULL where the extension is none of them. */
static const struct container_row *find_container(const char *path)
{
    const char *extension = path_extension(path);
    for (size_t i = 0; i < sizeof containers / sizeof *containers; i++)
        if (strcmp(containers[i].extension, extension) == 0)
            return &containers[i];
    return NULL;
}

bool encode_fits(const char *path, enum encode_codec codec)
{
    const struct container_row *container = find_container(path);
    return container && container->holds[codec];
}

static int fail(const struct encoder *x, const char *what, int code, struct err *e)
{
    avlog_fail(e, code, what);
    return err_add(e, "%s", x->path);
}

static void encoder_free(struct encoder *x)
{
    if (!x)
        return;
    if (x->format)
        avio_closep(&x->format->pb);
    avformat_free_context(x->format);
    avcodec_free_context(&x->codec);
    av_frame_free(&x->frame);
    av_packet_free(&x->packet);
    free(x->path);
    free(x->part);
    free(x);
}

static int open_codec(struct encoder *x, const struct encode_options *o, struct err *e)
{
    const struct codec_row *row = &codecs[o->codec];
    const AVCodec *codec = avcodec_find_encoder_by_name(row->encoder);
    if (!codec)
        return err_set(e, "%s: the installed FFmpeg has no %s encoder (%s)", x->path,
                       encode_codec_names[o->codec], row->encoder);
    AVCodecContext *c = x->codec = avcodec_alloc_context3(codec);
    if (!c)
        return fail(x, "encoder", AVERROR(ENOMEM), e);
    c->width = o->width;
    c->height = o->height;
    c->pix_fmt = AV_PIX_FMT_YUV420P;
    c->time_base = (AVRational){(int)o->fps_den, (int)o->fps_num};
    c->framerate = (AVRational){(int)o->fps_num, (int)o->fps_den};
    c->gop_size = o->gop;
    c->keyint_min = o->gop;
    c->thread_count = 1;
    c->flags |= AV_CODEC_FLAG_BITEXACT;
    if (x->format->oformat->flags & AVFMT_GLOBALHEADER)
        c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    c->color_range = AVCOL_RANGE_MPEG;
    c->colorspace = AVCOL_SPC_SMPTE170M;
    c->color_primaries = AVCOL_PRI_SMPTE170M;
    c->color_trc = AVCOL_TRC_SMPTE170M;
    if (row->constant_quantiser) {
        c->flags |= AV_CODEC_FLAG_QSCALE;
        c->global_quality = o->quality * FF_QP2LAMBDA;
    }
    int rc = row->constant_quantiser ? 0 : av_opt_set_int(c->priv_data, "crf", o->quality, 0);
    for (size_t i = 0; rc >= 0 && row->options[i][0]; i++)
        rc = av_opt_set(c->priv_data, row->options[i][0], row->options[i][1], 0);
    if (rc >= 0)
        rc = avcodec_open2(c, codec, NULL);
    return rc < 0 ? fail(x, row->encoder, rc, e) : 0;
}

static int open_format(struct encoder *x, struct err *e)
{
    const char *muxer = find_container(x->path)->muxer;
    int rc = avformat_alloc_output_context2(&x->format, NULL, muxer, x->part);
    if (rc < 0)
        return fail(x, muxer, rc, e);
    x->format->flags |= AVFMT_FLAG_BITEXACT;
    return 0;
}

static int open_file(struct encoder *x, struct err *e)
{
    AVStream *stream = avformat_new_stream(x->format, NULL);
    if (!stream)
        return fail(x, x->format->oformat->name, AVERROR(ENOMEM), e);
    stream->time_base = x->codec->time_base;
    stream->avg_frame_rate = x->codec->framerate;
    int rc = avcodec_parameters_from_context(stream->codecpar, x->codec);
    if (rc >= 0)
        rc = avio_open(&x->format->pb, x->part, AVIO_FLAG_WRITE);
    if (rc >= 0)
        rc = avformat_write_header(x->format, NULL);
    return rc < 0 ? fail(x, "cannot begin the file", rc, e) : 0;
}

static int new_frame(struct encoder *x, struct err *e)
{
    x->packet = av_packet_alloc();
    x->frame = av_frame_alloc();
    if (!x->packet || !x->frame)
        return fail(x, "encoder", AVERROR(ENOMEM), e);
    x->frame->format = x->codec->pix_fmt;
    x->frame->width = x->codec->width;
    x->frame->height = x->codec->height;
    int rc = av_frame_get_buffer(x->frame, 0);
    return rc < 0 ? fail(x, "encoder", rc, e) : 0;
}

static int check_options(const char *path, const struct encode_options *o, struct err *e)
{
    if (o->width < 16 || o->height < 16 || o->width % 2 || o->height % 2)
        return err_set(e, "%s: cannot encode %dx%d pixels: both must be even and at least 16", path,
                       o->width, o->height);
    if (o->fps_num < 1 || o->fps_den < 1 || o->fps_num > INT32_MAX || o->fps_den > INT32_MAX)
        return err_set(e, "%s: a frame rate of %lld/%lld cannot be encoded", path,
                       (long long)o->fps_num, (long long)o->fps_den);
    if (o->quality < 0 || o->quality > codecs[o->codec].worst_quality || o->gop < 1)
        return err_set(e, "%s: quality %d or key frame distance %d out of range", path, o->quality,
                       o->gop);
    if (!encode_fits(path, o->codec))
        return err_set(e, "%s: a file of this name does not hold %s", path,
                       encode_codec_names[o->codec]);
    return 0;
}

int encoder_open(struct encoder **out, const char *path, const struct encode_options *o,
                 struct err *e)
{
    if (check_options(path, o, e) < 0)
        return ERR_FAIL;
    struct encoder *x = mem_new(1, sizeof *x, e);
    struct buf part = {0};
    if (!x)
        return ERR_FAIL;
    avlog_begin();
    x->path = mem_strdup(path, e);
    int rc = x->path ? buf_printf(&part, e, "%s.tmp", path) : ERR_FAIL;
    x->part = (char *)part.data;
    if (rc < 0 || (rc = open_format(x, e)) < 0 || (rc = open_codec(x, o, e)) < 0 ||
        (rc = open_file(x, e)) < 0 || (rc = new_frame(x, e)) < 0) {
        encoder_abandon(x);
        return rc;
    }
    *out = x;
    return 0;
}

static void copy_picture(AVFrame *to, const uint8_t *nv12)
{
    size_t w = (size_t)to->width, h = (size_t)to->height;
    for (size_t y = 0; y < h; y++)
        memcpy(to->data[0] + y * (size_t)to->linesize[0], nv12 + y * w, w);
    for (size_t y = 0; y < h / 2; y++) {
        const uint8_t *row = nv12 + (h + y) * w;
        for (size_t x = 0; x < w / 2; x++) {
            to->data[1][y * (size_t)to->linesize[1] + x] = row[2 * x];
            to->data[2][y * (size_t)to->linesize[2] + x] = row[2 * x + 1];
        }
    }
}

/* Hands one picture (NULL: the end) to the encoder and writes every packet that comes out. */
static int encode(struct encoder *x, const AVFrame *frame, struct err *e)
{
    AVStream *stream = x->format->streams[0];
    int rc = avcodec_send_frame(x->codec, frame);
    while (rc >= 0) {
        rc = avcodec_receive_packet(x->codec, x->packet);
        if (rc == AVERROR(EAGAIN) || rc == AVERROR_EOF)
            return 0;
        if (rc < 0)
            break;
        if (!x->packet->duration)
            x->packet->duration = 1;
        av_packet_rescale_ts(x->packet, x->codec->time_base, stream->time_base);
        x->packet->stream_index = stream->index;
        rc = av_interleaved_write_frame(x->format, x->packet);
    }
    return fail(x, "cannot encode", rc, e);
}

int encoder_put(struct encoder *x, const uint8_t *nv12, struct err *e)
{
    avlog_begin();
    int rc = av_frame_make_writable(x->frame);
    if (rc < 0)
        return fail(x, "encoder", rc, e);
    copy_picture(x->frame, nv12);
    x->frame->pts = x->n_frames++;
    return encode(x, x->frame, e);
}

static int finish(struct encoder *x, struct err *e)
{
    if (encode(x, NULL, e) < 0)
        return ERR_FAIL;
    int rc = av_write_trailer(x->format);
    int closed = avio_closep(&x->format->pb);
    if (rc < 0 || closed < 0)
        return fail(x, "cannot end the file", rc < 0 ? rc : closed, e);
    return file_publish(x->part, x->path, e);
}

int encoder_publish(struct encoder *x, struct err *e)
{
    int rc = finish(x, e);
    if (rc < 0)
        encoder_abandon(x);
    else
        encoder_free(x);
    return rc;
}

void encoder_abandon(struct encoder *x)
{
    if (!x)
        return;
    if (x->part)
        unlink(x->part);
    encoder_free(x);
}

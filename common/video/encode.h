/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes video files with one track through libavcodec and libavformat: MP4, AVI (MPEG-4 only) or
 * WebM (VP9 only), by the extension of the path. The same pictures and options give the same bytes:
 * one encoder thread, bit-exact flags, key frames every `gop` frames and nowhere else (an encoder
 * that puts them at scene changes would mark the changes), no dates.
 *
 *     struct encode_options o = {.codec = ENCODE_H264, .width = 64, .height = 64, .fps_num = 30,
 * .fps_den = 1, .quality = encode_default_quality(ENCODE_H264), .gop = 30}; encoder_open(&x,
 * "a.mp4", &o, &e); for each picture: encoder_put(x, nv12, &e); encoder_publish(x, &e); // or
 * encoder_abandon(x)
 */
#ifndef TEG_VIDEO_ENCODE_H
#define TEG_VIDEO_ENCODE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

enum encode_codec { ENCODE_H264, ENCODE_MPEG4, ENCODE_VP9 };

/* "h264", "mpeg4", "vp9", NULL: the names in the order of the enum. */
extern const char *const encode_codec_names[];

struct encode_options {
    enum encode_codec codec;
    int width, height;        /* even, >= 16 */
    int64_t fps_num, fps_den; /* frames per second as a fraction */
    int quality; /* H.264: crf 0..51, VP9: crf 0..63; MPEG-4: quantiser 1..31; lower is better */
    int gop;     /* frames from one key frame to the next, >= 1 */
};

/* 18 for H.264, 3 for MPEG-4, 20 for VP9: the picture survives. */
int encode_default_quality(enum encode_codec codec);
/* The worst value `quality` may have. */
int encode_worst_quality(enum encode_codec codec);
/* Whether the installed FFmpeg can write this codec (H.264 needs libx264, VP9 libvpx). */
bool encode_available(enum encode_codec codec);

/* Whether a file of this name can hold this codec. */
bool encode_fits(const char *path, enum encode_codec codec);

struct encoder;
/* Begins PATH.tmp; nothing is at `path` before encoder_publish. */
int encoder_open(struct encoder **x, const char *path, const struct encode_options *o,
                 struct err *e);
/* The next picture: uint8 [3H/2, W], Y'CbCr 4:2:0 in NV12 order, BT.601, limited range. Copied. */
int encoder_put(struct encoder *x, const uint8_t *nv12, struct err *e);
/* Ends the file, syncs, renames it to `path`; frees x in any case, and removes the file on failure.
 */
int encoder_publish(struct encoder *x, struct err *e);
/* Removes what was written, frees x; NULL is allowed. */
void encoder_abandon(struct encoder *x);

#endif

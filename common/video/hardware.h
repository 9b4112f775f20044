/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The video decoder of a GPU (NVDEC), through FFmpeg. One serves all threads. What it does not take
 * (a codec, a profile, a size) the processor decodes, file by file; how many files that were is
 * counted.
 *
 *     struct hardware *h;
 *     hardware_open(&h, &e);
 *     const AVCodec *decoder = hardware_decoder(h, id);        NULL: the processor's
 *     hardware_use(h, codec, &e);                              before avcodec_open2
 *     ... avcodec_receive_frame(codec, frame) ...
 *     hardware_fetch(frame, room, &e);                         frame is in the processor's memory
 *     hardware_close(h);
 */
#ifndef TEG_VIDEO_HARDWARE_H
#define TEG_VIDEO_HARDWARE_H

#include <stddef.h>

#include "common/base/err.h"

struct AVCodec;
struct AVCodecContext;
struct AVFrame;
struct hardware;

/* The first GPU that CUDA_VISIBLE_DEVICES lets through. The error says what helps. */
int hardware_open(struct hardware **h, struct err *e);
void hardware_close(struct hardware *h); /* NULL allowed */

/* The decoder of a codec that the device takes part in; NULL: it does not know it. */
const struct AVCodec *hardware_decoder(const struct hardware *h, int codec_id);
int hardware_use(struct hardware *h, struct AVCodecContext *codec, struct err *e);

/*
 * A frame that is on the device comes to the processor, as YUV420P, or as what this is with 10 or
 * 12 bits: 1; another stays as it is: 0. `room` is another, empty frame.
 */
int hardware_fetch(struct AVFrame *frame, struct AVFrame *room, struct err *e);

/* Notes that the processor had to decode a file; `why` may be "". */
void hardware_note_left(struct hardware *h, const char *why);
/* How many files that were, and the first `why` ("" where nobody knew). */
size_t hardware_n_left(struct hardware *h, struct err *why);

#endif

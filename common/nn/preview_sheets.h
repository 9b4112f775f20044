/* SPDX-License-Identifier: Apache-2.0 */
/* What the two kinds of preview share. */
#ifndef TEG_NN_PREVIEW_SHEETS_H
#define TEG_NN_PREVIEW_SHEETS_H

#include "common/base/image.h"
#include "common/nn/preview.h"
#include "common/store/frames.h"
#include "common/store/samples.h"
#include "kernels/backend.h"

struct preview {
    const struct preview_options *options;
    struct backend *backend;
    struct frames *frames;
    struct samples *samples; /* NULL for a frames store */
};

int preview_video(struct preview *p, struct image *sheet, struct err *e);
int preview_example(struct preview *p, struct image *sheet, struct err *e);

/* The whole of one frame, scaled to width x height (not cropped) into a new tile. */
struct preview_frame {
    size_t video;
    int64_t frame;
};
int preview_frame(struct preview *p, struct preview_frame which, struct image *tile,
                  struct image_box size, struct err *e);

#endif

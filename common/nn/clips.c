/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/clips.h"

#include <stdlib.h>

#include "common/base/buf.h"

/* One picture that is held in memory. */
struct held {
    size_t video;
    int64_t frame; /* -1: nothing */
    uint64_t used; /* number of the clip that used it last */
    uint8_t *picture;
    size_t bytes; /* allocated */
};

struct clips {
    struct frames *frames;
    struct backend *backend;
    struct clips_options options;
    struct held *held;
    size_t n_held;
    const uint8_t **picture; /* of the current clip; n_held / 2 long */
    uint64_t n_clips, n_decompressed;
};

int clips_open(struct clips **out, struct frames *frames, struct backend *b,
               const struct clips_options *o, struct err *e)
{
    struct clips *c = mem_new(1, sizeof *c, e);
    if (!c)
        return ERR_FAIL;
    c->backend = b;
    c->options = *o;
    int rc = frames_share(&c->frames, frames, e);
    if (rc < 0) {
        free(c);
        return rc;
    }
    *out = c;
    return 0;
}

void clips_close(struct clips *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_held; i++)
        free(c->held[i].picture);
    free(c->held);
    free(c->picture);
    frames_close(c->frames);
    free(c);
}

size_t clips_bytes(const struct clips_options *o, size_t length)
{
    return length * o->crop_size * o->crop_size * 3 * dtype_bytes(o->dtype);
}

uint64_t clips_n_decompressed(const struct clips *c)
{
    return c->n_decompressed;
}

/* Room for a clip of `length` frames beside another one. */
static int make_room(struct clips *c, size_t length, struct err *e)
{
    if (2 * length <= c->n_held)
        return 0;
    const uint8_t **picture = mem_grow(c->picture, length, sizeof *picture, e);
    if (!picture)
        return ERR_FAIL;
    c->picture = picture;
    struct held *held = mem_grow(c->held, 2 * length, sizeof *held, e);
    if (!held)
        return ERR_FAIL;
    for (size_t i = c->n_held; i < 2 * length; i++)
        held[i] = (struct held){.frame = -1};
    c->held = held;
    c->n_held = 2 * length;
    return 0;
}

/* The held picture, or the longest unused place (frame is then another). */
static struct held *find_held(struct clips *c, size_t video, int64_t frame)
{
    struct held *oldest = &c->held[0];
    for (size_t i = 0; i < c->n_held; i++) {
        struct held *h = &c->held[i];
        if (h->frame == frame && h->video == video)
            return h;
        if (h->used < oldest->used)
            oldest = h;
    }
    return oldest;
}

static int read_picture(struct clips *c, struct held *h, size_t video, int64_t frame, struct err *e)
{
    const struct frames_info *info = frames_video(c->frames, video);
    size_t bytes = (size_t)info->stored_width * (size_t)info->stored_height * 3 / 2;
    h->frame = -1;
    h->used = 0;
    if (bytes > h->bytes) {
        free(h->picture);
        h->bytes = 0;
        h->picture = mem_aligned(bytes, e);
        if (!h->picture)
            return ERR_FAIL;
        h->bytes = bytes;
    }
    int rc = frames_read(c->frames, video, frame, h->picture, e);
    if (rc < 0)
        return rc;
    h->video = video;
    h->frame = frame;
    c->n_decompressed++;
    return 0;
}

int clips_pictures(struct clips *c, size_t video, const struct sample *s,
                   struct clip_pixels *pixels, struct err *e)
{
    const struct frames_info *info = frames_video(c->frames, video);
    if (info->n_frames < 1)
        return err_set(e, "%s: video %s has no frames%s%s", store_path(frames_store(c->frames)),
                       frames_id(c->frames, video), *info->reason ? ": " : "", info->reason);
    int rc = make_room(c, s->length, e);
    if (rc < 0)
        return rc;
    c->n_clips++;
    for (int64_t t = 0; t < s->length; t++) {
        int64_t frame = sample_frame(s, t, info->n_frames);
        struct held *h = find_held(c, video, frame);
        if ((h->frame != frame || h->video != video) &&
            (rc = read_picture(c, h, video, frame, e)) < 0)
            return rc;
        h->used = c->n_clips;
        c->picture[t] = h->picture;
    }
    *pixels = (struct clip_pixels){.picture = c->picture,
                                   .n_frames = s->length,
                                   .width = info->width,
                                   .height = info->height,
                                   .stored_width = info->stored_width,
                                   .stored_height = info->stored_height,
                                   .matrix = (int)info->matrix,
                                   .full_range = info->full_range};
    return 0;
}

int clips_read(struct clips *c, size_t video, const struct sample *s, void *out, struct err *e)
{
    struct clip_pixels pixels;
    int rc = clips_pictures(c, video, s, &pixels, e);
    if (rc < 0)
        return rc;
    struct clip_augment augment = {.crop_x = s->crop_x,
                                   .crop_y = s->crop_y,
                                   .crop_w = s->crop_w,
                                   .crop_h = s->crop_h,
                                   .flip = s->flip,
                                   .jitter = s->jitter,
                                   .grey = s->grey,
                                   .solarise = s->solarise,
                                   .order = s->order,
                                   .brightness = s->brightness,
                                   .contrast = s->contrast,
                                   .saturation = s->saturation,
                                   .hue = s->hue,
                                   .blur = s->blur};
    struct render_args args = {.pixels = &pixels,
                               .augment = &augment,
                               .size = c->options.crop_size,
                               .dtype = c->options.dtype,
                               .out = out};
    rc = c->backend->ops->render(c->backend, &args, e);
    return rc < 0 ? err_add_code(e, rc, "video %s", frames_id(c->frames, video)) : 0;
}

long *clips_find_videos(const struct frames *frames, const char *const *ids, size_t n,
                        struct err *e)
{
    long *video = mem_new(n ? n : 1, sizeof *video, e);
    for (size_t i = 0; video && i < n; i++)
        video[i] = frames_find(frames, ids[i]);
    return video;
}

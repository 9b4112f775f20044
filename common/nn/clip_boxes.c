/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/clip_boxes.h"

#include <stdlib.h>

#include "common/base/buf.h"

struct clip_boxes {
    struct sample_box *box; /* [n], by video and clip */
    size_t n, most;
    double (*size)[2]; /* width and height of each video of the samples, pixels in true size */
};

static int compare(const struct sample_box *a, uint32_t video, uint32_t clip)
{
    if (a->video != video)
        return a->video < video ? -1 : 1;
    return (a->clip > clip) - (a->clip < clip);
}

/* Boxes behind `first` of the same clip. */
static size_t run_length(const struct clip_boxes *x, size_t first)
{
    size_t n = 1;
    while (first + n < x->n &&
           compare(&x->box[first + n], x->box[first].video, x->box[first].clip) == 0)
        n++;
    return n;
}

static int take_sizes(struct clip_boxes *x, const struct samples *s, const struct frames *frames,
                      struct err *e)
{
    size_t n = samples_n_videos(s);
    x->size = mem_new(n + 1, sizeof *x->size, e);
    for (size_t i = 0; x->size && i < n; i++) {
        long video = frames_find(frames, samples_id(s, i));
        if (video < 0)
            return err_set(e, "no frames of video %s", samples_id(s, i));
        const struct frames_info *info = frames_video(frames, (size_t)video);
        x->size[i][0] = info->width;
        x->size[i][1] = info->height;
    }
    return x->size ? 0 : ERR_FAIL;
}

int clip_boxes_open(struct clip_boxes **out, struct samples *s, const struct frames *frames,
                    struct err *e)
{
    struct clip_boxes *x = mem_new(1, sizeof *x, e);
    if (!x)
        return ERR_FAIL;
    int rc = samples_boxes(s, &x->box, &x->n, e);
    if (rc == 0 && x->n == 0)
        rc = err_set(e, "%s: holds no boxes; teg-sample --strategy keyframes makes some",
                     store_path(samples_store(s)));
    if (rc == 0)
        rc = take_sizes(x, s, frames, e);
    if (rc < 0) {
        clip_boxes_free(x);
        return rc;
    }
    for (size_t i = 0, n; i < x->n; i += n) {
        n = run_length(x, i);
        x->most = n > x->most ? n : x->most;
    }
    *out = x;
    return 0;
}

void clip_boxes_free(struct clip_boxes *x)
{
    if (!x)
        return;
    free(x->box);
    free(x->size);
    free(x);
}

size_t clip_boxes_most(const struct clip_boxes *x)
{
    return x->most;
}

size_t clip_boxes_of(const struct clip_boxes *x, const struct sample *row,
                     const struct sample_box **first)
{
    size_t low = 0, high = x->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare(&x->box[middle], row->video, row->clip) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *first = x->box + low;
    return low < x->n && compare(*first, row->video, row->clip) == 0 ? run_length(x, low) : 0;
}

static float cut(double share)
{
    return share < 0.0 ? 0.0f : share > 1.0 ? 1.0f : (float)share;
}

bool clip_boxes_place(const double size[2], const struct sample *row, const struct sample_box *box,
                      float place[4])
{
    double left = ((double)box->left * size[0] - row->crop_x) / row->crop_w;
    double right = ((double)box->right * size[0] - row->crop_x) / row->crop_w;
    place[0] = cut(row->flip ? 1.0 - right : left);
    place[1] = cut(((double)box->top * size[1] - row->crop_y) / row->crop_h);
    place[2] = cut(row->flip ? 1.0 - left : right);
    place[3] = cut(((double)box->bottom * size[1] - row->crop_y) / row->crop_h);
    return place[0] < place[2] && place[1] < place[3];
}

bool clip_boxes_in_crop(const struct clip_boxes *x, const struct sample *row,
                        const struct sample_box *box, float place[4])
{
    return clip_boxes_place(x->size[row->video], row, box, place);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/detect_shots.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "kernels/render.h"

enum { SHIFT = 12, HUES = 180 };

/* -- colours -- */

/* n / d with SHIFT fractional bits for d = 1 .. 255, rounded; 0 for 0. */
static void fill_table(int32_t table[256], double n)
{
    table[0] = 0;
    for (int d = 1; d < 256; d++)
        table[d] = (int32_t)lrint(n * (1 << SHIFT) / d);
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

void shots_hsv(const uint8_t *rgb, size_t n, uint8_t *hsv)
{
    int32_t by_value[256], by_range[256];
    fill_table(by_value, 255);
    fill_table(by_range, HUES / 6.0);
    for (size_t i = 0; i < n; i++) {
        int r = rgb[3 * i], g = rgb[3 * i + 1], b = rgb[3 * i + 2];
        int value = larger(larger(r, g), b), range = value - smaller(smaller(r, g), b);
        int side = value == r ? g - b : value == g ? b - r + 2 * range : r - g + 4 * range;
        int hue = (side * by_range[range] + (1 << (SHIFT - 1))) >> SHIFT;
        hsv[i] = (uint8_t)(hue < 0 ? hue + HUES : hue);
        hsv[n + i] = (uint8_t)((range * by_value[value] + (1 << (SHIFT - 1))) >> SHIFT);
        hsv[2 * n + i] = (uint8_t)value;
    }
}

static double plane_difference(const uint8_t *a, const uint8_t *b, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (uint64_t)abs(a[i] - b[i]);
    return (double)sum / (double)n;
}

double shots_difference(const uint8_t *a, const uint8_t *b, size_t n)
{
    return (plane_difference(a, b, n) + plane_difference(a + n, b + n, n) +
            plane_difference(a + 2 * n, b + 2 * n, n)) /
           3;
}

bool shots_is_cut(struct shots_filter *f, int64_t frame, double difference,
                  const struct shots_options *o)
{
    if (difference < o->threshold || frame - f->last < o->min_scene)
        return false;
    f->last = frame;
    return true;
}

/* -- videos -- */

struct reader {
    struct frames *frames;
    size_t video, n_pixels;
    uint8_t *picture, *rgb;
    uint8_t *hsv[2]; /* of frame t in hsv[t % 2] */
};

static int new_reader(struct reader *r, struct frames *f, size_t video, struct err *e)
{
    const struct frames_info *info = frames_video(f, video);
    size_t stored = (size_t)info->stored_width * (size_t)info->stored_height;
    *r = (struct reader){.frames = f, .video = video};
    r->n_pixels = (size_t)info->width * (size_t)info->height;
    r->picture = mem_new(stored / 2 * 3, 1, e);
    r->rgb = mem_new(r->n_pixels, 3, e);
    for (int i = 0; i < 2; i++)
        r->hsv[i] = mem_new(r->n_pixels, 3, e);
    return r->picture && r->rgb && r->hsv[0] && r->hsv[1] ? 0 : ERR_FAIL;
}

static void release_reader(struct reader *r)
{
    free(r->picture);
    free(r->rgb);
    free(r->hsv[0]);
    free(r->hsv[1]);
}

static int read_frame(struct reader *r, int64_t frame, struct err *e)
{
    const struct frames_info *info = frames_video(r->frames, r->video);
    const uint8_t *pictures[] = {r->picture};
    struct clip_pixels pixels = {.picture = pictures,
                                 .n_frames = 1,
                                 .width = info->width,
                                 .height = info->height,
                                 .stored_width = info->stored_width,
                                 .stored_height = info->stored_height,
                                 .matrix = info->matrix,
                                 .full_range = info->full_range};
    if (frames_read(r->frames, r->video, frame, r->picture, e) < 0 ||
        render_picture(&pixels, 0, r->rgb, e) < 0)
        return ERR_FAIL;
    shots_hsv(r->rgb, r->n_pixels, r->hsv[frame % 2]);
    return 0;
}

struct json *shots_detect(struct frames *f, size_t video, const struct shots_options *o,
                          struct err *e)
{
    const struct frames_info *info = frames_video(f, video);
    struct reader r;
    struct shots_filter filter = {0};
    struct json *cuts = json_new_array();
    int rc = cuts ? 0 : err_set(e, "out of memory");
    if (rc == 0 && info->n_frames < 2)
        return cuts;
    if (new_reader(&r, f, video, e) < 0)
        rc = ERR_FAIL;
    for (int64_t t = 0; rc == 0 && t < info->n_frames; t++) {
        rc = read_frame(&r, t, e);
        if (rc < 0 || t == 0 ||
            !shots_is_cut(&filter, t, shots_difference(r.hsv[0], r.hsv[1], r.n_pixels), o))
            continue;
        double seconds = (double)t * (double)info->fps_den / (double)info->fps_num;
        if (json_append(cuts, json_new_f64(seconds)) < 0)
            rc = err_set(e, "out of memory");
    }
    release_reader(&r);
    if (rc == 0)
        return cuts;
    json_free(cuts);
    return NULL;
}

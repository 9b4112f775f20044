/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sampling/augment.h"

#include <math.h>

enum { CROP_TRIES = 100, N_ORDERS = 24 };

const char *const augment_names[] = {"pretrain", "linear", "test", "none", NULL};

void augment_preset(enum augment_kind kind, struct augment *a)
{
    *a = (struct augment){
        .kind = kind,
        .area = {0.3, 1.0},
        .aspect = {0.5, 2.0},
        .fraction = 1.0,
        .n_crops = 1,
        .brightness = 0.8,
        .contrast = 0.8,
        .saturation = 0.8,
        .hue = 0.2,
        .sigma = {0.1, 2.0},
    };
    if (kind == AUGMENT_PRETRAIN || kind == AUGMENT_LINEAR)
        a->flip = 0.5;
    if (kind == AUGMENT_PRETRAIN) {
        a->jitter = 0.8;
        a->grey = 0.2;
        a->blur[0] = a->blur[1] = 0.5;
    }
}

static bool crop_is_random(const struct augment *a)
{
    return a->kind == AUGMENT_PRETRAIN || a->kind == AUGMENT_LINEAR;
}

bool augment_is_random(const struct augment *a)
{
    return crop_is_random(a) || a->flip > 0 || a->jitter > 0 || a->grey > 0 || a->blur[0] > 0 ||
           a->blur[1] > 0 || a->solarise[0] > 0 || a->solarise[1] > 0;
}

static void set_crop(struct sample *s, int64_t x, int64_t y, int64_t w, int64_t h)
{
    s->crop_x = (uint16_t)x;
    s->crop_y = (uint16_t)y;
    s->crop_w = (uint16_t)w;
    s->crop_h = (uint16_t)h;
}

/* Height of a crop of this aspect with an area (in pixels) within `area`, 0 where there is none. */
static int64_t crop_height(const double area[2], double aspect, struct picture_size size,
                           struct rng *r)
{
    int64_t low = lrint(sqrt(area[0] / aspect)), high = lrint(sqrt(area[1] / aspect));
    int64_t widest = (int64_t)ceil((size.width + 0.5) / aspect) - 1; /* greatest with width in it */
    if (low < 1)
        low = 1;
    if (high > widest)
        high = widest;
    if (high > size.height)
        high = size.height;
    return low > high ? 0 : low + (int64_t)rng_below(r, (uint64_t)(high - low) + 1);
}

void augment_crop(const struct augment *a, struct picture_size size, struct rng *r,
                  struct sample *s)
{
    double whole = (double)size.width * size.height;
    double area[2] = {a->area[0] * whole, a->area[1] * whole};
    for (int i = 0; i < CROP_TRIES; i++) {
        double aspect = rng_uniform(r, a->aspect[0], a->aspect[1]);
        int64_t h = crop_height(area, aspect, size, r), w = lrint((double)h * aspect);
        if (w == 0)
            continue;
        int64_t x = (int64_t)rng_below(r, (uint64_t)(size.width - w) + 1);
        int64_t y = (int64_t)rng_below(r, (uint64_t)(size.height - h) + 1);
        set_crop(s, x, y, w, h);
        return;
    }
    set_crop(s, 0, 0, size.width, size.height);
}

void augment_view(const struct augment *a, struct picture_size size, unsigned view,
                  struct sample *s)
{
    int64_t w = size.width, h = size.height, gaps = a->n_crops - 1;
    int64_t side = lrint((double)(w < h ? w : h) * a->fraction);
    if (side < 1)
        side = 1;
    int64_t room = (w > h ? w : h) - side;
    int64_t along = gaps ? (int64_t)view * room / gaps : room / 2;
    if (w >= h)
        set_crop(s, along, (h - side) / 2, side, side);
    else
        set_crop(s, (w - side) / 2, along, side, side);
}

static float factor(struct rng *r, double strength)
{
    return (float)rng_uniform(r, strength < 1 ? 1 - strength : 0, 1 + strength);
}

static void draw_colour(const struct augment *a, struct rng *r, struct sample *s)
{
    s->jitter = rng_chance(r, a->jitter);
    float brightness = factor(r, a->brightness), contrast = factor(r, a->contrast);
    float saturation = factor(r, a->saturation);
    float hue = (float)rng_uniform(r, -a->hue, a->hue);
    uint8_t order = (uint8_t)rng_below(r, N_ORDERS);
    if (s->jitter) {
        s->brightness = brightness;
        s->contrast = contrast;
        s->saturation = saturation;
        s->hue = hue;
        s->order = order;
    }
    s->grey = rng_chance(r, a->grey);
}

void augment_draw(const struct augment *a, struct picture_size size, struct rng *r,
                  struct sample *s)
{
    bool second = s->role == SAMPLE_SHORT;
    s->flip = s->jitter = s->order = s->grey = s->solarise = 0;
    s->brightness = s->contrast = s->saturation = 1;
    s->hue = s->blur = 0;
    if (augment_is_random(a)) {
        s->flip = rng_chance(r, a->flip);
        draw_colour(a, r, s);
        bool blurred = rng_chance(r, a->blur[second]);
        float sigma = (float)rng_uniform(r, a->sigma[0], a->sigma[1]);
        s->blur = blurred ? sigma : 0;
        s->solarise = rng_chance(r, a->solarise[second]);
    }
    if (crop_is_random(a))
        augment_crop(a, size, r, s);
    else if (a->kind == AUGMENT_TEST)
        augment_view(a, size, s->view, s);
    else
        set_crop(s, 0, 0, size.width, size.height);
}

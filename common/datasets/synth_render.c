/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/datasets/synth.h"

/*
 * Pictures are mixed in Y'CbCr: the conversion from RGB is affine, so mixing before or after is the
 * same.
 */
struct synth_canvas {
    int size;
    float *scene; /* [size, size, 3] Y'CbCr of the grating, owned together with `frame` */
    float *frame; /* [size, size, 3] the picture being painted */
};

int synth_canvas_new(struct synth_canvas **out, int size, struct err *e)
{
    struct synth_canvas *c = mem_new(1, sizeof *c, e);
    if (!c)
        return ERR_FAIL;
    size_t n = (size_t)size * (size_t)size * 3;
    c->size = size;
    c->scene = mem_new(2 * n, sizeof(float), e);
    if (!c->scene) {
        free(c);
        return ERR_FAIL;
    }
    c->frame = c->scene + n;
    *out = c;
    return 0;
}

void synth_canvas_free(struct synth_canvas *c)
{
    if (!c)
        return;
    free(c->scene);
    free(c);
}

/* BT.601, limited range, 8 bits. */
static void to_ycc(const double rgb[3], float ycc[3])
{
    ycc[0] = (float)(16 + 65.481 * rgb[0] + 128.553 * rgb[1] + 24.966 * rgb[2]);
    ycc[1] = (float)(128 - 37.797 * rgb[0] - 74.203 * rgb[1] + 112.0 * rgb[2]);
    ycc[2] = (float)(128 + 112.0 * rgb[0] - 93.786 * rgb[1] - 18.214 * rgb[2]);
}

static void mix(float to[3], const float with[3], float share)
{
    for (int i = 0; i < 3; i++)
        to[i] += share * (with[i] - to[i]);
}

void synth_paint_scene(struct synth_canvas *c, const struct synth_plan *p)
{
    float color[2][3];
    to_ycc(p->rgb[0], color[0]);
    to_ycc(p->rgb[1], color[1]);
    double kx = 2 * M_PI * p->cycles * cos(p->angle) / c->size;
    double ky = 2 * M_PI * p->cycles * sin(p->angle) / c->size;
    for (int y = 0; y < c->size; y++) {
        for (int x = 0; x < c->size; x++) {
            float *pixel = c->scene + ((size_t)y * (size_t)c->size + (size_t)x) * 3;
            double wave = sin(kx * (x + 0.5) + ky * (y + 0.5) + p->phase);
            memcpy(pixel, color[0], sizeof color[0]);
            mix(pixel, color[1], (float)(0.5 + 0.5 * wave));
        }
    }
}

/* A shape as it is painted into a picture of so many pixels a side. */
struct drawing {
    const struct synth_event *event;
    struct synth_pose pose;
    double cs, sn;        /* of its orientation */
    double scale, pixels; /* radius in pixels; the same as the mean of the squashed shape's two */
    int size;
};

static void draw_begin(struct drawing *d, const struct synth_event *event, int64_t frame, int size)
{
    d->event = event;
    d->size = size;
    synth_pose(event, frame, &d->pose);
    d->cs = cos(d->pose.angle);
    d->sn = sin(d->pose.angle);
    d->scale = d->pose.radius * size;
    d->pixels = d->scale * sqrt(d->pose.squash);
}

/*
 * How much of the pixel at (x, y) is the shape's, above 0 to beyond 1: in proportion to how far
 * inside its centre lies, over one pixel's width. (For a squashed shape the distance is a mean of
 * its two scales.)
 */
static double coverage(const struct drawing *d, int x, int y)
{
    double dx = (x + 0.5 - d->pose.x * d->size) / d->scale;
    double dy = (y + 0.5 - d->pose.y * d->size) / d->scale;
    if (dx * dx + dy * dy > 2)
        return 0;
    double u = d->cs * dx + d->sn * dy, v = (d->cs * dy - d->sn * dx) / d->pose.squash;
    return 0.5 - synth_shape_distance(d->event->shape, u, v) * d->pixels;
}

static void paint_shape(struct synth_canvas *c, const struct synth_event *event, int64_t frame)
{
    struct drawing d;
    float color[3];
    draw_begin(&d, event, frame, c->size);
    to_ycc(event->rgb, color);
    for (int y = 0; y < c->size; y++) {
        for (int x = 0; x < c->size; x++) {
            double inside = coverage(&d, x, y);
            if (inside > 0)
                mix(c->frame + ((size_t)y * (size_t)c->size + (size_t)x) * 3, color,
                    (float)fmin(1, inside));
        }
    }
}

bool synth_shape_box(const struct synth_options *o, const struct synth_plan *p, int64_t frame,
                     double box[4])
{
    struct drawing d;
    int left = o->size, top = o->size, right = -1, bottom = -1;
    draw_begin(&d, &p->event[synth_event_at(p, frame)], frame, o->size);
    for (int y = 0; y < o->size; y++) {
        for (int x = 0; x < o->size; x++) {
            if (coverage(&d, x, y) < 0.5)
                continue;
            left = x < left ? x : left;
            right = x > right ? x : right;
            top = y < top ? y : top;
            bottom = y > bottom ? y : bottom;
        }
    }
    box[0] = (double)left / o->size;
    box[1] = (double)top / o->size;
    box[2] = (right + 1.0) / o->size;
    box[3] = (bottom + 1.0) / o->size;
    return right >= 0;
}

static uint8_t to_byte(float v)
{
    return (uint8_t)lroundf(fminf(240, fmaxf(16, v)));
}

/* Chroma is the mean of four pixels. */
static void to_nv12(const struct synth_canvas *c, uint8_t *nv12)
{
    size_t n = (size_t)c->size;
    for (size_t i = 0; i < n * n; i++)
        nv12[i] = to_byte(c->frame[3 * i]);
    for (size_t y = 0; y < n; y += 2) {
        for (size_t x = 0; x < n; x += 2) {
            const float *a = c->frame + (y * n + x) * 3, *b = a + 3 * n;
            uint8_t *to = nv12 + n * n + y / 2 * n + x;
            for (size_t i = 1; i < 3; i++)
                to[i - 1] = to_byte((a[i] + a[3 + i] + b[i] + b[3 + i]) / 4);
        }
    }
}

void synth_paint_frame(struct synth_canvas *c, const struct synth_plan *p, int64_t frame,
                       uint8_t *nv12)
{
    memcpy(c->frame, c->scene, (size_t)c->size * (size_t)c->size * 3 * sizeof(float));
    paint_shape(c, &p->event[synth_event_at(p, frame)], frame);
    to_nv12(c, nv12);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "common/base/rng.h"
#include "common/datasets/synth.h"

/* Uses of the seed; a split adds its number. */
enum { STREAM_VIDEO = 0, STREAM_SCENES = SYNTH_N_SPLITS };

uint64_t synth_n_videos(const struct synth_options *o, enum synth_split split)
{
    uint64_t n_val = (uint64_t)llround((double)o->n_videos * o->val_fraction);
    return split == SYNTH_VAL ? n_val : (uint64_t)o->n_videos - n_val;
}

const char *synth_split_name(enum synth_split split)
{
    return split == SYNTH_VAL ? "val" : "train";
}

long synth_scene_degrees(const struct synth_options *o, unsigned scene)
{
    return lround(180.0 * scene / o->n_scenes);
}

void synth_scene_name(const struct synth_options *o, unsigned scene, char out[SYNTH_NAME_BYTES])
{
    snprintf(out, SYNTH_NAME_BYTES, "grating-%03ld", synth_scene_degrees(o, scene));
}

/* Every run of n_scenes videos shows every scene once, in an order drawn anew: the classes are
 * balanced. */
static unsigned draw_scene(const struct synth_options *o, enum synth_split split, uint64_t number)
{
    uint32_t order[SYNTH_MAX_SCENES];
    uint64_t n = (uint64_t)o->n_scenes;
    struct rng r;
    rng_init(&r, (uint64_t)o->seed, STREAM_SCENES + split, number / n);
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    rng_shuffle_u32(&r, order, n);
    return order[number % n];
}

static void draw_color(struct rng *r, double rgb[3])
{
    for (int i = 0; i < 3; i++)
        rgb[i] = rng_f64(r);
}

static double luma(const double rgb[3])
{
    return 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
}

/* Distance of a colour from all mixtures of two others. */
static double distance_from_mixtures(const double rgb[3], const double a[3], const double b[3])
{
    double along = 0, length = 0, distance = 0;
    for (int i = 0; i < 3; i++) {
        along += (rgb[i] - a[i]) * (b[i] - a[i]);
        length += (b[i] - a[i]) * (b[i] - a[i]);
    }
    along = fmin(1, fmax(0, along / length));
    for (int i = 0; i < 3; i++) {
        double d = rgb[i] - a[i] - along * (b[i] - a[i]);
        distance += d * d;
    }
    return sqrt(distance);
}

/* Any phase, frequency and pair of colours, as long as the stripes can be seen. */
static void draw_grating(struct rng *r, struct synth_plan *p)
{
    p->cycles = rng_uniform(r, 3, 8);
    p->phase = rng_uniform(r, 0, 2 * M_PI);
    do {
        draw_color(r, p->rgb[0]);
        draw_color(r, p->rgb[1]);
    } while (fabs(luma(p->rgb[0]) - luma(p->rgb[1])) < 0.2);
}

/* Any place, size, orientation, speed and colour, as long as the shape can be told from the
 * grating. */
static void draw_look(struct rng *r, const struct synth_options *o, const struct synth_plan *p,
                      struct synth_event *event)
{
    double fps = (double)o->fps_num / (double)o->fps_den;
    event->x = rng_uniform(r, 0.35, 0.65);
    event->y = rng_uniform(r, 0.35, 0.65);
    event->radius = rng_uniform(r, 0.22, 0.30);
    event->angle = rng_uniform(r, 0, 2 * M_PI);
    event->period = rng_uniform(r, 0.7, 1.3) * fps;
    event->phase = rng_uniform(r, 0, 2 * M_PI);
    event->turn = rng_chance(r, 0.5) ? 1 : -1;
    do {
        draw_color(r, event->rgb);
    } while (distance_from_mixtures(event->rgb, p->rgb[0], p->rgb[1]) < 0.35);
}

/* Uniform, but never the same twice in a row, so that every boundary is one. */
static unsigned draw_shape(struct rng *r, const struct synth_options *o,
                           const struct synth_event *before)
{
    if (!before)
        return (unsigned)rng_below(r, (uint64_t)o->n_shapes);
    unsigned shape = (unsigned)rng_below(r, (uint64_t)o->n_shapes - 1);
    return shape + (shape >= before->shape);
}

/* Where event i begins: its even place, moved by up to jitter of an event's mean length either way.
 */
static int64_t draw_boundary(struct rng *r, const struct synth_options *o, int i)
{
    double length = (double)o->n_frames / o->n_events;
    double moved = rng_uniform(r, -o->jitter, o->jitter);
    return i == 0 ? 0 : llround(length * (i + moved));
}

void synth_plan(const struct synth_options *o, enum synth_split split, uint64_t number,
                struct synth_plan *p)
{
    struct rng r;
    rng_init(&r, (uint64_t)o->seed, STREAM_VIDEO + split, number);
    *p = (struct synth_plan){.split = split, .number = number, .n_events = o->n_events};
    p->scene = draw_scene(o, split, number);
    p->angle = M_PI * p->scene / o->n_scenes;
    draw_grating(&r, p);
    for (int i = 0; i < o->n_events; i++) {
        struct synth_event *event = &p->event[i];
        event->shape = draw_shape(&r, o, i ? event - 1 : NULL);
        event->start = draw_boundary(&r, o, i);
        event->end = o->n_frames;
        if (i)
            event[-1].end = event->start;
        draw_look(&r, o, p, event);
    }
}

int synth_event_at(const struct synth_plan *p, int64_t frame)
{
    int i = 0;
    while (i + 1 < p->n_events && frame >= p->event[i].end)
        i++;
    return i;
}

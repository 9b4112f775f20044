/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sampling/strategy.h"

#include <math.h>

#include "common/base/num.h"

const char *const strategy_names[] = {"contained", "random", "cvrl",  "single",    "uniform",
                                      "events",    "window", "dense", "keyframes", NULL};

bool strategy_is_pair(enum strategy s)
{
    return s <= STRATEGY_CVRL;
}

bool strategy_is_fixed(enum strategy s)
{
    return s >= STRATEGY_UNIFORM;
}

enum sample_edge strategy_edge(enum strategy s)
{
    return s == STRATEGY_EVENTS || s == STRATEGY_WINDOW || s == STRATEGY_KEYFRAMES ? SAMPLE_CLAMP
                                                                                   : SAMPLE_WRAP;
}

int clip_shape_parse(const char *text, struct clip_shape *out, struct err *e)
{
    const char *cross = strchr(text, 'x');
    char length[8];
    size_t len = cross ? (size_t)(cross - text) : sizeof(length);
    if (len >= sizeof(length))
        return err_set(e, "want LENGTHxSTRIDE, as in 32x4, not \"%s\"", text);
    memcpy(length, text, len);
    length[len] = '\0';
    int64_t n, stride;
    if (num_i64(length, 1, CLIP_MAX_LENGTH, &n, e) < 0 ||
        num_i64(cross + 1, 1, CLIP_MAX_STRIDE, &stride, e) < 0)
        return err_add(e, "%s", text);
    *out = (struct clip_shape){(uint16_t)n, (uint16_t)stride};
    return 0;
}

/* How many starts a clip has to choose from. */
static int64_t n_starts(struct clip_shape shape, int64_t n_frames)
{
    int64_t span = clip_span(shape);
    return n_frames > span ? n_frames - span : n_frames;
}

int64_t strategy_start(struct clip_shape shape, int64_t n_frames, struct rng *r)
{
    return (int64_t)rng_below(r, (uint64_t)n_starts(shape, n_frames));
}

static void cvrl_pair(struct clip_shape shape, int64_t n_frames, struct rng *r, int64_t start[2])
{
    int64_t n = n_starts(shape, n_frames);
    int64_t distance = (int64_t)((double)n * (1.0 - sqrt(1.0 - rng_f64(r))));
    if (distance >= n)
        distance = n - 1;
    int64_t earlier = (int64_t)rng_below(r, (uint64_t)(n - distance));
    bool swapped = rng_chance(r, 0.5);
    start[swapped] = earlier;
    start[!swapped] = earlier + distance;
}

void strategy_pair(enum strategy s, const struct clip_shape shape[2], int64_t n_frames,
                   struct rng *r, int64_t start[2])
{
    if (s == STRATEGY_CVRL && n_frames > clip_span(shape[0])) {
        cvrl_pair(shape[0], n_frames, r, start);
        return;
    }
    start[0] = strategy_start(shape[0], n_frames, r);
    if (s == STRATEGY_CONTAINED) {
        int64_t room = clip_span(shape[0]) - clip_span(shape[1]);
        start[1] = start[0] + (int64_t)rng_below(r, (uint64_t)room + 1);
    } else {
        start[1] = strategy_start(shape[1], n_frames, r);
    }
}

static int64_t clip_cover(struct clip_shape shape)
{
    return (int64_t)shape.length * shape.stride;
}

size_t clip_plan_first(const struct clip_plan *p)
{
    bool inside = p->strategy == STRATEGY_WINDOW && p->inside;
    return inside ? (size_t)((clip_span(p->shape) / 2 + p->step - 1) / p->step) : 0;
}

/* Windows in a video, from the first one on. */
static size_t count_inside(const struct clip_plan *p, int64_t n_frames)
{
    int64_t room = n_frames - clip_cover(p->shape);
    if (room < 0)
        return 0;
    size_t end = (size_t)((room + clip_span(p->shape) / 2) / p->step) + 1;
    return end > clip_plan_first(p) ? end - clip_plan_first(p) : 0;
}

size_t clip_plan_count(const struct clip_plan *p, int64_t n_frames, size_t n_moments)
{
    int64_t apart;
    switch (p->strategy) {
    case STRATEGY_UNIFORM:
    case STRATEGY_SINGLE:
        return (size_t)p->n_clips;
    case STRATEGY_EVENTS:
    case STRATEGY_KEYFRAMES:
        return n_moments;
    case STRATEGY_WINDOW:
        if (p->inside)
            return count_inside(p, n_frames);
        apart = p->step;
        break;
    default:
        apart = clip_cover(p->shape);
        break;
    }
    return (size_t)((n_frames - 1) / apart) + 1;
}

static int64_t uniform_start(const struct clip_plan *p, int64_t n_frames, size_t clip)
{
    int64_t last = n_frames > clip_span(p->shape) ? n_starts(p->shape, n_frames) - 1 : 0;
    int64_t gaps = p->n_clips - 1;
    return gaps ? (int64_t)clip * last / gaps : last / 2;
}

static int64_t dense_start(const struct clip_plan *p, int64_t n_frames, size_t clip)
{
    int64_t cover = clip_cover(p->shape), start = (int64_t)clip * cover;
    int64_t last = n_frames > cover ? n_frames - cover : 0;
    return start < last ? start : last;
}

int64_t clip_plan_start(const struct clip_plan *p, int64_t n_frames, size_t clip, int64_t centre)
{
    switch (p->strategy) {
    case STRATEGY_UNIFORM:
        return uniform_start(p, n_frames, clip);
    case STRATEGY_DENSE:
        return dense_start(p, n_frames, clip);
    case STRATEGY_WINDOW:
        return (int64_t)clip * p->step - clip_span(p->shape) / 2;
    default: /* events, keyframes */
        centre = centre < 0 ? 0 : centre >= n_frames ? n_frames - 1 : centre;
        return centre - clip_span(p->shape) / 2;
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sampling/clip_list.h"

#include <math.h>

#include "common/base/buf.h"

static const size_t max_clips = INT32_MAX;

static size_t count_clips(const struct clip_plan *plan, const struct selected *v)
{
    if (strategy_is_pair(plan->strategy))
        return 1;
    return clip_plan_count(plan, v->info->n_frames, v->record ? v->record->n_events : 0);
}

/* The stored frame that is shown at the middle of an event, at most one frame outside of the video.
 */
static int64_t event_centre(const struct selected *v, size_t event)
{
    const struct event *ev = &v->record->events[event];
    double rate = (double)v->info->fps_num / (double)v->info->fps_den;
    double at = (ev->start + ev->end) / 2 * rate + 1e-6; /* no frame too early by rounding */
    return (int64_t)floor(fmin(fmax(at, -1), (double)v->info->n_frames));
}

static void add_clip(struct clip_list *x, const struct clip_plan *plan, size_t video, size_t clip,
                     const struct labeller *labels)
{
    const struct selected *v = labels->video;
    bool events = plan->strategy == STRATEGY_EVENTS;
    int64_t centre = events ? event_centre(v, clip) : 0, start = 0;
    if (strategy_is_fixed(plan->strategy))
        start = clip_plan_start(plan, v->info->n_frames, clip, centre);
    int32_t target =
        labeller_target(labels, clip_centre(plan->shape, start), events ? (int64_t)clip : -1);
    x->clip[x->n++] = (struct listed_clip){
        .video = (uint32_t)video,
        .clip = (uint32_t)clip,
        .start = (int32_t)start,
        .target = target,
        .n_frames = (int32_t)v->info->n_frames,
        .width = (uint16_t)v->info->width,
        .height = (uint16_t)v->info->height,
    };
    x->n_without_target += target < 0;
}

static int fill(struct clip_list *x, const struct clip_plan *plan,
                const struct selection *selection, struct labeller *labels, struct err *e)
{
    for (size_t i = 0; i < selection->n; i++) {
        const struct selected *v = &selection->video[i];
        size_t n = count_clips(plan, v);
        x->n_without_clips += n == 0;
        x->n_too_short += v->info->n_frames <= clip_span(plan->shape);
        if (labeller_video(labels, v, e) < 0)
            return ERR_FAIL;
        for (size_t clip = 0; clip < n; clip++)
            add_clip(x, plan, i, clip, labels);
    }
    return 0;
}

int clip_list_init(struct clip_list *x, const struct clip_plan *plan,
                   const struct selection *selection, struct labeller *labels, struct err *e)
{
    *x = (struct clip_list){0};
    size_t total = 0;
    for (size_t i = 0; i < selection->n; i++) {
        size_t n = count_clips(plan, &selection->video[i]);
        if (n > max_clips - total)
            return err_set(e, "more than %zu clips an epoch", max_clips);
        total += n;
    }
    x->clip = mem_new(total ? total : 1, sizeof(*x->clip), e);
    if (!x->clip)
        return ERR_FAIL;
    int rc = fill(x, plan, selection, labels, e);
    if (rc < 0)
        clip_list_release(x);
    return rc;
}

void clip_list_release(struct clip_list *x)
{
    free(x->clip);
    *x = (struct clip_list){0};
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sampling/clip_list.h"

#include <math.h>

#include "common/base/buf.h"

static const size_t max_clips = INT32_MAX;

/* The clips of one video after the other. */
struct lister {
    struct clip_list *list;
    const struct clip_plan *plan;
    const struct key_boxes *boxes;
    struct labeller *labels;
    struct key_clips keys; /* of the video at hand */
};

/* What a clip is centred on, by its number within the video. */
struct moment {
    double time;
    size_t number;
};

static struct moment moment_of(const struct lister *l, const struct selected *v, size_t clip)
{
    if (l->plan->strategy == STRATEGY_KEYFRAMES)
        return (struct moment){l->keys.clip[clip].time, l->keys.clip[clip].number};
    const struct event *ev = &v->record->events[clip];
    return (struct moment){(ev->start + ev->end) / 2, clip};
}

/* The stored frame that is shown at a moment, at most one frame outside of the video. */
static int64_t frame_at(const struct frames_info *info, double time)
{
    double rate = (double)info->fps_num / (double)info->fps_den;
    double at = time * rate + 1e-6; /* no frame too early by rounding */
    return (int64_t)floor(fmin(fmax(at, -1), (double)info->n_frames));
}

/* Takes up a video's key frames, where these are asked for; how many clips it has. */
static int count_clips(struct lister *l, const struct selected *v, size_t *n, struct err *e)
{
    bool keys = l->plan->strategy == STRATEGY_KEYFRAMES;
    size_t n_events = v->record ? v->record->n_events : 0;
    if (keys && key_clips_video(&l->keys, l->boxes, v, l->labels->index, e) < 0)
        return ERR_FAIL;
    *n = strategy_is_pair(l->plan->strategy)
             ? 1
             : clip_plan_count(l->plan, v->info->n_frames, keys ? l->keys.n : n_events);
    return 0;
}

/* Room for all clips, which are counted first: a list that is too long is none. */
static int make_room(struct lister *l, const struct selection *selection, struct err *e)
{
    size_t total = 0, n;
    for (size_t i = 0; i < selection->n; i++) {
        if (count_clips(l, &selection->video[i], &n, e) < 0)
            return ERR_FAIL;
        if (n > max_clips - total)
            return err_set(e, "more than %zu clips an epoch", max_clips);
        total += n;
    }
    l->list->clip = mem_new(total ? total : 1, sizeof(*l->list->clip), e);
    return l->list->clip ? 0 : ERR_FAIL;
}

static void add_clip(struct lister *l, size_t video, size_t clip)
{
    const struct selected *v = l->labels->video;
    enum strategy strategy = l->plan->strategy;
    bool event = strategy == STRATEGY_EVENTS;
    int64_t centre = 0, start = 0;
    size_t number = clip + clip_plan_first(l->plan);
    if (event || strategy == STRATEGY_KEYFRAMES) {
        struct moment moment = moment_of(l, v, clip);
        number = moment.number;
        centre = frame_at(v->info, moment.time);
        l->list->n_outside += centre < 0 || centre >= v->info->n_frames;
    }
    if (strategy_is_fixed(strategy))
        start = clip_plan_start(l->plan, v->info->n_frames, number, centre);
    int32_t target =
        labeller_target(l->labels, clip_centre(l->plan->shape, start), event ? (int64_t)clip : -1);
    l->list->clip[l->list->n++] = (struct listed_clip){
        .video = (uint32_t)video,
        .clip = (uint32_t)number,
        .start = (int32_t)start,
        .target = target,
        .n_frames = (int32_t)v->info->n_frames,
        .width = (uint16_t)v->info->width,
        .height = (uint16_t)v->info->height,
    };
    l->list->n_without_target += target < 0;
}

static int add_video(struct lister *l, const struct selected *v, size_t video, struct err *e)
{
    size_t n;
    if (labeller_video(l->labels, v, e) < 0 || count_clips(l, v, &n, e) < 0)
        return ERR_FAIL;
    l->list->n_without_clips += n == 0;
    l->list->n_too_short += n > 0 && v->info->n_frames <= clip_span(l->plan->shape);
    for (size_t clip = 0; clip < n; clip++)
        add_clip(l, video, clip);
    return 0;
}

int clip_list_init(struct clip_list *x, const struct clip_plan *plan, const struct key_boxes *boxes,
                   const struct selection *selection, struct labeller *labels, struct err *e)
{
    *x = (struct clip_list){0};
    struct lister l = {.list = x, .plan = plan, .boxes = boxes, .labels = labels};
    int rc = make_room(&l, selection, e);
    for (size_t i = 0; rc == 0 && i < selection->n; i++)
        rc = add_video(&l, &selection->video[i], i, e);
    key_clips_release(&l.keys);
    if (rc < 0)
        clip_list_release(x);
    return rc;
}

void clip_list_release(struct clip_list *x)
{
    free(x->clip);
    *x = (struct clip_list){0};
}

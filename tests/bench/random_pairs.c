/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/random_pairs.h"

#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/rng.h"

struct random_pairs {
    struct frames *frames;
    struct random_pairs_options options;
    struct augment augment;
    struct sample *rows; /* [2 * batch] */
    const char **ids;
    size_t made;
};

int random_pairs_open(struct random_pairs **out, const char *frames,
                      const struct random_pairs_options *o, struct err *e)
{
    struct random_pairs *p = mem_new(1, sizeof *p, e);
    if (!p)
        return ERR_FAIL;
    p->options = *o;
    if (o->augment)
        p->augment = *o->augment;
    int rc = frames_open(&p->frames, frames, e);
    size_t n = rc == 0 ? frames_n_videos(p->frames) : 0;
    if (rc == 0 && n == 0)
        rc = err_set(e, "%s: no videos", frames);
    if (rc == 0) {
        p->rows = mem_new(2 * o->batch, sizeof *p->rows, e);
        p->ids = mem_new(n, sizeof *p->ids, e);
        rc = p->rows && p->ids ? 0 : ERR_FAIL;
    }
    if (rc < 0) {
        random_pairs_close(p);
        return rc;
    }
    for (size_t v = 0; v < n; v++)
        p->ids[v] = frames_id(p->frames, v);
    *out = p;
    return 0;
}

void random_pairs_close(struct random_pairs *p)
{
    if (!p)
        return;
    frames_close(p->frames);
    free(p->ids);
    free(p->rows);
    free(p);
}

static void everything(const struct frames_info *info, struct sample *s)
{
    s->flip = s->jitter = true;
    s->brightness = s->saturation = 1.2f;
    s->contrast = 0.8f;
    s->hue = 0.1f;
    s->blur = 1.0f;
    s->crop_w = (uint16_t)(info->width * 4 / 5);
    s->crop_h = (uint16_t)(info->height * 4 / 5);
}

static void draw(const struct random_pairs *p, size_t role, struct rng *r, struct sample *s)
{
    *s = (struct sample){.role = role ? SAMPLE_SHORT : SAMPLE_LONG,
                         .length = (uint16_t)p->options.length[role],
                         .stride = role ? 2 : 4,
                         .video = (uint32_t)rng_below(r, frames_n_videos(p->frames))};
    const struct frames_info *info = frames_video(p->frames, s->video);
    int64_t span = ((int64_t)s->length - 1) * s->stride + 1;
    int64_t room = info->n_frames > span ? info->n_frames - span : 1;
    s->start = (int32_t)rng_below(r, (uint64_t)room);
    if (p->options.augment)
        augment_draw(&p->augment, (struct picture_size){info->width, info->height}, r, s);
    else
        everything(info, s);
}

static int next_batch(void *user, struct clip_request *request, struct err *e)
{
    struct random_pairs *p = user;
    struct rng r;
    (void)e;
    if (p->made == p->options.n_batches)
        return 0;
    rng_init(&r, 1, 2, p->made++);
    for (size_t i = 0; i < 2 * p->options.batch; i++) {
        draw(p, i % 2, &r, &p->rows[i]);
        p->rows[i].example = (uint32_t)(i / 2);
    }
    *request = (struct clip_request){.rows = p->rows, .n_rows = 2 * p->options.batch};
    return 1;
}

int random_pairs_load(struct random_pairs *p, const struct loader_options *o, struct loader **l,
                      struct err *e)
{
    struct loader_options mine = *o;
    mine.frames = p->frames;
    mine.ids = p->ids;
    mine.n_ids = frames_n_videos(p->frames);
    mine.origin = "drawn at random";
    mine.source = next_batch;
    mine.user = p;
    return loader_new(l, &mine, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/datasets/synth_files.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/file.h"

/* Streams below are the world's. */
enum { FIRST_STREAM = 16 };

void synth_rng(const struct synth_options *o, const struct synth_plan *p, enum synth_use use,
               struct rng *r)
{
    uint32_t stream = FIRST_STREAM + SYNTH_N_SPLITS * (uint32_t)use + (uint32_t)p->split;
    rng_init(r, (uint64_t)o->seed, stream, p->number);
}

void synth_youtube_id(const struct synth_options *o, const struct synth_plan *p,
                      char out[SYNTH_ID_BYTES])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    enum { DRAWN = 5, LENGTH = SYNTH_ID_BYTES - 1 };
    uint64_t rest = p->number * SYNTH_N_SPLITS + (uint64_t)p->split;
    struct rng r;
    synth_rng(o, p, SYNTH_USE_ID, &r);
    for (int i = 0; i < DRAWN; i++)
        out[i] = digits[rng_below(&r, 64)];
    if (p->number % 4 < 2)
        out[0] = p->number % 4 == 0 ? '-' : '_';
    /* The other characters count. */
    for (int i = DRAWN; i < LENGTH; i++, rest /= 64)
        out[i] = digits[rest % 64];
    out[LENGTH] = '\0';
}

double synth_seconds(const struct synth_options *o, int64_t frame)
{
    return (double)frame * (double)o->fps_den / (double)o->fps_num;
}

void synth_clip(const struct synth_options *o, const struct synth_plan *p, struct synth_clip *c)
{
    struct rng r;
    synth_rng(o, p, SYNTH_USE_CLIP, &r);
    synth_youtube_id(o, p, c->id);
    c->start = (int)rng_below(&r, 200);
    c->end = c->start + (int)ceil(synth_seconds(o, o->n_frames));
}

int synth_each(const struct synth_options *o, enum synth_split split, synth_visit_fn *fn,
               void *user, struct err *e)
{
    int rc = 0;
    for (uint64_t i = 0; rc >= 0 && i < synth_n_videos(o, split); i++) {
        struct synth_plan p;
        synth_plan(o, split, i, &p);
        rc = fn(user, &p, e);
    }
    return rc < 0 ? rc : 0;
}

int synth_put_text(const struct synth_options *o, const char *name, const struct buf *text,
                   struct err *e)
{
    char *path = path_join(o->folder, name), *folder = path ? path_folder(path) : NULL;
    int rc = folder ? file_make_folder(folder, e) : err_set(e, "out of memory");
    if (rc >= 0)
        rc = file_write(path, text->data ? (void *)text->data : "", text->len, e);
    free(folder);
    free(path);
    return rc;
}

int synth_put_json(const struct synth_options *o, const char *name, struct json *value,
                   struct err *e)
{
    const char *text = value ? json_text(value) : NULL;
    const struct buf buf = {.data = (unsigned char *)text, .len = text ? strlen(text) : 0};
    int rc = text ? synth_put_text(o, name, &buf, e) : err_set(e, "out of memory");
    json_free(value);
    return rc;
}

int synth_put_list(struct synth_listing *l, enum synth_split split, const char *name,
                   synth_visit_fn *put, struct err *e)
{
    int rc = synth_each(l->o, split, put, l, e);
    if (rc >= 0)
        return synth_put_json(l->o, name, l->entries, e);
    json_free(l->entries);
    return rc;
}

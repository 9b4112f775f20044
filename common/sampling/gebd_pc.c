/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sampling/gebd_pc.h"

#include <stdlib.h>

#include "common/base/buf.h"
#include "common/sampling/agreement.h"

enum { MAX_FRAMES = 100000000 };
static const double min_change = 0.3; /* seconds */

/* Position of the rater who counts. */
static int best_rater(const struct json *video, size_t *best, struct err *e)
{
    struct json *consistency;
    if (json_get_array(video, "f1_consis", &consistency, e) < 0)
        return ERR_FAIL;
    if (json_len(consistency) == 0)
        return err_set(e, "member 'f1_consis': no rater");
    for (size_t i = 0; i < json_len(consistency); i++) {
        enum json_kind kind = json_kind(json_at(consistency, i));
        if (kind != JSON_REAL && kind != JSON_INT)
            return err_set(e, "member 'f1_consis': element %zu: expected a number", i);
    }
    *best = agreement_best(consistency, json_len(consistency));
    return 0;
}

/* The frames of the boundaries that count. */
static int find_boundaries(const struct json *video, const struct json **boundaries, struct err *e)
{
    struct json *raters;
    size_t best = 0;
    if (best_rater(video, &best, e) < 0 ||
        json_get_array(video, "substages_myframeidx", &raters, e) < 0)
        return ERR_FAIL;
    *boundaries = json_at(raters, best);
    if (json_kind(*boundaries) != JSON_ARRAY)
        return err_set(e, "member 'substages_myframeidx': rater %zu: expected an array", best);
    for (size_t i = 0; i < json_len(*boundaries); i++) {
        enum json_kind kind = json_kind(json_at(*boundaries, i));
        if (kind != JSON_REAL && kind != JSON_INT)
            return err_set(e,
                           "member 'substages_myframeidx': rater %zu: element %zu: expected a "
                           "number",
                           best, i);
    }
    return 0;
}

static int label_of(const struct json *boundaries, double frame, double half)
{
    for (size_t i = 0; i < json_len(boundaries); i++) {
        double at = json_f64(json_at(boundaries, i));
        if (frame >= at - half && frame <= at + half)
            return 1;
    }
    return 0;
}

static void fill_block(struct gebd_pc_sample *s, int64_t n_frames)
{
    for (int i = 0; i < GEBD_PC_BLOCK; i++) {
        int64_t steps = i < GEBD_PC_SIDE ? i - GEBD_PC_SIDE : i - GEBD_PC_SIDE + 1;
        int64_t frame = s->current + steps * GEBD_PC_STEP;
        s->block[i] = frame < 1 ? 1 : frame > n_frames ? n_frames : frame;
    }
}

int gebd_pc_samples(const struct json *video, int offset, struct gebd_pc_list *list, struct err *e)
{
    int64_t n_frames, first = offset + 1;
    double fps;
    const struct json *boundaries;
    if (json_get_i64(video, "num_frames", &n_frames, e) < 0 ||
        json_get_f64(video, "fps", &fps, e) < 0 || find_boundaries(video, &boundaries, e) < 0)
        return ERR_FAIL;
    if (n_frames > MAX_FRAMES)
        return err_set(e, "member 'num_frames': more than %d", MAX_FRAMES);
    /* The last frame is never a sample. */
    size_t n =
        n_frames > first ? (size_t)((n_frames - first + GEBD_PC_STEP - 1) / GEBD_PC_STEP) : 0;
    struct gebd_pc_sample *samples = mem_new(n ? n : 1, sizeof *samples, e);
    if (!samples)
        return ERR_FAIL;
    double half = min_change * fps / 2;
    for (size_t i = 0; i < n; i++) {
        samples[i].current = first + (int64_t)i * GEBD_PC_STEP;
        samples[i].label = label_of(boundaries, (double)samples[i].current, half);
        fill_block(&samples[i], n_frames);
    }
    *list = (struct gebd_pc_list){.samples = samples, .n = n};
    return 0;
}

void gebd_pc_release(struct gebd_pc_list *list)
{
    free(list->samples);
    *list = (struct gebd_pc_list){0};
}

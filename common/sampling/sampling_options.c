/* SPDX-License-Identifier: Apache-2.0 */
/* Defaults, consistency and record of the options in epoch.h. */
#include "common/sampling/sampling.h"

void sampling_defaults(enum strategy strategy, struct sampling_options *o)
{
    const struct clip_shape long_clip = {32, 4}, short_clip = {16, 2}, one_clip = {32, 2};
    *o = (struct sampling_options){
        .strategy = strategy,
        .shape = {one_clip},
        .n_clips = strategy == STRATEGY_UNIFORM ? 10 : 1,
        .step = 3,
        .boxes = {.min_score = 0.2},
        .labels = strategy == STRATEGY_EVENTS      ? LABELS_EVENTS
                  : strategy == STRATEGY_KEYFRAMES ? LABELS_ACTIONS
                                                   : LABELS_CLASS,
        .tolerance = 0.15,
        .shuffle = !strategy_is_fixed(strategy),
        .n_epochs = 1,
    };
    if (strategy_is_pair(strategy)) {
        o->shape[0] = strategy == STRATEGY_CVRL ? short_clip : long_clip;
        o->shape[1] = short_clip;
        o->n_epochs = 200;
    } else if (strategy == STRATEGY_SINGLE) {
        o->n_epochs = 100;
    } else if (strategy == STRATEGY_WINDOW) {
        o->shape[0] = short_clip;
    }
    augment_preset(strategy_is_pair(strategy)    ? AUGMENT_PRETRAIN
                   : strategy_is_fixed(strategy) ? AUGMENT_TEST
                                                 : AUGMENT_LINEAR,
                   &o->augment);
}

static int check_pair(const struct sampling_options *o, struct err *e)
{
    const struct clip_shape *c = o->shape;
    if (o->labels == LABELS_EVENTS || o->labels == LABELS_BOUNDARIES)
        return err_set(e, "%s labels need a strategy with fixed clips, not %s",
                       labels_names[o->labels], strategy_names[o->strategy]);
    if (o->strategy == STRATEGY_SINGLE)
        return 0;
    if (o->strategy == STRATEGY_CVRL && (c[0].length != c[1].length || c[0].stride != c[1].stride))
        return err_set(e, "cvrl takes two clips of one shape, not %dx%d and %dx%d", c[0].length,
                       c[0].stride, c[1].length, c[1].stride);
    if (o->strategy == STRATEGY_CONTAINED && clip_span(c[1]) > clip_span(c[0]))
        return err_set(e, "a short clip of %dx%d is not contained in a long one of %dx%d",
                       c[1].length, c[1].stride, c[0].length, c[0].stride);
    return 0;
}

static int check_augment(const struct augment *a, struct err *e)
{
    const struct {
        const char *name;
        double low, high;
    } range[] = {
        {"crop area", a->area[0], a->area[1]},
        {"crop aspect", a->aspect[0], a->aspect[1]},
        {"blur sigma", a->sigma[0], a->sigma[1]},
    };
    for (size_t i = 0; i < sizeof(range) / sizeof(*range); i++) {
        if (!(range[i].low > 0 && range[i].low <= range[i].high))
            return err_set(e, "%s: want 0 < MIN <= MAX, not %g,%g", range[i].name, range[i].low,
                           range[i].high);
    }
    if (a->kind == AUGMENT_NONE && a->n_crops != 1)
        return err_set(e, "%lld crops a clip: the whole picture is one", (long long)a->n_crops);
    return 0;
}

int sampling_check(const struct sampling_options *o, struct err *e)
{
    if (!strategy_is_fixed(o->strategy) && check_pair(o, e) < 0)
        return ERR_FAIL;
    if (o->labels == LABELS_ACTIONS && o->strategy != STRATEGY_KEYFRAMES)
        return err_set(e, "actions labels belong to the boxes of strategy keyframes, not of %s",
                       strategy_names[o->strategy]);
    if (strategy_is_pair(o->strategy) && o->augment.n_crops != 1)
        return err_set(e, "the clips of a pair have one crop each, not %lld",
                       (long long)o->augment.n_crops);
    if (o->strategy == STRATEGY_KEYFRAMES && o->augment.n_crops > 1)
        return err_set(e, "strategy keyframes takes one crop a clip: a person has one score");
    if (o->balance && o->labels != LABELS_BOUNDARIES)
        return err_set(e, "only boundaries labels can be balanced, not %s",
                       labels_names[o->labels]);
    return check_augment(&o->augment, e);
}

/* -- the record in `!meta` -- */

static int add_f64(struct json *o, const char *name, double x)
{
    return json_add(o, name, json_new_f64(x));
}

static int add_i64(struct json *o, const char *name, int64_t n)
{
    return json_add(o, name, json_new_i64(n));
}

static int add_two(struct json *o, const char *name, const double x[2])
{
    struct json *both = json_new_array();
    int rc = json_append(both, json_new_f64(x[0])) | json_append(both, json_new_f64(x[1]));
    return json_add(o, name, both) | rc;
}

static int add_shape(struct json *o, const char *name, struct clip_shape c)
{
    struct json *shape = json_new_object();
    int rc = add_i64(shape, "length", c.length) | add_i64(shape, "stride", c.stride);
    return json_add(o, name, shape) | rc;
}

static int add_augment(struct json *o, const struct augment *a)
{
    struct json *out = json_new_object();
    int rc = json_add(out, "kind", json_new_str(augment_names[a->kind]));
    if (a->kind == AUGMENT_TEST) {
        rc |= add_i64(out, "crops", a->n_crops);
        rc |= add_f64(out, "crop_fraction", a->fraction);
    } else if (a->kind != AUGMENT_NONE) {
        if (a->n_crops > 1)
            rc |= add_i64(out, "crops", a->n_crops);
        rc |= add_two(out, "crop_area", a->area);
        rc |= add_two(out, "crop_aspect", a->aspect);
    }
    rc |= add_f64(out, "flip_probability", a->flip);
    rc |= add_f64(out, "jitter_probability", a->jitter);
    rc |= add_f64(out, "brightness", a->brightness);
    rc |= add_f64(out, "contrast", a->contrast);
    rc |= add_f64(out, "saturation", a->saturation);
    rc |= add_f64(out, "hue", a->hue);
    rc |= add_f64(out, "grey_probability", a->grey);
    rc |= add_two(out, "blur_probability", a->blur);
    rc |= add_two(out, "blur_sigma", a->sigma);
    rc |= add_two(out, "solarise_probability", a->solarise);
    return json_add(o, "augment", out) | rc;
}

static int add_clips(struct json *out, const struct sampling_options *o)
{
    int rc = 0;
    if (strategy_is_pair(o->strategy))
        return add_shape(out, "long", o->shape[0]) | add_shape(out, "short", o->shape[1]);
    rc |= add_shape(out, "clip", o->shape[0]);
    if (o->strategy == STRATEGY_UNIFORM || o->strategy == STRATEGY_SINGLE)
        rc |= add_i64(out, "clips", o->n_clips);
    if (o->strategy == STRATEGY_WINDOW)
        rc |= add_i64(out, "step", o->step) | json_add(out, "inside", json_new_bool(o->inside));
    if (o->strategy == STRATEGY_KEYFRAMES)
        rc |= json_add(out, "boxes", json_new_str(box_kind_names[o->boxes.kind]));
    if (o->strategy == STRATEGY_KEYFRAMES && o->boxes.kind == BOXES_DETECTED)
        rc |= add_f64(out, "box_score", o->boxes.min_score);
    return rc;
}

struct json *sampling_settings(const struct sampling_options *o)
{
    struct json *out = json_new_object();
    int rc = json_add(out, "strategy", json_new_str(strategy_names[o->strategy]));
    rc |= add_clips(out, o);
    rc |= json_add(out, "labels", json_new_str(labels_names[o->labels]));
    if (o->labels == LABELS_BOUNDARIES)
        rc |= add_f64(out, "tolerance", o->tolerance);
    rc |= json_add(out, "split", o->split ? json_new_str(o->split) : json_new_null());
    rc |= add_i64(out, "epochs", o->n_epochs);
    rc |= add_i64(out, "seed", o->seed);
    rc |= json_add(out, "shuffle", json_new_bool(o->shuffle || o->balance));
    rc |= json_add(out, "balance", json_new_bool(o->balance));
    rc |= add_augment(out, &o->augment);
    if (rc == 0)
        return out;
    json_free(out);
    return NULL;
}

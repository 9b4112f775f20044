/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sampling/epoch.h"

#include "common/base/buf.h"
#include "common/base/rng.h"
#include "common/sampling/clip_list.h"
#include "common/store/codec.h"

/* Rows of the greatest table the codec takes, with room for its header. */
static const size_t max_rows = CODEC_MAX_TENSOR_BYTES / sizeof(struct sample) - 64;

struct epochs {
    struct sampling_options o;
    struct clip_list clips;
    size_t n_crops;     /* crops of each item */
    size_t n_examples;  /* of an epoch */
    uint32_t *balanced; /* items with target 1, then those with target 0; NULL unless asked for */
    size_t n_positive, n_negative;
};

static size_t rows_per_example(const struct epochs *x)
{
    return strategy_is_pair(x->o.strategy) ? 2 : 1;
}

size_t epochs_n_rows(const struct epochs *x)
{
    return x->n_examples * rows_per_example(x);
}

/* Appends the numbers of the items (with their crops) that have this target; returns how many. */
static size_t collect(const struct epochs *x, int32_t target, uint32_t *out)
{
    size_t found = 0;
    for (size_t i = 0; i < x->clips.n * x->n_crops; i++) {
        if (x->clips.clip[i / x->n_crops].target == target)
            out[found++] = (uint32_t)i;
    }
    return found;
}

static int balance(struct epochs *x, struct err *e)
{
    x->balanced = mem_new(x->n_examples, sizeof(*x->balanced), e);
    if (!x->balanced)
        return ERR_FAIL;
    x->n_positive = collect(x, 1, x->balanced);
    x->n_negative = collect(x, 0, x->balanced + x->n_positive);
    x->n_examples = 2 * (x->n_positive < x->n_negative ? x->n_positive : x->n_negative);
    if (x->n_examples == 0)
        return err_set(e, "nothing to balance: %zu clips have target 1, %zu target 0",
                       x->n_positive, x->n_negative);
    return 0;
}

static const char *nothing(const struct epochs *x)
{
    if (x->clips.n_without_clips == 0)
        return "no video to sample from";
    if (x->o.strategy == STRATEGY_WINDOW)
        return "no video has room for a window (--inside)";
    if (x->o.strategy != STRATEGY_KEYFRAMES)
        return "no video has events";
    return x->o.boxes.kind == BOXES_DETECTED ? "no key frame has a detected box (--boxes)"
                                             : "no key frame has an annotated box (--boxes)";
}

static int size_epoch(struct epochs *x, struct err *e)
{
    if (x->clips.n == 0)
        return err_set(e, "%s", nothing(x));
    if (x->clips.n > INT32_MAX / x->n_crops)
        return err_set(e, "more than %d clips and crops an epoch", INT32_MAX);
    x->n_examples = x->clips.n * x->n_crops;
    if (x->o.balance && balance(x, e) < 0)
        return ERR_FAIL;
    if (epochs_n_rows(x) > max_rows)
        return err_set(e, "%zu rows an epoch; a table holds at most %zu", epochs_n_rows(x),
                       max_rows);
    return 0;
}

int epochs_new(struct epochs **out, const struct sampling_options *o,
               const struct selection *selection, const struct index *index, struct err *e)
{
    struct epochs *x = mem_new(1, sizeof(*x), e);
    if (!x)
        return ERR_FAIL;
    x->o = *o;
    x->n_crops = (size_t)o->augment.n_crops;
    struct labeller labels = {.kind = o->labels, .tolerance = o->tolerance, .index = index};
    struct clip_plan plan = {o->strategy, o->shape[0], o->n_clips, o->step, o->inside};
    int rc = o->strategy == STRATEGY_KEYFRAMES && index ? key_clips_check(index, e) : 0;
    if (rc >= 0)
        rc = clip_list_init(&x->clips, &plan, &o->boxes, selection, &labels, e);
    labeller_release(&labels);
    if (rc >= 0)
        rc = size_epoch(x, e);
    if (rc < 0) {
        epochs_free(x);
        return rc;
    }
    *out = x;
    return 0;
}

void epochs_free(struct epochs *x)
{
    if (!x)
        return;
    clip_list_release(&x->clips);
    free(x->balanced);
    free(x);
}

/* Draws the order of the epoch's items (balanced: of each kind); NULL where it is their own. */
static int draw_order(const struct epochs *x, size_t epoch, uint32_t **out, struct err *e)
{
    struct rng r;
    *out = NULL;
    if (!x->o.shuffle && !x->o.balance)
        return 0;
    size_t n = x->o.balance ? x->n_positive + x->n_negative : x->n_examples;
    uint32_t *order = mem_new(n, sizeof(*order), e);
    if (!order)
        return ERR_FAIL;
    rng_init(&r, (uint64_t)x->o.seed, STREAM_ORDER, 2 * (uint64_t)epoch);
    if (x->o.balance) {
        memcpy(order, x->balanced, n * sizeof(*order));
        rng_shuffle_u32(&r, order, x->n_positive);
        rng_init(&r, (uint64_t)x->o.seed, STREAM_ORDER, 2 * (uint64_t)epoch + 1);
        rng_shuffle_u32(&r, order + x->n_positive, x->n_negative);
    } else {
        for (size_t i = 0; i < n; i++)
            order[i] = (uint32_t)i;
        rng_shuffle_u32(&r, order, n);
    }
    *out = order;
    return 0;
}

static size_t item_at(const struct epochs *x, const uint32_t *order, size_t example)
{
    if (x->o.balance)
        return order[example % 2 ? x->n_positive + example / 2 : example / 2];
    return order ? order[example] : example;
}

static void draw_starts(const struct epochs *x, size_t epoch, size_t clip, int64_t start[2])
{
    const struct listed_clip *c = &x->clips.clip[clip];
    if (strategy_is_fixed(x->o.strategy)) {
        start[0] = c->start;
        return;
    }
    struct rng r;
    rng_init(&r, (uint64_t)x->o.seed, STREAM_CLIP, (uint64_t)epoch * x->clips.n + clip);
    if (strategy_is_pair(x->o.strategy))
        strategy_pair(x->o.strategy, x->o.shape, c->n_frames, &r, start);
    else
        start[0] = strategy_start(x->o.shape[0], c->n_frames, &r);
}

/* Fills the rows of one example: the long and the short clip, or the only one. */
static void fill_example(const struct epochs *x, size_t epoch, size_t example, size_t item,
                         struct sample *row)
{
    const struct listed_clip *c = &x->clips.clip[item / x->n_crops];
    bool pair = strategy_is_pair(x->o.strategy);
    uint64_t draw = (uint64_t)epoch * x->clips.n * x->n_crops + item;
    int64_t start[2];
    draw_starts(x, epoch, item / x->n_crops, start);
    for (unsigned k = 0; k < rows_per_example(x); k++) {
        row[k] = (struct sample){
            .video = c->video,
            .example = (uint32_t)example,
            .start = (int32_t)start[k],
            .stride = x->o.shape[k].stride,
            .length = x->o.shape[k].length,
            .clip = c->clip,
            .role = pair ? (k ? SAMPLE_SHORT : SAMPLE_LONG) : SAMPLE_SINGLE,
            .view = (uint8_t)(item % x->n_crops),
            .edge = strategy_edge(x->o.strategy),
            .target = c->target,
            .weight = 1,
        };
        struct rng r;
        rng_init(&r, (uint64_t)x->o.seed, STREAM_VIEW, 2 * draw + k);
        augment_draw(&x->o.augment, (struct picture_size){c->width, c->height}, &r, &row[k]);
    }
}

int epochs_fill(const struct epochs *x, size_t epoch, struct sample *rows, struct err *e)
{
    uint32_t *order;
    if (draw_order(x, epoch, &order, e) < 0)
        return ERR_FAIL;
    size_t per = rows_per_example(x);
    for (size_t i = 0; i < x->n_examples; i++)
        fill_example(x, epoch, i, item_at(x, order, i), rows + i * per);
    free(order);
    return 0;
}

const struct clip_list *epochs_clips(const struct epochs *x)
{
    return &x->clips;
}

struct json *epochs_summary(const struct epochs *x)
{
    const struct {
        const char *name;
        size_t n;
    } counts[] = {
        {"examples", x->n_examples},
        {"rows", epochs_n_rows(x)},
        {"videos_shorter_than_a_clip", x->clips.n_too_short},
        {"videos_without_clips", x->clips.n_without_clips},
        {"clips_without_target", x->clips.n_without_target},
    };
    struct json *out = json_new_object();
    for (size_t i = 0; out && i < sizeof(counts) / sizeof(*counts); i++) {
        if (json_add(out, counts[i].name, json_new_i64((int64_t)counts[i].n)) < 0) {
            json_free(out);
            return NULL;
        }
    }
    return out;
}

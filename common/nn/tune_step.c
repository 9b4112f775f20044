/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/tune_step.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/nn/classifier.h"
#include "common/nn/finite.h"
#include "common/nn/localizer.h"

struct tune_step {
    struct model *model;
    struct tune_options o;
    struct encoder *encoder;
    struct classifier *classifier; /* of clips */
    int32_t *target;               /* [batch] */
    float *weight;                 /* [batch] */
    struct localizer *localizer;   /* of people, in the place of these */
};

static int new_classifier(struct tune_step *s, struct err *e)
{
    struct classifier_options o = {
        .n = s->o.micro_batch, .steps = encoder_steps(s->encoder), .keep = true};
    if (classifier_new(&s->classifier, s->model, &o, e) < 0)
        return ERR_FAIL;
    s->target = mem_new(s->o.batch, sizeof *s->target, e);
    s->weight = mem_new(s->o.batch, sizeof *s->weight, e);
    return s->target && s->weight ? 0 : ERR_FAIL;
}

static int new_localizer(struct tune_step *s, struct err *e)
{
    struct localizer_options o = {
        .n = s->o.micro_batch, .boxes = s->o.boxes, .dtype = s->o.dtype, .keep = true};
    encoder_map(s->encoder, o.map);
    return localizer_new(&s->localizer, s->model, &o, e);
}

static int new_parts(struct tune_step *s, struct err *e)
{
    struct encoder_options eo = {.n = s->o.micro_batch,
                                 .length = s->o.length,
                                 .size = s->o.size,
                                 .dtype = s->o.dtype,
                                 .keep = true,
                                 .recompute = s->o.recompute};
    if (encoder_new(&s->encoder, s->model, &eo, e) < 0)
        return ERR_FAIL;
    return s->o.boxes ? new_localizer(s, e) : new_classifier(s, e);
}

int tune_step_new(struct tune_step **out, struct model *m, const struct tune_options *o,
                  struct err *e)
{
    if (o->micro_batch == 0 || o->batch % o->micro_batch != 0)
        return err_set(e, "micro-batch %zu does not divide batch %zu", o->micro_batch, o->batch);
    struct tune_step *s = mem_new(1, sizeof *s, e);
    if (!s)
        return ERR_FAIL;
    s->model = m;
    s->o = *o;
    if (new_parts(s, e) < 0) {
        tune_step_free(s);
        return ERR_FAIL;
    }
    *out = s;
    return 0;
}

void tune_step_free(struct tune_step *s)
{
    if (!s)
        return;
    classifier_free(s->classifier);
    localizer_free(s->localizer);
    encoder_free(s->encoder);
    free(s->target);
    free(s->weight);
    free(s);
}

int tune_step_set_weights(struct tune_step *s, struct err *e)
{
    if (encoder_set_weights(s->encoder, e) < 0)
        return ERR_FAIL;
    return s->localizer ? localizer_set_weights(s->localizer, e)
                        : classifier_set_weights(s->classifier, e);
}

/* Looks for the reason of a loss that is not finite. */
static int not_finite(const struct tune_step *s, struct err *e)
{
    const struct model *m = s->model;
    size_t n = s->o.micro_batch * encoder_steps(s->encoder) * m->backbone.desc.c_out;
    if (finite_params(m, e) < 0)
        return ERR_FAIL;
    return err_set(e, "the loss is not finite%s",
                   finite_values(m, encoder_features(s->encoder), n) ? ""
                                                                     : ", nor are the features");
}

/* One micro-batch. */
struct micro {
    const struct tune_input *in;
    const void *pixels;
    size_t first; /* example */
    float scale;  /* what a clip, or a class of a box, is of the batch's loss */
};

/* Adds the micro-batch's share of the loss; the logits become their gradient. */
static int clip_loss(struct tune_step *s, const struct micro *m, struct tune_result *out,
                     struct err *e)
{
    struct backend *b = s->model->backend;
    float *logits = classifier_logits(s->classifier);
    struct softmax_xent_args a = {.rows = s->o.micro_batch,
                                  .classes = s->model->desc.n_classes,
                                  .logits = logits,
                                  .target = s->target + m->first,
                                  .weight = s->weight + m->first,
                                  .scale = m->scale,
                                  .d_logits = logits};
    if (b->ops->softmax_xent(b, &a) < 0)
        return err_set(e, "a target is not one of the %zu classes", a.classes);
    out->loss += a.loss / (double)s->o.batch;
    out->accuracy += (double)a.n_correct / (double)s->o.batch;
    return isfinite(a.loss) ? 0 : not_finite(s, e);
}

static int run_clips(struct tune_step *s, const struct micro *m, struct tune_result *out,
                     struct err *e)
{
    struct classifier_dropout dropout = {s->o.dropout, s->o.seed,
                                         m->in->number * s->o.batch + m->first};
    if (classifier_forward(s->classifier, encoder_features(s->encoder), &dropout, e) < 0 ||
        clip_loss(s, m, out, e) < 0 ||
        classifier_backward(s->classifier, classifier_logits(s->classifier),
                            encoder_features_grad(s->encoder), e) < 0)
        return ERR_FAIL;
    return encoder_backward_features(s->encoder, m->pixels, e);
}

static int people_loss(struct tune_step *s, const struct micro *m, struct tune_result *out,
                       struct err *e)
{
    struct backend *b = s->model->backend;
    size_t first = m->first * s->o.boxes, n_classes = s->model->desc.n_classes;
    float *logits = localizer_logits(s->localizer);
    struct sigmoid_xent_args a = {.rows = s->o.micro_batch * s->o.boxes,
                                  .classes = n_classes,
                                  .logits = logits,
                                  .target = m->in->people.target + first * n_classes,
                                  .weight = m->in->people.weight + first,
                                  .scale = m->scale,
                                  .d_logits = logits};
    if (b->ops->sigmoid_xent(b, &a) < 0)
        return err_set(e, "the loss of the boxes failed");
    out->loss += a.loss * (double)m->scale;
    return isfinite(a.loss) ? 0 : not_finite(s, e);
}

static int run_people(struct tune_step *s, const struct micro *m, struct tune_result *out,
                      struct err *e)
{
    size_t map[3];
    const float *box = m->in->people.box + m->first * s->o.boxes * 4;
    struct classifier_dropout dropout = {s->o.dropout, s->o.seed,
                                         (m->in->number * s->o.batch + m->first) * s->o.boxes};
    if (localizer_forward(s->localizer, encoder_map(s->encoder, map), box, &dropout, e) < 0 ||
        people_loss(s, m, out, e) < 0 ||
        localizer_backward(s->localizer, box, localizer_logits(s->localizer),
                           encoder_map_grad(s->encoder), e) < 0)
        return ERR_FAIL;
    return encoder_backward_map(s->encoder, m->pixels, e);
}

/* Of the gradient, see struct micro. Takes up the targets of clips. */
static float loss_scale(struct tune_step *s, const struct tune_input *in)
{
    double n_boxes = 0.0;
    for (size_t i = 0; i < s->o.batch && !s->localizer; i++) {
        s->target[i] = in->rows[i].target;
        s->weight[i] = in->rows[i].weight;
    }
    for (size_t i = 0; i < s->o.batch * s->o.boxes; i++)
        n_boxes += (double)in->people.weight[i];
    if (!s->localizer)
        return 1.0f / (float)s->o.batch;
    return n_boxes > 0.0 ? (float)(1.0 / (n_boxes * (double)s->model->desc.n_classes)) : 0.0f;
}

int tune_step_run(struct tune_step *s, const struct tune_input *in, struct tune_result *out,
                  struct err *e)
{
    struct backend *b = s->model->backend;
    size_t clip = s->o.length * s->o.size * s->o.size * 3 * dtype_bytes(s->o.dtype);
    enum norm_mode mode = s->o.frozen_norm ? NORM_RUNNING : NORM_BATCH_UPDATE;
    struct micro m = {.in = in, .scale = loss_scale(s, in)};
    *out = (struct tune_result){0};
    if (b->ops->zero(b, s->model->grads, s->model->n_values * sizeof(float), e) < 0)
        return ERR_FAIL;
    for (; m.first < s->o.batch; m.first += s->o.micro_batch) {
        m.pixels = (const char *)in->pixels + m.first * clip;
        if (encoder_forward(s->encoder, m.pixels, mode, e) < 0 ||
            (s->localizer ? run_people(s, &m, out, e) : run_clips(s, &m, out, e)) < 0)
            return ERR_FAIL;
    }
    return finite_grads(s->model, e);
}

double tune_step_flops(const struct tune_step *s)
{
    double n_micro = (double)(s->o.batch / s->o.micro_batch);
    return 3.0 * n_micro * encoder_forward_flops(s->encoder);
}

size_t tune_step_activation_bytes(const struct tune_step *s)
{
    return encoder_activation_bytes(s->encoder);
}

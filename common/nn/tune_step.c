/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/tune_step.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/nn/classifier.h"
#include "common/nn/finite.h"

struct tune_step {
    struct model *model;
    struct tune_options o;
    struct encoder *encoder;
    struct classifier *classifier;
    int32_t *target; /* [batch] */
    float *weight;   /* [batch] */
};

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
    struct classifier_options co = {
        .n = s->o.micro_batch, .steps = encoder_steps(s->encoder), .keep = true};
    if (classifier_new(&s->classifier, s->model, &co, e) < 0)
        return ERR_FAIL;
    s->target = mem_new(s->o.batch, sizeof *s->target, e);
    s->weight = mem_new(s->o.batch, sizeof *s->weight, e);
    return s->target && s->weight ? 0 : ERR_FAIL;
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
    encoder_free(s->encoder);
    free(s->target);
    free(s->weight);
    free(s);
}

int tune_step_set_weights(struct tune_step *s, struct err *e)
{
    return encoder_set_weights(s->encoder, e) < 0 ? ERR_FAIL
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

/* Adds micro-batch i's share of the loss; the logits become their gradient. */
static int run_loss(struct tune_step *s, size_t i, struct tune_result *out, struct err *e)
{
    struct backend *b = s->model->backend;
    float *logits = classifier_logits(s->classifier);
    struct softmax_xent_args a = {.rows = s->o.micro_batch,
                                  .classes = s->model->desc.n_classes,
                                  .logits = logits,
                                  .target = s->target + i * s->o.micro_batch,
                                  .weight = s->weight + i * s->o.micro_batch,
                                  .scale = 1.0f / (float)s->o.batch,
                                  .d_logits = logits};
    if (b->ops->softmax_xent(b, &a) < 0)
        return err_set(e, "a target is not one of the %zu classes", a.classes);
    out->loss += a.loss / (double)s->o.batch;
    out->accuracy += (double)a.n_correct / (double)s->o.batch;
    return isfinite(a.loss) ? 0 : not_finite(s, e);
}

static int run_micro(struct tune_step *s, const struct tune_input *in, size_t i,
                     struct tune_result *out, struct err *e)
{
    size_t clip = s->o.length * s->o.size * s->o.size * 3 * dtype_bytes(s->o.dtype);
    const void *pixels = (const char *)in->pixels + i * s->o.micro_batch * clip;
    struct classifier_dropout dropout = {s->o.dropout, s->o.seed,
                                         in->number * s->o.batch + i * s->o.micro_batch};
    enum norm_mode mode = s->o.frozen_norm ? NORM_RUNNING : NORM_BATCH_UPDATE;
    if (encoder_forward(s->encoder, pixels, mode, e) < 0 ||
        classifier_forward(s->classifier, encoder_features(s->encoder), &dropout, e) < 0 ||
        run_loss(s, i, out, e) < 0 ||
        classifier_backward(s->classifier, classifier_logits(s->classifier),
                            encoder_features_grad(s->encoder), e) < 0)
        return ERR_FAIL;
    return encoder_backward_features(s->encoder, pixels, e);
}

int tune_step_run(struct tune_step *s, const struct tune_input *in, struct tune_result *out,
                  struct err *e)
{
    struct backend *b = s->model->backend;
    *out = (struct tune_result){0};
    for (size_t i = 0; i < s->o.batch; i++) {
        s->target[i] = in->rows[i].target;
        s->weight[i] = in->rows[i].weight;
    }
    if (b->ops->zero(b, s->model->grads, s->model->n_values * sizeof(float), e) < 0)
        return ERR_FAIL;
    for (size_t i = 0; i < s->o.batch / s->o.micro_batch; i++)
        if (run_micro(s, in, i, out, e) < 0)
            return ERR_FAIL;
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

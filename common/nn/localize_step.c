/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/localize_step.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/nn/encoder.h"
#include "common/nn/finite.h"
#include "common/nn/localizer.h"

struct localize_step {
    struct model *model;
    struct localize_options o;
    struct encoder *encoder;
    struct localizer *localizer;
};

static int new_parts(struct localize_step *s, struct err *e)
{
    struct encoder_options eo = {.n = s->o.micro_batch,
                                 .length = s->o.length,
                                 .size = s->o.size,
                                 .dtype = s->o.dtype,
                                 .keep = true,
                                 .recompute = s->o.recompute};
    struct localizer_options lo = {
        .n = s->o.micro_batch, .boxes = s->o.boxes, .dtype = s->o.dtype, .keep = true};
    if (encoder_new(&s->encoder, s->model, &eo, e) < 0)
        return ERR_FAIL;
    encoder_map(s->encoder, lo.map);
    return localizer_new(&s->localizer, s->model, &lo, e);
}

int localize_step_new(struct localize_step **out, struct model *m, const struct localize_options *o,
                      struct err *e)
{
    if (o->micro_batch == 0 || o->batch % o->micro_batch != 0)
        return err_set(e, "micro-batch %zu does not divide batch %zu", o->micro_batch, o->batch);
    struct localize_step *s = mem_new(1, sizeof *s, e);
    if (!s)
        return ERR_FAIL;
    s->model = m;
    s->o = *o;
    if (new_parts(s, e) < 0) {
        localize_step_free(s);
        return ERR_FAIL;
    }
    *out = s;
    return 0;
}

void localize_step_free(struct localize_step *s)
{
    if (!s)
        return;
    localizer_free(s->localizer);
    encoder_free(s->encoder);
    free(s);
}

int localize_step_set_weights(struct localize_step *s, struct err *e)
{
    return encoder_set_weights(s->encoder, e) < 0 ? ERR_FAIL
                                                  : localizer_set_weights(s->localizer, e);
}

/* What a micro-batch is, and how much of the batch's loss a box of it is. */
struct micro {
    const struct localize_input *in;
    size_t first; /* example */
    float scale;
};

/* Adds the micro-batch's share of the loss; the logits become their gradient. */
static int run_loss(struct localize_step *s, const struct micro *m, double *loss, struct err *e)
{
    struct backend *b = s->model->backend;
    size_t first = m->first * s->o.boxes, n_classes = s->model->desc.n_classes;
    float *logits = localizer_logits(s->localizer);
    struct sigmoid_xent_args a = {.rows = s->o.micro_batch * s->o.boxes,
                                  .classes = n_classes,
                                  .logits = logits,
                                  .target = m->in->target + first * n_classes,
                                  .weight = m->in->weight + first,
                                  .scale = m->scale,
                                  .d_logits = logits};
    if (b->ops->sigmoid_xent(b, &a) < 0)
        return err_set(e, "the loss of the boxes failed");
    *loss += a.loss * (double)m->scale;
    if (isfinite(a.loss))
        return 0;
    return finite_params(s->model, e) < 0 ? ERR_FAIL : err_set(e, "the loss is not finite");
}

static int run_micro(struct localize_step *s, const struct micro *m, double *loss, struct err *e)
{
    size_t clip = s->o.length * s->o.size * s->o.size * 3 * dtype_bytes(s->o.dtype), map[3];
    const void *pixels = (const char *)m->in->pixels + m->first * clip;
    const float *box = m->in->box + m->first * s->o.boxes * 4;
    struct classifier_dropout dropout = {s->o.dropout, s->o.seed,
                                         (m->in->number * s->o.batch + m->first) * s->o.boxes};
    enum norm_mode mode = s->o.frozen_norm ? NORM_RUNNING : NORM_BATCH_UPDATE;
    if (encoder_forward(s->encoder, pixels, mode, e) < 0 ||
        localizer_forward(s->localizer, encoder_map(s->encoder, map), box, &dropout, e) < 0 ||
        run_loss(s, m, loss, e) < 0 ||
        localizer_backward(s->localizer, box, localizer_logits(s->localizer),
                           encoder_map_grad(s->encoder), e) < 0)
        return ERR_FAIL;
    return encoder_backward_map(s->encoder, pixels, e);
}

int localize_step_run(struct localize_step *s, const struct localize_input *in, double *loss,
                      struct err *e)
{
    struct backend *b = s->model->backend;
    double n_boxes = 0.0;
    for (size_t i = 0; i < s->o.batch * s->o.boxes; i++)
        n_boxes += (double)in->weight[i];
    *loss = 0.0;
    if (b->ops->zero(b, s->model->grads, s->model->n_values * sizeof(float), e) < 0)
        return ERR_FAIL;
    double scale = n_boxes > 0.0 ? 1.0 / (n_boxes * (double)s->model->desc.n_classes) : 0.0;
    for (size_t i = 0; i < s->o.batch; i += s->o.micro_batch) {
        struct micro m = {in, i, (float)scale};
        if (run_micro(s, &m, loss, e) < 0)
            return ERR_FAIL;
    }
    return finite_grads(s->model, e);
}

double localize_step_flops(const struct localize_step *s)
{
    double n_micro = (double)(s->o.batch / s->o.micro_batch);
    return 3.0 * n_micro * encoder_forward_flops(s->encoder);
}

size_t localize_step_activation_bytes(const struct localize_step *s)
{
    return encoder_activation_bytes(s->encoder);
}

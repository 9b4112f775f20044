/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/tune_step.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/nn/classifier.h"
#include "common/nn/finite.h"
#include "common/nn/localizer.h"
#include "common/nn/share.h"

/* What the loss is computed from, on the host and on the device. */
struct labels {
    void *target;  /* of clips int32 [batch]; of people uint8 [batch, boxes, n_classes] */
    float *weight; /* [batch], or [batch, boxes]; with the number behind the mean in it */
    float *box;    /* [batch, boxes, 4], or NULL */
};

struct tune_step {
    struct model *model;
    struct tune_options o;
    struct share share;
    size_t n; /* examples of a micro-batch that are this process's */
    struct encoder *encoder;
    struct classifier *classifier; /* of clips */
    struct localizer *localizer;   /* of people, in its place */
    size_t per_clip, n_places; /* places of a clip, where none is for boxes itself; of the share */
    size_t target_bytes;       /* of a place */
    struct labels host, device;
    double n_people; /* of the batch */
    uint64_t *first; /* [1], device memory: the first place's number within the run */
    double *sums;    /* [micro-batches, XENT_SUMS], device memory; of people the first alone */
};

static int new_classifier(struct tune_step *s, struct err *e)
{
    struct classifier_options o = {.n = s->n, .steps = encoder_steps(s->encoder), .keep = true};
    return classifier_new(&s->classifier, s->model, &o, e);
}

static int new_localizer(struct tune_step *s, struct err *e)
{
    struct localizer_options o = {
        .n = s->n, .boxes = s->o.boxes, .dtype = s->o.dtype, .keep = true};
    encoder_map(s->encoder, o.map);
    return localizer_new(&s->localizer, s->model, &o, e);
}

static int new_labels(struct tune_step *s, struct err *e)
{
    struct backend *b = s->model->backend;
    size_t n_micro = s->o.batch / s->o.micro_batch;
    s->per_clip = s->o.boxes ? s->o.boxes : 1;
    s->n_places = share_count(&s->share, s->o.batch) * s->per_clip;
    s->target_bytes = s->o.boxes ? s->model->desc.n_classes : sizeof(int32_t);
    s->host.target = mem_new(s->n_places, s->target_bytes, e);
    s->host.weight = mem_new(s->n_places, sizeof *s->host.weight, e);
    if (!s->host.target || !s->host.weight ||
        backend_alloc(b, &s->device.target, s->n_places * s->target_bytes, e) < 0 ||
        backend_alloc(b, &s->device.weight, s->n_places * sizeof *s->device.weight, e) < 0 ||
        backend_alloc(b, &s->first, sizeof *s->first, e) < 0 ||
        backend_alloc(b, &s->sums, n_micro * XENT_SUMS * sizeof *s->sums, e) < 0)
        return ERR_FAIL;
    return s->o.boxes ? backend_alloc(b, &s->device.box, 4 * s->n_places * sizeof *s->device.box, e)
                      : 0;
}

static int new_parts(struct tune_step *s, struct err *e)
{
    struct encoder_options eo = {.n = s->n,
                                 .length = s->o.length,
                                 .size = s->o.size,
                                 .dtype = s->o.dtype,
                                 .keep = true,
                                 .recompute = s->o.recompute};
    if (encoder_new(&s->encoder, s->model, &eo, e) < 0 || new_labels(s, e) < 0)
        return ERR_FAIL;
    return s->o.boxes ? new_localizer(s, e) : new_classifier(s, e);
}

int tune_step_new(struct tune_step **out, struct model *m, const struct tune_options *o,
                  struct err *e)
{
    struct share share;
    if (share_make(&share, m->backend->processes, o->batch, o->micro_batch, e) < 0)
        return ERR_FAIL;
    struct tune_step *s = mem_new(1, sizeof *s, e);
    if (!s)
        return ERR_FAIL;
    s->model = m;
    s->o = *o;
    s->share = share;
    s->n = share_count(&s->share, o->micro_batch);
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
    struct backend *b = s->model->backend;
    void *memory[] = {s->device.target, s->device.weight, s->device.box, s->first, s->sums};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++)
        b->ops->release(b, memory[i]);
    free(s->host.target);
    free(s->host.weight);
    free(s);
}

int tune_step_set_weights(struct tune_step *s, struct err *e)
{
    if (encoder_set_weights(s->encoder, e) < 0)
        return ERR_FAIL;
    return s->localizer ? localizer_set_weights(s->localizer, e)
                        : classifier_set_weights(s->classifier, e);
}

/* -- posting -- */

static int post_clips(struct tune_step *s, const struct tune_input *in, struct err *e)
{
    int32_t *target = s->host.target;
    size_t n_classes = s->model->desc.n_classes;
    for (size_t i = 0; i < s->n_places; i++) {
        const struct sample *row = &in->rows[share_example(&s->share, i)];
        target[i] = row->target;
        s->host.weight[i] = row->weight;
        if (target[i] < 0 || (size_t)target[i] >= n_classes)
            return err_set(e, "a target is not one of the %zu classes", n_classes);
    }
    return 0;
}

/* The loss is a mean over the boxes that there are and over the classes. */
static int post_people(struct tune_step *s, const struct tune_input *in, struct err *e)
{
    struct backend *b = s->model->backend;
    const struct processes *p = b->processes;
    s->n_people = 0.0;
    for (size_t i = 0; i < s->n_places; i++)
        s->n_people += (double)in->people.weight[i];
    if (p && p->sum(p, &s->n_people, REDUCE_F64, 1, e) < 0)
        return ERR_FAIL;
    double n = s->n_people * (double)s->model->desc.n_classes;
    for (size_t i = 0; i < s->n_places; i++)
        s->host.weight[i] = n > 0.0 ? (float)((double)in->people.weight[i] / n) : 0.0f;
    return b->ops->post(b, s->device.box, in->people.box, 4 * s->n_places * sizeof *s->device.box,
                        e);
}

int tune_step_post(struct tune_step *s, const struct tune_input *in, struct err *e)
{
    struct backend *b = s->model->backend;
    const void *target = s->localizer ? in->people.target : s->host.target;
    uint64_t first = in->number * s->o.batch * s->per_clip;
    if ((s->localizer ? post_people(s, in, e) : post_clips(s, in, e)) < 0 ||
        b->ops->post(b, s->device.target, target, s->n_places * s->target_bytes, e) < 0 ||
        b->ops->post(b, s->device.weight, s->host.weight, s->n_places * sizeof *s->host.weight, e) <
            0)
        return ERR_FAIL;
    return b->ops->post(b, s->first, &first, sizeof first, e);
}

/* -- computing -- */

/* One micro-batch. */
struct micro {
    const void *pixels;
    size_t place;  /* its first */
    uint64_t item; /* the same among those of all processes */
    double *sums;
};

static struct classifier_dropout dropout_of(const struct tune_step *s, const struct micro *m)
{
    return (struct classifier_dropout){s->o.dropout, s->o.seed, m->item, s->first};
}

/* The logits become their gradient. */
static int clip_loss(struct tune_step *s, const struct micro *m, struct err *e)
{
    struct backend *b = s->model->backend;
    float *logits = classifier_logits(s->classifier);
    struct softmax_xent_args a = {.rows = s->n,
                                  .classes = s->model->desc.n_classes,
                                  .logits = logits,
                                  .target = (const int32_t *)s->device.target + m->place,
                                  .weight = s->device.weight + m->place,
                                  .scale = 1.0f / (float)s->o.batch,
                                  .d_logits = logits,
                                  .sums = m->sums};
    return b->ops->softmax_xent(b, &a) < 0 ? err_set(e, "the loss of the clips failed") : 0;
}

static int run_clips(struct tune_step *s, const struct micro *m, struct err *e)
{
    struct classifier_dropout dropout = dropout_of(s, m);
    if (classifier_forward(s->classifier, encoder_features(s->encoder), &dropout, e) < 0 ||
        clip_loss(s, m, e) < 0 ||
        classifier_backward(s->classifier, classifier_logits(s->classifier),
                            encoder_features_grad(s->encoder), e) < 0)
        return ERR_FAIL;
    return encoder_backward_features(s->encoder, m->pixels, e);
}

static int people_loss(struct tune_step *s, const struct micro *m, struct err *e)
{
    struct backend *b = s->model->backend;
    float *logits = localizer_logits(s->localizer);
    const uint8_t *target = s->device.target;
    struct sigmoid_xent_args a = {.rows = s->n * s->o.boxes,
                                  .classes = s->model->desc.n_classes,
                                  .logits = logits,
                                  .target = target + m->place * s->target_bytes,
                                  .weight = s->device.weight + m->place,
                                  .scale = 1.0f,
                                  .d_logits = logits,
                                  .loss = m->sums};
    return b->ops->sigmoid_xent(b, &a) < 0 ? err_set(e, "the loss of the boxes failed") : 0;
}

static int run_people(struct tune_step *s, const struct micro *m, struct err *e)
{
    size_t map[3];
    const float *box = s->device.box + 4 * m->place;
    struct classifier_dropout dropout = dropout_of(s, m);
    if (localizer_forward(s->localizer, encoder_map(s->encoder, map), box, &dropout, e) < 0 ||
        people_loss(s, m, e) < 0 ||
        localizer_backward(s->localizer, box, localizer_logits(s->localizer),
                           encoder_map_grad(s->encoder), e) < 0)
        return ERR_FAIL;
    return encoder_backward_map(s->encoder, m->pixels, e);
}

int tune_step_compute(struct tune_step *s, const struct tune_input *in, struct err *e)
{
    size_t clip = s->o.length * s->o.size * s->o.size * 3 * dtype_bytes(s->o.dtype);
    size_t n_micro = s->o.batch / s->o.micro_batch;
    enum norm_mode mode = s->o.frozen_norm ? NORM_RUNNING : NORM_BATCH_UPDATE;
    if (model_begin_grads(s->model, e) < 0)
        return ERR_FAIL;
    for (size_t i = 0; i < n_micro; i++) {
        struct micro m = {.pixels = (const char *)in->pixels + i * s->n * clip,
                          .place = i * s->n * s->per_clip,
                          .item = share_example(&s->share, i * s->n) * s->per_clip,
                          .sums = s->sums + i * XENT_SUMS};
        if (encoder_forward(s->encoder, m.pixels, mode, e) < 0 ||
            (s->localizer ? run_people(s, &m, e) : run_clips(s, &m, e)) < 0)
            return ERR_FAIL;
    }
    struct backend *b = s->model->backend;
    if (b->processes && b->ops->all_reduce(b, s->sums, REDUCE_F64, n_micro * XENT_SUMS, e) < 0)
        return ERR_FAIL;
    return model_end_grads(s->model, e);
}

/* -- the result -- */

/* Looks for the reason of a loss that is not finite. */
static int not_finite(const struct tune_step *s, struct err *e)
{
    const struct model *m = s->model;
    size_t n = s->n * encoder_steps(s->encoder) * m->backbone.desc.c_out;
    if (finite_params(m, e) < 0)
        return ERR_FAIL;
    return err_set(e, "the loss is not finite%s",
                   finite_values(m, encoder_features(s->encoder), n) ? ""
                                                                     : ", nor are the features");
}

int tune_step_result(struct tune_step *s, struct tune_result *out, struct err *e)
{
    struct backend *b = s->model->backend;
    size_t n_micro = s->o.batch / s->o.micro_batch;
    double *sums = mem_new(n_micro * XENT_SUMS, sizeof *sums, e), n = (double)s->o.batch;
    *out = (struct tune_result){.n_people = s->n_people};
    int rc =
        sums ? b->ops->download(b, sums, s->sums, n_micro * XENT_SUMS * sizeof *sums, e) : ERR_FAIL;
    for (size_t i = 0; i < n_micro && rc == 0; i++) {
        out->loss += sums[i * XENT_SUMS + XENT_LOSS] / (s->localizer ? 1.0 : n);
        out->accuracy += s->localizer ? 0.0 : sums[i * XENT_SUMS + XENT_CORRECT] / n;
    }
    free(sums);
    if (rc < 0)
        return rc;
    return isfinite(out->loss) ? finite_grads(s->model, e) : not_finite(s, e);
}

int tune_step_run(struct tune_step *s, const struct tune_input *in, struct tune_result *out,
                  struct err *e)
{
    if (tune_step_post(s, in, e) < 0 || tune_step_compute(s, in, e) < 0)
        return ERR_FAIL;
    return tune_step_result(s, out, e);
}

double tune_step_flops(const struct tune_step *s)
{
    double n_micro = (double)(s->o.batch / s->o.micro_batch);
    return n_micro * encoder_step_flops(s->encoder);
}

size_t tune_step_activation_bytes(const struct tune_step *s)
{
    return encoder_activation_bytes(s->encoder);
}

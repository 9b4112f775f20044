/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/step.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/nn/finite.h"
#include "common/nn/share.h"

struct step {
    struct model *model;
    struct step_options o;
    struct share share;
    size_t n;    /* examples of a micro-batch that are this process's */
    bool cached; /* the projected steps of the batch are put together from several parts */
    struct encoder *encoder[N_ROLES];
    struct loss *loss;
    float *z[N_ROLES][MODEL_MAX_HEADS]; /* [batch, T', D] where cached */
};

static int new_roles(struct step *s, struct err *e)
{
    struct model *m = s->model;
    for (int r = 0; r < N_ROLES; r++) {
        struct encoder_options o = {.n = s->n,
                                    .length = s->o.length[r],
                                    .size = s->o.size,
                                    .dtype = s->o.dtype,
                                    .keep = true,
                                    .recompute = s->o.recompute,
                                    .heads = true,
                                    .share = r ? s->encoder[0] : NULL};
        if (encoder_new(&s->encoder[r], m, &o, e) < 0)
            return ERR_FAIL;
        size_t floats = s->o.batch * encoder_steps(s->encoder[r]) * m->desc.head_dim;
        for (int h = 0; h < m->desc.n_heads && s->cached; h++)
            if (backend_alloc(m->backend, &s->z[r][h], floats * sizeof(float), e) < 0)
                return ERR_FAIL;
    }
    return 0;
}

int step_new(struct step **out, struct model *m, const struct objective *o,
             const struct step_options *options, struct err *e)
{
    struct share share;
    if (share_make(&share, m->backend->processes, options->batch, options->micro_batch, e) < 0)
        return ERR_FAIL;
    struct step *s = mem_new(1, sizeof *s, e);
    if (!s)
        return ERR_FAIL;
    s->model = m;
    s->o = *options;
    s->share = share;
    s->n = share_count(&s->share, options->micro_batch);
    s->cached = options->micro_batch < options->batch || s->share.n > 1;
    int rc = new_roles(s, e);
    if (rc == 0) {
        struct loss_shape shape = {options->batch, encoder_steps(s->encoder[ROLE_SHORT]),
                                   encoder_steps(s->encoder[ROLE_LONG]), m->desc.head_dim};
        rc = loss_new(&s->loss, m, o, &shape, e);
    }
    if (rc < 0) {
        step_free(s);
        return ERR_FAIL;
    }
    *out = s;
    return 0;
}

void step_free(struct step *s)
{
    if (!s)
        return;
    for (int r = N_ROLES - 1; r >= 0; r--) { /* those that share first */
        encoder_free(s->encoder[r]);
        for (int h = 0; h < MODEL_MAX_HEADS; h++)
            s->model->backend->ops->release(s->model->backend, s->z[r][h]);
    }
    loss_free(s->loss);
    free(s);
}

int step_set_weights(struct step *s, struct err *e)
{
    for (int r = 0; r < N_ROLES; r++)
        if (encoder_set_weights(s->encoder[r], e) < 0)
            return ERR_FAIL;
    return 0;
}

/* Pixels of this process's part of micro-batch i. */
static const void *slice(const struct step *s, const struct step_input *in, int role, size_t i)
{
    size_t clip = s->o.length[role] * s->o.size * s->o.size * 3 * dtype_bytes(s->o.dtype);
    return (const char *)in->pixels[role] + i * s->n * clip;
}

static int forward(struct step *s, const struct step_input *in, size_t i, enum norm_mode mode,
                   struct err *e)
{
    for (int r = 0; r < N_ROLES; r++)
        if (encoder_forward(s->encoder[r], slice(s, in, r, i), mode, e) < 0)
            return ERR_FAIL;
    return 0;
}

static int backward(struct step *s, const struct step_input *in, size_t i, struct err *e)
{
    const struct model *m = s->model;
    for (int r = 0; r < N_ROLES; r++) {
        float *dz[MODEL_MAX_HEADS] = {NULL};
        size_t first = share_example(&s->share, i * s->n);
        size_t at = first * encoder_steps(s->encoder[r]) * m->desc.head_dim;
        for (int h = 0; h < m->desc.n_heads; h++)
            dz[h] = (r == ROLE_SHORT ? loss_grad_short : loss_grad_long)(s->loss, h) + at;
        if (encoder_backward(s->encoder[r], slice(s, in, r, i), dz, e) < 0)
            return ERR_FAIL;
    }
    return 0;
}

/* Keeps the projected steps of micro-batch i, of all processes. */
static int keep_projected(struct step *s, size_t i, struct err *e)
{
    struct backend *b = s->model->backend;
    for (int r = 0; r < N_ROLES; r++)
        for (int h = 0; h < s->model->desc.n_heads; h++) {
            size_t floats = encoder_steps(s->encoder[r]) * s->model->desc.head_dim;
            float *to = s->z[r][h] + i * s->o.micro_batch * floats;
            const float *from = encoder_projected(s->encoder[r], h);
            int rc = s->share.n > 1
                         ? b->ops->all_gather(b, to, from, s->n * floats, e)
                         : b->ops->convert(b, to, DTYPE_F32, from, DTYPE_F32, s->n * floats);
            if (rc < 0)
                return ERR_FAIL;
        }
    return 0;
}

/* What the loss reads. */
static struct loss_input projected(const struct step *s)
{
    struct loss_input in = {0};
    for (int h = 0; h < s->model->desc.n_heads; h++) {
        in.z_short[h] =
            s->cached ? s->z[ROLE_SHORT][h] : encoder_projected(s->encoder[ROLE_SHORT], h);
        in.z_long[h] = s->cached ? s->z[ROLE_LONG][h] : encoder_projected(s->encoder[ROLE_LONG], h);
    }
    return in;
}

int step_post(struct step *s, const struct step_input *in, struct err *e)
{
    return loss_post(s->loss, in->rows[ROLE_SHORT], in->rows[ROLE_LONG], e);
}

int step_compute(struct step *s, const struct step_input *in, struct err *e)
{
    size_t n_micro = s->o.batch / s->o.micro_batch;
    enum norm_mode update = s->o.frozen_norm ? NORM_RUNNING : NORM_BATCH_UPDATE;
    enum norm_mode quiet = s->o.frozen_norm ? NORM_RUNNING : NORM_BATCH;
    struct loss_input li = projected(s);
    if (model_begin_grads(s->model, e) < 0)
        return ERR_FAIL;
    for (size_t i = 0; i < n_micro && n_micro > 1; i++)
        if (forward(s, in, i, quiet, e) < 0 || keep_projected(s, i, e) < 0)
            return ERR_FAIL;
    if (n_micro == 1 &&
        (forward(s, in, 0, update, e) < 0 || (s->cached && keep_projected(s, 0, e) < 0)))
        return ERR_FAIL;
    if (loss_run(s->loss, &li, e) < 0)
        return ERR_FAIL;
    for (size_t i = 0; i < n_micro; i++) {
        if (n_micro > 1 && forward(s, in, i, update, e) < 0)
            return ERR_FAIL;
        if (backward(s, in, i, e) < 0)
            return ERR_FAIL;
    }
    return model_end_grads(s->model, e);
}

/* Looks for the reason of a loss that is not finite: the first bad parameter, else the first bad
 * head. */
static int not_finite(const struct step *s, struct err *e)
{
    const struct model *m = s->model;
    struct loss_input in = projected(s);
    if (finite_params(m, e) < 0)
        return ERR_FAIL;
    for (int h = 0; h < m->desc.n_heads; h++)
        for (int r = 0; r < N_ROLES; r++) {
            size_t n = s->o.batch * encoder_steps(s->encoder[r]) * m->desc.head_dim;
            if (!finite_values(m, r == ROLE_SHORT ? in.z_short[h] : in.z_long[h], n))
                return err_set(e,
                               "the loss is not finite, nor is the output of head %s for %s clips",
                               m->desc.head[h], r == ROLE_SHORT ? "short" : "long");
        }
    return err_set(e, "the loss is not finite");
}

int step_result(struct step *s, double *total, struct err *e)
{
    if (loss_result(s->loss, total, e) < 0)
        return ERR_FAIL;
    return isfinite(*total) ? finite_grads(s->model, e) : not_finite(s, e);
}

int step_run(struct step *s, const struct step_input *in, double *total, struct err *e)
{
    if (step_post(s, in, e) < 0 || step_compute(s, in, e) < 0)
        return ERR_FAIL;
    return step_result(s, total, e);
}

const struct loss_part *step_parts(const struct step *s)
{
    return loss_parts(s->loss);
}

double step_flops(const struct step *s)
{
    double n_micro = (double)(s->o.batch / s->o.micro_batch), flops = 0.0;
    for (int r = 0; r < N_ROLES; r++)
        flops += n_micro * encoder_step_flops(s->encoder[r]);
    return flops;
}

size_t step_activation_bytes(const struct step *s)
{
    return encoder_activation_bytes(s->encoder[0]) + encoder_activation_bytes(s->encoder[1]);
}

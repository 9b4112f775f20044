/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/probe_linear.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/num.h"
#include "common/base/stop.h"
#include "common/eval/lbfgs.h"
#include "common/eval/probe_views.h"
#include "common/nn/schedule.h"
#include "kernels/elem.h"

enum { BLOCK_ROWS = 4096, CLASS_MULTIPLE = 16 };

/*
 * Weights are padded to a multiple of 16 classes, with which products are faster. The weights of
 * the padding stay zero, as do its logits and their gradients: the softmax does not see them.
 */
struct linear {
    struct backend *b;
    const struct backend_ops *ops;
    struct linear_shape shape;
    size_t padded;              /* classes and padding */
    float *w, *grad, *velocity; /* [padded, width] */
    void *w_cast;               /* w in the type of the products; w itself where that is float32 */
};

/* What a pass does besides the logits: nothing, write the gradient to m->grad, add it there. */
enum pass_kind { PASS_FORWARD, PASS_GRADIENT, PASS_ADD_GRADIENT };

/* Products over a fixed number of rows. */
struct pass {
    size_t rows;
    struct matmul *forward, *backward;
    float *logits;   /* [rows, padded]; then their gradient */
    void *grad_cast; /* the gradient in the type of the products; or logits */
};

static size_t n_weights(const struct linear *m)
{
    return m->shape.width * m->padded;
}

static int alloc_zero(struct linear *m, void **memory, size_t n, enum dtype dtype, struct err *e)
{
    size_t bytes;
    if (!size_mul(n, dtype_bytes(dtype), &bytes))
        return err_set(e, "too many classes");
    if (m->ops->alloc(m->b, bytes, memory, e) < 0)
        return ERR_FAIL;
    return m->ops->zero(m->b, *memory, bytes, e);
}

int linear_new(struct linear **out, const struct linear_shape *shape, struct backend *b,
               struct err *e)
{
    struct linear *m = mem_new(1, sizeof *m, e);
    size_t n;
    if (!m)
        return ERR_FAIL;
    *m = (struct linear){.b = b, .ops = b->ops, .shape = *shape};
    m->padded = (shape->n_classes + CLASS_MULTIPLE - 1) / CLASS_MULTIPLE * CLASS_MULTIPLE;
    int rc = size_mul(shape->width, m->padded, &n) ? 0 : err_set(e, "too many classes");
    float **vectors[] = {&m->w, &m->grad, &m->velocity};
    for (size_t i = 0; rc == 0 && i < 3; i++)
        rc = alloc_zero(m, (void **)vectors[i], n, DTYPE_F32, e);
    m->w_cast = m->w;
    if (rc == 0 && shape->dtype != DTYPE_F32)
        rc = alloc_zero(m, &m->w_cast, n, shape->dtype, e);
    if (rc < 0)
        linear_free(m);
    else
        *out = m;
    return rc;
}

void linear_free(struct linear *m)
{
    if (!m)
        return;
    if (m->w_cast != m->w)
        m->ops->release(m->b, m->w_cast);
    m->ops->release(m->b, m->w);
    m->ops->release(m->b, m->grad);
    m->ops->release(m->b, m->velocity);
    free(m);
}

/* To be called whenever w has changed. */
static int refresh_weights(struct linear *m)
{
    if (m->w_cast == m->w)
        return 0;
    return m->ops->convert(m->b, m->w_cast, m->shape.dtype, m->w, DTYPE_F32, n_weights(m));
}

static void pass_release(struct linear *m, struct pass *p)
{
    if (p->forward)
        m->ops->matmul_free(m->b, p->forward);
    if (p->backward)
        m->ops->matmul_free(m->b, p->backward);
    if (p->grad_cast != p->logits)
        m->ops->release(m->b, p->grad_cast);
    m->ops->release(m->b, p->logits);
    *p = (struct pass){0};
}

static int pass_init(struct linear *m, struct pass *p, size_t rows, enum pass_kind kind,
                     struct err *e)
{
    const struct linear_shape *s = &m->shape;
    struct matmul_desc forward = {
        .m = rows, .n = m->padded, .k = s->width, .b_transposed = true, .dtype = s->dtype};
    struct matmul_desc backward = {.m = m->padded,
                                   .n = s->width,
                                   .k = rows,
                                   .a_transposed = true,
                                   .accumulate = kind == PASS_ADD_GRADIENT,
                                   .dtype = s->dtype};
    size_t n;
    *p = (struct pass){.rows = rows};
    if (!size_mul(rows, m->padded, &n) || n > SIZE_MAX / sizeof(float))
        return err_set(e, "too many classes");
    int rc = backend_alloc(m->b, &p->logits, n * sizeof(float), e);
    p->grad_cast = p->logits;
    if (rc == 0 && kind != PASS_FORWARD && s->dtype != DTYPE_F32)
        rc = m->ops->alloc(m->b, n * dtype_bytes(s->dtype), &p->grad_cast, e);
    if (rc == 0)
        rc = m->ops->matmul_new(m->b, &forward, &p->forward, e);
    if (rc == 0 && kind != PASS_FORWARD)
        rc = m->ops->matmul_new(m->b, &backward, &p->backward, e);
    if (rc < 0)
        pass_release(m, p);
    return rc;
}

/* The examples' labels in the device's memory, and what the losses of batches go to. */
struct losses {
    int32_t *label; /* [n] */
    double *sums;   /* [n_batches, XENT_SUMS] */
    size_t n_batches;
};

static void losses_release(struct linear *m, struct losses *l)
{
    m->ops->release(m->b, l->label);
    m->ops->release(m->b, l->sums);
    *l = (struct losses){0};
}

static int losses_init(struct linear *m, struct losses *l, const struct linear_examples *x,
                       size_t n_batches, struct err *e)
{
    size_t bytes = x->n * sizeof *l->label;
    *l = (struct losses){.n_batches = n_batches};
    for (size_t i = 0; i < x->n; i++)
        if (x->label[i] < 0 || (size_t)x->label[i] >= m->shape.n_classes)
            return err_set(e, "a label is not a class number");
    if (backend_alloc(m->b, &l->label, bytes, e) < 0 ||
        backend_alloc(m->b, &l->sums, n_batches * XENT_SUMS * sizeof *l->sums, e) < 0)
        return ERR_FAIL;
    return m->ops->upload(m->b, l->label, x->label, bytes, e);
}

/* Waits for all of them: [n_batches, XENT_SUMS], for the caller to free. */
static double *losses_fetch(struct linear *m, const struct losses *l, struct err *e)
{
    double *sums = mem_new(l->n_batches * XENT_SUMS, sizeof *sums, e);
    if (sums &&
        m->ops->download(m->b, sums, l->sums, l->n_batches * XENT_SUMS * sizeof *sums, e) < 0) {
        free(sums);
        return NULL;
    }
    return sums;
}

/* One batch in the device's memory. */
struct batch {
    const void *x;        /* [rows, width] */
    const int32_t *label; /* [rows] */
    float scale;          /* of the gradient */
    double *sums;         /* [XENT_SUMS] */
};

/* Loss of a batch; its gradient times the scale goes to m->grad. */
static int pass_gradient(struct linear *m, struct pass *p, const struct batch *batch, struct err *e)
{
    struct softmax_xent_args loss = {.rows = p->rows,
                                     .classes = m->shape.n_classes,
                                     .stride = m->padded,
                                     .logits = p->logits,
                                     .target = batch->label,
                                     .scale = batch->scale,
                                     .d_logits = p->logits,
                                     .sums = batch->sums};
    if (m->ops->matmul_run(m->b, p->forward, batch->x, m->w_cast, p->logits, e) < 0)
        return ERR_FAIL;
    if (m->ops->softmax_xent(m->b, &loss) < 0)
        return err_set(e, "the loss of a batch failed");
    if (p->grad_cast != p->logits && m->ops->convert(m->b, p->grad_cast, m->shape.dtype, p->logits,
                                                     DTYPE_F32, p->rows * m->padded) < 0)
        return err_set(e, "a conversion failed");
    return m->ops->matmul_run(m->b, p->backward, p->grad_cast, batch->x, m->grad, e);
}

/* -- SGD -- */

struct sgd {
    struct linear *m;
    const struct linear_examples *examples;
    const struct sgd_options *options;
    struct pass pass;
    struct schedule schedule;
    struct optimizer *optimizer;
    struct losses losses; /* of an epoch */
    struct views views;   /* those of an epoch */
    uint32_t *order;      /* [n] */
    /* in the device's memory: */
    uint32_t *device_order; /* [views.n_drawn] */
    int32_t *batch_label;   /* [batch] */
    void *batch;            /* [batch, width] */
    float *lr;              /* [1] */
    uint64_t step;
};

static void sgd_release(struct sgd *s)
{
    struct linear *m = s->m;
    void *memory[] = {s->device_order, s->batch_label, s->batch, s->lr};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++)
        m->ops->release(m->b, memory[i]);
    m->ops->optimizer_free(m->b, s->optimizer);
    losses_release(m, &s->losses);
    pass_release(m, &s->pass);
    views_release(&s->views);
    free(s->order);
}

/* Only with weight decay are there spans to tell apart: channels and bias of each class. */
static int make_optimizer(struct sgd *s, struct err *e)
{
    const struct linear_shape *shape = &s->m->shape;
    float decay = (float)s->options->weight_decay;
    size_t n_spans = decay > 0 ? 2 * shape->n_classes : 1;
    struct param_span *spans = mem_new(n_spans, sizeof *spans, e);
    if (!spans)
        return ERR_FAIL;
    spans[0] = (struct param_span){.len = n_weights(s->m)};
    for (size_t k = 0; decay > 0 && k < shape->n_classes; k++) {
        spans[2 * k] = (struct param_span){
            .offset = k * shape->width, .len = shape->n_channels, .decay = true};
        spans[2 * k + 1] = (struct param_span){.offset = k * shape->width + shape->n_channels,
                                               .len = shape->width - shape->n_channels};
    }
    struct optimizer_desc desc = {.spans = spans,
                                  .n_spans = n_spans,
                                  .momentum = (float)s->options->momentum,
                                  .weight_decay = decay};
    int rc = s->m->ops->optimizer_new(s->m->b, &desc, &s->optimizer, e);
    free(spans);
    return rc;
}

static int sgd_init(struct sgd *s, struct err *e)
{
    const struct sgd_options *o = s->options;
    struct linear *m = s->m;
    const struct linear_examples *x = s->examples;
    if (!x->n || !o->batch || x->n > UINT32_MAX || o->warmup_epochs >= o->epochs)
        return err_set(e, "the warm-up must be shorter than the training");
    if (views_init(&s->views, x->group, x->n, o->views_per_epoch, e) < 0)
        return ERR_FAIL;
    size_t n = s->views.n_drawn, batch = n < o->batch ? n : o->batch;
    s->schedule = (struct schedule){.base = o->lr,
                                    .warmup_steps = o->warmup_epochs * (n / batch),
                                    .total_steps = o->epochs * (n / batch)};
    s->order = mem_new(x->n, sizeof *s->order, e);
    size_t row_bytes = m->shape.width * dtype_bytes(m->shape.dtype);
    if (!s->order || losses_init(m, &s->losses, x, n / batch, e) < 0 ||
        backend_alloc(m->b, &s->device_order, n * sizeof *s->order, e) < 0 ||
        backend_alloc(m->b, &s->batch_label, batch * sizeof *s->batch_label, e) < 0 ||
        m->ops->alloc(m->b, batch * row_bytes, &s->batch, e) < 0 ||
        backend_alloc(m->b, &s->lr, sizeof *s->lr, e) < 0 || make_optimizer(s, e) < 0)
        return ERR_FAIL;
    return pass_init(m, &s->pass, batch, PASS_GRADIENT, e);
}

/* Rows of the batch and their labels, side by side. */
static int gather(struct sgd *s, size_t i, struct err *e)
{
    struct linear *m = s->m;
    const uint32_t *row = s->device_order + i * s->pass.rows;
    struct gather_rows_args x = {.from = s->examples->x,
                                 .to = s->batch,
                                 .row_bytes = m->shape.width * dtype_bytes(m->shape.dtype),
                                 .n_rows = s->pass.rows,
                                 .row = row};
    struct gather_rows_args label = {.from = s->losses.label,
                                     .to = s->batch_label,
                                     .row_bytes = sizeof *s->batch_label,
                                     .n_rows = s->pass.rows,
                                     .row = row};
    if (m->ops->gather_rows(m->b, &x) < 0 || m->ops->gather_rows(m->b, &label) < 0)
        return err_set(e, "a batch could not be gathered");
    return 0;
}

/* Puts batch i of the epoch on the device. */
static int sgd_step(struct sgd *s, size_t i, struct err *e)
{
    struct linear *m = s->m;
    float lr = (float)schedule_lr(&s->schedule, s->step++);
    struct batch batch = {.x = s->batch,
                          .label = s->batch_label,
                          .scale = 1.0f / (float)s->pass.rows,
                          .sums = s->losses.sums + i * XENT_SUMS};
    struct optimizer_args update = {
        .params = m->w, .grads = m->grad, .velocity = m->velocity, .lr = s->lr};
    if (gather(s, i, e) < 0 || pass_gradient(m, &s->pass, &batch, e) < 0 ||
        m->ops->post(m->b, s->lr, &lr, sizeof lr, e) < 0)
        return ERR_FAIL;
    if (m->ops->optimizer_step(m->b, s->optimizer, &update) < 0 || refresh_weights(m) < 0)
        return err_set(e, "a step of the optimiser failed");
    return 0;
}

static int add_up(const struct sgd *s, const double *sums, uint64_t epoch, struct linear_fit *fit,
                  struct err *e)
{
    size_t n_batches = s->losses.n_batches;
    double loss = 0, correct = 0, n = (double)(n_batches * s->pass.rows);
    for (size_t i = 0; i < n_batches; i++, sums += XENT_SUMS) {
        if (!isfinite(sums[XENT_LOSS]))
            return err_set(
                e, "epoch %llu, batch %zu: the loss is not a finite number; try a lower --lr",
                (unsigned long long)epoch, i);
        loss += sums[XENT_LOSS];
        correct += sums[XENT_CORRECT];
    }
    fit->loss = loss / n;
    fit->accuracy = correct / n;
    fit->steps += n_batches;
    return 0;
}

static int sgd_epoch(struct sgd *s, uint64_t epoch, struct linear_fit *fit, struct err *e)
{
    struct linear *m = s->m;
    size_t bytes = s->views.n_drawn * sizeof *s->order;
    views_draw(&s->views, s->options->seed, epoch, s->order);
    if (m->ops->upload(m->b, s->device_order, s->order, bytes, e) < 0)
        return ERR_FAIL;
    for (size_t i = 0; i < s->losses.n_batches; i++) {
        if (stop_requested())
            return err_code(e, ERR_STOPPED, "stopped in epoch %llu", (unsigned long long)epoch);
        if (sgd_step(s, i, e) < 0)
            return ERR_FAIL;
    }
    double *sums = losses_fetch(m, &s->losses, e);
    int rc = sums ? add_up(s, sums, epoch, fit, e) : ERR_FAIL;
    free(sums);
    return rc;
}

static void log_progress(struct ui *ui, const char *unit, uint64_t number,
                         const struct linear_fit *fit)
{
    struct json *record = json_new_object();
    json_add(record, unit, json_new_i64((int64_t)number));
    json_add(record, "loss", json_new_f64(fit->loss));
    json_add(record, "accuracy", json_new_f64(fit->accuracy));
    ui_log(ui, record);
    ui_progress_text(ui, "loss %.4f", fit->loss);
    ui_progress_add(ui, 1);
}

int linear_fit_sgd(struct linear *m, const struct linear_examples *examples,
                   const struct sgd_options *options, struct linear_fit *fit, struct err *e)
{
    struct sgd s = {.m = m, .examples = examples, .options = options};
    *fit = (struct linear_fit){0};
    int rc = sgd_init(&s, e);
    ui_progress_start(options->ui, "training", options->epochs, "epochs");
    for (uint64_t epoch = 0; rc == 0 && epoch < options->epochs; epoch++) {
        rc = sgd_epoch(&s, epoch, fit, e);
        if (rc == 0)
            log_progress(options->ui, "epoch", epoch, fit);
    }
    ui_progress_end(options->ui);
    sgd_release(&s);
    return rc;
}

/* -- L-BFGS -- */

struct objective {
    struct linear *m;
    const struct linear_examples *examples;
    const struct lbfgs_options *options;
    struct pass block, rest; /* rest.rows may be 0 */
    struct losses losses;    /* of all blocks */
    struct linear_fit at;    /* of the last evaluation */
    struct linear_fit best;  /* of the last iteration, before it of the start */
    bool started;
};

/* Loss and gradient of block i, from row `first` on, added up. */
static int add_block(struct objective *o, struct pass *pass, size_t i, size_t first, struct err *e)
{
    const struct linear_examples *x = o->examples;
    size_t row_bytes = o->m->shape.width * dtype_bytes(o->m->shape.dtype);
    struct batch batch = {.x = (const char *)x->x + first * row_bytes,
                          .label = o->losses.label + first,
                          .scale = (float)(1.0 / (double)x->n),
                          .sums = o->losses.sums + i * XENT_SUMS};
    return pass_gradient(o->m, pass, &batch, e);
}

/* All of them. */
static int add_blocks(struct objective *o, struct err *e)
{
    size_t done = 0, i = 0;
    for (; o->block.rows && done + o->block.rows <= o->examples->n; done += o->block.rows, i++) {
        if (stop_requested())
            return err_code(e, ERR_STOPPED, "stopped in iteration %llu",
                            (unsigned long long)o->at.steps);
        if (add_block(o, &o->block, i, done, e) < 0)
            return ERR_FAIL;
    }
    if (o->rest.rows && add_block(o, &o->rest, i, done, e) < 0)
        return ERR_FAIL;
    double *sums = losses_fetch(o->m, &o->losses, e);
    int rc = sums ? 0 : ERR_FAIL;
    for (i = 0; sums && i < o->losses.n_batches; i++) {
        o->at.loss += sums[i * XENT_SUMS + XENT_LOSS];
        o->at.accuracy += sums[i * XENT_SUMS + XENT_CORRECT];
    }
    free(sums);
    return rc;
}

static int evaluate(void *user, const float *w, float *grad, double *value, struct err *e)
{
    struct objective *o = user;
    struct linear *m = o->m;
    size_t n = n_weights(m);
    o->at.loss = o->at.accuracy = 0;
    if (m->ops->upload(m->b, m->w, w, n * sizeof *w, e) < 0 || refresh_weights(m) < 0 ||
        m->ops->zero(m->b, m->grad, n * sizeof *grad, e) < 0)
        return ERR_FAIL;
    int rc = add_blocks(o, e);
    if (rc < 0)
        return rc;
    if (m->ops->download(m->b, grad, m->grad, n * sizeof *grad, e) < 0)
        return ERR_FAIL;
    double penalty = 0;
    for (size_t i = 0; i < n; i++)
        if (i % m->shape.width < m->shape.n_channels) {
            penalty += (double)w[i] * w[i];
            grad[i] += (float)(o->options->l2 * w[i]);
        }
    o->at.loss /= (double)o->examples->n;
    o->at.accuracy /= (double)o->examples->n;
    *value = o->at.loss + 0.5 * o->options->l2 * penalty;
    if (!o->started)
        o->best = o->at;
    o->started = true;
    return 0;
}

static void report_iteration(void *user, uint64_t iteration)
{
    struct objective *o = user;
    o->best = o->at;
    o->best.steps = iteration + 1;
    log_progress(o->options->ui, "iteration", iteration, &o->best);
}

int linear_fit_lbfgs(struct linear *m, const struct linear_examples *examples,
                     const struct lbfgs_options *options, struct linear_fit *fit, struct err *e)
{
    struct objective o = {.m = m, .examples = examples, .options = options};
    struct lbfgs_problem problem = {.n = n_weights(m),
                                    .evaluate = evaluate,
                                    .report = report_iteration,
                                    .user = &o,
                                    .max_iterations = options->max_iterations,
                                    .tolerance = options->tolerance};
    size_t rest = examples->n % BLOCK_ROWS;
    float *w = mem_new(problem.n, sizeof *w, e);
    int rc = w ? losses_init(m, &o.losses, examples, (examples->n + BLOCK_ROWS - 1) / BLOCK_ROWS, e)
               : ERR_FAIL;
    if (rc == 0 && examples->n >= BLOCK_ROWS)
        rc = pass_init(m, &o.block, BLOCK_ROWS, PASS_ADD_GRADIENT, e);
    if (rc == 0 && rest)
        rc = pass_init(m, &o.rest, rest, PASS_ADD_GRADIENT, e);
    ui_progress_start(options->ui, "training", options->max_iterations, "iterations");
    if (rc == 0)
        rc = lbfgs_minimize(&problem, w, e);
    ui_progress_end(options->ui);
    if (rc == 0)
        rc = m->ops->upload(m->b, m->w, w, problem.n * sizeof *w, e);
    if (rc == 0 && refresh_weights(m) < 0)
        rc = err_set(e, "a conversion failed");
    *fit = o.best;
    pass_release(m, &o.block);
    pass_release(m, &o.rest);
    losses_release(m, &o.losses);
    free(w);
    return rc;
}

/* -- prediction -- */

void linear_add_softmax(const float *logits, size_t n, double *scores)
{
    float max = logits[0];
    double sum = 0;
    for (size_t k = 1; k < n; k++)
        max = logits[k] > max ? logits[k] : max;
    for (size_t k = 0; k < n; k++)
        sum += elem_exp(logits[k] - max);
    for (size_t k = 0; k < n; k++)
        scores[k] += elem_exp(logits[k] - max) / sum;
}

int linear_predict(struct linear *m, const struct linear_examples *examples, const uint32_t *group,
                   double *scores, struct err *e)
{
    size_t n = m->padded, n_classes = m->shape.n_classes,
           row_bytes = m->shape.width * dtype_bytes(m->shape.dtype);
    struct pass pass = {0};
    float *logits = mem_new(BLOCK_ROWS * n, sizeof *logits, e);
    int rc = logits ? 0 : ERR_FAIL;
    for (size_t i = 0; rc == 0 && i < examples->n; i += BLOCK_ROWS) {
        size_t rows = examples->n - i < BLOCK_ROWS ? examples->n - i : BLOCK_ROWS;
        const char *x = (const char *)examples->x + i * row_bytes;
        if (rows != pass.rows) {
            pass_release(m, &pass);
            rc = pass_init(m, &pass, rows, PASS_FORWARD, e);
        }
        if (rc == 0)
            rc = m->ops->matmul_run(m->b, pass.forward, x, m->w_cast, pass.logits, e);
        if (rc == 0)
            rc = m->ops->download(m->b, logits, pass.logits, rows * n * sizeof *logits, e);
        for (size_t j = 0; rc == 0 && j < rows; j++)
            linear_add_softmax(logits + j * n, n_classes, scores + group[i + j] * n_classes);
    }
    pass_release(m, &pass);
    free(logits);
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/probe_linear.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/num.h"
#include "common/base/rng.h"
#include "common/base/stop.h"
#include "common/eval/lbfgs.h"
#include "common/nn/schedule.h"
#include "kernels/elem.h"

enum { BLOCK_ROWS = 4096, CLASS_MULTIPLE = 16, RNG_STREAM_PROBE_ORDER = 0x70726f62 };

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
    struct param_span *spans;   /* for weight decay: channels and bias of each class */
    size_t n_spans;
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

/* Only with weight decay are there spans to tell apart. */
static int make_spans(struct linear *m, bool decay, struct err *e)
{
    const struct linear_shape *s = &m->shape;
    m->n_spans = decay ? 2 * s->n_classes : 1;
    m->spans = mem_grow(m->spans, m->n_spans, sizeof *m->spans, e);
    if (!m->spans)
        return ERR_FAIL;
    m->spans[0] = (struct param_span){.len = n_weights(m)};
    for (size_t k = 0; decay && k < s->n_classes; k++) {
        m->spans[2 * k] =
            (struct param_span){.offset = k * s->width, .len = s->n_channels, .decay = true};
        m->spans[2 * k + 1] = (struct param_span){.offset = k * s->width + s->n_channels,
                                                  .len = s->width - s->n_channels};
    }
    return 0;
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
    free(m->spans);
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
    int rc = m->ops->alloc(m->b, n * sizeof(float), (void **)&p->logits, e);
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

/* Loss of x [rows, width]; its gradient times `scale` goes to m->grad. */
static int pass_gradient(struct linear *m, struct pass *p, const void *x,
                         struct softmax_xent_args *loss, struct err *e)
{
    if (m->ops->matmul_run(m->b, p->forward, x, m->w_cast, p->logits, e) < 0)
        return ERR_FAIL;
    loss->rows = p->rows;
    loss->classes = m->shape.n_classes;
    loss->stride = m->padded;
    loss->logits = loss->d_logits = p->logits;
    if (m->ops->softmax_xent(m->b, loss) < 0)
        return err_set(e, "a label is not a class number");
    if (p->grad_cast != p->logits && m->ops->convert(m->b, p->grad_cast, m->shape.dtype, p->logits,
                                                     DTYPE_F32, p->rows * m->padded) < 0)
        return err_set(e, "a conversion failed");
    return m->ops->matmul_run(m->b, p->backward, p->grad_cast, x, m->grad, e);
}

/* -- SGD -- */

struct sgd {
    struct linear *m;
    const struct linear_examples *examples;
    const struct sgd_options *options;
    struct pass pass;
    struct schedule schedule;
    uint32_t *order;      /* [n] */
    int32_t *batch_label; /* [batch] */
    void *batch;          /* [batch, width] */
    uint64_t step;
};

static void sgd_release(struct sgd *s)
{
    free(s->order);
    free(s->batch_label);
    s->m->ops->release(s->m->b, s->batch);
    pass_release(s->m, &s->pass);
}

static int sgd_init(struct sgd *s, struct err *e)
{
    const struct sgd_options *o = s->options;
    size_t n = s->examples->n, batch = n < o->batch ? n : o->batch;
    if (!batch || n > UINT32_MAX || o->warmup_epochs >= o->epochs)
        return err_set(e, "the warm-up must be shorter than the training");
    s->schedule = (struct schedule){.base = o->lr,
                                    .warmup_steps = o->warmup_epochs * (n / batch),
                                    .total_steps = o->epochs * (n / batch)};
    s->order = mem_new(n, sizeof *s->order, e);
    s->batch_label = mem_new(batch, sizeof *s->batch_label, e);
    size_t row_bytes = s->m->shape.width * dtype_bytes(s->m->shape.dtype);
    if (make_spans(s->m, o->weight_decay > 0, e) < 0)
        return ERR_FAIL;
    if (!s->order || !s->batch_label ||
        s->m->ops->alloc(s->m->b, batch * row_bytes, &s->batch, e) < 0)
        return ERR_FAIL;
    return pass_init(s->m, &s->pass, batch, PASS_GRADIENT, e);
}

static int sgd_step(struct sgd *s, const uint32_t *rows, struct softmax_xent_args *loss,
                    struct err *e)
{
    struct linear *m = s->m;
    const struct linear_shape *shape = &m->shape;
    struct gather_rows_args gather = {.from = s->examples->x,
                                      .to = s->batch,
                                      .row_bytes = shape->width * dtype_bytes(shape->dtype),
                                      .n_rows = s->pass.rows,
                                      .row = rows};
    if (m->ops->gather_rows(m->b, &gather) < 0)
        return err_set(e, "a batch could not be gathered");
    for (size_t i = 0; i < s->pass.rows; i++)
        s->batch_label[i] = s->examples->label[rows[i]];
    *loss =
        (struct softmax_xent_args){.target = s->batch_label, .scale = 1.0f / (float)s->pass.rows};
    if (pass_gradient(m, &s->pass, s->batch, loss, e) < 0)
        return ERR_FAIL;
    struct optimizer_args step = {.params = m->w,
                                  .grads = m->grad,
                                  .velocity = m->velocity,
                                  .spans = m->spans,
                                  .n_spans = m->n_spans,
                                  .lr = (float)schedule_lr(&s->schedule, s->step++),
                                  .momentum = (float)s->options->momentum,
                                  .weight_decay = (float)s->options->weight_decay};
    if (m->ops->optimizer_step(m->b, &step) < 0 || refresh_weights(m) < 0)
        return err_set(e, "a step of the optimiser failed");
    return 0;
}

static int sgd_epoch(struct sgd *s, uint64_t epoch, struct linear_fit *fit, struct err *e)
{
    size_t n = s->examples->n, batch = s->pass.rows, n_batches = n / batch, n_correct = 0;
    double loss_sum = 0;
    struct rng rng;
    for (size_t i = 0; i < n; i++)
        s->order[i] = (uint32_t)i;
    rng_init(&rng, s->options->seed, RNG_STREAM_PROBE_ORDER, epoch);
    rng_shuffle_u32(&rng, s->order, n);
    for (size_t i = 0; i < n_batches; i++) {
        struct softmax_xent_args loss;
        if (stop_requested())
            return err_code(e, ERR_STOPPED, "stopped in epoch %llu", (unsigned long long)epoch);
        if (sgd_step(s, s->order + i * batch, &loss, e) < 0)
            return ERR_FAIL;
        if (!isfinite(loss.loss))
            return err_set(
                e, "epoch %llu, batch %zu: the loss is not a finite number; try a lower --lr",
                (unsigned long long)epoch, i);
        loss_sum += loss.loss;
        n_correct += loss.n_correct;
    }
    fit->loss = loss_sum / (double)(n_batches * batch);
    fit->accuracy = (double)n_correct / (double)(n_batches * batch);
    fit->steps += n_batches;
    return 0;
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
    struct linear_fit at;    /* of the last evaluation */
    struct linear_fit best;  /* of the last iteration, before it of the start */
    bool started;
};

/* Loss and gradient of rows first .. first + pass->rows, added up. */
static int add_block(struct objective *o, struct pass *pass, size_t first, struct err *e)
{
    const struct linear_examples *x = o->examples;
    struct softmax_xent_args loss = {.target = x->label + first,
                                     .scale = (float)(1.0 / (double)x->n)};
    const char *rows =
        (const char *)x->x + first * o->m->shape.width * dtype_bytes(o->m->shape.dtype);
    if (pass_gradient(o->m, pass, rows, &loss, e) < 0)
        return ERR_FAIL;
    o->at.loss += loss.loss;
    o->at.accuracy += (double)loss.n_correct;
    return 0;
}

static int evaluate(void *user, const float *w, float *grad, double *value, struct err *e)
{
    struct objective *o = user;
    struct linear *m = o->m;
    size_t n = n_weights(m), done = 0;
    o->at.loss = o->at.accuracy = 0;
    if (m->ops->upload(m->b, m->w, w, n * sizeof *w, e) < 0 || refresh_weights(m) < 0 ||
        m->ops->zero(m->b, m->grad, n * sizeof *grad, e) < 0)
        return ERR_FAIL;
    for (; o->block.rows && done + o->block.rows <= o->examples->n; done += o->block.rows) {
        if (stop_requested())
            return err_code(e, ERR_STOPPED, "stopped in iteration %llu",
                            (unsigned long long)o->at.steps);
        if (add_block(o, &o->block, done, e) < 0)
            return ERR_FAIL;
    }
    if (o->rest.rows && add_block(o, &o->rest, done, e) < 0)
        return ERR_FAIL;
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
    int rc = w ? 0 : ERR_FAIL;
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

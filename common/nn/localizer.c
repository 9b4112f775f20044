/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/localizer.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/nn/positions.h"

/* A head of a layer; all [Q, DECODER_DIM] but p [Q, S]. */
struct decoder_head {
    struct linear_layer unit[HEAD_UNITS];
    float *p, *attended, *mean, *inv_std, *normed, *active;
};

struct localizer {
    struct model *model;
    struct localizer_options o;
    size_t queries, rows, plane, positions; /* Q = n boxes; n S; H' W'; S = T' H' W' */
    size_t channels, width;                 /* C; C + 2 POSITION_DIM */
    uint32_t *item;                         /* [Q]: the clip of a place; device memory */
    struct positions time, space;
    struct decoder_head head[DECODER_LAYERS][DECODER_HEADS];
    struct linear_layer classifier;
    struct classifier_dropout dropout;
    float *memory, *d_memory, *d_part; /* [n S, width] */
    float *d_time, *d_space;           /* [T', POSITION_DIM], [H' W', POSITION_DIM] */
    float *pooled, *d_pooled;          /* [n, H' W', width]: the memory's mean over time */
    uint8_t *arg;                      /* [Q, width] */
    float *x[DECODER_LAYERS + 1],
        *dx[DECODER_LAYERS + 1]; /* inputs of the layers; the last's output */
    float *d_head[3];            /* [Q, DECODER_DIM] each */
    float *d_query;              /* [Q, width] */
    float *dk, *dv;              /* [n S, DECODER_DIM] */
    /* Where the map is no float32: as float32 [n S, C]; the memory, one of the gradients of keys
     * and values, and the part of the memory's that comes of it, in its type; those as float32. */
    float *float_map;
    void *low_memory, *low_dk, *low_part;
    float *k, *v;
    void *taken[128]; /* all device memory, for the release */
    size_t n_taken;
};

/* -- making -- */

static int take(struct localizer *l, void *pointer, size_t n, size_t size, struct err *e)
{
    if (backend_alloc(l->model->backend, &l->taken[l->n_taken], n * size, e) < 0)
        return ERR_FAIL;
    *(void **)pointer = l->taken[l->n_taken++];
    return 0;
}

static int take_floats(struct localizer *l, float **pointer, size_t n, struct err *e)
{
    return take(l, pointer, n, sizeof(float), e);
}

static int head_unit(int layer, int head)
{
    return POSITION_UNITS + (layer * DECODER_HEADS + head) * HEAD_UNITS;
}

static int new_head(struct localizer *l, int layer, int head, struct err *e)
{
    struct decoder_head *h = &l->head[layer][head];
    size_t q = l->queries, d = DECODER_DIM;
    for (int k = 0; k < HEAD_UNITS; k++) {
        bool everywhere = k == HEAD_KEY || k == HEAD_VALUE;
        struct linear_layer_at at = {&l->model->decoder, head_unit(layer, head) + k,
                                     everywhere ? l->rows : q, l->o.keep,
                                     everywhere ? l->o.dtype : DTYPE_F32};
        if (linear_layer_new(&h->unit[k], l->model, &at, e) < 0)
            return ERR_FAIL;
    }
    if (take_floats(l, &h->p, q * l->positions, e) < 0 ||
        take_floats(l, &h->attended, q * d, e) < 0 || take_floats(l, &h->mean, q, e) < 0 ||
        take_floats(l, &h->inv_std, q, e) < 0 || take_floats(l, &h->normed, q * d, e) < 0)
        return ERR_FAIL;
    return take_floats(l, &h->active, q * d, e);
}

static int new_decoder(struct localizer *l, struct err *e)
{
    size_t out = DECODER_HEADS * DECODER_DIM;
    for (int layer = 0; layer <= DECODER_LAYERS; layer++) {
        size_t n = l->queries * (layer ? out : l->width);
        if (take_floats(l, &l->x[layer], n, e) < 0 ||
            (l->o.keep && take_floats(l, &l->dx[layer], n, e) < 0))
            return ERR_FAIL;
        for (int head = 0; head < DECODER_HEADS && layer < DECODER_LAYERS; head++)
            if (new_head(l, layer, head, e) < 0)
                return ERR_FAIL;
    }
    struct linear_layer_at at = {&l->model->classifier, 0, l->queries, l->o.keep, DTYPE_F32};
    return linear_layer_new(&l->classifier, l->model, &at, e);
}

static bool is_low(const struct localizer *l)
{
    return l->o.dtype != DTYPE_F32;
}

static int new_low_memory(struct localizer *l, struct err *e)
{
    size_t elem = dtype_bytes(l->o.dtype);
    if (take_floats(l, &l->float_map, l->rows * l->channels, e) < 0 ||
        take(l, &l->low_memory, l->rows * l->width, elem, e) < 0 ||
        take_floats(l, &l->k, l->rows * DECODER_DIM, e) < 0 ||
        take_floats(l, &l->v, l->rows * DECODER_DIM, e) < 0)
        return ERR_FAIL;
    if (!l->o.keep)
        return 0;
    return take(l, &l->low_dk, l->rows * DECODER_DIM, elem, e) < 0
               ? ERR_FAIL
               : take(l, &l->low_part, l->rows * l->width, elem, e);
}

static int new_memory(struct localizer *l, struct err *e)
{
    size_t map = l->o.n * l->plane * l->width;
    if (positions_init(&l->time, l->model, 1, &l->o.map[0], l->o.keep, e) < 0 ||
        positions_init(&l->space, l->model, 2, &l->o.map[1], l->o.keep, e) < 0 ||
        take_floats(l, &l->memory, l->rows * l->width, e) < 0 ||
        take_floats(l, &l->pooled, map, e) < 0 || take(l, &l->arg, l->queries * l->width, 1, e) < 0)
        return ERR_FAIL;
    if (is_low(l) && new_low_memory(l, e) < 0)
        return ERR_FAIL;
    if (!l->o.keep)
        return 0;
    for (int k = 0; k < 3; k++)
        if (take_floats(l, &l->d_head[k], l->queries * DECODER_DIM, e) < 0)
            return ERR_FAIL;
    if (take_floats(l, &l->d_time, l->o.map[0] * POSITION_DIM, e) < 0 ||
        take_floats(l, &l->d_space, l->plane * POSITION_DIM, e) < 0 ||
        take_floats(l, &l->d_memory, l->rows * l->width, e) < 0 ||
        take_floats(l, &l->d_part, l->rows * l->width, e) < 0 ||
        take_floats(l, &l->d_pooled, map, e) < 0 ||
        take_floats(l, &l->d_query, l->queries * l->width, e) < 0 ||
        take_floats(l, &l->dk, l->rows * DECODER_DIM, e) < 0)
        return ERR_FAIL;
    return take_floats(l, &l->dv, l->rows * DECODER_DIM, e);
}

/* Places of one clip stand side by side. */
static int new_items(struct localizer *l, struct err *e)
{
    struct backend *b = l->model->backend;
    uint32_t *item = mem_new(l->queries, sizeof *item, e);
    for (size_t i = 0; item && i < l->queries; i++)
        item[i] = (uint32_t)(i / l->o.boxes);
    int rc = item ? take(l, &l->item, l->queries, sizeof *item, e) : ERR_FAIL;
    if (rc == 0)
        rc = b->ops->upload(b, l->item, item, l->queries * sizeof *item, e);
    free(item);
    return rc;
}

int localizer_new(struct localizer **out, struct model *m, const struct localizer_options *o,
                  struct err *e)
{
    struct localizer *l = mem_new(1, sizeof *l, e);
    if (!l)
        return ERR_FAIL;
    l->model = m;
    l->o = *o;
    l->queries = o->n * o->boxes;
    l->plane = o->map[1] * o->map[2];
    l->positions = o->map[0] * l->plane;
    l->rows = o->n * l->positions;
    l->channels = m->backbone.desc.c_out;
    l->width = l->channels + 2 * POSITION_DIM;
    if (new_items(l, e) < 0 || new_memory(l, e) < 0 || new_decoder(l, e) < 0) {
        localizer_free(l);
        return ERR_FAIL;
    }
    *out = l;
    return 0;
}

void localizer_free(struct localizer *l)
{
    if (!l)
        return;
    struct backend *b = l->model->backend;
    for (int layer = 0; layer < DECODER_LAYERS; layer++)
        for (int head = 0; head < DECODER_HEADS; head++)
            for (int k = 0; k < HEAD_UNITS; k++)
                linear_layer_release(&l->head[layer][head].unit[k]);
    linear_layer_release(&l->classifier);
    positions_release(&l->time);
    positions_release(&l->space);
    for (size_t i = 0; i < l->n_taken; i++)
        b->ops->release(b, l->taken[i]);
    free(l);
}

int localizer_set_weights(struct localizer *l, struct err *e)
{
    for (int layer = 0; layer < DECODER_LAYERS; layer++)
        for (int head = 0; head < DECODER_HEADS; head++)
            for (int k = 0; k < HEAD_UNITS; k++)
                if (linear_layer_set_weights(&l->head[layer][head].unit[k], e) < 0)
                    return ERR_FAIL;
    if (positions_set_weights(&l->time, e) < 0 || positions_set_weights(&l->space, e) < 0)
        return ERR_FAIL;
    return linear_layer_set_weights(&l->classifier, e);
}

/* -- forward -- */

/* Positions in time and in space beside the features of the memory, or of its gradient. */
static struct tile_rows_args in_time(const struct localizer *l, float *time, float *memory)
{
    return (struct tile_rows_args){.rows = l->rows,
                                   .columns = POSITION_DIM,
                                   .repeat = l->plane,
                                   .period = l->o.map[0],
                                   .few = time,
                                   .many = memory + l->channels,
                                   .stride = l->width};
}

static struct tile_rows_args in_space(const struct localizer *l, float *space, float *memory)
{
    return (struct tile_rows_args){.rows = l->rows,
                                   .columns = POSITION_DIM,
                                   .repeat = 1,
                                   .period = l->plane,
                                   .few = space,
                                   .many = memory + l->channels + POSITION_DIM,
                                   .stride = l->width};
}

/* Features with positions beside them. */
static int fill_memory(struct localizer *l, const void *map, struct err *e)
{
    struct backend *b = l->model->backend;
    const float *features = map;
    if (is_low(l)) {
        b->ops->convert(b, l->float_map, DTYPE_F32, map, l->o.dtype, l->rows * l->channels);
        features = l->float_map;
    }
    struct copy_columns_args all = {l->rows,   l->channels, features,
                                    l->memory, l->channels, l->width};
    float *time = positions_forward(&l->time, e), *space = positions_forward(&l->space, e);
    if (!time || !space || b->ops->copy_columns(b, &all) < 0)
        return ERR_FAIL;
    struct tile_rows_args t = in_time(l, time, l->memory), s = in_space(l, space, l->memory);
    if (b->ops->tile_rows(b, &t) < 0 || b->ops->tile_rows(b, &s) < 0)
        return ERR_FAIL;
    return is_low(l) ? b->ops->convert(b, l->low_memory, l->o.dtype, l->memory, DTYPE_F32,
                                       l->rows * l->width)
                     : 0;
}

/* What keys and values are products of. */
static const void *key_input(const struct localizer *l)
{
    return is_low(l) ? l->low_memory : l->memory;
}

static struct roi_max_args roi_of(const struct localizer *l, const float *box)
{
    return (struct roi_max_args){.n_boxes = l->queries,
                                 .n_items = l->o.n,
                                 .height = l->o.map[1],
                                 .width = l->o.map[2],
                                 .channels = l->width,
                                 .map = l->pooled,
                                 .item = l->item,
                                 .box = box,
                                 .y = l->x[0],
                                 .arg = l->arg,
                                 .d_map = l->d_pooled};
}

/* Clips, moments, all numbers of a moment: the mean over time runs over the second. */
static void time_shape(const struct localizer *l, size_t shape[3])
{
    shape[0] = l->o.n;
    shape[1] = l->o.map[0];
    shape[2] = l->plane * l->width;
}

static struct attention_args attention_of(const struct localizer *l, const struct decoder_head *h)
{
    return (struct attention_args){.n_queries = l->queries,
                                   .n_items = l->o.n,
                                   .positions = l->positions,
                                   .dim = DECODER_DIM,
                                   .item = l->item,
                                   .scale = 1.0f / sqrtf((float)DECODER_DIM),
                                   .q = linear_layer_output(&h->unit[HEAD_QUERY]),
                                   .k = is_low(l) ? l->k : linear_layer_output(&h->unit[HEAD_KEY]),
                                   .v =
                                       is_low(l) ? l->v : linear_layer_output(&h->unit[HEAD_VALUE]),
                                   .p = h->p,
                                   .y = h->attended};
}

/* A head's keys and values, for its attention and the way back through it. */
static int float_keys(struct localizer *l, const struct decoder_head *h)
{
    struct backend *b = l->model->backend;
    size_t n = l->rows * DECODER_DIM;
    if (!is_low(l))
        return 0;
    int rc =
        b->ops->convert(b, l->k, DTYPE_F32, linear_layer_output(&h->unit[HEAD_KEY]), l->o.dtype, n);
    return rc < 0 ? rc
                  : b->ops->convert(b, l->v, DTYPE_F32, linear_layer_output(&h->unit[HEAD_VALUE]),
                                    l->o.dtype, n);
}

static struct layer_norm_args norm_of(const struct localizer *l, int layer, int head)
{
    const struct decoder_head *h = &l->head[layer][head];
    const struct unit_offsets *at = &l->model->decoder.at[head_unit(layer, head) + HEAD_QUERY];
    return (struct layer_norm_args){.rows = l->queries,
                                    .columns = DECODER_DIM,
                                    .x = h->attended,
                                    .gamma = l->model->params + at->gamma,
                                    .beta = l->model->params + at->beta,
                                    .eps = ARCH_LAYER_NORM_EPS,
                                    .y = h->normed,
                                    .mean = h->mean,
                                    .inv_std = h->inv_std};
}

static int head_forward(struct localizer *l, int layer, int head, struct err *e)
{
    struct backend *b = l->model->backend;
    struct decoder_head *h = &l->head[layer][head];
    size_t n = l->queries * DECODER_DIM;
    if (!linear_layer_forward(&h->unit[HEAD_QUERY], l->x[layer], e) ||
        !linear_layer_forward(&h->unit[HEAD_KEY], key_input(l), e) ||
        !linear_layer_forward(&h->unit[HEAD_VALUE], key_input(l), e))
        return ERR_FAIL;
    struct attention_args a = attention_of(l, h);
    struct layer_norm_args norm = norm_of(l, layer, head);
    if (float_keys(l, h) < 0 || b->ops->attention(b, &a) < 0 ||
        b->ops->accumulate(b, h->attended, a.q, DTYPE_F32, n, true) < 0 ||
        b->ops->layer_norm(b, &norm) < 0)
        return err_set(e, "decoder: not enough memory");
    const float *hidden = linear_layer_forward(&h->unit[HEAD_FFN0], h->normed, e);
    if (!hidden || b->ops->gelu(b, hidden, h->active, n) < 0)
        return ERR_FAIL;
    const float *out = linear_layer_forward(&h->unit[HEAD_FFN1], h->active, e);
    struct copy_columns_args beside = {l->queries,  DECODER_DIM,
                                       out,         l->x[layer + 1] + head * DECODER_DIM,
                                       DECODER_DIM, DECODER_HEADS * DECODER_DIM};
    return out ? b->ops->copy_columns(b, &beside) : ERR_FAIL;
}

int localizer_forward(struct localizer *l, const void *map, const float *box,
                      const struct classifier_dropout *dropout, struct err *e)
{
    struct backend *b = l->model->backend;
    size_t shape[3];
    time_shape(l, shape);
    l->dropout = dropout ? *dropout : (struct classifier_dropout){0};
    if (fill_memory(l, map, e) < 0)
        return ERR_FAIL;
    struct roi_max_args roi = roi_of(l, box);
    if (b->ops->mean_inner(b, l->memory, DTYPE_F32, shape, l->pooled) < 0 ||
        b->ops->roi_max(b, &roi) < 0)
        return err_set(e, "decoder: not enough memory");
    for (int layer = 0; layer < DECODER_LAYERS; layer++)
        for (int head = 0; head < DECODER_HEADS; head++)
            if (head_forward(l, layer, head, e) < 0)
                return ERR_FAIL;
    float *last = l->x[DECODER_LAYERS];
    if (classifier_drop(l->model, &l->dropout, last, l->queries, DECODER_HEADS * DECODER_DIM) < 0)
        return err_set(e, "decoder: not enough memory");
    return linear_layer_forward(&l->classifier, last, e) ? 0 : ERR_FAIL;
}

float *localizer_logits(const struct localizer *l)
{
    return linear_layer_output(&l->classifier);
}

/* -- backward -- */

/* From the gradient of a head's output in d_head[0] to that of its query's layer in d_head[0]. */
static int head_grad(struct localizer *l, int layer, int head, struct err *e)
{
    struct backend *b = l->model->backend;
    struct decoder_head *h = &l->head[layer][head];
    const struct unit_offsets *at = &l->model->decoder.at[head_unit(layer, head) + HEAD_QUERY];
    size_t n = l->queries * DECODER_DIM;
    float *d = l->d_head[0], *other = l->d_head[1], *dq = l->d_head[2];
    const float *hidden = linear_layer_output(&h->unit[HEAD_FFN0]);
    if (linear_layer_backward(&h->unit[HEAD_FFN1], h->active, d, other, e) < 0 ||
        b->ops->gelu_grad(b, hidden, other, other, n) < 0 ||
        linear_layer_backward(&h->unit[HEAD_FFN0], h->normed, other, d, e) < 0)
        return ERR_FAIL;
    struct layer_norm_grad_args norm = {.rows = l->queries,
                                        .columns = DECODER_DIM,
                                        .x = h->attended,
                                        .gamma = l->model->params + at->gamma,
                                        .mean = h->mean,
                                        .inv_std = h->inv_std,
                                        .dy = d,
                                        .d_gamma = l->model->grads + at->gamma,
                                        .d_beta = l->model->grads + at->beta,
                                        .dx = d};
    struct attention_grad_args a = {attention_of(l, h), d, dq, l->dk, l->dv};
    if (b->ops->layer_norm_grad(b, &norm) < 0 || float_keys(l, h) < 0 ||
        b->ops->attention_grad(b, &a) < 0)
        return err_set(e, "decoder: not enough memory");
    return b->ops->accumulate(b, d, dq, DTYPE_F32, n, true);
}

/* Adds what the gradient of a head's keys, or values, gives that of the memory. */
static int key_backward(struct localizer *l, struct linear_layer *unit, const float *d,
                        struct err *e)
{
    struct backend *b = l->model->backend;
    const void *dy = is_low(l) ? l->low_dk : d;
    void *part = is_low(l) ? l->low_part : l->d_part;
    if (is_low(l) &&
        b->ops->convert(b, l->low_dk, l->o.dtype, d, DTYPE_F32, l->rows * DECODER_DIM) < 0)
        return ERR_FAIL;
    if (linear_layer_backward(unit, key_input(l), dy, part, e) < 0)
        return ERR_FAIL;
    return b->ops->accumulate(b, l->d_memory, part, l->o.dtype, l->rows * l->width, true);
}

/* Adds a head's share to the gradients of the layer's input and of the memory. */
static int head_backward(struct localizer *l, int layer, int head, struct err *e)
{
    struct backend *b = l->model->backend;
    struct decoder_head *h = &l->head[layer][head];
    size_t in = layer ? DECODER_HEADS * DECODER_DIM : l->width;
    struct copy_columns_args mine = {l->queries,
                                     DECODER_DIM,
                                     l->dx[layer + 1] + head * DECODER_DIM,
                                     l->d_head[0],
                                     DECODER_HEADS * DECODER_DIM,
                                     DECODER_DIM};
    if (b->ops->copy_columns(b, &mine) < 0 || head_grad(l, layer, head, e) < 0 ||
        linear_layer_backward(&h->unit[HEAD_QUERY], l->x[layer], l->d_head[0], l->d_query, e) < 0 ||
        b->ops->accumulate(b, l->dx[layer], l->d_query, DTYPE_F32, l->queries * in, head > 0) < 0)
        return ERR_FAIL;
    return key_backward(l, &h->unit[HEAD_KEY], l->dk, e) < 0
               ? ERR_FAIL
               : key_backward(l, &h->unit[HEAD_VALUE], l->dv, e);
}

/* The gradients of the positions are sums over all clips and over what shares a position. */
static int positions_grad(struct localizer *l, struct err *e)
{
    struct backend *b = l->model->backend;
    struct tile_rows_args t = in_time(l, l->d_time, l->d_memory);
    struct tile_rows_args s = in_space(l, l->d_space, l->d_memory);
    if (b->ops->tile_rows_grad(b, &t) < 0 || b->ops->tile_rows_grad(b, &s) < 0)
        return ERR_FAIL;
    return positions_backward(&l->time, l->d_time, e) < 0
               ? ERR_FAIL
               : positions_backward(&l->space, l->d_space, e);
}

/* From the gradient of the queries through the pooling into that of the memory. */
static int pooling_grad(struct localizer *l, const float *box, struct err *e)
{
    struct backend *b = l->model->backend;
    struct roi_max_args roi = roi_of(l, box);
    size_t shape[3];
    time_shape(l, shape);
    roi.y = l->dx[0];
    if (b->ops->roi_max_grad(b, &roi) < 0 ||
        b->ops->mean_inner_grad(b, l->d_pooled, l->d_part, DTYPE_F32, shape) < 0)
        return err_set(e, "decoder: not enough memory");
    return b->ops->accumulate(b, l->d_memory, l->d_part, DTYPE_F32, l->rows * l->width, true);
}

/* The features' columns of the memory's gradient, in the map's type. */
static int map_grad(struct localizer *l, void *d_map)
{
    struct backend *b = l->model->backend;
    float *to = is_low(l) ? l->float_map : d_map;
    struct copy_columns_args all = {l->rows, l->channels, l->d_memory, to, l->width, l->channels};
    if (b->ops->copy_columns(b, &all) < 0)
        return ERR_FAIL;
    return is_low(l) ? b->ops->convert(b, d_map, l->o.dtype, to, DTYPE_F32, l->rows * l->channels)
                     : 0;
}

int localizer_backward(struct localizer *l, const float *box, const float *d_logits, void *d_map,
                       struct err *e)
{
    struct backend *b = l->model->backend;
    float *d_last = l->dx[DECODER_LAYERS];
    size_t bytes = l->rows * l->width * sizeof(float), out = DECODER_HEADS * DECODER_DIM;
    if (linear_layer_backward(&l->classifier, l->x[DECODER_LAYERS], d_logits, d_last, e) < 0 ||
        classifier_drop(l->model, &l->dropout, d_last, l->queries, out) < 0 ||
        b->ops->zero(b, l->d_memory, bytes, e) < 0)
        return ERR_FAIL;
    for (int layer = DECODER_LAYERS - 1; layer >= 0; layer--)
        for (int head = 0; head < DECODER_HEADS; head++)
            if (head_backward(l, layer, head, e) < 0)
                return ERR_FAIL;
    if (pooling_grad(l, box, e) < 0 || positions_grad(l, e) < 0)
        return ERR_FAIL;
    return map_grad(l, d_map);
}

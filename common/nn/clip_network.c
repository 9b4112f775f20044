/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/clip_network.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/nn/classifier.h"
#include "common/nn/encoder.h"
#include "common/nn/localizer.h"
#include "common/nn/memory.h"
#include "common/nn/nn_device.h"

struct clip_network {
    struct clip_network_options o;
    struct backend *backend;
    struct encoder *encoder;
    struct classifier *classifier; /* behind the encoder, for scores of clips */
    struct localizer *localizer;   /* of people */
    float *places, *device_places; /* [n, boxes, 4] */
    size_t n, length;              /* of the encoder's clips */
    size_t longest; /* clips that there was room for, before convolutions were measured */
};

int clip_network_new(struct clip_network **out, const struct clip_network_options *o, struct err *e)
{
    struct clip_network *n = mem_new(1, sizeof *n, e);
    if (!n)
        return ERR_FAIL;
    n->o = *o;
    n->backend = o->model->backend;
    *out = n;
    return 0;
}

static void free_places(struct clip_network *n)
{
    if (n->device_places)
        n->backend->ops->release(n->backend, n->device_places);
    free(n->places);
    n->places = n->device_places = NULL;
}

static void free_layers(struct clip_network *n)
{
    classifier_free(n->classifier);
    localizer_free(n->localizer);
    encoder_free(n->encoder);
    free_places(n);
    n->classifier = NULL;
    n->localizer = NULL;
    n->encoder = NULL;
}

void clip_network_free(struct clip_network *n)
{
    if (!n)
        return;
    free_layers(n);
    free(n);
}

size_t clip_network_room(const struct clip_network *net, size_t n)
{
    return net->backend->measures ? net->o.most : n;
}

/* -- making -- */

static int new_encoder(struct clip_network *n, struct err *e)
{
    struct encoder_options o = {
        .n = n->n, .length = n->length, .size = n->o.crop_size, .dtype = n->o.dtype};
    free_layers(n);
    if (encoder_new(&n->encoder, n->o.model, &o, e) < 0)
        return ERR_FAIL;
    size_t pixels = o.length * o.size * o.size * 3 * dtype_bytes(o.dtype); /* twice: the loader's */
    return memory_check(n->backend, encoder_activation_bytes(n->encoder) + 2 * o.n * pixels,
                        "a smaller --batch or --crop-size", e);
}

static int new_classifier(struct clip_network *n, struct err *e)
{
    struct classifier_options o = {.n = n->n, .steps = encoder_steps(n->encoder)};
    if (classifier_new(&n->classifier, n->o.model, &o, e) < 0)
        return ERR_FAIL;
    return classifier_set_weights(n->classifier, e);
}

static int new_localizer(struct clip_network *n, struct err *e)
{
    struct localizer_options o = {
        .n = n->n, .boxes = clip_boxes_most(n->o.boxes), .dtype = n->o.dtype};
    size_t n_values = o.n * o.boxes * 4;
    encoder_map(n->encoder, o.map);
    n->places = mem_new(n_values, sizeof *n->places, e);
    if (!n->places ||
        backend_alloc(n->backend, &n->device_places, n_values * sizeof *n->places, e) < 0)
        return ERR_FAIL;
    if (localizer_new(&n->localizer, n->o.model, &o, e) < 0)
        return ERR_FAIL;
    return localizer_set_weights(n->localizer, e);
}

static bool scores(const struct clip_network *n)
{
    return n->o.model->desc.n_classes > 0;
}

/* What comes behind the encoder. */
static int new_head(struct clip_network *n, struct err *e)
{
    if (!scores(n))
        return 0;
    return n->o.boxes ? new_localizer(n, e) : new_classifier(n, e);
}

static int new_layers(struct clip_network *n, struct err *e)
{
    if (new_encoder(n, e) < 0)
        return ERR_FAIL;
    nn_device_tell(n->backend, n->o.ui);
    return encoder_set_weights(n->encoder, e) < 0 ? ERR_FAIL : new_head(n, e);
}

bool clip_network_fits(const struct clip_network *n, const struct clip_batch *batch)
{
    return n->encoder && n->n == clip_network_room(n, batch->n) &&
           n->length == batch->length[CLIP_SINGLE];
}

int clip_network_fit(struct clip_network *n, const struct clip_batch *batch, struct err *e)
{
    struct backend *b = n->backend;
    n->n = clip_network_room(n, batch->n);
    n->length = batch->length[CLIP_SINGLE];
    b->sizing = b->measures && n->length > n->longest;
    int rc = b->sizing ? new_encoder(n, e) : 0;
    b->sizing = false;
    n->longest = n->length > n->longest ? n->length : n->longest;
    if (rc == 0)
        rc = new_layers(n, e);
    if (rc == 0)
        ui_progress_text(n->o.ui, "%s", ""); /* nothing is measured any more */
    else
        free_layers(n);
    return rc;
}

/* -- running -- */

size_t clip_network_steps(const struct clip_network *n)
{
    return encoder_steps(n->encoder);
}

size_t clip_network_item_values(const struct clip_network *n)
{
    const struct model *m = n->o.model;
    return scores(n) ? m->desc.n_classes : clip_network_steps(n) * m->backbone.desc.c_out;
}

size_t clip_network_clip_values(const struct clip_network *n)
{
    return clip_network_item_values(n) * (n->o.boxes ? clip_boxes_most(n->o.boxes) : 1);
}

/* Scores of the people of a batch. */
static const float *people_scores(struct clip_network *n, const struct clip_batch *batch,
                                  struct err *e)
{
    struct backend *b = n->backend;
    size_t most = clip_boxes_most(n->o.boxes), map[3];
    size_t bytes = n->n * most * 4 * sizeof *n->places;
    memset(n->places, 0, bytes);
    for (size_t i = 0; i < batch->n; i++) {
        const struct sample *row = &batch->rows[CLIP_SINGLE][i];
        const struct sample_box *box;
        size_t n_boxes = clip_boxes_of(n->o.boxes, row, &box);
        for (size_t k = 0; k < n_boxes; k++)
            clip_boxes_in_crop(n->o.boxes, row, &box[k], n->places + (i * most + k) * 4);
    }
    if (b->ops->post(b, n->device_places, n->places, bytes, e) < 0 ||
        localizer_forward(n->localizer, encoder_map(n->encoder, map), n->device_places, NULL, e) <
            0)
        return NULL;
    return localizer_logits(n->localizer);
}

const float *clip_network_forward(struct clip_network *n, const struct clip_batch *batch,
                                  struct err *e)
{
    if (encoder_forward(n->encoder, batch->pixels[CLIP_SINGLE], NORM_RUNNING, e) < 0)
        return NULL;
    const float *features = encoder_features(n->encoder);
    if (!scores(n))
        return features;
    if (n->o.boxes)
        return people_scores(n, batch, e);
    return classifier_forward(n->classifier, features, NULL, e) < 0
               ? NULL
               : classifier_logits(n->classifier);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The training objective as a list of granularities (RECIPE section 2, equations 1 to 4). Each has
 * a projection head, aggregates its steps over k_short (k_long) of them, and contrasts short-clip
 * anchors with the long-clip embeddings of the batch.
 *
 *     struct objective o;
 *     objective_parse(&o, "teg-fg", &e);        or "fine:2,1,0.9;persistent:all,all,0.1"
 *     loss_new(&l, backend, &o, &shape, &e);
 *     loss_post(l, rows_short, rows_long, &e);
 *     loss_run(l, &(struct loss_input){z_short, z_long}, &e);     loss_grad_short, loss_grad_long
 *     loss_result(l, &total, &e);                                 loss_parts
 */
#ifndef TEG_NN_OBJECTIVE_H
#define TEG_NN_OBJECTIVE_H

#include "common/base/err.h"
#include "common/nn/model.h"
#include "common/store/samples.h"
#include "kernels/backend.h"

enum { OBJECTIVE_MAX = 8, OBJECTIVE_ALL_STEPS = 0, OBJECTIVE_TEXT_BYTES = 1024 };

struct granularity {
    char head[ARCH_NAME_BYTES / 2]; /* projection head; several granularities may share one */
    size_t k_short, k_long; /* feature steps behind an embedding; OBJECTIVE_ALL_STEPS: the clip */
    double weight;
};

struct objective {
    struct granularity part[OBJECTIVE_MAX];
    int n_parts;
    bool other_only; /* --negatives other */
    double temperature;
};

/*
 * "teg-ps", "cvrl" (persistent alone), "teg-fg" (fine:2,1,0.9;persistent:all,all,0.1), or a list
 * HEAD:K_SHORT,K_LONG,WEIGHT;... Negatives `all`, temperature 0.1.
 */
int objective_parse(struct objective *o, const char *text, struct err *e);
/* alpha 0: persistent alone; 1: fine alone; else both with weights alpha, 1 - alpha (equation 4).
 */
int objective_from_alpha(struct objective *o, double alpha, size_t k_short, size_t k_long,
                         struct err *e);
/* The list as text, as objective_parse reads it; OBJECTIVE_TEXT_BYTES hold any. */
void objective_text(const struct objective *o, char *out, size_t bytes);
/* Heads of the model it needs, each once, in order of first use. */
void objective_heads(const struct objective *o, struct model_desc *d);

/*
 * Equation 1: for each of a short clip's embeddings the number of the long clip's embedding
 * whose mean source frame is nearest, the smaller on ties. k in feature steps; a step covers two
 * frames of its clip.
 */
struct clip_embeddings {
    const struct sample *clip;
    size_t k, n; /* n embeddings, each the mean of k feature steps */
};
void objective_match(const struct clip_embeddings *short_clip,
                     const struct clip_embeddings *long_clip, uint32_t *match);

struct loss_shape {
    size_t n;                       /* examples of the batch */
    size_t steps_short, steps_long; /* feature steps T' of the clips */
    size_t dim;
};

struct loss_part {
    double loss;                       /* mean over the anchors */
    double positive_sim, negative_sim; /* mean cosines */
};

struct loss;
/* Fails where k does not divide the steps. */
int loss_new(struct loss **l, struct model *m, const struct objective *o,
             const struct loss_shape *s, struct err *e);
void loss_free(struct loss *l);
/* The clips [n] of the next loss_run, in host memory: which moments match, which videos differ. */
int loss_post(struct loss *l, const struct sample *rows_short, const struct sample *rows_long,
              struct err *e);
/* z_short[h], z_long[h]: projected steps of head h, [n, T', D] device memory. The gradients of the
 * total loss are left in loss_grad_*. */
struct loss_input {
    const float *z_short[MODEL_MAX_HEADS], *z_long[MODEL_MAX_HEADS];
};
int loss_run(struct loss *l, const struct loss_input *in, struct err *e);
/* Waits for it. `total`: equation 4. */
int loss_result(struct loss *l, double *total, struct err *e);
const struct loss_part *loss_parts(const struct loss *l); /* [objective.n_parts], of that result */
/* Gradients of head h's steps [n, T', D]. */
float *loss_grad_short(const struct loss *l, int head);
float *loss_grad_long(const struct loss *l, int head);

#endif

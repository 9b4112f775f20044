/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model: the backbone, its heads, and all their parameters in one flat float32 vector in the
 * device's memory (masters; weights [O, kt, kh, kw, I]), with a vector of gradients and one of
 * velocities of the same form. Running statistics are a second, smaller vector. Files are
 * .safetensors with PyTorch's layout and the names of arch.h (schemas/model.md).
 *
 *     struct model_desc d = {.backbone = "r3d50", .n_heads = 1, .head = {"persistent"}, ...};
 *     or {.backbone = "r3d50", .task = MODEL_CLASSIFY, .n_classes = 400}
 *     model_new(&m, backend, &d, &e);  model_init_weights(m, seed);
 *     model_save(m, "model.safetensors", metadata, &e);
 */
#ifndef TEG_NN_MODEL_H
#define TEG_NN_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/hash.h"
#include "common/base/json.h"
#include "common/nn/arch.h"
#include "kernels/backend.h"

enum { MODEL_MAX_HEADS = 8 };

/* What a model computes behind its features. */
enum model_task {
    MODEL_PRETRAIN, /* projections, by its heads */
    MODEL_CLASSIFY, /* class scores of a clip */
    MODEL_BOUNDARY, /* of the middle of a clip: is it no boundary (0), is it one (1) */
    MODEL_LOCALIZE, /* actions of each person in a clip, by an action transformer */
};
extern const char *const model_task_names[]; /* in the order of the enum, NULL-ended */

struct model_desc {
    char backbone[ARCH_NAME_BYTES];
    int n_heads;
    char head[MODEL_MAX_HEADS][ARCH_NAME_BYTES / 2];
    size_t head_width; /* 0: the backbone's channels */
    size_t head_dim;   /* of the embeddings, 128 */
    int head_layers;   /* hidden ones, 3 */
    enum model_task task;
    size_t n_classes; /* scores of the classifier; 0 without one */
};

/* Parts of a clip, one behind the other, whose mean features stand side by side before the
 * classifier: 1, or 2 on both sides of a moment. */
size_t model_n_parts(enum model_task task);

struct json *model_desc_to_json(const struct model_desc *d);
int model_desc_from_json(struct model_desc *d, const struct json *j, struct err *e);

/* Where a unit's tensors are: offsets into params (w, bias, gamma, beta) and stats (mean, var). */
struct unit_offsets {
    size_t w, bias, gamma, beta, mean, var;
};

struct net {
    struct net_desc desc;
    struct unit_offsets at[ARCH_MAX_UNITS];
};

enum param_kind { PARAM_CONV, PARAM_LINEAR, PARAM_VECTOR, PARAM_STATISTIC };

struct param { /* one named tensor */
    char name[ARCH_NAME_BYTES + 16];
    enum param_kind kind;
    size_t offset, len; /* in params, or in stats where kind is PARAM_STATISTIC */
    size_t dim[5];      /* PARAM_CONV: O, kt, kh, kw, I; PARAM_LINEAR: O, I; else len */
};

struct model {
    struct backend *backend;
    struct model_desc desc;
    struct net backbone;
    struct net head[MODEL_MAX_HEADS];
    struct net decoder;    /* of MODEL_LOCALIZE, a list of units; else none */
    struct net classifier; /* [parts * C] to [n_classes]; no units where there is none */
    struct param *param;   /* trainable ones first, in file order */
    size_t n_param, n_trainable_tensors;
    size_t n_values, n_stats;
    float *params; /* [n_values] */
    float *stats;  /* [n_stats]: running means and variances */
    /* NULL until model_make_trainable: */
    float *grads, *velocity; /* [n_values] */
    struct optimizer *optimizer;
    float *lr;            /* [1]: of the next step */
    uint32_t *not_finite; /* [1]: whether a gradient of this step is not */
};

int model_new(struct model **m, struct backend *b, const struct model_desc *d, struct err *e);
void model_free(struct model *m);
int model_find_head(const struct model *m, const char *name); /* -1 where absent */

/* Zeroed gradients and velocities. The tensors of `how` are filled in; NULL: it is never updated.
 */
int model_make_trainable(struct model *m, const struct optimizer_desc *how, struct err *e);
/*
 * A step: its rate is posted, the gradients are zeroed, added to, added up over the processes,
 * looked through, and used; where one is not finite, nothing is changed. All but the first may be
 * recorded.
 */
int model_post_lr(struct model *m, double lr, struct err *e);
int model_begin_grads(struct model *m, struct err *e);
int model_end_grads(struct model *m, struct err *e);
int model_update(struct model *m, struct err *e);

/* Parameters, velocities and statistics become those of process 0; of several processes. */
int model_broadcast(struct model *m, struct err *e);

/* Trainable parameters of the backbone alone. */
size_t model_n_backbone_values(const struct model *m);

/*
 * RECIPE sections 1 and 2: convolutions truncated normal (2 sigma), sigma = sqrt(1 / fan_in) /
 * 0.87962566; linear Glorot uniform; gamma 1, beta 0, biases 0; running mean 0, variance 1. From
 * (seed, tensor) alone.
 */
int model_init_weights(struct model *m, uint64_t seed, struct err *e);

/* -- files -- */

/*
 * Writes weights and statistics; with `optimizer` the velocities too, as tensors "velocity.NAME".
 * `metadata` (an object of strings, borrowed) gets members "format", "model" added.
 */
int model_save(struct model *m, const char *path, bool optimizer, struct json *metadata,
               struct err *e);
/* Velocities only (the optimiser file beside a model). */
int model_save_optimizer(struct model *m, const char *path, struct json *metadata, struct err *e);

/* Hash of a model file's bytes: what it is called in other outputs' `inputs`. */
int model_file_identity(const char *path, char out[HASH_TEXT_BYTES], struct err *e);

struct safetensors;
/* Opens a model file and reads its description from the metadata; safetensors_close it. */
int model_open(struct safetensors **f, const char *path, struct model_desc *d, struct err *e);
/* Names of the classes, in the order of the scores, from the metadata: an array of n strings. The
 * caller frees it; NULL: it is not there, or no such list. */
struct json *model_classes(const struct safetensors *f, size_t n, struct err *e);

/* A number of the settings that it was trained with ("crop_size"); 0: the metadata does not say. */
size_t model_setting(const struct safetensors *f, const char *name);

/* What is behind the backbone: projection heads and classifier. */
enum model_tops {
    TOPS_ALL,      /* must be in the file */
    TOPS_IF_THERE, /* what the file lacks stays as it is */
    TOPS_NONE,     /* stays as it is */
};
/* Fills weights and statistics (and velocities). Every tensor must be there with its shape,
 * and the file be what was written, where it has a hash. */
int model_load(struct model *m, const struct safetensors *f, bool optimizer, enum model_tops tops,
               struct err *e);

#endif

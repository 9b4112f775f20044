/* SPDX-License-Identifier: Apache-2.0 */
/* A backbone whose normalisations are not at their initial values, so that a mistake in any of them
 * shows. */
#ifndef TEG_TESTS_UNIT_MODEL_SUPPORT_H
#define TEG_TESTS_UNIT_MODEL_SUPPORT_H

#include "common/base/rng.h"
#include "common/nn/model.h"
#include "tests/unit/support.h"

/*
 * Normalised values keep six deviations from zero, three quarters of the channels above and the
 * others below it (all above where a residual is added): every ReLU is on or off for certain, so
 * that rounding cannot flip one and gradients can be compared to many digits. Running variances are
 * 0.5..1.5, means 0 +- 0.1.
 */
static inline void model_support_perturb(const struct param *p, uint64_t seed, size_t i, float *v)
{
    struct rng r;
    rng_init(&r, seed, 99, i);
    bool added = strstr(p->name, "bn3") || strstr(p->name, "shortcut");
    const char *member = strrchr(p->name, '.') + 1;
    for (size_t k = 0; k < p->len; k++) {
        double u = rng_f64(&r), beta = added ? 0.5 : 1.5;
        if (strcmp(member, "weight") == 0)
            v[k] = (float)(beta / 6.0 * (0.9 + 0.2 * u));
        else if (strcmp(member, "bias") == 0)
            v[k] = (float)(!added && u < 0.25 ? -beta : beta);
        else
            v[k] = (float)(strcmp(member, "running_var") == 0 ? 0.5 + u : 0.2 * u - 0.1);
    }
}

/* The processor's, for tests that reach into the model's memory. */
static inline struct backend *support_backend(size_t n_threads)
{
    struct backend *b = NULL;
    struct err e = {0};
    struct backend_options o = {.device = "cpu", .n_threads = n_threads};
    if (backend_open(&b, &o, &e) < 0)
        fail_msg("%s", e.text);
    return b;
}

static inline int model_support_new(struct model **m, struct backend *b, const char *name,
                                    uint64_t seed, struct err *e)
{
    struct model_desc d = {.head_dim = 128};
    snprintf(d.backbone, sizeof d.backbone, "%s", name);
    if (model_new(m, b, &d, e) < 0 || model_init_weights(*m, seed, e) < 0)
        return ERR_FAIL;
    for (size_t i = 0; i < (*m)->n_param; i++) {
        const struct param *p = &(*m)->param[i];
        float *to = (p->kind == PARAM_STATISTIC ? (*m)->stats : (*m)->params) + p->offset;
        if (p->kind != PARAM_VECTOR && p->kind != PARAM_STATISTIC)
            continue;
        float *v = calloc(p->len, sizeof *v);
        model_support_perturb(p, seed, i, v);
        int rc = b->ops->upload(b, to, v, p->len * sizeof *v, e);
        free(v);
        if (rc < 0)
            return rc;
    }
    return 0;
}

#endif

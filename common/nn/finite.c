/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/finite.h"

/* What the device found. */
static int fetch(const struct model *m, bool *bad, struct err *e)
{
    struct backend *b = m->backend;
    uint32_t flag;
    int rc = b->ops->download(b, &flag, m->not_finite, sizeof flag, e);
    *bad = rc == 0 && flag != 0;
    return rc;
}

bool finite_values(const struct model *m, const float *values, size_t n)
{
    struct backend *b = m->backend;
    bool bad = false;
    if (b->ops->zero(b, m->not_finite, sizeof *m->not_finite, NULL) < 0 ||
        b->ops->all_finite(b, values, n, m->not_finite) < 0 || fetch(m, &bad, NULL) < 0)
        return true; /* it is not what is looked for */
    return !bad;
}

int finite_params(const struct model *m, struct err *e)
{
    for (size_t i = 0; i < m->n_trainable_tensors; i++)
        if (!finite_values(m, m->params + m->param[i].offset, m->param[i].len))
            return err_set(e, "the loss is not finite, nor is the parameter %s", m->param[i].name);
    return 0;
}

int finite_grads(const struct model *m, struct err *e)
{
    bool bad;
    if (fetch(m, &bad, e) < 0)
        return ERR_FAIL;
    if (!bad)
        return 0;
    for (size_t i = 0; i < m->n_trainable_tensors; i++)
        if (!finite_values(m, m->grads + m->param[i].offset, m->param[i].len))
            return err_set(e, "the gradient of %s is not finite", m->param[i].name);
    return err_set(e, "a gradient is not finite");
}

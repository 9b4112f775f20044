/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/finite.h"

bool finite_values(const struct model *m, const float *values, size_t n)
{
    bool finite = true;
    m->backend->ops->all_finite(m->backend, values, n, &finite);
    return finite;
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
    if (finite_values(m, m->grads, m->n_values))
        return 0;
    for (size_t i = 0; i < m->n_trainable_tensors; i++)
        if (!finite_values(m, m->grads + m->param[i].offset, m->param[i].len))
            return err_set(e, "the gradient of %s is not finite", m->param[i].name);
    return err_set(e, "a gradient is not finite");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/linear.h"

#include <stdio.h>

int linear_layer_new(struct linear_layer *l, struct model *m, const struct linear_layer_at *at,
                     struct err *e)
{
    const struct unit *unit = &at->net->desc.unit[at->unit];
    struct pass_options o = {.n = at->rows,
                             .in = {1, 1, 1},
                             .dtype = at->dtype,
                             .keep = at->keep,
                             .input_grad = at->keep};
    *l = (struct linear_layer){0};
    l->view.desc.unit[0] = *unit;
    l->view.desc.unit[0].input = NET_INPUT;
    l->view.desc.unit[0].norm_name[0] = '\0';
    l->view.desc.n_units = 1;
    snprintf(l->view.desc.name, sizeof l->view.desc.name, "%s", unit->conv_name);
    l->view.at[0] = at->net->at[at->unit];
    return pass_new(&l->pass, m, &l->view, &o, e);
}

void linear_layer_release(struct linear_layer *l)
{
    pass_free(l->pass);
    l->pass = NULL;
}

int linear_layer_set_weights(struct linear_layer *l, struct err *e)
{
    return pass_set_weights(l->pass, e);
}

void *linear_layer_forward(struct linear_layer *l, const void *x, struct err *e)
{
    return pass_forward(l->pass, x, NORM_RUNNING, e) < 0 ? NULL : linear_layer_output(l);
}

void *linear_layer_output(const struct linear_layer *l)
{
    size_t out[3];
    return pass_output(l->pass, out);
}

int linear_layer_backward(struct linear_layer *l, const void *x, const void *dy, void *dx,
                          struct err *e)
{
    return pass_backward(l->pass, x, dy, dx, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One convolution pass as an operation graph of cuDNN, and the engines with settings that can
 * compute it: each engine once, in the order in which cuDNN thinks them fast, then with other
 * settings. Those whose sums change from run to run, or that round more than asked for, are left
 * out.
 *
 *     graph_new(&g, vendor, &spec, &e);
 *     graph_try(g, i, &e);                      i < graph_n_choices(g); builds the plan, may fail
 *     graph_run(g, x, w, y, workspace, &e);     of the choice tried last
 */
#ifndef TEG_KERNELS_CUDA_GRAPH_H
#define TEG_KERNELS_CUDA_GRAPH_H

#include "kernels/cuda/conv_view.h"
#include "kernels/cuda/vendor.h"

struct graph;

struct graph_spec {
    enum conv_pass pass;
    struct conv_view view;
    enum dtype type;   /* of x, y and, but for a weight gradient, w */
    enum dtype w_type; /* of w */
    bool tf32;
};

/*
 * The graphs that may compute a pass: of the 2-D view, where there is one, and of the 3-D view; of
 * a weight gradient in bfloat16 those that leave it in float32 first, then those that round it.
 * Returns how many.
 */
enum { GRAPH_MAX_SPECS = 4 };
int graph_specs(const struct conv_desc *d, enum conv_pass pass, bool tf32,
                struct graph_spec spec[GRAPH_MAX_SPECS]);

/* Fails where cuDNN knows no engine. */
int graph_new(struct graph **g, struct vendor *v, const struct graph_spec *spec, struct err *e);
void graph_free(struct graph *g);

int graph_n_choices(const struct graph *g);
/* Whether building a choice means compiling it, which takes long. */
bool graph_compiles(const struct graph *g, int i);
int graph_try(struct graph *g, int i, struct err *e);
/* Of the choice tried last: the number of its engine, and a hash of its settings. */
long graph_engine(const struct graph *g);
uint32_t graph_knobs(struct graph *g);
size_t graph_workspace_bytes(const struct graph *g);

/* Two of the three are read, the third is the pass's result. All 16-byte aligned. */
struct graph_data {
    const void *x, *w, *y;
    void *workspace; /* graph_workspace_bytes */
};
int graph_run(struct graph *g, const struct graph_data *data, struct err *e);

#endif

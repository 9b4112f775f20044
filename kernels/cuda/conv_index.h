/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A convolution pass as its definition has it: every element of the result is a sum over terms,
 * each a product of two elements. For the plain kernels that candidates are checked against, and
 * for tests; plain C.
 *
 *     for (size_t t = 0; t < conv_n_terms(&view, pass); t++) {
 *         struct conv_term term = conv_term(&view, pass, element, t);
 *         sum += term.inside ? first[term.first] * second[term.second] : 0;
 *     }
 *
 * Forward: x, w -> y. Backward data: y, w -> x. Backward weights: x, y -> w.
 */
#ifndef TEG_KERNELS_CUDA_CONV_INDEX_H
#define TEG_KERNELS_CUDA_CONV_INDEX_H

#include "kernels/cuda/conv_view.h"
#include "kernels/elem.h"

TEG_HD size_t conv_volume(const size_t size[3])
{
    return size[0] * size[1] * size[2];
}

TEG_HD size_t conv_n_elements(const struct conv_view *v, enum conv_pass pass)
{
    if (pass == CONV_FORWARD)
        return v->n * conv_volume(v->out) * v->c_out;
    if (pass == CONV_BACKWARD_DATA)
        return v->n * conv_volume(v->in) * v->c_in;
    return v->c_out * conv_volume(v->kernel) * v->c_in;
}

TEG_HD size_t conv_n_terms(const struct conv_view *v, enum conv_pass pass)
{
    if (pass == CONV_FORWARD)
        return conv_volume(v->kernel) * v->c_in;
    if (pass == CONV_BACKWARD_DATA)
        return conv_volume(v->kernel) * v->c_out;
    return v->n * conv_volume(v->out);
}

/* number = (at[0] * size[1] + at[1]) * size[2] + at[2], at[0] being what is left. */
TEG_HD void conv_split(size_t number, const size_t size[3], size_t at[3])
{
    at[2] = number % size[2];
    at[1] = number / size[2] % size[1];
    at[0] = number / size[2] / size[1];
}

TEG_HD size_t conv_join(const size_t at[3], const size_t size[3])
{
    return (at[0] * size[1] + at[1]) * size[2] + at[2];
}

/* Input position under tap `k` of the window of output position `out`. */
TEG_HD bool conv_input_at(const struct conv_view *v, const size_t out[3], const size_t k[3],
                          size_t in[3])
{
    for (int i = 0; i < 3; i++) {
        size_t at = out[i] * v->stride[i] + k[i];
        if (at < v->pad[i] || at - v->pad[i] >= v->in[i])
            return false;
        in[i] = at - v->pad[i];
    }
    return true;
}

/* Output position whose window has input position `in` under tap `k`. */
TEG_HD bool conv_output_at(const struct conv_view *v, const size_t in[3], const size_t k[3],
                           size_t out[3])
{
    for (int i = 0; i < 3; i++) {
        size_t at = in[i] + v->pad[i];
        if (at < k[i] || (at - k[i]) % v->stride[i] || (at - k[i]) / v->stride[i] >= v->out[i])
            return false;
        out[i] = (at - k[i]) / v->stride[i];
    }
    return true;
}

struct conv_term {
    size_t first, second;
    bool inside; /* false: a term of the padding */
};

TEG_HD struct conv_term conv_forward_term(const struct conv_view *v, size_t element, size_t term)
{
    struct conv_term t = {0, 0, false};
    size_t o = element % v->c_out, row = element / v->c_out, volume = conv_volume(v->out);
    size_t i = term % v->c_in, tap = term / v->c_in, out[3], k[3], in[3];
    conv_split(row % volume, v->out, out);
    conv_split(tap, v->kernel, k);
    t.inside = conv_input_at(v, out, k, in);
    if (t.inside)
        t.first = (row / volume * conv_volume(v->in) + conv_join(in, v->in)) * v->c_in + i;
    t.second = (o * conv_volume(v->kernel) + tap) * v->c_in + i;
    return t;
}

TEG_HD struct conv_term conv_data_term(const struct conv_view *v, size_t element, size_t term)
{
    struct conv_term t = {0, 0, false};
    size_t i = element % v->c_in, row = element / v->c_in, volume = conv_volume(v->in);
    size_t o = term % v->c_out, tap = term / v->c_out, out[3], k[3], in[3];
    conv_split(row % volume, v->in, in);
    conv_split(tap, v->kernel, k);
    t.inside = conv_output_at(v, in, k, out);
    if (t.inside)
        t.first = (row / volume * conv_volume(v->out) + conv_join(out, v->out)) * v->c_out + o;
    t.second = (o * conv_volume(v->kernel) + tap) * v->c_in + i;
    return t;
}

TEG_HD struct conv_term conv_weight_term(const struct conv_view *v, size_t element, size_t term)
{
    struct conv_term t = {0, 0, false};
    size_t i = element % v->c_in, tap = element / v->c_in % conv_volume(v->kernel);
    size_t o = element / v->c_in / conv_volume(v->kernel), volume = conv_volume(v->out);
    size_t out[3], k[3], in[3];
    conv_split(term % volume, v->out, out);
    conv_split(tap, v->kernel, k);
    t.inside = conv_input_at(v, out, k, in);
    if (t.inside)
        t.first = (term / volume * conv_volume(v->in) + conv_join(in, v->in)) * v->c_in + i;
    t.second = term * v->c_out + o;
    return t;
}

TEG_HD struct conv_term conv_term(const struct conv_view *v, enum conv_pass pass, size_t element,
                                  size_t term)
{
    if (pass == CONV_FORWARD)
        return conv_forward_term(v, element, term);
    if (pass == CONV_BACKWARD_DATA)
        return conv_data_term(v, element, term);
    return conv_weight_term(v, element, term);
}

/* -- a sample of the elements, and numbers to compute with -- */

TEG_HD uint32_t conv_hash(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((x ^ (x >> 31)) >> 32);
}

/* Element that sample `s` of n_samples looks at: all where there are so few, else the first, the
 * last, and others spread over the rest at random. */
TEG_HD size_t conv_sample_element(size_t s, size_t n_samples, size_t n_elements)
{
    if (n_elements <= n_samples || s == 0)
        return s;
    if (s == 1)
        return n_elements - 1;
    size_t from = (size_t)((double)s / (double)n_samples * (double)n_elements);
    size_t width = n_elements / n_samples;
    return (from + conv_hash(s) % width) % n_elements;
}

/* Number i of a sequence in [-1, 1). */
TEG_HD float conv_random(size_t i, uint32_t seed)
{
    uint32_t h = conv_hash(((uint64_t)seed << 40) + 0x9e3779b97f4a7c15u * (uint64_t)(i + 1));
    return (float)(h >> 8) * (1.0f / 8388608.0f) - 1.0f;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/accuracy.h"

#include <stdlib.h>

#include "common/base/buf.h"

size_t scores_first_max(const double *scores, size_t n)
{
    size_t best = 0;
    for (size_t k = 1; k < n; k++)
        if (scores[k] > scores[best])
            best = k;
    return best;
}

size_t scores_rank(const double *scores, size_t n, size_t label)
{
    size_t rank = 0;
    for (size_t k = 0; k < n; k++)
        rank += scores[k] > scores[label] || (k < label && scores[k] == scores[label]);
    return rank;
}

void scores_top(const double *scores, size_t n, size_t k, uint32_t *top)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        size_t at = len;
        while (at > 0 && scores[i] > scores[top[at - 1]])
            at--;
        if (at == k)
            continue;
        len += len < k;
        for (size_t j = len - 1; j > at; j--)
            top[j] = top[j - 1];
        top[at] = (uint32_t)i;
    }
}

int accuracy_init(struct accuracy *a, size_t n_classes, struct err *e)
{
    *a = (struct accuracy){.n_classes = n_classes};
    a->classes = mem_new(n_classes, sizeof *a->classes, e);
    return a->classes ? 0 : ERR_FAIL;
}

void accuracy_release(struct accuracy *a)
{
    free(a->classes);
    *a = (struct accuracy){0};
}

size_t accuracy_add(struct accuracy *a, size_t label, const double *scores)
{
    size_t rank = scores_rank(scores, a->n_classes, label);
    a->n++;
    a->n_top1 += rank < 1;
    a->n_top5 += rank < 5;
    a->classes[label].n++;
    a->classes[label].correct += rank < 1;
    return scores_first_max(scores, a->n_classes);
}

static double share(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

double accuracy_top1(const struct accuracy *a)
{
    return share(a->n_top1, a->n);
}

double accuracy_top5(const struct accuracy *a)
{
    return share(a->n_top5, a->n);
}

double accuracy_mean_class(const struct accuracy *a)
{
    double sum = 0;
    size_t n = 0;
    for (size_t k = 0; k < a->n_classes; k++) {
        sum += share(a->classes[k].correct, a->classes[k].n);
        n += a->classes[k].n > 0;
    }
    return n ? sum / (double)n : 0;
}

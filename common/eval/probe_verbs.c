/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/probe_verbs.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/intern.h"
#include "common/eval/accuracy.h"

/* Numbers of verbs: those of the classes, and behind them what only annotators say. */
struct verbs {
    struct intern names;
    struct vidsitu_event *events; /* [decisions] */
    uint32_t *predicted;          /* [decisions, VIDSITU_TOP] */
    uint32_t *given;              /* [decisions, VIDSITU_GIVEN] */
};

static const struct event *event_of(const struct probe_data *d, const struct decision *decision)
{
    return &index_video(d->index, decision->video)->events[decision->event];
}

static bool has_annotators(const struct probe_data *d)
{
    const struct probe_set *test = &d->set[PROBE_TEST];
    for (size_t i = 0; d->of_events && i < test->n_decisions; i++)
        if (event_of(d, &test->decisions[i])->n_labels > 1)
            return true;
    return false;
}

static int number_classes(struct verbs *v, const struct probe_data *d, struct err *e)
{
    uint32_t number;
    for (size_t k = 0; k < d->n_classes; k++)
        if (intern_add(&v->names, index_class(d->index, true, k), &number, e) < 0)
            return ERR_FAIL;
    return 0;
}

static int add_decision(struct verbs *v, const struct probe_data *d, size_t i, const double *scores,
                        struct err *e)
{
    const struct decision *decision = &d->set[PROBE_TEST].decisions[i];
    const struct event *event = event_of(d, decision);
    size_t n_top = d->n_classes < VIDSITU_TOP ? d->n_classes : VIDSITU_TOP;
    size_t n_given = event->n_labels < VIDSITU_GIVEN ? event->n_labels : VIDSITU_GIVEN;
    uint32_t *predicted = v->predicted + i * VIDSITU_TOP, *given = v->given + i * VIDSITU_GIVEN;
    scores_top(scores + i * d->n_classes, d->n_classes, n_top, predicted);
    for (size_t k = 0; k < n_given; k++)
        if (intern_add(&v->names, event->labels[k], &given[k], e) < 0)
            return ERR_FAIL;
    if (n_given == 0)
        given[n_given++] = (uint32_t)decision->label;
    v->events[i] = (struct vidsitu_event){.video = decision->video,
                                          .predicted = predicted,
                                          .n_predicted = n_top,
                                          .given = given,
                                          .n_given = n_given};
    return 0;
}

int probe_verbs_score(const struct probe_data *d, const double *scores, struct vidsitu_scores *out,
                      struct err *e)
{
    size_t n = d->set[PROBE_TEST].n_decisions;
    if (!has_annotators(d))
        return 0;
    struct verbs v = {.events = mem_new(n, sizeof *v.events, e),
                      .predicted = mem_new(n, VIDSITU_TOP * sizeof *v.predicted, e),
                      .given = mem_new(n, VIDSITU_GIVEN * sizeof *v.given, e)};
    int rc = v.events && v.predicted && v.given ? number_classes(&v, d, e) : ERR_FAIL;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = add_decision(&v, d, i, scores, e);
    for (int k = 0; rc == 0 && k < VIDSITU_N_RULES; k++)
        rc = vidsitu_score(&out[k], v.events, n, (enum vidsitu_rules)k, e);
    intern_release(&v.names);
    free(v.events);
    free(v.predicted);
    free(v.given);
    return rc < 0 ? rc : 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/objective.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/num.h"

static const double default_temperature = 0.1;

/* -- text -- */

static int parse_steps(const char *text, size_t *k, struct err *e)
{
    int64_t n;
    *k = OBJECTIVE_ALL_STEPS;
    if (strcmp(text, "all") == 0)
        return 0;
    if (num_i64(text, 1, 1 << 20, &n, e) < 0)
        return err_add(e, "steps");
    *k = (size_t)n;
    return 0;
}

/* "HEAD:K_SHORT,K_LONG,WEIGHT" */
static int parse_part(struct granularity *g, const char *text, struct err *e)
{
    char head[32], k_short[32], k_long[32], weight[32];
    int end = 0;
    if (sscanf(text, "%31[a-z0-9_]:%31[a-z0-9],%31[a-z0-9],%31[0-9.eE+-]%n", head, k_short, k_long,
               weight, &end) != 4 ||
        text[end])
        return err_set(e, "\"%s\" is not teg-fg, teg-ps, cvrl or HEAD:K_SHORT,K_LONG,WEIGHT;...",
                       text);
    if (snprintf(g->head, sizeof g->head, "%s", head) >= (int)sizeof g->head)
        return err_set(e, "head %s: the name is too long", head);
    if (parse_steps(k_short, &g->k_short, e) < 0 || parse_steps(k_long, &g->k_long, e) < 0)
        return ERR_FAIL;
    return num_f64(weight, 0.0, 1e6, &g->weight, e) < 0 ? err_add(e, "weight") : 0;
}

int objective_parse(struct objective *o, const char *text, struct err *e)
{
    static const char *const shorthand[][2] = {
        {"teg-ps", "persistent:all,all,1"},
        {"cvrl", "persistent:all,all,1"},
        {"teg-fg", "fine:2,1,0.9;persistent:all,all,0.1"},
    };
    for (size_t i = 0; i < sizeof shorthand / sizeof shorthand[0]; i++)
        if (strcmp(text, shorthand[i][0]) == 0)
            text = shorthand[i][1];
    *o = (struct objective){.temperature = default_temperature};
    for (const char *at = text;; at++) {
        char part[128];
        size_t len = strcspn(at, ";");
        if (o->n_parts == OBJECTIVE_MAX)
            return err_set(e, "objective: more than %d granularities", OBJECTIVE_MAX);
        if (len >= sizeof part)
            return err_set(e, "objective: a granularity of %zu characters", len);
        memcpy(part, at, len);
        part[len] = '\0';
        if (parse_part(&o->part[o->n_parts++], part, e) < 0)
            return err_add(e, "objective");
        at += len;
        if (!*at)
            return 0;
    }
}

int objective_from_alpha(struct objective *o, double alpha, size_t k_short, size_t k_long,
                         struct err *e)
{
    if (!(alpha >= 0.0 && alpha <= 1.0))
        return err_set(e, "alpha %g: must be in 0..1", alpha);
    *o = (struct objective){.temperature = default_temperature};
    if (alpha > 0.0)
        o->part[o->n_parts++] = (struct granularity){"fine", k_short, k_long, alpha};
    if (alpha < 1.0)
        o->part[o->n_parts++] = (struct granularity){"persistent", 0, 0, 1.0 - alpha};
    return 0;
}

static const char *steps_text(char out[24], size_t k)
{
    if (k == OBJECTIVE_ALL_STEPS)
        return "all";
    snprintf(out, 24, "%zu", k);
    return out;
}

void objective_text(const struct objective *o, char *out, size_t bytes)
{
    size_t at = 0;
    for (int i = 0; i < o->n_parts && at < bytes; i++) {
        const struct granularity *g = &o->part[i];
        char a[24], b[24];
        at += (size_t)snprintf(out + at, bytes - at, "%s%s:%s,%s,%.9g", i ? ";" : "", g->head,
                               steps_text(a, g->k_short), steps_text(b, g->k_long), g->weight);
    }
}

void objective_heads(const struct objective *o, struct model_desc *d)
{
    d->n_heads = 0;
    for (int i = 0; i < o->n_parts; i++) {
        bool known = false;
        for (int h = 0; h < d->n_heads; h++)
            known = known || strcmp(d->head[h], o->part[i].head) == 0;
        if (!known)
            snprintf(d->head[d->n_heads++], sizeof d->head[0], "%s", o->part[i].head);
    }
}

/* -- equation 1 -- */

/* Mean source frame of embedding i of k steps; step t covers frames start + stride * (2t + 0.5) on
 * average. */
static double mean_frame(const struct sample *s, size_t k, size_t i)
{
    double first = 2.0 * (double)(i * k) + 0.5, last = 2.0 * (double)(i * k + k - 1) + 0.5;
    return (double)s->start + (double)s->stride * 0.5 * (first + last);
}

void objective_match(const struct clip_embeddings *short_clip,
                     const struct clip_embeddings *long_clip, uint32_t *match)
{
    for (size_t i = 0; i < short_clip->n; i++) {
        double at = mean_frame(short_clip->clip, short_clip->k, i), best = INFINITY;
        for (size_t j = 0; j < long_clip->n; j++) {
            double distance = fabs(at - mean_frame(long_clip->clip, long_clip->k, j));
            if (distance < best) {
                best = distance;
                match[i] = (uint32_t)j;
            }
        }
    }
}

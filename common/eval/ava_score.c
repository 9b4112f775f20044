/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/ava_score.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"

/* The rows of a table by class, in a class by frame (as the predictions order them), in a frame as
 * they stand. */
struct sorted {
    const struct ava_table *t;
    uint32_t *at;  /* [n] of rows */
    size_t *first; /* [n_classes + 1] of at */
};

struct ranked {
    uint64_t key; /* rises with the score */
    bool right;
};

struct scoring {
    const struct ava_data *d;
    struct sorted annotations, predictions;
    struct ranked *ranked, *scratch; /* [predictions of the largest class] */
    bool *taken;                     /* [annotations of the largest class] */
};

/* -- order -- */

static const struct ava_box *box_of(const struct ava_table *t, uint32_t row)
{
    return &t->boxes[t->rows[row].box];
}

static uint32_t order_of(const struct ava_data *d, const struct ava_box *box)
{
    return d->frames[box->frame].order;
}

/* One pass of a counting sort: `from` (NULL: as they stand) into `to`, by numbers below `n_keys`;
 * what has AVA_NO_ORDER comes last. `count` is [n_keys + 1]. */
struct pass {
    const struct ava_data *d;
    const struct ava_table *t;
    const uint32_t *from;
    uint32_t *to;
    size_t *count;
    size_t n_keys;
    bool by_class;
};

static size_t key_of(const struct pass *p, size_t i)
{
    uint32_t row = p->from ? p->from[i] : (uint32_t)i;
    size_t key = p->by_class ? p->t->rows[row].class : order_of(p->d, box_of(p->t, row));
    return key < p->n_keys ? key : p->n_keys - 1;
}

/* Afterwards count[k] is where key k begins. */
static void sort_pass(const struct pass *p)
{
    size_t n = p->t->n;
    for (size_t k = 0; k <= p->n_keys; k++)
        p->count[k] = 0;
    for (size_t i = 0; i < n; i++)
        p->count[key_of(p, i) + 1]++;
    for (size_t k = 0; k < p->n_keys; k++)
        p->count[k + 1] += p->count[k];
    for (size_t i = 0; i < n; i++)
        p->to[p->count[key_of(p, i)]++] = p->from ? p->from[i] : (uint32_t)i;
    for (size_t k = p->n_keys; k > 0; k--)
        p->count[k] = p->count[k - 1];
    p->count[0] = 0;
}

static int sort_table(struct sorted *s, const struct ava_data *d, const struct ava_table *t,
                      struct err *e)
{
    size_t n_orders = d->keys.n + 1;
    s->t = t;
    s->at = mem_new(t->n + 1, sizeof *s->at, e);
    s->first = mem_new(d->labels->n + 1, sizeof *s->first, e);
    uint32_t *by_frame = mem_new(t->n + 1, sizeof *by_frame, e);
    size_t *count = mem_new(n_orders + 1, sizeof *count, e);
    int rc = s->at && s->first && by_frame && count ? 0 : ERR_FAIL;
    struct pass frames = {.d = d, .t = t, .to = by_frame, .count = count, .n_keys = n_orders};
    struct pass classes = {.d = d,
                           .t = t,
                           .from = by_frame,
                           .to = s->at,
                           .count = s->first,
                           .n_keys = d->labels->n,
                           .by_class = true};
    if (rc == 0) {
        sort_pass(&frames);
        sort_pass(&classes);
    }
    free(by_frame);
    free(count);
    return rc;
}

/* -- matching -- */

static double overlap(const struct ava_box *a, const struct ava_box *b)
{
    double height = (a->y2 < b->y2 ? a->y2 : b->y2) - (a->y1 > b->y1 ? a->y1 : b->y1);
    double width = (a->x2 < b->x2 ? a->x2 : b->x2) - (a->x1 > b->x1 ? a->x1 : b->x1);
    double both = height > 0 && width > 0 ? height * width : 0;
    double area_a = (a->y2 - a->y1) * (a->x2 - a->x1), area_b = (b->y2 - b->y1) * (b->x2 - b->x1);
    return both / (area_a + area_b - both);
}

/* Annotations of one class and frame. */
struct group {
    const struct ava_table *t;
    const uint32_t *at; /* [n] rows */
    bool *taken;        /* [n] */
    size_t n;
};

static int check_group(const struct group *g, const char *class, struct err *e)
{
    for (size_t i = 0; i < g->n; i++) {
        const struct ava_box *box = box_of(g->t, g->at[i]);
        if (box->x1 > box->x2 || box->y1 > box->y2)
            return err_set(e, "%s: line %zu: the box of class '%s' ends before it begins",
                           g->t->files[box->file].name, box->line, class);
    }
    return 0;
}

/* Only the first of those that overlap most is tried. */
static bool is_right(struct group *g, const struct ava_box *predicted)
{
    size_t best = 0;
    double most = -1;
    for (size_t i = 0; i < g->n; i++) {
        double iou = overlap(predicted, box_of(g->t, g->at[i]));
        if (iou > most) {
            most = iou;
            best = i;
        }
    }
    if (!(most >= AVA_IOU) || g->taken[best])
        return false;
    g->taken[best] = true;
    return true;
}

/* Doubles as integers of the same order; 0 and -0 are one. */
static uint64_t key_of_score(double score)
{
    uint64_t bits;
    score += 0.0;
    memcpy(&bits, &score, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

/* Walks along predictions and annotations of a class, both in the order of the frames. */
static int match_class(struct scoring *s, size_t class, struct err *e)
{
    const struct sorted *p = &s->predictions, *a = &s->annotations;
    size_t end = a->first[class + 1], from = a->first[class], n = 0;
    struct group g = {.t = a->t, .taken = s->taken};
    uint32_t frame = UINT32_MAX; /* none */
    for (size_t i = p->first[class]; i < p->first[class + 1]; i++) {
        const struct ava_box *box = box_of(p->t, p->at[i]);
        if (box->frame != frame) {
            frame = box->frame;
            while (from < end && order_of(s->d, box_of(a->t, a->at[from])) < order_of(s->d, box))
                from++;
            g.at = a->at + from;
            for (g.n = 0; from < end && box_of(a->t, a->at[from])->frame == frame; from++)
                s->taken[g.n++] = false;
            if (check_group(&g, s->d->labels->classes[class].name, e) < 0)
                return ERR_FAIL;
        }
        uint64_t key = key_of_score(p->t->rows[p->at[i]].score);
        s->ranked[n++] = (struct ranked){key, is_right(&g, box)};
    }
    return 0;
}

/* -- average precision -- */

/* A stable sort by rising score: from the last in rank to the first. One pass a byte of the key. */
static void sort_ranked(struct scoring *s, size_t n)
{
    for (unsigned shift = 0; shift < 64; shift += 8) {
        size_t start[257] = {0};
        for (size_t i = 0; i < n; i++)
            start[(s->ranked[i].key >> shift & 255) + 1]++;
        for (size_t k = 0; k < 256; k++)
            start[k + 1] += start[k];
        for (size_t i = 0; i < n; i++)
            s->scratch[start[s->ranked[i].key >> shift & 255]++] = s->ranked[i];
        struct ranked *sorted = s->scratch;
        s->scratch = s->ranked;
        s->ranked = sorted;
    }
}

/*
 * `ranked` [n] from the last to the first, with `n_right` of them right. Compensated, as a class
 * may have a hundred thousand terms: a perfect ranking is 1 to the bit.
 */
static double area(const struct ranked *ranked, size_t n, size_t n_right, uint64_t n_boxes)
{
    double highest = 0, sum = 0, lost = 0;
    size_t right = n_right; /* among this one and those before it in rank */
    for (size_t i = 0; i < n; i++) {
        double precision = (double)right / (double)(n - i);
        highest = precision > highest ? precision : highest;
        if (!ranked[i].right)
            continue;
        double recall = (double)right / (double)n_boxes;
        double term = (recall - (double)(right - 1) / (double)n_boxes) * highest - lost;
        double next = sum + term;
        lost = (next - sum) - term;
        sum = next;
        right--;
    }
    return sum;
}

static int score_class(struct scoring *s, size_t class, struct ava_class_score *out, struct err *e)
{
    size_t n = s->predictions.first[class + 1] - s->predictions.first[class];
    *out = (struct ava_class_score){
        .ap = NAN,
        .n_boxes = s->annotations.first[class + 1] - s->annotations.first[class],
        .n_predictions = n,
    };
    if (match_class(s, class, e) < 0)
        return ERR_FAIL;
    for (size_t i = 0; i < n; i++)
        out->n_matched += s->ranked[i].right;
    if (out->n_boxes == 0)
        return 0;
    sort_ranked(s, n);
    out->ap = area(s->ranked, n, out->n_matched, out->n_boxes);
    return 0;
}

static size_t largest_class(const struct sorted *s, size_t n_classes)
{
    size_t most = 0;
    for (size_t k = 0; k < n_classes; k++)
        if (s->first[k + 1] - s->first[k] > most)
            most = s->first[k + 1] - s->first[k];
    return most;
}

int ava_score(const struct ava_data *d, struct ava_class_score *scores, struct err *e)
{
    struct scoring s = {.d = d};
    size_t n = d->labels->n;
    int rc = sort_table(&s.annotations, d, &d->annotations, e);
    if (rc == 0)
        rc = sort_table(&s.predictions, d, &d->predictions, e);
    if (rc == 0) {
        s.ranked = mem_new(largest_class(&s.predictions, n) + 1, sizeof *s.ranked, e);
        s.scratch = mem_new(largest_class(&s.predictions, n) + 1, sizeof *s.scratch, e);
        s.taken = mem_new(largest_class(&s.annotations, n) + 1, sizeof *s.taken, e);
        rc = s.ranked && s.scratch && s.taken ? 0 : ERR_FAIL;
    }
    for (size_t k = 0; rc == 0 && k < n; k++)
        rc = score_class(&s, k, &scores[k], e);
    free(s.annotations.at);
    free(s.annotations.first);
    free(s.predictions.at);
    free(s.predictions.first);
    free(s.ranked);
    free(s.scratch);
    free(s.taken);
    return rc;
}

double ava_mean_ap(const struct ava_class_score *scores, size_t n)
{
    double sum = 0;
    size_t n_scored = 0;
    for (size_t k = 0; k < n; k++)
        if (!isnan(scores[k].ap)) {
            sum += scores[k].ap;
            n_scored++;
        }
    return n_scored ? sum / (double)n_scored : NAN;
}

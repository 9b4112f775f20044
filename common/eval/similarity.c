/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/similarity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"

struct similarity {
    size_t n_channels, n_moments, n_full_expected;
    /* over all videos: unit vectors u, and S = the sum of a video's */
    double *total;       /* [C] sum of u */
    double *video_total; /* [C] S of the video at hand */
    double sum_square_s; /* sum over videos of |S|^2 */
    uint64_t n_units, n_ordered_pairs_within;
    double within; /* sum over videos with two moments or more */
    size_t n_within;
    /* of videos with n_moments moments */
    double *pair, *mean_sum, *mean; /* [n_moments, n_moments]: of the video at hand, sum, mean */
    size_t n_full;
    struct similarity_example examples[SIMILARITY_EXAMPLES];
    size_t n_examples;
    double *units; /* [capacity, C] of the video at hand */
    size_t capacity;
};

int similarity_new(struct similarity **out, size_t n_channels, size_t n_moments, size_t n_full,
                   struct err *e)
{
    struct similarity *s = mem_new(1, sizeof *s, e);
    if (!s)
        return ERR_FAIL;
    s->n_channels = n_channels;
    s->n_moments = n_moments > 1 && n_moments <= SIMILARITY_MAX_MOMENTS ? n_moments : 0;
    s->n_full_expected = n_full;
    size_t cells = s->n_moments * s->n_moments;
    s->total = mem_new(n_channels, sizeof *s->total, e);
    s->video_total = mem_new(n_channels, sizeof *s->video_total, e);
    s->pair = mem_new(cells ? cells : 1, sizeof *s->pair, e);
    s->mean_sum = mem_new(cells ? cells : 1, sizeof *s->mean_sum, e);
    s->mean = mem_new(cells ? cells : 1, sizeof *s->mean, e);
    if (!s->total || !s->video_total || !s->pair || !s->mean_sum || !s->mean) {
        similarity_free(s);
        return ERR_FAIL;
    }
    *out = s;
    return 0;
}

void similarity_free(struct similarity *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < SIMILARITY_EXAMPLES; i++) {
        free(s->examples[i].id);
        free(s->examples[i].cosine);
    }
    free(s->total);
    free(s->video_total);
    free(s->pair);
    free(s->mean_sum);
    free(s->mean);
    free(s->units);
    free(s);
}

/* In eight sums side by side, so that it is not the latency of one addition that counts. */
static double dot(const double *a, const double *b, size_t n)
{
    double lane[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t l = 0; l < 8; l++)
            lane[l] += a[i + l] * b[i + l];
    for (; i < n; i++)
        lane[i % 8] += a[i] * b[i];
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) +
           ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

/* Moments of the video as unit vectors into s->units, in ascending order of clip number; how many.
 */
static size_t unit_vectors(struct similarity *s, const struct similarity_video *v)
{
    size_t c = s->n_channels, n = 0;
    for (uint64_t from = 0;;) {
        uint64_t next = UINT64_MAX;
        for (size_t i = 0; i < v->n; i++)
            if (v->moment[i] >= from && v->moment[i] < next)
                next = v->moment[i];
        if (next == UINT64_MAX)
            return n;
        double *u = s->units + n++ * c;
        memset(u, 0, c * sizeof *u);
        for (size_t i = 0; i < v->n; i++)
            for (size_t k = 0; v->moment[i] == next && k < c; k++)
                u[k] += v->x[i * c + k];
        double norm = sqrt(dot(u, u, c));
        for (size_t k = 0; k < c; k++)
            u[k] /= norm > 0 ? norm : 1;
        from = next + 1;
    }
}

/* Adds to the sums behind similarity_within and similarity_between. */
static void add_sums(struct similarity *s, size_t n)
{
    size_t c = s->n_channels;
    double own = 0;
    memset(s->video_total, 0, c * sizeof *s->video_total);
    for (size_t i = 0; i < n; i++) {
        const double *u = s->units + i * c;
        own += dot(u, u, c);
        for (size_t k = 0; k < c; k++)
            s->video_total[k] += u[k];
    }
    for (size_t k = 0; k < c; k++)
        s->total[k] += s->video_total[k];
    double square = dot(s->video_total, s->video_total, c);
    s->sum_square_s += square;
    s->n_units += n;
    s->n_ordered_pairs_within += (uint64_t)n * n;
    if (n > 1) {
        s->within += (square - own) / ((double)n * (double)(n - 1));
        s->n_within++;
    }
}

/* Examples are the middles of equal stretches of the videos with a matrix. */
static bool is_example(const struct similarity *s, size_t at)
{
    size_t wanted =
        s->n_full_expected < SIMILARITY_EXAMPLES ? s->n_full_expected : SIMILARITY_EXAMPLES;
    return s->n_examples < wanted &&
           at == (2 * s->n_examples + 1) * s->n_full_expected / (2 * wanted);
}

static int add_matrix(struct similarity *s, const char *id, struct err *e)
{
    size_t m = s->n_moments, c = s->n_channels;
    struct similarity_example *example = NULL;
    if (is_example(s, s->n_full)) {
        example = &s->examples[s->n_examples];
        example->id = mem_strdup(id, e);
        example->cosine = mem_new(m * m, sizeof *example->cosine, e);
        if (!example->id || !example->cosine)
            return ERR_FAIL;
        s->n_examples++;
    }
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j <= i; j++)
            s->pair[i * m + j] = s->pair[j * m + i] = dot(s->units + i * c, s->units + j * c, c);
    for (size_t i = 0; i < m * m; i++)
        s->mean_sum[i] += s->pair[i];
    if (example)
        memcpy(example->cosine, s->pair, m * m * sizeof *s->pair);
    s->n_full++;
    for (size_t i = 0; i < m * m; i++)
        s->mean[i] = s->mean_sum[i] / (double)s->n_full;
    return 0;
}

int similarity_add(struct similarity *s, const struct similarity_video *video, struct err *e)
{
    if (video->n > s->capacity) {
        double *grown = mem_grow(s->units, video->n * s->n_channels, sizeof *grown, e);
        if (!grown)
            return ERR_FAIL;
        s->units = grown;
        s->capacity = video->n;
    }
    size_t n = unit_vectors(s, video);
    add_sums(s, n);
    return n == s->n_moments ? add_matrix(s, video->id, e) : 0;
}

bool similarity_within(const struct similarity *s, double *cosine)
{
    if (!s->n_within)
        return false;
    *cosine = s->within / (double)s->n_within;
    return true;
}

bool similarity_between(const struct similarity *s, double *cosine)
{
    double pairs = (double)s->n_units * (double)s->n_units - (double)s->n_ordered_pairs_within;
    if (pairs <= 0)
        return false;
    *cosine = (dot(s->total, s->total, s->n_channels) - s->sum_square_s) / pairs;
    return true;
}

size_t similarity_n_moments(const struct similarity *s)
{
    return s->n_moments;
}

size_t similarity_n_full(const struct similarity *s)
{
    return s->n_full;
}

const double *similarity_mean(const struct similarity *s)
{
    return s->n_full ? s->mean : NULL;
}

size_t similarity_n_examples(const struct similarity *s)
{
    return s->n_examples;
}

const struct similarity_example *similarity_example(const struct similarity *s, size_t i)
{
    return &s->examples[i];
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/detect_pa.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/buf.h"

/* -- filters, as in SciPy -- */

enum edge { EDGE_REFLECT, EDGE_NEAREST };

/* Where position i of an endless line is found in n numbers: d c b a | a b c d | d c b a, or
 * a a a a | a b c d | d d d d. */
static size_t position(long i, size_t n, enum edge edge)
{
    long last = (long)n - 1, period = 2 * (long)n;
    if (edge == EDGE_NEAREST)
        return (size_t)(i < 0 ? 0 : i > last ? last : i);
    i %= period;
    i += i < 0 ? period : 0;
    return (size_t)(i <= last ? i : period - 1 - i);
}

/* A Gaussian up to four deviations, of sum 1, or its second derivative; taps at 0 .. radius. */
static double *make_taps(double sigma, bool second, long *radius, struct err *e)
{
    *radius = (long)(4 * sigma + 0.5);
    double *taps = mem_new((size_t)*radius + 1, sizeof *taps, e), sum = 0;
    double variance = sigma * sigma;
    for (long i = 0; taps && i <= *radius; i++) {
        taps[i] = exp(-0.5 / variance * (double)(i * i));
        sum += i ? 2 * taps[i] : taps[i];
    }
    for (long i = 0; taps && i <= *radius; i++) {
        taps[i] /= sum;
        if (second)
            taps[i] *= (double)(i * i) / (variance * variance) - 1 / variance;
    }
    return taps;
}

struct filter {
    double sigma;
    bool second; /* derivative */
    enum edge edge;
};

static int apply(const struct filter *f, const double *in, size_t n, double *out, struct err *e)
{
    long radius;
    double *taps = make_taps(f->sigma, f->second, &radius, e);
    if (!taps)
        return ERR_FAIL;
    for (long i = 0; i < (long)n; i++) {
        double sum = in[i] * taps[0];
        for (long k = radius; k > 0; k--)
            sum += (in[position(i - k, n, f->edge)] + in[position(i + k, n, f->edge)]) * taps[k];
        out[i] = sum;
    }
    free(taps);
    return 0;
}

/* Central differences, one-sided ones at the ends. */
static double slope(const double *x, size_t n, size_t i)
{
    if (i == 0)
        return x[1] - x[0];
    return i == n - 1 ? x[i] - x[i - 1] : (x[i + 1] - x[i - 1]) / 2;
}

/* -- boundaries -- */

/* Where the slope falls through zero; of the two neighbours the flatter one. */
static size_t find_peaks(const double *x, size_t n, size_t *out)
{
    size_t n_out = 0;
    for (size_t i = 0; i + 1 < n; i++) {
        double here = slope(x, n, i), next = slope(x, n, i + 1);
        size_t peak = here > -next ? i + 1 : i;
        bool falls = here >= 0 && next <= 0 && here > next;
        if (falls && (n_out == 0 || out[n_out - 1] != peak))
            out[n_out++] = peak;
    }
    return n_out;
}

int pa_boundaries(const double *error, size_t n, const struct pa_options *o, size_t *out,
                  size_t *n_out, struct err *e)
{
    struct filter smooth = {.sigma = o->smooth, .edge = EDGE_REFLECT};
    struct filter laplace = {.sigma = o->scale, .second = true, .edge = EDGE_NEAREST};
    *n_out = 0;
    if (n < 2)
        return 0;
    double *signal = mem_new(n, sizeof *signal, e), *smoothed = mem_new(n, sizeof *smoothed, e);
    int rc = signal && smoothed ? 0 : ERR_FAIL;
    for (size_t i = 0; rc == 0 && i < n; i++)
        signal[i] = -error[i];
    if (rc == 0)
        rc = apply(&smooth, signal, n, smoothed, e);
    if (rc == 0)
        rc = apply(&laplace, smoothed, n, signal, e);
    if (rc == 0)
        *n_out = find_peaks(signal, n, out);
    free(signal);
    free(smoothed);
    return rc;
}

/* -- videos -- */

void pa_release(struct pa_memory *m)
{
    free(m->steps);
    gebd_series_release(&m->series);
    *m = (struct pa_memory){0};
}

/* Mean over the channels of the squared difference of the halves' means; a step in the middle
 * belongs to neither. */
static double error_of(const float *steps, size_t n_steps, size_t n_channels)
{
    size_t half = n_steps / 2;
    double sum = 0;
    for (size_t k = 0; k < n_channels; k++) {
        double before = 0, behind = 0;
        for (size_t t = 0; t < half; t++) {
            before += steps[t * n_channels + k];
            behind += steps[(n_steps - half + t) * n_channels + k];
        }
        double difference = (before - behind) / (double)half;
        sum += difference * difference;
    }
    return sum / (double)n_channels;
}

static int read_errors(struct embeddings *m, size_t video, struct pa_memory *memory,
                       size_t *n_windows, struct err *e)
{
    size_t n = embeddings_n_clips(m, video), n_steps = embeddings_n_steps(m),
           n_channels = embeddings_n_channels(m);
    struct gebd_window w = {0};
    int rc = gebd_series_reserve(&memory->series, n, e);
    if (rc == 0 && !memory->steps &&
        !(memory->steps = mem_new(n_steps, n_channels * sizeof *memory->steps, e)))
        rc = ERR_FAIL;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = embeddings_read(m, video, i, memory->steps, e);
        if (rc == 0)
            rc = gebd_series_add(&memory->series, &w, embeddings_clip(m, video, i),
                                 error_of(memory->steps, n_steps, n_channels), e);
    }
    *n_windows = w.n_windows;
    return rc;
}

struct json *pa_detect(struct embeddings *m, size_t video, const struct pa_options *o,
                       struct pa_memory *memory, struct err *e)
{
    size_t n, n_found = 0, *found = NULL;
    struct json *times = NULL;
    int rc = read_errors(m, video, memory, &n, e);
    if (rc == 0 && !(found = mem_new(n ? n : 1, sizeof *found, e)))
        rc = ERR_FAIL;
    if (rc == 0)
        rc = pa_boundaries(memory->series.score, n, o, found, &n_found, e);
    if (rc == 0 && !(times = json_new_array()))
        rc = err_set(e, "out of memory");
    for (size_t i = 0; rc == 0 && i < n_found; i++)
        if (json_append(times, json_new_f64(memory->series.time[found[i]])) < 0)
            rc = err_set(e, "out of memory");
    free(found);
    if (rc == 0)
        return times;
    json_free(times);
    return NULL;
}

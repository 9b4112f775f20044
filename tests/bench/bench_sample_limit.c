/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What writing tables costs by itself: bench_sample_limit SAMPLES OUT EPOCHS writes the first table
 * of a samples store EPOCHS times into a new one, and prints the rows written in a second.
 */
#include <stdlib.h>

#include "common/base/num.h"
#include "common/base/ui.h"
#include "common/store/samples.h"

static int put(struct store_writer *w, struct samples *s, size_t n_epochs, struct err *e)
{
    const struct sample *rows;
    size_t n_rows;
    if (samples_epoch(s, 0, &rows, &n_rows, e) < 0)
        return ERR_FAIL;
    double start = ui_seconds();
    for (size_t i = 0; i < n_epochs; i++) {
        if (samples_put_epoch(w, i, rows, n_rows, e) < 0)
            return ERR_FAIL;
    }
    printf("%.0f\n", (double)(n_rows * n_epochs) / (ui_seconds() - start));
    return 0;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct samples *s = NULL;
    struct store_writer *w = NULL;
    struct json *settings = json_new_object();
    struct store_spec spec = {.schema = SAMPLES_SCHEMA,
                              .version = SAMPLES_VERSION,
                              .tool = "bench",
                              .settings = settings,
                              .force = true};
    int64_t n_epochs = 0;
    int rc = argc == 4 ? num_i64(argv[3], 1, 1000000, &n_epochs, &e)
                       : err_set(&e, "usage: bench_sample_limit SAMPLES OUT EPOCHS");
    if (rc >= 0)
        rc = samples_open(&s, argv[1], &e);
    if (rc >= 0)
        rc = store_create(&w, argv[2], &spec, &e);
    if (rc >= 0)
        rc = put(w, s, (size_t)n_epochs, &e);
    store_abandon(w);
    samples_close(s);
    json_free(settings);
    if (rc < 0)
        fprintf(stderr, "bench_sample_limit: %s\n", e.text);
    return rc < 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/eval/heatmap.h"
#include "common/eval/probe_report.h"

enum { BACKGROUND = 0xffffff };

/* -- confusion -- */

/* Classes that are a label or a prediction of the test; their number. */
static size_t occurring(const struct probe_result *r, uint32_t *classes)
{
    size_t n = 0;
    for (size_t k = 0; k < r->data->n_classes; k++) {
        bool occurs = r->accuracy.classes[k].n > 0;
        for (size_t i = 0; i < r->data->set[PROBE_TEST].n_decisions && !occurs; i++)
            occurs = r->predicted[i] == k;
        if (occurs)
            classes[n++] = (uint32_t)k;
    }
    return n;
}

struct confusion {
    size_t n;
    uint32_t *classes; /* [n] */
    uint32_t *place;   /* [n_classes] of a class in `classes` */
    double *counts,
        *shares; /* [n, n], label by prediction: NaN instead of 0; of the label's decisions */
    const char **names;
};

static void confusion_release(struct confusion *c)
{
    free(c->classes);
    free(c->place);
    free(c->counts);
    free(c->shares);
    free(c->names);
}

static int confusion_init(struct confusion *c, const struct probe_result *r, struct err *e)
{
    const struct probe_set *test = &r->data->set[PROBE_TEST];
    size_t n_classes = r->data->n_classes;
    c->classes = mem_new(n_classes, sizeof *c->classes, e);
    c->place = mem_new(n_classes, sizeof *c->place, e);
    c->names = mem_new(n_classes, sizeof *c->names, e);
    if (!c->classes || !c->place || !c->names)
        return ERR_FAIL;
    c->n = occurring(r, c->classes);
    c->counts = mem_new(c->n * c->n, sizeof *c->counts, e);
    c->shares = mem_new(c->n * c->n, sizeof *c->shares, e);
    if (!c->counts || !c->shares)
        return ERR_FAIL;
    for (size_t i = 0; i < c->n; i++) {
        c->place[c->classes[i]] = (uint32_t)i;
        c->names[i] = index_class(r->data->index, r->data->of_events, c->classes[i]);
    }
    for (size_t i = 0; i < test->n_decisions; i++)
        c->counts[c->place[test->decisions[i].label] * c->n + c->place[r->predicted[i]]]++;
    for (size_t i = 0; i < c->n * c->n; i++) {
        uint64_t n = r->accuracy.classes[c->classes[i / c->n]].n;
        c->shares[i] = n ? c->counts[i] / (double)n : NAN;
        c->counts[i] = c->counts[i] > 0 ? c->counts[i] : NAN;
    }
    return 0;
}

/* Names need 9 pixels a cell; beyond a few thousand pixels the picture does without them. */
static size_t cell_for(size_t n)
{
    return n <= 24 ? 28 : n <= 80 ? 16 : n <= 480 ? 9 : n <= 1000 ? 4 : 2;
}

int probe_draw_confusion(const struct probe_result *r, const char *path, struct err *e)
{
    struct confusion c = {0};
    struct image im = {0};
    char title[128];
    size_t width, height;
    int rc = confusion_init(&c, r, e);
    snprintf(title, sizeof title,
             "label (row) by prediction (column), top-1 %.2f %%, share of the row",
             100 * accuracy_top1(&r->accuracy));
    struct heatmap map = {.title = title,
                          .rows = c.n,
                          .cols = c.n,
                          .values = c.shares,
                          .high = 1,
                          .row_names = c.names,
                          .col_names = c.names,
                          .numbers = c.counts,
                          .cell = cell_for(c.n)};
    if (rc == 0) {
        heatmap_size(&map, &width, &height);
        rc = image_init(&im, width, height, BACKGROUND, e);
    }
    if (rc == 0) {
        heatmap_draw(&im, 0, 0, &map);
        rc = image_write_png(path, &im, e);
    }
    image_release(&im);
    confusion_release(&c);
    return rc;
}

/* -- similarity -- */

struct tile {
    struct heatmap map;
    long x, y;
    char title[96];
};

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* The mean on top, the examples below it in rows of three. Returns the size of the picture. */
static void place_tiles(struct tile *tiles, size_t n, size_t *width, size_t *height)
{
    enum { COLUMNS = 3 };
    size_t w, h, y;
    heatmap_size(&tiles[0].map, width, height);
    y = *height;
    for (size_t i = 1; i < n; i++) {
        heatmap_size(&tiles[i].map, &w, &h);
        tiles[i].x = (long)((i - 1) % COLUMNS * w);
        tiles[i].y = (long)(y + (i - 1) / COLUMNS * h);
        *width = larger(*width, (size_t)tiles[i].x + w);
        *height = larger(*height, (size_t)tiles[i].y + h);
    }
}

/* At least wide enough for its title, so that all tiles of one kind are equally large. */
static struct heatmap moment_map(const struct similarity *s, const double *values, size_t cell)
{
    return (struct heatmap){.rows = similarity_n_moments(s),
                            .cols = similarity_n_moments(s),
                            .values = values,
                            .numbers = values,
                            .decimals = 2,
                            .high = 1,
                            .cell = cell};
}

int probe_draw_similarity(const struct probe_result *r, const char *path, struct err *e)
{
    const struct similarity *s = r->similarity;
    struct tile tiles[1 + SIMILARITY_EXAMPLES];
    struct image im = {0};
    size_t n = 1 + similarity_n_examples(s), width, height;
    size_t moments = similarity_n_moments(s), cell = moments <= 8 ? 36 : moments <= 16 ? 28 : 12;
    tiles[0] = (struct tile){.map = moment_map(s, similarity_mean(s), cell)};
    snprintf(tiles[0].title, sizeof tiles[0].title, "cosine between clips, mean of %zu videos",
             similarity_n_full(s));
    for (size_t i = 1; i < n; i++) {
        const struct similarity_example *one = similarity_example(s, i - 1);
        tiles[i] = (struct tile){.map = moment_map(s, one->cosine, cell)};
        size_t skip = strlen(one->id) > 30 ? strlen(one->id) - 30 : 0;
        snprintf(tiles[i].title, sizeof tiles[i].title, "%-30s", one->id + skip);
    }
    for (size_t i = 0; i < n; i++)
        tiles[i].map.title = tiles[i].title;
    place_tiles(tiles, n, &width, &height);
    int rc = image_init(&im, width, height, BACKGROUND, e);
    for (size_t i = 0; rc == 0 && i < n; i++)
        heatmap_draw(&im, tiles[i].x, tiles[i].y, &tiles[i].map);
    if (rc == 0)
        rc = image_write_png(path, &im, e);
    image_release(&im);
    return rc;
}

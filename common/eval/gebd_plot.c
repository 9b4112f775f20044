/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/gebd_plot.h"

#include <math.h>

#include "common/eval/gebd_video.h"
#include "common/nn/preview_sheets.h"
#include "common/nn/sheet.h"

enum {
    NAMES = 96,   /* width of the column with the names of the rows */
    TRACK = 960,  /* width of the line of time */
    ROW = 24,     /* height of a row of boundaries */
    CURVE = 96,   /* height of the scores */
    TILES = 8,    /* frames side by side */
    AXIS = 24,    /* height of the numbers below */
    HEADING = 56, /* height above the first row */
    LEFT = SHEET_MARGIN + NAMES,
};
enum { PREDICTED = 0xf2c14e, SCORE = 0x4fb3ff, TRUE = 0x6fdc8c, BAND = 0x35533f };

/* What is drawn. */
struct view {
    const struct gebd_plot *plot;
    struct gebd_entry entry;
    struct gebd_video video;
    struct gebd_match match[GEBD_THRESHOLDS];
    double seconds; /* of the whole line */
    struct gebd_series_memory memory;
    struct gebd_series series; /* n 0: no scores */
    struct preview preview;    /* frames NULL: no thumbnails */
    size_t at;                 /* of the video in the frames store */
    size_t tile_height;        /* 0: no thumbnails */
    struct image sheet;
};

/* -- what there is -- */

static int find_video(struct view *v, struct err *e)
{
    const struct gebd_request *q = v->plot->request;
    v->entry.id = v->plot->id;
    long at = gebd_truth_find(q->truth, v->plot->id);
    if (at < 0)
        return err_set(e, "%s: there is no video '%s'", gebd_truth_name(q->truth), v->plot->id);
    if (!(v->entry.truth = gebd_truth_video(q->truth, (size_t)at, e)))
        return ERR_FAIL;
    v->entry.predicted = gebd_find(q->predictions.json, v->plot->id, v->entry.truth);
    if (gebd_video_look(&v->video, q, &v->entry, e) < 0)
        return ERR_FAIL;
    const struct gebd_example *x = &v->video.example;
    v->seconds = x->length;
    if (q->rules == GEBD_NOTEBOOK)
        v->seconds /= json_f64(json_member(v->entry.truth, "fps"));
    if (!(x->length > 0) || !isfinite(x->length) || !(v->seconds > 0) || !isfinite(v->seconds))
        return err_set(e, "%s: video '%s': has no length to draw", gebd_truth_name(q->truth),
                       v->plot->id);
    struct gebd_matcher matcher = {0};
    int rc = x->detections.n ? gebd_match(&matcher, x, v->match, e) : 0;
    gebd_matcher_release(&matcher);
    return rc;
}

static int open_frames(struct view *v, struct err *e)
{
    const char *path = v->plot->frames;
    const char *other = json_str(json_member(v->entry.truth, "path_frame"));
    struct backend_options backend = {.device = "cpu", .n_threads = 1};
    if (backend_open(&v->preview.backend, &backend, e) < 0 ||
        frames_open(&v->preview.frames, path, e) < 0)
        return ERR_FAIL;
    long at = frames_find(v->preview.frames, v->plot->id);
    if (at < 0 && other)
        at = frames_find(v->preview.frames, other);
    if (at < 0)
        return err_set(e, "%s: there is no video '%s'", path, v->plot->id);
    const struct frames_info *info = frames_video(v->preview.frames, (size_t)at);
    if (info->n_frames < 1)
        return err_set(e, "%s: video '%s' has no frames: %s", path, v->plot->id, info->reason);
    v->at = (size_t)at;
    double height = (double)TRACK / TILES * info->height / info->width;
    v->tile_height = height < 1                     ? 1
                     : height > 4.0 * TRACK / TILES ? 4 * TRACK / TILES
                                                    : (size_t)height;
    return 0;
}

static int gather(struct view *v, struct err *e)
{
    int rc = find_video(v, e);
    if (rc == 0 && v->plot->scores)
        rc = gebd_scores_series(v->plot->scores, v->plot->id, v->entry.truth, &v->memory,
                                &v->series, e);
    if (rc == ERR_NOT_FOUND)
        rc = 0;
    if (rc == 0 && v->plot->frames)
        rc = open_frames(v, e);
    return rc;
}

/* -- drawing -- */

/* Pixel column of a share of the line of time. */
static long column(double share)
{
    double x = share > 0 ? fmin(share, 1) : 0; /* NaN too */
    return LEFT + lround(x * (TRACK - 1));
}

static void draw_name(struct view *v, long y, uint32_t rgb, const char *name)
{
    sheet_text(&v->sheet, SHEET_MARGIN, y, rgb, name);
}

static void draw_heading(struct view *v)
{
    const struct gebd_request *q = v->plot->request;
    const struct gebd_example *x = &v->video.example;
    const struct gebd_match *m = &v->match[v->plot->threshold];
    struct sheet_pen pen = {&v->sheet, SHEET_MARGIN, SHEET_MARGIN + SHEET_TITLE - 2, SHEET_FAINT};
    sheet_title(&v->sheet, SHEET_MARGIN, SHEET_MARGIN, v->plot->id);
    if (x->detections.n)
        sheet_printf(&pen,
                     "%.4g s, %zu predictions; %s rules at distance %.2f: F1 %.3f, %u of %u "
                     "boundaries of rater %u found",
                     v->seconds, x->detections.n, gebd_rules_names[q->rules],
                     gebd_thresholds[v->plot->threshold], m->f1, m->tp, m->n_positive, m->rater);
    else
        sheet_printf(&pen, "%.4g s, %s", v->seconds,
                     v->entry.predicted ? "no predictions within the video" : "not predicted");
}

static int draw_frames(struct view *v, long *y, struct err *e)
{
    int64_t n_frames = v->tile_height ? frames_video(v->preview.frames, v->at)->n_frames : 0;
    struct image_box box = {.width = TRACK / TILES - 2, .height = v->tile_height};
    for (long i = 0; v->tile_height && i < TILES; i++) {
        struct preview_frame which = {v->at, (2 * i + 1) * n_frames / (2 * TILES)};
        struct image tile;
        if (preview_frame(&v->preview, which, &tile, box, e) < 0)
            return ERR_FAIL;
        image_blit(&v->sheet, LEFT + i * (TRACK / TILES) + 1, *y, &tile);
        image_release(&tile);
    }
    *y += v->tile_height ? (long)v->tile_height + 8 : 0;
    return 0;
}

static void draw_scores(struct view *v, long *y)
{
    const struct gebd_series *s = &v->series;
    if (!s->n)
        return;
    image_fill(&v->sheet, (struct image_box){LEFT, *y, TRACK, CURVE}, SHEET_PANEL);
    draw_name(v, *y + CURVE / 2, SCORE, "scores");
    long level = *y + lround((1 - v->plot->score_threshold) * (CURVE - 1));
    image_fill(&v->sheet, (struct image_box){LEFT, level, TRACK, 1}, SHEET_RULE);
    struct sheet_segment line = {0};
    for (size_t i = 0; i < s->n; i++) {
        double score = s->score[i] < 0 ? 0 : s->score[i] > 1 ? 1 : s->score[i];
        line.x1 = column(s->time[i] / v->seconds);
        line.y1 = *y + lround((1 - score) * (CURVE - 2));
        if (i == 0)
            line = (struct sheet_segment){line.x1, line.y1, line.x1, line.y1};
        sheet_line(&v->sheet, line, SCORE);
        line.x0 = line.x1;
        line.y0 = line.y1;
    }
    *y += CURVE + 8;
}

static void draw_ticks(struct view *v, const struct gebd_times *times, long y, uint32_t rgb)
{
    for (size_t i = 0; i < times->n; i++)
        image_fill(
            &v->sheet,
            (struct image_box){column(times->at[i] / v->video.example.length) - 1, y, 3, ROW - 4},
            rgb);
}

/* How far from a boundary a prediction may be. */
static void draw_bands(struct view *v, const struct gebd_times *times, long y)
{
    double length = v->video.example.length, reach = gebd_thresholds[v->plot->threshold];
    for (size_t i = 0; i < times->n; i++) {
        long left = column(times->at[i] / length - reach),
             right = column(times->at[i] / length + reach);
        image_fill(&v->sheet, (struct image_box){left, y, (size_t)(right - left + 1), ROW - 4},
                   BAND);
    }
}

static void draw_rows(struct view *v, long *y)
{
    const struct gebd_example *x = &v->video.example;
    image_fill(&v->sheet, (struct image_box){LEFT, *y, TRACK, ROW - 4}, SHEET_PANEL);
    draw_name(v, *y + 7, PREDICTED, "predictions");
    draw_ticks(v, &x->detections, *y, PREDICTED);
    *y += ROW;
    for (size_t r = 0; r < x->n_raters; r++, *y += ROW) {
        bool best = x->detections.n && r == v->match[v->plot->threshold].rater;
        char name[32];
        snprintf(name, sizeof name, "rater %zu%s", r, best ? " (best)" : "");
        image_fill(&v->sheet, (struct image_box){LEFT, *y, TRACK, ROW - 4}, SHEET_PANEL);
        draw_name(v, *y + 7, best ? SHEET_TEXT : SHEET_FAINT, name);
        draw_bands(v, &x->raters[r], *y);
        for (size_t i = 0; i < x->detections.n; i++)
            image_fill(&v->sheet,
                       (struct image_box){column(x->detections.at[i] / x->length), *y, 1, ROW - 4},
                       PREDICTED);
        draw_ticks(v, &x->raters[r], *y, TRUE);
    }
}

/* Seconds, with a distance that leaves room for the numbers. */
static void draw_axis(struct view *v, long y)
{
    enum { MOST = 16 };
    double step = 1e-3;
    for (int i = 0; v->seconds / step > MOST; i++)
        step *= i % 3 == 1 ? 2.5 : 2;
    for (int i = 0; i * step <= v->seconds; i++) {
        long x = column(i * step / v->seconds);
        image_fill(&v->sheet, (struct image_box){x, y, 1, 4}, SHEET_RULE);
        sheet_printf(&(struct sheet_pen){&v->sheet, x - 6, y + 8, SHEET_FAINT}, "%.6g", i * step);
    }
    draw_name(v, y + 8, SHEET_FAINT, "seconds");
}

static int draw(struct view *v, struct err *e)
{
    size_t height = HEADING + AXIS + SHEET_MARGIN + ROW * (1 + v->video.example.n_raters);
    height += (v->tile_height ? v->tile_height + 8 : 0) + (v->series.n ? CURVE + 8 : 0);
    int rc = image_init(&v->sheet, LEFT + TRACK + SHEET_MARGIN, height, SHEET_BACKGROUND, e);
    if (rc < 0)
        return rc;
    long y = HEADING;
    draw_heading(v);
    rc = draw_frames(v, &y, e);
    draw_scores(v, &y);
    draw_rows(v, &y);
    draw_axis(v, y);
    return rc;
}

int gebd_plot_write(const struct gebd_plot *plot, const char *path, struct err *e)
{
    struct view v = {.plot = plot};
    int rc = gather(&v, e);
    if (rc == 0)
        rc = draw(&v, e);
    if (rc == 0)
        rc = image_write_png(path, &v.sheet, e);
    image_release(&v.sheet);
    frames_close(v.preview.frames);
    backend_close(v.preview.backend);
    gebd_series_release(&v.memory);
    gebd_video_release(&v.video);
    json_free(v.entry.truth);
    return rc;
}

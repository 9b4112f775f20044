/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sheet of one example: a strip of frames for each clip with a bar over the frames behind each
 * embedding, and, for a long and a short clip, the line of source frames with lines from every
 * short embedding to its match.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/nn/clips.h"
#include "common/nn/objective.h"
#include "common/nn/preview_sheets.h"
#include "common/nn/sheet.h"

enum {
    COLUMNS = 16,
    MAX_TILE = 112,
    MAX_CLIPS = 8,
    GAP = 2,
    BAR = 13,
    NUMBER = 12,
    THUMB = 120,
    HEADING = 48
};
enum { STRIP_GAP = 10, AXIS = 150 };

/* One clip and the embeddings that its steps are aggregated to. */
struct strip {
    struct sample row;
    size_t n_embeddings, k; /* k feature steps each; n_embeddings 0: not shown */
    uint32_t *colour;       /* [n_embeddings] */
    char (*label)[48];
    float *pixels; /* [length, S, S, 3] */
};

struct example {
    struct preview *preview;
    size_t video; /* in the frames store */
    struct strip strip[MAX_CLIPS];
    size_t n_strips, n_rows; /* clips shown, and all there are */
    bool pair;               /* strips are the long and the short clip */
    uint32_t *match;         /* [n_embeddings of the short clip] */
    size_t tile;             /* side of a tile */
};

/* -- what is shown -- */

static const char *role_name(const struct sample *row)
{
    return row->role == SAMPLE_LONG ? "long" : row->role == SAMPLE_SHORT ? "short" : "single";
}

/* Rows of the example, the long clip first. */
static int find_rows(struct example *x, struct err *e)
{
    const struct preview_options *o = x->preview->options;
    const struct sample *rows;
    size_t n_rows;
    int rc = samples_epoch(x->preview->samples, o->epoch, &rows, &n_rows, e);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n_rows; i++)
        if (rows[i].example == o->example && x->n_rows++ < MAX_CLIPS)
            x->strip[x->n_strips++].row = rows[i];
    if (x->n_strips == 0)
        return err_set(e, "%s: epoch %zu has no example %zu", o->store, o->epoch, o->example);
    if (x->n_strips == 2 && x->strip[0].row.role == SAMPLE_SHORT) {
        struct strip s = x->strip[0];
        x->strip[0] = x->strip[1];
        x->strip[1] = s;
    }
    x->pair = x->n_strips == 2 && x->strip[0].row.role == SAMPLE_LONG &&
              x->strip[1].row.role == SAMPLE_SHORT;
    const char *id = samples_id(x->preview->samples, x->strip[0].row.video);
    long video = frames_find(x->preview->frames, id);
    if (video < 0)
        return err_set(e, "%s: video %s is not in %s", o->store, id, o->frames);
    x->video = (size_t)video;
    return 0;
}

static int aggregate(struct strip *s, size_t k, struct err *e)
{
    size_t steps = (s->row.length + 1u) / 2;
    s->k = k ? k : steps;
    if (steps % s->k)
        return err_set(e, "the %s clip has %zu feature steps, which cannot be put together by %zu",
                       role_name(&s->row), steps, s->k);
    s->n_embeddings = steps / s->k;
    s->colour = mem_new(s->n_embeddings, sizeof *s->colour, e);
    s->label = mem_new(s->n_embeddings, sizeof *s->label, e);
    return s->colour && s->label ? 0 : ERR_FAIL;
}

/* Gives every short embedding a colour and its match the same. */
static int match(struct example *x, struct err *e)
{
    struct strip *lo = &x->strip[0], *sh = &x->strip[1];
    if (aggregate(lo, x->preview->options->aggregate[1], e) < 0 ||
        aggregate(sh, x->preview->options->aggregate[0], e) < 0)
        return ERR_FAIL;
    if (!(x->match = mem_new(sh->n_embeddings, sizeof *x->match, e)))
        return ERR_FAIL;
    objective_match(&(struct clip_embeddings){&sh->row, sh->k, sh->n_embeddings},
                    &(struct clip_embeddings){&lo->row, lo->k, lo->n_embeddings}, x->match);
    for (size_t j = 0; j < lo->n_embeddings; j++) {
        lo->colour[j] = SHEET_UNMATCHED;
        snprintf(lo->label[j], sizeof lo->label[j], "L%zu", j);
    }
    for (size_t i = 0; i < sh->n_embeddings; i++) {
        size_t j = x->match[i], len = strlen(lo->label[j]);
        sh->colour[i] = sheet_colour(i);
        snprintf(sh->label[i], sizeof sh->label[i], "S%zu > L%zu", i, j);
        if (lo->colour[j] == SHEET_UNMATCHED)
            lo->colour[j] = sh->colour[i];
        snprintf(lo->label[j] + len, sizeof lo->label[j] - len, "%sS%zu", len < 5 ? " < " : ",", i);
    }
    return 0;
}

static int render_strips(struct example *x, struct err *e)
{
    struct preview *p = x->preview;
    struct clips_options o = {.crop_size = p->options->crop_size, .dtype = DTYPE_F32};
    struct clips *c;
    int rc = clips_open(&c, p->frames, p->backend, &o, e);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < x->n_strips && rc == 0; i++) {
        struct strip *s = &x->strip[i];
        s->pixels = mem_aligned(clips_bytes(&o, s->row.length), e);
        rc = s->pixels ? clips_read(c, x->video, &s->row, s->pixels, e) : ERR_FAIL;
    }
    clips_close(c);
    return rc < 0 ? err_add_code(e, rc, "%s: epoch %zu: example %zu", p->options->store,
                                 p->options->epoch, p->options->example)
                  : 0;
}

/* -- drawing -- */

static size_t n_lines(const struct strip *s)
{
    return (s->row.length + COLUMNS - 1u) / COLUMNS;
}

static size_t line_height(const struct example *x, const struct strip *s)
{
    return (s->n_embeddings ? BAR : 0) + x->tile + NUMBER + GAP;
}

static size_t strip_height(const struct example *x, const struct strip *s)
{
    return THUMB + STRIP_GAP + n_lines(s) * line_height(x, s) + STRIP_GAP;
}

/* The whole first frame of the clip with the crop box; returns its width. */
static int put_source(struct example *x, const struct strip *s, long y, struct image *sheet,
                      struct err *e)
{
    const struct frames_info *info = frames_video(x->preview->frames, x->video);
    size_t width = (size_t)info->width * THUMB / (size_t)info->height;
    width = width < 1 ? 1 : width > 3 * THUMB ? 3 * THUMB : width;
    struct image tile;
    int64_t frame = sample_frame(&s->row, 0, info->n_frames);
    int rc = preview_frame(x->preview, (struct preview_frame){x->video, frame}, &tile,
                           (struct image_box){0, 0, width, THUMB}, e);
    if (rc < 0)
        return rc;
    image_blit(sheet, SHEET_MARGIN, y, &tile);
    image_release(&tile);
    size_t w = (size_t)info->width, h = (size_t)info->height;
    struct image_box box = {SHEET_MARGIN + (long)(s->row.crop_x * width / w),
                            y + (long)(s->row.crop_y * THUMB / h), s->row.crop_w * width / w,
                            s->row.crop_h * THUMB / h};
    sheet_outline(sheet, box, 2, sheet_colour(0));
    return (int)width;
}

static void put_jitter(struct sheet_pen *pen, const struct sample *s)
{
    static const char *const names[] = {"brightness", "contrast", "saturation", "hue"};
    static const unsigned block[] = {6, 2, 1, 1};
    const double value[] = {(double)s->brightness, (double)s->contrast, (double)s->saturation,
                            (double)s->hue};
    unsigned left[] = {0, 1, 2, 3}, number = s->order;
    char text[160] = "";
    for (size_t i = 0; i < 4; i++) { /* the permutation of that number, lexicographic */
        unsigned k = number / block[i], op = left[k];
        size_t len = strlen(text);
        number %= block[i];
        memmove(left + k, left + k + 1, (3 - k) * sizeof left[0]);
        snprintf(text + len, sizeof text - len, "%s%s %s%.3g", i ? ", " : "", names[op],
                 op == 3 ? (value[op] < 0 ? "" : "+") : "x", value[op]);
    }
    sheet_printf(pen, "jitter: %s", text);
}

static void put_parameters(const struct example *x, const struct strip *s, struct sheet_pen pen)
{
    const struct sample *r = &s->row;
    const struct frames_info *info = frames_video(x->preview->frames, x->video);
    sheet_title(pen.im, pen.x, pen.y, role_name(r));
    pen.y += SHEET_TITLE;
    sheet_printf(&pen, "%u frames from %d, stride %u, spanning %.2f s", (unsigned)r->length,
                 (int)r->start, (unsigned)r->stride,
                 (double)(r->length - 1) * r->stride * (double)info->fps_den /
                     (double)info->fps_num);
    pen.y += SHEET_LINE;
    sheet_printf(&pen, "crop %ux%u at (%u, %u), resized to %zux%zu%s", (unsigned)r->crop_w,
                 (unsigned)r->crop_h, (unsigned)r->crop_x, (unsigned)r->crop_y,
                 x->preview->options->crop_size, x->preview->options->crop_size,
                 r->flip ? ", mirrored" : "");
    pen.y += SHEET_LINE;
    if (r->jitter)
        put_jitter(&pen, r);
    else
        sheet_printf(&pen, "no jitter");
    pen.y += SHEET_LINE;
    char blur[48] = "no blur";
    if (r->blur > 0)
        snprintf(blur, sizeof blur, "blur, sigma %.3g pixels", (double)r->blur);
    sheet_printf(&pen, "%s%s%s", blur, r->grey ? ", greyscale" : "",
                 r->solarise ? ", solarised" : "");
    pen.y += SHEET_LINE;
    if (s->n_embeddings)
        sheet_printf(&pen, "%zu embedding%s of %zu feature step%s, %zu frames each",
                     s->n_embeddings, s->n_embeddings > 1 ? "s" : "", s->k, s->k > 1 ? "s" : "",
                     2 * s->k);
    else if (r->target >= 0)
        sheet_printf(&pen, "clip %u, view %u, target %d, weight %.3g", (unsigned)r->clip,
                     (unsigned)r->view, (int)r->target, (double)r->weight);
    else
        sheet_printf(&pen, "clip %u, view %u", (unsigned)r->clip, (unsigned)r->view);
}

/* Bars over the tiles of one line, a bar for each embedding that has tiles there. */
static void put_bars(const struct example *x, const struct strip *s, size_t line,
                     struct sheet_pen at)
{
    size_t from = line * COLUMNS, to = from + COLUMNS, step = x->tile + GAP, span = 2 * s->k;
    to = to < s->row.length ? to : s->row.length;
    for (size_t t = from; t < to;) {
        size_t embedding = t / span, end = (embedding + 1) * span;
        end = end < to ? end : to;
        struct image_box box = {at.x + (long)((t - from) * step), at.y, (end - t) * step - GAP,
                                BAR - 1};
        sheet_bar(at.im, box, s->colour[embedding], s->label[embedding]);
        t = end;
    }
}

static int put_tile(struct example *x, const struct strip *s, size_t t, struct sheet_pen at,
                    struct err *e)
{
    const struct frames_info *info = frames_video(x->preview->frames, x->video);
    size_t side = x->preview->options->crop_size;
    struct image tile;
    int rc = sheet_tile(&tile, (struct sheet_pixels){s->pixels + t * side * side * 3, side},
                        x->tile, x->tile, e);
    if (rc < 0)
        return rc;
    image_blit(at.im, at.x, at.y, &tile);
    image_release(&tile);
    at.y += (long)x->tile + 2;
    sheet_printf(&at, "%" PRId64, sample_frame(&s->row, (int64_t)t, info->n_frames));
    return 0;
}

static int put_strip(struct example *x, const struct strip *s, long y, struct image *sheet,
                     struct err *e)
{
    int width = put_source(x, s, y, sheet, e);
    if (width < 0)
        return width;
    put_parameters(x, s,
                   (struct sheet_pen){sheet, SHEET_MARGIN + width + SHEET_MARGIN, y, SHEET_TEXT});
    y += THUMB + STRIP_GAP;
    for (size_t t = 0; t < s->row.length; t++) {
        struct sheet_pen at = {sheet, SHEET_MARGIN + (long)(t % COLUMNS * (x->tile + GAP)),
                               y + (long)(t / COLUMNS * line_height(x, s)), SHEET_FAINT};
        if (s->n_embeddings) {
            if (t % COLUMNS == 0)
                put_bars(x, s, t / COLUMNS, at);
            at.y += BAR;
        }
        int rc = put_tile(x, s, t, at, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* -- the line of source frames -- */

struct axis {
    struct image *sheet;
    long left, right;
    double first, last; /* source frames at its ends */
};

static long at_frame(const struct axis *a, double frame)
{
    return a->left +
           lround((frame - a->first) / (a->last - a->first) * (double)(a->right - a->left));
}

/* First and last source frame of an embedding, and their mean (RECIPE section 2). */
static double embedding_first(const struct strip *s, size_t i)
{
    return s->row.start + (double)(2 * s->k * i) * s->row.stride;
}

static double embedding_last(const struct strip *s, size_t i)
{
    return s->row.start + (double)(2 * s->k * (i + 1) - 1) * s->row.stride;
}

static double embedding_mean(const struct strip *s, size_t i)
{
    return 0.5 * (embedding_first(s, i) + embedding_last(s, i));
}

static void put_spans(const struct axis *a, const struct strip *s, long y, const char *name)
{
    enum { HEIGHT = 18 };
    sheet_text(a->sheet, SHEET_MARGIN, y + 6, SHEET_TEXT, name);
    for (size_t i = 0; i < s->n_embeddings; i++) {
        long from = at_frame(a, embedding_first(s, i)), to = at_frame(a, embedding_last(s, i));
        char label[16];
        snprintf(label, sizeof label, "%c%zu", name[0] - 'a' + 'A', i);
        struct image_box box = {from, y, (size_t)(to > from ? to - from : 1), HEIGHT};
        sheet_bar(a->sheet, box, s->colour[i], box.width >= sheet_text_width(label) ? label : "");
    }
}

static void put_ticks(const struct axis *a, long y)
{
    enum { N_TICKS = 10 };
    image_fill(a->sheet, (struct image_box){a->left, y, (size_t)(a->right - a->left), 1},
               SHEET_RULE);
    for (int i = 0; i <= N_TICKS; i++) {
        double frame = a->first + (a->last - a->first) * i / N_TICKS;
        long x = at_frame(a, frame);
        image_fill(a->sheet, (struct image_box){x, y, 1, 5}, SHEET_RULE);
        sheet_printf(&(struct sheet_pen){a->sheet, x - 8, y + 8, SHEET_FAINT}, "%.0f", frame);
    }
}

static void put_axis(const struct example *x, long y, struct image *sheet)
{
    enum { NAME = 48, LONG_AT = 22, SHORT_AT = 90, TICKS_AT = 122, SPAN = 18 };
    const struct strip *lo = &x->strip[0], *sh = &x->strip[1];
    struct axis a = {sheet, SHEET_MARGIN + NAME, (long)sheet->width - 2 * SHEET_MARGIN, 0, 0};
    a.first = fmin(embedding_first(lo, 0), embedding_first(sh, 0));
    a.last =
        fmax(embedding_last(lo, lo->n_embeddings - 1), embedding_last(sh, sh->n_embeddings - 1));
    a.last = a.last > a.first ? a.last : a.first + 1;
    sheet_text(sheet, SHEET_MARGIN, y, SHEET_TEXT,
               "matched embeddings on the line of source frames: each short one with the long one "
               "whose mean frame is "
               "nearest (equation 1)");
    put_spans(&a, lo, y + LONG_AT, "long");
    put_spans(&a, sh, y + SHORT_AT, "short");
    for (size_t i = 0; i < sh->n_embeddings; i++) {
        struct sheet_segment s = {at_frame(&a, embedding_mean(lo, x->match[i])), y + LONG_AT + SPAN,
                                  at_frame(&a, embedding_mean(sh, i)), y + SHORT_AT};
        sheet_line(sheet, s, sh->colour[i]);
    }
    put_ticks(&a, y + TICKS_AT);
}

static void put_heading(const struct example *x, struct image *sheet)
{
    const struct preview_options *o = x->preview->options;
    const struct frames_info *info = frames_video(x->preview->frames, x->video);
    sheet_title(sheet, SHEET_MARGIN, SHEET_MARGIN, frames_id(x->preview->frames, x->video));
    char shown[80] = "";
    if (x->n_rows > x->n_strips)
        snprintf(shown, sizeof shown, " (the first %zu of its %zu clips)", x->n_strips, x->n_rows);
    sheet_printf(
        &(struct sheet_pen){sheet, SHEET_MARGIN, SHEET_MARGIN + SHEET_TITLE - 2, SHEET_FAINT},
        "epoch %zu, example %zu%s; video of %" PRId64 " frames, %.4g a second, %dx%d", o->epoch,
        o->example, shown, info->n_frames, (double)info->fps_num / (double)info->fps_den,
        info->width, info->height);
}

static int draw_example(struct example *x, struct image *sheet, struct err *e)
{
    size_t columns = 0, height = SHEET_MARGIN + HEADING + (x->pair ? AXIS : 0) + SHEET_MARGIN;
    for (size_t i = 0; i < x->n_strips; i++) {
        size_t length = x->strip[i].row.length;
        columns = length > columns ? length : columns;
        height += strip_height(x, &x->strip[i]);
    }
    columns = columns < COLUMNS ? columns : COLUMNS;
    enum { MIN_WIDTH = 800 };
    size_t width = 2 * SHEET_MARGIN + columns * (x->tile + GAP) - GAP;
    int rc = image_init(sheet, width > MIN_WIDTH ? width : MIN_WIDTH, height, SHEET_BACKGROUND, e);
    if (rc < 0)
        return rc;
    put_heading(x, sheet);
    long y = SHEET_MARGIN + HEADING;
    for (size_t i = 0; i < x->n_strips; i++) {
        if ((rc = put_strip(x, &x->strip[i], y, sheet, e)) < 0)
            return rc;
        y += (long)strip_height(x, &x->strip[i]);
    }
    if (x->pair)
        put_axis(x, y, sheet);
    return 0;
}

int preview_example(struct preview *p, struct image *sheet, struct err *e)
{
    size_t side = p->options->crop_size;
    struct example x = {.preview = p, .tile = side < MAX_TILE ? side : MAX_TILE};
    int rc = find_rows(&x, e);
    if (rc == 0 && x.pair)
        rc = match(&x, e);
    if (rc == 0)
        rc = render_strips(&x, e);
    if (rc == 0)
        rc = draw_example(&x, sheet, e);
    for (size_t i = 0; i < x.n_strips; i++) {
        free(x.strip[i].colour);
        free(x.strip[i].label);
        free(x.strip[i].pixels);
    }
    free(x.match);
    return rc;
}

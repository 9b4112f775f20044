/* SPDX-License-Identifier: Apache-2.0 */
/* Contact sheet of a video's frames. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/nn/clips.h"
#include "common/nn/preview_sheets.h"
#include "common/nn/sheet.h"

enum { COLUMNS = 6, TILE = 224, LABEL = 14, GAP = 6 };

/* The frame is rendered as a square of twice the tile's longer side, then shrunk by means over
 * areas. */
int preview_frame(struct preview *p, struct preview_frame which, struct image *tile,
                  struct image_box size, struct err *e)
{
    const struct frames_info *info = frames_video(p->frames, which.video);
    struct clips_options o = {.crop_size =
                                  2 * (size.width > size.height ? size.width : size.height)};
    struct sample s = {.start = (int32_t)which.frame,
                       .stride = 1,
                       .length = 1,
                       .crop_w = (uint16_t)info->width,
                       .crop_h = (uint16_t)info->height};
    struct clips *c;
    int rc = clips_open(&c, p->frames, p->backend, &o, e);
    if (rc < 0)
        return rc;
    float *rgb = mem_aligned(clips_bytes(&o, 1), e);
    rc = rgb ? clips_read(c, which.video, &s, rgb, e) : ERR_FAIL;
    if (rc == 0)
        rc = sheet_tile(tile, (struct sheet_pixels){rgb, o.crop_size}, size.width, size.height, e);
    free(rgb);
    clips_close(c);
    return rc;
}

struct grid {
    size_t n_tiles, width, height; /* of a tile */
};

static struct grid plan_grid(const struct frames_info *info, size_t n_wanted)
{
    size_t n_frames = (size_t)info->n_frames;
    size_t width = (size_t)info->width, height = (size_t)info->height,
           longer = width > height ? width : height;
    struct grid g = {.n_tiles = n_frames < n_wanted ? n_frames : n_wanted};
    g.width = width * TILE / longer ? width * TILE / longer : 1;
    g.height = height * TILE / longer ? height * TILE / longer : 1;
    return g;
}

static int put_tiles(struct preview *p, size_t video, const struct grid *g, struct image *sheet,
                     struct err *e)
{
    const struct frames_info *info = frames_video(p->frames, video);
    for (size_t i = 0; i < g->n_tiles; i++) {
        int64_t frame =
            g->n_tiles > 1 ? (int64_t)i * (info->n_frames - 1) / (int64_t)(g->n_tiles - 1) : 0;
        long x = SHEET_MARGIN + (long)(i % COLUMNS * (g->width + GAP));
        long y = 2 * SHEET_MARGIN + SHEET_TITLE + (long)(i / COLUMNS * (g->height + LABEL + GAP));
        struct image tile;
        int rc = preview_frame(p, (struct preview_frame){video, frame}, &tile,
                               (struct image_box){0, 0, g->width, g->height}, e);
        if (rc < 0)
            return rc;
        image_blit(sheet, x, y, &tile);
        image_release(&tile);
        double seconds = (double)frame * (double)info->fps_den / (double)info->fps_num;
        sheet_printf(&(struct sheet_pen){sheet, x, y + (long)g->height + 3, SHEET_FAINT},
                     "%" PRId64 "  %.2f s", frame, seconds);
    }
    return 0;
}

static void put_heading(const struct preview *p, size_t video, struct image *sheet)
{
    static const char *const matrices[] = {"BT.601", "BT.709", "BT.2020"};
    const struct frames_info *info = frames_video(p->frames, video);
    double fps = (double)info->fps_num / (double)info->fps_den;
    sheet_title(sheet, SHEET_MARGIN, SHEET_MARGIN, frames_id(p->frames, video));
    sheet_printf(
        &(struct sheet_pen){sheet, SHEET_MARGIN, SHEET_MARGIN + SHEET_TITLE - 2, SHEET_FAINT},
        "%dx%d, %" PRId64 " frames, %.4g frames/s, %.2f s, %s %s range%s%s", info->width,
        info->height, info->n_frames, fps, (double)info->n_frames / fps, matrices[info->matrix],
        info->full_range ? "full" : "limited", *info->reason ? "; " : "", info->reason);
}

int preview_video(struct preview *p, struct image *sheet, struct err *e)
{
    const char *path = store_path(frames_store(p->frames));
    long video = frames_find(p->frames, p->options->id);
    if (video < 0)
        return err_set(e, "%s: there is no video %s", path, p->options->id);
    const struct frames_info *info = frames_video(p->frames, (size_t)video);
    if (info->n_frames < 1)
        return err_set(e, "%s: video %s has no frames: %s", path, p->options->id, info->reason);
    struct grid g = plan_grid(info, p->options->n_tiles ? p->options->n_tiles : 1);
    size_t n_lines = (g.n_tiles + COLUMNS - 1) / COLUMNS,
           n_columns = g.n_tiles < COLUMNS ? g.n_tiles : COLUMNS;
    size_t width = 2 * SHEET_MARGIN + n_columns * (g.width + GAP) - GAP;
    size_t height = 3 * SHEET_MARGIN + SHEET_TITLE + n_lines * (g.height + LABEL + GAP) - GAP;
    enum { HEADING_WIDTH = 640 };
    int rc = image_init(sheet, width > HEADING_WIDTH ? width : HEADING_WIDTH, height,
                        SHEET_BACKGROUND, e);
    if (rc < 0)
        return rc;
    put_heading(p, (size_t)video, sheet);
    return put_tiles(p, (size_t)video, &g, sheet, e);
}

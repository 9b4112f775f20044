/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The samples store (schema "samples"): every random choice of a run, made ahead. Key `videos`
 * holds the JSON list of ids, key `classes` (where clips have targets) that of the names of the
 * targets, key `boxes` (where clips are centred on key frames) a table of the boxes in them, key
 * `epoch/<8 digits>` one table: a structured .npy of `struct sample`, one row a clip, in batch
 * order. The rows of one example follow each other. See schemas/samples.md.
 */
#ifndef TEG_STORE_SAMPLES_H
#define TEG_STORE_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/store/store.h"

#define SAMPLES_SCHEMA "samples"
enum { SAMPLES_VERSION = 1 };

enum sample_role { SAMPLE_LONG = 0, SAMPLE_SHORT = 1, SAMPLE_SINGLE = 2 };
enum sample_edge { SAMPLE_WRAP = 0, SAMPLE_CLAMP = 1 };

/*
 * One clip. 64 bytes, little endian: the columns of the table, in this order, with these names.
 * Frame t of the clip is stored frame start + t * stride, put into the video by `edge`: modulo
 * n_frames, or clamped to its ends. `start` is what it is before that: < 0 and >= n_frames occur.
 */
struct sample {
    uint32_t video;   /* position in `videos` */
    uint32_t example; /* number of the example within the epoch; long and short clip share it */
    int32_t start;    /* stored frame */
    uint16_t stride;  /* stored frames */
    uint16_t length;  /* frames */
    uint32_t clip;    /* number within the video: event, window, clip of a plan; 0 of a pair */
    uint16_t crop_x, crop_y, crop_w, crop_h; /* pixels of the picture in its true size */
    uint8_t role;                            /* enum sample_role */
    uint8_t view;                            /* number of the crop of a clip */
    uint8_t edge;                            /* enum sample_edge */
    uint8_t flip;                            /* 1: mirror left-right */
    uint8_t jitter;   /* 1: apply brightness, contrast, saturation, hue in `order` */
    uint8_t order;    /* which of the 24 permutations of those four, in lexicographic order */
    uint8_t grey;     /* 1: greyscale */
    uint8_t solarise; /* 1: x >= 0.5 becomes 1 - x */
    float brightness, contrast, saturation; /* factors */
    float hue;                              /* turn of the colour circle, -0.5..0.5 */
    float blur;     /* sigma of the Gaussian in output pixels, at any output size; 0 none */
    int32_t target; /* class number; -1 none */
    float weight;   /* of the example in a loss; 1 */
};
_Static_assert(sizeof(struct sample) == 64, "struct sample is the file format");

/* The .npy descr of the table (a list of 25 columns). */
const char *samples_descr(void);

enum { SAMPLE_MAX_LABELS = 128 }; /* classes that a box can have */

/*
 * A person in a key frame: the clip number `clip` of a video is centred on it. 56 bytes, little
 * endian: the columns of the table, by video, clip and in the order of the index.
 */
struct sample_box {
    uint32_t video, clip;           /* as in struct sample */
    float left, top, right, bottom; /* shares of the whole picture */
    float score;                    /* certainty of a detector; 1 where it was annotated */
    int32_t person;                 /* the same number for the same person; -1 unknown */
    double timestamp;               /* of the key frame, as the data set counts seconds */
    uint64_t labels[2];             /* bit k % 64 of number k / 64: class k */
};
_Static_assert(sizeof(struct sample_box) == 56, "struct sample_box is the file format");

static inline bool sample_box_has(const struct sample_box *b, size_t label)
{
    return b->labels[label / 64] >> label % 64 & 1;
}

/* The .npy descr of the table (a list of 11 columns). */
const char *samples_boxes_descr(void);

/* Source frame of frame t of a clip in a video of n_frames stored frames; n_frames > 0. */
int64_t sample_frame(const struct sample *s, int64_t t, int64_t n_frames);

struct samples;
int samples_open(struct samples **s, const char *path, struct err *e);
void samples_close(struct samples *s);
const struct store *samples_store(const struct samples *s);
size_t samples_n_videos(const struct samples *s);
const char *samples_id(const struct samples *s, size_t video);
const char *const *samples_ids(const struct samples *s); /* [samples_n_videos] */
/* Names of the targets, an array of strings with position = target; NULL where the store has none.
 */
struct json *samples_classes(const struct samples *s);
size_t samples_n_epochs(const struct samples *s);
/* A whole epoch, checked (video in range, sizes positive ...); valid until another epoch is asked
 * for, and free of cost until then. */
int samples_epoch(struct samples *s, size_t epoch, const struct sample **rows, size_t *n_rows,
                  struct err *e);

/* The table of boxes, checked; none where the store has no such record. The caller frees it. */
int samples_boxes(struct samples *s, struct sample_box **boxes, size_t *n, struct err *e);
/* What samples_boxes checks: order, ranges, finite numbers. The error names the row. */
int samples_check_boxes(const struct sample_box *boxes, size_t n, size_t n_videos, struct err *e);

/* What samples_epoch checks of a table's rows; the error names the row. */
int samples_check_rows(const struct sample *rows, size_t n_rows, size_t n_videos, struct err *e);

/* Writes one epoch under its key. */
int samples_put_epoch(struct store_writer *w, size_t epoch, const struct sample *rows,
                      size_t n_rows, struct err *e);
int samples_put_videos(struct store_writer *w, const char *const *ids, size_t n, struct err *e);
/* Before the classes. */
int samples_put_boxes(struct store_writer *w, const struct sample_box *boxes, size_t n,
                      struct err *e);
/* Before the first epoch. */
int samples_put_classes(struct store_writer *w, const char *const *names, size_t n, struct err *e);

#endif

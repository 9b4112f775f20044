/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Synthetic videos with known labels, in the layout of a data set. One world (synth_plan.c says
 * what is in a video, synth_render.c paints it) serves all data sets; a data set is one file with a
 * `struct synth_kind`: defaults, the place of a video's file, and the annotation files.
 *
 * The world: behind everything an oriented grating that stays for the whole video (its orientation
 * is the video's class, the "scene"), in front of it one shape after the other, each with a motion
 * of its own (which shape it is, is the class of the event). Everything else is drawn at random for
 * every video or event.
 *
 *     struct synth_options o;
 *     synth_options_init(&o);
 *     o.kind = synth_find("events");
 *     o.folder = "world";
 *     o.n_videos = 100;
 *     synth_write(&o, 4, ui, &e);
 */
#ifndef TEG_DATASETS_SYNTH_H
#define TEG_DATASETS_SYNTH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/ui.h"
#include "common/video/encode.h"

enum { SYNTH_MAX_EVENTS = 32, SYNTH_MAX_SCENES = 36, SYNTH_N_SHAPES = 8 };
enum synth_split { SYNTH_TRAIN, SYNTH_VAL, SYNTH_N_SPLITS };

/* Numbers below 0 mean: as the kind has it. */
struct synth_options {
    const struct synth_kind *kind;
    const char *folder;  /* where everything goes */
    int64_t n_videos;    /* both splits together */
    double val_fraction; /* rounded to whole videos */
    int64_t seed;
    int size;     /* width and height in pixels, even */
    int n_frames; /* of a video */
    int64_t fps_num, fps_den;
    int n_events, n_scenes, n_shapes;
    double
        jitter; /* a boundary lies up to this share of an event's mean length off its even place */
    int codec;  /* enum encode_codec */
    int quality, gop; /* as in encode.h */
    bool annotations_only;
};

/* One thing that happens: a shape that moves. Lengths are in units of the picture's side. */
struct synth_event {
    unsigned shape;       /* the label */
    int64_t start, end;   /* frames start .. end-1 */
    double x, y, radius;  /* centre of the motion, size of the shape */
    double angle;         /* first orientation, radians */
    double period, phase; /* of the motion: frames, radians */
    double turn;          /* direction of the motion: +1 or -1 */
    double rgb[3];        /* 0..1 */
};

/* Everything there is to know about one video. */
struct synth_plan {
    enum synth_split split;
    uint64_t number;             /* within the split */
    unsigned scene;              /* the class: orientation scene * 180 / n_scenes degrees */
    double angle, cycles, phase; /* of the grating: radians, periods per side, radians */
    double rgb[2][3];            /* its two colours */
    int n_events;
    struct synth_event event[SYNTH_MAX_EVENTS];
};

struct synth_kind {
    const char *name;
    const char *what;              /* one line for --help */
    struct synth_options defaults; /* numbers only; quality -1: as the codec has it */
    /* What the kind asks of completed options beside what all do; or NULL. */
    int (*check)(const struct synth_options *o, struct err *e);
    /* Appends the path of a video's file below `folder`; its extension decides on the container. */
    int (*path)(const struct synth_options *o, const struct synth_plan *p, struct buf *out,
                struct err *e);
    /* Writes the annotation files, when all videos are there. */
    int (*annotate)(const struct synth_options *o, struct err *e);
};

extern const struct synth_kind *const synth_kinds[]; /* NULL-ended */
extern const struct synth_kind synth_events;
extern const struct synth_kind synth_kinetics;
extern const struct synth_kind synth_ucf101;
extern const struct synth_kind synth_hmdb51;
extern const struct synth_kind synth_ssv2;
extern const struct synth_kind synth_diving48;
extern const struct synth_kind synth_vidsitu;
extern const struct synth_kind synth_gebd;
extern const struct synth_kind synth_ava;
extern const struct synth_kind synth_ava_kinetics;

/* The kind of this name; NULL where there is none. */
const struct synth_kind *synth_find(const char *name);
/* Everything as the kind has it; no kind, no folder, seed 1. */
void synth_options_init(struct synth_options *o);
/* Puts the kind's numbers where none are given, and says which one is out of range. */
int synth_options_complete(struct synth_options *o, struct err *e);

/* Number of videos of a split; the videos of a split are numbered from 0. */
uint64_t synth_n_videos(const struct synth_options *o, enum synth_split split);
const char *synth_split_name(enum synth_split split);
/* Class names. A scene's goes into `out`: "grating-036", the orientation in whole degrees. */
enum { SYNTH_NAME_BYTES = 24 };
void synth_scene_name(const struct synth_options *o, unsigned scene, char out[SYNTH_NAME_BYTES]);
long synth_scene_degrees(const struct synth_options *o, unsigned scene);
const char *synth_shape_name(unsigned shape);

/* The video `number` of a split: depends on the seed and the world's options, not on how many
 * videos there are. */
void synth_plan(const struct synth_options *o, enum synth_split split, uint64_t number,
                struct synth_plan *p);

/*
 * Painting: the grating once per video, then frame by frame. Colours are converted to Y'CbCr
 * BT.601, limited range; `nv12` is uint8 [3 size/2, size].
 */
struct synth_canvas;
int synth_canvas_new(struct synth_canvas **c, int size, struct err *e);
void synth_canvas_free(struct synth_canvas *c);
void synth_paint_scene(struct synth_canvas *c, const struct synth_plan *p);
void synth_paint_frame(struct synth_canvas *c, const struct synth_plan *p, int64_t frame,
                       uint8_t *nv12);

/* A shape with its motion at one moment. */
struct synth_pose {
    double x, y, radius, angle; /* as in synth_event */
    double squash;              /* height over width, 0..1 */
};
void synth_pose(const struct synth_event *event, int64_t frame, struct synth_pose *pose);
/* Signed distance from (x, y) to the outline of the shape of radius 1 at the origin; negative
 * inside. */
double synth_shape_distance(unsigned shape, double x, double y);

/* Number of the event that a frame shows. */
int synth_event_at(const struct synth_plan *p, int64_t frame);
/* The smallest box around the pixels of a frame that are inside the shape: left, top, right, bottom
 * as shares of the side; false where none is. */
bool synth_shape_box(const struct synth_options *o, const struct synth_plan *p, int64_t frame,
                     double box[4]);

/*
 * Completes a copy of the options and writes FOLDER/settings.json, the videos, the annotation
 * files, in this order. Files appear whole or not at all. Videos that exist are kept when
 * settings.json says that they were made by the same options; with other options it fails and names
 * the first difference.
 */
int synth_write(const struct synth_options *o, size_t n_threads, struct ui *ui, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index store (schema "index"): one JSON record a video, key = video id. What importers fill,
 * what every later tool reads labels from. See schemas/index.md.
 */
#ifndef TEG_STORE_INDEX_H
#define TEG_STORE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/json.h"
#include "common/store/store.h"

#define INDEX_SCHEMA "index"
enum { INDEX_VERSION = 1 };

/* Something that happens between two times of a video. */
struct event {
    double start, end; /* seconds */
    char *label;       /* or NULL: unknown */
    char **labels;     /* what each annotator said, where there were several */
    size_t n_labels;
};

struct video {
    char *id;          /* key; see index_check_id */
    char *path;        /* relative to the index's root */
    char *split;       /* "train", "val", "test" or NULL */
    char *class_name;  /* video-level class or NULL */
    int width, height; /* pixels as coded, before rotation; 0 where bad */
    int rotation;      /* degrees clockwise to be applied for display: 0, 90, 180, 270 */
    int64_t fps_num, fps_den;
    int64_t n_frames; /* counted where verified, else as the container says or duration * fps; 0
                         unknown */
    double duration;  /* seconds */
    char *codec;      /* FFmpeg's name, "h264" */
    bool variable_rate;
    bool verified; /* every frame was decoded once */
    bool ok;       /* false: `reason` says why */
    char *reason;  /* also set with ok where something is odd but usable; or NULL */
    struct event *events;
    size_t n_events;
    struct json *extra; /* annotations of other kinds by name: "boundaries", "boxes" ...; or NULL */
};

void video_release(struct video *v);     /* frees the members, zeroes */
void event_release(struct event *event); /* the same */
struct json *
video_to_json(const struct video *v); /* members in a fixed order, absent ones left out */
int video_from_json(struct video *v, const struct json *j, struct err *e); /* fills a zeroed v */

enum { INDEX_MAX_ID = 480 };
/* An id is 1..480 bytes of UTF-8, without control characters, not starting with '!', and its last
 * '/'-separated part is not exactly 8 digits (that form names a frame). The error says which rule.
 */
int index_check_id(const char *id, struct err *e);

/* The members of `extra` that schemas/index.md describes have the form that it says; others may be
 * anything. */
int index_check_extra(const struct json *extra, struct err *e);

struct index; /* a whole index in memory, in key order */
int index_open(struct index **x, const char *path, struct err *e);
void index_close(struct index *x);
size_t index_n_videos(const struct index *x);
const struct video *index_video(const struct index *x, size_t i);
const struct video *index_find(const struct index *x, const char *id); /* NULL where absent */
/* Class names (video classes, or event labels); position = class number. Those of settings.classes
 * or settings.labels, else the distinct names that occur, in byte order. */
size_t index_n_classes(const struct index *x, bool of_events);
const char *index_class(const struct index *x, bool of_events, size_t i);
/* Number of a class name, or -1. */
int index_class_number(const struct index *x, bool of_events, const char *name);
/* What `boxes` may be labelled with, an array of {"id", "name"}; NULL where the index lists none.
 */
struct json *index_actions(const struct index *x);
const struct store *index_store(const struct index *x);
/* The folder with the videos: settings.root seen from the index file's own folder. Caller frees. */
char *index_root(const struct index *x);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/datasets/ava_files.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/json_items.h"
#include "common/base/num.h"
#include "common/datasets/annotation_files.h"

typedef int rows_fn(struct key_frames *k, const char *text, size_t len, const char *split,
                    struct err *e);

struct reading {
    struct key_frames *k;
    rows_fn *read;
    const char *split; /* NULL: the file's name tells */
};

static int read_excluded(struct key_frames *k, const char *text, size_t len, const char *split,
                         struct err *e)
{
    (void)split;
    return key_frames_read_excluded(k, text, len, e);
}

static int read_file(void *user, const char *path, const char *text, size_t len, struct err *e)
{
    const struct reading *r = user;
    if (key_frames_name_file(r->k, path, e) < 0)
        return ERR_FAIL;
    return r->read(r->k, text, len, r->split ? r->split : annotation_files_split(path), e);
}

/* 1 it was read, 0 there is none of these names. */
static int read_named(const char *folder, const char *const *names, struct reading *r,
                      struct err *e)
{
    char *path = NULL;
    int rc = annotation_files_find(folder, names, &path, e);
    if (rc == 1 && annotation_files_read(path, read_file, r, e) < 0)
        rc = ERR_FAIL;
    free(path);
    return rc;
}

int ava_files_read_films(const char *folder, struct key_frames *k, struct err *e)
{
    static const char *const boxes[][3] = {{"ava_train_v2.2.csv", "ava_train_v2.1.csv", NULL},
                                           {"ava_val_v2.2.csv", "ava_val_v2.1.csv", NULL},
                                           {"ava_test_v2.2.csv", "ava_test_v2.1.csv", NULL}};
    static const char *const excluded[][3] = {
        {"ava_train_excluded_timestamps_v2.2.csv", "ava_train_excluded_timestamps_v2.1.csv", NULL},
        {"ava_val_excluded_timestamps_v2.2.csv", "ava_val_excluded_timestamps_v2.1.csv", NULL},
        {"ava_test_excluded_timestamps_v2.2.csv", "ava_test_excluded_timestamps_v2.1.csv", NULL}};
    int n = 0;
    for (size_t i = 0; i < sizeof boxes / sizeof *boxes; i++) {
        struct reading r = {k, key_frames_read_boxes, NULL};
        int rc = read_named(folder, boxes[i], &r, e);
        r.read = read_excluded;
        if (rc < 0 || read_named(folder, excluded[i], &r, e) < 0)
            return ERR_FAIL;
        n += rc;
    }
    return n;
}

int ava_files_read_clips(const char *folder, struct key_frames *k, struct err *e)
{
    static const char *const names[][2] = {{"kinetics_train_v1.0.csv", NULL},
                                           {"kinetics_val_v1.0.csv", NULL},
                                           {"kinetics_test_v1.0.csv", NULL}};
    int n = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int rc = read_named(folder, names[i], &(struct reading){k, key_frames_read_boxes, NULL}, e);
        if (rc < 0)
            return rc;
        n += rc;
    }
    return n;
}

int ava_files_read_boxes(const char *path, struct key_frames *k, struct err *e)
{
    struct reading r = {k, key_frames_read_boxes, NULL};
    return annotation_files_read(path, read_file, &r, e);
}

/* "ID,SECONDS": [[x1, y1, x2, y2, score], ...] as rows of the CSV file that it would be. */
static int append_proposals(struct buf *csv, const char *frame, const struct json *boxes,
                            struct err *e)
{
    if (!frame || json_kind(boxes) != JSON_ARRAY)
        return err_set(e, "not an object of lists of boxes");
    for (size_t i = 0; i < json_len(boxes); i++) {
        const struct json *box = json_at(boxes, i);
        if (json_kind(box) != JSON_ARRAY || json_len(box) != 5)
            return err_set(e, "%s: box %zu: want x1, y1, x2, y2 and the score", frame, i);
        if (buf_printf(csv, e, "%s", frame) < 0)
            return ERR_FAIL;
        for (size_t k = 0; k < 5; k++)
            if (!json_is_finite(json_at(box, k)))
                return err_set(e, "%s: box %zu: number %zu is none", frame, i, k);
        for (size_t k = 0; k < 5; k++)
            if (buf_printf(csv, e, "%s%.17g", k == 4 ? ",," : ",", json_f64(json_at(box, k))) < 0)
                return ERR_FAIL;
        if (buf_printf(csv, e, "\n") < 0)
            return ERR_FAIL;
    }
    return 0;
}

int ava_files_proposals_to_csv(const char *text, size_t len, struct buf *csv, struct err *e)
{
    struct json_items items;
    int rc;
    json_items_init(&items, text, len);
    while ((rc = json_items_next(&items, e)) == 1)
        if (append_proposals(csv, items.name, items.value, e) < 0) {
            rc = ERR_FAIL;
            break;
        }
    json_items_release(&items);
    return rc;
}

/* CSV, or JSON of the shape of mmaction's pickles of proposals. */
static int read_detections(struct key_frames *k, const char *text, size_t len, const char *split,
                           struct err *e)
{
    struct buf csv = {0};
    if (len == 0 || text[0] != '{')
        return key_frames_read_detections(k, text, len, split, e);
    int rc = ava_files_proposals_to_csv(text, len, &csv, e);
    if (rc == 0)
        rc = key_frames_read_detections(k, (const char *)csv.data, csv.len, split, e);
    buf_release(&csv);
    return rc;
}

int ava_files_read_detections(const char *path, struct key_frames *k, struct err *e)
{
    const char *split = annotation_files_split(path);
    struct reading r = {k, read_detections, split ? split : "test"};
    return annotation_files_read(path, read_file, &r, e);
}

/* {"id", "name"} of every action, by id - 1; NULL: no map has it. */
struct named {
    struct json *action[KEY_FRAMES_N_ACTIONS];
};

static int read_names(void *user, const char *path, const char *text, size_t len, struct err *e)
{
    struct named *named = user;
    struct json *map;
    (void)path;
    if (key_frames_read_actions(text, len, &map, e) < 0)
        return ERR_FAIL;
    for (size_t i = 0; i < json_len(map); i++) {
        struct json *action = json_at(map, i);
        struct json **place = &named->action[json_i64(json_member(action, "id")) - 1];
        if (!*place)
            *place = json_ref(action);
    }
    json_free(map);
    return 0;
}

/* Of every map in the folder; an id keeps the first name: how many maps there are. */
static int read_maps(const char *folder, struct named *named, struct err *e)
{
    /* Those of the ids that are scored come first, in the order in which pipelines/ava.mk takes one
     * for the evaluation: that looks for their names. */
    static const char *const names[] = {"ava_action_list_v2.2_for_activitynet_2019.pbtxt",
                                        "ava_action_list_v2.1_for_activitynet_2018.pbtxt",
                                        "ava_action_list_v2.2_for_activitynet_2019.pbtxt.txt",
                                        "ava_action_list_v2.1_for_activitynet_2018.pbtxt.txt",
                                        "ava_action_list_v2.2.pbtxt",
                                        "ava_action_list_v2.1.pbtxt"};
    int n = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = NULL;
        int rc = annotation_files_find(folder, (const char *const[]){names[i], NULL}, &path, e);
        if (rc == 1 && annotation_files_read(path, read_names, named, e) < 0)
            rc = ERR_FAIL;
        free(path);
        if (rc < 0)
            return rc;
        n += rc;
    }
    return n;
}

/* -- actions without a name -- */

static const char unnamed[] = "action ";

void ava_files_action_name(char *name, int64_t id)
{
    snprintf(name, AVA_ACTION_NAME_BYTES, "%s%lld", unnamed, (long long)id);
}

int64_t ava_files_action_id(const char *name)
{
    size_t len = strlen(unnamed);
    int64_t id;
    bool known =
        strncmp(name, unnamed, len) == 0 && num_i64(name + len, 1, INT32_MAX, &id, NULL) == 0;
    return known ? id : 0;
}

static struct json *new_action(size_t id)
{
    char name[AVA_ACTION_NAME_BYTES];
    struct json *action = json_new_object();
    ava_files_action_name(name, (int64_t)id);
    json_add(action, "id", json_new_i64((int64_t)id));
    json_add(action, "name", json_new_str(name));
    return action;
}

int ava_files_read_actions(const char *folder, struct video_list *out, struct err *e)
{
    struct named named = {0};
    struct json *actions = json_new_array();
    int n = folder ? read_maps(folder, &named, e) : 0, rc = n < 0 ? n : 0;
    if (n == 0)
        rc = video_list_note(out, e, "no label map: the actions are called by their numbers");
    for (size_t i = 0; i < KEY_FRAMES_N_ACTIONS; i++)
        if (json_append(actions, named.action[i] ? named.action[i] : new_action(i + 1)) < 0)
            rc = err_set(e, "out of memory");
    if (rc == 0)
        return video_list_set(out, "actions", actions, e);
    json_free(actions);
    return rc;
}

int ava_files_add_video(struct key_frames *k, size_t video, const char *path,
                        const double seconds[2], struct video_list *out, struct err *e)
{
    const struct key_video *from = &k->video[video];
    struct video v = {.id = mem_strdup(from->name, e), .path = mem_strdup(path, e)};
    int rc = v.id && v.path ? video_path_clean(v.path, e) : ERR_FAIL;
    if (rc == 0 && from->split && !(v.split = mem_strdup(from->split, e)))
        rc = ERR_FAIL;
    if (rc == 0)
        rc = key_frames_extra(k, video, seconds[0], seconds[1], &v.extra, e);
    if (rc == 0)
        rc = video_list_add(out, &v, e);
    video_release(&v);
    return rc;
}

int ava_files_note_start(const struct import_options *options, struct video_list *out,
                         struct err *e)
{
    double start = options->video_start;
    return start >= 0 ? video_list_set(out, "video_start", json_new_f64(start), e) : 0;
}

int ava_files_add_film(struct key_frames *k, size_t video, const struct import_options *options,
                       struct video_list *out, struct err *e)
{
    double start = options->video_start >= 0 ? options->video_start : 0;
    const struct key_video *v = &k->video[video];
    struct buf path = {0};
    int rc = buf_printf(&path, e, "%s.mp4", v->name);
    if (rc == 0)
        rc = ava_files_add_video(k, video, (char *)path.data, (double[]){start, INFINITY}, out, e);
    if (rc == 0 && v->n_outside)
        rc = err_set(e,
                     "%s: %s: %zu key frames lie before second %g, where the file begins: "
                     "see --video-start",
                     v->outside_file, v->name, v->n_outside, start);
    if (rc == 0 && json_add(out->videos[out->n - 1].extra, "video_start", json_new_f64(start)) < 0)
        rc = err_set(e, "out of memory");
    buf_release(&path);
    return rc;
}

/* -- where films begin -- */

/* Key frames go from second 902 to 1798 of a film, of which a file may hold 900 to 1801 only. */
enum { CUT_LONGEST = 1000 };

/* The time of a video's first key frame, or of its last one. */
static double frame_time(const struct video *v, bool last)
{
    const struct json *frames = json_member(v->extra, "key_frames");
    size_t n = json_len(frames);
    return n ? json_f64(json_member(json_at(frames, last ? n - 1 : 0), "time")) : AVA_CUT_START;
}

/* Of one that cannot be read only the key frames tell. */
static bool is_whole(const struct video *v)
{
    if (frame_time(v, false) < AVA_CUT_START)
        return true;
    return v->duration > CUT_LONGEST && v->duration >= frame_time(v, true);
}

static int begin_later(struct json *list, double start, struct err *e)
{
    for (size_t i = 0; i < json_len(list); i++) {
        struct json *item = json_at(list, i);
        double time = json_f64(json_member(item, "time"));
        if (json_add(item, "time", json_new_f64(time - start)) < 0)
            return err_set(e, "out of memory");
    }
    return 0;
}

int ava_files_complete(const struct import_options *options, struct video *v, struct err *e)
{
    bool film = v->extra && json_member(v->extra, "video_start");
    if (!film || options->video_start >= 0 || is_whole(v))
        return 0;
    if (begin_later(json_member(v->extra, "key_frames"), AVA_CUT_START, e) < 0 ||
        begin_later(json_member(v->extra, "boxes"), AVA_CUT_START, e) < 0)
        return ERR_FAIL;
    return json_add(v->extra, "video_start", json_new_f64(AVA_CUT_START)) < 0
               ? err_set(e, "out of memory")
               : 0;
}

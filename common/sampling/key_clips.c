/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sampling/key_clips.h"

#include <stdlib.h>

#include "common/base/buf.h"

const char *const box_kind_names[] = {"annotated", "detected", NULL};

int key_clips_check(const struct index *index, struct err *e)
{
    size_t n = json_len(index_actions(index));
    if (n > SAMPLE_MAX_LABELS)
        return err_set(e, "%s: %zu actions, at most %d", store_path(index_store(index)), n,
                       SAMPLE_MAX_LABELS);
    return 0;
}

void key_clips_release(struct key_clips *k)
{
    free(k->clip);
    free(k->box);
    *k = (struct key_clips){0};
}

static int take_label(struct sample_box *b, int64_t id, const struct json *actions, struct err *e)
{
    for (size_t i = 0; i < json_len(actions); i++) {
        int64_t known;
        if (json_get_i64(json_at(actions, i), "id", &known, e) < 0)
            return ERR_FAIL;
        if (known != id)
            continue;
        b->labels[i / 64] |= (uint64_t)1 << i % 64;
        return 0;
    }
    return err_set(e, "action %lld is not one of the index's", (long long)id);
}

/* Appends the box of the index's annotation `j`. */
static int add_box(struct key_clips *k, const struct json *j, const struct json *actions,
                   struct err *e)
{
    struct key_clip *clip = &k->clip[k->n - 1];
    struct json *corners, *labels = json_member(j, "labels");
    struct sample_box b = {.clip = clip->number, .score = 1, .person = -1};
    if (k->n_boxes == k->cap_boxes) {
        size_t cap = k->cap_boxes ? 2 * k->cap_boxes : 16;
        struct sample_box *grown = mem_grow(k->box, cap, sizeof *grown, e);
        if (!grown)
            return ERR_FAIL;
        k->box = grown;
        k->cap_boxes = cap;
    }
    if (json_get_array(j, "box", &corners, e) < 0)
        return ERR_FAIL;
    b.left = (float)json_f64(json_at(corners, 0));
    b.top = (float)json_f64(json_at(corners, 1));
    b.right = (float)json_f64(json_at(corners, 2));
    b.bottom = (float)json_f64(json_at(corners, 3));
    if (json_member(j, "score"))
        b.score = (float)json_f64(json_member(j, "score"));
    if (json_member(j, "person"))
        b.person = (int32_t)json_i64(json_member(j, "person"));
    for (size_t i = 0; i < json_len(labels); i++)
        if (take_label(&b, json_i64(json_at(labels, i)), actions, e) < 0)
            return ERR_FAIL;
    k->box[k->n_boxes++] = b;
    clip->n_boxes++;
    return 0;
}

static bool counts(const struct key_boxes *choice, const struct json *box)
{
    const struct json *score = json_member(box, "score");
    return choice->kind == BOXES_DETECTED ? score && json_f64(score) > choice->min_score : !score;
}

/* Opens a clip for the key frame `j`; false: it is left out. */
static int open_clip(struct key_clips *k, const struct json *j, size_t number, struct err *e)
{
    bool excluded = false;
    if (json_member(j, "excluded") && json_get_bool(j, "excluded", &excluded, e) < 0)
        return ERR_FAIL;
    if (excluded)
        return 0;
    if (k->n == k->cap) {
        size_t cap = k->cap ? 2 * k->cap : 16;
        struct key_clip *grown = mem_grow(k->clip, cap, sizeof *grown, e);
        if (!grown)
            return ERR_FAIL;
        k->clip = grown;
        k->cap = cap;
    }
    k->clip[k->n++] = (struct key_clip){.number = (uint32_t)number,
                                        .time = json_f64(json_member(j, "time")),
                                        .first_box = k->n_boxes};
    return 1;
}

/* Boxes of the last clip: those of its time. */
static int take_boxes(struct key_clips *k, const struct key_boxes *choice, const struct json *boxes,
                      const struct json *actions, struct err *e)
{
    double time = k->clip[k->n - 1].time;
    for (size_t i = 0; i < json_len(boxes); i++) {
        const struct json *box = json_at(boxes, i);
        bool here = json_f64(json_member(box, "time")) == time;
        if (here && counts(choice, box) && add_box(k, box, actions, e) < 0)
            return ERR_FAIL;
    }
    return 0;
}

/* Seconds as the data set counts them: "0902". */
static void set_timestamps(struct key_clips *k, const struct json *key_frame)
{
    const struct key_clip *clip = &k->clip[k->n - 1];
    const char *text = json_str(json_member(key_frame, "timestamp"));
    for (size_t i = 0; i < clip->n_boxes; i++)
        k->box[clip->first_box + i].timestamp = text ? strtod(text, NULL) : clip->time;
}

int key_clips_video(struct key_clips *k, const struct key_boxes *choice, const struct selected *v,
                    const struct index *index, struct err *e)
{
    k->n = k->n_boxes = 0;
    if (!v->record || !v->record->extra)
        return 0;
    const struct json *frames = json_member(v->record->extra, "key_frames");
    const struct json *boxes = json_member(v->record->extra, "boxes");
    const struct json *actions = index_actions(index);
    for (size_t i = 0; i < json_len(frames); i++) {
        int rc = open_clip(k, json_at(frames, i), i, e);
        if (rc > 0)
            rc = take_boxes(k, choice, boxes, actions, e);
        else if (rc == 0)
            continue;
        if (rc < 0)
            return err_add(e, "%s", v->id);
        set_timestamps(k, json_at(frames, i));
        k->n -= k->clip[k->n - 1].n_boxes == 0; /* nobody is there */
    }
    return 0;
}

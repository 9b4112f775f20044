/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/frames.h"

#include <inttypes.h>

#include "common/store/fields.h"
#include "common/store/items.h"

static const char *const matrix_names[] = {"bt601", "bt709", "bt2020", NULL};
static const char *const range_names[] = {"limited", "full", NULL};
static const char *const status_names[] = {"bad", "ok", NULL};

/* The videos of a store, read once and shared by all handles. */
struct frames_list {
    struct item_list items;
    struct frames_info *info;
};

struct frames {
    struct store *store;
    struct codec *codec;
    struct frames_list *list;
    bool shared;
};

/* -- the record of a video -- */

struct json *frames_info_to_json(const struct frames_info *info)
{
    char fps[48];
    snprintf(fps, sizeof fps, "%" PRId64 "/%" PRId64, info->fps_num, info->fps_den);
    struct json *j = json_new_object();
    if (j && json_add(j, "width", json_new_i64(info->width)) == 0 &&
        json_add(j, "height", json_new_i64(info->height)) == 0 &&
        json_add(j, "n_frames", json_new_i64(info->n_frames)) == 0 &&
        (info->fps_num <= 0 || json_add(j, "fps", json_new_str(fps)) == 0) &&
        json_add(j, "frame_step", json_new_i64(info->frame_step)) == 0 &&
        json_add(j, "matrix", json_new_str(matrix_names[info->matrix])) == 0 &&
        json_add(j, "range", json_new_str(range_names[info->full_range])) == 0 &&
        json_add(j, "status", json_new_str(status_names[info->ok])) == 0 &&
        (!info->reason[0] || json_add(j, "reason", json_new_str(info->reason)) == 0))
        return j;
    json_free(j);
    return NULL;
}

/* Sizes and clock; all are known as soon as there is one frame. */
static int read_pictures(struct frames_info *info, const struct json *j, struct err *e)
{
    if (fields_i64(j, "n_frames", 0, &info->n_frames, e) < 0)
        return ERR_FAIL;
    int min_side = info->n_frames ? 1 : 0;
    if (fields_int(j, "width", min_side, &info->width, e) < 0 ||
        fields_int(j, "height", min_side, &info->height, e) < 0 ||
        fields_i64(j, "frame_step", 1, &info->frame_step, e) < 0)
        return ERR_FAIL;
    if (info->n_frames > ITEMS_MAX_PARTS)
        return err_set(e, "member 'n_frames': more than %d", ITEMS_MAX_PARTS);
    if (info->width > FRAMES_MAX_SIDE || info->height > FRAMES_MAX_SIDE)
        return err_set(e, "picture of %d x %d, sides up to %d are possible", info->width,
                       info->height, FRAMES_MAX_SIDE);
    info->stored_width = info->width + info->width % 2;
    info->stored_height = info->height + info->height % 2;
    if (info->n_frames || fields_has(j, "fps"))
        return fields_fraction(j, "fps", &info->fps_num, &info->fps_den, e);
    return 0;
}

int frames_info_from_json(struct frames_info *out, const struct json *j, struct err *e)
{
    static const char *const known[] = {"width",  "height", "n_frames", "fps",    "frame_step",
                                        "matrix", "range",  "status",   "reason", NULL};
    struct frames_info info = {0};
    int matrix = 0, range = 0, status = 0;
    const char *reason = "";
    if (fields_check(j, known, e) < 0 || read_pictures(&info, j, e) < 0 ||
        fields_choice(j, "matrix", matrix_names, &matrix, e) < 0 ||
        fields_choice(j, "range", range_names, &range, e) < 0 ||
        fields_choice(j, "status", status_names, &status, e) < 0 ||
        (fields_has(j, "reason") && json_get_str(j, "reason", &reason, e) < 0))
        return ERR_FAIL;
    if (!status && !*reason)
        return err_set(e, "member 'reason' is missing beside status bad");
    info.matrix = (enum color_matrix)matrix;
    info.full_range = range;
    info.ok = status;
    snprintf(info.reason, sizeof info.reason, "%s", reason);
    *out = info;
    return 0;
}

int frames_key(char *key, const char *id, int64_t frame, struct err *e)
{
    return items_key(key, id, frame, e);
}

/* -- row differences -- */

void frames_difference(uint8_t *picture, size_t n_rows, size_t stride)
{
    for (size_t row = n_rows; row-- > 1;) {
        uint8_t *restrict here = picture + row * stride;
        const uint8_t *restrict above = here - stride;
        for (size_t i = 0; i < stride; i++)
            here[i] = (uint8_t)(here[i] - above[i]);
    }
}

void frames_undo_difference(uint8_t *picture, size_t n_rows, size_t stride)
{
    for (size_t row = 1; row < n_rows; row++) {
        uint8_t *restrict here = picture + row * stride;
        const uint8_t *restrict above = here - stride;
        for (size_t i = 0; i < stride; i++)
            here[i] = (uint8_t)(here[i] + above[i]);
    }
}

/* As frames_undo_difference, from `differences` into `picture`. */
static void undo_into(uint8_t *picture, const uint8_t *differences, size_t n_rows, size_t stride)
{
    memcpy(picture, differences, n_rows ? stride : 0);
    for (size_t row = 1; row < n_rows; row++) {
        uint8_t *restrict here = picture + row * stride;
        const uint8_t *restrict above = here - stride, *restrict more = differences + row * stride;
        for (size_t i = 0; i < stride; i++)
            here[i] = (uint8_t)(above[i] + more[i]);
    }
}

int frames_pack(struct codec *c, uint8_t *picture, int stored_width, int stored_height,
                struct buf *out, struct err *e)
{
    if (stored_width <= 0 || stored_height <= 0 || stored_width % 2 || stored_height % 2 ||
        stored_width > FRAMES_MAX_SIDE || stored_height > FRAMES_MAX_SIDE)
        return err_set(e, "picture of %d x %d cannot be stored", stored_width, stored_height);
    size_t n_rows = (size_t)stored_height / 2 * 3, stride = (size_t)stored_width;
    struct npy a = {.descr = "|u1", .n_dims = 2, .dim = {n_rows, stride}};
    a.data = picture;
    a.data_bytes = n_rows * stride;
    frames_difference(picture, n_rows, stride);
    return codec_pack(c, &a, out, e);
}

/* -- reading -- */

static void list_free(struct frames_list *list)
{
    if (!list)
        return;
    items_release(&list->items);
    free(list->info);
    free(list);
}

static int read_list(struct frames *f, struct err *e)
{
    struct frames_list *list = f->list = mem_new(1, sizeof *list, e);
    if (!list || items_read(&list->items, f->store, e) < 0)
        return ERR_FAIL;
    if (!(list->info = mem_new(list->items.n, sizeof *list->info, e)))
        return ERR_FAIL;
    for (size_t i = 0; i < list->items.n; i++) {
        const struct item *item = &list->items.item[i];
        struct json *j = json_parse(item->value.data, item->value.len, e);
        int rc = j ? frames_info_from_json(&list->info[i], j, e) : ERR_FAIL;
        json_free(j);
        if (rc < 0)
            return err_add(e, "%s: %s", store_path(f->store), item->id);
    }
    return 0;
}

int frames_open(struct frames **out, const char *path, struct err *e)
{
    struct frames *f = mem_new(1, sizeof *f, e);
    if (!f)
        return ERR_FAIL;
    int rc = store_open(&f->store, path, FRAMES_SCHEMA, FRAMES_VERSION, e);
    if (rc == 0)
        rc = codec_new(&f->codec, e);
    if (rc == 0)
        rc = read_list(f, e);
    if (rc < 0) {
        frames_close(f);
        return rc;
    }
    *out = f;
    return 0;
}

int frames_share(struct frames **out, struct frames *f, struct err *e)
{
    struct frames *copy = mem_new(1, sizeof *copy, e);
    if (!copy)
        return ERR_FAIL;
    copy->list = f->list;
    copy->shared = true;
    int rc = store_share(&copy->store, f->store, e);
    if (rc == 0)
        rc = codec_new(&copy->codec, e);
    if (rc < 0) {
        frames_close(copy);
        return rc;
    }
    *out = copy;
    return 0;
}

void frames_close(struct frames *f)
{
    if (!f)
        return;
    if (!f->shared)
        list_free(f->list);
    codec_free(f->codec);
    store_close(f->store);
    free(f);
}

struct store *frames_store(struct frames *f)
{
    return f->store;
}

size_t frames_n_videos(const struct frames *f)
{
    return f->list->items.n;
}

const char *frames_id(const struct frames *f, size_t video)
{
    return f->list->items.item[video].id;
}

const struct frames_info *frames_video(const struct frames *f, size_t video)
{
    return &f->list->info[video];
}

long frames_find(const struct frames *f, const char *id)
{
    return items_find(&f->list->items, id);
}

static int check_picture(const struct npy *a, const struct frames_info *info, struct err *e)
{
    size_t n_rows = (size_t)info->stored_height / 2 * 3, stride = (size_t)info->stored_width;
    if (strcmp(a->descr, "|u1") != 0 || a->n_dims != 2 || a->dim[0] != n_rows ||
        a->dim[1] != stride)
        return err_set(e, "not a picture |u1 [%zu, %zu]", n_rows, stride);
    return 0;
}

int frames_read(struct frames *f, size_t video, int64_t frame, uint8_t *picture, struct err *e)
{
    char key[STORE_MAX_KEY + 1];
    struct blob value;
    struct npy a;
    int rc = frames_key(key, frames_id(f, video), frame, e);
    if (rc == 0)
        rc = store_get(f->store, key, &value, e);
    if (rc < 0)
        return rc;
    rc = codec_unpack(f->codec, value.data, value.len, &a, e);
    if (rc == 0)
        rc = check_picture(&a, frames_video(f, video), e);
    if (rc < 0)
        return err_add(e, "%s: %s", store_record_path(f->store), key);
    undo_into(picture, a.data, a.dim[0], a.dim[1]);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/samples.h"

#include <math.h>

#include "common/base/buf.h"
#include "common/store/codec.h"

#define VIDEOS_KEY  "videos"
#define CLASSES_KEY "classes"
#define BOXES_KEY   "boxes"
enum { N_ORDERS = 24, KEY_BYTES = 32 };

struct samples {
    struct store *store;
    struct codec *codec; /* holds the table given out last */
    struct json *videos, *classes;
    const char **ids;          /* the strings of `videos` */
    const struct sample *rows; /* of `epoch`, in the codec's memory; NULL: none */
    size_t n_rows, epoch;
};

const char *samples_descr(void)
{
    return "[('video', '<u4'), ('example', '<u4'), ('start', '<i4'), ('stride', '<u2'), "
           "('length', '<u2'), ('clip', '<u4'), ('crop_x', '<u2'), ('crop_y', '<u2'), "
           "('crop_w', '<u2'), ('crop_h', '<u2'), ('role', '|u1'), ('view', '|u1'), "
           "('edge', '|u1'), ('flip', '|u1'), ('jitter', '|u1'), ('order', '|u1'), "
           "('grey', '|u1'), ('solarise', '|u1'), ('brightness', '<f4'), ('contrast', '<f4'), "
           "('saturation', '<f4'), ('hue', '<f4'), ('blur', '<f4'), ('target', '<i4'), "
           "('weight', '<f4')]";
}

const char *samples_boxes_descr(void)
{
    return "[('video', '<u4'), ('clip', '<u4'), ('left', '<f4'), ('top', '<f4'), "
           "('right', '<f4'), ('bottom', '<f4'), ('score', '<f4'), ('person', '<i4'), "
           "('timestamp', '<f8'), ('labels_0', '<u8'), ('labels_1', '<u8')]";
}

int64_t sample_frame(const struct sample *s, int64_t t, int64_t n_frames)
{
    int64_t frame = s->start + t * s->stride;
    if (s->edge == SAMPLE_CLAMP)
        return frame < 0 ? 0 : frame >= n_frames ? n_frames - 1 : frame;
    frame %= n_frames;
    return frame < 0 ? frame + n_frames : frame;
}

/* What is wrong with a row, or NULL. */
static const char *wrong(const struct sample *r, size_t n_videos)
{
    const float numbers[] = {r->brightness, r->contrast, r->saturation, r->hue, r->blur, r->weight};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!isfinite(numbers[i]))
            return "a factor is not finite";
    if (r->video >= n_videos)
        return "its video is not in the list";
    if (r->stride == 0 || r->length == 0)
        return "stride or length is 0";
    if (r->crop_w == 0 || r->crop_h == 0)
        return "the crop is empty";
    if (r->role > SAMPLE_SINGLE || r->edge > SAMPLE_CLAMP || r->order >= N_ORDERS)
        return "role, edge or order is unknown";
    if (r->flip > 1 || r->jitter > 1 || r->grey > 1 || r->solarise > 1)
        return "a switch is neither 0 nor 1";
    if (r->blur < 0 || r->target < -1)
        return "blur or target is negative";
    return NULL;
}

int samples_check_rows(const struct sample *rows, size_t n, size_t n_videos, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        const char *what = wrong(&rows[i], n_videos);
        if (what)
            return err_set(e, "row %zu: %s", i, what);
    }
    return 0;
}

static bool in_order(const struct sample_box *a, const struct sample_box *b)
{
    return a->video != b->video ? a->video < b->video : a->clip <= b->clip;
}

int samples_check_boxes(const struct sample_box *boxes, size_t n, size_t n_videos, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        const struct sample_box *b = &boxes[i];
        if (b->video >= n_videos)
            return err_set(e, "row %zu: its video is not in the list", i);
        if (!(isfinite(b->left) && isfinite(b->top) && isfinite(b->right) && isfinite(b->bottom) &&
              isfinite(b->score) && isfinite(b->timestamp)))
            return err_set(e, "row %zu: a number is not finite", i);
        if (b->left > b->right || b->top > b->bottom)
            return err_set(e, "row %zu: the box ends before it begins", i);
        if (b->score < 0)
            return err_set(e, "row %zu: the score is negative", i);
        if (i && !in_order(&boxes[i - 1], b))
            return err_set(e, "row %zu: not in the order of videos and clips", i);
    }
    return 0;
}

/* -- reading -- */

/* An array of strings. */
static int read_list(struct samples *s, const char *key, struct json **list, struct err *e)
{
    struct blob value;
    int rc = store_get(s->store, key, &value, e);
    if (rc < 0)
        return rc;
    if (!(*list = json_parse(value.data, value.len, e)))
        return err_add(e, "%s: %s", store_path(s->store), key);
    if (json_kind(*list) != JSON_ARRAY)
        return err_set(e, "%s: %s: not an array", store_path(s->store), key);
    for (size_t i = 0; i < json_len(*list); i++)
        if (!json_str(json_at(*list, i)))
            return err_set(e, "%s: %s: %zu: not a string", store_path(s->store), key, i);
    return 0;
}

static int read_lists(struct samples *s, struct err *e)
{
    int rc = read_list(s, CLASSES_KEY, &s->classes, e);
    if (rc == 0 || rc == ERR_NOT_FOUND)
        rc = read_list(s, VIDEOS_KEY, &s->videos, e);
    if (rc < 0)
        return rc;
    s->ids = mem_new(json_len(s->videos) + 1, sizeof *s->ids, e);
    for (size_t i = 0; s->ids && i < json_len(s->videos); i++)
        s->ids[i] = json_str(json_at(s->videos, i));
    return s->ids ? 0 : ERR_FAIL;
}

int samples_open(struct samples **out, const char *path, struct err *e)
{
    struct samples *s = mem_new(1, sizeof *s, e);
    if (!s)
        return ERR_FAIL;
    int rc = store_open(&s->store, path, SAMPLES_SCHEMA, SAMPLES_VERSION, e);
    if (rc == 0)
        rc = codec_new(&s->codec, e);
    if (rc == 0)
        rc = read_lists(s, e);
    if (rc < 0) {
        samples_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

void samples_close(struct samples *s)
{
    if (!s)
        return;
    free(s->ids);
    json_free(s->videos);
    json_free(s->classes);
    codec_free(s->codec);
    store_close(s->store);
    free(s);
}

const struct store *samples_store(const struct samples *s)
{
    return s->store;
}

size_t samples_n_videos(const struct samples *s)
{
    return json_len(s->videos);
}

const char *samples_id(const struct samples *s, size_t video)
{
    return s->ids[video];
}

const char *const *samples_ids(const struct samples *s)
{
    return s->ids;
}

struct json *samples_classes(const struct samples *s)
{
    return s->classes;
}

size_t samples_n_epochs(const struct samples *s)
{
    return store_meta(s->store)->count;
}

static int epoch_key(char key[KEY_BYTES], size_t epoch, struct err *e)
{
    enum { MAX_EPOCHS = 100000000 };
    if (epoch >= MAX_EPOCHS)
        return err_set(e, "epoch %zu does not fit into 8 digits", epoch);
    snprintf(key, KEY_BYTES, "epoch/%08zu", epoch);
    return 0;
}

static int read_epoch(struct samples *s, size_t epoch, struct err *e)
{
    char key[KEY_BYTES];
    struct blob value;
    struct npy a;
    s->rows = NULL; /* the codec's memory is used again */
    int rc = epoch_key(key, epoch, e);
    if (rc == 0)
        rc = store_get(s->store, key, &value, e);
    if (rc < 0)
        return rc;
    rc = codec_unpack(s->codec, value.data, value.len, &a, e);
    if (rc == 0 && (strcmp(a.descr, samples_descr()) != 0 || a.n_dims != 1))
        rc = err_set(e, "not a table of samples");
    if (rc == 0)
        rc = samples_check_rows(a.data, a.dim[0], samples_n_videos(s), e);
    if (rc < 0)
        return err_add(e, "%s: %s", store_path(s->store), key);
    s->rows = a.data;
    s->n_rows = a.dim[0];
    s->epoch = epoch;
    return 0;
}

int samples_epoch(struct samples *s, size_t epoch, const struct sample **rows, size_t *n_rows,
                  struct err *e)
{
    int rc = s->rows && s->epoch == epoch ? 0 : read_epoch(s, epoch, e);
    if (rc < 0)
        return rc;
    *rows = s->rows;
    *n_rows = s->n_rows;
    return 0;
}

int samples_boxes(struct samples *s, struct sample_box **boxes, size_t *n, struct err *e)
{
    struct blob value;
    struct npy a;
    *boxes = NULL;
    *n = 0;
    int rc = store_get(s->store, BOXES_KEY, &value, e);
    if (rc == ERR_NOT_FOUND)
        return 0;
    s->rows = NULL; /* the codec's memory is used again */
    if (rc == 0)
        rc = codec_unpack(s->codec, value.data, value.len, &a, e);
    if (rc == 0 && (strcmp(a.descr, samples_boxes_descr()) != 0 || a.n_dims != 1))
        rc = err_set(e, "not a table of boxes");
    if (rc == 0)
        rc = samples_check_boxes(a.data, a.dim[0], samples_n_videos(s), e);
    if (rc == 0 && !(*boxes = mem_new(a.dim[0] + 1, sizeof **boxes, e)))
        rc = ERR_FAIL;
    if (rc < 0)
        return err_add(e, "%s: " BOXES_KEY, store_path(s->store));
    *n = a.dim[0];
    memcpy(*boxes, a.data, *n * sizeof **boxes);
    return 0;
}

/* -- writing -- */

/* A structured table of one dimension. */
static int put_table(struct store_writer *w, const char *key, const char *descr,
                     const struct npy *table, struct err *e)
{
    struct codec *c;
    struct buf value = {0};
    struct npy a = *table;
    snprintf(a.descr, sizeof a.descr, "%s", descr);
    if (codec_new(&c, e) < 0)
        return ERR_FAIL;
    int rc = codec_pack(c, &a, &value, e);
    if (rc == 0)
        rc = store_put(w, key, value.data, value.len, e);
    codec_free(c);
    buf_release(&value);
    return rc;
}

int samples_put_epoch(struct store_writer *w, size_t epoch, const struct sample *rows,
                      size_t n_rows, struct err *e)
{
    char key[KEY_BYTES];
    struct npy a = {
        .n_dims = 1, .dim = {n_rows}, .data = rows, .data_bytes = n_rows * sizeof *rows};
    return epoch_key(key, epoch, e) < 0 ? ERR_FAIL : put_table(w, key, samples_descr(), &a, e);
}

int samples_put_boxes(struct store_writer *w, const struct sample_box *boxes, size_t n,
                      struct err *e)
{
    struct npy a = {.n_dims = 1, .dim = {n}, .data = boxes, .data_bytes = n * sizeof *boxes};
    return put_table(w, BOXES_KEY, samples_boxes_descr(), &a, e);
}

static int put_list(struct store_writer *w, const char *key, const char *const *texts, size_t n,
                    struct err *e)
{
    struct json *list = json_new_array();
    for (size_t i = 0; i < n; i++)
        if (json_append(list, json_new_str(texts[i])) < 0) {
            json_free(list);
            return err_set(e, "out of memory: %s", key);
        }
    const char *text = json_text(list);
    int rc = store_put(w, key, text, strlen(text), e);
    json_free(list);
    return rc;
}

int samples_put_videos(struct store_writer *w, const char *const *ids, size_t n, struct err *e)
{
    return put_list(w, VIDEOS_KEY, ids, n, e);
}

int samples_put_classes(struct store_writer *w, const char *const *names, size_t n, struct err *e)
{
    return put_list(w, CLASSES_KEY, names, n, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/embeddings.h"

#include <inttypes.h>
#include <math.h>

#include "common/base/num.h"
#include "common/store/fields.h"
#include "common/store/half.h"
#include "common/store/items.h"

struct clip_list {
    struct embedding_clip *clip;
    size_t n;
};

/* The videos of a store, read once and shared by all handles. */
struct embeddings_list {
    struct item_list items;
    struct clip_list *clips;      /* of each video */
    struct embedding_shape shape; /* of all arrays; zero where there is none */
};

struct embeddings {
    struct store *store;
    struct codec *codec;
    struct embeddings_list *list;
    bool shared;
};

/* -- the record of a video -- */

static struct json *person_to_json(const struct embedding_person *p)
{
    struct json *j = json_new_object(), *box = json_new_array();
    int rc = 0;
    for (size_t i = 0; i < 4; i++)
        rc |= json_append(box, json_new_f64(p->box[i]));
    rc |= json_add(j, "box", box);
    rc |= json_add(j, "score", json_new_f64(p->score));
    rc |= json_add(j, "timestamp", json_new_f64(p->timestamp));
    if (rc == 0)
        return j;
    json_free(j);
    return NULL;
}

static int person_from_json(struct embedding_person *p, const struct json *j, struct err *e)
{
    static const char *const known[] = {"box", "score", "timestamp", NULL};
    struct json *box;
    if (fields_check(j, known, e) < 0 || json_get_array(j, "box", &box, e) < 0 ||
        fields_f64(j, "score", 0, &p->score, e) < 0 ||
        fields_f64(j, "timestamp", -INFINITY, &p->timestamp, e) < 0)
        return ERR_FAIL;
    if (json_len(box) != 4)
        return err_set(e, "box: %zu numbers, not 4", json_len(box));
    for (size_t i = 0; i < 4; i++) {
        p->box[i] = json_f64(json_at(box, i));
        if (!isfinite(p->box[i]))
            return err_set(e, "box: expected finite numbers");
    }
    return 0;
}

static struct json *clip_to_json(const struct embedding_clip *clip)
{
    struct json *j = json_new_object();
    if (j && json_add(j, "clip", json_new_i64(clip->clip)) == 0 &&
        json_add(j, "view", json_new_i64(clip->view)) == 0 &&
        json_add(j, "start", json_new_f64(clip->start)) == 0 &&
        json_add(j, "end", json_new_f64(clip->end)) == 0 &&
        json_add(j, "centre", json_new_f64(clip->centre)) == 0 &&
        (clip->target < 0 || json_add(j, "target", json_new_i64(clip->target)) == 0) &&
        (!clip->has_person || json_add(j, "person", person_to_json(&clip->person)) == 0))
        return j;
    json_free(j);
    return NULL;
}

struct json *embeddings_video_to_json(const struct embedding_clip *clips, size_t n)
{
    struct json *j = json_new_object(), *list = json_new_array();
    int rc = list ? 0 : ERR_FAIL;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = json_append(list, clip_to_json(&clips[i]));
    if (j && rc == 0 && json_add(j, "clips", json_ref(list)) == 0) {
        json_free(list);
        return j;
    }
    json_free(list);
    json_free(j);
    return NULL;
}

static int get_u32(const struct json *j, const char *name, uint32_t *out, struct err *e)
{
    int64_t n = 0;
    int rc = fields_i64(j, name, 0, &n, e);
    if (rc == 0 && n > UINT32_MAX)
        rc = err_set(e, "member '%s': %" PRId64 " is too large", name, n);
    *out = (uint32_t)n;
    return rc;
}

static int clip_from_json(struct embedding_clip *clip, const struct json *j, struct err *e)
{
    static const char *const known[] = {"clip",   "view",   "start",  "end",
                                        "centre", "target", "person", NULL};
    int target = -1;
    if (fields_check(j, known, e) < 0 || get_u32(j, "clip", &clip->clip, e) < 0 ||
        get_u32(j, "view", &clip->view, e) < 0 ||
        fields_f64(j, "start", -INFINITY, &clip->start, e) < 0 ||
        fields_f64(j, "end", -INFINITY, &clip->end, e) < 0 ||
        fields_f64(j, "centre", -INFINITY, &clip->centre, e) < 0 ||
        (fields_has(j, "target") && fields_int(j, "target", 0, &target, e) < 0))
        return ERR_FAIL;
    clip->target = target;
    clip->has_person = fields_has(j, "person");
    if (clip->has_person && person_from_json(&clip->person, json_member(j, "person"), e) < 0)
        return err_add(e, "person");
    return 0;
}

int embeddings_video_from_json(struct embedding_clip **out, size_t *n, const struct json *j,
                               struct err *e)
{
    static const char *const known[] = {"clips", NULL};
    struct json *list;
    if (fields_check(j, known, e) < 0 || json_get_array(j, "clips", &list, e) < 0)
        return ERR_FAIL;
    struct embedding_clip *clips = mem_new(json_len(list), sizeof *clips, e);
    int rc = clips ? 0 : ERR_FAIL;
    for (size_t i = 0; rc == 0 && i < json_len(list); i++)
        if ((rc = clip_from_json(&clips[i], json_at(list, i), e)) < 0)
            err_add(e, "clips: %zu", i);
    if (rc < 0) {
        free(clips);
        return rc;
    }
    *out = clips;
    *n = json_len(list);
    return 0;
}

/* -- opening -- */

static void list_free(struct embeddings_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; list->clips && i < list->items.n; i++)
        free(list->clips[i].clip);
    free(list->clips);
    items_release(&list->items);
    free(list);
}

/* What an array says of its shape; its type and sides must be possible. */
static int shape_of(struct embedding_shape *shape, const struct npy *a, struct err *e)
{
    bool half = strcmp(a->descr, "<f2") == 0;
    if ((!half && strcmp(a->descr, "<f4") != 0) || a->n_dims < 1 || a->n_dims > 2)
        return err_set(e, "neither a vector nor a matrix of <f2 or <f4");
    for (int i = 0; i < a->n_dims; i++)
        if (a->dim[i] == 0)
            return err_set(e, "an empty array");
    *shape = (struct embedding_shape){
        .n_steps = a->n_dims == 2 ? a->dim[0] : 0,
        .n_channels = a->dim[a->n_dims - 1],
        .half = half,
    };
    return 0;
}

static int get_array(struct embeddings *m, size_t video, size_t clip, struct npy *a, struct err *e)
{
    char key[STORE_MAX_KEY + 1];
    struct blob value;
    int rc = items_key(key, embeddings_id(m, video), (int64_t)clip, e);
    if (rc == 0)
        rc = store_get(m->store, key, &value, e);
    if (rc == 0 && codec_unpack(m->codec, value.data, value.len, a, e) < 0)
        rc = err_add(e, "%s: %s", store_record_path(m->store), key);
    return rc;
}

/* The first array stands for all; embeddings_read holds the others to it. */
static int find_shape(struct embeddings *m, struct err *e)
{
    struct npy a;
    size_t video = 0;
    while (video < m->list->items.n && m->list->clips[video].n == 0)
        video++;
    if (video == m->list->items.n)
        return 0;
    int rc = get_array(m, video, 0, &a, e);
    if (rc == 0 && shape_of(&m->list->shape, &a, e) < 0)
        rc = err_add(e, "%s: %s", store_record_path(m->store), embeddings_id(m, video));
    return rc;
}

static int read_list(struct embeddings *m, struct err *e)
{
    struct embeddings_list *list = m->list = mem_new(1, sizeof *list, e);
    if (!list || items_read(&list->items, m->store, e) < 0)
        return ERR_FAIL;
    if (!(list->clips = mem_new(list->items.n, sizeof *list->clips, e)))
        return ERR_FAIL;
    for (size_t i = 0; i < list->items.n; i++) {
        const struct item *item = &list->items.item[i];
        struct clip_list *clips = &list->clips[i];
        struct json *j = json_parse(item->value.data, item->value.len, e);
        int rc = j ? embeddings_video_from_json(&clips->clip, &clips->n, j, e) : ERR_FAIL;
        json_free(j);
        if (rc < 0)
            return err_add(e, "%s: %s", store_path(m->store), item->id);
    }
    return find_shape(m, e);
}

int embeddings_open(struct embeddings **out, const char *path, struct err *e)
{
    struct embeddings *m = mem_new(1, sizeof *m, e);
    if (!m)
        return ERR_FAIL;
    int rc = store_open(&m->store, path, EMBEDDINGS_SCHEMA, EMBEDDINGS_VERSION, e);
    if (rc == 0)
        rc = codec_new(&m->codec, e);
    if (rc == 0)
        rc = read_list(m, e);
    if (rc < 0) {
        embeddings_close(m);
        return rc;
    }
    *out = m;
    return 0;
}

int embeddings_share(struct embeddings **out, struct embeddings *m, struct err *e)
{
    struct embeddings *copy = mem_new(1, sizeof *copy, e);
    if (!copy)
        return ERR_FAIL;
    copy->list = m->list;
    copy->shared = true;
    int rc = store_share(&copy->store, m->store, e);
    if (rc == 0)
        rc = codec_new(&copy->codec, e);
    if (rc < 0) {
        embeddings_close(copy);
        return rc;
    }
    *out = copy;
    return 0;
}

void embeddings_close(struct embeddings *m)
{
    if (!m)
        return;
    if (!m->shared)
        list_free(m->list);
    codec_free(m->codec);
    store_close(m->store);
    free(m);
}

/* -- reading -- */

const struct store *embeddings_store(const struct embeddings *m)
{
    return m->store;
}

size_t embeddings_n_videos(const struct embeddings *m)
{
    return m->list->items.n;
}

const char *embeddings_id(const struct embeddings *m, size_t video)
{
    return m->list->items.item[video].id;
}

long embeddings_find(const struct embeddings *m, const char *id)
{
    return items_find(&m->list->items, id);
}

size_t embeddings_n_clips(const struct embeddings *m, size_t video)
{
    return m->list->clips[video].n;
}

const struct embedding_clip *embeddings_clip(const struct embeddings *m, size_t video, size_t clip)
{
    return &m->list->clips[video].clip[clip];
}

size_t embeddings_n_channels(const struct embeddings *m)
{
    return m->list->shape.n_channels;
}

size_t embeddings_n_steps(const struct embeddings *m)
{
    return embeddings_dense(m) ? m->list->shape.n_steps : 1;
}

bool embeddings_dense(const struct embeddings *m)
{
    return m->list->shape.n_steps > 0;
}

/* The array's numbers; all must be finite. */
static int take_values(float *out, const struct npy *a, bool half, struct err *e)
{
    size_t n = a->data_bytes / a->item_bytes;
    const uint16_t *halves = a->data;
    if (!half)
        memcpy(out, a->data, a->data_bytes);
    for (size_t i = 0; half && i < n; i++)
        out[i] = half_to_f32(halves[i]);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(out[i]))
            return err_set(e, "number %zu is not finite", i);
    return 0;
}

int embeddings_read(struct embeddings *m, size_t video, size_t clip, float *out, struct err *e)
{
    const struct embedding_shape *want = &m->list->shape;
    struct embedding_shape is;
    struct npy a;
    int rc = get_array(m, video, clip, &a, e);
    if (rc < 0)
        return rc;
    rc = shape_of(&is, &a, e);
    if (rc == 0 &&
        (is.n_steps != want->n_steps || is.n_channels != want->n_channels || is.half != want->half))
        rc = err_set(e, "array of another shape or type than the first of the store");
    if (rc == 0)
        rc = take_values(out, &a, is.half, e);
    return rc < 0 ? err_add(e, "%s: %s: clip %zu", store_record_path(m->store),
                            embeddings_id(m, video), clip)
                  : 0;
}

/* -- writing -- */

int embeddings_put_video(struct store_writer *w, const char *id, const struct embedding_clip *clips,
                         size_t n, struct err *e)
{
    struct json *j = embeddings_video_to_json(clips, n);
    if (!j)
        return err_set(e, "%s: out of memory", id);
    const char *text = json_text(j);
    int rc = store_put(w, id, text, strlen(text), e);
    json_free(j);
    return rc;
}

/* Values as they are stored: `values` itself, or float16 in `scratch`. NULL where one does not fit.
 */
static const void *stored_values(struct buf *scratch, const float *values, size_t n, bool half,
                                 struct err *e)
{
    if (half && buf_reserve(scratch, n * sizeof(uint16_t), e) < 0)
        return NULL;
    uint16_t *halves = (uint16_t *)scratch->data;
    for (size_t i = 0; i < n; i++) {
        if (half)
            halves[i] = half_from_f32(values[i]);
        if (!isfinite(values[i]) || (half && (halves[i] & 0x7c00) == 0x7c00)) {
            err_set(e, "number %zu is %g, which %s", i, (double)values[i],
                    isfinite(values[i]) ? "does not fit into float16 (teg-extract --type float32)"
                                        : "is not finite");
            return NULL;
        }
    }
    return half ? (const void *)halves : values;
}

int embeddings_put(struct store_writer *w, struct codec *c, const char *id, size_t clip,
                   const struct embedding *x, struct err *e)
{
    const struct embedding_shape *shape = &x->shape;
    char key[STORE_MAX_KEY + 1];
    struct buf scratch = {0}, value = {0};
    size_t n, item_bytes = shape->half ? 2 : 4;
    struct npy a = {.n_dims = shape->n_steps ? 2 : 1, .dim = {shape->n_steps, shape->n_channels}};
    if (!shape->n_steps)
        a.dim[0] = shape->n_channels;
    snprintf(a.descr, sizeof a.descr, "%s", shape->half ? "<f2" : "<f4");
    if (!size_mul(shape->n_steps ? shape->n_steps : 1, shape->n_channels, &n) || n == 0 ||
        !size_mul(n, item_bytes, &a.data_bytes))
        return err_set(e, "%s: embedding of %zu x %zu numbers", id, shape->n_steps,
                       shape->n_channels);
    int rc = items_key(key, id, (int64_t)clip, e);
    a.data = rc == 0 ? stored_values(&scratch, x->values, n, shape->half, e) : NULL;
    rc = a.data ? codec_pack(c, &a, &value, e) : ERR_FAIL;
    rc =
        rc < 0 ? err_add(e, "%s: clip %zu", id, clip) : store_put(w, key, value.data, value.len, e);
    buf_release(&scratch);
    buf_release(&value);
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/inspect.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/store/embeddings.h"
#include "common/store/frames.h"
#include "common/store/index.h"
#include "common/store/items.h"
#include "common/store/samples.h"
#include "common/store/source.h"
#include "common/store/store_meta.h"
#include "common/store/store_pages.h"

/* What a video's record says of the parts behind it. */
struct parent {
    char id[STORE_MAX_KEY + 1]; /* "" before the first */
    int64_t n_parts;
    struct frames_info info; /* frames store */
};

struct verify {
    const struct inspect *request;
    struct source *source;
    const struct rules *rules;
    size_t n_bad, n_records;
    uint64_t n_items;
    struct parent parent;   /* looked up last */
    size_t n_sample_videos; /* samples store: length of the list `videos` */
    struct array first;     /* embeddings store: what all arrays are like */
    bool have_first;
};

/* How the records of a schema are checked. Errors name neither file nor key. */
struct rules {
    const char *schema;
    const char *items; /* what `count` in `!meta` counts */
    int (*check_json)(struct verify *v, const char *key, const struct json *j, struct err *e);
    int (*check_array)(struct verify *v, const char *key, const struct array *a, struct err *e);
    int (*read_parent)(struct parent *p, const struct json *j, struct err *e);
};

/* Of numbers that may be none. */
static int check_finite(const struct array *a, struct err *e)
{
    if (a->type.kind != SCALAR_REAL && a->type.kind != SCALAR_BFLOAT)
        return 0;
    for (size_t i = 0; i < a->n; i++)
        if (!isfinite(scalar_f64(a->type, array_item(a, i))))
            return err_set(e, "number %zu is not finite", i);
    return 0;
}

/* -- items with parts: frames, embeddings -- */

/* Each part of the item has its record; the first that lacks is named. */
static int check_parts(struct verify *v, const char *id, int64_t n, struct err *e)
{
    char key[STORE_MAX_KEY + 1];
    struct blob value;
    for (int64_t part = 0; part < n; part++) {
        if (items_key(key, id, part, e) < 0)
            return ERR_FAIL;
        if (store_get(source_store(v->source), key, &value, e) < 0)
            return err_set(e, "part %" PRId64 " of %" PRId64 " is missing", part, n);
    }
    return 0;
}

static int check_item(struct verify *v, const char *key, const struct json *j, struct err *e)
{
    struct parent p = {0};
    if (index_check_id(key, e) < 0 || v->rules->read_parent(&p, j, e) < 0)
        return ERR_FAIL;
    v->n_items++;
    return check_parts(v, key, p.n_parts, e);
}

/* Splits "<id>/<8 digits>" and reads the record of the id, unless it is the one of the last call.
 */
static int find_parent(struct verify *v, const char *key, int64_t *part, struct err *e)
{
    enum { TAIL = 9 };
    size_t len = strlen(key);
    const char *tail = key + len - TAIL;
    if (len <= TAIL || *tail != '/' || strspn(tail + 1, "0123456789") != TAIL - 1)
        return err_set(e, "an array whose key does not end in a number of 8 digits");
    *part = strtoll(tail + 1, NULL, 10);
    struct parent *p = &v->parent;
    if (strlen(p->id) == len - TAIL && memcmp(p->id, key, len - TAIL) == 0)
        return 0;
    *p = (struct parent){0};
    char id[STORE_MAX_KEY + 1];
    snprintf(id, sizeof id, "%.*s", (int)(len - TAIL), key);
    struct record r;
    if (source_get(v->source, id, &r, e) < 0)
        return err_set(e, "there is no record %s", id);
    struct json *j = json_parse(r.value.data, r.value.len, e);
    int rc = j ? v->rules->read_parent(p, j, e) : ERR_FAIL;
    json_free(j);
    if (rc < 0)
        return err_set(e, "the record %s is bad", id);
    memcpy(p->id, id, sizeof p->id);
    return 0;
}

static int check_part(struct verify *v, const char *key, struct err *e)
{
    int64_t part = 0;
    if (find_parent(v, key, &part, e) < 0)
        return ERR_FAIL;
    if (part >= v->parent.n_parts)
        return err_set(e, "the record %s counts %" PRId64 " parts only", v->parent.id,
                       v->parent.n_parts);
    return 0;
}

/* -- frames -- */

static int read_frames_parent(struct parent *p, const struct json *j, struct err *e)
{
    int rc = frames_info_from_json(&p->info, j, e);
    p->n_parts = p->info.n_frames;
    return rc;
}

static int check_frame(struct verify *v, const char *key, const struct array *a, struct err *e)
{
    if (check_part(v, key, e) < 0)
        return ERR_FAIL;
    const struct frames_info *info = &v->parent.info;
    size_t n_rows = (size_t)info->stored_height / 2 * 3, n_columns = (size_t)info->stored_width;
    if (strcmp(a->descr, "|u1") != 0 || a->n_dims != 2 || a->dim[0] != n_rows ||
        a->dim[1] != n_columns)
        return err_set(e, "not a picture |u1 [%zu, %zu]", n_rows, n_columns);
    return 0;
}

/* -- embeddings -- */

static int read_embeddings_parent(struct parent *p, const struct json *j, struct err *e)
{
    struct embedding_clip *clips = NULL;
    size_t n = 0;
    int rc = embeddings_video_from_json(&clips, &n, j, e);
    p->n_parts = (int64_t)n;
    free(clips);
    return rc;
}

static int check_embedding(struct verify *v, const char *key, const struct array *a, struct err *e)
{
    if (check_part(v, key, e) < 0)
        return ERR_FAIL;
    bool real = strcmp(a->descr, "<f2") == 0 || strcmp(a->descr, "<f4") == 0;
    if (!real || a->n_dims < 1 || a->n_dims > 2 || a->n == 0)
        return err_set(e, "neither a vector nor a matrix of <f2 or <f4");
    if (check_finite(a, e) < 0)
        return ERR_FAIL;
    if (!v->have_first)
        v->first = *a;
    v->have_first = true;
    if (strcmp(a->descr, v->first.descr) != 0 || a->n_dims != v->first.n_dims ||
        memcmp(a->dim, v->first.dim, sizeof a->dim) != 0)
        return err_set(e, "array of another shape or type than the first of the store");
    return 0;
}

/* -- index -- */

static int check_video(struct verify *v, const char *key, const struct json *j, struct err *e)
{
    struct video video = {0};
    int rc = index_check_id(key, e);
    if (rc == 0)
        rc = video_from_json(&video, j, e);
    video_release(&video);
    v->n_items++;
    return rc;
}

static int check_no_array(struct verify *v, const char *key, const struct array *a, struct err *e)
{
    (void)key;
    (void)a;
    return err_set(e, "an array in a store of schema %s", v->rules->schema);
}

/* -- samples -- */

#define VIDEOS_KEY "videos"

static int check_sample_lists(struct verify *v, const char *key, const struct json *j,
                              struct err *e)
{
    (void)v;
    if (strcmp(key, VIDEOS_KEY) != 0 && strcmp(key, "classes") != 0)
        return err_set(e, "neither a list of videos, classes or boxes, nor an epoch");
    if (json_kind(j) != JSON_ARRAY)
        return err_set(e, "not an array");
    for (size_t i = 0; i < json_len(j); i++)
        if (!json_str(json_at(j, i)))
            return err_set(e, "%zu: not a string", i);
    return 0;
}

static int check_boxes(const struct verify *v, const struct array *a, struct err *e)
{
    if (strcmp(a->descr, samples_boxes_descr()) != 0 || a->n_dims != 1)
        return err_set(e, "not a table of boxes");
    return samples_check_boxes((const struct sample_box *)a->data, a->n, v->n_sample_videos, e);
}

static int check_epoch(struct verify *v, const char *key, const struct array *a, struct err *e)
{
    char expected[32];
    if (strcmp(key, "boxes") == 0)
        return check_boxes(v, a, e);
    snprintf(expected, sizeof expected, "epoch/%08" PRIu64, v->n_items++);
    if (strcmp(key, expected) != 0)
        return err_set(e, "not an epoch, or in front of it %s is missing", expected);
    if (strcmp(a->descr, samples_descr()) != 0 || a->n_dims != 1)
        return err_set(e, "not a table of samples");
    return samples_check_rows((const struct sample *)a->data, a->n, v->n_sample_videos, e);
}

static int count_sample_videos(struct verify *v, struct err *e)
{
    struct record r;
    int rc = source_get(v->source, VIDEOS_KEY, &r, e);
    if (rc == ERR_NOT_FOUND && !store_meta(source_store(v->source))->complete) {
        v->n_sample_videos = SIZE_MAX; /* not written yet */
        return 0;
    }
    struct json *j = rc == 0 ? source_json(&r, e) : NULL;
    v->n_sample_videos = json_len(j);
    json_free(j);
    return rc;
}

/* -- all -- */

static const struct rules all_rules[] = {
    {INDEX_SCHEMA, "videos", check_video, check_no_array, NULL},
    {FRAMES_SCHEMA, "videos", check_item, check_frame, read_frames_parent},
    {SAMPLES_SCHEMA, "epochs", check_sample_lists, check_epoch, NULL},
    {EMBEDDINGS_SCHEMA, "videos", check_item, check_embedding, read_embeddings_parent},
};

static const struct rules *find_rules(const char *schema)
{
    for (size_t i = 0; i < sizeof all_rules / sizeof *all_rules; i++)
        if (strcmp(all_rules[i].schema, schema) == 0)
            return &all_rules[i];
    return NULL;
}

static int check_record(struct verify *v, const struct record *r, struct err *e)
{
    struct array a;
    int rc;
    if (r->is_array) {
        if (source_array(v->source, r, &a, e) < 0)
            return ERR_FAIL;
        rc = v->rules->check_array(v, r->key, &a, e);
    } else {
        struct json *j = source_json(r, e);
        if (!j)
            return ERR_FAIL;
        rc = v->rules->check_json(v, r->key, j, e);
        json_free(j);
    }
    return rc < 0 ? err_add(e, "%s: %s", r->path, r->key) : 0;
}

static int check_records(struct verify *v, struct err *e)
{
    struct record r;
    int rc;
    ui_progress_start(v->request->ui, "verifying", source_n_records(v->source), "records");
    while ((rc = source_next(v->source, &r, e)) == 1) {
        struct err bad = {0};
        v->n_records++;
        if (check_record(v, &r, &bad) < 0) {
            fprintf(v->request->out, "%s\n", bad.text);
            v->n_bad++;
        }
        ui_progress_add(v->request->ui, 1);
    }
    ui_progress_end(v->request->ui);
    return rc;
}

static int check_whole(struct verify *v, struct err *e)
{
    const struct store_meta *m = store_meta(source_store(v->source));
    const char *path = source_path(v->source);
    if (v->n_bad)
        return err_set(e, "%s: %zu of %zu records are bad", path, v->n_bad, v->n_records);
    if (!m->complete)
        return err_set(e, "%s: incomplete; the %zu records that it holds are good", path,
                       v->n_records);
    if (v->n_items != m->count)
        return err_set(e, "%s: holds %" PRIu64 " %s, %" PRIu64 " were written", path, v->n_items,
                       v->rules->items, m->count);
    int rc = store_verify(path, e); /* the records together: the content hash */
    if (rc < 0)
        return rc;
    size_t n_files = store_n_files(source_store(v->source));
    fprintf(v->request->out, "%s: good: %s, %" PRIu64 " %s in %zu records", path, m->schema,
            m->count, v->rules->items, v->n_records);
    if (n_files > 1)
        fprintf(v->request->out, ", %zu shards", n_files);
    fprintf(v->request->out, "\n");
    return 0;
}

/* Before LMDB is let through all of them. */
static int check_pages(const struct store *s, struct err *e)
{
    size_t file_bytes;
    for (size_t i = 0; i < store_n_files(s); i++)
        if (pages_check(store_file_path(s, i), PAGES_ALL, &file_bytes, e) < 0)
            return err_add(e, "%s", store_file_path(s, i));
    return 0;
}

static int verify_store(struct verify *v, struct err *e)
{
    const struct store_meta *m = store_meta(source_store(v->source));
    int rc = check_pages(source_store(v->source), e);
    if (rc < 0)
        return rc;
    if (meta_check_kind(m->root, NULL, 0, e) < 0)
        return err_add(e, "%s", source_path(v->source));
    v->rules = find_rules(m->schema);
    if (!v->rules)
        return err_set(e, "%s: schema %s has no rules", source_path(v->source), m->schema);
    if (strcmp(m->schema, SAMPLES_SCHEMA) == 0)
        rc = count_sample_videos(v, e);
    if (rc == 0)
        rc = check_records(v, e);
    return rc < 0 ? rc : check_whole(v, e);
}

/* -- tensors -- */

/* Whoever opens a .safetensors file checks all of its header. */
static int verify_tensors(struct verify *v, struct err *e)
{
    const char *path = source_path(v->source);
    struct record r;
    struct array a;
    int rc;
    while ((rc = source_next(v->source, &r, e)) == 1 && source_array(v->source, &r, &a, e) == 0) {
        struct err bad = {0};
        v->n_records++;
        if (check_finite(&a, &bad) < 0) {
            fprintf(v->request->out, "%s: %s: %s\n", path, r.key, bad.text);
            v->n_bad++;
        }
    }
    if (rc != 0)
        return ERR_FAIL;
    int hashed = source_check_content(v->source, e);
    if (hashed < 0)
        return err_add(e, "%s", path);
    if (v->n_bad)
        return err_set(e, "%s: %zu of %zu tensors are bad", path, v->n_bad, v->n_records);
    fprintf(v->request->out, "%s: good: safetensors, %zu tensors%s\n", path, v->n_records,
            hashed ? "" : ", without a hash of the content");
    return 0;
}

int inspect_verify(const struct inspect *i, struct err *e)
{
    struct verify *v = mem_new(1, sizeof *v, e);
    if (!v)
        return ERR_FAIL;
    v->request = i;
    int rc = source_open(&v->source, i->path, e);
    if (rc == 0 && source_store(v->source))
        rc = verify_store(v, e);
    else if (rc == 0)
        rc = verify_tensors(v, e);
    source_close(v->source);
    free(v);
    return rc;
}

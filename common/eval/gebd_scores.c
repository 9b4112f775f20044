/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/gebd_scores.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/buf.h"
#include "common/base/pool.h"
#include "common/eval/gebd_eval.h"
#include "common/eval/gebd_file.h"
#include "common/store/embeddings.h"

struct entry {
    const char *id; /* borrowed */
    const struct json *value;
};

/* Either a store or a JSON object. */
struct gebd_scores {
    char *name; /* path */
    struct embeddings *store;
    struct gebd_loaded file;
    struct entry *entries; /* of the object */
    size_t n_entries;
};

/* -- opening -- */

/* Stores begin with zeros, JSON and pickles do not. Only of a file can a byte be read twice. */
static bool looks_like_store(const char *path)
{
    struct stat st;
    bool is_file = stat(path, &st) == 0 && S_ISREG(st.st_mode);
    FILE *f = is_file ? fopen(path, "re") : NULL;
    int first = f ? fgetc(f) : EOF;
    if (f)
        fclose(f);
    return first == 0 || store_in_shards(path);
}

static int open_store(struct gebd_scores *s, const char *path, struct err *e)
{
    int rc = embeddings_open(&s->store, path, e);
    if (rc < 0)
        return rc;
    size_t n_steps = embeddings_n_steps(s->store), n_channels = embeddings_n_channels(s->store);
    if (embeddings_dense(s->store) || n_channels < 1 || n_channels > 2)
        return err_set(e, "%s: holds [%zu, %zu] numbers a clip; scores of windows are 1 or 2", path,
                       n_steps, n_channels);
    return 0;
}

static int open_json(struct gebd_scores *s, const char *path, struct err *e)
{
    struct json_walk w = {0};
    struct json *value;
    const char *id;
    int rc = gebd_load_json(&s->file, path, e);
    if (rc < 0)
        return rc;
    size_t n = json_len(s->file.json);
    if (!(s->entries = mem_new(n ? n : 1, sizeof *s->entries, e)))
        return ERR_FAIL;
    while (json_next(s->file.json, &w, &id, &value))
        s->entries[s->n_entries++] = (struct entry){id, value};
    return 0;
}

int gebd_scores_open(struct gebd_scores **out, const char *path, struct err *e)
{
    struct gebd_scores *s = mem_new(1, sizeof *s, e);
    if (!s)
        return ERR_FAIL;
    int rc = (s->name = mem_strdup(path, e)) ? 0 : ERR_FAIL;
    if (rc == 0)
        rc = looks_like_store(path) ? open_store(s, path, e) : open_json(s, path, e);
    if (rc < 0) {
        gebd_scores_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

void gebd_scores_close(struct gebd_scores *s)
{
    if (!s)
        return;
    embeddings_close(s->store);
    json_free(s->file.json);
    free(s->entries);
    free(s->name);
    free(s);
}

const char *gebd_scores_identity(const struct gebd_scores *s)
{
    return s->store ? store_meta(embeddings_store(s->store))->identity : s->file.identity;
}

/* -- series -- */

static int store_series(struct embeddings *store, size_t video, struct gebd_series_memory *m,
                        struct gebd_series *out, struct err *e)
{
    size_t n = embeddings_n_clips(store, video), n_logits = embeddings_n_channels(store);
    struct gebd_window w = {0};
    int rc = gebd_series_reserve(m, n, e);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        float logits[2] = {0};
        rc = embeddings_read(store, video, i, logits, e);
        double logit = n_logits == 2 ? (double)logits[1] - logits[0] : logits[0];
        if (rc == 0)
            rc = gebd_series_add(m, &w, embeddings_clip(store, video, i), 1 / (1 + exp(-logit)), e);
    }
    *out = (struct gebd_series){.time = m->time, .score = m->score, .n = w.n_windows};
    return rc;
}

static int read_number(const struct json *array, size_t i, const char *name, double *out,
                       struct err *e)
{
    const struct json *v = json_at(array, i);
    *out = json_f64(v);
    if ((json_kind(v) != JSON_REAL && json_kind(v) != JSON_INT) || !isfinite(*out))
        return err_set(e, "member '%s', element %zu: expected a finite number", name, i);
    return 0;
}

static int json_series(const struct json *value, const struct json *annotation,
                       struct gebd_series_memory *m, struct gebd_series *out, struct err *e)
{
    struct json *frames, *scores;
    double fps, frame;
    if (json_get_f64(annotation, "fps", &fps, e) < 0)
        return err_add(e, "annotation");
    if (!(fps > 0))
        return err_set(e, "annotation: member 'fps': %g is not positive", fps);
    if (json_get_array(value, "frame_idx", &frames, e) < 0 ||
        json_get_array(value, "scores", &scores, e) < 0)
        return ERR_FAIL;
    size_t n = json_len(frames);
    if (json_len(scores) != n)
        return err_set(e, "%zu scores for %zu frames", json_len(scores), n);
    if (gebd_series_reserve(m, n, e) < 0)
        return ERR_FAIL;
    for (size_t i = 0; i < n; i++) {
        if (read_number(frames, i, "frame_idx", &frame, e) < 0 ||
            read_number(scores, i, "scores", &m->score[i], e) < 0)
            return ERR_FAIL;
        m->time[i] = frame / fps;
    }
    *out = (struct gebd_series){.time = m->time, .score = m->score, .n = n};
    return 0;
}

int gebd_scores_series(struct gebd_scores *s, const char *id, const struct json *annotation,
                       struct gebd_series_memory *m, struct gebd_series *out, struct err *e)
{
    int rc = 0;
    if (s->store) {
        const char *path = json_str(json_member(annotation, "path_frame"));
        long video = embeddings_find(s->store, id);
        if (video < 0 && path)
            video = embeddings_find(s->store, path);
        rc = video < 0 ? ERR_NOT_FOUND : store_series(s->store, (size_t)video, m, out, e);
    } else {
        const struct json *value = gebd_find(s->file.json, id, annotation);
        rc = value ? json_series(value, annotation, m, out, e) : ERR_NOT_FOUND;
    }
    if (rc == ERR_NOT_FOUND)
        return err_code(e, rc, "%s: there are no scores of video '%s'", s->name, id);
    return rc < 0 ? err_add(e, "%s: video '%s'", s->name, id) : 0;
}

/* -- all videos -- */

struct grouping {
    struct gebd_scores *s;
    const struct gebd_scores_how *how;
    struct embeddings **handles;       /* [n_threads]; NULL for JSON */
    struct gebd_series_memory *memory; /* [n_threads] */
    struct json *out;
    size_t n_left_out;
};

static const char *id_of(const struct gebd_scores *s, size_t i)
{
    return s->store ? embeddings_id(s->store, i) : s->entries[i].id;
}

static struct json *boundaries(const struct gebd_series *s, const struct gebd_scores_how *how,
                               struct err *e)
{
    double *at = mem_new(s->n / 2 + 1, sizeof *at, e);
    if (!at)
        return NULL;
    size_t n = gebd_group(s, how->grouping, how->threshold, at);
    struct json *list = json_new_array();
    int rc = list ? 0 : ERR_FAIL;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = json_append(list, json_new_f64(at[i]));
    free(at);
    if (rc == 0)
        return list;
    err_set(e, "out of memory");
    json_free(list);
    return NULL;
}

/* The result is NULL for a video that is left out. */
static int group_video(void *user, size_t item, size_t thread, void **result, struct err *e)
{
    struct grouping *g = user;
    struct gebd_series series;
    *result = NULL;
    int rc;
    if (g->handles) {
        rc = store_series(g->handles[thread], item, &g->memory[thread], &series, e);
    } else {
        const struct entry *x = &g->s->entries[item];
        long at = g->how->truth ? gebd_truth_find(g->how->truth, x->id) : -1;
        if (at < 0)
            return 0;
        struct json *annotation = gebd_truth_video(g->how->truth, (size_t)at, e);
        if (!annotation)
            return ERR_FAIL;
        rc = json_series(x->value, annotation, &g->memory[thread], &series, e);
        json_free(annotation);
    }
    if (rc == 0)
        rc = (*result = boundaries(&series, g->how, e)) ? 0 : ERR_FAIL;
    return rc < 0 ? err_add(e, "%s: video '%s'", g->s->name, id_of(g->s, item)) : 0;
}

static int put_video(void *user, size_t item, void *result, struct err *e)
{
    struct grouping *g = user;
    if (!result)
        g->n_left_out++;
    else if (json_add(g->out, id_of(g->s, item), result) < 0)
        return err_set(e, "out of memory");
    return 0;
}

static void discard(void *user, void *result)
{
    (void)user;
    json_free(result);
}

static int open_handles(struct grouping *g, struct err *e)
{
    size_t n = g->how->n_threads;
    if (!(g->memory = mem_new(n, sizeof *g->memory, e)))
        return ERR_FAIL;
    if (!(g->out = json_new_object()))
        return err_set(e, "out of memory");
    if (!g->s->store)
        return 0;
    if (!(g->handles = mem_new(n, sizeof *g->handles, e)))
        return ERR_FAIL;
    for (size_t i = 0; i < n; i++)
        if (embeddings_share(&g->handles[i], g->s->store, e) < 0)
            return ERR_FAIL;
    return 0;
}

static void close_handles(struct grouping *g)
{
    for (size_t i = 0; i < g->how->n_threads; i++) {
        if (g->handles)
            embeddings_close(g->handles[i]);
        if (g->memory)
            gebd_series_release(&g->memory[i]);
    }
    free(g->handles);
    free(g->memory);
}

int gebd_scores_group(struct gebd_scores *s, const struct gebd_scores_how *how, struct json **out,
                      size_t *n_left_out, struct err *e)
{
    struct grouping g = {.s = s, .how = how};
    struct pool_job job = {.n_items = s->store ? embeddings_n_videos(s->store) : s->n_entries,
                           .n_threads = how->n_threads,
                           .work = group_video,
                           .emit = put_video,
                           .discard = discard,
                           .user = &g};
    int rc = open_handles(&g, e);
    if (rc == 0)
        rc = pool_run(&job, e);
    close_handles(&g);
    if (rc < 0) {
        json_free(g.out);
        return rc;
    }
    *out = g.out;
    *n_left_out = g.n_left_out;
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/ava_scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/datasets/ava_files.h"
#include "common/store/embeddings.h"

struct scores {
    struct embeddings *store;
    int64_t *id;   /* [n] of each score in the label map; 0: it lacks the class */
    float *values; /* [n] */
    size_t n;
};

/* By name, or by the number of an "action N" of an index that had no label map. */
static int64_t id_of(const struct ava_labels *labels, const char *name)
{
    int64_t id = ava_files_action_id(name);
    for (size_t k = 0; k < labels->n; k++)
        if (strcmp(labels->classes[k].name, name) == 0)
            return labels->classes[k].id;
    return ava_labels_find(labels, id) >= 0 ? id : 0;
}

static int match_classes(struct scores *s, const struct ava_labels *labels, struct err *e)
{
    const struct json *settings = store_meta(embeddings_store(s->store))->settings;
    const struct json *classes = json_member(settings, "classes");
    const char *task = json_str(json_member(settings, "task"));
    size_t n_known = 0;
    if (!task || strcmp(task, "localize") != 0)
        return err_set(e, "holds no scores of people (teg-extract of a model that teg-train --task "
                          "localize made)");
    s->n = json_len(classes);
    if (s->n != embeddings_n_channels(s->store))
        return err_set(e, "%zu classes, but %zu scores", s->n, embeddings_n_channels(s->store));
    s->id = mem_new(s->n, sizeof *s->id, e);
    s->values = mem_new(s->n, sizeof *s->values, e);
    if (!s->id || !s->values)
        return ERR_FAIL;
    for (size_t k = 0; k < s->n; k++) {
        const char *name = json_str(json_at(classes, k));
        s->id[k] = name ? id_of(labels, name) : 0;
        n_known += s->id[k] != 0;
    }
    return n_known ? 0 : err_set(e, "none of its %zu classes is in the label map", s->n);
}

static int add_person(const struct scores *s, const char *id, const struct embedding_person *p,
                      struct buf *csv, struct err *e)
{
    for (size_t k = 0; k < s->n; k++) {
        double probability = 1.0 / (1.0 + exp(-(double)s->values[k]));
        if (s->id[k] == 0)
            continue;
        bool whole = p->timestamp == floor(p->timestamp);
        if (buf_printf(csv, e, whole ? "%s,%04.0f" : "%s,%.6f", id, p->timestamp) < 0 ||
            buf_printf(csv, e, ",%.9g,%.9g,%.9g,%.9g,%lld,%.9g\n", p->box[0], p->box[1], p->box[2],
                       p->box[3], (long long)s->id[k], probability * p->score) < 0)
            return ERR_FAIL;
    }
    return 0;
}

static int add_video(struct scores *s, size_t video, struct buf *csv, struct err *e)
{
    const char *id = embeddings_id(s->store, video);
    for (size_t i = 0; i < embeddings_n_clips(s->store, video); i++) {
        const struct embedding_clip *clip = embeddings_clip(s->store, video, i);
        if (!clip->has_person)
            return err_set(e, "%s: clip %zu is of nobody", id, i);
        if (embeddings_read(s->store, video, i, s->values, e) < 0 ||
            add_person(s, id, &clip->person, csv, e) < 0)
            return ERR_FAIL;
    }
    return 0;
}

int ava_scores_to_csv(const char *path, const struct ava_labels *labels, struct buf *csv,
                      struct err *e)
{
    struct scores s = {0};
    if (embeddings_open(&s.store, path, e) < 0)
        return ERR_FAIL;
    int rc = match_classes(&s, labels, e);
    for (size_t i = 0; rc == 0 && i < embeddings_n_videos(s.store); i++)
        rc = add_video(&s, i, csv, e);
    free(s.id);
    free(s.values);
    embeddings_close(s.store);
    return rc < 0 ? err_add(e, "%s", path) : 0;
}

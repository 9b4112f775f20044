/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes an embeddings store from JSON: id -> list of clips {"centre", "clip", "view", "values"},
 * values [C] or [T', C] numbers.
 *
 * usage: helper_embeddings JSON EMBEDDINGS
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/store/embeddings.h"

/* Flattens the values of a clip; free them. */
static float *read_values(const struct json *values, struct embedding_shape *shape)
{
    bool dense = json_kind(json_at(values, 0)) == JSON_ARRAY;
    shape->n_steps = dense ? json_len(values) : 0;
    shape->n_channels = json_len(dense ? json_at(values, 0) : values);
    size_t n = shape->n_channels * (dense ? shape->n_steps : 1);
    float *x = malloc((n ? n : 1) * sizeof *x);
    for (size_t i = 0; x && i < n; i++) {
        const struct json *row = dense ? json_at(values, i / shape->n_channels) : values;
        x[i] = (float)json_f64(json_at(row, i % shape->n_channels));
    }
    return x;
}

static int put_video(struct store_writer *w, struct codec *c, const char *id,
                     const struct json *list, struct err *e)
{
    size_t n = json_len(list);
    struct embedding_clip *clips = mem_new(n ? n : 1, sizeof *clips, e);
    for (size_t i = 0; clips && i < n; i++) {
        const struct json *clip = json_at(list, i);
        double centre = json_f64(json_member(clip, "centre"));
        clips[i] = (struct embedding_clip){
            .clip = (uint32_t)json_i64(json_member(clip, "clip")),
            .view = (uint32_t)json_i64(json_member(clip, "view")),
            .start = centre - 0.5,
            .end = centre + 0.5,
            .centre = centre,
            .target = -1,
        };
    }
    int rc = clips ? embeddings_put_video(w, id, clips, n, e) : ERR_FAIL;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct embedding one = {0};
        float *x = read_values(json_member(json_at(list, i), "values"), &one.shape);
        one.values = x;
        rc = x ? embeddings_put(w, c, id, i, &one, e) : ERR_FAIL;
        free(x);
    }
    free(clips);
    return rc;
}

static int write_store(const char *path, const struct json *videos, struct err *e)
{
    struct store_writer *w;
    struct codec *c = NULL;
    struct json_walk walk = {0};
    struct json *list;
    const char *id;
    struct store_spec spec = {
        .schema = EMBEDDINGS_SCHEMA, .version = EMBEDDINGS_VERSION, .tool = "helper_embeddings"};
    int rc = store_create(&w, path, &spec, e);
    if (rc == 0)
        rc = codec_new(&c, e);
    while (rc == 0 && json_next(videos, &walk, &id, &list))
        rc = put_video(w, c, id, list, e);
    if (rc == 0)
        rc = store_publish(w, json_len(videos), e);
    codec_free(c);
    return rc;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    if (argc != 3) {
        fprintf(stderr, "usage: helper_embeddings JSON EMBEDDINGS\n");
        return 2;
    }
    struct json *videos = json_load(argv[1], &e);
    int rc = videos ? write_store(argv[2], videos, &e) : ERR_FAIL;
    if (rc < 0)
        fprintf(stderr, "helper_embeddings: %s\n", e.text);
    json_free(videos);
    return rc < 0;
}

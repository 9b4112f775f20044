/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a small store of each kind into a folder; what is in them follows from formulas that
 * read_stores.py knows too.
 * usage: helper_stores FOLDER
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/store/embeddings.h"
#include "common/store/frames.h"
#include "common/store/index.h"
#include "common/store/samples.h"

enum { N_VIDEOS = 3, WIDTH = 33, HEIGHT = 22, CHANNELS = 4, STEPS = 2, N_ROWS = 50 };

static const char *const ids[N_VIDEOS] = {"a", "a-b", "class/caf\u00e9"};
static const char *folder;

static int create(struct store_writer **w, const char *name, const char *schema, struct err *e)
{
    char path[4096];
    struct store_spec spec = {.schema = schema, .version = 1, .tool = "helper_stores"};
    snprintf(path, sizeof path, "%s/%s.lmdb", folder, name);
    return store_create(w, path, &spec, e);
}

static int put_json(struct store_writer *w, const char *key, struct json *j, struct err *e)
{
    int rc =
        j ? store_put(w, key, json_text(j), strlen(json_text(j)), e) : err_set(e, "out of memory");
    json_free(j);
    return rc;
}

static int put_index(struct store_writer *w, struct err *e)
{
    struct event events[] = {{.end = 1.5, .label = "run"}, {.start = 1.5, .end = 2}};
    for (int v = 0; v < N_VIDEOS; v++) {
        struct video video = {
            .path = "x.mp4", .width = WIDTH, .height = HEIGHT, .fps_num = 25, .fps_den = 1};
        video.duration = 0.1 * v;
        video.n_frames = v + 1;
        video.ok = true;
        video.events = events;
        video.n_events = 2;
        if (put_json(w, ids[v], video_to_json(&video), e) < 0)
            return ERR_FAIL;
    }
    return 0;
}

/* Video v has v + 1 frames. */
static int put_frames(struct store_writer *w, struct codec *c, int v, struct err *e)
{
    enum { STRIDE = WIDTH + WIDTH % 2, N = HEIGHT / 2 * 3 * STRIDE };
    static uint8_t picture[N];
    struct frames_info info = {.width = WIDTH,
                               .height = HEIGHT,
                               .n_frames = v + 1,
                               .fps_num = 25,
                               .fps_den = 1,
                               .frame_step = 1,
                               .ok = true};
    struct buf value = {0};
    char key[STORE_MAX_KEY + 1];
    int rc = put_json(w, ids[v], frames_info_to_json(&info), e);
    for (int t = 0; rc == 0 && t <= v; t++) {
        for (int i = 0; i < N; i++)
            picture[i] = (uint8_t)(i * 7 + t * 31 + v * 101 + i * i / 100);
        rc = frames_key(key, ids[v], t, e);
        if (rc == 0)
            rc = frames_pack(c, picture, STRIDE, HEIGHT, &value, e);
        if (rc == 0)
            rc = store_put(w, key, value.data, value.len, e);
    }
    buf_release(&value);
    return rc;
}

static int put_samples(struct store_writer *w, struct err *e)
{
    static struct sample rows[N_ROWS];
    for (uint32_t i = 0; i < N_ROWS; i++)
        rows[i] = (struct sample){.video = i % N_VIDEOS,
                                  .example = i / 2,
                                  .start = -(int32_t)i,
                                  .stride = 4,
                                  .length = 32,
                                  .crop_x = (uint16_t)(2 * i),
                                  .crop_w = 20,
                                  .crop_h = 10,
                                  .flip = i % 2,
                                  .order = 23,
                                  .brightness = 0.5f * (float)i,
                                  .target = -1,
                                  .weight = 1};
    if (samples_put_epoch(w, 0, rows, N_ROWS, e) < 0 || samples_put_epoch(w, 1, rows, 0, e) < 0)
        return ERR_FAIL;
    return samples_put_videos(w, ids, N_VIDEOS, e);
}

/* One clip a video: dense float16, number i of video v is v + i / 4. */
static int put_embeddings(struct store_writer *w, struct codec *c, struct err *e)
{
    struct embedding_shape shape = {STEPS, CHANNELS, true};
    for (int v = 0; v < N_VIDEOS; v++) {
        struct embedding_clip clip = {.clip = 7, .end = 1, .centre = 0.5, .target = v - 1};
        float values[STEPS * CHANNELS];
        for (int i = 0; i < STEPS * CHANNELS; i++)
            values[i] = (float)v + 0.25f * (float)i;
        if (embeddings_put_video(w, ids[v], &clip, 1, e) < 0 ||
            embeddings_put(w, c, ids[v], 0, &(struct embedding){shape, values}, e) < 0)
            return ERR_FAIL;
    }
    return 0;
}

static int write_stores(struct codec *c, struct err *e)
{
    struct store_writer *w;
    if (create(&w, "index", INDEX_SCHEMA, e) < 0 || put_index(w, e) < 0 ||
        store_publish(w, N_VIDEOS, e) < 0 || create(&w, "frames", FRAMES_SCHEMA, e) < 0)
        return ERR_FAIL;
    for (int v = 0; v < N_VIDEOS; v++)
        if (put_frames(w, c, v, e) < 0)
            return ERR_FAIL;
    if (store_publish(w, N_VIDEOS, e) < 0 || create(&w, "samples", SAMPLES_SCHEMA, e) < 0 ||
        put_samples(w, e) < 0 || store_publish(w, 2, e) < 0)
        return ERR_FAIL;
    if (create(&w, "embeddings", EMBEDDINGS_SCHEMA, e) < 0 || put_embeddings(w, c, e) < 0)
        return ERR_FAIL;
    return store_publish(w, N_VIDEOS, e);
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct codec *c;
    if (argc != 2)
        return 2;
    folder = argv[1];
    int rc = codec_new(&c, &e);
    if (rc == 0) {
        rc = write_stores(c, &e);
        codec_free(c);
    }
    if (rc < 0)
        fprintf(stderr, "helper_stores: error: %s\n", e.text);
    return rc < 0;
}

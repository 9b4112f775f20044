/* SPDX-License-Identifier: Apache-2.0 */
/* Small frames and samples stores with known pictures, for the tests of what reads clips. */
#ifndef TEG_TESTS_UNIT_CLIP_SUPPORT_H
#define TEG_TESTS_UNIT_CLIP_SUPPORT_H

#include "common/base/buf.h"
#include "common/base/json.h"
#include "common/store/frames.h"
#include "common/store/samples.h"
#include "tests/unit/support.h"

/* Byte i of a picture: another value in every video and frame. */
static inline uint8_t clip_support_byte(size_t video, int64_t frame, size_t i)
{
    return (uint8_t)(i * 7 + i / 11 + (size_t)frame * 29 + video * 101);
}

static inline void clip_support_picture(uint8_t *picture, size_t video, int64_t frame, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        picture[i] = clip_support_byte(video, frame, i);
}

/* Videos "v0", "v1" ... of the given sizes (`stored_*` are filled in) and numbers of frames. */
static inline void clip_support_frames(const char *path, struct frames_info *videos, size_t n)
{
    struct err e = {0};
    struct store_writer *w;
    struct codec *c;
    struct buf value = {0};
    uint8_t picture[8192];
    char id[16], key[STORE_MAX_KEY + 1];
    struct store_spec spec = {.schema = FRAMES_SCHEMA, .version = FRAMES_VERSION, .tool = "test"};
    support_ok(store_create(&w, path, &spec, &e), &e);
    support_ok(codec_new(&c, &e), &e);
    for (size_t v = 0; v < n; v++) {
        struct frames_info *info = &videos[v];
        info->stored_width = info->width + info->width % 2;
        info->stored_height = info->height + info->height % 2;
        size_t bytes = (size_t)(info->stored_width * info->stored_height) * 3 / 2;
        assert_true(bytes <= sizeof picture);
        snprintf(id, sizeof id, "v%zu", v);
        struct json *j = frames_info_to_json(info);
        const char *text = json_text(j);
        support_ok(store_put(w, id, text, strlen(text), &e), &e);
        json_free(j);
        for (int64_t t = 0; t < info->n_frames; t++) {
            clip_support_picture(picture, v, t, bytes);
            support_ok(frames_pack(c, picture, info->stored_width, info->stored_height, &value, &e),
                       &e);
            support_ok(frames_key(key, id, t, &e), &e);
            support_ok(store_put(w, key, value.data, value.len, &e), &e);
        }
    }
    support_ok(store_publish(w, n, &e), &e);
    codec_free(c);
    buf_release(&value);
}

/* One epoch of rows over the videos "v0" ... of the frames store. */
static inline void clip_support_samples(const char *path, const char *frames_path,
                                        const struct sample *rows, size_t n_rows, size_t n_videos)
{
    static const char *const ids[] = {"v0", "v1", "v2", "v3", "v4", "v5"};
    struct err e = {0};
    struct store *frames;
    struct store_writer *w;
    struct json *inputs = json_new_object();
    struct store_spec spec = {
        .schema = SAMPLES_SCHEMA, .version = SAMPLES_VERSION, .tool = "test", .inputs = inputs};
    assert_true(n_videos <= sizeof ids / sizeof ids[0]);
    support_ok(store_open(&frames, frames_path, FRAMES_SCHEMA, FRAMES_VERSION, &e), &e);
    json_add(inputs, "frames", json_new_str(store_meta(frames)->identity));
    support_ok(store_create(&w, path, &spec, &e), &e);
    support_ok(samples_put_epoch(w, 0, rows, n_rows, &e), &e);
    support_ok(samples_put_videos(w, ids, n_videos, &e), &e);
    support_ok(store_publish(w, 1, &e), &e);
    store_close(frames);
    json_free(inputs);
}

/* A clip of a whole picture of the video, without any change of colour. */
static inline struct sample clip_support_sample(uint32_t video, const struct frames_info *info)
{
    return (struct sample){.video = video,
                           .stride = 1,
                           .length = 4,
                           .crop_w = (uint16_t)info->width,
                           .crop_h = (uint16_t)info->height,
                           .role = SAMPLE_SINGLE,
                           .brightness = 1,
                           .contrast = 1,
                           .saturation = 1,
                           .target = -1,
                           .weight = 1};
}

#endif

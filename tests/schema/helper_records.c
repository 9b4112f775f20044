/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hands JSON records to the readers of the tools.
 * usage: helper_records FILE..., named KIND.WHAT.json; prints "ok FILE" or "bad FILE: why" for
 * each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/store/embeddings.h"
#include "common/store/frames.h"
#include "common/store/index.h"
#include "common/store/samples.h"
#include "common/store/store_meta.h"

static int read_meta(struct json *j, struct err *e)
{
    struct store_meta m;
    return meta_read(&m, j, e);
}

static int read_index_video(struct json *j, struct err *e)
{
    struct video v = {0};
    int rc = video_from_json(&v, j, e);
    video_release(&v);
    return rc;
}

static int read_frames_video(struct json *j, struct err *e)
{
    struct frames_info info;
    return frames_info_from_json(&info, j, e);
}

static int read_embeddings_video(struct json *j, struct err *e)
{
    struct embedding_clip *clips = NULL;
    size_t n;
    int rc = embeddings_video_from_json(&clips, &n, j, e);
    free(clips);
    return rc;
}

/* A samples store reads its list when it is opened. */
static int read_samples_videos(struct json *j, struct err *e)
{
    char folder[4096];
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/teg-records-XXXXXX", parent ? parent : "/tmp");
    struct store_writer *w;
    struct samples *s = NULL;
    struct store_spec spec = {.schema = SAMPLES_SCHEMA, .version = SAMPLES_VERSION, .tool = "test"};
    char *path = mkdtemp(folder) ? path_join(folder, "samples.lmdb") : NULL;
    int rc = path ? store_create(&w, path, &spec, e) : err_errno(e, "%s", folder);
    if (rc == 0) {
        rc = store_put(w, "videos", json_text(j), strlen(json_text(j)), e);
        int rc_publish = store_publish(w, 0, e);
        rc = rc < 0 ? rc : rc_publish;
    }
    if (rc == 0)
        rc = samples_open(&s, path, e);
    samples_close(s);
    if (path)
        unlink(path);
    rmdir(folder);
    free(path);
    return rc;
}

static int is_kind(const char *name, const char *kind)
{
    size_t len = strlen(kind);
    return strncmp(name, kind, len) == 0 && name[len] == '.';
}

static int read_record(const char *name, struct json *j, struct err *e)
{
    if (is_kind(name, "meta"))
        return read_meta(j, e);
    if (is_kind(name, "index-video"))
        return read_index_video(j, e);
    if (is_kind(name, "frames-video"))
        return read_frames_video(j, e);
    if (is_kind(name, "embeddings-video"))
        return read_embeddings_video(j, e);
    if (is_kind(name, "samples-videos"))
        return read_samples_videos(j, e);
    fprintf(stderr, "helper_records: %s: unknown kind\n", name);
    exit(2);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct err e = {0};
        struct buf text = {0};
        struct json *j = NULL;
        int rc = file_read(argv[i], &text, &e);
        if (rc < 0) {
            fprintf(stderr, "helper_records: %s\n", e.text);
            return 2;
        }
        j = json_parse((const char *)text.data, text.len, &e);
        rc = j ? read_record(path_base(argv[i]), j, &e) : ERR_FAIL;
        printf("%s %s%s%s\n", rc < 0 ? "bad" : "ok", argv[i], rc < 0 ? ": " : "",
               rc < 0 ? e.text : "");
        json_free(j);
        buf_release(&text);
    }
    return 0;
}

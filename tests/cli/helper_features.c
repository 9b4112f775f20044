/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes an index and embeddings of made-up videos whose classes are known: every class has a
 * direction, every video and every clip of it is off by noise.
 *
 * usage: helper_features INDEX EMBEDDINGS [NAME=VALUE ...]
 * An INDEX that exists is left as it is; EMBEDDINGS "-" are not written. Names and defaults stand
 * below.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/rng.h"
#include "common/store/embeddings.h"
#include "common/store/index.h"

struct setting {
    const char *name;
    double value;
};

static struct setting settings[] = {
    {"train", 40},     /* videos */
    {"val", 20},       /* videos */
    {"unsplit", 0},    /* videos without a split */
    {"classes", 4},    /* of videos */
    {"events", 0},     /* of a video; their classes are drawn; 0: clips are of the whole video */
    {"kinds", 3},      /* classes of events */
    {"raters", 0},     /* of an event of videos not for training: half of them say its class */
    {"clips", 2},      /* of a video, where there are no events */
    {"views", 1},      /* of a clip */
    {"steps", 0},      /* 0: pooled */
    {"channels", 16},  /* */
    {"noise", 0.1},    /* of a clip, against class directions of length 1 */
    {"shift", 0},      /* a common direction of this length */
    {"random", 0},     /* 1: features do not depend on the class */
    {"half", 0},       /* 1: float16 */
    {"seed", 1},       /* */
    {"store", 3},      /* which videos the embeddings hold: 1 train, 2 val, 4 unsplit, or a sum */
    {"model", 1},      /* number of the model that the embeddings name; 0: none */
    {"of_index", 1},   /* number of the index that the embeddings name; 0: none, 1: this one */
    {"bad", 0},        /* so many of the last training videos are bad */
    {"skip", 0},       /* so many of the first videos have no embeddings */
    {"unlabelled", 0}, /* so many of the first videos have no class and no event labels */
    {"drop_class", 0}, /* 1: training videos of class 0 have no embeddings */
};
enum { N_SETTINGS = sizeof settings / sizeof *settings };

static double get(const char *name)
{
    for (size_t i = 0; i < N_SETTINGS; i++)
        if (strcmp(settings[i].name, name) == 0)
            return settings[i].value;
    fprintf(stderr, "helper_features: no setting '%s'\n", name);
    exit(2);
}

static size_t get_n(const char *name)
{
    return (size_t)get(name);
}

static void set(const char *text)
{
    size_t len = strcspn(text, "=");
    for (size_t i = 0; i < N_SETTINGS; i++)
        if (text[len] && strlen(settings[i].name) == len &&
            strncmp(settings[i].name, text, len) == 0) {
            settings[i].value = strtod(text + len + 1, NULL);
            return;
        }
    fprintf(stderr, "helper_features: bad setting '%s'\n", text);
    exit(2);
}

/* -- the made-up videos: train/000000 ..., val/000000 ..., unsplit/000000 ... in key order -- */

struct made {
    char id[32];
    const char *split;
    unsigned part; /* 1 train, 2 val, 4 unsplit */
    size_t number; /* over all videos */
    size_t of_part;
    bool bad, unlabelled;
};

static size_t n_videos(void)
{
    return get_n("train") + get_n("unsplit") + get_n("val");
}

static struct made make(size_t i)
{
    static const char *const parts[] = {"train", "unsplit", "val"};
    static const unsigned bits[] = {1, 4, 2};
    size_t part = 0, at = i;
    while (at >= get_n(parts[part]))
        at -= get_n(parts[part++]);
    struct made m = {.number = i, .of_part = at, .part = bits[part]};
    m.split = part == 1 ? NULL : parts[part];
    m.bad = part == 0 && at + get_n("bad") >= get_n("train");
    m.unlabelled = i < get_n("unlabelled");
    snprintf(m.id, sizeof m.id, "%s/%06zu", parts[part], at);
    return m;
}

static size_t class_of(const struct made *m)
{
    return m->of_part % get_n("classes");
}

static size_t kind_of(const struct made *m, size_t event)
{
    struct rng r;
    rng_init(&r, (uint64_t)get("seed"), 2, m->number * 1000 + event);
    return rng_below(&r, get_n("kinds"));
}

/* -- the index -- */

/* What the raters of an event say: its kind, by turns with kinds at random and kind 9, which no
 * event is of. `text` and `labels` have room for 64. */
static size_t rate(const struct made *m, size_t event, char text[][16], char **labels)
{
    size_t n = m->part == 1 ? 0 : get_n("raters");
    for (size_t i = 0; i < n; i++) {
        struct rng r;
        rng_init(&r, (uint64_t)get("seed"), 6, (m->number * 100 + event) * 100 + i);
        size_t kind = i % 2 ? rng_below(&r, get_n("kinds") + 1) : kind_of(m, event);
        snprintf(text[i], sizeof *text, "kind %zu", kind < get_n("kinds") ? kind : 9);
        labels[i] = text[i];
    }
    return n;
}

static int put_video(struct store_writer *w, const struct made *m, struct err *e)
{
    char class_name[32], labels[64][16], said[64][64][16], *lists[64][64];
    struct event events[64];
    struct video v = {.id = (char *)m->id, .split = (char *)m->split, .path = (char *)"none.mp4"};
    v.ok = !m->bad;
    v.reason = m->bad ? (char *)"made up" : NULL;
    if (v.ok) {
        v.width = v.height = 64;
        v.fps_num = 30;
        v.fps_den = 1;
        v.n_frames = 300;
        v.duration = 10;
        v.codec = (char *)"h264";
    }
    snprintf(class_name, sizeof class_name, "class %zu", class_of(m));
    v.class_name = m->unlabelled ? NULL : class_name;
    v.n_events = get_n("events");
    v.events = events;
    for (size_t i = 0; i < v.n_events; i++) {
        snprintf(labels[i], sizeof *labels, "kind %zu", kind_of(m, i));
        events[i] = (struct event){.start = 2.0 * (double)i, .end = 2.0 * (double)i + 2};
        events[i].label = m->unlabelled ? NULL : labels[i];
        events[i].labels = lists[i];
        events[i].n_labels = rate(m, i, said[i], lists[i]);
    }
    struct json *j = video_to_json(&v);
    const char *text = json_text(j);
    int rc = store_put(w, m->id, text, strlen(text), e);
    json_free(j);
    return rc;
}

static int write_index(const char *path, struct err *e)
{
    struct store_writer *w;
    struct json *root = json_new_object();
    json_add(root, "root", json_new_str("."));
    struct store_spec spec = {.schema = INDEX_SCHEMA,
                              .version = INDEX_VERSION,
                              .tool = "helper_features",
                              .settings = root};
    int rc = store_create(&w, path, &spec, e);
    for (size_t i = 0; rc == 0 && i < n_videos(); i++) {
        struct made m = make(i);
        rc = put_video(w, &m, e);
    }
    if (rc == 0)
        rc = store_publish(w, n_videos(), e);
    json_free(root);
    return rc;
}

/* -- the embeddings -- */

static void draw(float *x, uint32_t stream, uint64_t item, double size)
{
    struct rng r;
    size_t n = get_n("channels");
    rng_init(&r, (uint64_t)get("seed"), stream, item);
    for (size_t k = 0; k < n; k++)
        x[k] += (float)(size / sqrt((double)n) * rng_normal(&r));
}

/* One clip [steps or 1, channels]: the class's direction and noise. */
static void draw_clip(float *x, const struct made *m, const struct embedding_clip *clip)
{
    size_t n = get_n("channels"), steps = get_n("steps") ? get_n("steps") : 1;
    size_t label = get_n("events") ? kind_of(m, clip->clip) + 1000 : class_of(m);
    memset(x, 0, steps * n * sizeof *x);
    for (size_t t = 0; t < steps; t++) {
        uint64_t item = ((m->number * 100 + clip->clip) * 100 + clip->view) * 100 + t;
        draw(x + t * n, 3, 0, get("shift"));
        draw(x + t * n, 4, get("random") > 0 ? m->number * 100 + clip->clip : label, 1);
        draw(x + t * n, 5, item, get("noise"));
    }
}

static int put_features(struct store_writer *w, struct codec *c, const struct made *m,
                        struct err *e)
{
    struct embedding_clip clips[512];
    struct embedding one = {.shape = {.n_steps = get_n("steps"),
                                      .n_channels = get_n("channels"),
                                      .half = get("half") > 0}};
    size_t n = 0, n_clips = get_n("events") ? get_n("events") : get_n("clips");
    float *x = mem_new((get_n("steps") ? get_n("steps") : 1) * get_n("channels"), sizeof *x, e);
    for (uint32_t i = 0; i < n_clips; i++)
        for (uint32_t v = 0; v < get_n("views"); v++)
            clips[n++] = (struct embedding_clip){.clip = i,
                                                 .view = v,
                                                 .start = 2.0 * i,
                                                 .end = 2.0 * i + 2,
                                                 .centre = 2.0 * i + 1,
                                                 .target = -1};
    one.values = x;
    int rc = x ? embeddings_put_video(w, m->id, clips, n, e) : ERR_FAIL;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        draw_clip(x, m, &clips[i]);
        rc = embeddings_put(w, c, m->id, i, &one, e);
    }
    free(x);
    return rc;
}

static bool is_stored(const struct made *m)
{
    if (m->bad || !(m->part & (unsigned)get("store")) || m->number < get_n("skip"))
        return false;
    return !(get("drop_class") > 0 && m->part == 1 && class_of(m) == 0);
}

static void put_input(struct json *inputs, const char *name, const char *identity)
{
    json_add(inputs, name, json_new_str(identity));
}

/* The identities that the embeddings name as what they were made from. */
static struct json *made_from(const char *index)
{
    struct json *inputs = json_new_object();
    char text[HASH_TEXT_BYTES];
    struct store *s;
    if (get("model") > 0) {
        double model = get("model");
        hash_text(hash_bytes(&model, sizeof model), text);
        put_input(inputs, "model", text);
    }
    if (get("of_index") > 1)
        put_input(inputs, "index", "00000000000000000000000000000000");
    if (get("of_index") == 1 && store_open(&s, index, INDEX_SCHEMA, INDEX_VERSION, NULL) == 0) {
        put_input(inputs, "index", store_meta(s)->identity);
        store_close(s);
    }
    return inputs;
}

static int write_embeddings(const char *index, const char *path, struct err *e)
{
    struct store_writer *w;
    struct codec *c = NULL;
    struct json *inputs = made_from(index);
    struct store_spec spec = {.schema = EMBEDDINGS_SCHEMA,
                              .version = EMBEDDINGS_VERSION,
                              .tool = "helper_features",
                              .inputs = inputs};
    size_t n = 0;
    int rc = store_create(&w, path, &spec, e);
    if (rc == 0)
        rc = codec_new(&c, e);
    for (size_t i = 0; rc == 0 && i < n_videos(); i++) {
        struct made m = make(i);
        if (!is_stored(&m))
            continue;
        rc = put_features(w, c, &m, e);
        n++;
    }
    if (rc == 0)
        rc = store_publish(w, n, e);
    codec_free(c);
    json_free(inputs);
    return rc;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    if (argc < 3) {
        fprintf(stderr, "usage: helper_features INDEX EMBEDDINGS [NAME=VALUE ...]\n");
        return 2;
    }
    for (int i = 3; i < argc; i++)
        set(argv[i]);
    bool index_exists = access(argv[1], F_OK) == 0;
    int rc = index_exists ? 0 : write_index(argv[1], &e);
    if (rc == 0 && strcmp(argv[2], "-") != 0)
        rc = write_embeddings(argv[1], argv[2], &e);
    if (rc < 0)
        fprintf(stderr, "helper_features: %s\n", e.text);
    return rc < 0;
}

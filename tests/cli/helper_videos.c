/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes index.lmdb and frames.lmdb (without pictures) for tests of tools that read only what they
 * say of the videos: helper_videos FOLDER VIDEO...
 *
 * A VIDEO is a list of words NAME=VALUE, comma-separated: id; count (videos id000000 ...); frames
 * (none: not in the frames store); size (WIDTHxHEIGHT, 340x256); fps (30); split; class; events
 * (LABEL@START-END joined by
 * +); boundaries (seconds joined by +, raters by /); consistency (numbers joined by +); bad (reason
 * in the index); broken (reason in the frames store). A frames store of another index: first
 * argument --other.
 */
#include <stdarg.h>

#include "common/base/buf.h"
#include "common/base/num.h"
#include "common/store/frames.h"
#include "common/store/index.h"

struct described {
    struct video video;
    struct frames_info info;
    int64_t count;
};

static _Noreturn void die(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fputs("helper_videos: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    exit(2);
}

static char *copy(const char *text)
{
    char *s = strdup(text);
    if (!s)
        die("out of memory");
    return s;
}

static double number(const char *text)
{
    double x;
    struct err e = {0};
    if (num_f64(text, -1e300, 1e300, &x, &e) < 0)
        die("%s: %s", text, e.text);
    return x;
}

/* "1.5+2" becomes [1.5, 2]. */
static struct json *numbers(char *text)
{
    struct json *list = json_new_array();
    for (char *at = text, *word; (word = strsep(&at, "+"));) {
        if (*word)
            json_append(list, json_new_f64(number(word)));
    }
    return list;
}

static void read_events(struct video *v, char *text)
{
    for (char *at = text, *word; (word = strsep(&at, "+"));) {
        char *label = strsep(&word, "@"), *start = strsep(&word, "-");
        if (!start || !word)
            die("%s: want LABEL@START-END", label);
        v->events = realloc(v->events, (v->n_events + 1) * sizeof(*v->events));
        if (!v->events)
            die("out of memory");
        v->events[v->n_events++] = (struct event){
            .start = number(start), .end = number(word), .label = *label ? copy(label) : NULL};
    }
}

static void read_boundaries(struct video *v, const char *name, char *text)
{
    struct json *value = json_new_array();
    if (!v->extra)
        v->extra = json_new_object();
    if (strcmp(name, "consistency") == 0) {
        json_free(value);
        value = numbers(text);
    } else {
        for (char *at = text, *rater; (rater = strsep(&at, "/"));)
            json_append(value, numbers(rater));
    }
    json_add(v->extra, name, value);
}

static void read_word(struct described *d, const char *name, char *value)
{
    struct err e = {0};
    if (strcmp(name, "id") == 0)
        d->video.id = copy(value);
    else if (strcmp(name, "count") == 0)
        d->count = (int64_t)number(value);
    else if (strcmp(name, "frames") == 0)
        d->info.n_frames = strcmp(value, "none") == 0 ? -1 : (int64_t)number(value);
    else if (strcmp(name, "size") == 0)
        sscanf(value, "%dx%d", &d->info.width, &d->info.height);
    else if (strcmp(name, "fps") == 0 &&
             num_fraction(value, &d->info.fps_num, &d->info.fps_den, &e) < 0)
        die("%s", e.text);
    else if (strcmp(name, "split") == 0)
        d->video.split = copy(value);
    else if (strcmp(name, "class") == 0)
        d->video.class_name = copy(value);
    else if (strcmp(name, "events") == 0)
        read_events(&d->video, value);
    else if (strcmp(name, "boundaries") == 0 || strcmp(name, "consistency") == 0)
        read_boundaries(&d->video, name, value);
    else if (strcmp(name, "bad") == 0)
        d->video.reason = copy(value);
    else if (strcmp(name, "broken") == 0)
        snprintf(d->info.reason, sizeof(d->info.reason), "%s", value);
    else if (strcmp(name, "fps") != 0)
        die("%s: no such word", name);
}

static void describe(struct described *d, char *text)
{
    *d = (struct described){.info = {.width = 340,
                                     .height = 256,
                                     .n_frames = 300,
                                     .fps_num = 30,
                                     .fps_den = 1,
                                     .frame_step = 1}};
    for (char *at = text, *word; (word = strsep(&at, ","));) {
        char *name = strsep(&word, "=");
        read_word(d, name, word ? word : "");
    }
    struct video *v = &d->video;
    struct frames_info *f = &d->info;
    if (!v->id)
        die("a video without id");
    v->ok = !v->reason;
    f->ok = !f->reason[0];
    f->stored_width = f->width + f->width % 2;
    f->stored_height = f->height + f->height % 2;
    v->width = f->width;
    v->height = f->height;
    v->fps_num = f->fps_num;
    v->fps_den = f->fps_den;
    v->n_frames = f->n_frames > 0 ? f->n_frames : 0;
    v->duration = (double)v->n_frames * (double)f->fps_den / (double)f->fps_num;
    v->path = copy("video.mp4");
    v->codec = copy("h264");
}

static struct store_writer *begin(const char *folder, const char *schema, struct json *settings,
                                  struct json *inputs)
{
    struct store_writer *w;
    struct err e = {0};
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s.lmdb", folder, schema);
    bool frames = strcmp(schema, FRAMES_SCHEMA) == 0;
    struct store_spec spec = {.schema = schema,
                              .version = frames ? FRAMES_VERSION : INDEX_VERSION,
                              .tool = "helper_videos",
                              .settings = settings,
                              .inputs = inputs,
                              .force = true};
    if (store_create(&w, path, &spec, &e) < 0)
        die("%s", e.text);
    return w;
}

static void put(struct store_writer *w, const char *id, struct json *value)
{
    struct err e = {0};
    const char *text = value ? json_text(value) : NULL;
    if (!text || store_put(w, id, text, strlen(text), &e) < 0)
        die("%s: %s", id, e.text);
    json_free(value);
}

/* Puts the records of every description into one kind of store; returns how many. */
static uint64_t put_all(struct store_writer *w, struct described *all, size_t n, bool frames)
{
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        struct described *d = &all[i];
        if (frames && d->info.n_frames < 0)
            continue;
        char *stem = d->video.id;
        for (int64_t k = 0; k < (d->count ? d->count : 1); k++, total++) {
            char id[STORE_MAX_KEY + 1];
            snprintf(id, sizeof(id), d->count ? "%s%06lld" : "%s", stem, (long long)k);
            d->video.id = id;
            put(w, id, frames ? frames_info_to_json(&d->info) : video_to_json(&d->video));
        }
        d->video.id = stem;
    }
    return total;
}

static void finish(struct store_writer *w, uint64_t count)
{
    struct err e = {0};
    if (store_publish(w, count, &e) < 0)
        die("%s", e.text);
}

/* {"index": identity of FOLDER/index.lmdb}, or of something else. */
static struct json *inputs_of_frames(const char *folder, bool other)
{
    char path[4096];
    struct index *index;
    struct err e = {0};
    snprintf(path, sizeof(path), "%s/index.lmdb", folder);
    if (index_open(&index, path, &e) < 0)
        die("%s", e.text);
    struct json *inputs = json_new_object();
    json_add(inputs, "index",
             json_new_str(other ? "0123456789abcdef0123456789abcdef"
                                : store_meta(index_store(index))->identity));
    index_close(index);
    return inputs;
}

int main(int argc, char **argv)
{
    bool other = argc > 1 && strcmp(argv[1], "--other") == 0;
    if (argc < 2 + other)
        die("want a folder and videos");
    const char *folder = argv[1 + other];
    size_t n = (size_t)(argc - 2 - other);
    struct described *all = calloc(n + 1, sizeof(*all));
    if (!all)
        die("out of memory");
    for (size_t i = 0; i < n; i++)
        describe(&all[i], argv[2 + other + i]);
    struct json *settings = json_new_object();
    json_add(settings, "root", json_new_str("."));
    struct store_writer *w = begin(folder, INDEX_SCHEMA, settings, NULL);
    finish(w, put_all(w, all, n, false));
    struct json *inputs = inputs_of_frames(folder, other);
    w = begin(folder, FRAMES_SCHEMA, settings, inputs);
    finish(w, put_all(w, all, n, true));
    json_free(settings);
    json_free(inputs);
    for (size_t i = 0; i < n; i++)
        video_release(&all[i].video);
    free(all);
    return 0;
}

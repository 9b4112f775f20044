/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VidSitu: videos of 10 s, each five events of 2 s with a verb. A split is an array of ids
 * "v_YOUTUBE_seg_START_END". Verbs of the training split are in vsann_train_lb.json, one annotation
 * of every event (the first row of a video counts); those of the validation split in
 * vinfo_valid_lb.json, about ten of every event; those of the test split are not published. The
 * vocabulary numbers the verbs; one that is not in it counts as "<unk>".
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/json_items.h"
#include "common/base/num.h"
#include "common/datasets/annotation_files.h"
#include "common/datasets/importer.h"

enum { N_EVENTS = 5, EVENT_SECONDS = 2, N_VOTES = 10, UNKNOWN = 3 };

static const char *const event_names[N_EVENTS] = {"Ev1", "Ev2", "Ev3", "Ev4", "Ev5"};

/* -- the vocabulary -- */

static int number_verbs(struct vidsitu_import *im, const struct json *symbols, struct err *e)
{
    struct json *verbs = json_new_object();
    json_free(im->verbs);
    im->verbs = verbs;
    for (size_t i = 0; i < json_len(symbols); i++) {
        const char *symbol = json_str(json_at(symbols, i));
        if (!symbol)
            return err_set(e, "symbols: %zu: expected a string", i);
        if (json_member(verbs, symbol))
            return err_set(e, "symbols: %zu: '%s' is there already", i, symbol);
        if (json_add(verbs, symbol, json_new_i64((int64_t)i)) < 0)
            return err_set(e, "out of memory");
    }
    if (json_len(symbols) <= UNKNOWN)
        return err_set(e, "symbols: %zu, but number %d is that of unknown verbs", json_len(symbols),
                       UNKNOWN);
    im->unknown = json_str(json_at(symbols, UNKNOWN));
    return video_list_set(im->list, "labels", json_ref((struct json *)symbols), e);
}

int vidsitu_read_vocabulary(const char *text, size_t len, struct vidsitu_import *im, struct err *e)
{
    struct json *j = json_parse(text, len, e), *symbols;
    int rc = j ? json_get_array(j, "symbols", &symbols, e) : ERR_FAIL;
    if (rc == 0)
        rc = number_verbs(im, symbols, e);
    json_free(j);
    return rc;
}

/* -- the splits -- */

/* "v_YOUTUBE_seg_START_END", where YOUTUBE may hold anything. */
static int check_id(const char *id, struct err *e)
{
    const char *segment = NULL;
    int64_t start, end;
    for (const char *at = id; (at = strstr(at, "_seg_")); at++)
        segment = at;
    const char *middle = segment ? strchr(segment + 5, '_') : NULL;
    if (strncmp(id, "v_", 2) != 0 || !middle || segment < id + 2)
        return err_set(e, "'%s' is no v_ID_seg_START_END", id);
    char *from = strndup(segment + 5, (size_t)(middle - segment - 5));
    int rc = from ? num_i64(from, 0, INT32_MAX, &start, e) : err_set(e, "out of memory");
    if (rc == 0)
        rc = num_i64(middle + 1, 0, INT32_MAX, &end, e);
    free(from);
    if (rc == 0 && end - start != N_EVENTS * EVENT_SECONDS)
        rc = err_set(e, "lasts %lld s, not %d", (long long)(end - start), N_EVENTS * EVENT_SECONDS);
    return rc < 0 ? err_add(e, "'%s'", id) : 0;
}

static int add_video(struct vidsitu_import *im, const char *id, struct err *e)
{
    struct video v = {0};
    struct buf path = {0};
    if (!id)
        return err_set(e, "expected a string");
    if (check_id(id, e) < 0 || buf_printf(&path, e, "%s.mp4", id) < 0)
        return ERR_FAIL;
    v.path = (char *)path.data;
    v.id = mem_strdup(id, e);
    v.split = mem_strdup(im->split, e);
    int rc = v.id && v.split ? video_path_clean(v.path, e) : ERR_FAIL;
    if (rc == 0 && !im->videos && !(im->videos = json_new_object()))
        rc = err_set(e, "out of memory");
    if (rc == 0 && json_add(im->videos, id, json_new_i64((int64_t)im->list->n)) < 0)
        rc = err_set(e, "out of memory");
    if (rc == 0)
        rc = video_list_add(im->list, &v, e);
    video_release(&v);
    return rc;
}

int vidsitu_read_split(const char *text, size_t len, struct vidsitu_import *im, struct err *e)
{
    struct json *ids = json_parse(text, len, e);
    int rc = ids ? 0 : ERR_FAIL;
    if (rc == 0 && json_kind(ids) != JSON_ARRAY)
        rc = err_set(e, "not an array of ids");
    for (size_t i = 0; rc == 0 && i < json_len(ids); i++)
        if ((rc = add_video(im, json_str(json_at(ids, i)), e)) < 0)
            err_add(e, "entry %zu", i + 1);
    json_free(ids);
    return rc;
}

/* -- the verbs -- */

/* What most of the first ten said; of equals the one that was said first. */
static const char *most_frequent(const struct json *verbs)
{
    size_t n = json_len(verbs) < N_VOTES ? json_len(verbs) : N_VOTES, most = 0;
    const char *best = NULL;
    for (size_t i = 0; i < n; i++) {
        const char *verb = json_str(json_at(verbs, i));
        size_t votes = 0;
        for (size_t k = 0; k < n; k++)
            votes += strcmp(verb, json_str(json_at(verbs, k))) == 0;
        if (votes > most) {
            most = votes;
            best = verb;
        }
    }
    return best;
}

/* `labels` keeps what was said where that is more than the label. */
static int fill_event(const struct vidsitu_import *im, struct event *event,
                      const struct json *verbs, struct err *e)
{
    size_t n = json_len(verbs);
    if (json_kind(verbs) != JSON_ARRAY || n == 0)
        return err_set(e, "expected an array of verbs");
    for (size_t i = 0; i < n; i++)
        if (!json_str(json_at(verbs, i)))
            return err_set(e, "%zu: expected a string", i);
    const char *verb = most_frequent(verbs);
    bool known = json_member(im->verbs, verb) != NULL;
    event->label = mem_strdup(known ? verb : im->unknown, e);
    if (!event->label || (n == 1 && known))
        return event->label ? 0 : ERR_FAIL;
    event->labels = mem_new(n, sizeof *event->labels, e);
    while (event->labels && event->n_labels < n) {
        char *copy = mem_strdup(json_str(json_at(verbs, event->n_labels)), e);
        if (!copy)
            return ERR_FAIL;
        event->labels[event->n_labels++] = copy;
    }
    return event->labels ? 0 : ERR_FAIL;
}

/* The video of this id in the split that is read, without events so far; NULL for others. */
static struct video *find_video(const struct vidsitu_import *im, const char *id)
{
    const struct json *number = im->videos ? json_member(im->videos, id) : NULL;
    struct video *v = number ? &im->list->videos[json_i64(number)] : NULL;
    return v && strcmp(v->split, im->split) == 0 ? v : NULL;
}

/* Gives the video its five events; `verbs_of` finds the verbs of one in the entry. */
static int add_events(const struct vidsitu_import *im, struct video *v, const struct json *entry,
                      struct json *(*verbs_of)(const struct json *entry, const char *event,
                                               struct err *e),
                      struct err *e)
{
    v->events = mem_new(N_EVENTS, sizeof *v->events, e);
    if (!v->events)
        return ERR_FAIL;
    for (v->n_events = 0; v->n_events < N_EVENTS;) {
        struct event *event = &v->events[v->n_events];
        event->start = EVENT_SECONDS * (double)v->n_events;
        event->end = event->start + EVENT_SECONDS;
        const char *name = event_names[v->n_events++];
        struct json *verbs = verbs_of(entry, name, e);
        int rc = verbs ? fill_event(im, event, verbs, e) : ERR_FAIL;
        json_free(verbs);
        if (rc < 0)
            return err_add(e, "%s: %s", v->id, name);
    }
    return 0;
}

/* In vinfo: entry.vbid_lst.Ev1 is a list of verbs. */
static struct json *listed_verbs(const struct json *entry, const char *event, struct err *e)
{
    struct json *lists, *verbs;
    if (json_get_object(entry, "vbid_lst", &lists, e) < 0 ||
        json_get_array(lists, event, &verbs, e) < 0)
        return NULL;
    return json_ref(verbs);
}

/* In vsann: entry.Ev1.VerbID is a verb. */
static struct json *annotated_verb(const struct json *entry, const char *event, struct err *e)
{
    struct json *annotation, *verbs = json_new_array();
    const char *verb;
    if (json_get_object(entry, event, &annotation, e) == 0 &&
        json_get_str(annotation, "VerbID", &verb, e) == 0) {
        if (json_append(verbs, json_new_str(verb)) == 0)
            return verbs;
        err_set(e, "out of memory");
    }
    json_free(verbs);
    return NULL;
}

static int take_vinfo(struct vidsitu_import *im, const struct json *entry, struct err *e)
{
    const char *id;
    if (json_get_str(entry, "vid_seg_int", &id, e) < 0)
        return ERR_FAIL;
    struct video *v = find_video(im, id);
    if (v && v->events)
        return err_set(e, "%s is described twice", id);
    im->n_others += !v;
    return v ? add_events(im, v, entry, listed_verbs, e) : 0;
}

static int take_vsann(struct vidsitu_import *im, const struct json *entry, struct err *e)
{
    struct json *first;
    const char *id;
    if (json_get_object(entry, event_names[0], &first, e) < 0 ||
        json_get_str(first, "vid_seg_int", &id, e) < 0)
        return ERR_FAIL;
    struct video *v = find_video(im, id);
    im->n_others += !v;
    return v && !v->events ? add_events(im, v, entry, annotated_verb, e) : 0;
}

static int read_entries(const char *text, size_t len, struct vidsitu_import *im,
                        int (*take)(struct vidsitu_import *im, const struct json *entry,
                                    struct err *e),
                        struct err *e)
{
    struct json_items items;
    int rc;
    json_items_init(&items, text, len);
    while ((rc = json_items_next(&items, e)) == 1)
        if (take(im, items.value, e) < 0) {
            rc = err_add(e, "entry %zu", items.n);
            break;
        }
    json_items_release(&items);
    return rc;
}

int vidsitu_read_vinfo(const char *text, size_t len, struct vidsitu_import *im, struct err *e)
{
    return read_entries(text, len, im, take_vinfo, e);
}

int vidsitu_read_vsann(const char *text, size_t len, struct vidsitu_import *im, struct err *e)
{
    return read_entries(text, len, im, take_vsann, e);
}

void vidsitu_release(struct vidsitu_import *im)
{
    json_free(im->videos);
    json_free(im->verbs);
    im->videos = im->verbs = NULL;
}

/* -- the files -- */

typedef int part_fn(const char *text, size_t len, struct vidsitu_import *im, struct err *e);

struct reading {
    struct vidsitu_import *im;
    part_fn *read;
};

static int read_part(void *user, const char *path, const char *text, size_t len, struct err *e)
{
    const struct reading *r = user;
    (void)path;
    return r->read(text, len, r->im, e);
}

/* FOLDER/BELOW/NAME or FOLDER/NAME; 1 it was read, 0 there is none. */
static int read_named(const char *folder, const char *below, const struct reading *r, struct err *e)
{
    char *path = NULL;
    const char *slash = strrchr(below, '/');
    const char *const names[] = {below, slash ? slash + 1 : NULL, NULL};
    int rc = annotation_files_find(folder, names, &path, e);
    if (rc == 1 && annotation_files_read(path, read_part, (void *)r, e) < 0)
        rc = ERR_FAIL;
    free(path);
    return rc;
}

/* A split with its verbs, as far as they are there. */
struct split {
    const char *name, *ids, *verbs;
    part_fn *read_verbs;
};

static int import_split(const char *folder, const struct split *split, struct vidsitu_import *im,
                        struct err *e)
{
    size_t first = im->list->n, n_bare = 0;
    im->split = split->name;
    im->n_others = 0;
    int rc = read_named(folder, split->ids, &(struct reading){im, vidsitu_read_split}, e);
    if (rc == 1 && split->verbs)
        rc = read_named(folder, split->verbs, &(struct reading){im, split->read_verbs}, e);
    for (size_t i = first; i < im->list->n; i++)
        n_bare += !im->list->videos[i].events;
    if (rc >= 0 && n_bare)
        rc = video_list_note(im->list, e, "split %s: %zu of %zu videos have no verbs", split->name,
                             n_bare, im->list->n - first);
    if (rc >= 0 && im->n_others)
        rc = video_list_note(im->list, e, "%s: %zu entries are about videos outside split %s",
                             path_base(split->verbs), im->n_others, split->name);
    return rc < 0 ? rc : 0;
}

static int import_vocabulary(const char *folder, struct vidsitu_import *im, struct err *e)
{
    static const char *const names[] = {"verb_id_vocab.json", "vsitu_vocab/verb_id_vocab.json",
                                        "../vsitu_vocab/verb_id_vocab.json", NULL};
    char *path = NULL;
    struct reading r = {im, vidsitu_read_vocabulary};
    int rc = annotation_files_find(folder, names, &path, e);
    if (rc == 0)
        rc = err_set(e,
                     "%s: holds no verb_id_vocab.json, nor vsitu_vocab/ in it or beside it: "
                     "the vocabulary, made from verb_id_vocab.pkl",
                     folder);
    else if (rc == 1)
        rc = annotation_files_read(path, read_part, &r, e);
    free(path);
    return rc;
}

static int read_vidsitu(const struct import_options *options, struct video_list *out, struct err *e)
{
    static const struct split splits[] = {
        {"train", "split_files/vseg_split_train_lb.json", "vseg_ann_files/vsann_train_lb.json",
         vidsitu_read_vsann},
        {"val", "split_files/vseg_split_valid_lb.json", "vinfo_files/vinfo_valid_lb.json",
         vidsitu_read_vinfo},
        {"test", "split_files/vseg_split_testvb_lb.json", NULL, NULL},
    };
    struct vidsitu_import im = {.list = out};
    int rc = import_vocabulary(options->annotations, &im, e);
    for (size_t i = 0; rc >= 0 && i < sizeof splits / sizeof *splits; i++)
        rc = import_split(options->annotations, &splits[i], &im, e);
    vidsitu_release(&im);
    return rc < 0 ? rc : 0;
}

const struct importer importer_vidsitu = {
    .name = "vidsitu",
    .what = "VidSitu: folder vidsitu_annotations (--annotations)",
    .needs_annotations = true,
    .finds_files = true,
    .read = read_vidsitu,
};

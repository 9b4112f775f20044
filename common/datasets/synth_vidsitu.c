/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/datasets/synth_files.h"

/*
 * The data set "vidsitu": videos/<id>.mp4 of 10 s, and annotations/ with split_files/,
 * vinfo_files/, vseg_ann_files/ and vsitu_vocab/verb_id_vocab.json (what is in the pickle of that
 * name). An event's verb is the motion of its shape, "spin.01". In the validation split ten people,
 * at times twelve, say what they see: most are right, and some say a verb that the vocabulary
 * lacks.
 */

enum { N_EVENTS = 5, N_SECONDS = 10, N_PEOPLE = 10, N_PEOPLE_AT_TIMES = 12, N_WRONG = 4 };

static const char unknown_verb[] = "rest.01";

/* "square-spin" to "spin" or "spin.01". */
static const char *motion(unsigned shape)
{
    return strchr(synth_shape_name(shape), '-') + 1;
}

static void verb_of(unsigned shape, char out[SYNTH_NAME_BYTES])
{
    snprintf(out, SYNTH_NAME_BYTES, "%s.01", motion(shape));
}

static int vidsitu_check(const struct synth_options *o, struct err *e)
{
    if (o->n_events != N_EVENTS)
        return err_set(e, "--events: a video of VidSitu has %d, not %d", N_EVENTS, o->n_events);
    if (o->jitter > 0)
        return err_set(e, "--jitter: all events of VidSitu last two seconds");
    if (o->n_frames * o->fps_den != N_SECONDS * o->fps_num)
        return err_set(e, "--frames: a video of VidSitu lasts %d s, not %g", N_SECONDS,
                       synth_seconds(o, o->n_frames));
    return 0;
}

struct names {
    char youtube[SYNTH_ID_BYTES];
    char id[64];
    int start;
};

static void name_video(const struct synth_options *o, const struct synth_plan *p, struct names *n)
{
    struct synth_clip c;
    synth_clip(o, p, &c);
    memcpy(n->youtube, c.id, sizeof c.id);
    n->start = c.start;
    snprintf(n->id, sizeof n->id, "v_%s_seg_%d_%d", c.id, c.start, c.start + N_SECONDS);
}

static int vidsitu_path(const struct synth_options *o, const struct synth_plan *p, struct buf *out,
                        struct err *e)
{
    struct names n;
    name_video(o, p, &n);
    return buf_printf(out, e, "videos/%s.mp4", n.id);
}

static int append(struct synth_listing *l, struct json *entry, struct err *e)
{
    return json_append(l->entries, entry) < 0 ? err_set(e, "out of memory") : 0;
}

static int put_id(void *user, const struct synth_plan *p, struct err *e)
{
    struct synth_listing *l = user;
    struct names n;
    name_video(l->o, p, &n);
    return append(l, json_new_str(n.id), e);
}

/* -- one annotation of every event: vsann -- */

static struct json *new_annotation(const struct names *n, const struct synth_plan *p, int event)
{
    unsigned shape = p->event[event].shape;
    char verb[SYNTH_NAME_BYTES];
    struct json *j = json_new_object(), *places = json_new_object(), *texts = json_new_object();
    verb_of(shape, verb);
    json_add(places, "Arg0 (thing in motion)", json_new_i64(0));
    json_add(texts, "Arg0 (thing in motion)", json_new_str(synth_shape_name(shape)));
    json_add(j, "vid_uid", json_new_str(n->youtube));
    json_add(j, "vid_seg_int", json_new_str(n->id));
    json_add(j, "Verb", json_new_str(motion(shape)));
    json_add(j, "VerbID", json_new_str(verb));
    json_add(j, "Arg_List", places);
    json_add(j, "Args", texts);
    if (event != N_EVENTS / 2) /* others are said to be related to the one in the middle */
        json_add(j, "EvRel", json_new_str("No Relation"));
    return j;
}

static int put_annotation(void *user, const struct synth_plan *p, struct err *e)
{
    struct synth_listing *l = user;
    struct names n;
    struct json *j = json_new_object();
    name_video(l->o, p, &n);
    for (int i = 0; i < N_EVENTS; i++) {
        char event[8];
        snprintf(event, sizeof event, "Ev%d", i + 1);
        json_add(j, event, new_annotation(&n, p, i));
    }
    return append(l, j, e);
}

/* -- ten annotations of every event: vinfo -- */

/* What people say: the verb itself, at most N_WRONG of the first ten others. */
static struct json *new_votes(const struct synth_options *o, struct rng *r, unsigned shape,
                              int n_people)
{
    struct json *votes = json_new_array();
    uint32_t order[N_PEOPLE_AT_TIMES];
    uint64_t n_wrong = rng_below(r, N_WRONG + 1);
    for (uint32_t i = 0; i < N_PEOPLE_AT_TIMES; i++)
        order[i] = i;
    rng_shuffle_u32(r, order, N_PEOPLE);
    for (int i = 0; i < n_people; i++) {
        char verb[SYNTH_NAME_BYTES];
        verb_of(shape, verb);
        uint64_t other = rng_below(r, (uint64_t)o->n_shapes);
        if (order[i] < n_wrong && other == shape)
            snprintf(verb, sizeof verb, "%s", unknown_verb);
        else if (order[i] < n_wrong)
            verb_of((unsigned)other, verb);
        json_append(votes, json_new_str(verb));
    }
    return votes;
}

/* "spin.01" to "spin", for all of a list. */
static struct json *new_names(const struct json *verbs)
{
    struct json *names = json_new_array();
    for (size_t i = 0; i < json_len(verbs); i++) {
        char name[SYNTH_NAME_BYTES];
        snprintf(name, sizeof name, "%s", json_str(json_at(verbs, i)));
        *strchr(name, '.') = '\0';
        json_append(names, json_new_str(name));
    }
    return names;
}

static void add_votes(const struct synth_options *o, const struct synth_plan *p, struct json *j)
{
    struct json *chosen = json_new_object(), *names = json_new_object(), *ids = json_new_object();
    struct rng r;
    synth_rng(o, p, SYNTH_USE_LABELS, &r);
    for (int i = 0; i < N_EVENTS; i++) {
        char event[8];
        unsigned shape = p->event[i].shape;
        int n_people = p->number % 8 == 7 ? N_PEOPLE_AT_TIMES : N_PEOPLE;
        struct json *votes = new_votes(o, &r, shape, n_people);
        snprintf(event, sizeof event, "Ev%d", i + 1);
        json_add(chosen, event, json_new_str(motion(shape)));
        json_add(names, event, new_names(votes));
        json_add(ids, event, votes);
    }
    json_add(j, "vb_to_use", chosen);
    json_add(j, "vb_lst", names);
    json_add(j, "vbid_lst", ids);
}

static struct json *new_info(const struct synth_options *o, const struct synth_plan *p)
{
    struct names n;
    struct json *j = json_new_object();
    name_video(o, p, &n);
    json_add(j, "vid_uid", json_new_str(n.youtube));
    json_add(j, "genres", json_new_str("['Animation', 'Short']"));
    json_add(j, "duration", json_new_i64(240));
    json_add(j, "name", json_new_str(n.youtube));
    json_add(j, "text", json_new_str("One shape after another\u2026"));
    json_add(j, "uid", json_new_str(n.youtube));
    json_add(j, "start", json_new_i64(n.start));
    json_add(j, "end", json_new_i64(n.start + N_SECONDS));
    json_add(j, "vid_seg_int", json_new_str(n.id));
    json_add(j, "movie_name", json_new_str("Gratings"));
    json_add(j, "upload_year", json_new_i64(2020));
    /* The real file has the bare token NaN here and there. */
    json_add(j, "clip_name", p->number % 4 == 0 ? json_new_f64(NAN) : json_new_str("Shapes"));
    json_add(j, "imdb_id", json_new_str("tt0000000"));
    json_add(j, "year_rel", json_new_i64(2020));
    json_add(j, "clip_ix", json_new_i64((int64_t)p->number));
    add_votes(o, p, j);
    return j;
}

static int put_info(void *user, const struct synth_plan *p, struct err *e)
{
    struct synth_listing *l = user;
    return append(l, new_info(l->o, p), e);
}

/* -- the vocabulary -- */

static int count_verbs(void *user, const struct synth_plan *p, struct err *e)
{
    int64_t *count = user;
    (void)e;
    for (int i = 0; i < p->n_events; i++)
        count[p->event[i].shape]++;
    return 0;
}

/* By falling count, equals in the order of the alphabet. */
static void order_verbs(const int64_t *count, int n, unsigned *order)
{
    for (int i = 0; i < n; i++) {
        int at = i;
        for (; at > 0; at--) {
            unsigned before = order[at - 1];
            if (count[before] > count[i] ||
                (count[before] == count[i] && strcmp(motion(before), motion((unsigned)i)) < 0))
                break;
            order[at] = before;
        }
        order[at] = (unsigned)i;
    }
}

static int put_vocabulary(const struct synth_options *o, struct err *e)
{
    static const char *const special[] = {"<s>", "<pad>", "</s>", "<unk>"};
    int64_t count[SYNTH_N_SHAPES] = {0};
    unsigned order[SYNTH_N_SHAPES];
    struct json *j = json_new_object(), *symbols = json_new_array(), *counts = json_new_array();
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        json_append(symbols, json_new_str(special[i]));
        json_append(counts, json_new_i64(1));
    }
    synth_each(o, SYNTH_TRAIN, count_verbs, count, NULL);
    order_verbs(count, o->n_shapes, order);
    for (int i = 0; i < o->n_shapes; i++) {
        char verb[SYNTH_NAME_BYTES];
        verb_of(order[i], verb);
        json_append(symbols, json_new_str(verb));
        json_append(counts, json_new_i64(count[order[i]]));
    }
    json_add(j, "symbols", symbols);
    json_add(j, "count", counts);
    return synth_put_json(o, "annotations/vsitu_vocab/verb_id_vocab.json", j, e);
}

static int vidsitu_annotate(const struct synth_options *o, struct err *e)
{
    static const struct {
        enum synth_split split;
        const char *name;
        synth_visit_fn *put;
    } files[] = {
        {SYNTH_TRAIN, "annotations/split_files/vseg_split_train_lb.json", put_id},
        {SYNTH_VAL, "annotations/split_files/vseg_split_valid_lb.json", put_id},
        {SYNTH_TRAIN, "annotations/vseg_ann_files/vsann_train_lb.json", put_annotation},
        {SYNTH_VAL, "annotations/vinfo_files/vinfo_valid_lb.json", put_info},
    };
    int rc = put_vocabulary(o, e);
    for (size_t i = 0; rc >= 0 && i < sizeof files / sizeof *files; i++) {
        struct synth_listing l = {o, json_new_array()};
        rc = synth_put_list(&l, files[i].split, files[i].name, files[i].put, e);
    }
    return rc;
}

const struct synth_kind synth_vidsitu = {
    .name = "vidsitu",
    .what = "VidSitu: an event's motion is its verb, videos of 10 s",
    .defaults = {SYNTH_WORLD, .n_frames = 300, .codec = ENCODE_H264},
    .check = vidsitu_check,
    .path = vidsitu_path,
    .annotate = vidsitu_annotate,
};

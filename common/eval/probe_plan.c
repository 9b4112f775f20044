/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/probe_plan.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"

/* Where the videos of the index are: position in the training and in the test store, -1 in neither.
 */
struct places {
    int64_t (*at)[PROBE_SIDES];
};

/* -- splits as bits -- */

enum { SPLIT_TRAIN = 1, SPLIT_VAL = 2, SPLIT_TEST = 4, SPLIT_NONE = 8 };

static unsigned split_bit(const struct video *v)
{
    if (!v->split)
        return SPLIT_NONE;
    if (strcmp(v->split, "train") == 0)
        return SPLIT_TRAIN;
    return strcmp(v->split, "val") == 0 ? SPLIT_VAL : SPLIT_TEST;
}

/* -- lists of what is not in the result -- */

static int gap_add(struct gap_list *list, size_t video, int32_t event, struct err *e)
{
    if (list->n == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 64;
        struct probe_gap *grown = mem_grow(list->gaps, cap, sizeof *grown, e);
        if (!grown)
            return ERR_FAIL;
        list->gaps = grown;
        list->cap = cap;
    }
    list->gaps[list->n++] = (struct probe_gap){.video = (uint32_t)video, .event = event};
    return 0;
}

static bool is_labelled(const struct probe_data *d, const struct video *v)
{
    if (!d->of_events)
        return v->class_name != NULL;
    for (size_t i = 0; i < v->n_events; i++)
        if (v->events[i].label)
            return true;
    return false;
}

/* -- places -- */

/* Index and stores are in key order, so one walk along both finds every video. */
static int find_videos(const struct probe_data *d, int side, struct places *p, struct err *e)
{
    struct embeddings *m = d->store[side];
    size_t i = 0, n = index_n_videos(d->index);
    for (size_t at = 0; at < embeddings_n_videos(m); at++) {
        const char *id = embeddings_id(m, at);
        while (i < n && strcmp(index_video(d->index, i)->id, id) < 0)
            i++;
        if (i == n || strcmp(index_video(d->index, i)->id, id) != 0)
            return err_set(e, "%s: video '%s' is not in %s", probe_data_path(d, side), id,
                           store_path(index_store(d->index)));
        const struct video *v = index_video(d->index, i);
        if (!v->ok)
            return err_set(e, "%s: video '%s' has embeddings, but is bad in %s: %s",
                           probe_data_path(d, side), id, store_path(index_store(d->index)),
                           v->reason ? v->reason : "no reason given");
        p->at[i][side] = (int64_t)at;
    }
    return 0;
}

/* With one store the split decides: what is not for training moves to the test's side; all of it
 * where nothing is trained. */
static int divide_by_split(const struct probe_data *d, struct places *p, bool all, struct err *e)
{
    for (size_t i = 0; i < index_n_videos(d->index); i++) {
        const struct video *v = index_video(d->index, i);
        if (p->at[i][PROBE_TRAIN] < 0 || (split_bit(v) == SPLIT_TRAIN && !all))
            continue;
        if (split_bit(v) == SPLIT_NONE && !all)
            return err_set(
                e, "%s: video '%s' has no split, so a second store must be given for the test",
                store_path(index_store(d->index)), v->id);
        p->at[i][PROBE_TEST] = p->at[i][PROBE_TRAIN];
        p->at[i][PROBE_TRAIN] = -1;
    }
    return 0;
}

static int count_overlap(struct probe_data *d, const struct places *p, bool allowed, struct err *e)
{
    const char *first = NULL;
    for (size_t i = 0; i < index_n_videos(d->index); i++)
        if (p->at[i][PROBE_TRAIN] >= 0 && p->at[i][PROBE_TEST] >= 0) {
            d->n_overlap++;
            first = first ? first : index_video(d->index, i)->id;
        }
    if (first && !allowed)
        return err_set(e, "%zu videos are in both %s and %s, the first is '%s'", d->n_overlap,
                       probe_data_path(d, PROBE_TRAIN), probe_data_path(d, PROBE_TEST), first);
    return 0;
}

static int find_places(struct probe_data *d, const struct probe_source *source, struct places *p,
                       struct err *e)
{
    for (size_t i = 0; i < index_n_videos(d->index); i++)
        p->at[i][PROBE_TRAIN] = p->at[i][PROBE_TEST] = -1;
    if (find_videos(d, PROBE_TRAIN, p, e) < 0)
        return ERR_FAIL;
    if (!d->store[PROBE_TEST])
        return divide_by_split(d, p, source->scores, e);
    if (find_videos(d, PROBE_TEST, p, e) < 0)
        return ERR_FAIL;
    return count_overlap(d, p, source->allow_overlap, e);
}

/* -- rows and decisions -- */

/* The decision a clip belongs to, new or one of this video's (which start at `first`). */
static uint32_t decision_of(const struct probe_data *d, struct probe_set *set, size_t first,
                            const struct decision *wanted)
{
    for (size_t i = first; i < set->n_decisions; i++)
        if (!d->of_events || set->decisions[i].event == wanted->event)
            return (uint32_t)i;
    set->decisions[set->n_decisions] = *wanted;
    return (uint32_t)set->n_decisions++;
}

/* Appends the video's labelled clips to its side. */
static int add_video(struct probe_data *d, enum probe_side side, size_t video, size_t at,
                     struct err *e)
{
    struct probe_set *set = &d->set[side];
    struct embeddings *m = probe_data_store(d, side);
    const struct video *v = index_video(d->index, video);
    size_t first_row = set->n_rows, first_decision = set->n_decisions;
    for (size_t i = 0; i < embeddings_n_clips(m, at); i++) {
        const struct embedding_clip *clip = embeddings_clip(m, at, i);
        if (d->of_events && clip->clip >= v->n_events)
            return err_set(e, "%s: video '%s': clip %u has no event, %s lists %zu",
                           probe_data_path(d, side), v->id, clip->clip,
                           store_path(index_store(d->index)), v->n_events);
        int label = probe_data_label(d, v, clip);
        if (label < 0) {
            set->n_unlabelled++;
            continue;
        }
        struct decision wanted = {.video = (uint32_t)video, .label = label};
        wanted.event = d->of_events ? clip->clip : 0;
        set->decision[set->n_rows] = decision_of(d, set, first_decision, &wanted);
        set->label[set->n_rows++] = label;
    }
    d->videos[side][set->n_videos++] =
        (struct probe_video){.video = (uint32_t)video, .at = (uint32_t)at, .first_row = first_row};
    if (set->n_rows == first_row)
        return gap_add(&d->unlabelled, video, -1, e);
    return 0;
}

/* Events with a label that none of the video's decisions is for. */
static int add_missing_events(struct probe_data *d, enum probe_side side, size_t first,
                              struct err *e)
{
    const struct probe_set *set = &d->set[side];
    size_t video = d->videos[side][set->n_videos - 1].video;
    const struct video *v = index_video(d->index, video);
    for (size_t k = 0; d->of_events && k < v->n_events; k++) {
        bool found = !v->events[k].label;
        for (size_t i = first; i < set->n_decisions && !found; i++)
            found = set->decisions[i].event == k;
        if (!found && gap_add(&d->missing, video, (int32_t)k, e) < 0)
            return ERR_FAIL;
    }
    return 0;
}

static int fill_side(struct probe_data *d, enum probe_side side, const struct places *p,
                     struct err *e)
{
    struct probe_set *set = &d->set[side];
    size_t n_videos = 0, n_clips = 0;
    for (size_t i = 0; i < index_n_videos(d->index); i++)
        if (p->at[i][side] >= 0) {
            n_videos++;
            n_clips += embeddings_n_clips(probe_data_store(d, side), (size_t)p->at[i][side]);
        }
    if (!n_clips)
        return err_set(e, "%s: no clips to %s", probe_data_path(d, side),
                       side == PROBE_TRAIN ? "train on" : "test on");
    d->videos[side] = mem_new(n_videos, sizeof **d->videos, e);
    set->label = mem_new(n_clips, sizeof *set->label, e);
    set->decision = mem_new(n_clips, sizeof *set->decision, e);
    set->decisions = mem_new(n_clips, sizeof *set->decisions, e);
    if (!d->videos[side] || !set->label || !set->decision || !set->decisions)
        return ERR_FAIL;
    for (size_t i = 0; i < index_n_videos(d->index); i++) {
        size_t first = set->n_decisions;
        if (p->at[i][side] >= 0 && (add_video(d, side, i, (size_t)p->at[i][side], e) < 0 ||
                                    add_missing_events(d, side, first, e) < 0))
            return ERR_FAIL;
    }
    if (!set->n_rows)
        return err_set(e, "%s: no clip to %s has a label in %s", probe_data_path(d, side),
                       side == PROBE_TRAIN ? "train on" : "test on",
                       store_path(index_store(d->index)));
    return 0;
}

/* -- what is missing -- */

/* Of the splits that the stores hold videos of: what the index has and no store. */
static int find_gaps(struct probe_data *d, const struct places *p, struct err *e)
{
    unsigned splits = 0;
    for (size_t i = 0; i < index_n_videos(d->index); i++)
        if (p->at[i][PROBE_TRAIN] >= 0 || p->at[i][PROBE_TEST] >= 0)
            splits |= split_bit(index_video(d->index, i));
    for (size_t i = 0; i < index_n_videos(d->index); i++) {
        const struct video *v = index_video(d->index, i);
        if (p->at[i][PROBE_TRAIN] >= 0 || p->at[i][PROBE_TEST] >= 0 || !(split_bit(v) & splits))
            continue;
        if (!v->ok && gap_add(&d->bad, i, -1, e) < 0)
            return ERR_FAIL;
        if (v->ok && is_labelled(d, v) && gap_add(&d->missing, i, -1, e) < 0)
            return ERR_FAIL;
    }
    return 0;
}

static int check_missing(const struct probe_data *d, uint64_t allowed, struct err *e)
{
    if (d->missing.n <= allowed)
        return 0;
    const struct probe_gap *gap = &d->missing.gaps[0];
    const char *id = index_video(d->index, gap->video)->id,
               *path = store_path(index_store(d->index));
    if (gap->event < 0)
        return err_set(
            e, "%s: %zu labelled videos or events have no embeddings, the first is video '%s'",
            path, d->missing.n, id);
    return err_set(
        e,
        "%s: %zu labelled videos or events have no embeddings, the first is event %d of video '%s'",
        path, d->missing.n, gap->event, id);
}

/* -- classes -- */

static int check_classes(struct probe_data *d, const struct probe_source *source, struct err *e)
{
    const struct probe_set *train = &d->set[PROBE_TRAIN], *test = &d->set[PROBE_TEST];
    d->n_train_clips = mem_new(d->n_classes, sizeof *d->n_train_clips, e);
    unsigned char *reported = mem_new(d->n_classes, 1, e);
    int rc = d->n_train_clips && reported ? 0 : ERR_FAIL;
    for (size_t i = 0; rc == 0 && i < train->n_rows; i++)
        d->n_train_clips[train->label[i]]++;
    for (size_t k = 0; rc == 0 && k < d->n_classes; k++)
        d->n_trained += source->scores || d->n_train_clips[k] > 0;
    for (size_t i = 0; rc == 0 && !source->scores && i < test->n_decisions; i++) {
        int label = test->decisions[i].label;
        if (d->n_train_clips[label] || reported[label])
            continue;
        reported[label] = 1;
        d->n_unseen++;
        if (!source->allow_unseen)
            rc = err_set(e,
                         "%s: video '%s' is of class '%s', which no training clip in %s has: "
                         "--allow-unseen counts such as wrong",
                         probe_data_path(d, PROBE_TEST),
                         index_video(d->index, test->decisions[i].video)->id,
                         index_class(d->index, d->of_events, (size_t)label),
                         probe_data_path(d, PROBE_TRAIN));
    }
    free(reported);
    return rc;
}

/* -- moments -- */

static size_t n_different_clips(struct embeddings *m, size_t at)
{
    size_t n = 0;
    for (size_t i = 0; i < embeddings_n_clips(m, at); i++) {
        size_t j = 0;
        while (j < i && embeddings_clip(m, at, j)->clip != embeddings_clip(m, at, i)->clip)
            j++;
        n += j == i;
    }
    return n;
}

static void count_moments(struct probe_data *d)
{
    size_t n_videos[SIMILARITY_MAX_MOMENTS + 1] = {0};
    for (size_t i = 0; i < d->set[PROBE_TEST].n_videos; i++) {
        size_t n = n_different_clips(probe_data_store(d, PROBE_TEST), d->videos[PROBE_TEST][i].at);
        if (n <= SIMILARITY_MAX_MOMENTS)
            n_videos[n]++;
    }
    for (size_t n = 2; n <= SIMILARITY_MAX_MOMENTS; n++)
        if (n_videos[n] > 0 && n_videos[n] >= d->n_full) {
            d->n_full = n_videos[n];
            d->n_moments = n;
        }
}

int probe_plan(struct probe_data *d, const struct probe_source *source, struct err *e)
{
    struct places places = {.at = mem_new(index_n_videos(d->index), sizeof *places.at, e)};
    int rc = places.at ? find_places(d, source, &places, e) : ERR_FAIL;
    if (rc == 0 && !source->scores)
        rc = fill_side(d, PROBE_TRAIN, &places, e);
    if (rc == 0)
        rc = fill_side(d, PROBE_TEST, &places, e);
    if (rc == 0)
        rc = find_gaps(d, &places, e);
    if (rc == 0)
        rc = check_missing(d, source->max_missing, e);
    if (rc == 0)
        rc = check_classes(d, source, e);
    if (rc == 0)
        count_moments(d);
    free(places.at);
    return rc;
}

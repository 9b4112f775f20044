/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the stores of a probe; which videos it uses says probe_plan.c, the features are read by
 * probe_load.c. */
#include "common/eval/probe_data.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/eval/probe_plan.h"

struct embeddings *probe_data_store(const struct probe_data *d, enum probe_side side)
{
    return d->store[d->store[side] ? side : PROBE_TRAIN];
}

const char *probe_data_path(const struct probe_data *d, enum probe_side side)
{
    return store_path(embeddings_store(probe_data_store(d, side)));
}

/* The identity a store says it was made from under `input`; NULL where it says nothing. */
static const char *input_identity(struct embeddings *m, const char *input)
{
    const struct store_meta *meta = store_meta(embeddings_store(m));
    const char *identity;
    return meta->inputs && json_get_str(meta->inputs, input, &identity, NULL) == 0 ? identity
                                                                                   : NULL;
}

static int check_pair(const struct probe_data *d, struct err *e)
{
    struct embeddings *train = d->store[PROBE_TRAIN], *test = d->store[PROBE_TEST];
    if (!test)
        return 0;
    const char *a = input_identity(train, "model"), *b = input_identity(test, "model");
    if ((a || b) && (!a || !b || strcmp(a, b) != 0))
        return err_set(e, "%s was made with model %s, but %s with model %s",
                       probe_data_path(d, PROBE_TEST), b ? b : "(none)",
                       probe_data_path(d, PROBE_TRAIN), a ? a : "(none)");
    size_t c = embeddings_n_channels(train), other = embeddings_n_channels(test);
    if (c != other)
        return err_set(e, "%s has %zu channels, but %s has %zu", probe_data_path(d, PROBE_TEST),
                       other, probe_data_path(d, PROBE_TRAIN), c);
    return 0;
}

/* A store that names the index it was made from must name this one. */
static int check_index(const struct probe_data *d, struct err *e)
{
    const char *identity = store_meta(index_store(d->index))->identity;
    for (int side = 0; side < PROBE_SIDES; side++) {
        if (!d->store[side])
            continue;
        const char *named = input_identity(d->store[side], "index");
        if (named && strcmp(named, identity) != 0)
            return err_set(e, "%s was made from index %s, but %s is %s", probe_data_path(d, side),
                           named, store_path(index_store(d->index)), identity);
    }
    return 0;
}

/* Scores are of the classes that the index has, in the same order. */
static int check_scores(const struct probe_data *d, struct err *e)
{
    const struct store *s = embeddings_store(d->store[PROBE_TRAIN]);
    const char *path = store_path(s), *index = store_path(index_store(d->index));
    const struct json *names = json_member(store_meta(s)->settings, "classes");
    size_t n = json_len(names);
    if (!names)
        return err_set(e, "%s: holds features, no class scores (teg-extract --form logits)", path);
    for (size_t k = 0; k < n && k < d->n_classes; k++) {
        const char *name = json_str(json_at(names, k));
        const char *mine = index_class(d->index, d->of_events, k);
        if (!name || strcmp(name, mine) != 0)
            return err_set(e, "%s: score %zu is of class '%s', but class %zu of %s is '%s'", path,
                           k, name ? name : "", k, index, mine);
    }
    if (n != d->n_classes || n != d->n_channels)
        return err_set(e, "%s: %zu scores of %zu classes, but %s has %zu classes", path,
                       d->n_channels, n, index, d->n_classes);
    return 0;
}

int probe_data_label(const struct probe_data *d, const struct video *v,
                     const struct embedding_clip *clip)
{
    const char *name = d->of_events ? v->events[clip->clip].label : v->class_name;
    return name ? index_class_number(d->index, d->of_events, name) : -1;
}

static int open_stores(struct probe_data *d, const struct probe_source *source, struct err *e)
{
    if (index_open(&d->index, source->index, e) < 0 ||
        embeddings_open(&d->store[PROBE_TRAIN], source->embeddings, e) < 0)
        return ERR_FAIL;
    if (source->test && embeddings_open(&d->store[PROBE_TEST], source->test, e) < 0)
        return ERR_FAIL;
    d->n_channels = embeddings_n_channels(d->store[PROBE_TRAIN]);
    d->of_events = source->of_events;
    d->n_classes = index_n_classes(d->index, d->of_events);
    if (!d->n_classes)
        return err_set(e, "%s: no video has %s", source->index,
                       d->of_events ? "a labelled event" : "a class");
    return 0;
}

int probe_data_open(struct probe_data **out, const struct probe_source *source, struct err *e)
{
    struct probe_data *d = mem_new(1, sizeof *d, e);
    if (!d)
        return ERR_FAIL;
    int rc = open_stores(d, source, e);
    if (rc == 0)
        rc = check_pair(d, e);
    if (rc == 0)
        rc = check_index(d, e);
    if (rc == 0 && source->scores)
        rc = check_scores(d, e);
    if (rc == 0)
        rc = probe_plan(d, source, e);
    if (rc < 0)
        probe_data_free(d);
    else
        *out = d;
    return rc;
}

void probe_data_free(struct probe_data *d)
{
    if (!d)
        return;
    for (int side = 0; side < PROBE_SIDES; side++) {
        struct probe_set *set = &d->set[side];
        if (d->backend)
            d->backend->ops->release(d->backend, set->x);
        free(set->label);
        free(set->decision);
        free(set->decisions);
        free(d->videos[side]);
        embeddings_close(d->store[side]);
    }
    free(d->missing.gaps);
    free(d->bad.gaps);
    free(d->unlabelled.gaps);
    free(d->n_train_clips);
    index_close(d->index);
    free(d);
}

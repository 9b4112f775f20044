/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diving48 V2: Diving48_vocab.json, a list of classes of four words each, and
 * Diving48_V2_train.json and Diving48_V2_test.json, lists of {"vid_name": "-mmq0PT-u8k_00155",
 * "label": 0, ...}. A class is called by its words, "Back+15som+05Twis+FREE"; a video is
 * rgb/NAME.mp4.
 */
#include <string.h>

#include "common/base/buf.h"
#include "common/base/json_items.h"
#include "common/datasets/annotation_files.h"
#include "common/datasets/importer.h"

static int append_words(struct buf *name, const struct json *words, struct err *e)
{
    if (json_kind(words) != JSON_ARRAY || json_len(words) == 0)
        return err_set(e, "not a list of words");
    for (size_t i = 0; i < json_len(words); i++) {
        const char *word = json_str(json_at(words, i));
        if (!word)
            return err_set(e, "word %zu is no text", i + 1);
        if (buf_printf(name, e, "%s%s", i ? "+" : "", word) < 0)
            return ERR_FAIL;
    }
    return 0;
}

static int add_class(struct json *classes, const struct json *words, struct err *e)
{
    struct buf name = {0};
    int rc = append_words(&name, words, e);
    for (size_t i = 0; rc == 0 && i < json_len(classes); i++)
        if (strcmp(json_str(json_at(classes, i)), (char *)name.data) == 0)
            rc = err_set(e, "%s is class %zu too", (char *)name.data, i);
    if (rc == 0 && json_append(classes, json_new_str((char *)name.data)) < 0)
        rc = err_set(e, "out of memory");
    buf_release(&name);
    return rc;
}

int diving48_read_vocabulary(const char *text, size_t len, struct video_list *out, struct err *e)
{
    struct json *list = json_parse(text, len, e), *classes;
    if (!list)
        return ERR_FAIL;
    int rc = video_list_set(out, "classes", classes = json_new_array(), e);
    if (rc == 0 && json_kind(list) != JSON_ARRAY)
        rc = err_set(e, "not a list of classes");
    for (size_t i = 0; rc == 0 && i < json_len(list); i++)
        if ((rc = add_class(classes, json_at(list, i), e)) < 0)
            err_add(e, "class %zu", i);
    json_free(list);
    return rc;
}

static int take_entry(const struct json *entry, const struct json *classes, struct video *v,
                      struct err *e)
{
    struct buf path = {0};
    const char *name;
    int64_t label;
    if (json_get_str(entry, "vid_name", &name, e) < 0 ||
        json_get_i64(entry, "label", &label, e) < 0)
        return ERR_FAIL;
    if (index_check_id(name, e) < 0)
        return err_add(e, "vid_name");
    if (label < 0 || (uint64_t)label >= json_len(classes))
        return err_set(e, "%s: label %lld, but the vocabulary has %zu classes", name,
                       (long long)label, json_len(classes));
    int rc = buf_printf(&path, e, "rgb/%s.mp4", name);
    v->path = (char *)path.data;
    v->id = mem_strdup(name, e);
    v->class_name = mem_strdup(json_str(json_at(classes, (size_t)label)), e);
    return rc == 0 && v->id && v->class_name ? video_path_clean(v->path, e) : ERR_FAIL;
}

int diving48_read_text(const char *text, size_t len, const char *split, struct video_list *out,
                       struct err *e)
{
    struct json_items items;
    const struct json *classes = json_member(out->settings, "classes");
    int rc;
    json_items_init(&items, text, len);
    while ((rc = json_items_next(&items, e)) == 1) {
        struct video v = {.split = mem_strdup(split, e)};
        rc = v.split ? take_entry(items.value, classes, &v, e) : ERR_FAIL;
        if (rc == 0)
            rc = video_list_add(out, &v, e);
        video_release(&v);
        if (rc < 0) {
            err_add(e, "entry %zu", items.n);
            break;
        }
    }
    json_items_release(&items);
    return rc;
}

/* -- the files -- */

static int read_vocabulary(void *list, const char *path, const char *text, size_t len,
                           struct err *e)
{
    (void)path;
    return diving48_read_vocabulary(text, len, list, e);
}

static int read_split(void *list, const char *path, const char *text, size_t len, struct err *e)
{
    return diving48_read_text(text, len, annotation_files_split(path), list, e);
}

static int read_named(const char *folder, const char *name, annotation_text_fn *fn,
                      struct video_list *out, struct err *e)
{
    char *path = NULL;
    int rc = annotation_files_need(folder, (const char *const[]){name, NULL}, &path, e);
    if (rc > 0)
        rc = annotation_files_read(path, fn, out, e);
    free(path);
    return rc;
}

static int read_diving48(const struct import_options *options, struct video_list *out,
                         struct err *e)
{
    const char *folder = options->annotations;
    if (read_named(folder, "Diving48_vocab.json", read_vocabulary, out, e) < 0 ||
        read_named(folder, "Diving48_V2_train.json", read_split, out, e) < 0)
        return ERR_FAIL;
    return read_named(folder, "Diving48_V2_test.json", read_split, out, e);
}

const struct importer importer_diving48 = {
    .name = "diving48",
    .what = "Diving48 V2: folder of JSON files (--annotations)",
    .needs_annotations = true,
    .finds_files = true,
    .read = read_diving48,
};

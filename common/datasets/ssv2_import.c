/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Something-Something v2. The labels are an object {"Holding something": "3", ...}; a split is an
 * array of {"id": "78687", "template": "Holding [something]", ...} where the label is the template
 * without its brackets; the test split has ids alone, and its labels, where published, are lines
 * "1420;Holding something". A video is ID.webm.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/json_items.h"
#include "common/base/lines.h"
#include "common/base/num.h"
#include "common/datasets/annotation_files.h"
#include "common/datasets/importer.h"

/* -- the labels -- */

static int take_number(const struct json *value, size_t n, size_t *out, struct err *e)
{
    int64_t number = json_i64(value);
    const char *text = json_str(value);
    if (text && num_i64(text, 0, INT32_MAX, &number, e) < 0)
        return ERR_FAIL;
    if (!text && json_kind(value) != JSON_INT)
        return err_set(e, "not a number");
    if (number < 0 || (uint64_t)number >= n)
        return err_set(e, "number %lld, but there are %zu labels", (long long)number, n);
    *out = (size_t)number;
    return 0;
}

/* The names in the order of their numbers, which run from 0 on without a gap. */
static struct json *order_labels(const struct json *numbers, struct err *e)
{
    size_t n = json_len(numbers), number = 0;
    const char **names = mem_new(n, sizeof *names, e), *name;
    struct json *value, *list = names ? json_new_array() : NULL;
    struct json_walk w = {0};
    int rc = list ? 0 : err_set(e, "out of memory");
    while (rc == 0 && json_next(numbers, &w, &name, &value)) {
        if ((rc = take_number(value, n, &number, e)) == 0 && names[number])
            rc = err_set(e, "number %zu, which '%s' has too", number, names[number]);
        if (rc < 0)
            err_add(e, "'%s'", name);
        else
            names[number] = name;
    }
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (json_append(list, json_new_str(names[i])) < 0)
            rc = err_set(e, "out of memory");
    free(names);
    if (rc == 0)
        return list;
    json_free(list);
    return NULL;
}

int ssv2_read_labels(const char *text, size_t len, struct ssv2_import *im, struct err *e)
{
    struct json *numbers = json_parse(text, len, e);
    if (numbers && json_kind(numbers) != JSON_OBJECT) {
        json_free(numbers);
        return err_set(e, "not an object of labels and numbers");
    }
    struct json *names = numbers ? order_labels(numbers, e) : NULL;
    if (!names) {
        json_free(numbers);
        return ERR_FAIL;
    }
    json_free(im->numbers);
    im->numbers = numbers;
    return video_list_set(im->list, "classes", names, e);
}

/* -- the splits -- */

/* "Holding [something]" becomes "Holding something". */
static char *without_brackets(const char *template, struct err *e)
{
    char *name = mem_strdup(template, e), *to = name;
    for (const char *from = template; name && *from; from++)
        if (*from != '[' && *from != ']')
            *to++ = *from;
    if (name)
        *to = '\0';
    return name;
}

static int set_class(const struct ssv2_import *im, struct video *v, const char *template,
                     struct err *e)
{
    v->class_name = without_brackets(template, e);
    if (!v->class_name)
        return ERR_FAIL;
    if (!json_member(im->numbers, v->class_name))
        return err_set(e, "'%s' is not among the labels", v->class_name);
    return 0;
}

static int take_entry(const struct ssv2_import *im, const struct json *entry, struct video *v,
                      struct err *e)
{
    struct buf path = {0};
    const struct json *id = json_member(entry, "id");
    const char *template;
    if (!id || (json_kind(id) != JSON_STRING && json_kind(id) != JSON_INT))
        return err_set(e, "no id");
    const char *text = json_str(id) ? json_str(id) : json_text(json_member(entry, "id"));
    if (index_check_id(text, e) < 0)
        return ERR_FAIL;
    int rc = json_get_str(entry, "template", &template, e);
    if (rc == ERR_NOT_FOUND && im->unlabelled)
        rc = 0;
    else if (rc == 0)
        rc = set_class(im, v, template, e);
    if (rc == 0)
        rc = buf_printf(&path, e, "%s.webm", text);
    v->path = (char *)path.data;
    if (rc == 0 && !((v->id = mem_strdup(text, e)) && (v->split = mem_strdup(im->split, e))))
        rc = ERR_FAIL;
    if (rc < 0)
        return err_add(e, "id %s", text);
    return video_path_clean(v->path, e);
}

int ssv2_read_entries(const char *text, size_t len, struct ssv2_import *im, struct err *e)
{
    struct json_items items;
    int rc;
    json_items_init(&items, text, len);
    while ((rc = json_items_next(&items, e)) == 1) {
        struct video v = {0};
        rc = take_entry(im, items.value, &v, e);
        if (rc == 0)
            rc = video_list_add(im->list, &v, e);
        video_release(&v);
        if (rc < 0) {
            err_add(e, "entry %zu", items.n);
            break;
        }
    }
    json_items_release(&items);
    return rc;
}

/* -- the labels of the test split -- */

static struct json *number_videos(const struct video_list *list, struct err *e)
{
    struct json *numbers = json_new_object();
    for (size_t i = 0; numbers && i < list->n; i++)
        if (json_add(numbers, list->videos[i].id, json_new_i64((int64_t)i)) < 0) {
            json_free(numbers);
            numbers = NULL;
        }
    if (!numbers)
        err_set(e, "out of memory");
    return numbers;
}

struct answers {
    const struct ssv2_import *im;
    struct json *videos; /* id: number in the list */
};

static int take_answer(void *user, char *line, struct err *e)
{
    struct answers *a = user;
    char *label = strchr(line, ';');
    if (!label)
        return err_set(e, "no ID;LABEL");
    *label++ = '\0';
    const struct json *number = json_member(a->videos, line);
    if (!number)
        return err_set(e, "id %s is in no split", line);
    struct video *v = &a->im->list->videos[json_i64(number)];
    if (v->class_name)
        return err_set(e, "id %s has a label already", line);
    return set_class(a->im, v, label, e);
}

int ssv2_read_answers(const char *text, size_t len, struct ssv2_import *im, struct err *e)
{
    struct answers a = {.im = im, .videos = number_videos(im->list, e)};
    int rc = a.videos ? lines_read_text(text, len, take_answer, &a, e) : ERR_FAIL;
    json_free(a.videos);
    return rc;
}

void ssv2_release(struct ssv2_import *im)
{
    json_free(im->numbers);
    im->numbers = NULL;
}

/* -- the files -- */

typedef int part_fn(const char *text, size_t len, struct ssv2_import *im, struct err *e);

struct part {
    const char *const names[4]; /* in older and in newer releases */
    part_fn *read;
    const char *split; /* of entries */
    bool needed;
};

struct reading {
    const struct part *part;
    struct ssv2_import *im;
};

static int read_part(void *user, const char *path, const char *text, size_t len, struct err *e)
{
    struct reading *r = user;
    (void)path;
    return r->part->read(text, len, r->im, e);
}

static int find_part(const char *folder, const struct part *part, struct ssv2_import *im,
                     struct err *e)
{
    char *path = NULL;
    struct reading r = {part, im};
    int rc = part->needed ? annotation_files_need(folder, part->names, &path, e)
                          : annotation_files_find(folder, part->names, &path, e);
    im->split = part->split;
    im->unlabelled = part->split && strcmp(part->split, "test") == 0;
    if (rc > 0)
        rc = annotation_files_read(path, read_part, &r, e);
    else if (rc == 0 && part->read == ssv2_read_entries)
        rc = video_list_note(im->list, e, "%s: no %s: the index has no split %s", folder,
                             part->names[0], part->split);
    free(path);
    return rc;
}

#define NAMES(old, new)                                                                            \
    {                                                                                              \
        "something-something-v2-" old ".json", "labels/" new ".json", new ".json", NULL            \
    }

static int read_ssv2(const struct import_options *options, struct video_list *out, struct err *e)
{
    static const struct part parts[] = {
        {NAMES("labels", "labels"), ssv2_read_labels, NULL, true},
        {NAMES("train", "train"), ssv2_read_entries, "train", false},
        {NAMES("validation", "validation"), ssv2_read_entries, "val", false},
        {NAMES("test", "test"), ssv2_read_entries, "test", false},
        {{"test-answers.csv", "labels/test-answers.csv", NULL, NULL},
         ssv2_read_answers,
         NULL,
         false},
    };
    struct ssv2_import im = {.list = out};
    int rc = 0;
    for (size_t i = 0; rc >= 0 && i < sizeof parts / sizeof *parts; i++)
        rc = find_part(options->annotations, &parts[i], &im, e);
    ssv2_release(&im);
    return rc < 0 ? rc : 0;
}

const struct importer importer_ssv2 = {
    .name = "ssv2",
    .what = "Something-Something v2: folder of JSON files (--annotations)",
    .needs_annotations = true,
    .finds_files = true,
    .read = read_ssv2,
};

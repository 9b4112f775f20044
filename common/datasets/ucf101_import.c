/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UCF101: classInd.txt with lines "1 ApplyEyeMakeup", trainlist01.txt with lines
 * "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1", testlist01.txt with the paths alone; three such
 * pairs. The files of the class HandstandPushups are called v_HandStandPushups_*, which copies
 * "repair" on either side; copies also add the numbers to the test list.
 */
#include <string.h>
#include <strings.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/lines.h"
#include "common/base/num.h"
#include "common/datasets/annotation_files.h"
#include "common/datasets/importer.h"

#define HANDSTAND      "HandstandPushups"
#define HANDSTAND_FILE "v_HandStandPushups_"

struct reading {
    struct video_list *list;
    struct json *classes; /* array of names; borrowed from the list's settings */
    const char *split;
};

static const char *official_class(const char *name)
{
    return strcasecmp(name, HANDSTAND) == 0 ? HANDSTAND : name;
}

/* The part behind the last blank, or NULL; cuts the line before it. */
static char *cut_last_word(char *line)
{
    size_t at = strlen(line);
    while (at && !strchr(" \t", line[at - 1]))
        at--;
    if (at == 0)
        return NULL;
    char *word = line + at;
    while (at && strchr(" \t", line[at - 1]))
        line[--at] = '\0';
    return word;
}

static int take_class(void *user, char *line, struct err *e)
{
    struct reading *r = user;
    int64_t number, expected = (int64_t)json_len(r->classes) + 1;
    char *name = cut_last_word(line);
    if (!name)
        return err_set(e, "no number and name of a class");
    if (num_i64(line, 1, INT32_MAX, &number, e) < 0)
        return ERR_FAIL;
    if (number != expected)
        return err_set(e, "class %s has number %lld, not %lld", name, (long long)number,
                       (long long)expected);
    if (video_class_check(name, e) < 0)
        return ERR_FAIL;
    return json_append(r->classes, json_new_str(official_class(name))) < 0
               ? err_set(e, "out of memory")
               : 0;
}

/* Number of a class from 1 on, 0 where there is none. */
static int64_t class_number(const struct reading *r, const char *name)
{
    for (size_t i = 0; i < json_len(r->classes); i++)
        if (strcmp(json_str(json_at(r->classes, i)), name) == 0)
            return (int64_t)i + 1;
    return 0;
}

static int take_label(const struct reading *r, const char *path, const char *label, struct video *v,
                      struct err *e)
{
    const char *slash = strchr(path, '/');
    if (!slash || slash != strrchr(path, '/'))
        return err_set(e, "%s is no path CLASS/FILE", path);
    char *folder = strndup(path, (size_t)(slash - path));
    if (!folder)
        return err_set(e, "out of memory");
    int64_t number = class_number(r, official_class(folder)), given = number;
    int rc = number ? 0 : err_set(e, "class %s is not in classInd.txt", folder);
    if (rc == 0 && label)
        rc = num_i64(label, 0, INT32_MAX, &given, e);
    if (rc == 0 && given != number)
        rc = err_set(e, "label %s, but class %s has number %lld in classInd.txt", label, folder,
                     (long long)number);
    if (rc == 0 && !(v->class_name = mem_strdup(official_class(folder), e)))
        rc = ERR_FAIL;
    free(folder);
    return rc;
}

/* The name of the file without its extension, spelt as in the official files. */
static char *official_id(const char *path, struct err *e)
{
    const char *base = path_base(path), *extension = path_extension(path);
    size_t len = *extension ? (size_t)(extension - 1 - base) : strlen(base);
    size_t prefix = strlen(HANDSTAND_FILE);
    char *id = strndup(base, len);
    if (!id)
        err_set(e, "out of memory");
    else if (strncasecmp(id, HANDSTAND_FILE, prefix) == 0)
        memcpy(id, HANDSTAND_FILE, prefix);
    return id;
}

static int take_video(void *user, char *line, struct err *e)
{
    struct reading *r = user;
    struct video v = {0};
    char *label = cut_last_word(line);
    int rc = video_path_clean(line, e);
    if (rc == 0)
        rc = take_label(r, line, label, &v, e);
    if (rc == 0) {
        v.path = mem_strdup(line, e);
        v.split = mem_strdup(r->split, e);
        v.id = official_id(line, e);
        rc = v.path && v.split && v.id ? video_list_add(r->list, &v, e) : ERR_FAIL;
    }
    video_release(&v);
    return rc;
}

int ucf101_read_classes(const char *text, size_t len, struct video_list *out, struct err *e)
{
    struct reading r = {.list = out, .classes = json_new_array()};
    if (video_list_set(out, "classes", r.classes, e) < 0)
        return ERR_FAIL;
    return lines_read_text(text, len, take_class, &r, e);
}

int ucf101_read_text(const char *text, size_t len, const char *split, struct video_list *out,
                     struct err *e)
{
    struct reading r = {
        .list = out, .classes = json_member(out->settings, "classes"), .split = split};
    return lines_read_text(text, len, take_video, &r, e);
}

/* One of the files of a division; no split: the classes. */
struct part {
    struct video_list *list;
    const char *name, *split;
};

static int read_part(void *user, const char *path, const char *text, size_t len, struct err *e)
{
    const struct part *part = user;
    (void)path;
    return part->split ? ucf101_read_text(text, len, part->split, part->list, e)
                       : ucf101_read_classes(text, len, part->list, e);
}

/* FOLDER/NAME or FOLDER/ucfTrainTestlist/NAME. */
static int find_part(const char *folder, struct part *part, struct err *e)
{
    char *below = NULL, *path = NULL;
    if (asprintf(&below, "ucfTrainTestlist/%s", part->name) < 0)
        return err_set(e, "out of memory");
    int rc =
        annotation_files_need(folder, (const char *const[]){part->name, below, NULL}, &path, e);
    if (rc > 0)
        rc = annotation_files_read(path, read_part, part, e);
    free(below);
    free(path);
    return rc;
}

static int read_ucf101(const struct import_options *options, struct video_list *out, struct err *e)
{
    int fold = options->fold ? options->fold : 1;
    char train[] = "trainlist01.txt", test[] = "testlist01.txt";
    struct part parts[] = {{out, "classInd.txt", NULL}, {out, train, "train"}, {out, test, "test"}};
    *strchr(train, '1') = *strchr(test, '1') = (char)('0' + fold);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (find_part(options->annotations, &parts[i], e) < 0)
            return ERR_FAIL;
    return video_list_set(out, "fold", json_new_i64(fold), e);
}

const struct importer importer_ucf101 = {
    .name = "ucf101",
    .what = "UCF101: folder of its lists (--annotations, --fold)",
    .needs_annotations = true,
    .extras = IMPORT_FOLD,
    .finds_files = true,
    .ignores_case = true,
    .read = read_ucf101,
};

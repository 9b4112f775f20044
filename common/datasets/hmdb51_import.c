/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HMDB51: for each class and each of three divisions a file CLASS_test_split1.txt with lines
 * "FILE.avi 1", where 1 is training, 2 is test and 0 is neither. Names of files hold all kinds of
 * characters.
 */
#include <string.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/lines.h"
#include "common/datasets/annotation_files.h"
#include "common/datasets/importer.h"

enum { ENDING_BYTES = sizeof "_test_split1.txt" };

struct reading {
    struct video_list *list;
    const char *class_name, *ending;
};

static const char *const splits[] = {NULL, "train", "test"};

static int take_video(void *user, char *line, struct err *e)
{
    struct reading *r = user;
    struct video v = {0};
    struct buf path = {0}, id = {0};
    size_t at = strlen(line);
    if (at < 3 || !strchr(" \t", line[at - 2]) || line[at - 1] < '0' || line[at - 1] > '2')
        return err_set(e, "no FILE and 0, 1 or 2: %.80s", line);
    const char *split = splits[line[at - 1] - '0'];
    for (at -= 2; at && strchr(" \t", line[at]); at--)
        line[at] = '\0';
    if (strchr(line, '/'))
        return err_set(e, "%s is no name of a file", line);
    size_t stem =
        video_path_is_video(line) ? (size_t)(path_extension(line) - 1 - line) : strlen(line);
    int rc = buf_printf(&path, e, "%s/%s", r->class_name, line);
    if (rc == 0)
        rc = buf_printf(&id, e, "%s/%.*s", r->class_name, (int)stem, line);
    v.path = (char *)path.data;
    v.id = (char *)id.data;
    if (rc == 0 && (!(v.class_name = mem_strdup(r->class_name, e)) ||
                    (split && !(v.split = mem_strdup(split, e)))))
        rc = ERR_FAIL;
    if (rc == 0 && (rc = video_path_clean(v.path, e)) == 0)
        rc = video_list_add(r->list, &v, e);
    video_release(&v);
    return rc;
}

int hmdb51_read_text(const char *text, size_t len, const char *class_name, struct video_list *out,
                     struct err *e)
{
    struct reading r = {.list = out, .class_name = class_name};
    return lines_read_text(text, len, take_video, &r, e);
}

static int read_file(void *user, const char *path, const char *text, size_t len, struct err *e)
{
    struct reading *r = user;
    const char *base = path_base(path);
    size_t name = strlen(base), ending = strlen(r->ending);
    if (name <= ending || strcmp(base + name - ending, r->ending) != 0)
        return err_set(e, "not called CLASS%s", r->ending);
    char *class_name = strndup(base, name - ending);
    int rc = class_name ? hmdb51_read_text(text, len, class_name, r->list, e)
                        : err_set(e, "out of memory");
    free(class_name);
    return rc;
}

static int read_hmdb51(const struct import_options *options, struct video_list *out, struct err *e)
{
    static const char *const below[] = {"testTrainMulti_7030_splits", NULL};
    int fold = options->fold ? options->fold : 1;
    char ending[ENDING_BYTES] = "_test_split1.txt", *folder = NULL;
    *strchr(ending, '1') = (char)('0' + fold);
    struct reading r = {.list = out, .ending = ending};
    int rc = annotation_files_find(options->annotations, below, &folder, e);
    if (rc >= 0)
        rc = annotation_files_read_all(folder ? folder : options->annotations, ending, read_file,
                                       &r, e);
    free(folder);
    return rc < 0 ? rc : video_list_set(out, "fold", json_new_i64(fold), e);
}

const struct importer importer_hmdb51 = {
    .name = "hmdb51",
    .what = "HMDB51: folder of CLASS_test_splitN.txt (--annotations, --fold)",
    .needs_annotations = true,
    .extras = IMPORT_FOLD,
    .finds_files = true,
    .read = read_hmdb51,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/datasets/video_list.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/utf8.h"

void video_list_release(struct video_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        video_release(&list->videos[i]);
    for (size_t i = 0; i < list->n_notes; i++)
        free(list->notes[i]);
    free(list->notes);
    json_free(list->settings);
    intern_release(&list->paths);
    buf_release(&list->lines);
    free(list->videos);
    *list = (struct video_list){0};
}

int video_class_check(const char *name, struct err *e)
{
    size_t left = strlen(name);
    while (left) {
        uint32_t code;
        size_t n = utf8_next(name, left, &code);
        if (n == 0)
            return err_set(e, "class is not UTF-8");
        if (code < 0x20 || code == 0x7f)
            return err_set(e, "class holds a control character");
        name += n;
        left -= n;
    }
    return 0;
}

static int check_class(const struct video *v, struct err *e)
{
    return v->class_name && video_class_check(v->class_name, e) < 0 ? err_add(e, "%s", v->path) : 0;
}

int video_list_add(struct video_list *list, struct video *v, struct err *e)
{
    if (check_class(v, e) < 0) {
        video_release(v);
        return ERR_FAIL;
    }
    if (list->n == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 64;
        struct video *videos = mem_grow(list->videos, cap, sizeof *videos, e);
        if (!videos) {
            video_release(v);
            return ERR_FAIL;
        }
        list->videos = videos;
        list->cap = cap;
    }
    list->videos[list->n++] = *v;
    *v = (struct video){0};
    return 0;
}

int video_list_add_path(struct video_list *list, const char *path, const char *split,
                        const char *class_name, struct err *e)
{
    struct video v = {.path = mem_strdup(path, e)};
    if (split)
        v.split = mem_strdup(split, e);
    if (class_name)
        v.class_name = mem_strdup(class_name, e);
    if (!v.path || (split && !v.split) || (class_name && !v.class_name)) {
        video_release(&v);
        return ERR_FAIL;
    }
    return video_list_add(list, &v, e);
}

int video_list_once(struct video_list *list, const char *path, size_t line, struct err *e)
{
    uint32_t number;
    size_t n = list->paths.n;
    if (intern_add(&list->paths, path, &number, e) < 0)
        return ERR_FAIL;
    if (number < n)
        return err_set(e, "%s: listed twice, in line %zu already", path,
                       ((const size_t *)(const void *)list->lines.data)[number]);
    return buf_append(&list->lines, &line, sizeof line, e);
}

int video_list_note(struct video_list *list, struct err *e, const char *format, ...)
{
    char *text;
    va_list arguments;
    char **notes = mem_grow(list->notes, list->n_notes + 1, sizeof *notes, e);
    if (!notes)
        return ERR_FAIL;
    list->notes = notes;
    va_start(arguments, format);
    int len = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (len < 0)
        return err_set(e, "out of memory");
    notes[list->n_notes++] = text;
    return 0;
}

int video_list_set(struct video_list *list, const char *name, struct json *value, struct err *e)
{
    if (!list->settings)
        list->settings = json_new_object();
    if (!list->settings)
        json_free(value);
    if (!list->settings || json_add(list->settings, name, value) < 0)
        return err_set(e, "out of memory");
    return 0;
}

/* -- ids -- */

/* Length of a path without its extension; ".mp4" alone has none. */
static size_t stem_bytes(const char *path)
{
    const char *extension = path_extension(path), *base = path_base(path);
    size_t len = strlen(path);
    return *extension && extension - 1 > base ? (size_t)(extension - 1 - path) : len;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct video *)a)->path, ((const struct video *)b)->path);
}

static int by_id(const void *a, const void *b)
{
    int order = strcmp(((const struct video *)a)->id, ((const struct video *)b)->id);
    return order ? order : by_path(a, b);
}

struct stem { /* for finding paths that differ by their extension only */
    size_t video, bytes;
    const char *path;
};

static int by_stem(const void *a, const void *b)
{
    const struct stem *x = a, *y = b;
    int order = memcmp(x->path, y->path, x->bytes < y->bytes ? x->bytes : y->bytes);
    if (order)
        return order;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static bool looks_like_frame(const char *path, size_t bytes)
{
    size_t n = 0;
    while (n < bytes && path[bytes - 1 - n] >= '0' && path[bytes - 1 - n] <= '9')
        n++;
    return n == 8 && (n == bytes || path[bytes - 1 - n] == '/');
}

static bool is_text(const char *text)
{
    uint32_t code;
    size_t n = 1;
    for (; n && *text; text += n)
        n = utf8_next(text, strlen(text), &code);
    return n > 0;
}

char *video_text_escape(const char *text, struct err *e)
{
    struct buf out = {0};
    uint32_t code;
    int rc = buf_reserve(&out, strlen(text) + 1, e);
    for (const char *at = text; rc == 0 && *at;) {
        size_t n = utf8_next(at, strlen(at), &code);
        bool plain = n && code >= 0x20 && code != 0x7f && (at > text || code != '!');
        rc = plain ? buf_append(&out, at, n, e)
                   : buf_printf(&out, e, "%%%02X", (unsigned)(unsigned char)*at);
        at += plain ? n : 1;
    }
    if (rc == 0 && (rc = buf_append(&out, "", 1, e)) == 0)
        return (char *)out.data;
    buf_release(&out);
    return NULL;
}

/* Files may be called anything; keys of a store may not. */
static int make_safe(char **id, struct err *e)
{
    char hash[HASH_TEXT_BYTES];
    uint32_t code;
    size_t keep = 0, room = INDEX_MAX_ID - HASH_TEXT_BYTES, n;
    char *safe = video_text_escape(*id, e);
    if (!safe)
        return ERR_FAIL;
    hash_text(hash_bytes(*id, strlen(*id)), hash);
    free(*id);
    *id = safe;
    if (strlen(safe) <= INDEX_MAX_ID)
        return 0;
    while ((n = utf8_next(safe + keep, strlen(safe + keep), &code)) && keep + n <= room)
        keep += n;
    snprintf(safe + keep, strlen(safe) + 1 - keep, "~%s", hash);
    return 0;
}

/* The record could not say where such a file is. */
static int mark_unnameable(struct video *v, struct err *e)
{
    if (is_text(v->path))
        return 0;
    char *path = video_text_escape(v->path, e);
    v->reason = mem_strdup("the name is not UTF-8: rename the file", e);
    if (!path || !v->reason) {
        free(path);
        return ERR_FAIL;
    }
    free(v->path);
    v->path = path;
    return 0;
}

static int set_ids(struct video_list *list, struct stem *stems, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        struct video *v = &list->videos[stems[i].video];
        bool shared = (i > 0 && by_stem(&stems[i - 1], &stems[i]) == 0) ||
                      (i + 1 < n && by_stem(&stems[i], &stems[i + 1]) == 0);
        v->id = mem_strdup(v->path, e);
        if (!v->id)
            return ERR_FAIL;
        if (!shared && !looks_like_frame(stems[i].path, stems[i].bytes))
            v->id[stems[i].bytes] = '\0';
        if (make_safe(&v->id, e) < 0)
            return ERR_FAIL;
    }
    return 0;
}

static int give_ids(struct video_list *list, struct err *e)
{
    size_t n = 0;
    struct stem *stems = mem_new(list->n + 1, sizeof *stems, e);
    if (!stems)
        return ERR_FAIL;
    for (size_t i = 0; i < list->n; i++)
        if (!list->videos[i].id)
            stems[n++] = (struct stem){i, stem_bytes(list->videos[i].path), list->videos[i].path};
    qsort(stems, n, sizeof *stems, by_stem);
    int rc = set_ids(list, stems, n, e);
    free(stems);
    return rc;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool is_same(const struct video *a, const struct video *b)
{
    bool classes = !a->class_name || !b->class_name || same_text(a->class_name, b->class_name);
    return same_text(a->id, b->id) && same_text(a->split, b->split) && classes &&
           strcmp(path_base(a->path), path_base(b->path)) == 0;
}

int video_list_merge(struct video_list *list, struct err *e)
{
    size_t n = 0, n_twice = 0;
    if (list->n)
        qsort(list->videos, list->n, sizeof *list->videos, by_id);
    for (size_t i = 0; i < list->n; i++) {
        struct video *v = &list->videos[i], *before = n ? &list->videos[n - 1] : NULL;
        if (!before || !is_same(before, v)) {
            list->videos[n++] = *v;
            continue;
        }
        struct video spare = before->class_name ? *v : *before;
        if (!before->class_name)
            *before = *v;
        video_release(&spare);
        n_twice++;
    }
    list->n = n;
    if (n_twice)
        return video_list_note(list, e, "%zu videos are listed again, with the same label",
                               n_twice);
    return 0;
}

int video_list_finish(struct video_list *list, struct err *e)
{
    if (list->n == 0)
        return err_set(e, "no videos");
    for (size_t i = 0; i < list->n; i++)
        if (mark_unnameable(&list->videos[i], e) < 0)
            return ERR_FAIL;
    qsort(list->videos, list->n, sizeof *list->videos, by_path);
    for (size_t i = 1; i < list->n; i++)
        if (by_path(&list->videos[i - 1], &list->videos[i]) == 0)
            return err_set(e, "%s: listed twice", list->videos[i].path);
    if (give_ids(list, e) < 0)
        return ERR_FAIL;
    qsort(list->videos, list->n, sizeof *list->videos, by_id);
    for (size_t i = 0; i < list->n; i++) {
        const struct video *v = &list->videos[i];
        if (index_check_id(v->id, e) < 0)
            return err_add(e, "%s: id", v->path);
        if (check_class(v, e) < 0)
            return ERR_FAIL;
        if (i && strcmp(v->id, list->videos[i - 1].id) == 0)
            return err_set(e, "id %s: both of %s and %s", v->id, list->videos[i - 1].path, v->path);
    }
    return 0;
}

/* -- paths -- */

int video_path_clean(char *path, struct err *e)
{
    char *to = path;
    if (path[0] == '/')
        return err_set(e, "%s: an absolute path, not one below the folder of videos", path);
    for (const char *from = path; *from;) {
        size_t len = strcspn(from, "/");
        if (len == 2 && from[0] == '.' && from[1] == '.')
            return err_set(e, "%s: leads out of the folder of videos", path);
        if (len && !(len == 1 && from[0] == '.')) {
            if (to > path)
                *to++ = '/';
            memmove(to, from, len);
            to += len;
        }
        from += len;
        from += strspn(from, "/");
    }
    *to = '\0';
    return *path ? 0 : err_set(e, "empty path");
}

bool video_path_is_video(const char *path)
{
    static const char *const extensions[] = {
        "3g2", "3gp",   "asf", "avi", "divx", "dv",  "f4v",  "flv",  "ivf", "m2ts", "m2v",
        "m4v", "mjpeg", "mkv", "mov", "mp4",  "mpe", "mpeg", "mpg",  "mts", "mxf",  "nut",
        "ogg", "ogm",   "ogv", "rm",  "rmvb", "ts",  "vob",  "webm", "wmv", "y4m",
    };
    if (strncmp(path_base(path), "._", 2) == 0) /* macOS keeps attributes in them */
        return false;
    for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++)
        if (strcasecmp(path_extension(path), extensions[i]) == 0)
            return true;
    return false;
}

const char *video_split_name(const char *text)
{
    static const char *const names[][2] = {
        {"train", "train"},    {"training", "train"}, {"val", "val"},   {"valid", "val"},
        {"validation", "val"}, {"validate", "val"},   {"test", "test"}, {"testing", "test"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(text, names[i][0]) == 0)
            return names[i][1];
    return NULL;
}

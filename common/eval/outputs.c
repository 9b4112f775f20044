/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/outputs.h"

#include <string.h>
#include <sys/stat.h>

#include "common/base/file.h"
#include "common/eval/gebd_report.h"
#include "common/eval/report.h"

/* What the kind of a file is told by. */
struct head {
    const char *tool; /* that wants to replace it */
    char text[1 << 16];
    size_t len;
};

static bool starts_with(const struct head *h, const char *start, size_t len)
{
    return h->len >= len && memcmp(h->text, start, len) == 0;
}

/* The first line without its end; 0 where it is not there as a whole. */
static size_t first_line(const struct head *h)
{
    const char *end = memchr(h->text, '\n', h->len);
    return end ? (size_t)(end - h->text) : 0;
}

/* Metrics begin in the same way up to the tool's name, as report_write writes them. */
static bool is_metrics(const struct head *h)
{
    struct report r = report_start(h->tool, NULL);
    struct json *start = report_take(&r);
    const char *text = start ? json_pretty(start) : NULL;
    const char *end = text ? strstr(text, h->tool) : NULL;
    size_t len = end ? (size_t)(end - text) + strlen(h->tool) + 1 : 0; /* with the last quote */
    bool same = len && starts_with(h, text, len);
    json_free(start);
    return same;
}

static bool is_picture(const struct head *h)
{
    static const char signature[] = "\x89PNG\r\n\x1a\n";
    return starts_with(h, signature, sizeof signature - 1);
}

static bool are_decisions(const struct head *h)
{
    struct json *line = json_parse(h->text, first_line(h), NULL);
    bool are = line && json_member(line, "video") && json_member(line, "label") &&
               json_member(line, "best");
    json_free(line);
    return are;
}

/* Annotations may have eight columns too, but a person in the last one, which is a whole number. */
static bool are_boxes(const struct head *h)
{
    bool fraction = false;
    const char *line = h->text, *stop = h->text + h->len;
    for (const char *end; (end = memchr(line, '\n', (size_t)(stop - line))); line = end + 1) {
        const char *last = line;
        size_t n = 1;
        for (const char *c = line; c < end; c++)
            if (*c == ',') {
                last = c + 1;
                n++;
            }
        if (n != 8 || (size_t)(end - last) != strspn(last, "0123456789.e-"))
            return false;
        fraction |= strcspn(last, ".e\n") < (size_t)(end - last);
    }
    return fraction;
}

/* The first video of a file by gebd_out_add, a line; or an object without any. NULL: no such. */
static struct json *first_video(const struct head *h)
{
    char line[sizeof h->text];
    size_t len = first_line(h);
    memcpy(line, h->text, len);
    if (len && line[len - 1] == ',')
        line[len - 1] = '}';
    struct json *object = json_parse(line, len, NULL);
    if (object && json_kind(object) == JSON_OBJECT && json_len(object) <= 1)
        return object;
    json_free(object);
    return NULL;
}

static bool is_of_videos(const struct head *h, bool (*is_right)(const struct json *video))
{
    struct json *object = first_video(h), *video;
    struct json_walk walk = {0};
    const char *id;
    bool is = object && (!json_next(object, &walk, &id, &video) || is_right(video));
    json_free(object);
    return is;
}

static bool is_list(const struct json *video)
{
    return json_kind(video) == JSON_ARRAY;
}

static bool is_prepared(const struct json *video)
{
    return json_kind(video) == JSON_OBJECT && json_member(video, "substages_timestamps") &&
           json_member(video, "substages_myframeidx");
}

static bool are_times(const struct head *h)
{
    return is_of_videos(h, is_list);
}

static bool is_truth(const struct head *h)
{
    return is_of_videos(h, is_prepared);
}

static bool is_per_video(const struct head *h)
{
    return starts_with(h, gebd_per_video_head, strlen(gebd_per_video_head));
}

static const struct {
    const char *name;
    bool (*is)(const struct head *h);
    bool of_tool; /* the tool's name belongs to the kind's */
} kinds[] = {
    [OUTPUT_METRICS] = {"metrics of", is_metrics, true},
    [OUTPUT_PICTURE] = {"a PNG picture", is_picture, false},
    [OUTPUT_DECISIONS] = {"predictions of", are_decisions, true},
    [OUTPUT_BOXES] = {"predictions in CSV", are_boxes, false},
    [OUTPUT_TIMES] = {"predictions of", are_times, true},
    [OUTPUT_TRUTH] = {"prepared ground truth", is_truth, false},
    [OUTPUT_PER_VIDEO] = {"lines on videos of", is_per_video, true},
};

static int read_head(const char *path, struct head *h, struct err *e)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return err_errno(e, "%s", path);
    h->len = fread(h->text, 1, sizeof h->text, f);
    int rc = ferror(f) ? err_errno(e, "%s", path) : 0;
    fclose(f);
    return rc;
}

static int check_replaced(const struct output *o, const char *tool, struct err *e)
{
    struct stat st;
    struct head h = {.tool = tool};
    if (stat(o->path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
        return 0;
    if (read_head(o->path, &h, e) < 0)
        return ERR_FAIL;
    if (kinds[o->kind].is(&h))
        return 0;
    bool of_tool = kinds[o->kind].of_tool;
    return err_set(e, "%s: exists already and is not %s%s%s; remove it or give --force", o->path,
                   kinds[o->kind].name, of_tool ? " " : "", of_tool ? tool : "");
}

int outputs_check(const struct outputs *all, struct err *e)
{
    for (size_t i = 0; i < all->n; i++) {
        const struct output *o = &all->list[i];
        for (size_t k = 0; o->path && k < i; k++) {
            const struct output *other = &all->list[k];
            if (other->path && strcmp(other->path, o->path) == 0 &&
                strncmp(o->path, "/dev/", 5) != 0)
                return err_set(e, "%s: is the file of both %s and %s", o->path, other->option,
                               o->option);
        }
        if (o->path && !all->force && check_replaced(o, all->tool, e) < 0)
            return ERR_FAIL;
        if (o->path && file_out_check(o->path, e) < 0)
            return ERR_FAIL;
    }
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/datasets/key_frames.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/csv.h"
#include "common/base/lines.h"
#include "common/base/num.h"

enum kind { FRAME, BOX, DETECTION, EXCLUDED };
enum { STAMP_BYTES = 20, N_CORNERS = 4, NONE = -1 };

struct key_row {
    size_t video;
    double seconds;
    char stamp[STAMP_BYTES]; /* the seconds as they are written */
    enum kind kind;
    double corner[N_CORNERS]; /* x1, y1, x2, y2 */
    int64_t action, person;   /* NONE where absent */
    double score;
    size_t order, first; /* place in the files: of the row, of the first row of its box */
};

struct key_file {
    char *path;
    size_t order; /* of its first row */
};

void key_frames_release(struct key_frames *k)
{
    for (size_t i = 0; i < k->n_files; i++)
        free(k->file[i].path);
    free(k->file);
    for (size_t i = 0; i < k->n_videos; i++) {
        free(k->video[i].name);
        free(k->video[i].split);
    }
    free(k->video);
    free(k->row);
    json_free(k->numbers);
    *k = (struct key_frames){0};
}

/* -- reading -- */

int key_frames_name_file(struct key_frames *k, const char *path, struct err *e)
{
    struct key_file *file = mem_grow(k->file, k->n_files + 1, sizeof *file, e);
    char *copy = file ? mem_strdup(path, e) : NULL;
    if (file)
        k->file = file;
    if (!copy)
        return ERR_FAIL;
    k->file[k->n_files++] = (struct key_file){copy, k->n};
    return 0;
}

/* The file of a row, or NULL. */
static const char *file_of(const struct key_frames *k, const struct key_row *row)
{
    size_t i = k->n_files;
    while (i && k->file[i - 1].order > row->order)
        i--;
    return i ? k->file[i - 1].path : NULL;
}

struct reading {
    struct key_frames *k;
    enum kind kind;
    const char *split;
};

static int add_video(struct key_frames *k, const char *name, size_t *number, struct err *e)
{
    if (k->n_videos == k->cap_videos) {
        size_t cap = k->cap_videos ? 2 * k->cap_videos : 64;
        struct key_video *video = mem_grow(k->video, cap, sizeof *video, e);
        if (!video)
            return ERR_FAIL;
        k->video = video;
        k->cap_videos = cap;
    }
    char *copy = mem_strdup(name, e);
    if (!copy)
        return ERR_FAIL;
    *number = k->n_videos;
    k->video[k->n_videos++] = (struct key_video){.name = copy};
    if (!k->numbers && !(k->numbers = json_new_object()))
        return err_set(e, "out of memory");
    if (json_add(k->numbers, name, json_new_i64((int64_t)*number)) < 0)
        return err_set(e, "out of memory");
    return 0;
}

/* The video of this name, a new one where there is none; mostly that of the row before. */
static int find_video(struct key_frames *k, const char *name, size_t *number, struct err *e)
{
    if (!*name)
        return err_set(e, "no id of a video");
    if (k->n_videos && strcmp(k->video[k->last].name, name) == 0) {
        *number = k->last;
        return 0;
    }
    const struct json *known = k->numbers ? json_member(k->numbers, name) : NULL;
    if (known)
        *number = (size_t)json_i64(known);
    else if (add_video(k, name, number, e) < 0)
        return ERR_FAIL;
    k->last = *number;
    return 0;
}

/* A detector's file does not move a video to another split. */
static int set_split(struct key_video *v, const struct reading *r, struct err *e)
{
    if (r->kind == EXCLUDED || !r->split || (v->split && r->kind == DETECTION))
        return 0;
    if (v->split && strcmp(v->split, r->split) != 0)
        return err_set(e, "%s: %s here, %s before", v->name, r->split, v->split);
    if (!v->split)
        v->split = mem_strdup(r->split, e);
    return v->split ? 0 : ERR_FAIL;
}

static int take_corners(struct key_row *row, const char *const *field, struct err *e)
{
    for (int i = 0; i < N_CORNERS; i++)
        if (num_f64(field[i], -0.1, 1.1, &row->corner[i], e) < 0)
            return err_add(e, "a corner is no share of the picture");
    if (row->corner[0] > row->corner[2] || row->corner[1] > row->corner[3])
        return err_set(e, "the box ends before it begins");
    return 0;
}

/* An action or a person, or NONE in an empty field. */
static int take_action(const char *text, int64_t *out, struct err *e)
{
    *out = NONE;
    if (*text && num_i64(text, 1, KEY_FRAMES_N_ACTIONS, out, e) < 0)
        return err_add(e, "action");
    return 0;
}

static int take_person(const char *text, int64_t *out, struct err *e)
{
    *out = NONE;
    if (*text && num_i64(text, 0, INT32_MAX, out, e) < 0)
        return err_add(e, "person");
    return 0;
}

/* Columns from the third on. */
static int take_box(struct key_row *row, const struct csv_row *from, struct err *e)
{
    const char *const *field = from->field;
    size_t n = from->n_fields;
    if (row->kind == DETECTION && n != 8)
        return err_set(e, "%zu columns, not 8", n);
    if (n != 2 && n != 7 && n != 8)
        return err_set(e, "%zu columns, not 2, 7 or 8", n);
    if (row->kind == BOX && (n == 2 || !field[2][0])) {
        row->kind = FRAME;
        return 0;
    }
    if (take_corners(row, field + 2, e) < 0 || take_action(field[6], &row->action, e) < 0)
        return ERR_FAIL;
    if (row->kind == DETECTION)
        return num_f64(field[7], 0, 1, &row->score, e) < 0 ? err_add(e, "score") : 0;
    if (row->action == NONE)
        return err_set(e, "no action");
    return n == 8 ? take_person(field[7], &row->person, e) : 0;
}

static int push_row(struct key_frames *k, struct key_row *row, struct err *e)
{
    if (k->n == k->cap) {
        size_t cap = k->cap ? 2 * k->cap : 1024;
        struct key_row *grown = mem_grow(k->row, cap, sizeof *grown, e);
        if (!grown)
            return ERR_FAIL;
        k->row = grown;
        k->cap = cap;
    }
    row->order = row->first = k->n;
    k->row[k->n++] = *row;
    return 0;
}

static int take_row(void *user, const struct csv_row *from, struct err *e)
{
    const struct reading *r = user;
    struct key_row row = {.kind = r->kind, .action = NONE, .person = NONE};
    if (from->n_fields < 2)
        return err_set(e, "no ID,SECONDS");
    if (find_video(r->k, from->field[0], &row.video, e) < 0 ||
        set_split(&r->k->video[row.video], r, e) < 0)
        return ERR_FAIL;
    if (num_f64(from->field[1], 0, 1e6, &row.seconds, e) < 0)
        return err_add(e, "seconds");
    if (strlen(from->field[1]) >= STAMP_BYTES)
        return err_set(e, "seconds: '%.40s' is too long", from->field[1]);
    memcpy(row.stamp, from->field[1], strlen(from->field[1]));
    if (r->kind != EXCLUDED && take_box(&row, from, e) < 0)
        return ERR_FAIL;
    return push_row(r->k, &row, e);
}

int key_frames_read_boxes(struct key_frames *k, const char *text, size_t len, const char *split,
                          struct err *e)
{
    return csv_read_text(text, len, take_row, &(struct reading){k, BOX, split}, e);
}

int key_frames_read_detections(struct key_frames *k, const char *text, size_t len,
                               const char *split, struct err *e)
{
    return csv_read_text(text, len, take_row, &(struct reading){k, DETECTION, split}, e);
}

int key_frames_read_excluded(struct key_frames *k, const char *text, size_t len, struct err *e)
{
    return csv_read_text(text, len, take_row, &(struct reading){k, EXCLUDED, NULL}, e);
}

/* -- putting together -- */

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

static int compare_frames(const struct key_row *a, const struct key_row *b)
{
    int order = COMPARE(a->video, b->video);
    return order ? order : COMPARE(a->seconds, b->seconds);
}

/* Rows of one box together. */
static int compare_boxes(const struct key_row *a, const struct key_row *b)
{
    int order = compare_frames(a, b);
    if (order == 0)
        order = COMPARE(a->kind, b->kind);
    if (order == 0)
        order = COMPARE(a->person, b->person);
    for (int i = 0; order == 0 && i < N_CORNERS; i++)
        order = COMPARE(a->corner[i], b->corner[i]);
    return order;
}

static int by_box(const void *a, const void *b)
{
    const struct key_row *x = a, *y = b;
    int order = compare_boxes(x, y);
    return order ? order : COMPARE(x->order, y->order);
}

/* Boxes in the order of the files, the rows of one by action. */
static int by_place(const void *a, const void *b)
{
    const struct key_row *x = a, *y = b;
    int order = compare_frames(x, y);
    if (order == 0)
        order = COMPARE(x->first, y->first);
    if (order == 0)
        order = COMPARE(x->action, y->action);
    return order ? order : COMPARE(x->order, y->order);
}

int key_frames_finish(struct key_frames *k, struct err *e)
{
    if (k->n == 0)
        return err_set(e, "no rows");
    qsort(k->row, k->n, sizeof *k->row, by_box);
    for (size_t i = 1; i < k->n; i++)
        if (compare_boxes(&k->row[i - 1], &k->row[i]) == 0)
            k->row[i].first = k->row[i - 1].first;
    qsort(k->row, k->n, sizeof *k->row, by_place);
    for (size_t i = 0, end; i < k->n; i = end) {
        size_t n_used = 0;
        for (end = i; end < k->n && k->row[end].video == k->row[i].video; end++)
            n_used += k->row[end].kind != EXCLUDED;
        k->video[k->row[i].video].first = i;
        k->video[k->row[i].video].n = n_used ? end - i : 0;
    }
    return 0;
}

/* The rows of the key frame that begins with row `from`: behind the last one. */
static size_t frame_end(const struct key_frames *k, size_t from)
{
    size_t end = from + 1;
    while (end < k->n && compare_frames(&k->row[from], &k->row[end]) == 0)
        end++;
    return end;
}

/* A box from all its rows, which begin with `row`; *n is their number. */
static struct json *new_box(const struct key_row *row, size_t n_rows, double start, size_t *n)
{
    struct json *j = json_new_object(), *box = json_new_array(), *labels = json_new_array();
    for (int i = 0; i < N_CORNERS; i++)
        json_append(box, json_new_f64(row->corner[i]));
    for (*n = 0; *n < n_rows && row[*n].first == row->first; ++*n)
        if (row[*n].action != NONE && (*n == 0 || row[*n].action != row[*n - 1].action))
            json_append(labels, json_new_i64(row[*n].action));
    json_add(j, "time", json_new_f64(row->seconds - start));
    json_add(j, "box", box);
    if (json_len(labels))
        json_add(j, "labels", labels);
    else
        json_free(labels);
    if (row->person != NONE)
        json_add(j, "person", json_new_i64(row->person));
    if (row->kind == DETECTION)
        json_add(j, "score", json_new_f64(row->score));
    return j;
}

struct output {
    struct json *frames, *boxes;
    double start;
};

/* Excluded key frames keep their place but not their boxes. */
static int put_frame(const struct output *o, const struct key_row *row, size_t n, struct err *e)
{
    const struct key_row *earliest = row;
    size_t n_excluded = 0, n_used;
    for (size_t i = 0; i < n; i++) {
        n_excluded += row[i].kind == EXCLUDED;
        if (row[i].kind != EXCLUDED &&
            (earliest->kind == EXCLUDED || row[i].order < earliest->order))
            earliest = &row[i];
    }
    if (n_excluded == n)
        return 0;
    struct json *frame = json_new_object();
    json_add(frame, "time", json_new_f64(row->seconds - o->start));
    json_add(frame, "timestamp", json_new_str(earliest->stamp));
    if (n_excluded)
        json_add(frame, "excluded", json_new_bool(true));
    if (json_append(o->frames, frame) < 0)
        return err_set(e, "out of memory");
    for (size_t i = 0; !n_excluded && i < n; i += n_used) {
        n_used = 1;
        if (row[i].kind != FRAME &&
            json_append(o->boxes, new_box(row + i, n - i, o->start, &n_used)) < 0)
            return err_set(e, "out of memory");
    }
    return 0;
}

int key_frames_extra(struct key_frames *k, size_t video, double start, double end,
                     struct json **extra, struct err *e)
{
    struct key_video *v = &k->video[video];
    struct output o = {json_new_array(), json_new_array(), start};
    struct json *j = json_new_object();
    int rc = 0;
    v->n_outside = 0;
    for (size_t i = v->first, next; rc == 0 && i < v->first + v->n; i = next) {
        const struct key_row *row = &k->row[i];
        next = frame_end(k, i);
        if (row->seconds < start || row->seconds > end)
            v->outside_file = v->n_outside++ ? v->outside_file : file_of(k, row);
        else
            rc = put_frame(&o, row, next - i, e);
    }
    if (json_add(j, "key_frames", o.frames) < 0 || json_add(j, "boxes", o.boxes) < 0)
        rc = err_set(e, "out of memory");
    if (rc < 0) {
        json_free(j);
        return rc;
    }
    *extra = j;
    return 0;
}

size_t key_frames_n_inside(const struct key_frames *k, size_t video, double start, double end)
{
    const struct key_video *v = &k->video[video];
    size_t n = 0;
    for (size_t i = v->first; i < v->first + v->n; i = frame_end(k, i))
        n += k->row[i].seconds >= start && k->row[i].seconds <= end;
    return n;
}

/* -- the label map -- */

struct mapping {
    struct json *actions, *ids;
    char *name; /* of the item that is read */
    int64_t id; /* NONE: not read yet */
};

/* What stands behind "WORD:" at the beginning of a line; NULL where it begins otherwise. */
static char *behind(char *line, const char *word)
{
    size_t n = strlen(word);
    return strncmp(line, word, n) == 0 && line[n] == ':' ? line + n + 1 : NULL;
}

static int take_name(struct mapping *m, char *text, struct err *e)
{
    char *from = strchr(text, '"'), *to = from ? strchr(from + 1, '"') : NULL;
    if (!to)
        return err_set(e, "a name without quotes");
    if (m->name)
        return err_set(e, "'%s' has no id", m->name);
    *to = '\0';
    m->name = mem_strdup(from + 1, e);
    return m->name ? 0 : ERR_FAIL;
}

static int take_id(struct mapping *m, char *text, struct err *e)
{
    if (m->id != NONE)
        return err_set(e, "id %lld has no name", (long long)m->id);
    text += strspn(text, " \t");
    return num_i64(text, 1, KEY_FRAMES_N_ACTIONS, &m->id, e) < 0 ? err_add(e, "id") : 0;
}

static int end_item(struct mapping *m, struct err *e)
{
    char key[24];
    struct json *action = json_new_object();
    snprintf(key, sizeof key, "%lld", (long long)m->id);
    json_add(action, "id", json_new_i64(m->id));
    json_add(action, "name", json_new_str(m->name));
    int rc = json_member(m->ids, key) ? err_set(e, "id %s is there already", key) : 0;
    if (json_append(m->actions, action) < 0 || json_add(m->ids, key, json_new_bool(true)) < 0)
        rc = err_set(e, "out of memory");
    free(m->name);
    m->name = NULL;
    m->id = NONE;
    return rc;
}

static int take_line(void *user, char *line, struct err *e)
{
    struct mapping *m = user;
    char *name = behind(line, "name"), *id = behind(line, "id");
    if (!id)
        id = behind(line, "label_id");
    if ((name && take_name(m, name, e) < 0) || (id && take_id(m, id, e) < 0))
        return ERR_FAIL;
    return m->name && m->id != NONE ? end_item(m, e) : 0;
}

int key_frames_read_actions(const char *text, size_t len, struct json **actions, struct err *e)
{
    struct mapping m = {json_new_array(), json_new_object(), NULL, NONE};
    int rc = m.actions && m.ids ? lines_read_text(text, len, take_line, &m, e)
                                : err_set(e, "out of memory");
    if (rc == 0 && (m.name || m.id != NONE))
        rc = err_set(e, "the last item lacks its %s", m.name ? "id" : "name");
    if (rc == 0 && json_len(m.actions) == 0)
        rc = err_set(e, "no item with a name and an id");
    if (rc == 0)
        *actions = json_ref(m.actions);
    free(m.name);
    json_free(m.actions);
    json_free(m.ids);
    return rc;
}

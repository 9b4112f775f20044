/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/ava_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/csv.h"
#include "common/base/num.h"
#include "common/eval/ava_heap.h"

const char *const ava_rules_names[] = {"slowfast", "activitynet", NULL};

enum column { VIDEO, TIMESTAMP, X1, Y1, X2, Y2, CLASS, SCORE };

/* One file on its way in. */
struct reading {
    struct ava_data *d;
    struct ava_table *table;
    bool predicted;
    uint32_t file;
    struct buf video, timestamp; /* of the row before, as they stand in the file */
    uint32_t frame;              /* of the row before */
    struct buf key;
    uint32_t *seen; /* frames of rows that are kept, in the order of their first */
    size_t n_seen, cap_seen;
    struct ava_heap *heaps; /* [cap_frames] by frame: ActivityNet's */
    size_t n_heaps;
};

void ava_data_init(struct ava_data *d, enum ava_rules rules, const struct ava_labels *labels)
{
    *d = (struct ava_data){.rules = rules, .labels = labels};
}

static void table_release(struct ava_table *t)
{
    free(t->rows);
    free(t->boxes);
}

void ava_data_release(struct ava_data *d)
{
    intern_release(&d->keys);
    free(d->frames);
    table_release(&d->annotations);
    table_release(&d->predictions);
    *d = (struct ava_data){0};
}

/* -- frames -- */

/* The block with room for one more item behind n; NULL (and the block as it was) on failure. */
static void *make_room(void *block, size_t *cap, size_t n, size_t size, struct err *e)
{
    if (n < *cap)
        return block;
    if (n >= UINT32_MAX / 2) {
        err_set(e, "more than %zu frames or rows", n);
        return NULL;
    }
    size_t wanted = *cap ? 2 * *cap : 4096;
    void *grown = mem_grow(block, wanted, size, e);
    if (grown)
        *cap = wanted;
    return grown;
}

static int write_key(struct reading *r, const struct csv_row *row, struct err *e)
{
    int64_t second;
    double time;
    buf_clear(&r->key);
    if (r->d->rules == AVA_SLOWFAST) {
        if (num_i64(row->field[TIMESTAMP], INT64_MIN, INT64_MAX, &second, e) < 0) {
            err_add(e, "timestamp");
            return err_set(e, "%s (the rules activitynet take fractions)", e->text);
        }
        return buf_printf(&r->key, e, "%s,%04lld", row->field[VIDEO], (long long)second);
    }
    if (num_f64(row->field[TIMESTAMP], -HUGE_VAL, HUGE_VAL, &time, e) < 0)
        return err_add(e, "timestamp");
    return buf_printf(&r->key, e, "%s,%.6f", row->field[VIDEO], time);
}

static int add_frame(struct ava_data *d, const char *key, uint32_t *frame, struct err *e)
{
    size_t n = d->keys.n;
    struct ava_frame *frames = make_room(d->frames, &d->cap_frames, n, sizeof *frames, e);
    if (!frames)
        return ERR_FAIL;
    d->frames = frames;
    if (intern_add(&d->keys, key, frame, e) < 0)
        return ERR_FAIL;
    if (d->keys.n > n)
        d->frames[n] = (struct ava_frame){.order = AVA_NO_ORDER};
    return 0;
}

static bool is_text(const struct buf *b, const char *text)
{
    return b->data && strcmp((const char *)b->data, text) == 0;
}

static int set_text(struct buf *b, const char *text, struct err *e)
{
    buf_clear(b);
    return buf_append(b, text, strlen(text) + 1, e);
}

/* Rows of a frame mostly follow each other, so the row before is asked first. */
static int find_frame(struct reading *r, const struct csv_row *row, struct err *e)
{
    if (is_text(&r->timestamp, row->field[TIMESTAMP]) && is_text(&r->video, row->field[VIDEO]))
        return 0;
    if (write_key(r, row, e) < 0 || add_frame(r->d, (char *)r->key.data, &r->frame, e) < 0 ||
        set_text(&r->video, row->field[VIDEO], e) < 0)
        return ERR_FAIL;
    return set_text(&r->timestamp, row->field[TIMESTAMP], e);
}

static int see_frame(struct reading *r, struct err *e)
{
    struct ava_frame *f = &r->d->frames[r->frame];
    if (f->seen)
        return 0;
    uint32_t *seen = make_room(r->seen, &r->cap_seen, r->n_seen, sizeof *seen, e);
    if (!seen)
        return ERR_FAIL;
    r->seen = seen;
    if (r->predicted)
        f->order = (uint32_t)r->n_seen;
    f->seen = true;
    r->seen[r->n_seen++] = r->frame;
    return 0;
}

/* -- rows -- */

static int check_columns(const struct reading *r, const struct csv_row *row, struct err *e)
{
    bool slowfast = r->d->rules == AVA_SLOWFAST;
    if (row->n_fields == 7 || row->n_fields == 8 || (!slowfast && row->n_fields == 2))
        return 0;
    if (row->n_fields == 0)
        return err_set(e, "a blank line");
    if (slowfast && row->n_fields == 2)
        return err_set(e,
                       "2 columns, not 7 or 8 (the rules activitynet take frames without boxes)");
    return err_set(e, "%zu columns, not %s7 or 8", row->n_fields, slowfast ? "" : "2, ");
}

static int take_number(const struct csv_row *row, enum column column, double *out, struct err *e)
{
    static const char *const names[] = {
        [X1] = "x1", [Y1] = "y1", [X2] = "x2", [Y2] = "y2", [SCORE] = "column 8"};
    if (num_f64(row->field[column], -HUGE_VAL, HUGE_VAL, out, e) < 0)
        return err_add(e, "%s", names[column]);
    return 0;
}

/* Column 8 is the score of a prediction. Among annotations it is a person, which SlowFast's program
 * does not look at and ActivityNet's sorts by. */
static int take_score(const struct reading *r, const struct csv_row *row, double *out,
                      struct err *e)
{
    *out = 1;
    if (r->d->rules == AVA_SLOWFAST && !r->predicted)
        return 0;
    if (row->n_fields > SCORE)
        return take_number(row, SCORE, out, e);
    return r->d->rules == AVA_SLOWFAST ? err_set(e, "7 columns: the score is missing") : 0;
}

/* 1: fills `out`; 0: the class is not scored. */
static int take_fields(const struct reading *r, const struct csv_row *row, struct ava_entry *out,
                       struct err *e)
{
    int64_t id;
    struct ava_box *box = &out->box;
    if (take_number(row, X1, &box->x1, e) < 0 || take_number(row, Y1, &box->y1, e) < 0 ||
        take_number(row, X2, &box->x2, e) < 0 || take_number(row, Y2, &box->y2, e) < 0)
        return ERR_FAIL;
    if (num_i64(row->field[CLASS], INT64_MIN, INT64_MAX, &id, e) < 0)
        return err_add(e, "class id");
    long at = ava_labels_find(r->d->labels, id);
    if (at < 0)
        return 0;
    out->class = (uint32_t)at;
    box->frame = r->frame;
    box->file = r->file;
    box->line = row->line;
    return take_score(r, row, &out->score, e) < 0 ? ERR_FAIL : 1;
}

static bool is_same_box(const struct ava_box *a, const struct ava_box *b)
{
    return a->frame == b->frame && a->y1 == b->y1 && a->x1 == b->x1 && a->y2 == b->y2 &&
           a->x2 == b->x2;
}

static int append(struct reading *r, const struct ava_entry *entry, struct err *e)
{
    struct ava_table *t = r->table;
    const struct ava_box *box = &entry->box;
    if (r->predicted && (box->y1 >= box->y2 || box->x1 >= box->x2)) {
        t->counts.invalid++;
        return 0;
    }
    struct ava_row *rows = make_room(t->rows, &t->cap, t->n, sizeof *rows, e);
    if (!rows)
        return ERR_FAIL;
    t->rows = rows;
    if (!r->predicted || t->n_boxes == 0 || !is_same_box(box, &t->boxes[t->n_boxes - 1])) {
        struct ava_box *boxes = make_room(t->boxes, &t->cap_boxes, t->n_boxes, sizeof *boxes, e);
        if (!boxes)
            return ERR_FAIL;
        t->boxes = boxes;
        t->boxes[t->n_boxes++] = *box;
    }
    t->rows[t->n++] = (struct ava_row){entry->score, (uint32_t)(t->n_boxes - 1), entry->class};
    return 0;
}

static int push(struct reading *r, const struct ava_entry *entry, struct err *e)
{
    if (entry->box.frame >= r->n_heaps) {
        size_t n = r->d->cap_frames;
        struct ava_heap *heaps = mem_grow(r->heaps, n, sizeof *heaps, e);
        if (!heaps)
            return ERR_FAIL;
        memset(heaps + r->n_heaps, 0, (n - r->n_heaps) * sizeof *heaps);
        r->heaps = heaps;
        r->n_heaps = n;
    }
    struct ava_heap *h = &r->heaps[entry->box.frame];
    if (!r->predicted || h->n < AVA_CAPACITY)
        return ava_heap_push(h, entry, e);
    r->table->counts.over_capacity++;
    if (entry->score > h->entries[0].score)
        ava_heap_replace(h, entry);
    return 0;
}

static int take_row(void *user, const struct csv_row *row, struct err *e)
{
    struct reading *r = user;
    struct ava_counts *counts = &r->table->counts;
    struct ava_entry out = {0};
    counts->rows++;
    if (check_columns(r, row, e) < 0 || find_frame(r, row, e) < 0)
        return ERR_FAIL;
    struct ava_frame *frame = &r->d->frames[r->frame];
    frame->listed |= !r->predicted;
    frame->predicted |= r->predicted;
    counts->empty += row->n_fields == 2;
    int rc = row->n_fields == 2 ? 0 : take_fields(r, row, &out, e);
    if (rc <= 0) {
        counts->other_class += rc == 0 && row->n_fields > 2;
        return rc;
    }
    if (frame->excluded) {
        counts->excluded++;
        return 0;
    }
    if (r->d->rules == AVA_ACTIVITYNET && !frame->listed) {
        counts->unlisted++;
        return 0;
    }
    if (see_frame(r, e) < 0)
        return ERR_FAIL;
    return r->d->rules == AVA_ACTIVITYNET ? push(r, &out, e) : append(r, &out, e);
}

/* Moves the rows of the heaps into the table, frame by frame. */
static int empty_heaps(struct reading *r, struct err *e)
{
    for (size_t i = 0; i < r->n_seen; i++) {
        struct ava_heap *h = &r->heaps[r->seen[i]];
        if (ava_heap_sort(h, e) < 0)
            return ERR_FAIL;
        for (size_t k = 0; k < h->n; k++)
            if (append(r, &h->entries[k], e) < 0)
                return ERR_FAIL;
        ava_heap_release(h);
    }
    return 0;
}

static int read_rows(struct reading *r, const struct ava_file *files, size_t n, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        r->file = (uint32_t)i;
        rc = csv_read_every_line(files[i].text, files[i].len, take_row, r, e);
        if (rc < 0 && files[i].name)
            err_add_code(e, rc, "%s", files[i].name);
    }
    if (rc == 0 && r->d->rules == AVA_ACTIVITYNET)
        rc = empty_heaps(r, e);
    r->table->counts.frames = r->n_seen;
    for (size_t i = 0; i < r->n_seen; i++)
        r->d->frames[r->seen[i]].seen = false;
    for (size_t i = 0; i < r->n_heaps; i++)
        ava_heap_release(&r->heaps[i]);
    free(r->heaps);
    free(r->seen);
    buf_release(&r->video);
    buf_release(&r->timestamp);
    buf_release(&r->key);
    return rc;
}

int ava_read_annotations(struct ava_data *d, const struct ava_file *files, size_t n, struct err *e)
{
    struct reading r = {.d = d, .table = &d->annotations};
    d->annotations.files = files;
    return read_rows(&r, files, n, e);
}

int ava_read_predictions(struct ava_data *d, const char *text, size_t len, struct err *e)
{
    struct reading r = {.d = d, .table = &d->predictions, .predicted = true};
    const struct ava_file file = {NULL, text, len};
    return read_rows(&r, &file, 1, e);
}

/* -- exclusions -- */

static int take_exclusion(void *user, const struct csv_row *row, struct err *e)
{
    struct reading *r = user;
    if (row->n_fields != 2)
        return row->n_fields ? err_set(e, "%zu columns, not 2", row->n_fields)
                             : err_set(e, "a blank line");
    if (find_frame(r, row, e) < 0)
        return ERR_FAIL;
    r->d->frames[r->frame].excluded = true;
    return 0;
}

int ava_read_exclusions(struct ava_data *d, const char *text, size_t len, struct err *e)
{
    struct ava_table none = {0};
    struct reading r = {.d = d, .table = &none};
    int rc = csv_read_every_line(text, len, take_exclusion, &r, e);
    buf_release(&r.video);
    buf_release(&r.timestamp);
    buf_release(&r.key);
    return rc;
}

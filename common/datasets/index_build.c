/* SPDX-License-Identifier: Apache-2.0 */
#include "common/datasets/index_build.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/pool.h"
#include "common/datasets/index_summary.h"
#include "common/datasets/split_file.h"
#include "common/datasets/video_files.h"
#include "common/store/store.h"
#include "common/video/scan.h"

/* A run that is stopped loses no more looks than these, which may take a minute each. */
enum { PUTS_A_COMMIT = 32 };

struct build {
    const struct index_options *options;
    struct ui *ui;
    struct video_list list;
    struct store_writer *writer;
    struct index_summary summary;
    size_t n_done; /* records that an earlier run has written */
};

/* -- what there should be -- */

/* The official paths to those of the files. */
static int find_files(struct build *b, struct err *e)
{
    struct video_files files;
    const struct import_options *o = &b->options->import;
    if (video_files_init(&files, o->videos, o->exclude, e) < 0)
        return ERR_FAIL;
    files.ignore_case = b->options->importer->ignores_case;
    int rc = video_files_settle(&files, &b->list, e);
    video_files_release(&files);
    return rc;
}

/* Here for all importers, as some never look into the folder. */
static int check_folder(const char *path, struct err *e)
{
    if (file_is_folder(path))
        return 0;
    return access(path, F_OK) < 0 ? err_errno(e, "%s", path) : err_set(e, "%s: not a folder", path);
}

static int import(struct build *b, struct err *e)
{
    const struct index_options *o = b->options;
    struct split_unknown unknown = {0};
    if (importer_check(o->importer, &o->import, e) < 0 || check_folder(o->import.videos, e) < 0 ||
        o->importer->read(&o->import, &b->list, e) < 0 ||
        (o->importer->finds_files && find_files(b, e) < 0))
        return ERR_FAIL;
    if (video_list_finish(&b->list, e) < 0)
        return err_add(e, "%s", o->import.annotations ? o->import.annotations : o->import.videos);
    for (size_t i = 0; i < b->list.n_notes; i++)
        ui_note(b->ui, "%s", b->list.notes[i]);
    if (b->list.n_other_files)
        ui_note(b->ui, "%zu files passed over: not video by their extension",
                b->list.n_other_files);
    if (o->split_file && split_file_apply(o->split_file, &b->list, &unknown, e) < 0)
        return ERR_FAIL;
    if (unknown.n)
        ui_warn(b->ui, "%s: %zu lines name videos that are not there, the first is %s",
                o->split_file, unknown.n, unknown.first);
    return 0;
}

/* -- provenance -- */

struct hashing {
    const char *root;
    struct hash128 total;
};

static int hash_file(void *user, const char *path, struct err *e)
{
    struct hashing *h = user;
    struct buf bytes = {0};
    char *full = path_join(h->root, path);
    int rc = full ? file_read(full, &bytes, e) : err_set(e, "out of memory");
    if (rc == 0)
        hash_sum(&h->total, hash_record(path, strlen(path), bytes.data, bytes.len));
    buf_release(&bytes);
    free(full);
    return rc;
}

/* The content of a file, or of all files below a folder. */
static int add_input(struct json *inputs, const char *const given[2], const char *except,
                     struct err *e)
{
    const char *name = given[0], *path = given[1];
    char text[HASH_TEXT_BYTES];
    struct hashing h = {.root = path};
    struct buf bytes = {0};
    if (file_is_folder(path)) {
        if (file_walk(path, except, hash_file, &h, e) < 0)
            return ERR_FAIL;
    } else {
        if (file_read(path, &bytes, e) < 0)
            return ERR_FAIL;
        h.total = hash_bytes(bytes.data, bytes.len);
        buf_release(&bytes);
    }
    hash_text(h.total, text);
    return json_add(inputs, name, json_new_str(text)) < 0 ? err_set(e, "out of memory") : 0;
}

static int add_members(struct json *j, const struct json *more)
{
    struct json_walk w = {0};
    const char *name;
    struct json *value;
    while (more && json_next(more, &w, &name, &value))
        if (json_add(j, name, json_ref(value)) < 0)
            return ERR_FAIL;
    return 0;
}

static struct json *new_settings(const struct build *b, struct err *e)
{
    const struct index_options *o = b->options;
    struct json *j = json_new_object();
    char *folder = file_target_folder(o->output, e);
    char *root = folder ? path_relative(o->import.videos, folder, e) : NULL;
    free(folder);
    if (!root || !j || json_add(j, "format", json_new_str(o->importer->name)) < 0 ||
        json_add(j, "root", json_new_str(root)) < 0 ||
        json_add(j, "verify", json_new_bool(o->verify)) < 0 ||
        add_members(j, b->list.settings) < 0) {
        json_free(j);
        j = NULL;
    }
    free(root);
    return j;
}

/* All that the records follow from, the files as they are seen from outside. */
static int hash_list(const struct build *b, char text[HASH_TEXT_BYTES], struct err *e)
{
    struct hash128 total = {0};
    for (size_t i = 0; i < b->list.n; i++) {
        const struct video *v = &b->list.videos[i];
        struct stat about = {0};
        struct json *j = video_to_json(v);
        char *path = path_join(b->options->import.videos, v->path);
        if (!j || !path) {
            json_free(j);
            free(path);
            return err_set(e, "out of memory");
        }
        const char *record = json_text(j);
        int64_t seen[3] = {-1, 0, 0};
        if (stat(path, &about) == 0) {
            seen[0] = about.st_size;
            seen[1] = about.st_mtim.tv_sec;
            seen[2] = about.st_mtim.tv_nsec;
        }
        hash_sum(&total, hash_record(v->id, strlen(v->id), record, strlen(record)));
        hash_sum(&total, hash_record(v->id, strlen(v->id), seen, sizeof seen));
        json_free(j);
        free(path);
    }
    hash_text(total, text);
    return 0;
}

static int create(struct build *b, struct err *e)
{
    const struct index_options *o = b->options;
    char origin[HASH_TEXT_BYTES];
    int rc = ERR_FAIL;
    struct json *settings = new_settings(b, e), *inputs = json_new_object();
    if (!settings || !inputs || hash_list(b, origin, e) < 0)
        goto out;
    const char *const given[][2] = {{"annotations", o->import.annotations},
                                    {"detections", o->import.detections},
                                    {"split", o->split_file}};
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        if (given[i][1] && add_input(inputs, given[i], o->import.exclude, e) < 0)
            goto out;
    struct store_spec spec = {
        .schema = INDEX_SCHEMA,
        .version = INDEX_VERSION,
        .tool = "teg-index",
        .argv = o->argv,
        .settings = settings,
        .inputs = inputs,
        .origin = origin,
        .force = o->force,
    };
    rc = store_create(&b->writer, o->output, &spec, e);
out:
    json_free(settings);
    json_free(inputs);
    return rc;
}

/* Counts what an earlier run has written. */
static int resume(struct build *b, struct err *e)
{
    while (store_resumed(b->writer) && b->n_done < b->list.n) {
        struct video v = {0};
        struct blob value;
        const char *id = b->list.videos[b->n_done].id;
        int rc = store_peek(b->writer, id, &value, e);
        if (rc == ERR_NOT_FOUND)
            break;
        if (rc < 0)
            return rc;
        struct json *j = json_parse(value.data, value.len, e);
        rc = j ? video_from_json(&v, j, e) : ERR_FAIL;
        json_free(j);
        if (rc == 0)
            rc = index_summary_add(&b->summary, &v, e);
        video_release(&v);
        if (rc < 0)
            return err_add(e, "%s.part: %s", b->options->output, id);
        b->n_done++;
    }
    if (b->n_done)
        ui_note(b->ui, "going on behind %zu of %zu videos", b->n_done, b->list.n);
    return 0;
}

/* -- looking at the files -- */

static int look(void *user, size_t item, size_t thread, void **result, struct err *e)
{
    struct build *b = user;
    struct video *v = &b->list.videos[b->n_done + item];
    const struct scan_options scan = {.time_limit = b->options->time_limit,
                                      .verify = b->options->verify};
    char *path = path_join(b->options->import.videos, v->path);
    (void)thread;
    *result = NULL;
    int rc = path ? 0 : err_set(e, "out of memory");
    if (rc == 0 && v->reason) { /* its name is bad */
        v->ok = false;
    } else if (rc == 0 && file_exists(path)) {
        rc = scan_video(v, path, &scan, e);
    } else if (rc == 0) {
        v->reason = mem_strdup(INDEX_MISSING, e);
        rc = v->reason ? 0 : ERR_FAIL;
    }
    if (rc == 0 && b->options->importer->complete)
        rc = b->options->importer->complete(&b->options->import, v, e);
    free(path);
    return rc;
}

static int put(void *user, size_t item, void *result, struct err *e)
{
    struct build *b = user;
    const struct video *v = &b->list.videos[b->n_done + item];
    struct json *j = video_to_json(v);
    const char *text = j ? json_text(j) : NULL;
    (void)result;
    int rc =
        text ? store_put(b->writer, v->id, text, strlen(text), e) : err_set(e, "out of memory");
    if (rc < 0) {
        json_free(j);
        return rc;
    }
    json_add(j, "id", json_new_str(v->id));
    ui_log(b->ui, j);
    if (!v->ok)
        ui_warn_item(b->ui, "%s: %s", v->path, v->reason);
    else if (v->reason)
        ui_note_item(b->ui, "%s: %s", v->path, v->reason);
    ui_progress_add(b->ui, 1);
    rc = store_commit(b->writer, PUTS_A_COMMIT, e);
    return rc < 0 ? rc : index_summary_add(&b->summary, v, e);
}

static int look_at_all(struct build *b, struct err *e)
{
    struct pool_job job = {
        .n_items = b->list.n - b->n_done,
        .n_threads = b->options->n_threads,
        .work = look,
        .emit = put,
        .user = b,
    };
    ui_progress_start(b->ui, b->options->verify ? "verifying" : "indexing", b->list.n, "videos");
    ui_progress_skip(b->ui, b->n_done);
    int rc = pool_run(&job, e);
    ui_progress_end(b->ui);
    return rc;
}

/* -- the end -- */

/* A count by the name that the summary has for it, and in words. */
struct named_count {
    const char *name;
    int64_t n;
    const char *words;
};

static int put_counts(struct build *b, const struct named_count *counts, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (store_summary(b->writer, counts[i].name, json_new_i64(counts[i].n), e) < 0)
            return ERR_FAIL;
    return 0;
}

enum { MAX_KINDS = 7 };

/* What there is of annotations: a kind that does not occur is left out. */
static size_t annotation_counts(const struct index_summary *s, struct named_count out[MAX_KINDS])
{
    const struct named_count all[] = {{"events", s->n_events, "events"},
                                      {"boundaries", s->n_boundaries, "boundaries"},
                                      {"key_frames", s->n_key_frames, "key frames"},
                                      {"boxes", s->n_boxes, "boxes"},
                                      {"whole_films", s->n_whole_films, "whole films"},
                                      {"cut_films", s->n_cut_films, "cut films"},
                                      {"outside", s->n_outside, "outside of their video"}};
    size_t n = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].n)
            out[n++] = all[i];
    return n;
}

static int put_summary(struct build *b, struct err *e)
{
    const struct index_counts *c = &b->summary.all;
    const struct named_count files[] = {
        {.name = "found", .n = c->found},
        {.name = "missing", .n = c->missing},
        {.name = "bad", .n = c->bad},
        {.name = "noted", .n = c->noted},
        {.name = "other_files", .n = (int64_t)b->list.n_other_files},
    };
    struct named_count annotations[MAX_KINDS];
    size_t n = annotation_counts(&b->summary, annotations);
    if (put_counts(b, files, sizeof files / sizeof *files, e) < 0 ||
        put_counts(b, annotations, n, e) < 0 ||
        store_summary(b->writer, "splits", json_ref(b->summary.splits), e) < 0)
        return ERR_FAIL;
    return store_summary(b->writer, "classes", json_ref(b->summary.classes), e);
}

/* "6 listed, 5 found, 1 missing, 0 bad" */
static int counts_text(const struct index_counts *c, struct buf *out, struct err *e)
{
    buf_clear(out);
    return buf_printf(out, e,
                      "%" PRId64 " listed, %" PRId64 " found, %" PRId64 " missing, %" PRId64 " bad",
                      c->found + c->missing + c->bad, c->found, c->missing, c->bad);
}

static int say_rows(struct build *b, const struct json *rows, bool of_classes, struct err *e)
{
    struct json_walk w = {0};
    const char *name;
    struct json *row;
    struct buf text = {0};
    int rc = 0;
    while (rc == 0 && json_next(rows, &w, &name, &row)) {
        const struct index_counts c = index_summary_row(row);
        rc = counts_text(&c, &text, e);
        if (rc == 0 && of_classes)
            ui_detail(b->ui, "class %s: %s", name, (char *)text.data);
        else if (rc == 0)
            ui_note(b->ui, "split %s: %s", name, (char *)text.data);
    }
    buf_release(&text);
    return rc;
}

/* "videos: 6 listed, ...; 2 classes, 30 events" */
static int say_all(struct build *b, struct err *e)
{
    struct buf text = {0};
    struct named_count annotations[MAX_KINDS];
    size_t n = annotation_counts(&b->summary, annotations);
    int rc = counts_text(&b->summary.all, &text, e);
    if (rc == 0)
        rc = buf_printf(&text, e, "; %zu classes", json_len(b->summary.classes));
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = buf_printf(&text, e, ", %" PRId64 " %s", annotations[i].n, annotations[i].words);
    if (rc == 0)
        ui_note(b->ui, "videos: %s", (char *)text.data);
    if (rc == 0 && b->summary.n_outside)
        ui_warn(b->ui,
                "%" PRId64 " events, boundaries or key frames lie behind the end of their video",
                b->summary.n_outside);
    buf_release(&text);
    return rc;
}

static int say_counts(struct build *b, struct err *e)
{
    if (say_all(b, e) < 0 || say_rows(b, b->summary.splits, false, e) < 0)
        return ERR_FAIL;
    return say_rows(b, b->summary.classes, true, e);
}

static int publish(struct build *b, struct err *e)
{
    const struct index_options *o = b->options;
    int64_t n_bad = b->summary.all.bad + b->summary.all.missing;
    if (index_summary_sort(&b->summary, e) < 0 || put_summary(b, e) < 0)
        return ERR_FAIL;
    struct store_writer *writer = b->writer;
    b->writer = NULL;
    if (store_publish(writer, b->list.n, e) < 0)
        return ERR_FAIL;
    if (say_counts(b, e) < 0)
        return ERR_FAIL;
    if (n_bad > o->max_bad)
        return err_set(
            e,
            "%s: %lld of %zu videos are bad or missing, --max-bad is %lld (the index is written)",
            o->output, (long long)n_bad, b->list.n, (long long)o->max_bad);
    return 0;
}

int index_build(const struct index_options *options, struct ui *ui, struct err *e)
{
    struct build b = {.options = options, .ui = ui};
    int rc = index_summary_init(&b.summary, e);
    if (rc == 0 && (rc = import(&b, e)) == 0 && (rc = create(&b, e)) == 0 &&
        (rc = resume(&b, e)) == 0 && (rc = look_at_all(&b, e)) == 0)
        rc = publish(&b, e);
    store_abandon(b.writer);
    index_summary_release(&b.summary);
    video_list_release(&b.list);
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store_set.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/store/shard.h"
#include "common/store/store_meta.h"

/* -- finding -- */

/* What lies beside a store's path. */
struct found {
    const char *path;
    struct shard *shard, *part; /* whole ones, and those under construction */
    size_t n_shards, n_parts;
};

static int add(struct shard **list, size_t *n, const struct shard *s, struct err *e)
{
    struct shard *grown = mem_grow(*list, *n + 1, sizeof *grown, e);
    if (!grown)
        return ERR_FAIL;
    *list = grown;
    grown[(*n)++] = *s;
    return 0;
}

static int look_at(struct found *f, DIR *folder, struct err *e)
{
    const char *base = path_base(f->path);
    struct shard s;
    bool part;
    int rc = 0;
    errno = 0;
    for (struct dirent *entry; rc == 0 && (entry = readdir(folder)); errno = 0)
        if (shard_from_name(&s, &part, entry->d_name, base))
            rc = part ? add(&f->part, &f->n_parts, &s, e) : add(&f->shard, &f->n_shards, &s, e);
    return rc == 0 && errno ? err_errno(e, "%s", f->path) : rc;
}

static int look_beside(struct found *f, struct err *e)
{
    char *name = path_folder(f->path);
    if (!name)
        return err_set(e, "out of memory");
    DIR *folder = opendir(name);
    int rc = 0;
    if (folder)
        rc = look_at(f, folder, e);
    else if (errno != ENOENT && errno != ENOTDIR)
        rc = err_errno(e, "%s: cannot look for shards in %s", f->path, name);
    if (folder)
        closedir(folder);
    free(name);
    return rc;
}

/* All shards are of one set. */
static int check_one_set(const char *path, const struct shard *shard, size_t n, const char *suffix,
                         struct err *e)
{
    const char *base = path_base(path);
    for (size_t i = 1; i < n; i++)
        if (shard[i].of != shard[0].of)
            return err_set(e,
                           "%s: there are shards of two sets, %s.%d-of-%d%s and %s.%d-of-%d%s; "
                           "remove one set",
                           path, base, shard[0].number, shard[0].of, suffix, base, shard[i].number,
                           shard[i].of, suffix);
    return 0;
}

static bool has(const struct shard *list, size_t n, const struct shard *s)
{
    for (size_t i = 0; i < n; i++)
        if (list[i].number == s->number && list[i].of == s->of)
            return true;
    return false;
}

/* The tool that wrote what is there: it writes the rest, too. */
static void find_tool(const struct found *f, char *tool, size_t size)
{
    const struct shard *s = f->n_shards ? f->shard : f->part;
    struct store *store = NULL;
    struct buf path = {0};
    snprintf(tool, size, "the tool that makes them");
    if (buf_printf(&path, NULL, "%s.%d-of-%d%s", f->path, s->number, s->of,
                   f->n_shards ? "" : ".part") == 0 &&
        store_open_any(&store, (char *)path.data, NULL) == 0)
        snprintf(tool, size, "%s", store_meta(store)->tool);
    store_close(store);
    buf_release(&path);
}

/* Names the first few that are missing, and what to do about the first. */
static int explain_missing(const struct found *f, int of, struct err *e)
{
    enum { MAX_NAMED = 4 };
    char tool[64];
    struct buf names = {0};
    const char *base = path_base(f->path);
    int n_missing = 0, first = 0;
    for (struct shard s = {1, of}; s.number <= of; s.number++) {
        if (has(f->shard, f->n_shards, &s))
            continue;
        first = first ? first : s.number;
        if (++n_missing <= MAX_NAMED)
            buf_printf(&names, NULL, "%s%s.%d-of-%d%s", n_missing > 1 ? ", " : "", base, s.number,
                       of, has(f->part, f->n_parts, &s) ? " (there is its .part)" : "");
    }
    if (n_missing > MAX_NAMED)
        buf_printf(&names, NULL, " and %d more", n_missing - MAX_NAMED);
    find_tool(f, tool, sizeof tool);
    err_set(e, "%s: %d of %d shards are missing: %s; run %s with --shard %d/%d%s", f->path,
            n_missing, of, names.data ? (char *)names.data : "", tool, first, of,
            n_missing > 1 ? " and so on" : "");
    buf_release(&names);
    return ERR_NOT_FOUND;
}

static int decide(const struct found *f, struct err *e)
{
    if (check_one_set(f->path, f->shard, f->n_shards, "", e) < 0)
        return ERR_FAIL;
    if (f->n_shards && f->n_shards == (size_t)f->shard[0].of) /* a name is there once */
        return f->shard[0].of;
    if (!f->n_shards && check_one_set(f->path, f->part, f->n_parts, ".part", e) < 0)
        return ERR_FAIL;
    if (!f->n_shards && !f->n_parts)
        return 0;
    return explain_missing(f, f->n_shards ? f->shard[0].of : f->part[0].of, e);
}

int set_find(const char *path, struct err *e)
{
    struct found f = {.path = path};
    int rc = *path_base(path) ? look_beside(&f, e) : 0;
    if (rc == 0)
        rc = decide(&f, e);
    free(f.shard);
    free(f.part);
    return rc;
}

/* -- joining -- */

/* Takes the number out of the settings; it must be the one in the name. */
static int take_number(struct set_member *m, const struct shard *named, struct err *e)
{
    char wanted[SHARD_TEXT_BYTES];
    const char *is = json_str(json_member(m->meta.settings, SHARD_SETTING));
    shard_text(named, wanted);
    if (!is)
        return err_set(e, "%s: holds a whole store, not shard %s as its name says", m->path,
                       wanted);
    if (strcmp(is, wanted) != 0)
        return err_set(e, "%s: holds shard %.20s, not %s as its name says", m->path, is, wanted);
    json_remove(m->meta.settings, SHARD_SETTING);
    return 0;
}

static int differ(const struct set_member *a, const struct set_member *b,
                  const struct meta_difference *d, struct err *e)
{
    return err_set(e,
                   "%s and %s are not shards of one store: %s is %.120s in the one, %.120s in "
                   "the other",
                   a->path, b->path, d->name, d->a ? json_text(d->a) : "absent",
                   d->b ? json_text(d->b) : "absent");
}

/* Adds the integers of a summary; everything else must be alike. */
static int add_summary(struct json *total, const struct set_member *first,
                       const struct set_member *m, struct err *e)
{
    struct json *more = json_member(m->meta.root, "summary"), *value;
    struct json_walk w = {0};
    struct meta_difference d = {.name = "summary", .a = total, .b = more};
    const char *name;
    int64_t sum;
    if (json_len(total) != json_len(more))
        return differ(first, m, &d, e);
    while (json_next(more, &w, &name, &value)) {
        struct json *there = json_member(total, name);
        bool counts = there && json_kind(there) == JSON_INT && json_kind(value) == JSON_INT;
        if (!there || (!counts && !json_equal(there, value)))
            return differ(first, m, &d, e);
        if (!counts)
            continue;
        if (__builtin_add_overflow(json_i64(there), json_i64(value), &sum))
            return err_set(e, "%s: summary.%s is too large", m->path, name);
        if (json_add(total, name, json_new_i64(sum)) < 0)
            return err_set(e, "out of memory");
    }
    return 0;
}

struct sums {
    struct meta_state state;
    int64_t records, count;
    uint64_t greatest; /* count of a shard */
};

static int add_state(struct sums *sums, const struct set_member *m, struct err *e)
{
    struct meta_state state;
    int rc = meta_read_state(&state, m->meta.root, e);
    if (rc < 0)
        return err_add(e, "%s", m->path);
    if (__builtin_add_overflow(sums->records, (int64_t)state.n_records, &sums->records) ||
        __builtin_add_overflow(sums->count, (int64_t)m->meta.count, &sums->count))
        return err_set(e, "%s: counts more records than a store can hold", m->path);
    hash_sum(&sums->state.content, state.content);
    /* Items are dealt out in turn: the last one lies in the last of the shards with one more. */
    if (m->meta.count >= sums->greatest) {
        sums->greatest = m->meta.count;
        sums->state.last = state.last;
    }
    return 0;
}

struct json *set_meta(struct set_member *member, size_t n, struct err *e)
{
    struct sums sums = {0};
    struct meta_difference d;
    struct json *head = member[0].meta.root, *summary = json_member(head, "summary");
    for (size_t i = 0; i < n; i++) {
        const struct shard named = {(int)i + 1, (int)n};
        if (!member[i].meta.complete) {
            err_set(e, "%s: incomplete: %s was stopped; run it again to finish", member[i].path,
                    member[i].meta.tool);
            return NULL;
        }
        if (take_number(&member[i], &named, e) < 0)
            return NULL;
        if (i && meta_differ(head, member[i].meta.root, &d)) {
            differ(&member[0], &member[i], &d, e);
            return NULL;
        }
        if ((i && add_summary(summary, &member[0], &member[i], e) < 0) ||
            add_state(&sums, &member[i], e) < 0)
            return NULL;
    }
    sums.state.n_records = (uint64_t)sums.records;
    return meta_build(head, &sums.state, summary, (uint64_t)sums.count, e);
}

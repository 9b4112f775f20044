/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/store/store_file.h"
#include "common/store/store_merge.h"
#include "common/store/store_meta.h"
#include "common/store/store_set.h"

struct store {
    char *path;
    struct store_file *file; /* [n_files] */
    size_t n_files;
    struct store_merge merge; /* where store_next is */
    size_t hit;               /* file of the record given out last */
    struct store_meta meta;   /* a shared copy borrows it, as it does path and set_text */
    char *set_text;           /* of a set: the text of `!meta`; NULL: it is in the file */
    int lock;                 /* on a store under construction that is looked at; -1 without */
    bool shared;
};

/* -- opening -- */

/* What `!meta` must say: as in store_open, or with ANY_VERSION anything. */
struct wanted {
    const char *schema;
    int version;
};
enum { ANY_VERSION = -1 };

static int explain_absent(const char *path, struct err *e)
{
    struct buf part = {0};
    int rc = ERR_NOT_FOUND;
    if (buf_printf(&part, e, "%s.part", path) == 0 && file_exists((char *)part.data))
        err_set(e, "%s: there is only %s: run the tool that makes it again to finish", path,
                part.data);
    else
        err_set(e, "%s: no such file", path);
    buf_release(&part);
    return rc;
}

/* `m` owns its root. */
static int read_meta(struct store_meta *m, const struct store_file *f, const struct wanted *wanted,
                     struct err *e)
{
    struct blob text;
    int rc = store_file_get(f, STORE_META_KEY, &text, e);
    if (rc < 0)
        return err_set(e, "%s: not a store (no record " STORE_META_KEY ")", f->path);
    struct json *root = json_parse(text.data, text.len, e);
    if (!root)
        return err_add(e, "%s: " STORE_META_KEY, f->path);
    rc = wanted->version == ANY_VERSION ? 0
                                        : meta_check_kind(root, wanted->schema, wanted->version, e);
    if (rc == 0)
        rc = meta_read(m, root, e);
    if (rc < 0) {
        json_free(root);
        return err_add(e, "%s", f->path);
    }
    return 0;
}

/* Takes over what the shards say together; `root` may be NULL, `e` says why then. */
static int take_set_meta(struct store *s, struct json *root, struct err *e)
{
    if (!root || !(s->set_text = mem_strdup(json_text(root), e))) {
        json_free(root);
        return ERR_FAIL;
    }
    int rc = meta_read(&s->meta, root, e);
    if (rc < 0)
        json_free(root);
    return rc;
}

static int open_shard(struct store *s, size_t i, struct set_member *m, const struct wanted *wanted,
                      struct err *e)
{
    const struct shard shard = {(int)i + 1, (int)s->n_files};
    char *path = shard_path(&shard, s->path, e);
    int rc = path ? store_file_open(&s->file[i], path, e) : ERR_FAIL;
    free(path);
    m->path = s->file[i].path;
    return rc < 0 ? rc : read_meta(&m->meta, &s->file[i], wanted, e);
}

static int open_set(struct store *s, const struct wanted *wanted, struct err *e)
{
    struct set_member *member = mem_new(s->n_files, sizeof *member, e);
    int rc = member ? 0 : ERR_FAIL;
    for (size_t i = 0; rc == 0 && i < s->n_files; i++)
        rc = open_shard(s, i, &member[i], wanted, e);
    if (rc == 0)
        rc = take_set_meta(s, set_meta(member, s->n_files, e), e);
    for (size_t i = 0; member && i < s->n_files; i++)
        json_free(member[i].meta.root);
    free(member);
    return rc;
}

static int open_files(struct store *s, const char *path, const struct wanted *wanted, struct err *e)
{
    int n = 0;
    if (!(s->path = mem_strdup(path, e)))
        return ERR_FAIL;
    if (!file_exists(path) && (n = set_find(path, e)) <= 0)
        return n < 0 ? n : explain_absent(path, e);
    s->n_files = n ? (size_t)n : 1;
    if (!(s->file = mem_new(s->n_files, sizeof *s->file, e)))
        return ERR_FAIL;
    int rc = merge_init(&s->merge, s->file, s->n_files, e);
    if (rc == 0 && n)
        rc = open_set(s, wanted, e);
    else if (rc == 0 && (rc = store_file_open(&s->file[0], path, e)) == 0)
        rc = read_meta(&s->meta, &s->file[0], wanted, e);
    return rc;
}

static int open_store(struct store **out, const char *path, const struct wanted *wanted,
                      struct err *e)
{
    struct store *s = mem_new(1, sizeof *s, e);
    if (!s)
        return ERR_FAIL;
    s->lock = -1;
    int rc = open_files(s, path, wanted, e);
    if (rc < 0) {
        store_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

int store_open(struct store **out, const char *path, const char *schema, int version, struct err *e)
{
    struct store *s;
    const struct wanted wanted = {schema, schema ? version : 0};
    int rc = open_store(&s, path, &wanted, e);
    if (rc < 0)
        return rc;
    if (!s->meta.complete) {
        rc = err_set(e, "%s: incomplete: %s was stopped; run it again to finish", path,
                     s->meta.tool);
        store_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

int store_open_any(struct store **out, const char *path, struct err *e)
{
    struct store *s;
    const struct wanted anything = {NULL, ANY_VERSION};
    /* Held while a store under construction is looked at; a complete one is never written again. */
    int lock = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool busy = lock >= 0 && flock(lock, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    int rc = open_store(&s, path, &anything, e);
    if (busy && (rc < 0 || !s->meta.complete)) {
        if (rc == 0)
            store_close(s);
        rc = err_set(e, "%s: another process is writing it", path);
    }
    if (rc < 0) {
        if (lock >= 0)
            close(lock);
        return rc;
    }
    s->lock = lock;
    *out = s;
    return 0;
}

bool store_in_shards(const char *path)
{
    return !file_exists(path) && set_find(path, NULL) != 0;
}

static int share_files(struct store *copy, const struct store *s, struct err *e)
{
    if (!(copy->file = mem_new(s->n_files, sizeof *copy->file, e)))
        return ERR_FAIL;
    int rc = merge_init(&copy->merge, copy->file, s->n_files, e);
    for (; rc == 0 && copy->n_files < s->n_files; copy->n_files++)
        rc = store_file_share(&copy->file[copy->n_files], &s->file[copy->n_files], e);
    return rc;
}

int store_share(struct store **out, struct store *s, struct err *e)
{
    struct store *copy = mem_new(1, sizeof *copy, e);
    if (!copy)
        return ERR_FAIL;
    *copy = (struct store){
        .path = s->path, .meta = s->meta, .set_text = s->set_text, .lock = -1, .shared = true};
    int rc = share_files(copy, s, e);
    if (rc < 0) {
        store_close(copy);
        return rc;
    }
    *out = copy;
    return 0;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    for (size_t i = 0; s->file && i < s->n_files; i++)
        store_file_close(&s->file[i]);
    free(s->file);
    merge_release(&s->merge);
    if (!s->shared) {
        json_free(s->meta.root);
        free(s->set_text);
        free(s->path);
    }
    if (s->lock >= 0)
        close(s->lock);
    free(s);
}

/* -- reading -- */

const struct store_meta *store_meta(const struct store *s)
{
    return &s->meta;
}

const char *store_path(const struct store *s)
{
    return s->path;
}

uint64_t store_n_records(const struct store *s)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->n_files; i++)
        n += store_file_n_records(&s->file[i]);
    return n;
}

size_t store_n_files(const struct store *s)
{
    return s->n_files;
}

const char *store_file_path(const struct store *s, size_t file)
{
    return s->file[file].path;
}

const char *store_record_path(const struct store *s)
{
    return s->file[s->hit].path;
}

/* The records of an item lie in one file: the one that had the last is asked first. */
static int find(struct store *s, const char *key, struct blob *value, struct err *e)
{
    int rc = store_file_get(&s->file[s->hit], key, value, e);
    for (size_t i = 0; rc == ERR_NOT_FOUND && i < s->n_files; i++) {
        if (i != s->hit)
            rc = store_file_get(&s->file[i], key, value, e);
        if (rc == 0)
            s->hit = i;
    }
    return rc;
}

int store_get(struct store *s, const char *key, struct blob *value, struct err *e)
{
    if (s->set_text && strcmp(key, STORE_META_KEY) == 0) {
        *value = (struct blob){s->set_text, strlen(s->set_text)};
        return 0;
    }
    int rc = find(s, key, value, e);
    return rc == ERR_NOT_FOUND ? err_code(e, rc, "%s: no record %s", s->path, key) : rc;
}

int store_seek(struct store *s, const char *from, struct err *e)
{
    return merge_seek(&s->merge, from, e);
}

int store_next(struct store *s, const char **key, struct blob *value, struct err *e)
{
    int rc = merge_next(&s->merge, e);
    if (rc != 1)
        return rc;
    s->hit = s->merge.front[0];
    *key = s->merge.key;
    *value = s->file[s->hit].value;
    return 1;
}

int store_check_input(const struct store *s, const char *input, const struct store *from,
                      struct err *e)
{
    const char *made_from = json_str(json_member(s->meta.inputs, input));
    if (!made_from)
        return err_set(e, "%s: does not say which %s it was made from", s->path, input);
    if (strcmp(made_from, from->meta.identity) != 0)
        return err_set(e, "%s was made from %s %.8s, but %s is %.8s", s->path, input, made_from,
                       from->path, from->meta.identity);
    return 0;
}

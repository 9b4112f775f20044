/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store_merge.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"

int merge_init(struct store_merge *m, struct store_file *files, size_t n_files, struct err *e)
{
    *m = (struct store_merge){.file = files, .n_files = n_files};
    m->front = mem_new(n_files, sizeof *m->front, e);
    return m->front ? 0 : ERR_FAIL;
}

void merge_release(struct store_merge *m)
{
    free(m->front);
    *m = (struct store_merge){0};
}

/* -- the heap -- */

/* In LMDB's order. */
static int compare_keys(const struct blob *a, const struct blob *b)
{
    int order = memcmp(a->data, b->data, a->len < b->len ? a->len : b->len);
    return order ? order : (a->len > b->len) - (a->len < b->len);
}

static void sink(struct store_merge *m, size_t at)
{
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child < 2 * at + 3 && child < m->n_front; child++)
            if (compare_keys(&m->file[m->front[child]].key, &m->file[m->front[least]].key) < 0)
                least = child;
        if (least == at)
            return;
        size_t file = m->front[at];
        m->front[at] = m->front[least];
        m->front[least] = file;
        at = least;
    }
}

/* The file in front has moved; what that returned. */
static int settle(struct store_merge *m, int rc)
{
    if (rc < 0)
        return rc;
    if (rc == 0)
        m->front[0] = m->front[--m->n_front];
    sink(m, 0);
    return 0;
}

/* -- moving -- */

static int seek_all(struct store_merge *m, const char *from, struct err *e)
{
    m->n_front = 0;
    for (size_t i = 0; i < m->n_files; i++) {
        int rc = store_file_seek(&m->file[i], from, e);
        if (rc < 0)
            return rc;
        if (rc == 1)
            m->front[m->n_front++] = i;
    }
    for (size_t i = m->n_front / 2; i-- > 0;)
        sink(m, i);
    return 0;
}

/* Only the files that are on a record below `from` need a search: one, where a reader jumps over
 * the parts of an item. */
static int seek_ahead(struct store_merge *m, const char *from, struct err *e)
{
    struct blob key = {from, strlen(from)};
    while (m->n_front && compare_keys(&m->file[m->front[0]].key, &key) < 0)
        if (settle(m, store_file_seek(&m->file[m->front[0]], from, e)) < 0)
            return ERR_FAIL;
    return 0;
}

int merge_seek(struct store_merge *m, const char *from, struct err *e)
{
    from = from ? from : "";
    bool ahead = m->has_bound && strcmp(from, m->key) >= 0;
    m->placed = m->given = m->has_bound = false;
    if ((ahead ? seek_ahead(m, from, e) : seek_all(m, from, e)) < 0)
        return ERR_FAIL;
    m->placed = true;
    m->has_bound = strlen(from) <= STORE_MAX_KEY;
    snprintf(m->key, sizeof m->key, "%s", from);
    return 0;
}

/* The key as text, for the caller; a file that was not written here may hold any bytes. */
static int take_key(struct store_merge *m, const struct store_file *f, struct err *e)
{
    if (f->key.len > STORE_MAX_KEY || memchr(f->key.data, '\0', f->key.len))
        return err_set(e, "%s: a key that is not text, behind %s", f->path, m->key);
    memcpy(m->key, f->key.data, f->key.len);
    m->key[f->key.len] = '\0';
    return 1;
}

/* Passes the record that was given out last. */
static int advance(struct store_merge *m, struct err *e)
{
    size_t before = m->front[0];
    m->given = m->has_bound = false;
    if (settle(m, store_file_next(&m->file[before], e)) < 0) {
        m->placed = false;
        return ERR_FAIL;
    }
    if (!m->n_front || m->front[0] == before)
        return 0;
    const struct store_file *f = &m->file[m->front[0]];
    if (f->key.len == strlen(m->key) && memcmp(f->key.data, m->key, f->key.len) == 0)
        return err_set(e, "%s and %s both hold record %s", m->file[before].path, f->path, m->key);
    return 0;
}

int merge_next(struct store_merge *m, struct err *e)
{
    if (!m->placed && merge_seek(m, NULL, e) < 0)
        return ERR_FAIL;
    if (m->given && advance(m, e) < 0)
        return ERR_FAIL;
    if (!m->n_front)
        return 0;
    if (take_key(m, &m->file[m->front[0]], e) < 0)
        return ERR_FAIL;
    m->given = m->has_bound = true;
    return 1;
}

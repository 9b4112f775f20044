/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store_meta.h"
#include "common/store/store_pages.h"

static int verify_records(struct store *s, struct err *e)
{
    struct meta_state state;
    struct hash128 content = {0};
    uint64_t n = 0;
    const char *key;
    struct blob value;
    if (meta_read_state(&state, store_meta(s)->root, e) < 0)
        return err_add(e, "%s", store_path(s));
    int rc = store_seek(s, NULL, e);
    while (rc == 0 && (rc = store_next(s, &key, &value, e)) == 1) {
        hash_sum(&content, hash_record(key, strlen(key), value.data, value.len));
        n++;
        rc = 0;
    }
    if (rc < 0)
        return rc;
    if (n != state.n_records)
        return err_set(e, "%s: holds %llu records, %llu were written", store_path(s),
                       (unsigned long long)n, (unsigned long long)state.n_records);
    if (content.lo != state.content.lo || content.hi != state.content.hi)
        return err_set(e, "%s: damaged: its records do not sum up to the hash in " STORE_META_KEY,
                       store_path(s));
    return 0;
}

static int verify_file(struct store *s, struct err *e)
{
    size_t file_bytes;
    const char *path = store_file_path(s, 0);
    int rc = pages_check(path, PAGES_ALL, &file_bytes, e);
    return rc < 0 ? err_add(e, "%s", path) : verify_records(s, e);
}

/* Each shard, and that no two hold the same key. */
static int verify_set(struct store *s, struct err *e)
{
    const char *key;
    struct blob value;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < store_n_files(s); i++)
        rc = store_verify(store_file_path(s, i), e);
    while (rc >= 0 && (rc = store_next(s, &key, &value, e)) == 1)
        ;
    return rc;
}

int store_verify(const char *path, struct err *e)
{
    struct store *s;
    int rc = store_open_any(&s, path, e);
    if (rc < 0)
        return rc;
    rc = store_n_files(s) > 1 ? verify_set(s, e) : verify_file(s, e);
    store_close(s);
    return rc;
}

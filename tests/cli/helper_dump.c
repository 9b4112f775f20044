/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shows what is in a store, one line a record.
 *
 * usage: helper_dump STORE                   key, and the JSON text or the shape and hash of the
 * tensor helper_dump STORE MEMBER...         of JSON records: key and these members, tabs
 * between, "-" where absent helper_dump --nv12 STORE ID         the raw pictures of a video of a
 * frames store, one after the other
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/hash.h"
#include "common/base/json.h"
#include "common/store/codec.h"
#include "common/store/frames.h"
#include "common/store/store.h"

static bool is_json(const struct blob *value)
{
    return value->len && strchr("[{", *(const char *)value->data);
}

static int print_members(const char *key, const struct blob *value, char **members, struct err *e)
{
    struct json *j = json_parse(value->data, value->len, e);
    if (!j)
        return ERR_FAIL;
    printf("%s", key);
    for (; *members; members++) {
        struct json *m = json_member(j, *members);
        const char *text = m && json_kind(m) == JSON_STRING ? json_str(m) : m ? json_text(m) : "-";
        printf("\t%s", text);
    }
    printf("\n");
    json_free(j);
    return 0;
}

static int print_tensor(const char *key, const struct blob *value, struct codec *c, struct err *e)
{
    struct npy a;
    char hash[HASH_TEXT_BYTES];
    if (codec_unpack(c, value->data, value->len, &a, e) < 0)
        return ERR_FAIL;
    hash_text(hash_bytes(a.data, a.data_bytes), hash);
    printf("%s\t%s", key, a.descr);
    for (int i = 0; i < a.n_dims; i++)
        printf(" %zu", a.dim[i]);
    printf(" %s\n", hash);
    return 0;
}

static int print_records(const char *path, char **members, struct err *e)
{
    struct store *s = NULL;
    struct codec *c = NULL;
    const char *key;
    struct blob value;
    int rc = codec_new(&c, e) < 0 ? ERR_FAIL : store_open_any(&s, path, e);
    if (rc == 0 && !*members)
        printf("!meta\t%s\n", json_text(store_meta(s)->root));
    if (rc == 0)
        rc = store_seek(s, NULL, e);
    while (rc >= 0 && (rc = store_next(s, &key, &value, e)) > 0)
        if (*members && is_json(&value))
            rc = print_members(key, &value, members, e);
        else if (!*members && is_json(&value))
            printf("%s\t%.*s\n", key, (int)value.len, (const char *)value.data);
        else if (!*members)
            rc = print_tensor(key, &value, c, e);
    store_close(s);
    codec_free(c);
    return rc;
}

static int print_pictures(const char *path, const char *id, struct err *e)
{
    struct frames *f;
    if (frames_open(&f, path, e) < 0)
        return ERR_FAIL;
    long video = frames_find(f, id);
    int rc = video < 0 ? err_set(e, "no video %s", id) : 0;
    const struct frames_info *info = rc < 0 ? NULL : frames_video(f, (size_t)video);
    size_t bytes = info ? (size_t)info->stored_width * (size_t)info->stored_height * 3 / 2 : 0;
    uint8_t *picture = malloc(bytes + 1);
    for (int64_t i = 0; info && i < info->n_frames && rc == 0; i++)
        if ((rc = frames_read(f, (size_t)video, i, picture, e)) == 0)
            fwrite(picture, 1, bytes, stdout);
    free(picture);
    frames_close(f);
    return rc;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    bool pictures = argc == 4 && strcmp(argv[1], "--nv12") == 0;
    if (argc < 2)
        return 2;
    int rc = pictures ? print_pictures(argv[2], argv[3], &e) : print_records(argv[1], argv + 2, &e);
    if (rc < 0)
        fprintf(stderr, "helper_dump: %s\n", e.text);
    return rc < 0;
}

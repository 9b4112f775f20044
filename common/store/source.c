/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/store/codec.h"
#include "common/store/frames.h"
#include "common/store/safetensors.h"

#define TENSORS_META "__metadata__"

struct source {
    char *path;
    struct store *store; /* or */
    struct safetensors *tensors;
    size_t next; /* tensor */
    struct codec *codec;
    bool holds_frames;
    struct buf picture;
};

/* -- opening -- */

/* A .safetensors file has the length of its header, then '{'; an LMDB file zeros. */
static bool looks_like_tensors(const unsigned char *head, size_t len)
{
    uint64_t n = 0;
    for (int i = 7; len >= 9 && i >= 0; i--)
        n = n << 8 | head[i];
    return len >= 9 && n > 0 && n <= SAFETENSORS_MAX_HEADER && head[8] == '{';
}

/* Refuses what cannot be a file of records at all; an absent file is left to store_open_any. */
static int look_at(const char *path, bool *tensors, struct err *e)
{
    unsigned char head[16];
    struct stat st;
    *tensors = false;
    if (stat(path, &st) < 0)
        return errno == ENOENT ? 0 : err_errno(e, "%s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, "%s: %s", path, S_ISDIR(st.st_mode) ? "is a folder" : "not a file");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, "%s", path);
    ssize_t n = read(fd, head, sizeof head);
    int rc = n < 0 ? err_errno(e, "%s", path) : n == 0 ? err_set(e, "%s: is empty", path) : 0;
    *tensors = rc == 0 && looks_like_tensors(head, (size_t)n);
    close(fd);
    return rc;
}

int source_open(struct source **out, const char *path, struct err *e)
{
    bool tensors;
    if (look_at(path, &tensors, e) < 0)
        return ERR_FAIL;
    struct source *s = mem_new(1, sizeof *s, e);
    if (!s)
        return ERR_FAIL;
    int rc = (s->path = mem_strdup(path, e)) ? 0 : ERR_FAIL;
    if (rc == 0)
        rc = codec_new(&s->codec, e);
    if (rc == 0)
        rc = tensors ? safetensors_open(&s->tensors, path, e) : store_open_any(&s->store, path, e);
    if (rc < 0) {
        source_close(s);
        return rc;
    }
    s->holds_frames = s->store && strcmp(store_meta(s->store)->schema, FRAMES_SCHEMA) == 0;
    *out = s;
    return 0;
}

void source_close(struct source *s)
{
    if (!s)
        return;
    store_close(s->store);
    safetensors_close(s->tensors);
    codec_free(s->codec);
    buf_release(&s->picture);
    free(s->path);
    free(s);
}

bool source_holds_frames(const struct source *s)
{
    return s->holds_frames;
}

const char *source_path(const struct source *s)
{
    return s->path;
}

struct store *source_store(const struct source *s)
{
    return s->store;
}

struct json *source_meta(const struct source *s)
{
    return s->store ? store_meta(s->store)->root : (struct json *)safetensors_metadata(s->tensors);
}

const char *source_meta_key(const struct source *s)
{
    return s->store ? STORE_META_KEY : TENSORS_META;
}

int source_check_content(const struct source *s, struct err *e)
{
    return safetensors_check_content(s->tensors, e);
}

size_t source_n_records(const struct source *s)
{
    return s->store ? store_n_records(s->store) : safetensors_n(s->tensors);
}

/* -- records -- */

/* An array is a zstd frame; no JSON text begins like one. */
static bool is_packed(const struct blob *value)
{
    static const unsigned char magic[] = {0x28, 0xb5, 0x2f, 0xfd};
    return value->len >= sizeof magic && memcmp(value->data, magic, sizeof magic) == 0;
}

static void from_tensor(struct record *r, const struct source *s, const struct safetensor *t)
{
    *r = (struct record){
        .path = s->path, .key = t->name, .value = {t->data, t->bytes}, .is_array = true};
}

int source_next(struct source *s, struct record *r, struct err *e)
{
    if (s->tensors) {
        if (s->next == safetensors_n(s->tensors))
            return 0;
        from_tensor(r, s, safetensors_at(s->tensors, s->next++));
        return 1;
    }
    int rc = store_next(s->store, &r->key, &r->value, e);
    if (rc == 1) {
        r->path = store_record_path(s->store);
        r->is_array = is_packed(&r->value);
    }
    return rc;
}

int source_rewind(struct source *s, struct err *e)
{
    s->next = 0;
    return s->store ? store_seek(s->store, NULL, e) : 0;
}

int source_get(struct source *s, const char *key, struct record *r, struct err *e)
{
    if (s->store) {
        int rc = store_get(s->store, key, &r->value, e);
        r->path = store_record_path(s->store);
        r->key = key;
        r->is_array = rc == 0 && is_packed(&r->value);
        return rc;
    }
    const struct safetensor *t = safetensors_find(s->tensors, key);
    if (t) {
        from_tensor(r, s, t);
        return 0;
    }
    if (strcmp(key, TENSORS_META) != 0)
        return err_code(e, ERR_NOT_FOUND, "%s: there is no tensor '%s'", s->path, key);
    const char *text = json_text(source_meta(s));
    *r = (struct record){.path = s->path, .key = key, .value = {text, strlen(text)}};
    return 0;
}

static int undo_difference(struct source *s, struct array *a, struct err *e)
{
    if (strcmp(a->descr, "|u1") != 0 || a->n_dims != 2)
        return 0;
    buf_clear(&s->picture);
    int rc = buf_append(&s->picture, a->data, a->data_bytes, e);
    if (rc == 0) {
        frames_undo_difference(s->picture.data, a->dim[0], a->dim[1]);
        a->data = s->picture.data;
    }
    return rc;
}

int source_array(struct source *s, const struct record *r, struct array *a, struct err *e)
{
    struct npy npy;
    if (s->tensors) {
        array_from_tensor(a, safetensors_find(s->tensors, r->key));
        return 0;
    }
    int rc = codec_unpack(s->codec, r->value.data, r->value.len, &npy, e);
    if (rc == 0)
        rc = array_from_npy(a, &npy, e);
    if (rc == 0 && s->holds_frames)
        rc = undo_difference(s, a, e);
    return rc < 0 ? err_add(e, "%s: %s", r->path, r->key) : 0;
}

struct json *source_json(const struct record *r, struct err *e)
{
    struct json *j = json_parse(r->value.data, r->value.len, e);
    if (!j)
        err_add(e, "%s: %s", r->path, r->key);
    return j;
}

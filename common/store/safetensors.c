/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/num.h"

#define METADATA "__metadata__"
#define CONTENT  "content"

enum { LENGTH_BYTES = 8, DATA_ALIGNMENT = 64 };

struct safetensors {
    void *map; /* NULL where the bytes are borrowed */
    size_t map_bytes;
    const char *data; /* the tensors' bytes, behind the header */
    size_t data_bytes;
    struct json *header;
    struct json *metadata;
    struct safetensor *tensors;  /* in header order; names point into `header` */
    struct safetensor **by_name; /* [n] */
    size_t n;
};

static const struct dtype {
    const char *name;
    size_t bytes;
} dtypes[] = {
    {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1},
    {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
    {"U32", 4},  {"F32", 4}, {"I64", 8}, {"U64", 8},     {"F64", 8},
};

static const struct dtype *find_dtype(const char *name)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (strcmp(dtypes[i].name, name) == 0)
            return &dtypes[i];
    return NULL;
}

size_t safetensors_item_bytes(const char *dtype)
{
    const struct dtype *d = find_dtype(dtype);
    return d ? d->bytes : 0;
}

/* Fails where the shape does not give t->bytes. */
static int check_bytes(const struct safetensor *t, struct err *e)
{
    size_t bytes = safetensors_item_bytes(t->dtype);
    for (int i = 0; i < t->n_dims; i++)
        if (!size_mul(bytes, t->dim[i], &bytes))
            return err_set(e, "the shape is too large");
    if (bytes != t->bytes)
        return err_set(e, "dtype and shape make %zu bytes, the data has %zu", bytes, t->bytes);
    return 0;
}

/* -- content -- */

/* In any order: other programs write the tensors in theirs. */
static struct hash128 hash_content(const struct safetensor *tensors, size_t n,
                                   const struct json *metadata)
{
    struct hash128 sum = {0};
    struct json_walk w = {0};
    const char *name;
    struct json *value;
    for (size_t i = 0; i < n; i++) {
        const struct safetensor *t = &tensors[i];
        hash_sum(&sum, hash_record(t->name, strlen(t->name), t->data, t->bytes));
    }
    while (metadata && json_next(metadata, &w, &name, &value))
        if (strcmp(name, CONTENT) != 0)
            hash_sum(&sum,
                     hash_record(name, strlen(name), json_str(value), strlen(json_str(value))));
    return sum;
}

int safetensors_check_content(const struct safetensors *s, struct err *e)
{
    const char *written = json_str(json_member(s->metadata, CONTENT));
    char found[HASH_TEXT_BYTES];
    if (!written)
        return 0;
    hash_text(hash_content(s->tensors, s->n, s->metadata), found);
    if (strcmp(found, written) == 0)
        return 1;
    return err_set(e, "damaged: tensors and texts do not sum up to the hash in " METADATA
                      " (a program that changes them must leave its member " CONTENT " out)");
}

/* -- reading -- */

static int read_size(const struct json *v, size_t *out, struct err *e, const char *what)
{
    int64_t n = json_i64(v);
    if (json_kind(v) != JSON_INT || n < 0 || n == INT64_MAX)
        return err_set(e, "%s holds something that is not a size", what);
    *out = (size_t)n;
    return 0;
}

static int read_shape(struct safetensor *t, const struct json *j, struct err *e)
{
    struct json *shape = NULL;
    int rc = json_get_array(j, "shape", &shape, e);
    if (rc < 0)
        return rc;
    if (json_len(shape) > SAFETENSORS_MAX_DIMS)
        return err_set(e, "%zu dimensions are too many", json_len(shape));
    t->n_dims = (int)json_len(shape);
    for (int i = 0; rc == 0 && i < t->n_dims; i++)
        rc = read_size(json_at(shape, (size_t)i), &t->dim[i], e, "shape");
    return rc;
}

static int read_offsets(struct safetensor *t, const struct json *j, const struct safetensors *s,
                        struct err *e)
{
    struct json *offsets = NULL;
    size_t begin = 0, end = 0;
    int rc = json_get_array(j, "data_offsets", &offsets, e);
    if (rc == 0 && json_len(offsets) != 2)
        rc = err_set(e, "data_offsets has %zu numbers, not 2", json_len(offsets));
    if (rc == 0)
        rc = read_size(json_at(offsets, 0), &begin, e, "data_offsets");
    if (rc == 0)
        rc = read_size(json_at(offsets, 1), &end, e, "data_offsets");
    if (rc < 0)
        return rc;
    if (begin > end || end > s->data_bytes)
        return err_set(e, "bytes %zu to %zu are not in the file's %zu bytes of data", begin, end,
                       s->data_bytes);
    t->data = s->data + begin;
    t->bytes = end - begin;
    return 0;
}

static int read_tensor(struct safetensor *t, const char *name, const struct json *j,
                       const struct safetensors *s, struct err *e)
{
    const char *dtype = NULL;
    int rc = json_get_str(j, "dtype", &dtype, e);
    if (rc == 0) {
        const struct dtype *d = find_dtype(dtype);
        if (!d)
            return err_set(e, "tensor '%s': dtype '%s' is not known", name, dtype);
        *t = (struct safetensor){.name = name, .dtype = d->name};
        rc = read_shape(t, j, e);
    }
    if (rc == 0)
        rc = read_offsets(t, j, s, e);
    if (rc == 0)
        rc = check_bytes(t, e);
    return rc < 0 ? err_add(e, "tensor '%s'", name) : 0;
}

static int check_metadata(const struct json *metadata, struct err *e)
{
    struct json_walk w = {0};
    const char *name;
    struct json *value;
    if (json_kind(metadata) != JSON_OBJECT)
        return err_set(e, METADATA " is not an object");
    while (json_next(metadata, &w, &name, &value))
        if (json_kind(value) != JSON_STRING)
            return err_set(e, METADATA ": member '%s' is not a string", name);
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(struct safetensor *const *)a)->name, (*(struct safetensor *const *)b)->name);
}

static int compare_places(const void *a, const void *b)
{
    const struct safetensor *x = *(struct safetensor *const *)a,
                            *y = *(struct safetensor *const *)b;
    const char *x_data = x->data, *y_data = y->data;
    if (x_data != y_data)
        return x_data < y_data ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

/* The tensors cover the data, each byte once. Leaves s->by_name in the order of the data. */
static int check_places(struct safetensors *s, struct err *e)
{
    const char *at = s->data;
    qsort(s->by_name, s->n, sizeof *s->by_name, compare_places);
    for (size_t i = 0; i < s->n; i++) {
        const struct safetensor *t = s->by_name[i];
        if ((const char *)t->data < at)
            return err_set(e, "tensor '%s' shares bytes with '%s'", t->name,
                           s->by_name[i - 1]->name);
        if ((const char *)t->data > at)
            return err_set(e, "%zu bytes in front of tensor '%s' belong to no tensor",
                           (size_t)((const char *)t->data - at), t->name);
        at += t->bytes;
    }
    if (at < s->data + s->data_bytes)
        return err_set(e, "%zu bytes at the end belong to no tensor",
                       (size_t)(s->data + s->data_bytes - at));
    return 0;
}

/*
 * A parser keeps one member of each name; every member of the text has a colon outside strings. A
 * file with a name twice is thus one with more colons than members.
 */
static int check_unique(const struct json *header, const char *text, size_t len, struct err *e)
{
    size_t n_colons = 0, n_members = json_len(header);
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        if (in_string && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            in_string = !in_string;
        else
            n_colons += !in_string && text[i] == ':';
    }
    struct json_walk w = {0};
    const char *name;
    struct json *value;
    while (json_next(header, &w, &name, &value))
        n_members += json_len(value);
    return n_colons == n_members ? 0 : err_set(e, "the header names something twice");
}

static int read_members(struct safetensors *s, struct err *e)
{
    struct json_walk w = {0};
    const char *name;
    struct json *value;
    int rc = 0;
    while (rc == 0 && json_next(s->header, &w, &name, &value)) {
        if (strcmp(name, METADATA) == 0) {
            rc = check_metadata(value, e);
            s->metadata = json_ref(value);
        } else if (json_kind(value) != JSON_OBJECT) {
            rc = err_set(e, "tensor '%s' is not an object", name);
        } else {
            rc = read_tensor(&s->tensors[s->n], name, value, s, e);
            s->by_name[s->n] = &s->tensors[s->n];
            s->n++;
        }
    }
    return rc;
}

static int read_header(struct safetensors *s, const char *text, size_t len, struct err *e)
{
    s->header = json_parse(text, len, e);
    if (!s->header)
        return err_add(e, "header");
    if (json_kind(s->header) != JSON_OBJECT)
        return err_set(e, "the header is not an object");
    size_t n = json_len(s->header);
    s->tensors = mem_new(n, sizeof *s->tensors, e);
    s->by_name = mem_new(n, sizeof *s->by_name, e);
    if (!s->tensors || !s->by_name)
        return ERR_FAIL;
    int rc = read_members(s, e);
    if (rc == 0)
        rc = check_unique(s->header, text, len, e);
    if (rc == 0)
        rc = check_places(s, e);
    if (rc == 0)
        qsort(s->by_name, s->n, sizeof *s->by_name, compare_names);
    if (rc == 0 && !s->metadata && !(s->metadata = json_new_object()))
        rc = err_set(e, "out of memory");
    return rc;
}

static int read_file(struct safetensors *s, const unsigned char *bytes, size_t len, struct err *e)
{
    uint64_t header_bytes = 0;
    if (len < LENGTH_BYTES)
        return err_set(e, "not a safetensors file: %zu bytes are too few", len);
    for (int i = LENGTH_BYTES - 1; i >= 0; i--)
        header_bytes = header_bytes << 8 | bytes[i];
    const char *text = (const char *)bytes + LENGTH_BYTES;
    size_t rest = len - LENGTH_BYTES;
    if (header_bytes > SAFETENSORS_MAX_HEADER || header_bytes > rest)
        return err_set(
            e, "not a safetensors file, or cut off: a header of %llu bytes in a file of %zu",
            (unsigned long long)header_bytes, len);
    if (header_bytes == 0 || text[0] != '{')
        return err_set(e, "not a safetensors file: the header does not begin with '{'");
    s->data = text + header_bytes;
    s->data_bytes = rest - header_bytes;
    return read_header(s, text, header_bytes, e);
}

int safetensors_view(struct safetensors **out, const void *bytes, size_t len, struct err *e)
{
    struct safetensors *s = mem_new(1, sizeof *s, e);
    if (!s)
        return ERR_FAIL;
    int rc = read_file(s, bytes, len, e);
    if (rc < 0) {
        safetensors_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

/* Maps the whole file; an empty one, which cannot be mapped, gives NULL and 0 bytes. */
static int map_file(const char *path, void **map, size_t *len, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        bool absent = errno == ENOENT;
        err_errno(e, "%s", path);
        return absent ? ERR_NOT_FOUND : ERR_FAIL;
    }
    struct stat st;
    int rc = 0;
    *map = NULL;
    *len = 0;
    if (fstat(fd, &st) < 0) {
        rc = err_errno(e, "%s", path);
    } else if (!S_ISREG(st.st_mode)) {
        rc = err_set(e, "%s: not a regular file", path);
    } else if (st.st_size > 0) {
        *len = (size_t)st.st_size;
        *map = mmap(NULL, *len, PROT_READ, MAP_PRIVATE, fd, 0);
        if (*map == MAP_FAILED)
            rc = err_errno(e, "%s", path);
    }
    close(fd);
    return rc;
}

int safetensors_open(struct safetensors **out, const char *path, struct err *e)
{
    void *map;
    size_t len;
    int rc = map_file(path, &map, &len, e);
    if (rc < 0)
        return rc;
    struct safetensors *s;
    rc = safetensors_view(&s, map, len, e);
    if (rc < 0) {
        if (map)
            munmap(map, len);
        return err_add_code(e, rc, "%s", path);
    }
    s->map = map;
    s->map_bytes = len;
    *out = s;
    return 0;
}

void safetensors_close(struct safetensors *s)
{
    if (!s)
        return;
    json_free(s->metadata);
    json_free(s->header);
    free(s->tensors);
    free(s->by_name);
    if (s->map)
        munmap(s->map, s->map_bytes);
    free(s);
}

size_t safetensors_n(const struct safetensors *s)
{
    return s->n;
}

const struct safetensor *safetensors_at(const struct safetensors *s, size_t i)
{
    return i < s->n ? &s->tensors[i] : NULL;
}

const struct safetensor *safetensors_find(const struct safetensors *s, const char *name)
{
    struct safetensor wanted = {.name = name}, *key = &wanted;
    struct safetensor **found = bsearch(&key, s->by_name, s->n, sizeof *s->by_name, compare_names);
    return found ? *found : NULL;
}

const struct json *safetensors_metadata(const struct safetensors *s)
{
    return s->metadata;
}

/* -- writing -- */

/* Takes `value` over. */
static int add_member(struct json *object, const char *name, struct json *value, struct err *e)
{
    return json_add(object, name, value) < 0 ? err_set(e, "out of memory") : 0;
}

static struct json *new_sizes(const size_t *sizes, int n)
{
    struct json *list = json_new_array();
    for (int i = 0; list && i < n; i++)
        if (json_append(list, json_new_i64((int64_t)sizes[i])) < 0) {
            json_free(list);
            return NULL;
        }
    return list;
}

static int describe_tensor(struct json *header, const struct safetensor *t, size_t begin,
                           struct err *e)
{
    if (t->n_dims < 0 || t->n_dims > SAFETENSORS_MAX_DIMS)
        return err_set(e, "%d dimensions", t->n_dims);
    if (!find_dtype(t->dtype))
        return err_set(e, "dtype '%s' is not known", t->dtype);
    if (strcmp(t->name, METADATA) == 0 || json_member(header, t->name))
        return err_set(e, "the name is taken");
    int rc = check_bytes(t, e);
    size_t offsets[2] = {begin, begin + t->bytes};
    struct json *j = json_new_object();
    if (rc == 0)
        rc = add_member(j, "dtype", json_new_str(t->dtype), e);
    if (rc == 0)
        rc = add_member(j, "shape", new_sizes(t->dim, t->n_dims), e);
    if (rc == 0)
        rc = add_member(j, "data_offsets", new_sizes(offsets, 2), e);
    if (rc == 0)
        return add_member(header, t->name, j, e);
    json_free(j);
    return rc;
}

/* The metadata with the hash of the content; takes its time, as all tensors are read. */
static int describe_content(struct json *header, const struct safetensor *tensors, size_t n,
                            const struct json *metadata, struct err *e)
{
    struct json *copy = json_new_object(), *value;
    struct json_walk w = {0};
    const char *name;
    char text[HASH_TEXT_BYTES];
    int rc = copy ? 0 : err_set(e, "out of memory");
    while (rc == 0 && metadata && json_next(metadata, &w, &name, &value))
        if (strcmp(name, CONTENT) != 0)
            rc = add_member(copy, name, json_ref(value), e);
    hash_text(hash_content(tensors, n, metadata), text);
    if (rc == 0)
        rc = add_member(copy, CONTENT, json_new_str(text), e);
    if (rc == 0)
        return add_member(header, METADATA, copy, e);
    json_free(copy);
    return rc;
}

static int describe(struct json *header, const struct safetensor *tensors, size_t n,
                    struct json *metadata, struct err *e)
{
    size_t at = 0;
    int rc = metadata ? check_metadata(metadata, e) : 0;
    if (rc == 0)
        rc = describe_content(header, tensors, n, metadata, e);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = describe_tensor(header, &tensors[i], at, e);
        if (rc < 0)
            return err_add(e, "tensor '%s'", tensors[i].name);
        at += tensors[i].bytes;
    }
    return rc;
}

/* A failed write stays with the stream and is found at publication. */
static void write_all(FILE *f, const char *header, const struct safetensor *tensors, size_t n)
{
    size_t len = strlen(header);
    size_t padding =
        -(LENGTH_BYTES + len) % DATA_ALIGNMENT; /* blanks, so that the data is aligned */
    uint64_t header_bytes = len + padding;
    for (int i = 0; i < LENGTH_BYTES; i++)
        putc((int)(header_bytes >> 8 * i & 0xff), f);
    fwrite(header, 1, len, f);
    for (size_t i = 0; i < padding; i++)
        putc(' ', f);
    for (size_t i = 0; i < n; i++)
        if (tensors[i].bytes)
            fwrite(tensors[i].data, 1, tensors[i].bytes, f);
}

int safetensors_write(const char *path, const struct safetensor *tensors, size_t n,
                      struct json *metadata, struct err *e)
{
    struct file_out *f = NULL;
    struct json *header = json_new_object();
    int rc = header ? describe(header, tensors, n, metadata, e) : err_set(e, "out of memory");
    if (rc < 0)
        err_add(e, "%s", path);
    if (rc == 0)
        rc = file_out_open(&f, path, e);
    if (rc == 0) {
        write_all(file_out_stream(f), json_text(header), tensors, n);
        rc = file_out_publish(f, e);
    }
    json_free(header);
    return rc;
}

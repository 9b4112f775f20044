/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/npy.h"

#include <stdbool.h>
#include <string.h>

#include "common/base/num.h"

/* "\x93NUMPY", version 1.0, then the length of the header text (16 bits, little endian). */
static const unsigned char magic[8] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
enum { PREFIX_BYTES = 10, ALIGNMENT = 64, OLD_ALIGNMENT = 16 };

/* -- the header's text: a Python dict of a string or list, a bool and a tuple -- */

struct text {
    const char *at, *end;
};

static void skip_blanks(struct text *t)
{
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\n' || *t->at == '\t'))
        t->at++;
}

/* Passes over `c` and the blanks in front of it; false where something else stands there. */
static bool take(struct text *t, char c)
{
    skip_blanks(t);
    if (t->at == t->end || *t->at != c)
        return false;
    t->at++;
    return true;
}

/* A quoted string without escapes. The view lies in the header's text. */
static bool take_string(struct text *t, const char **string, size_t *len)
{
    skip_blanks(t);
    if (t->at == t->end || (*t->at != '\'' && *t->at != '"'))
        return false;
    const char *open = t->at;
    const char *close = memchr(open + 1, *open, (size_t)(t->end - open - 1));
    if (!close || memchr(open, '\\', (size_t)(close - open)))
        return false;
    *string = open + 1;
    *len = (size_t)(close - open - 1);
    t->at = close + 1;
    return true;
}

static bool take_size(struct text *t, size_t *out)
{
    skip_blanks(t);
    const char *first = t->at;
    size_t n = 0;
    for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++)
        if (!size_mul(n, 10, &n) || !size_add(n, (size_t)(*t->at - '0'), &n))
            return false;
    *out = n;
    return t->at > first;
}

static bool take_word(struct text *t, const char *word)
{
    skip_blanks(t);
    size_t len = strlen(word);
    if ((size_t)(t->end - t->at) < len || memcmp(t->at, word, len) != 0)
        return false;
    t->at += len;
    return true;
}

/* "(3, 4)", "(3,)" or "()". */
static int take_shape(struct text *t, size_t *dim, int *n_dims, struct err *e)
{
    int n = 0;
    if (!take(t, '('))
        return err_set(e, "shape is not a tuple");
    while (!take(t, ')')) {
        if (n == NPY_MAX_DIMS)
            return err_set(e, "more than %d dimensions", NPY_MAX_DIMS);
        if (!take_size(t, &dim[n]))
            return err_set(e, "shape holds something else than sizes");
        n++;
        if (!take(t, ',') && (n == 1 || t->at == t->end || *t->at != ')'))
            return err_set(e, "shape is not a tuple");
    }
    *n_dims = n;
    return 0;
}

/* -- element types -- */

static bool is_one_of(size_t n, const size_t *sizes)
{
    for (; *sizes; sizes++)
        if (n == *sizes)
            return true;
    return false;
}

/* Bytes of an element type such as "<f4", or 0 where it is none that we take. */
static size_t type_bytes(const char *type, size_t len)
{
    static const size_t integer[] = {1, 2, 4, 8, 0}, real[] = {2, 4, 8, 0}, complex[] = {8, 16, 0};
    struct text number = {type + 2, type + len};
    size_t n;
    if (len < 3 || !take_size(&number, &n) || number.at != number.end)
        return 0;
    char order = type[0];
    switch (type[1]) {
    case 'b':
        return order == '|' && n == 1 ? 1 : 0;
    case 'i':
    case 'u':
        return is_one_of(n, integer) && order == (n == 1 ? '|' : '<') ? n : 0;
    case 'f':
        return is_one_of(n, real) && order == '<' ? n : 0;
    case 'c':
        return is_one_of(n, complex) && order == '<' ? n : 0;
    case 'S':
    case 'V':
        return order == '|' ? n : 0;
    case 'U':
        return order == '<' && size_mul(n, 4, &n) ? n : 0;
    default:
        return 0;
    }
}

static int check_type(const char *type, size_t len, size_t *bytes, struct err *e)
{
    *bytes = type_bytes(type, len);
    if (*bytes)
        return 0;
    int shown = len > 40 ? 40 : (int)len;
    if (len > 2 && type[0] == '>')
        return err_set(e, "descr '%.*s' is big-endian", shown, type);
    return err_set(e, "descr '%.*s' is no type that is stored here", shown, type);
}

/* One column: ('name', '<f4') or ('name', '<f4', (3,)). Adds its bytes to `total`. */
static int take_column(struct text *t, size_t *total, struct err *e)
{
    const char *name, *type;
    size_t name_len, type_len, bytes;
    if (!take(t, '(') || !take_string(t, &name, &name_len) || !take(t, ',') ||
        !take_string(t, &type, &type_len))
        return err_set(e, "descr has a column that is not (name, type)");
    int rc = check_type(type, type_len, &bytes, e);
    if (rc < 0)
        return rc;
    if (take(t, ',') && (skip_blanks(t), t->at < t->end && *t->at == '(')) {
        size_t dim[NPY_MAX_DIMS];
        int n_dims;
        if ((rc = take_shape(t, dim, &n_dims, e)) < 0)
            return rc;
        for (int i = 0; i < n_dims; i++)
            if (!size_mul(bytes, dim[i], &bytes))
                return err_set(e, "descr has a column that is too large");
    }
    if (!take(t, ')'))
        return err_set(e, "descr has a column that is not (name, type)");
    return size_add(*total, bytes, total) ? 0 : err_set(e, "descr has too large columns");
}

static int take_columns(struct text *t, size_t *total, struct err *e)
{
    *total = 0;
    take(t, '[');
    while (!take(t, ']')) {
        int rc = take_column(t, total, e);
        if (rc < 0)
            return rc;
        if (!take(t, ',') && (t->at == t->end || *t->at != ']'))
            return err_set(e, "descr is not a list of columns");
    }
    return *total ? 0 : err_set(e, "descr is a list without columns");
}

/* Either form of descr, into a->descr (the text of a list as it stands) and a->item_bytes. */
static int take_descr(struct text *t, struct npy *a, struct err *e)
{
    const char *from;
    size_t len;
    int rc;
    skip_blanks(t);
    if (t->at < t->end && *t->at == '[') {
        from = t->at;
        rc = take_columns(t, &a->item_bytes, e);
        len = (size_t)(t->at - from);
    } else {
        if (!take_string(t, &from, &len))
            return err_set(e, "descr is neither a string nor a list");
        rc = check_type(from, len, &a->item_bytes, e);
    }
    if (rc < 0)
        return rc;
    if (len >= sizeof a->descr)
        return err_set(e, "descr is longer than %zu bytes", sizeof a->descr - 1);
    memcpy(a->descr, from, len);
    a->descr[len] = '\0';
    return 0;
}

enum { HAVE_DESCR = 1, HAVE_ORDER = 2, HAVE_SHAPE = 4, HAVE_ALL = 7 };

/* One member of the dict; returns its HAVE_ bit. */
static int take_member(struct text *t, struct npy *a, struct err *e)
{
    const char *name;
    size_t len;
    if (!take_string(t, &name, &len) || !take(t, ':'))
        return err_set(e, "header is not a dict");
    if (len == 5 && memcmp(name, "descr", 5) == 0)
        return take_descr(t, a, e) < 0 ? ERR_FAIL : HAVE_DESCR;
    if (len == 5 && memcmp(name, "shape", 5) == 0)
        return take_shape(t, a->dim, &a->n_dims, e) < 0 ? ERR_FAIL : HAVE_SHAPE;
    if (len != 13 || memcmp(name, "fortran_order", 13) != 0)
        return err_set(e, "header has an unknown member '%.*s'", len > 40 ? 40 : (int)len, name);
    if (take_word(t, "False"))
        return HAVE_ORDER;
    return take_word(t, "True") ? err_set(e, "is in Fortran order")
                                : err_set(e, "fortran_order is neither True nor False");
}

static int take_dict(struct text *t, struct npy *a, struct err *e)
{
    int have = 0;
    if (!take(t, '{'))
        return err_set(e, "header is not a dict");
    while (!take(t, '}')) {
        int bit = take_member(t, a, e);
        if (bit < 0)
            return bit;
        if (have & bit)
            return err_set(e, "header names a member twice");
        have |= bit;
        if (!take(t, ',') && (t->at == t->end || *t->at != '}'))
            return err_set(e, "header is not a dict");
    }
    skip_blanks(t);
    if (t->at != t->end)
        return err_set(e, "header goes on behind its dict");
    return have == HAVE_ALL ? 0 : err_set(e, "header lacks descr, fortran_order or shape");
}

/* item_bytes * dim[0] * ...; false on overflow. */
static bool array_bytes(const struct npy *a, size_t *out)
{
    size_t bytes = a->item_bytes;
    for (int i = 0; i < a->n_dims; i++)
        if (!size_mul(bytes, a->dim[i], &bytes))
            return false;
    *out = bytes;
    return true;
}

int npy_parse(struct npy *out, const void *bytes, size_t len, struct err *e)
{
    const unsigned char *b = bytes;
    if (len < PREFIX_BYTES || memcmp(b, magic, 6) != 0)
        return err_set(e, "not a .npy array");
    if (memcmp(b, magic, sizeof magic) != 0)
        return err_set(e, ".npy format version %u.%u, this program reads 1.0", b[6], b[7]);
    size_t header_len = b[8] | (size_t)b[9] << 8, data_bytes;
    if (header_len > len - PREFIX_BYTES)
        return err_set(e, ".npy header is cut off");
    if ((PREFIX_BYTES + header_len) % OLD_ALIGNMENT)
        return err_set(e, ".npy header of %zu bytes does not align the data", header_len);
    struct npy a = {0};
    struct text t = {(const char *)b + PREFIX_BYTES, (const char *)b + PREFIX_BYTES + header_len};
    if (take_dict(&t, &a, e) < 0)
        return err_add(e, ".npy");
    size_t have = len - PREFIX_BYTES - header_len;
    if (!array_bytes(&a, &data_bytes) || data_bytes != have)
        return err_set(e, ".npy shape and type do not fit the %zu bytes of data", have);
    a.data = b + PREFIX_BYTES + header_len;
    a.data_bytes = data_bytes;
    *out = a;
    return 0;
}

/* -- writing -- */

static int put_text(struct buf *out, const struct npy *a, struct err *e)
{
    const char *quote = a->descr[0] == '[' ? "" : "'";
    int rc = buf_printf(out, e, "{'descr': %s%s%s, 'fortran_order': False, 'shape': (", quote,
                        a->descr, quote);
    for (int i = 0; rc == 0 && i < a->n_dims; i++)
        rc = buf_printf(out, e, "%s%zu%s", i ? " " : "", a->dim[i],
                        i + 1 < a->n_dims || i == 0 ? "," : "");
    return rc < 0 ? rc : buf_printf(out, e, "), }");
}

int npy_put_header(struct buf *out, const struct npy *a, struct err *e)
{
    size_t start = out->len;
    if (a->n_dims < 0 || a->n_dims > NPY_MAX_DIMS)
        return err_set(e, "%d dimensions, not 0..%d", a->n_dims, NPY_MAX_DIMS);
    int rc = buf_append(out, magic, sizeof magic, e);
    if (rc == 0)
        rc = buf_append(out, "\0", 2, e);
    if (rc == 0)
        rc = put_text(out, a, e);
    size_t text_end = out->len - start + 1;
    size_t padding = (ALIGNMENT - text_end % ALIGNMENT) % ALIGNMENT;
    if (rc == 0)
        rc = buf_printf(out, e, "%*s\n", (int)padding, "");
    if (rc < 0)
        return rc;

    size_t text_bytes = out->len - start - PREFIX_BYTES;
    unsigned char *header = out->data + start;
    header[8] = text_bytes & 0xff;
    header[9] = (unsigned char)(text_bytes >> 8);
    /* Whatever the caller's descr holds, only a header that reads back is handed on. */
    struct text t = {(const char *)header + PREFIX_BYTES, (const char *)out->data + out->len};
    struct npy back;
    return take_dict(&t, &back, e) < 0 ? err_add(e, ".npy") : 0;
}

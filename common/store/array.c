/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/array.h"

#include <ctype.h>
#include <string.h>

static size_t n_items(int n_dims, const size_t *dim)
{
    size_t n = 1;
    for (int i = 0; i < n_dims; i++)
        n *= dim[i]; /* whoever made the array has checked that this fits */
    return n;
}

/* -- columns: the descr has been parsed before, so its form is known -- */

/* Copies what stands between the next two quotes; returns the text behind them, NULL without any.
 */
static const char *take_quoted(const char *at, char *out, size_t size)
{
    const char *open = strpbrk(at, "'\"");
    const char *close = open ? strchr(open + 1, *open) : NULL;
    if (!close)
        return NULL;
    snprintf(out, size, "%.*s", (int)(close - open - 1), open + 1);
    return close + 1;
}

/* "(2, 3)" behind a column's type: how many elements it has. */
static const char *take_count(const char *at, size_t *n)
{
    static const char between[] = "(, \t\n";
    *n = 1;
    at += strspn(at, between + 1);
    if (*at != '(')
        return at;
    while (isdigit((unsigned char)*(at += strspn(at, between))))
        *n *= strtoull(at, (char **)&at, 10);
    return at;
}

/* Bytes of an element of a type such as "<f4"; characters of "<U8" have four each. */
static size_t type_bytes(const char *type)
{
    size_t n = strtoull(type + 2, NULL, 10);
    return type[1] == 'U' ? 4 * n : n;
}

static int read_columns(struct array *a, struct err *e)
{
    char type[32];
    size_t offset = 0;
    const char *at = a->descr;
    while ((at = strchr(at, '('))) {
        struct array_column *c = &a->column[a->n_columns];
        if (a->n_columns == ARRAY_MAX_COLUMNS)
            return err_set(e, "more than %d columns", ARRAY_MAX_COLUMNS);
        if (!(at = take_quoted(at, c->name, sizeof c->name)) ||
            !(at = take_quoted(at, type, sizeof type)))
            return err_set(e, "descr is not a list of columns");
        c->type = scalar_from_descr(type, strlen(type), type_bytes(type));
        c->offset = offset;
        at = take_count(at, &c->n);
        offset += c->n * c->type.bytes;
        a->n_columns++;
    }
    return offset == a->type.bytes ? 0 : err_set(e, "descr is not a list of columns");
}

int array_from_npy(struct array *a, const struct npy *npy, struct err *e)
{
    memset(a, 0, sizeof *a);
    memcpy(a->descr, npy->descr, sizeof a->descr);
    memcpy(a->dim, npy->dim, sizeof a->dim);
    a->n_dims = npy->n_dims;
    a->n = n_items(a->n_dims, a->dim);
    a->data = npy->data;
    a->data_bytes = npy->data_bytes;
    a->type = scalar_from_descr(a->descr, strlen(a->descr), npy->item_bytes);
    return a->descr[0] == '[' ? read_columns(a, e) : 0;
}

void array_from_tensor(struct array *a, const struct safetensor *t)
{
    static const struct {
        const char *dtype, *descr;
        enum scalar_kind kind;
    } types[] = {
        {"BOOL", "|b1", SCALAR_BOOL}, {"U8", "|u1", SCALAR_UINT},  {"I8", "|i1", SCALAR_INT},
        {"U16", "<u2", SCALAR_UINT},  {"I16", "<i2", SCALAR_INT},  {"U32", "<u4", SCALAR_UINT},
        {"I32", "<i4", SCALAR_INT},   {"U64", "<u8", SCALAR_UINT}, {"I64", "<i8", SCALAR_INT},
        {"F16", "<f2", SCALAR_REAL},  {"F32", "<f4", SCALAR_REAL}, {"F64", "<f8", SCALAR_REAL},
        {"BF16", "", SCALAR_BFLOAT},
    };
    memset(a, 0, sizeof *a);
    a->type.bytes = safetensors_item_bytes(t->dtype);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].dtype, t->dtype) == 0) {
            a->type.kind = types[i].kind;
            snprintf(a->descr, sizeof a->descr, "%s", types[i].descr);
        }
    a->n_dims = t->n_dims;
    memcpy(a->dim, t->dim, (size_t)t->n_dims * sizeof *t->dim);
    a->n = n_items(a->n_dims, a->dim);
    a->data = t->data;
    a->data_bytes = t->bytes;
}

int array_shape_text(const struct array *a, struct buf *out, struct err *e)
{
    int rc = buf_printf(out, e, "[");
    for (int i = 0; rc == 0 && i < a->n_dims; i++)
        rc = buf_printf(out, e, "%s%zu", i ? "," : "", a->dim[i]);
    return rc < 0 ? rc : buf_printf(out, e, "]");
}

int array_type_text(const struct array *a, struct buf *out, struct err *e)
{
    if (a->n_columns)
        return buf_printf(out, e, "table");
    return buf_printf(out, e, "%s", scalar_name(a->type));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/inspect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/image.h"
#include "common/store/frames.h"
#include "common/store/source.h"
#include "kernels/render.h"

/* -- .npy -- */

/* NumPy has no bfloat16: as float32, which holds every value of it. */
static int widen(struct array *a, struct buf *data, struct err *e)
{
    size_t bytes = a->n * sizeof(float);
    if (buf_reserve(data, bytes, e) < 0)
        return ERR_FAIL;
    for (size_t i = 0; i < a->n; i++) {
        float x = (float)scalar_f64(a->type, array_item(a, i));
        memcpy(data->data + i * sizeof x, &x, sizeof x);
    }
    data->len = bytes;
    a->data = data->data;
    a->data_bytes = bytes;
    a->type = (struct scalar_type){SCALAR_REAL, sizeof(float)};
    snprintf(a->descr, sizeof a->descr, "<f4");
    return 0;
}

static int write_npy(const char *path, struct array a, struct err *e)
{
    struct buf data = {0}, out = {0};
    struct npy npy = {.n_dims = a.n_dims};
    int rc = 0;
    if (a.type.kind == SCALAR_BFLOAT)
        rc = widen(&a, &data, e);
    else if (!a.descr[0])
        rc = err_set(e, "NumPy has no type for these elements");
    memcpy(npy.descr, a.descr, sizeof npy.descr);
    memcpy(npy.dim, a.dim, sizeof npy.dim);
    if (rc == 0)
        rc = npy_put_header(&out, &npy, e);
    if (rc == 0)
        rc = buf_append(&out, a.data, a.data_bytes, e);
    if (rc == 0)
        rc = file_write(path, out.data, out.len, e);
    buf_release(&data);
    buf_release(&out);
    return rc;
}

/* -- frames as pictures -- */

/* What the record of the video says of its frame `key`. */
static int read_info(struct source *s, const char *key, struct frames_info *info, struct err *e)
{
    struct record r;
    char *id = path_folder(key);
    int rc = id ? source_get(s, id, &r, e) : err_set(e, "out of memory");
    if (rc == 0) {
        struct json *j = source_json(&r, e);
        rc = j ? frames_info_from_json(info, j, e) : ERR_FAIL;
        json_free(j);
    }
    free(id);
    return rc;
}

static int draw_frame(struct image *im, const struct array *a, const struct frames_info *info,
                      struct err *e)
{
    size_t n_rows = (size_t)info->stored_height / 2 * 3, stride = (size_t)info->stored_width;
    if (strcmp(a->descr, "|u1") != 0 || a->n_dims != 2 || a->dim[0] != n_rows ||
        a->dim[1] != stride)
        return err_set(e, "not a picture |u1 [%zu, %zu]", n_rows, stride);
    const uint8_t *pictures[] = {a->data};
    struct clip_pixels pixels = {.picture = pictures,
                                 .n_frames = 1,
                                 .width = info->width,
                                 .height = info->height,
                                 .stored_width = info->stored_width,
                                 .stored_height = info->stored_height,
                                 .matrix = (int)info->matrix,
                                 .full_range = info->full_range};
    int rc = image_init(im, (size_t)info->width, (size_t)info->height, 0, e);
    return rc < 0 ? rc : render_picture(&pixels, 0, im->rgb, e);
}

/* -- arrays as pictures -- */

static void find_range(const struct array *a, double *min, double *max)
{
    *min = HUGE_VAL;
    *max = -HUGE_VAL;
    for (size_t i = 0; i < a->n; i++) {
        double x = scalar_f64(a->type, array_item(a, i));
        if (!isfinite(x))
            continue;
        *min = x < *min ? x : *min;
        *max = x > *max ? x : *max;
    }
}

/* Bytes as greys; other numbers from the smallest, dark, to the largest, bright. */
static int draw_array(struct image *im, const struct array *a, struct err *e)
{
    enum { MAX_SIDE = 16384, WANTED_SIDE = 256 };
    size_t width = a->n_dims ? a->dim[a->n_dims - 1] : 1;
    size_t height = a->n_dims == 2 ? a->dim[0] : 1;
    if (!scalar_is_number(a->type) || a->n_dims > 2 || a->n == 0)
        return err_set(e, "only numbers in one or two dimensions make a picture");
    if (width > MAX_SIDE || height > MAX_SIDE)
        return err_set(e, "a picture of %zu x %zu pixels is too large", width, height);
    size_t side = width > height ? width : height;
    size_t scale = side < WANTED_SIDE ? WANTED_SIDE / side : 1;
    bool grey = a->type.kind == SCALAR_UINT && a->type.bytes == 1;
    double min, max;
    find_range(a, &min, &max);
    int rc = image_init(im, width * scale, height * scale, 0, e);
    for (size_t i = 0; rc == 0 && i < a->n; i++) {
        double x = scalar_f64(a->type, array_item(a, i));
        struct image_box dot = {(long)(i % width * scale), (long)(i / width * scale), scale, scale};
        uint32_t heat = image_heat(max > min ? (x - min) / (max - min) : isnan(x) ? x : 0.5);
        image_fill(im, dot, grey ? (uint32_t)x * 0x010101 : heat);
    }
    return rc;
}

static int write_png(const char *path, struct source *s, const struct record *r,
                     const struct array *a, struct err *e)
{
    struct image im = {0};
    struct frames_info info;
    int rc = source_holds_frames(s) ? read_info(s, r->key, &info, e) : 0;
    if (rc == 0)
        rc = source_holds_frames(s) ? draw_frame(&im, a, &info, e) : draw_array(&im, a, e);
    if (rc < 0)
        err_add(e, "%s: %s", r->path, r->key);
    else
        rc = image_write_png(path, &im, e);
    image_release(&im);
    return rc;
}

/* -- both -- */

static int export_record(const struct inspect *i, struct source *s, struct err *e)
{
    struct record r;
    struct array a;
    int rc = source_get(s, i->key, &r, e);
    if (rc < 0)
        return rc;
    if (!r.is_array)
        return err_set(e, "%s: %s: is JSON, not an array: `show` prints it", i->path, i->key);
    rc = source_array(s, &r, &a, e);
    if (rc == 0 && i->npy && (rc = write_npy(i->npy, a, e)) < 0)
        err_add(e, "%s: %s", i->path, i->key);
    if (rc == 0 && i->png)
        rc = write_png(i->png, s, &r, &a, e);
    return rc;
}

int inspect_export(const struct inspect *i, struct err *e)
{
    struct source *s;
    int rc = source_open(&s, i->path, e);
    if (rc < 0)
        return rc;
    rc = export_record(i, s, e);
    source_close(s);
    return rc;
}

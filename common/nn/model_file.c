/* SPDX-License-Identifier: Apache-2.0 */
/* Models as .safetensors in PyTorch's layout: convolutions [O, I, kt, kh, kw], linear layers [O,
 * I]. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/nn/model.h"
#include "common/store/safetensors.h"

static const char velocity_prefix[] = "velocity.";

/* -- description <-> JSON -- */

struct json *model_desc_to_json(const struct model_desc *d)
{
    struct json *j = json_new_object(), *heads = json_new_array();
    for (int i = 0; i < d->n_heads; i++)
        json_append(heads, json_new_str(d->head[i]));
    json_add(j, "backbone", json_new_str(d->backbone));
    json_add(j, "heads", heads);
    json_add(j, "head_width", json_new_i64((int64_t)d->head_width));
    json_add(j, "head_dim", json_new_i64((int64_t)d->head_dim));
    json_add(j, "head_layers", json_new_i64(d->head_layers));
    if (d->task != MODEL_PRETRAIN) {
        json_add(j, "task", json_new_str(model_task_names[d->task]));
        json_add(j, "n_classes", json_new_i64((int64_t)d->n_classes));
    }
    return j;
}

static int get_size(const struct json *j, const char *name, int64_t max, int64_t *out,
                    struct err *e)
{
    if (json_get_i64(j, name, out, e) < 0)
        return ERR_FAIL;
    return *out >= 0 && *out <= max ? 0
                                    : err_set(e, "%s: %lld is out of range", name, (long long)*out);
}

/* Absent: pre-training, without a classifier. */
static int get_task(struct model_desc *d, const struct json *j, struct err *e)
{
    const char *name;
    int64_t n_classes;
    if (!json_member(j, "task"))
        return 0;
    if (json_get_str(j, "task", &name, e) < 0 ||
        get_size(j, "n_classes", 1 << 16, &n_classes, e) < 0)
        return ERR_FAIL;
    while (model_task_names[d->task] && strcmp(model_task_names[d->task], name) != 0)
        d->task++;
    if (!model_task_names[d->task])
        return err_set(e, "task: %s: unknown", name);
    if ((d->task == MODEL_PRETRAIN) != (n_classes == 0))
        return err_set(e, "n_classes: %lld do not go with task %s", (long long)n_classes, name);
    d->n_classes = (size_t)n_classes;
    return 0;
}

int model_desc_from_json(struct model_desc *d, const struct json *j, struct err *e)
{
    const char *backbone, *name;
    struct json *heads;
    int64_t width, dim, layers;
    if (json_get_str(j, "backbone", &backbone, e) < 0 ||
        json_get_array(j, "heads", &heads, e) < 0 ||
        get_size(j, "head_width", 1 << 16, &width, e) < 0 ||
        get_size(j, "head_dim", 1 << 16, &dim, e) < 0 ||
        get_size(j, "head_layers", ARCH_MAX_UNITS - 1, &layers, e) < 0)
        return ERR_FAIL;
    if (json_len(heads) > MODEL_MAX_HEADS)
        return err_set(e, "heads: %zu, at most %d", json_len(heads), MODEL_MAX_HEADS);
    memset(d, 0, sizeof *d);
    d->n_heads = (int)json_len(heads);
    d->head_width = (size_t)width;
    d->head_dim = (size_t)dim;
    d->head_layers = (int)layers;
    for (int i = 0; i < d->n_heads; i++) {
        name = json_str(json_at(heads, (size_t)i));
        if (!name || strlen(name) >= sizeof d->head[i])
            return err_set(e, "heads: number %d is not a name", i);
        snprintf(d->head[i], sizeof d->head[i], "%s", name);
    }
    if (snprintf(d->backbone, sizeof d->backbone, "%s", backbone) >= (int)sizeof d->backbone)
        return err_set(e, "backbone: %s: unknown", backbone);
    return get_task(d, j, e);
}

/* -- layouts -- */

/* [O, K, I] <-> [O, I, K] with K = kt kh kw. */
static void to_torch(const struct param *p, const float *from, float *to)
{
    size_t k = p->dim[1] * p->dim[2] * p->dim[3], in = p->dim[4];
    for (size_t o = 0; o < p->dim[0]; o++)
        for (size_t i = 0; i < in; i++)
            for (size_t s = 0; s < k; s++)
                to[(o * in + i) * k + s] = from[(o * k + s) * in + i];
}

static void from_torch(const struct param *p, const float *from, float *to)
{
    size_t k = p->dim[1] * p->dim[2] * p->dim[3], in = p->dim[4];
    for (size_t o = 0; o < p->dim[0]; o++)
        for (size_t s = 0; s < k; s++)
            for (size_t i = 0; i < in; i++)
                to[(o * k + s) * in + i] = from[(o * in + i) * k + s];
}

/* The shape in a file. */
static int torch_dims(const struct param *p, size_t dim[5])
{
    if (p->kind == PARAM_CONV) {
        size_t d[5] = {p->dim[0], p->dim[4], p->dim[1], p->dim[2], p->dim[3]};
        memcpy(dim, d, sizeof d);
        return 5;
    }
    memcpy(dim, p->dim, sizeof p->dim);
    return p->kind == PARAM_LINEAR ? 2 : 1;
}

/* -- saving -- */

struct writer {
    struct safetensor *tensor;
    char (*name)[sizeof(((struct param *)0)->name) + sizeof velocity_prefix];
    float *values;  /* all tensors in the file's layout */
    float *scratch; /* one tensor in ours */
    size_t n, n_values;
};

static int writer_init(struct writer *w, const struct model *m, size_t n_tensors, size_t n_values,
                       struct err *e)
{
    size_t longest = 0;
    for (size_t i = 0; i < m->n_param; i++)
        longest = m->param[i].len > longest ? m->param[i].len : longest;
    memset(w, 0, sizeof *w);
    w->tensor = mem_new(n_tensors, sizeof *w->tensor, e);
    w->name = mem_new(n_tensors, sizeof *w->name, e);
    w->values = mem_new(n_values, sizeof *w->values, e);
    w->scratch = mem_new(longest, sizeof *w->scratch, e);
    return w->tensor && w->name && w->values && w->scratch ? 0 : ERR_FAIL;
}

static void writer_release(struct writer *w)
{
    free(w->tensor);
    free(w->name);
    free(w->values);
    free(w->scratch);
}

static int writer_add(struct writer *w, struct model *m, const struct param *p, const char *prefix,
                      const float *device, struct err *e)
{
    struct backend *b = m->backend;
    float *to = w->values + w->n_values;
    float *target = p->kind == PARAM_CONV ? w->scratch : to;
    if (b->ops->download(b, target, device + p->offset, p->len * sizeof *to, e) < 0)
        return ERR_FAIL;
    if (p->kind == PARAM_CONV)
        to_torch(p, w->scratch, to);
    struct safetensor *t = &w->tensor[w->n];
    snprintf(w->name[w->n], sizeof w->name[w->n], "%s%s", prefix, p->name);
    t->name = w->name[w->n];
    t->dtype = "F32";
    t->n_dims = torch_dims(p, t->dim);
    t->data = to;
    t->bytes = p->len * sizeof *to;
    w->n++;
    w->n_values += p->len;
    return 0;
}

static int save(struct model *m, const char *path, bool weights, bool optimizer,
                struct json *metadata, struct err *e)
{
    struct writer w;
    size_t n_tensors = 2 * m->n_param, n_values = 2 * (m->n_values + m->n_stats);
    int rc = writer_init(&w, m, n_tensors, n_values, e);
    for (size_t i = 0; i < m->n_param && rc == 0 && weights; i++) {
        const struct param *p = &m->param[i];
        rc = writer_add(&w, m, p, "", p->kind == PARAM_STATISTIC ? m->stats : m->params, e);
    }
    for (size_t i = 0; i < m->n_trainable_tensors && rc == 0 && optimizer; i++)
        rc = writer_add(&w, m, &m->param[i], velocity_prefix, m->velocity, e);
    if (rc == 0) {
        struct json *desc = model_desc_to_json(&m->desc);
        json_remove(metadata, "format");
        json_remove(metadata, "model");
        json_add(metadata, "format", json_new_str("pt"));
        json_add(metadata, "model", json_new_str(json_text(desc)));
        json_free(desc);
        rc = safetensors_write(path, w.tensor, w.n, metadata, e);
    }
    writer_release(&w);
    return rc;
}

int model_save(struct model *m, const char *path, bool optimizer, struct json *metadata,
               struct err *e)
{
    return save(m, path, true, optimizer, metadata, e);
}

int model_save_optimizer(struct model *m, const char *path, struct json *metadata, struct err *e)
{
    return save(m, path, false, true, metadata, e);
}

/* -- loading -- */

int model_file_identity(const char *path, char out[HASH_TEXT_BYTES], struct err *e)
{
    struct buf bytes = {0};
    int rc = file_read(path, &bytes, e);
    if (rc == 0)
        hash_text(hash_bytes(bytes.data, bytes.len), out);
    buf_release(&bytes);
    return rc;
}

static int read_desc(const struct safetensors *f, struct model_desc *d, struct err *e)
{
    const char *text;
    if (json_get_str(safetensors_metadata(f), "model", &text, NULL) < 0)
        return err_set(e, "not a model of teg-train: its metadata has no member \"model\"");
    struct json *j = json_parse(text, strlen(text), e);
    int rc = j ? model_desc_from_json(d, j, e) : ERR_FAIL;
    json_free(j);
    return rc < 0 ? err_add(e, "metadata: model") : 0;
}

int model_open(struct safetensors **out, const char *path, struct model_desc *d, struct err *e)
{
    struct safetensors *f;
    if (safetensors_open(&f, path, e) < 0)
        return ERR_FAIL;
    if (read_desc(f, d, e) < 0) {
        safetensors_close(f);
        return err_add(e, "%s", path);
    }
    *out = f;
    return 0;
}

struct json *model_classes(const struct safetensors *f, size_t n, struct err *e)
{
    const char *text;
    if (json_get_str(safetensors_metadata(f), "classes", &text, e) < 0) {
        err_add(e, "metadata");
        return NULL;
    }
    struct json *list = json_parse(text, strlen(text), e);
    bool good = json_kind(list) == JSON_ARRAY && json_len(list) == n;
    for (size_t i = 0; good && i < n; i++)
        good = json_str(json_at(list, i)) != NULL;
    if (good)
        return list;
    err_set(e, "metadata: classes: not a list of %zu names", n);
    json_free(list);
    return NULL;
}

size_t model_setting(const struct safetensors *f, const char *name)
{
    const char *text;
    int64_t number = 0;
    if (json_get_str(safetensors_metadata(f), "settings", &text, NULL) < 0)
        return 0;
    struct json *settings = json_parse(text, strlen(text), NULL);
    if (settings && json_get_i64(settings, name, &number, NULL) < 0)
        number = 0;
    json_free(settings);
    return number > 0 ? (size_t)number : 0;
}

static int check_finite(const char *name, const float *values, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return err_set(e, "tensor %s: number %zu is not finite", name, i);
    return 0;
}

static int load_tensor(struct model *m, const struct safetensor *t, const struct param *p,
                       float *device, struct err *e)
{
    size_t dim[5];
    int n_dims = torch_dims(p, dim);
    bool same = t->n_dims == n_dims;
    for (int i = 0; i < n_dims && same; i++)
        same = t->dim[i] == dim[i];
    if (!same || strcmp(t->dtype, "F32") != 0)
        return err_set(e, "tensor %s: not a float32 tensor of the shape that %s has", t->name,
                       m->desc.backbone);
    float *theirs = mem_new(p->len, sizeof *theirs, e), *ours = mem_new(p->len, sizeof *ours, e);
    int rc = theirs && ours ? 0 : ERR_FAIL;
    if (rc == 0) {
        memcpy(theirs, t->data, p->len * sizeof *theirs); /* files need not be aligned */
        rc = check_finite(t->name, theirs, p->len, e);
    }
    if (rc == 0) {
        if (p->kind == PARAM_CONV)
            from_torch(p, theirs, ours);
        struct backend *b = m->backend;
        rc = b->ops->upload(b, device + p->offset, p->kind == PARAM_CONV ? ours : theirs,
                            p->len * sizeof *ours, e);
    }
    free(theirs);
    free(ours);
    return rc;
}

static bool of_top(const struct model *m, const char *name)
{
    static const char *const prefixes[] = {"classifier.", "decoder.", "position."};
    for (size_t i = 0; m->desc.n_classes && i < sizeof prefixes / sizeof *prefixes; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    for (int i = 0; i < m->desc.n_heads; i++) {
        size_t len = strlen(m->desc.head[i]);
        if (strncmp(name, m->desc.head[i], len) == 0 && name[len] == '.')
            return true;
    }
    return false;
}

int model_load(struct model *m, const struct safetensors *f, bool optimizer, enum model_tops tops,
               struct err *e)
{
    for (size_t i = 0; i < m->n_param; i++) {
        const struct param *p = &m->param[i];
        const struct safetensor *t = safetensors_find(f, p->name);
        if ((tops == TOPS_NONE || (!t && tops == TOPS_IF_THERE)) && of_top(m, p->name))
            continue;
        if (!t)
            return err_set(e, "tensor %s of %s is missing", p->name, m->desc.backbone);
        if (load_tensor(m, t, p, p->kind == PARAM_STATISTIC ? m->stats : m->params, e) < 0)
            return ERR_FAIL;
    }
    for (size_t i = 0; i < m->n_trainable_tensors && optimizer; i++) {
        char name[sizeof m->param[i].name + sizeof velocity_prefix];
        snprintf(name, sizeof name, "%s%s", velocity_prefix, m->param[i].name);
        const struct safetensor *t = safetensors_find(f, name);
        if (!t)
            return err_set(e, "tensor %s is missing", name);
        if (load_tensor(m, t, &m->param[i], m->velocity, e) < 0)
            return ERR_FAIL;
    }
    /* Last, as what was found so far says more than that something is damaged. */
    return safetensors_check_content(f, e) < 0 ? ERR_FAIL : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/datasets/index_summary.h"

#include <string.h>

int index_summary_init(struct index_summary *s, struct err *e)
{
    *s = (struct index_summary){.splits = json_new_object(), .classes = json_new_object()};
    if (s->splits && s->classes)
        return 0;
    index_summary_release(s);
    return err_set(e, "out of memory");
}

void index_summary_release(struct index_summary *s)
{
    json_free(s->splits);
    json_free(s->classes);
    *s = (struct index_summary){0};
}

static int add_count(struct json *row, const char *name, bool one)
{
    int64_t n = json_i64(json_member(row, name)) + one;
    return json_add(row, name, json_new_i64(n));
}

static int add_to(struct json *table, const char *name, const struct index_counts *c)
{
    struct json *row = json_member(table, name);
    if (!row) {
        row = json_new_object();
        if (json_add(table, name, row) < 0)
            return ERR_FAIL;
    }
    if (add_count(row, "found", c->found) < 0 || add_count(row, "missing", c->missing) < 0)
        return ERR_FAIL;
    return add_count(row, "bad", c->bad);
}

int index_summary_add(struct index_summary *s, const struct video *v, struct err *e)
{
    bool missing = !v->ok && v->reason && strcmp(v->reason, INDEX_MISSING) == 0;
    struct index_counts one = {
        .found = v->ok, .missing = missing, .bad = !v->ok && !missing, .noted = v->ok && v->reason};
    s->all.found += one.found;
    s->all.missing += one.missing;
    s->all.bad += one.bad;
    s->all.noted += one.noted;
    if (add_to(s->splits, v->split ? v->split : "none", &one) < 0)
        return err_set(e, "out of memory");
    if (v->class_name && add_to(s->classes, v->class_name, &one) < 0)
        return err_set(e, "out of memory");
    return 0;
}

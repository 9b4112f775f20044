/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/train_window.h"

#include "common/base/ui.h"

void train_window_reset(struct train_window *w)
{
    *w = (struct train_window){.began = ui_seconds()};
}

void train_window_add(struct train_window *w, double loss, const double *value, size_t n_values)
{
    w->n_steps++;
    w->n_timed++;
    w->loss += loss;
    for (size_t i = 0; i < n_values; i++)
        w->value[i] += value[i];
}

struct json *train_window_to_json(const struct train_window *w, size_t n_values)
{
    struct json *list = json_new_array();
    json_append(list, json_new_i64((int64_t)w->n_steps));
    json_append(list, json_new_f64(w->loss));
    for (size_t i = 0; i < n_values; i++)
        json_append(list, json_new_f64(w->value[i]));
    return list;
}

int train_window_from_json(struct train_window *w, const struct json *j, size_t n_values,
                           struct err *e)
{
    size_t n = 2 + n_values;
    if (json_kind(j) != JSON_ARRAY || json_len(j) != n || json_kind(json_at(j, 0)) != JSON_INT)
        return err_set(e, "window: not %zu numbers", n);
    for (size_t i = 1; i < n; i++)
        if (json_kind(json_at(j, i)) != JSON_REAL)
            return err_set(e, "window: number %zu is not real", i);
    train_window_reset(w);
    w->n_steps = (size_t)json_i64(json_at(j, 0));
    w->loss = json_f64(json_at(j, 1));
    for (size_t i = 0; i < n_values; i++)
        w->value[i] = json_f64(json_at(j, 2 + i));
    return 0;
}

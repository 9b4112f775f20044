/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/train_window.h"

#include "common/base/ui.h"

enum { MAX_NUMBERS = 2 + 3 * OBJECTIVE_MAX };

void train_window_reset(struct train_window *w)
{
    *w = (struct train_window){.began = ui_seconds()};
}

void train_window_add(struct train_window *w, double loss, const struct loss_part *part,
                      int n_parts)
{
    w->n_steps++;
    w->n_timed++;
    w->loss += loss;
    for (int i = 0; i < n_parts; i++) {
        w->part[i].loss += part[i].loss;
        w->part[i].positive_sim += part[i].positive_sim;
        w->part[i].negative_sim += part[i].negative_sim;
    }
}

struct json *train_window_to_json(const struct train_window *w, int n_parts)
{
    struct json *list = json_new_array();
    json_append(list, json_new_i64((int64_t)w->n_steps));
    json_append(list, json_new_f64(w->loss));
    for (int i = 0; i < n_parts; i++) {
        json_append(list, json_new_f64(w->part[i].loss));
        json_append(list, json_new_f64(w->part[i].positive_sim));
        json_append(list, json_new_f64(w->part[i].negative_sim));
    }
    return list;
}

int train_window_from_json(struct train_window *w, const struct json *j, int n_parts, struct err *e)
{
    double x[MAX_NUMBERS] = {0};
    size_t n = 2 + 3 * (size_t)n_parts;
    if (json_kind(j) != JSON_ARRAY || json_len(j) != n || json_kind(json_at(j, 0)) != JSON_INT)
        return err_set(e, "window: not %zu numbers", n);
    for (size_t i = 0; i < n; i++) {
        if (i && json_kind(json_at(j, i)) != JSON_REAL)
            return err_set(e, "window: number %zu is not real", i);
        x[i] = json_f64(json_at(j, i));
    }
    train_window_reset(w);
    w->n_steps = (size_t)json_i64(json_at(j, 0));
    w->loss = x[1];
    for (int i = 0; i < n_parts; i++)
        w->part[i] = (struct loss_part){x[2 + 3 * i], x[3 + 3 * i], x[4 + 3 * i]};
    return 0;
}

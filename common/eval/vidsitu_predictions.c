/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/vidsitu_predictions.h"

#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/json.h"

int vidsitu_predictions_init(struct vidsitu_predictions *p, size_t n_videos, struct intern *verbs,
                             struct err *e)
{
    *p = (struct vidsitu_predictions){.verbs = verbs, .n_videos = n_videos};
    p->videos = mem_new(n_videos, sizeof *p->videos, e);
    return p->videos ? 0 : ERR_FAIL;
}

void vidsitu_predictions_release(struct vidsitu_predictions *p)
{
    free(p->videos);
    *p = (struct vidsitu_predictions){0};
}

static int take_verbs(struct vidsitu_predictions *p, const struct json *verbs,
                      struct vidsitu_prediction *out, size_t event, struct err *e)
{
    if (json_kind(verbs) != JSON_ARRAY)
        return err_set(e, "expected an array of verbs");
    for (size_t i = 0; i < json_len(verbs); i++) {
        const char *verb = json_str(json_at(verbs, i));
        if (!verb)
            return err_set(e, "%zu: expected a string", i);
        if (i >= VIDSITU_TOP)
            continue;
        if (intern_add(p->verbs, verb, &out->verbs[event][i], e) < 0)
            return ERR_FAIL;
        out->n[event]++;
    }
    return 0;
}

/* Of several entries for a video the first counts. */
static int take_entry(struct vidsitu_predictions *p, const struct json *entry, struct err *e)
{
    struct json *lists;
    int64_t at;
    struct vidsitu_prediction out = {.there = true};
    if (json_get_i64(entry, "ann_idx", &at, e) < 0 ||
        json_get_array(entry, "pred_vbs_ev", &lists, e) < 0)
        return ERR_FAIL;
    if (at < 0 || (uint64_t)at >= p->n_videos)
        return err_set(e, "ann_idx is %lld, but the split has %zu videos", (long long)at,
                       p->n_videos);
    if (json_len(lists) != VIDSITU_EVENTS)
        return err_set(e, "pred_vbs_ev: %zu lists, not one for each of %d events", json_len(lists),
                       VIDSITU_EVENTS);
    for (size_t k = 0; k < VIDSITU_EVENTS; k++)
        if (take_verbs(p, json_at(lists, k), &out, k, e) < 0)
            return err_add(e, "pred_vbs_ev: %zu", k);
    if (p->videos[at].there) {
        p->n_repeated++;
        return 0;
    }
    p->videos[at] = out;
    p->n_predicted++;
    return 0;
}

int vidsitu_predictions_read_text(struct vidsitu_predictions *p, const char *text, size_t len,
                                  struct err *e)
{
    struct json *list = json_parse(text, len, e);
    int rc = list ? 0 : ERR_FAIL;
    if (rc == 0 && json_kind(list) != JSON_ARRAY)
        rc = err_set(e, "not an array of predictions");
    for (size_t i = 0; rc == 0 && i < json_len(list); i++)
        if ((rc = take_entry(p, json_at(list, i), e)) < 0)
            err_add(e, "entry %zu", i + 1);
    json_free(list);
    return rc;
}

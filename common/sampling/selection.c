/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sampling/selection.h"

#include "common/base/buf.h"

/* Pictures whose sides the columns of the table cannot hold do not exist in practice; long videos
 * do. */
enum { MAX_SIDE = UINT16_MAX };
static const int64_t max_frames = INT32_MAX / 2;

static int leave_out(struct selection *s, const char *id, const char *reason, struct err *e)
{
    struct json *entry = json_new_object();
    int rc = json_add(entry, "id", json_new_str(id));
    rc |= json_add(entry, "reason", json_new_str(reason));
    rc |= json_append(s->left_out, entry);
    return rc ? err_set(e, "out of memory") : 0;
}

static int check_size(const char *id, const struct frames_info *info, struct err *e)
{
    if (info->n_frames > max_frames)
        return err_set(e, "%s: %lld frames; at most %lld can be sampled", id,
                       (long long)info->n_frames, (long long)max_frames);
    if (info->width < 1 || info->height < 1 || info->width > MAX_SIDE || info->height > MAX_SIDE)
        return err_set(e, "%s: pictures of %dx%d; the sides must be 1..%d", id, info->width,
                       info->height, MAX_SIDE);
    return 0;
}

/* Takes a video (its id and record are filled in) or lists why not. */
static int consider(struct selection *s, struct frames *frames, struct selected v, struct err *e)
{
    s->n_wanted++;
    if (v.record && !v.record->ok)
        return leave_out(s, v.id, v.record->reason, e);
    long at = frames_find(frames, v.id);
    if (at < 0)
        return leave_out(s, v.id, "not in the frames store", e);
    v.id = frames_id(frames, (size_t)at);
    v.info = frames_video(frames, (size_t)at);
    if (v.info->n_frames < 1)
        return leave_out(s, v.id, v.info->reason[0] ? v.info->reason : "no frames", e);
    if (check_size(v.id, v.info, e) < 0)
        return ERR_FAIL;
    s->n_partial += !v.info->ok;
    s->video[s->n++] = v;
    return 0;
}

static bool in_split(const struct video *v, const char *split)
{
    return !split || (v->split && strcmp(v->split, split) == 0);
}

static int consider_all(struct selection *s, struct frames *frames, const struct index *index,
                        const char *split, struct err *e)
{
    size_t n = index ? index_n_videos(index) : frames_n_videos(frames);
    for (size_t i = 0; i < n; i++) {
        const struct video *record = index ? index_video(index, i) : NULL;
        struct selected v = {record ? record->id : frames_id(frames, i), record, NULL, -1};
        if (record && !in_split(record, split))
            continue;
        if (record && record->class_name)
            v.class_number = index_class_number(index, false, record->class_name);
        if (consider(s, frames, v, e) < 0)
            return err_add(e, "%s", store_path(frames_store(frames)));
    }
    return 0;
}

int selection_init(struct selection *s, struct frames *frames, const struct index *index,
                   const char *split, struct err *e)
{
    *s = (struct selection){0};
    if (index && store_check_input(frames_store(frames), "index", index_store(index), e) < 0)
        return ERR_FAIL;
    if (!index && split)
        return err_set(e, "split %s: an index is needed to tell the splits", split);
    size_t n = index ? index_n_videos(index) : frames_n_videos(frames);
    s->video = mem_new(n ? n : 1, sizeof(*s->video), e);
    if (!s->video)
        return ERR_FAIL;
    s->left_out = json_new_array();
    int rc = s->left_out ? consider_all(s, frames, index, split, e) : err_set(e, "out of memory");
    if (rc < 0)
        selection_release(s);
    return rc;
}

void selection_release(struct selection *s)
{
    free(s->video);
    json_free(s->left_out);
    *s = (struct selection){0};
}

size_t selection_n_left_out(const struct selection *s)
{
    return json_len(s->left_out);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "common/store/fields.h"
#include "common/store/index.h"

/* A check of one item of a list. */
typedef int item_check(const struct json *item, struct err *e);

static int check_list(const struct json *list, item_check *check, struct err *e)
{
    if (json_kind(list) != JSON_ARRAY)
        return err_set(e, "expected an array");
    for (size_t i = 0; i < json_len(list); i++)
        if (check(json_at(list, i), e) < 0)
            return err_add(e, "%zu", i);
    return 0;
}

static int check_number(const struct json *j, struct err *e)
{
    return json_is_finite(j) ? 0 : err_set(e, "expected a finite number");
}

static int check_seconds(const struct json *j, struct err *e)
{
    return json_is_finite(j) && json_f64(j) >= 0 ? 0
                                                 : err_set(e, "expected a number from 0 upwards");
}

static int check_rater(const struct json *times, struct err *e)
{
    return check_list(times, check_seconds, e);
}

/* Null stands for what the data set gives as not a number. */
static int check_agreement(const struct json *j, struct err *e)
{
    return json_kind(j) == JSON_NULL ? 0 : check_number(j, e);
}

static int check_action(const struct json *j, struct err *e)
{
    return json_kind(j) == JSON_INT && json_i64(j) >= 0
               ? 0
               : err_set(e, "expected an integer from 0 upwards");
}

static int check_key_frame(const struct json *j, struct err *e)
{
    static const char *const known[] = {"time", "timestamp", "excluded", NULL};
    double time;
    const char *timestamp;
    bool excluded;
    if (fields_check(j, known, e) < 0 || fields_f64(j, "time", 0, &time, e) < 0 ||
        json_get_str(j, "timestamp", &timestamp, e) < 0)
        return ERR_FAIL;
    return fields_has(j, "excluded") ? json_get_bool(j, "excluded", &excluded, e) : 0;
}

static int check_corners(const struct json *j, struct err *e)
{
    struct json *box;
    if (json_get_array(j, "box", &box, e) < 0)
        return ERR_FAIL;
    if (json_len(box) != 4)
        return err_set(e, "box: %zu numbers, not 4", json_len(box));
    if (check_list(box, check_number, e) < 0)
        return err_add(e, "box");
    for (size_t i = 0; i < 2; i++)
        if (json_f64(json_at(box, i)) > json_f64(json_at(box, i + 2)))
            return err_set(e, "box: ends before it begins");
    return 0;
}

static int check_box(const struct json *j, struct err *e)
{
    static const char *const known[] = {"time", "box", "labels", "person", "score", NULL};
    double number;
    int64_t person;
    if (fields_check(j, known, e) < 0 || fields_f64(j, "time", 0, &number, e) < 0 ||
        check_corners(j, e) < 0)
        return ERR_FAIL;
    if (fields_has(j, "labels") && check_list(json_member(j, "labels"), check_action, e) < 0)
        return err_add(e, "labels");
    if (fields_has(j, "person") && fields_i64(j, "person", 0, &person, e) < 0)
        return ERR_FAIL;
    return fields_has(j, "score") ? fields_f64(j, "score", 0, &number, e) : 0;
}

int index_check_extra(const struct json *extra, struct err *e)
{
    static const struct {
        const char *name;
        item_check *check;
    } lists[] = {{"boundaries", check_rater},
                 {"consistency", check_agreement},
                 {"key_frames", check_key_frame},
                 {"boxes", check_box}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const struct json *list = json_member(extra, lists[i].name);
        if (list && check_list(list, lists[i].check, e) < 0)
            return err_add(e, "%s", lists[i].name);
    }
    const struct json *mean = json_member(extra, "consistency_mean");
    if (mean && check_agreement(mean, e) < 0)
        return err_add(e, "consistency_mean");
    const struct json *start = json_member(extra, "video_start");
    if (start && check_seconds(start, e) < 0)
        return err_add(e, "video_start");
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Raw annotations of Kinetics-GEBD: what comes out has as many raters, with times in order. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "common/datasets/gebd_prepare.h"

static void check(const struct json *raw, const struct json *video)
{
    const struct json *times = json_member(video, "substages_timestamps");
    const struct json *frames = json_member(video, "substages_myframeidx");
    if (json_len(times) != json_len(json_member(raw, "substages_timestamps")) ||
        json_len(frames) != json_len(times))
        abort();
    for (size_t r = 0; r < json_len(times); r++) {
        const struct json *rater = json_at(times, r);
        if (json_len(json_at(frames, r)) != json_len(rater))
            abort();
        for (size_t i = 1; i < json_len(rater); i++)
            if (json_f64(json_at(rater, i)) < json_f64(json_at(rater, i - 1)))
                abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    size_t counts[GEBD_PREPARED_N];
    struct json *raw = json_parse((const char *)data, size, &e), *out = NULL, *video;
    struct json_walk walk = {0};
    const char *id;
    int rc = raw ? gebd_prepare(raw, &out, counts, &e) : ERR_FAIL;
    while (rc == 0 && json_next(out, &walk, &id, &video))
        check(json_member(raw, id), video);
    if (rc == 0)
        json_free(out);
    json_free(raw);
    return rc < 0 ? FUZZ_REFUSED : FUZZ_ACCEPTED;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AVA's CSV files: the first byte says under which rules ('s' or 'a'), a line "--" divides
 * annotations from predictions. Whatever is accepted is scored: every AP is a share or undefined,
 * and no more is matched than there is.
 */
#include "tests/fuzz/fuzz.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/eval/ava_score.h"

static const char map[] =
    "  name: \"a\"\n  id: 1\n  name: \"b\"\n  id: 2\n  name: \"c\"\n  id: 12\n";
enum { N_CLASSES = 3 };

static void check(const struct ava_class_score *s)
{
    if (s->n_matched > s->n_boxes || s->n_matched > s->n_predictions)
        abort();
    if (isnan(s->ap) != (s->n_boxes == 0) || s->ap < 0 || s->ap > 1)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct ava_labels labels = {0};
    struct ava_data d;
    struct ava_class_score scores[N_CLASSES];
    const char *text = (const char *)data + 1, *end = (const char *)data + size;
    const char *divider = size ? memmem(text, size - 1, "\n--\n", 4) : NULL;
    if (!divider || ava_labels_read_text(&labels, map, sizeof map - 1, &e) < 0)
        return FUZZ_REFUSED;
    ava_data_init(&d, *data == 's' ? AVA_SLOWFAST : AVA_ACTIVITYNET, &labels);
    const struct ava_file file = {"gt.csv", text, (size_t)(divider - text)};
    int rc = ava_read_annotations(&d, &file, 1, &e);
    if (rc == 0)
        rc = ava_read_predictions(&d, divider + 4, (size_t)(end - divider - 4), &e);
    if (rc == 0)
        rc = ava_score(&d, scores, &e);
    for (size_t k = 0; rc == 0 && k < N_CLASSES; k++)
        check(&scores[k]);
    ava_data_release(&d);
    ava_labels_release(&labels);
    return rc < 0 ? FUZZ_REFUSED : FUZZ_ACCEPTED;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* An evaluation of event boundaries, ground truth and predictions with an empty line between them:
 * all scores are in range, by both rules, and the threads change nothing. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "common/eval/gebd_eval.h"

static bool is_share(double x)
{
    return x >= 0 && x <= 1;
}

static int evaluate(struct gebd_request q)
{
    struct err e = {0};
    struct gebd_result once, again;
    q.n_threads = 1;
    int rc = gebd_evaluate(&once, &q, &e);
    q.n_threads = 3;
    if (gebd_evaluate(&again, &q, &e) != rc)
        abort();
    if (rc < 0)
        return rc;
    for (size_t k = 0; k < GEBD_THRESHOLDS; k++) {
        struct gebd_score s = gebd_score(&once.counts[k]);
        if (!is_share(s.precision) || !is_share(s.recall) || !is_share(s.f1) ||
            (k > 0 && once.counts[k].n_detected != once.counts[0].n_detected))
            abort();
    }
    if (memcmp(once.counts, again.counts, sizeof once.counts) != 0)
        abort();
    gebd_result_release(&once);
    gebd_result_release(&again);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    const char *text = (const char *)data;
    const char *gap = size ? memmem(text, size, "\n\n", 2) : NULL;
    size_t len = gap ? (size_t)(gap - text) : size;
    struct gebd_truth *truth = NULL;
    struct json *found = json_parse(text + len, size - len, &e);
    int rc = found ? gebd_truth_parse(&truth, "gt", text, len, &e) : ERR_FAIL;
    if (rc == 0) {
        struct gebd_request q = {.truth = truth, .predictions = {"pred", found}};
        rc = evaluate(q);
        q.unit = GEBD_FRAMES;
        q.downsample = 3;
        evaluate(q);
        q.rules = GEBD_NOTEBOOK;
        if (evaluate(q) < 0)
            rc = ERR_FAIL;
    }
    gebd_truth_close(truth);
    json_free(found);
    return rc < 0 ? FUZZ_REFUSED : FUZZ_ACCEPTED;
}
